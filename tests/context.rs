//! Settings, traces, usage and history of concurrent calls, through the public interface.

mod model;

use std::{collections::BTreeSet, time::Duration};

use dspy::{
    context::Context,
    lm::{Cache, inspect_history},
    prelude::*,
};
use model::{Asked, Model, Reply, choices, run};
use serde_json::json;

/// Say it again.
#[signature]
struct Echo {
    #[input]
    word: String,
    #[output]
    answer: String,
}

/// Repeats the last input with a mark of its own.
async fn echo(mark: &'static str) -> Model {
    Model::saying(move |asked| format!("[[ ## answer ## ]]\n{}{mark}\n\n[[ ## completed ## ]]", word(asked)))
        .await
}

fn word(asked: &Asked) -> String {
    let last = asked.last();
    last.split("[[ ## word ## ]]\n")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .unwrap_or_default()
        .to_owned()
}

async fn say(word: &str) -> String {
    match Predict::<Echo>::new().call(word).await {
        Ok(p) => p.answer.clone(),
        Err(e) => format!("{} error", e.kind()),
    }
}

#[test]
fn scopes_nest_and_end() {
    run(async {
        let (a, b) = (echo("a").await, echo("b").await);
        assert_eq!(say("x").await, "context error", "nothing is configured");
        let seen = dspy::with(|c| c.lm(a.lm.clone()).concurrency(3), async {
            let before = (say("1").await, dspy::settings().concurrency);
            let within =
                dspy::with(|c| c.lm(b.lm.clone()), async { (say("2").await, dspy::settings().concurrency) });
            let within = within.await;
            let deeper = dspy::with(|c| c.lm(b.lm.clone()).concurrency(5), async {
                dspy::with(|c| c.trace(false), async { (say("3").await, dspy::settings().concurrency) }).await
            });
            // Written one around the other, without a block between them.
            let direct = dspy::with(|c| c.concurrency(9), dspy::with(|c| c.lm(b.lm.clone()), say("5")));
            assert_eq!(direct.await, "5b");
            let settings = async { dspy::settings().concurrency };
            assert_eq!(dspy::with(|c| c.concurrency(9), dspy::with(|c| c.repairs(0), settings)).await, 9);
            (before, within, deeper.await, (say("4").await, dspy::settings().concurrency))
        });
        let (before, within, deeper, after) = seen.await;
        assert_eq!(before, ("1a".into(), 3));
        assert_eq!(within, ("2b".into(), 3), "what is not changed is inherited");
        assert_eq!(deeper, ("3b".into(), 5));
        assert_eq!(after, ("4a".into(), 3), "the inner scope has ended");
        assert_eq!(say("x").await, "context error", "the outer one, too");
    });
}

#[test]
fn settings_can_be_read_while_they_change() {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        configure(|c| {
            let before = dspy::settings();
            c.repairs(before.repairs)
        });
        done.send(())
    });
    assert_eq!(
        ended.recv_timeout(Duration::from_secs(10)),
        Ok(()),
        "a reader and the change wait for each other"
    );
}

#[test]
fn scopes_add_next_to_nothing_to_a_future() {
    let program = Predict::<Echo>::new();
    let plain = size_of_val(&program.call("x"));
    let scoped = size_of_val(&dspy::with(|c| c, dspy::with(|c| c, dspy::with(|c| c, program.call("x")))));
    assert!(scoped < plain + 200, "{scoped} bytes instead of {plain}");
}

#[test]
fn concurrent_scopes_do_not_mix() {
    run(async {
        let (a, b) = (echo("a").await, echo("b").await);
        let many = (0..50).map(|i| {
            let (model, mark) = if i % 2 == 0 { (&a, "a") } else { (&b, "b") };
            let lm = model.lm.clone();
            async move {
                let answer = dspy::with(|c| c.lm(lm), async move {
                    tokio::task::yield_now().await;
                    say(&i.to_string()).await
                });
                assert_eq!(answer.await, format!("{i}{mark}"));
            }
        });
        join_all(many).await;
    });
}

async fn join_all<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        futures.retain_mut(|f| f.as_mut().poll(cx).is_pending());
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// Says it twice over, in fan-outs of fan-outs.
#[module]
struct Twice {
    first: Predict<Echo>,
    second: Predict<Echo>,
}

impl Module for Twice {
    type Input = EchoInput;
    type Output = String;

    async fn forward(&self, input: EchoInput) -> Result<String> {
        let first = self.first.call(input).await?;
        let words = ["x", "y"].map(|end| format!("{}{end}", first.answer));
        let mut all = Vec::new();
        for p in self.second.batch(words).await {
            all.push(p?.answer.clone());
        }
        Ok(all.join(" "))
    }
}

#[test]
fn fan_outs_carry_the_settings_along() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let model = echo("!").await;
        let program = Twice { first: Predict::new(), second: Predict::new() };
        let words: Vec<String> = (0..20).map(|i| i.to_string()).collect();
        let results = dspy::with(|c| c.lm(model.lm.clone()).concurrency(7), program.batch(words)).await;
        for (i, p) in results.into_iter().enumerate() {
            let p = p.unwrap();
            assert_eq!(*p.output(), format!("{i}!x! {i}!y!"));
            // Each has its own steps, in order, and its own costs, whatever ran beside it.
            let steps: Vec<_> =
                p.trace().iter().map(|s| (s.path.as_deref(), s.input_json()["word"].clone())).collect();
            let (x, y) = (format!("{i}!x"), format!("{i}!y"));
            // Clones that a fan-out makes are predictors of their own.
            assert_eq!(steps[0], (Some("first"), json!(i.to_string())));
            assert_eq!((&steps[1].1, &steps[2].1, steps.len()), (&json!(x), &json!(y), 3));
            assert_eq!((p.usage().total().calls, p.usage().total().total_tokens()), (3, 30));
        }
    });
}

#[test]
fn a_spawned_task_takes_the_context_along_by_hand() {
    run(async {
        let model = echo("!").await;
        let (without, with) = dspy::with(|c| c.lm(model.lm.clone()), async {
            let without = tokio::spawn(say("1")).await.unwrap();
            let with = tokio::spawn(Context::current().scope(say("2"))).await.unwrap();
            (without, with)
        })
        .await;
        assert_eq!((without.as_str(), with.as_str()), ("context error", "2!"));
    });
}

#[test]
fn usage_is_exact_however_calls_interleave() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        // The tokens of an answer depend on the question.
        let model = Model::replying(|asked| {
            let n: u64 = word(asked).parse().unwrap_or(0);
            let message = json!({"role": "assistant", "content": format!("[[ ## answer ## ]]\n{n}\n\n[[ ## completed ## ]]")});
            let usage = json!({"prompt_tokens": n, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": n / 2}});
            let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage});
            Reply::json(200, &body).after(Duration::from_millis(n % 3))
        })
        .await;
        // Equal questions are asked once.
        let lm = LM::builder("openai/test").api_base(model.server.api_base()).cache(Cache::memory(1000)).build();
        let program = Predict::<Echo>::new().lm(lm.unwrap());
        let words = (0..300_u64).map(|i| (i % 100).to_string());
        let results = dspy::with(|c| c.concurrency(64), program.batch(words)).await;
        let mut sum = dspy::lm::Usage::default();
        for (i, p) in results.iter().enumerate() {
            let usage = p.as_ref().unwrap().usage().total();
            let n = i as u64 % 100;
            assert_eq!(usage.calls + usage.cached_calls, 1);
            assert!(usage.cached_calls == 1 || (usage.prompt_tokens, usage.cached_prompt_tokens) == (n, n / 2));
            sum += usage;
        }
        assert_eq!((sum.calls, sum.cached_calls, model.count()), (100, 200, 100));
        assert_eq!((sum.prompt_tokens, sum.completion_tokens), ((0..100).sum(), 100));
    });
}

#[test]
fn without_traces_no_step_is_kept() {
    run(async {
        let model = echo("!").await;
        let program = Predict::<Echo>::new().lm(model.lm.clone());
        let p = dspy::with(|c| c.trace(false), program.call("a")).await.unwrap();
        assert!(p.trace().is_empty());
        assert_eq!(p.usage().total().calls, 1, "what it cost is counted all the same");
    });
}

#[test]
fn the_history_is_bounded() {
    run(async {
        let model = echo("!").await;
        let lm = LM::builder("openai/remembered")
            .api_base(model.server.api_base())
            .cache(Cache::off())
            .build()
            .unwrap();
        let program = Predict::<Echo>::new().lm(lm.clone());
        for i in 0..250 {
            program.call(i.to_string()).await.unwrap();
        }
        // Other tests write into the same history.
        let entries = lm.history(usize::MAX);
        assert!((1..=200).contains(&entries.len()), "{}", entries.len());
        let last: Vec<_> = lm.history(2).iter().map(|e| e.prompt.messages().last().cloned()).collect();
        let last: Vec<_> = last.iter().flatten().map(|m| m.content.text().lines().nth(1)).collect();
        assert_eq!(last, [Some("248"), Some("249")]);
        let shown = lm.inspect_history(1).to_string();
        assert!(shown.contains("[[ ## word ## ]]\n249") && shown.contains("249!"), "{shown}");
        assert!(inspect_history(1).to_string().contains("[[ ## word ## ]]"));
    });
}

/// Every name that means something elsewhere.
#[signature]
struct Names {
    #[input]
    config: String,
    #[input]
    lm: u32,
    #[input]
    signature: String,
    #[input]
    self_: bool,
    #[output]
    demos: Vec<String>,
    #[output]
    trace: bool,
    #[output]
    usage: u32,
    #[output]
    output: String,
    #[output]
    reader: String,
    #[output]
    spec: String,
}

#[test]
fn no_name_is_reserved() {
    run(async {
        let demo = Names {
            config: "c".into(),
            lm: 1,
            signature: "s".into(),
            self_: true,
            demos: vec!["d".into()],
            trace: true,
            usage: 2,
            output: "o".into(),
            reader: "r".into(),
            spec: "p".into(),
        };
        // Repeats the demonstration.
        let message = |asked: &Asked| json!({"role": "assistant", "content": asked.texts("assistant")[0]});
        let model = Model::replying(move |asked| choices(&[message(asked)], "stop")).await;
        let mut program = ChainOfThought::<Names>::new().lm(model.lm.clone());
        let reasoned = json!({"reasoning": "so"});
        let mut row = serde_json::to_value(&demo).unwrap();
        row.as_object_mut().unwrap().extend(reasoned.as_object().cloned().unwrap());
        program.predict_mut().predictor_mut().set_demos(vec![Demo::from_row(&row).unwrap()]);
        let p = program.call(NamesInput::from(&demo)).await.unwrap();
        assert_eq!((p.demos.as_slice(), p.trace, p.usage), (&["d".to_owned()][..], true, 2));
        assert_eq!((p.output.as_str(), p.reader.as_str(), p.spec.as_str()), ("o", "r", "p"));
        // What the prediction itself knows is still there.
        assert_eq!((p.usage().total().calls, p.trace().len()), (1, 1));
        let names: BTreeSet<_> = Names::spec().fields.iter().map(|f| f.name.clone()).collect();
        assert!(names.contains("config") && names.contains("lm"));
    });
}
