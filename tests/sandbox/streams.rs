//! The work of modules that write code, while it goes on; over HTTP, a few characters at a time.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use dspy::{
    lm::{Cache, RetryPolicy},
    predict::code::{CodeStream, CodeUpdate},
    prelude::*,
};
use serde::Serialize;
use serde_json::json;

use crate::{
    server::{Ending, Reply, Server},
    world::chat,
};

/// Answer the question about towns.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: u64,
    #[output]
    source: String,
}

/// Look up a town.
#[tool]
async fn look_up(town: String) -> usize {
    town.len()
}

/// A reply that streams this text, `size` characters at a time.
fn streamed(text: &str, size: usize) -> Reply {
    let characters: Vec<char> = text.chars().collect();
    let mut events: Vec<String> = characters
        .chunks(size)
        .map(|piece| {
            let piece: String = piece.iter().collect();
            format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": piece}}]}))
        })
        .collect();
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}});
    events.push(format!("data: {end}\n\ndata: {usage}\n\ndata: [DONE]\n\n"));
    Reply::events(&events.iter().map(String::as_str).collect::<Vec<_>>(), Ending::Proper)
}

/// A model that streams these texts in turn.
async fn streaming(answers: impl IntoIterator<Item = String>) -> (Server, LM) {
    let answers: Vec<String> = answers.into_iter().collect();
    let next = AtomicUsize::new(0);
    let server = Server::start(move |call| {
        let text = &answers[next.fetch_add(1, Ordering::SeqCst)];
        match call.json()["stream"] == true {
            true => streamed(text, 4),
            false => Reply::completion(text),
        }
    })
    .await;
    let lm = LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off());
    let lm = lm.retry(RetryPolicy::new().base(Duration::ZERO)).build().unwrap();
    (server, lm)
}

/// What a stream told, with the pieces of each text put together, and how many pieces there were.
async fn told<O: Serialize + std::fmt::Debug + Send + 'static>(
    mut stream: CodeStream<O>,
) -> (Vec<String>, usize) {
    let (mut told, mut pieces) = (Vec::<String>::new(), 0);
    let mut grow = |told: &mut Vec<String>, what: &str, text: &str| {
        pieces += 1;
        match told.last_mut().filter(|last| last.starts_with(what)) {
            Some(last) => last.push_str(text),
            None => told.push(format!("{what}{text}")),
        }
    };
    while let Some(update) = stream.next().await {
        match update.unwrap() {
            CodeUpdate::Thought(text) => grow(&mut told, "thought: ", &text),
            CodeUpdate::Code(text) => grow(&mut told, "code: ", &text),
            CodeUpdate::Delta { field, text } => grow(&mut told, &format!("{field}: "), &text),
            CodeUpdate::Call(call) => told.push(format!("calls {}{}", call.name, json!(call.args))),
            CodeUpdate::Step(step) => told.push(format!("step: {}", step.output)),
            CodeUpdate::Retry { fields, .. } => told.push(format!("again: {}", fields.join(", "))),
            CodeUpdate::Done(p) => told.push(format!("done: {}", json!(p.output()))),
            other => panic!("{other:?}"),
        }
    }
    (told, pieces)
}

fn python(code: &str) -> String {
    format!("```python\n{code}\n```")
}

fn outputs() -> String {
    chat(&[("reasoning", "It says so."), ("answer", "5"), ("source", "the gazetteer")])
}

const DONE: &str = r#"done: {"answer":5,"source":"the gazetteer"}"#;

#[tokio::test]
async fn the_code_of_an_agent_grows() {
    dspy::sandbox::init();
    let code = "found = look_up('Tartu')\nprint(found, 'letters')";
    let step = chat(&[("generated_code", &python(code)), ("finished", "true")]);
    let (_server, lm) = streaming([step, outputs()]).await;
    let agent = CodeAct::<Qa>::builder().tool(look_up).lm(lm).build();
    let (told, pieces) = told(agent.stream("How many letters?")).await;
    let code = format!("code: {code}");
    let expected = [
        code.as_str(),
        r#"calls look_up{"town":"Tartu"}"#,
        "step: 5 letters",
        "reasoning: It says so.",
        "answer: 5",
        "source: the gazetteer",
        DONE,
    ];
    assert_eq!(told, expected);
    assert!(pieces > 15, "{pieces}");
}

#[tokio::test]
async fn thoughts_and_code_are_told_of_each_attempt() {
    dspy::sandbox::init();
    let written =
        |thought: &str, code: &str| chat(&[("reasoning", thought), ("generated_code", &python(code))]);
    let (_server, lm) = streaming([
        written("I count.", "leng('Tartu')"),
        chat(&[("reasoning", "It is `len`.")]),
        chat(&[("generated_code", &python("len('Tartu')"))]),
        outputs(),
    ])
    .await;
    let solve = ProgramOfThought::<Qa>::builder().lm(lm).build();
    let (told, _) = told(solve.stream("How many letters?")).await;
    assert_eq!(told[..2], ["thought: I count.", "code: leng('Tartu')"]);
    assert!(told[2].starts_with("step: line 1: NameError"), "{}", told[2]);
    let rest = [
        "thought: It is `len`.",
        "again: generated_code",
        "code: len('Tartu')",
        "step: 5",
        "reasoning: It says so.",
        "answer: 5",
        "source: the gazetteer",
        DONE,
    ];
    assert_eq!(told[3..], rest);
}

#[tokio::test]
async fn what_code_submits_comes_whole() {
    dspy::sandbox::init();
    let action = |thought: &str, code: &str| chat(&[("reasoning", thought), ("code", &python(code))]);
    let (_server, lm) = streaming([
        action("I ask.", "said = llm_query('Where from?')\nprint(said)"),
        "the gazetteer".to_owned(),
        action("I submit.", "submit(answer=5, source=said)"),
    ])
    .await;
    let ask = RLM::<Qa>::builder().lm(lm).build();
    let (told, _) = told(ask.stream("How many letters?")).await;
    let expected = [
        "thought: I ask.",
        "code: said = llm_query('Where from?')\nprint(said)",
        r#"calls llm_query{"prompt":"Where from?"}"#,
        "step: the gazetteer",
        "thought: I submit.",
        "code: submit(answer=5, source=said)",
        told[6].as_str(),
        "answer: 5",
        "source: the gazetteer",
        DONE,
    ];
    assert_eq!(told, expected);
    assert!(told[6].starts_with("step: "), "{}", told[6]);
}

#[tokio::test]
async fn what_was_not_submitted_is_streamed_as_it_is_extracted() {
    dspy::sandbox::init();
    let action = chat(&[("reasoning", "I look."), ("code", &python("print(1)"))]);
    let (_server, lm) = streaming([action, chat(&[("answer", "5"), ("source", "the gazetteer")])]).await;
    let ask = RLM::<Qa>::builder().max_iters(1).lm(lm).build();
    let (told, pieces) = told(ask.stream("How many letters?")).await;
    let expected =
        ["thought: I look.", "code: print(1)", "step: 1", "answer: 5", "source: the gazetteer", DONE];
    assert_eq!(told, expected);
    assert!(pieces > 6, "{pieces}");
}
