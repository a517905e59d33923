//! Tools and models that behave badly: nothing of it ends an agent, keeps a program from ending, or reads a value wrongly.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use dspy::{ToolErrorKind, prelude::*, tool::Approval};
use serde_json::{Value, json};

use super::{Qa, add, answer, calling, finish, in_text, look_up, natively, object, said, step};
use crate::model::run;

/// Waits until somebody lets it go.
struct Gate {
    open: Mutex<mpsc::Receiver<()>>,
}

#[tool]
impl Gate {
    /// Wait.
    #[tool(timeout = Duration::from_millis(20))]
    fn wait(&self) -> bool {
        self.open.lock().is_ok_and(|open| open.recv().is_ok())
    }
}

#[test]
fn a_plain_function_that_hangs_holds_up_neither_the_runtime_nor_its_end() {
    let (open, waiting) = mpsc::channel();
    let gate = Arc::new(Gate { open: Mutex::new(waiting) });
    let tool = gate.tools().remove(0);
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.max_blocking_threads(1).enable_all().build().unwrap();
        let kind = runtime.block_on(async {
            let kind = tool.call(Default::default()).await.unwrap_err().kind;
            // What needs a thread of the runtime still gets one.
            tokio::task::spawn_blocking(|| {}).await.unwrap();
            kind
        });
        drop(runtime);
        tell.send(kind).unwrap();
    });
    let ended = told.recv_timeout(Duration::from_secs(60));
    assert_eq!(ended.expect("the runtime waited for the function"), ToolErrorKind::TimedOut);
    open.send(()).expect("the function is still waiting");
}

/// Uses the runtime.
#[tool]
fn using_the_runtime() -> u8 {
    tokio::runtime::Handle::current().block_on(async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        7
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_plain_function_may_use_the_runtime() {
    let seen = Tool::from_fn(using_the_runtime).observe(Default::default()).await;
    assert_eq!(seen.text, "7");
}

/// What to do with a letter.
#[value]
#[derive(PartialEq)]
enum Act {
    Keep,
    Send { to: String, copies: u8 },
    Scale(f64),
}

/// A day, as it is written.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
struct Day(u16, u8, u8);

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('-').collect();
        let wrong = || format!("`{text}` is no day: write it as 2026-01-31");
        let [year, month, day] = parts[..] else { return Err(wrong()) };
        let day = Self(
            year.parse().map_err(|_| wrong())?,
            month.parse().map_err(|_| wrong())?,
            day.parse().map_err(|_| wrong())?,
        );
        if (1..=12).contains(&day.1) && (1..=31).contains(&day.2) { Ok(day) } else { Err(wrong()) }
    }
}

impl From<Day> for String {
    fn from(Day(year, month, day): Day) -> Self {
        format!("{year:04}-{month:02}-{day:02}")
    }
}

/// File a letter.
#[tool]
async fn file(
    act: Act,
    number: u64,
    day: Day,
    note: Option<Option<String>>,
    #[arg(default = Act::Scale(0.5))] then: Act,
) -> String {
    format!("{act:?} {number} {day:?} {note:?} {then:?}")
}

#[test]
fn arguments_of_difficult_types_are_read_exactly() {
    let tool = Tool::from_fn(file);
    run(async {
        let sent = r#"Send { to: "Ada", copies: 2 }"#;
        for (given, read) in [
            (
                json!({"act": {"Send": {"to": "Ada", "copies": 2}}, "number": 9_007_199_254_740_993_u64, "day": "2026-02-03"}),
                format!("{sent} 9007199254740993 Day(2026, 2, 3) None Scale(0.5)"),
            ),
            (
                json!({"act": {"send": {"to": "Ada", "copies": "2"}}, "number": "18446744073709551615", "day": "2026-02-03", "note": "x"}),
                format!("{sent} 18446744073709551615 Day(2026, 2, 3) Some(Some(\"x\")) Scale(0.5)"),
            ),
            (
                json!({"act": "keep", "number": 0, "day": "2026-02-03", "note": null, "then": {"Scale": 2}}),
                "Keep 0 Day(2026, 2, 3) None Scale(2.0)".to_owned(),
            ),
        ] {
            assert_eq!(tool.observe(object(given.clone())).await.text, read, "{given}");
        }
        for (given, why) in [
            (json!({"act": "burn", "number": 1, "day": "2026-02-03"}), "`act`"),
            (json!({"act": {"Send": {"to": "Ada"}}, "number": 1, "day": "2026-02-03"}), "`act`"),
            (json!({"act": "Keep", "number": -1, "day": "2026-02-03"}), "`number`"),
            (json!({"act": "Keep", "number": 1.5, "day": "2026-02-03"}), "`number`"),
            (json!({"act": "Keep", "number": "18446744073709551616", "day": "2026-02-03"}), "`number`"),
            (json!({"act": "Keep", "number": 1, "day": "2026-13-03"}), "is no day: write it as 2026-01-31"),
        ] {
            let seen = tool.observe(object(given.clone())).await;
            assert_eq!(seen.error, Some(ToolErrorKind::Arguments), "{given}: {seen}");
            assert!(seen.text.contains(why), "{given}: {seen}");
        }
    });
}

#[test]
fn native_calls_keep_large_numbers() {
    run(async {
        let arguments = r#"{"act": "Keep", "number": 9007199254740993, "day": "2026-02-03"}"#;
        let model =
            natively(vec![calling("", &[("file", json!(arguments))]), said("Done."), said(&answer(1))]).await;
        let agent = ReAct::<Qa>::builder().tool(file).lm(model.lm.clone()).build();
        let p = agent.call("?").await.unwrap();
        let seen = p.trajectory().unwrap().actions().next().unwrap().observation.text.clone();
        assert!(seen.starts_with("Keep 9007199254740993 "), "{seen}");
        let sent = model.asked()[1].body.to_string();
        assert!(sent.contains("9007199254740993"), "{sent}");
    });
}

#[test]
fn a_result_of_a_hundred_megabytes_is_cut_and_not_kept() {
    let huge = Tool::typed("huge", "Gives much.", |_: NoArguments| async {
        Ok::<_, Error>("ä".repeat(50_000_000))
    });
    run(async {
        let seen = huge.observe(Default::default()).await;
        assert!(seen.text.ends_with("\n[49980000 of 50000000 characters are left out]"));
        assert!(seen.text.capacity() < 100_000, "{}", seen.text.capacity());
    });
}

#[value]
struct NoArguments {}

/// A counter behind a lock that a panic poisons.
struct Counter {
    count: Mutex<u32>,
}

#[tool]
impl Counter {
    /// Count.
    #[tool]
    async fn count(&self, by: u32) -> Result<u32, String> {
        let mut count = self.count.lock().map_err(|_| "the counter is broken".to_owned())?;
        *count = count.checked_add(by).expect("no overflow");
        Ok(*count)
    }
}

#[test]
fn a_panic_under_a_lock_is_told_and_so_is_what_follows() {
    std::panic::set_hook(Box::new(|_| {}));
    run(async {
        let count = |by: u32| step("", "count", &format!(r#"{{"by": {by}}}"#));
        let model = in_text([count(1), count(u32::MAX), count(1), finish(), answer(1)]).await;
        let counter = Arc::new(Counter { count: Mutex::new(0) });
        let agent = ReAct::<Qa>::builder().tools(counter.tools()).lm(model.lm.clone()).build();
        let p = agent.call("How many?").await.unwrap();
        let seen: Vec<String> =
            p.trajectory().unwrap().actions().map(|a| a.observation.text.clone()).collect();
        assert_eq!(
            seen,
            [
                "1",
                "`count` failed: it panicked: no overflow",
                "`count` failed: the counter is broken",
                "done"
            ]
        );
        assert!(counter.count.is_poisoned());
    });
}

#[test]
fn an_approval_that_panics_denies_and_one_that_hangs_ends_with_the_agent() {
    std::panic::set_hook(Box::new(|_| {}));
    run(async {
        let broken = Tool::from_fn(add).approve(|call| async move {
            assert!(call.args.is_empty(), "nobody is there");
            Approval::Allow
        });
        let seen = broken.observe(object(json!({"numbers": [1]}))).await;
        assert_eq!(seen.error, Some(ToolErrorKind::Denied));
        assert!(seen.text.contains("the approval panicked: nobody is there"), "{seen}");

        struct Counted(Arc<AtomicUsize>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let (asked, ended) = (Arc::new(tokio::sync::Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (notify, count) = (asked.clone(), ended.clone());
        let silent = Tool::from_fn(add).timeout(Duration::from_millis(1)).approve(move |_| {
            let (notify, counted) = (notify.clone(), Counted(count.clone()));
            async move {
                let _counted = counted;
                notify.notify_one();
                std::future::pending().await
            }
        });
        let model = in_text([step("", "add", "[1]"), finish(), answer(1)]).await;
        let agent = ReAct::<Qa>::builder().tool(silent).lm(model.lm.clone()).build();
        let call = agent.call("How many?");
        tokio::select! {
            _ = call => panic!("it ended"),
            () = asked.notified() => {}
        }
        assert_eq!((ended.load(Ordering::SeqCst), model.count()), (1, 1));
    });
}

#[test]
fn an_agent_calls_another() {
    run(async {
        // The inner agent is asked by the outer one, and both by the same model.
        let model = crate::model::Model::saying(|asked| {
            let (system, last) = (asked.texts("system").concat(), asked.last());
            let inner = last.contains("Inner:");
            match (inner, system.contains("next_tool_name"), last.contains("Step 1")) {
                (false, true, false) => step("", "ask", r#"{"question": "Inner: how many?"}"#),
                (true, true, false) => step("", "look_up", r#"{"town": "Tartu"}"#),
                (_, true, true) => finish(),
                (_, false, _) => answer(97_000),
            }
        })
        .await;
        let lm = super::with(&model, dspy::lm::Capabilities::none());
        let inner = ReAct::<Qa>::builder().tool(look_up).lm(lm.clone()).build();
        let ask = Tool::from_program("ask", "Answers questions about towns.", inner);
        let agent = ReAct::<Qa>::builder().tool(ask).lm(lm).build();
        let p = agent.call("How many live there?").await.unwrap();
        assert_eq!((p.answer, p.usage().total().calls), (97_000, 6));
        let seen = p.trajectory().unwrap().actions().next().unwrap().observation.text.clone();
        assert_eq!(seen, r#"{"answer":97000}"#);
    });
}

#[test]
fn two_hundred_tools_are_told_and_each_is_found() {
    let tools = || {
        (0..200).map(|n| {
            Tool::typed(format!("tool_{n}"), format!("Gives {n}."), move |_: NoArguments| async move {
                Ok::<_, Error>(n)
            })
        })
    };
    run(async {
        let text =
            in_text([step("", "tool_0", "{}"), step("", "tool_199", "{}"), finish(), answer(199)]).await;
        let calls: Vec<(String, Value)> = (0..200).map(|n| (format!("tool_{n}"), json!({}))).collect();
        let calls: Vec<(&str, Value)> =
            calls.iter().map(|(name, args)| (name.as_str(), args.clone())).collect();
        let native = natively(vec![calling("All.", &calls), said("Done."), said(&answer(199))]).await;
        for model in [&text, &native] {
            let agent = ReAct::<Qa>::builder().tools(tools()).lm(model.lm.clone()).build();
            let p = agent.call("Which is the last?").await.unwrap();
            let last =
                p.trajectory().unwrap().actions().filter(|action| action.tool != "finish").last().unwrap();
            assert_eq!((last.tool.as_str(), last.observation.text.as_str()), ("tool_199", "199"));
        }
        let told = text.asked()[0].texts("system").concat();
        assert!((0..200).all(|n| told.contains(&format!("- `tool_{n}`: Gives {n}."))));
        assert_eq!(native.asked()[0].body["tools"].as_array().unwrap().len(), 201);
    });
}

#[test]
fn names_that_no_model_could_call_are_refused_before_anything_is_sent() {
    run(async {
        let model = in_text([finish()]).await;
        for name in ["", "look up", "météo", "look.up", "a\nb", &"x".repeat(65), "finish"] {
            let odd = Tool::from_fn(add).named(name);
            let agent = ReAct::<Qa>::builder().tool(odd).lm(model.lm.clone()).build();
            let error = agent.call("?").await.unwrap_err().to_string();
            assert!(error.contains("give it another with `Tool::named`"), "{name}: {error}");
        }
        assert_eq!(model.count(), 0);
    });
}
