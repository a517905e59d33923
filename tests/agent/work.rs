//! When an agent ends, and how it goes on.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use dspy::{prelude::*, tool::Stop};
use serde_json::json;

use super::{Qa, add, answer, calling, finish, in_text, look_up, natively, said, step, with};
use crate::model::{Model, Reply, run};

fn look() -> String {
    step("I look it up.", "look_up", r#"{"town": "Tartu"}"#)
}

#[test]
fn it_ends_after_the_most_steps_and_can_go_on() {
    run(async {
        let model = in_text([
            look(),
            look(),
            answer(1),
            look(),
            finish(),
            answer(97_000),
            look(),
            finish(),
            answer(97_000),
        ])
        .await;
        let agent = ReAct::<Qa>::builder().tool(look_up).max_iters(2).lm(model.lm.clone()).build();
        let p = agent.call("How many?").await.unwrap();
        let trajectory = p.trajectory().unwrap();
        assert_eq!((p.answer, trajectory.len(), trajectory.stop()), (1, 2, Some(&Stop::MaxIters)));
        // It may come from another process.
        let text = serde_json::to_string(trajectory).unwrap();
        let p = agent.resume("How many?", serde_json::from_str(&text).unwrap()).await.unwrap();
        let trajectory = p.trajectory().unwrap();
        assert_eq!((p.answer, trajectory.len(), trajectory.stop()), (97_000, 4, Some(&Stop::Finished)));
        assert!(model.asked()[3].last().contains("Step 2\n"));
        // One that had ended is taken up before its end.
        assert_eq!(
            agent.resume("How many?", trajectory.clone()).await.unwrap().trajectory().unwrap().len(),
            5
        );
    });
}

#[test]
fn steps_that_do_not_fit_are_left_out_from_the_oldest() {
    run(async {
        // The window holds two steps.
        let mut model = Model::replying(|asked| match asked.last().matches("observation:").count() {
            0 | 1 => Reply::completion(&look()),
            2 if asked.number < 12 => Reply::completion(&look()),
            2 if asked.last().contains("next_thought") => Reply::completion(&finish()),
            2 => Reply::completion(&answer(97_000)),
            _ => Reply::json(
                400,
                &json!({"error": {"code": "context_length_exceeded", "message": "too long"}}),
            ),
        })
        .await;
        model.lm = with(&model, dspy::lm::Capabilities::none());
        let agent = ReAct::<Qa>::builder().tool(look_up).lm(model.lm.clone()).build();
        let p = agent.call("How many?").await.unwrap();
        let trajectory = p.trajectory().unwrap();
        assert_eq!((p.answer, trajectory.stop()), (97_000, Some(&Stop::Finished)));
        assert_eq!(trajectory.hidden(), trajectory.len() - 2);
        let last = model.asked().pop().unwrap().last();
        assert!(last.contains(&format!("(the first {} steps are left out)", trajectory.hidden())), "{last}");
    });
}

#[test]
fn a_step_that_cannot_be_read_ends_the_work() {
    run(async {
        let model = Model::saying(|asked| match asked.last().contains("next_tool_name") {
            true => "I would rather not.\n\nReally.".into(),
            false => answer(7),
        })
        .await;
        let lm = with(&model, dspy::lm::Capabilities::none());
        let agent = ReAct::<Qa>::builder().tool(look_up).lm(lm).build();
        let p = agent.call("How many?").await.unwrap();
        assert_eq!(p.answer, 7);
        assert!(matches!(p.trajectory().unwrap().stop(), Some(Stop::Unreadable(_))));
    });
}

#[test]
fn other_failures_of_the_model_are_errors() {
    run(async {
        let model = Model::replying(|_| Reply::error(401, "no key")).await;
        let agent = ReAct::<Qa>::builder().tool(look_up).lm(model.lm.clone()).build();
        assert_eq!(agent.call("How many?").await.unwrap_err().kind(), "auth");
    });
}

#[test]
fn a_model_that_calls_no_tool_natively_has_ended() {
    run(async {
        let model = natively(vec![said("It is 5."), said(&answer(5))]).await;
        let agent = ReAct::<Qa>::builder().tool(look_up).lm(model.lm.clone()).build();
        let p = agent.call("How many?").await.unwrap();
        let trajectory = p.trajectory().unwrap();
        assert_eq!((p.answer, trajectory.len(), trajectory.stop()), (5, 1, Some(&Stop::Finished)));
        assert_eq!(trajectory.steps().next().unwrap().thought, "It is 5.");
        assert!(model.asked()[1].last().contains("It is 5."));
    });
}

#[test]
fn native_arguments_are_read_as_tolerantly_as_text() {
    run(async {
        let model = natively(vec![
            calling(
                "",
                &[("look_up", json!("{'town': 'Tartu', 'year': '1999',}")), ("look_up", json!("Tartu"))],
            ),
            calling("", &[("finish", json!(""))]),
            said(&answer(5)),
        ])
        .await;
        let agent = ReAct::<Qa>::builder().tool(look_up).lm(model.lm.clone()).build();
        let p = agent.call("How many?").await.unwrap();
        let texts: Vec<_> = p.trajectory().unwrap().actions().map(|a| a.observation.text.clone()).collect();
        assert!(texts[0].ends_with("in 1999."), "{texts:?}");
        // Of its two arguments the other has a default, so that the text can only be the town.
        assert!(texts[1].contains("Tartu had 97,000"), "{texts:?}");
    });
}

#[test]
fn calls_of_one_step_run_at_once_unless_one_of_them_may_not() {
    fn measuring(most: Arc<AtomicUsize>) -> Tool {
        let now = Arc::new(AtomicUsize::new(0));
        let schema = json!({"type": "object", "properties": {}});
        Tool::new("wait", "Waits.", schema, move |_| {
            let (now, most) = (now.clone(), most.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, Error>("waited")
            }
        })
    }

    run(async {
        for (parallel, expected) in [(true, 3), (false, 1)] {
            let most = Arc::new(AtomicUsize::new(0));
            let wait = measuring(most.clone()).parallel(parallel);
            let calls = [("wait", json!({})), ("wait", json!({})), ("wait", json!({}))];
            let model =
                natively(vec![calling("", &calls), calling("", &[("finish", json!({}))]), said(&answer(5))])
                    .await;
            let agent = ReAct::<Qa>::builder().tool(wait).lm(model.lm.clone()).build();
            agent.call("How many?").await.unwrap();
            assert_eq!(most.load(Ordering::SeqCst), expected);
        }
    });
}

#[test]
fn dropping_an_agent_drops_its_calls() {
    struct Dropped(Arc<AtomicUsize>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    run(async {
        let (dropped, begun) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
        let (guard, begin) = (dropped.clone(), begun.clone());
        let hang = Tool::new("hang", "Hangs.", json!({"type": "object"}), move |_| {
            let (guard, begin) = (Dropped(guard.clone()), begin.clone());
            async move {
                let _guard = guard;
                begin.notify_one();
                std::future::pending::<Result<()>>().await
            }
        });
        let model = in_text([step("", "hang", "{}")]).await;
        let agent = ReAct::<Qa>::builder().tool(hang).lm(model.lm.clone()).build();
        let call = agent.call("How many?");
        tokio::select! {
            _ = call => panic!("it ended"),
            () = begun.notified() => {}
        }
        assert_eq!((dropped.load(Ordering::SeqCst), model.count()), (1, 1));
    });
}

#[test]
fn its_work_is_seen_as_it_goes_on() {
    use dspy::predict::react::AgentUpdate;

    fn shown(update: AgentUpdate<super::QaOutput>) -> String {
        match update {
            AgentUpdate::Thought(text) => format!("thought {text}"),
            AgentUpdate::Call(call) => format!("call {}", call.name),
            AgentUpdate::Step(step) => format!("step {}", step.actions[0].observation),
            AgentUpdate::Delta { field, text } => format!("{field} {text}"),
            AgentUpdate::Done(p) => {
                format!("done {} {}", p.answer, p.trajectory().map_or(0, Trajectory::len))
            }
            other => format!("{other:?}"),
        }
    }

    run(async {
        let model = in_text([look(), finish(), answer(97_000)]).await;
        let agent = ReAct::<Qa>::builder().tool(look_up).lm(model.lm.clone()).build();
        let mut stream = agent.stream("How many?");
        assert_eq!(model.count(), 0);
        let mut updates = Vec::new();
        while let Some(update) = stream.next().await {
            updates.push(shown(update.unwrap()));
        }
        let expected = [
            "thought I look it up.",
            "call look_up",
            "step Tartu had 97,000 inhabitants in 2020.",
            "thought Now I know.",
            "call finish",
            "step done",
            "reasoning It is so.",
            "answer 97000",
            "done 97000 2",
        ];
        assert_eq!(updates, expected);
    });
}

#[test]
fn it_stands_where_a_predictor_does() {
    #[module]
    struct Twice {
        ask: ReAct<Qa>,
    }

    impl Module for Twice {
        type Input = QaInput;
        type Output = QaOutput;

        async fn forward(&self, input: QaInput) -> Result<QaOutput> {
            let first = self.ask.call(input.clone()).await?;
            assert_eq!(first.answer, 1);
            Ok(self.ask.call(input).await?.into_inner())
        }
    }

    use super::{QaInput, QaOutput};
    run(async {
        let model = in_text([finish(), answer(1), look(), finish(), answer(2)]).await;
        let program = Twice { ask: ReAct::builder().tool(look_up).tool(add).lm(model.lm.clone()).build() };
        let paths: Vec<String> = program.predictors().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["ask.react", "ask.extract.predict"]);
        let p = program.call("How many?").await.unwrap();
        let steps: Vec<usize> = p.trajectories().map(Trajectory::len).collect();
        assert_eq!((p.answer, steps, p.trajectory().map(Trajectory::len)), (2, vec![1, 2], Some(2)));
        let paths: Vec<_> =
            p.trace().iter().filter_map(|step| step.path.as_deref().map(str::to_owned)).collect();
        assert_eq!(paths[..2], ["ask.react", "ask.extract.predict"]);
    });
}

#[test]
fn flaws_are_told_before_anything_is_sent() {
    #[signature("question, trajectory -> answer")]
    struct Own;

    run(async {
        let model = in_text([finish()]).await;
        let message = |error: Error| error.to_string();
        let twice = ReAct::<Qa>::builder().tool(look_up).tool(look_up).lm(model.lm.clone()).build();
        assert!(message(twice.call("?").await.unwrap_err()).contains("two tools are called `look_up`"));
        let own = Tool::from_fn(add).named("finish");
        let finishing = ReAct::<Qa>::builder().tool(own).lm(model.lm.clone()).build();
        assert!(message(finishing.call("?").await.unwrap_err()).contains("`finish`"));
        let spaced = Tool::from_fn(add).named("add up");
        let spaced = ReAct::<Qa>::builder().tool(spaced).lm(model.lm.clone()).build();
        assert!(message(spaced.call("?").await.unwrap_err()).contains("`add up`"));
        let reserved = ReAct::<Own>::builder().tool(add).lm(model.lm.clone()).build();
        let error = message(reserved.call(("a", "b")).await.unwrap_err());
        assert!(error.contains("`Own` has a field `trajectory`"), "{error}");
        assert_eq!(model.count(), 0);
    });
}

#[test]
fn a_signature_that_is_data_has_agents_too() {
    run(async {
        let model = in_text([look(), finish(), answer(97_000)]).await;
        let signature = DynSignature::parse("question -> answer: int").unwrap();
        let agent = ReAct::dynamic(signature).tool(look_up).lm(model.lm.clone()).build();
        let p = agent.call(Record::from([("question", "How many?")])).await.unwrap();
        assert_eq!((&p["answer"], p.trajectory().map(Trajectory::len)), (&json!(97_000), Some(2)));
        let wrong = agent.call(Record::from([("query", "How many?")])).await.unwrap_err().to_string();
        assert!(wrong.contains("no input `query`; its inputs are `question`"), "{wrong}");
    });
}

#[test]
fn two_thousand_tasks_end_and_none_is_mixed_with_another() {
    use std::time::Duration;

    const TASKS: usize = 2000;
    const PASSES: Duration = Duration::from_millis(2);

    /// Which of the calls of a task go wrong, from its number alone.
    fn fate(task: usize, salt: usize) -> usize {
        (task * 7919 + salt * 104_729) % 100
    }

    fn tool(name: &'static str, salt: usize, used: Arc<Mutex<Vec<usize>>>) -> Tool {
        let schema =
            json!({"type": "object", "properties": {"task": {"type": "integer"}}, "required": ["task"]});
        let tool = Tool::new(name, "Works on a task.", schema, move |arguments| {
            let task = arguments["task"].as_u64().unwrap() as usize;
            used.lock().unwrap().push(task);
            async move {
                match fate(task, salt) {
                    0..10 => Err(format!("task {task} failed")),
                    10..15 => std::future::pending().await,
                    _ => Ok(format!("part {salt} of {task}")),
                }
            }
        });
        tool.timeout(PASSES)
    }

    /// What the model does next, from what it is shown.
    fn next(shown: &str) -> String {
        let task: usize =
            shown.split("task number ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        if !shown.contains("next_thought") {
            for (other, _) in shown.match_indices(" of ") {
                let rest = &shown[other + 4..];
                if let Some(number) = rest.split_whitespace().next().and_then(|n| n.parse::<usize>().ok()) {
                    assert_eq!(number, task, "{shown}");
                }
            }
            return answer(task as u64);
        }
        match shown.matches("observation:").count() {
            n @ 0..3 => step("", ["first", "second", "third"][n], &format!("{{\"task\": {task}}}")),
            _ => finish(),
        }
    }

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let model = dspy::lm::StubModel::from_fn(|request| {
            let last = request.prompt.messages().last().map(|m| m.content.text().to_owned());
            next(&last.unwrap_or_default())
        })
        .capabilities(dspy::lm::Capabilities::none());
        let used = Arc::new(Mutex::new(Vec::new()));
        let tools = ["first", "second", "third"];
        let tools = tools.iter().enumerate().map(|(salt, name)| tool(name, salt, used.clone()));
        let agent = ReAct::<Qa>::builder().tools(tools).lm(&model).build();
        let inputs = (0..TASKS).map(|task| format!("Do task number {task} now."));
        let results = dspy::with(|c| c.concurrency(64), agent.batch(inputs)).await;
        let (mut failed, mut hung) = (0, 0);
        for (task, result) in results.into_iter().enumerate() {
            let p = result.unwrap();
            let trajectory = p.trajectory().unwrap();
            assert_eq!((p.answer, trajectory.len(), p.trajectories().count()), (task as u64, 4, 1));
            for (salt, action) in trajectory.actions().take(3).enumerate() {
                assert_eq!(action.arguments["task"], task);
                use dspy::ToolErrorKind::{Failed, TimedOut};
                let expected = match fate(task, salt) {
                    0..10 => Some(Failed),
                    10..15 => Some(TimedOut),
                    _ => None,
                };
                assert_eq!(action.observation.error, expected, "{}", action.observation);
                failed += usize::from(expected == Some(Failed));
                hung += usize::from(expected == Some(TimedOut));
            }
        }
        assert!((500..700).contains(&failed) && (250..350).contains(&hung), "{failed} {hung}");
        assert_eq!(used.lock().unwrap().len(), 3 * TASKS);
    });
}
