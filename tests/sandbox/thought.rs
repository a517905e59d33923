//! Code in the place of an answer.

use dspy::{prelude::*, sandbox::CodeErrorKind};

use crate::{saying, world::chat};

/// Answer the question about the prices.
#[signature]
struct Prices {
    /// in cents
    #[input]
    prices: Vec<u32>,
    #[input]
    question: String,
    /// in cents
    #[output]
    answer: u32,
}

fn input() -> PricesInput {
    PricesInput { prices: vec![120, 80, 301], question: "What do they cost together?".into() }
}

fn code(reasoning: &str, code: &str) -> String {
    chat(&[("reasoning", reasoning), ("generated_code", &format!("```python\n{code}\n```"))])
}

fn answer(answer: u32) -> String {
    chat(&[("reasoning", "It is the result."), ("answer", &answer.to_string())])
}

#[tokio::test]
async fn code_is_written_again_until_it_runs() {
    dspy::sandbox::init();
    let world = saying([
        code("I add.", "total = sum(price)\ntotal"),
        code("The name was wrong.", "total = sum(prices)"),
        code("The value was missing.", "print('total:')\nsum(prices)"),
        answer(501),
    ])
    .await;
    let solve = ProgramOfThought::<Prices>::builder().lm(world.lm.clone()).build();
    let rendered = solve.render(input()).unwrap();
    let p = solve.stream(input()).finish().await.unwrap();
    assert_eq!((p.answer, world.count()), (501, 4));
    let first: Vec<_> = world.requests()[0].iter().map(|(_, text)| text.clone()).collect();
    assert_eq!(first, rendered.iter().map(|message| message.content.text().to_owned()).collect::<Vec<_>>());
    let paths: Vec<_> = p.trace().iter().map(|step| step.path.clone().unwrap().to_string()).collect();
    let again = "code_regenerate.predict";
    assert_eq!(paths, ["code_generate.predict", again, again, "generate_output.predict"]);
    let steps: Vec<_> = p.code().unwrap().steps().collect();
    assert_eq!(steps.len(), 3);
    let error = steps[0].outcome.as_ref().unwrap_err();
    assert_eq!((error.kind, error.line), (CodeErrorKind::Raised, Some(1)));
    assert_eq!(
        (steps[2].thought.as_str(), steps[2].output.as_str()),
        ("The value was missing.", "total:\n501")
    );
    world.assert_sent("program_of_thought.md");
}

#[tokio::test]
async fn code_that_never_runs_is_an_error() {
    dspy::sandbox::init();
    let world = saying([code("", "1 / 0"), code("", "open('/etc/passwd')")]).await;
    let solve = ProgramOfThought::<Prices>::builder().max_iters(2).lm(world.lm.clone()).build();
    let error = solve.call(input()).await.unwrap_err();
    assert!(error.to_string().contains("PermissionError"), "{error}");
    assert_eq!(world.count(), 2);
}

#[tokio::test]
async fn one_line_is_swapped_and_the_state_is_saved_as_dspy_has_it() {
    let mut solve = ProgramOfThought::<Prices>::new();
    let paths: Vec<_> = solve.predictors().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["code_generate.predict", "code_regenerate.predict", "generate_output.predict"]);
    let before = solve.to_json().unwrap();
    let first = solve.code_generate_mut().predictor_mut();
    first.set_instructions("Add the prices.");
    let saved = solve.to_json().unwrap();
    assert_ne!(before, saved);
    let text = saved["code_generate.predict"]["signature"]["instructions"].as_str().unwrap();
    assert!(text.starts_with("Add the prices.\n\nDo not work this out yourself"), "{text}");
    let loaded = ProgramOfThought::<Prices>::new().load_json(&saved).unwrap();
    assert_eq!(loaded.code_generate().predictor().spec().instructions, "Add the prices.");
    assert_eq!(loaded.to_json().unwrap(), saved);
}

#[tokio::test]
async fn names_that_code_cannot_use_are_an_error() {
    #[signature("question, lambda -> answer")]
    struct Keyword;
    #[signature("question, error -> answer")]
    struct Added;
    let lm = dspy::lm::StubModel::scripted(["{}"]);
    let keyword = ProgramOfThought::<Keyword>::builder().lm(&lm).build();
    let error = keyword.call(KeywordInput { question: "?".into(), lambda: "".into() }).await.unwrap_err();
    assert!(error.to_string().contains("code cannot use `lambda`"), "{error}");
    let added = ProgramOfThought::<Added>::builder().lm(&lm).build();
    let error = added.call(AddedInput { question: "?".into(), error: "".into() }).await.unwrap_err();
    assert!(error.to_string().contains("has a field `error`"), "{error}");
}
