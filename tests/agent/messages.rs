//! The messages of an agent, in text and with native calls.

use dspy::prelude::*;
use serde_json::json;

use super::{Qa, add, answer, calling, finish, in_text, look_up, natively, said, step};
use crate::model::{Model, run};

/// The messages of all requests for people to read, compared with a file. With `BLESS` set, the file is written.
fn matches(file: &str, model: &Model) {
    let mut shown = String::new();
    for (i, asked) in model.asked().iter().enumerate() {
        shown.push_str(&format!("{}=== request {} ===\n", if i == 0 { "" } else { "\n" }, i + 1));
        for message in asked.body["messages"].as_array().unwrap() {
            let id = message["tool_call_id"].as_str().map(|id| format!(" {id}")).unwrap_or_default();
            shown.push_str(&format!("\n── {}{id} ──\n", message["role"].as_str().unwrap()));
            shown.push_str(message["content"].as_str().unwrap_or_default());
            shown.push('\n');
            for call in message["tool_calls"].as_array().into_iter().flatten() {
                let function = &call["function"];
                shown.push_str(&format!(
                    "→ {} {}({})\n",
                    call["id"].as_str().unwrap(),
                    function["name"].as_str().unwrap(),
                    function["arguments"].as_str().unwrap()
                ));
            }
        }
        if let Some(tools) = asked.body["tools"].as_array() {
            shown.push_str("\n── tools ──\n");
            for tool in tools {
                shown.push_str(&format!("{}\n", tool["function"]));
            }
        }
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agent").join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &shown).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(shown, expected, "{}", path.display());
}

#[test]
fn in_text_the_steps_are_a_field() {
    run(async {
        let model = in_text([
            step("I look it up.", "look_up", r#"{"town": "Tartu"}"#),
            step("And double it.", "add", r#"{"numbers": "97000, 97000"}"#),
            finish(),
            answer(194_000),
        ])
        .await;
        let agent = ReAct::<Qa>::builder().tool(look_up).tool(add).lm(model.lm.clone()).build();
        let p = agent.call("Twice the inhabitants of Tartu?").await.unwrap();
        assert_eq!((p.answer, model.count()), (194_000, 4));
        let paths: Vec<_> = p.trace().iter().map(|step| step.path.clone().unwrap().to_string()).collect();
        assert_eq!(paths, ["react", "react", "react", "extract.predict"]);
        matches("text.txt", &model);
    });
}

#[test]
fn native_steps_are_messages_and_may_call_several_tools() {
    run(async {
        let model = natively(vec![
            calling(
                "I look both up.",
                &[("look_up", json!({"town": "Tartu"})), ("look_up", json!({"town": "Tatru"}))],
            ),
            calling("And double it.", &[("add", json!({"numbers": [97000, 97000]}))]),
            calling("Now I know.", &[("finish", json!({}))]),
            said(&answer(194_000)),
        ])
        .await;
        let agent = ReAct::<Qa>::builder().tool(look_up).tool(add).lm(model.lm.clone()).build();
        let p = agent.call("Twice the inhabitants of Tartu?").await.unwrap();
        assert_eq!((p.answer, model.count()), (194_000, 4));
        let trajectory = p.trajectory().unwrap();
        assert_eq!((trajectory.len(), trajectory.actions().count()), (3, 4));
        matches("native.txt", &model);
    });
}

#[test]
fn a_conversation_goes_on_with_what_the_tools_gave() {
    #[signature("history: dspy.History, question -> answer: u64")]
    struct Talk;

    async fn talk(model: &Model) {
        let agent = ReAct::<Talk>::builder().tool(look_up).lm(model.lm.clone()).build();
        let mut history = dspy::value::History::new();
        let question = "How many live in Tartu?".to_owned();
        let p = agent.call(TalkInput { history: history.clone(), question: question.clone() }).await.unwrap();
        history
            .push(&json!({ "question": question, "trajectory": p.trajectory(), "answer": p.answer }))
            .unwrap();
        agent.call(TalkInput { history, question: "And twice that?".into() }).await.unwrap();
    }

    run(async {
        let look = step("I look it up.", "look_up", r#"{"town": "Tartu"}"#);
        let model = in_text([look, finish(), answer(97_000), finish(), answer(194_000)]).await;
        talk(&model).await;
        let asked = &model.asked()[3];
        assert_eq!(asked.roles(), ["system", "user", "assistant", "user"]);
        let earlier = &asked.texts("user")[0];
        assert!(earlier.contains("Tartu had 97,000 inhabitants"), "{earlier}");
        assert!(asked.texts("assistant")[0].contains("[[ ## answer ## ]]\n97000"));

        let look = calling("I look it up.", &[("look_up", json!({"town": "Tartu"}))]);
        let done = calling("", &[("finish", json!({}))]);
        let model =
            natively(vec![look, done.clone(), said(&answer(97_000)), done, said(&answer(194_000))]).await;
        talk(&model).await;
        let asked = &model.asked()[3];
        let roles = ["system", "user", "assistant", "tool", "assistant", "tool", "assistant", "user"];
        assert_eq!(asked.roles(), roles);
        assert_eq!(asked.texts("tool")[0], "Tartu had 97,000 inhabitants in 2020.");
    });
}
