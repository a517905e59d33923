//! Whatever a model answers, what is sent next is a conversation that providers take.

use std::collections::BTreeSet;

use dspy::{ToolErrorKind, lm::Capabilities, prelude::*, value::History};
use serde_json::{Value, json};

use super::{Qa, answer, calling, look_up, said, with};
use crate::model::{Model, Reply, choices, run};

/// What the strictest of providers and servers refuse: a name that cannot be one of a tool, an id that comes twice,
/// arguments that are no JSON object, a call without its result.
fn flaw(body: &Value) -> Option<String> {
    let (mut ids, mut open) = (BTreeSet::new(), BTreeSet::new());
    for message in body["messages"].as_array().unwrap() {
        if message["role"] == "tool" {
            if !open.remove(message["tool_call_id"].as_str().unwrap()) {
                return Some(format!("a result of no call: {message}"));
            }
            continue;
        }
        if !open.is_empty() {
            return Some(format!("no results of {open:?}"));
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let (id, function) = (call["id"].as_str().unwrap(), &call["function"]);
            let name = function["name"].as_str().unwrap();
            let named = (1..=64).contains(&name.len())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            if !named {
                return Some(format!("no name of a tool: {name:?}"));
            }
            if id.is_empty() || !ids.insert(id.to_owned()) {
                return Some(format!("tool_use ids must be unique: {id:?}"));
            }
            let arguments = function["arguments"].as_str().unwrap();
            if !serde_json::from_str::<Value>(arguments).is_ok_and(|arguments| arguments.is_object()) {
                return Some(format!("arguments that are no object: {arguments}"));
            }
            open.insert(id.to_owned());
        }
    }
    None
}

/// A model that says these messages in turn, ends its work, and answers; of a provider that looks at what it is sent.
async fn strict(messages: Vec<(Value, &'static str)>) -> Model {
    let mut model = Model::replying(move |asked| {
        if let Some(flaw) = flaw(&asked.body) {
            return Reply::error(400, &flaw);
        }
        let finish = (calling("", &[("finish", json!({}))]), "tool_calls");
        let last = asked.last().contains("Now write");
        let (message, reason) = match messages.get(asked.number) {
            Some(message) => message.clone(),
            None if last => (said(&answer(7)), "stop"),
            None => finish,
        };
        choices(&[message], reason)
    })
    .await;
    model.lm = with(&model, Capabilities::none().tools(true));
    model
}

fn raw(name: &str, arguments: &str) -> Value {
    calling("", &[(name, Value::String(arguments.to_owned()))])
}

#[test]
fn odd_calls_are_answered_and_the_work_goes_on() {
    let twice = || {
        let call = json!({"id": "x", "type": "function", "function": {"name": "look_up", "arguments": "{\"town\":\"Tartu\"}"}});
        json!({"role": "assistant", "content": null, "tool_calls": [call, call]})
    };
    use ToolErrorKind::{Arguments, Unknown};
    let rows: Vec<(Value, &str, Option<ToolErrorKind>)> = vec![
        (twice(), "tool_calls", None),
        (raw("look up the town!", "{\"town\": \"Tartu\"}"), "tool_calls", Some(Unknown)),
        (raw("", "{}"), "tool_calls", Some(Unknown)),
        (raw(&"x".repeat(80), "{}"), "tool_calls", Some(Unknown)),
        (raw("検索", "{}"), "tool_calls", Some(Unknown)),
        (raw("functions.look_up", "{\"town\": \"Tartu\"}"), "tool_calls", None),
        (raw("look_up", "{\"town\": Tartu"), "tool_calls", Some(Arguments)),
        (raw("look_up", "[1, 2]"), "tool_calls", Some(Arguments)),
        (raw("look_up", "[\"Tartu\"]"), "tool_calls", Some(Arguments)),
        (raw("look_up", "town=\"Tartu\", year=1999"), "tool_calls", None),
        (raw("look_up", ""), "tool_calls", Some(Arguments)),
        // A call that breaks off is not made with what there is of its arguments.
        (raw("look_up", "{\"town\": \"Tar"), "length", Some(Arguments)),
        (raw("look_up", "{\"town\": \"Tartu\", \"year\": 19"), "stop", Some(Arguments)),
        // Where the server leaves the call in the text.
        (
            said("<tool_call>\n{\"name\": \"look_up\", \"arguments\": {\"town\": \"Tartu\"}}\n</tool_call>"),
            "stop",
            None,
        ),
    ];
    run(async {
        for (message, reason, error) in rows {
            let shown = message.to_string();
            let model = strict(vec![(message, reason)]).await;
            let agent = ReAct::<Qa>::builder().tool(look_up).lm(model.lm.clone()).build();
            let p = agent.call("How many?").await.unwrap_or_else(|e| panic!("{shown}: {e}"));
            let action = p.trajectory().unwrap().actions().next().unwrap();
            assert_eq!(action.observation.error, error, "{shown}: {}", action.observation);
            assert!(error.is_some() || action.observation.text.starts_with("Tartu had"), "{shown}");
            assert_eq!((p.answer, model.count()), (7, 3), "{shown}");
        }
    });
}

#[test]
fn no_call_of_a_conversation_has_the_id_of_another() {
    #[signature("history: dspy.History, question -> answer: u64")]
    struct Talk;

    run(async {
        let look = || (calling("", &[("look_up", json!({"town": "Tartu"}))]), "tool_calls");
        let mut history = History::new();
        for turn in 0..3 {
            let model = strict(vec![look(), look()]).await;
            let agent = ReAct::<Talk>::builder().tool(look_up).lm(model.lm.clone()).build();
            let question = format!("question {turn}");
            let input = TalkInput { history: history.clone(), question: question.clone() };
            let p = agent.call(input).await.unwrap();
            assert_eq!(model.asked()[2].texts("tool").len(), 3 * turn + 2);
            history
                .push(&json!({ "question": question, "trajectory": p.trajectory(), "answer": p.answer }))
                .unwrap();
        }
    });
}
