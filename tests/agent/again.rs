//! An agent in a program that runs again, because an assertion is not met.

use std::sync::atomic::{AtomicUsize, Ordering};

use dspy::{lm::Capabilities, prelude::*};
use serde_json::json;

use super::{Qa, QaInput, QaOutput, answer, calling, finish, said, step, with};
use crate::model::{Model, Reply, choices, run};

/// A program that does not take every answer of its agent.
#[module]
struct Careful {
    agent: ReAct<Qa>,
}

impl Module for Careful {
    type Input = QaInput;
    type Output = QaOutput;

    async fn forward(&self, input: QaInput) -> Result<QaOutput> {
        let found = self.agent.call(input).await?;
        dspy::assert!(found.answer < 100, "at most two digits");
        Ok(found.into_inner())
    }
}

/// A tool that gives something else each time, and how often it was called.
fn sending() -> (Tool, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let schema = json!({"type": "object", "properties": {}});
    let tool = Tool::new("send", "Sends a letter.", schema, move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, Error>(format!("letter {number}")) }
    });
    (tool, sent)
}

/// A model that sends two letters at most once each, and gives a better answer when it is told to.
async fn model(native: bool) -> Model {
    let mut model = Model::replying(move |asked| {
        let last = asked.last();
        let letters = asked.texts("tool").len().max(last.matches("observation:").count());
        if last.contains("not accepted") {
            return Reply::completion(&answer(12));
        }
        if native && !last.contains("Now write") {
            let calls = [("send", json!({})), ("send", json!({}))];
            let message =
                if letters == 0 { calling("", &calls) } else { calling("", &[("finish", json!({}))]) };
            return choices(&[message], "tool_calls");
        }
        let text = match last.contains("next_thought") {
            true if letters == 0 => step("I send it.", "send", "{}"),
            true => finish(),
            false => answer(1_000),
        };
        choices(&[said(&text)], "stop")
    })
    .await;
    model.lm = with(&model, Capabilities::none().tools(native));
    model
}

#[test]
fn tools_are_not_called_again() {
    run(async {
        for native in [false, true] {
            let (model, (tool, sent)) = (model(native).await, sending());
            let agent = ReAct::builder().tool(tool).lm(model.lm.clone()).build();
            let p = Careful { agent }.call("How many?").await.unwrap();
            // Two steps, the outputs, and the outputs once more.
            assert_eq!((p.answer, p.backtracks(), model.count()), (12, 1, 4));
            assert_eq!(sent.load(Ordering::SeqCst), if native { 2 } else { 1 });
            let observed: Vec<_> =
                p.trajectory().unwrap().actions().map(|a| a.observation.text.clone()).collect();
            assert_eq!(observed[0], "letter 0");
            assert_eq!(p.trajectories().count(), 1);
        }
    });
}

#[test]
fn equal_calls_at_the_same_time_are_each_made_once() {
    #[module]
    struct Both {
        agents: Vec<Careful>,
    }

    impl Module for Both {
        type Input = QaInput;
        type Output = QaOutput;

        async fn forward(&self, input: QaInput) -> Result<QaOutput> {
            let calls = self.agents.iter().map(|agent| agent.call(input.clone()));
            let found = Parallel::new().try_run(calls).await?;
            Ok(QaOutput { answer: found.iter().map(|p| p.answer).sum() })
        }
    }

    run(async {
        let (model, (tool, sent)) = (model(false).await, sending());
        let agent = ReAct::builder().tool(tool).lm(model.lm.clone()).build();
        let agents = (0..3).map(|_| Careful { agent: agent.clone() }).collect();
        let p =
            BestOfN::new(Both { agents }, 2, |_: &QaInput, _: &QaOutput| false, 1.0).call("How many?").await;
        // Each attempt is one of its own.
        assert_eq!((p.unwrap().answer, sent.load(Ordering::SeqCst)), (36, 6));
    });
}
