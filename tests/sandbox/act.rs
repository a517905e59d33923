//! Agents that act by code.

use dspy::{Approval, predict::code::CodeUpdate, prelude::*, tool::Stop};

use crate::{saying, world::chat};

/// Answer the question about towns.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: u64,
}

/// Look up a town in the gazetteer.
#[tool]
async fn look_up(
    /// its name in English
    town: String,
    year: Option<u16>,
) -> Result<u64> {
    match town.as_str() {
        "Tartu" => Ok(97_000 + u64::from(year.unwrap_or(2020) - 2020)),
        "Narva" => Ok(53_000),
        other => Err(Error::other(format!("no town is called {other}"))),
    }
}

fn step(code: &str, finished: bool) -> String {
    chat(&[("generated_code", &format!("```python\n{code}\n```")), ("finished", &finished.to_string())])
}

fn answer(answer: u64) -> String {
    chat(&[("reasoning", "It is the sum."), ("answer", &answer.to_string())])
}

#[tokio::test]
async fn code_calls_tools_and_goes_on_after_errors() {
    dspy::sandbox::init();
    let world = saying([
        step("found = [look_up('Tartu', year=2021)]\nfound.append(look_up('Tatru'))", false),
        step("found.append(look_up('Narva'))\nprint(found)\nsum(found)", true),
        answer(150_001),
    ])
    .await;
    let agent = CodeAct::<Qa>::builder().tool(look_up).lm(world.lm.clone()).build();
    let mut stream = agent.stream("How many live in Tartu and Narva?");
    let mut steps = Vec::new();
    let p = loop {
        match stream.next().await.unwrap().unwrap() {
            CodeUpdate::Step(step) => steps.push(step),
            CodeUpdate::Done(p) => break p,
            _ => {}
        }
    };
    assert!(stream.next().await.is_none());
    assert_eq!((p.answer, world.count(), steps.len()), (150_001, 3, 2));
    let code = p.code().unwrap();
    assert_eq!(code.stop(), Some(&Stop::Finished));
    assert!(steps[0].outcome.as_ref().unwrap_err().message.contains("no town is called Tatru"));
    let paths: Vec<_> = p.trace().iter().map(|step| step.path.clone().unwrap().to_string()).collect();
    assert_eq!(paths, ["codeact", "codeact", "extractor.predict"]);
    world.assert_sent("code_act.md");
}

#[tokio::test]
async fn the_work_ends_after_so_many_steps_and_calls_are_approved() {
    dspy::sandbox::init();
    let world = saying([step("look_up('Narva')", true), step("1", false), answer(1)]).await;
    let agent = CodeAct::<Qa>::builder()
        .tool(look_up)
        .approve(|_| async { Approval::deny("not today") })
        .max_iters(2)
        .lm(world.lm.clone())
        .build();
    let p = agent.call("How many live in Narva?").await.unwrap();
    let code = p.code().unwrap();
    assert_eq!((code.stop(), code.len()), (Some(&Stop::MaxIters), 2), "code that failed is not the last");
    assert!(code.steps().next().unwrap().output.contains("not allowed: not today"));
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_ends_the_work() {
    dspy::sandbox::init();
    let world = crate::world::world(|sent| match sent[0].1.contains("finished") {
        true => "I would rather talk.".into(),
        false => answer(0),
    })
    .await;
    let p = CodeAct::<Qa>::builder().lm(world.lm.clone()).build().call("?").await.unwrap();
    assert!(matches!(p.code().unwrap().stop(), Some(Stop::Unreadable(_))));
}

#[tokio::test]
async fn concurrent_calls_share_no_variables() {
    dspy::sandbox::init();
    let world = crate::world::world(|sent| {
        let (system, asked) = (&sent[0].1, &sent.last().unwrap().1);
        let number = asked.split("number ").nth(1).unwrap().split_whitespace().next().unwrap();
        match (system.contains("`finished`"), asked.contains("Step 1")) {
            (false, _) => {
                let said = asked.rsplit("output: ").next().unwrap().split_whitespace().next().unwrap();
                answer(said.parse().unwrap())
            }
            (true, false) => step(&format!("seen = {number}"), false),
            (true, true) => step("seen * 10", true),
        }
    })
    .await;
    let agent = CodeAct::<Qa>::builder().lm(world.lm.clone()).build();
    let questions: Vec<String> = (0..12).map(|n| format!("number {n} ")).collect();
    let found = futures_util::future::join_all(questions.into_iter().map(|q| agent.call(q))).await;
    let found: Vec<u64> = found.into_iter().map(|p| p.unwrap().answer).collect();
    assert_eq!(found, (0..12).map(|n| n * 10).collect::<Vec<_>>());
}

#[tokio::test]
async fn its_state_has_the_paths_of_dspy_and_comes_back() {
    let mut agent = CodeAct::<Qa>::builder().tool(look_up).build();
    agent.codeact_mut().predictor_mut().set_instructions("Count people.");
    let saved = agent.to_json().unwrap();
    let keys: Vec<&String> = saved.as_object().unwrap().keys().filter(|key| *key != "metadata").collect();
    assert_eq!(keys, ["codeact", "extractor.predict"]);
    let loaded = CodeAct::<Qa>::builder().tool(look_up).build().load_json(&saved).unwrap();
    assert_eq!(loaded.codeact().predictor().spec().instructions, "Count people.");
}
