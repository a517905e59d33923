//! The model for tests: its script, its errors, its records, and that its outputs are read in every format.
#![allow(clippy::unwrap_used, clippy::panic)]

use dspy::{
    LmError, LmErrorKind, Update,
    adapter::XmlAdapter,
    lm::{Cache, Capabilities, ResponseFormat, StubModel, StubResponse},
    prelude::*,
};

/// Describe it.
#[signature]
#[derive(PartialEq)]
struct Describe {
    #[input]
    name: String,
    #[output]
    text: String,
    #[output]
    tags: Vec<String>,
    #[output]
    size: Option<f64>,
}

fn described() -> DescribeOutput {
    DescribeOutput {
        text: "a \"wolf\",\n[[ ## tags ## ]]".into(),
        tags: vec!["grey".into(), "[1]".into()],
        size: Some(1.5),
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn outputs_are_read_in_every_format() {
    let model = StubModel::from_fn(|_| StubResponse::outputs(&described()));
    for program in [
        Predict::<Describe>::new(),
        Predict::new().adapter(JsonAdapter::new()),
        Predict::new().adapter(XmlAdapter::new()),
    ] {
        let p = run(program.lm(&model).repairs(0).call("wolf")).unwrap();
        assert_eq!(*p.output(), described());
    }
    assert_eq!(model.requests().len(), 3);
}

#[test]
fn outputs_of_a_chain_of_thought_have_their_reasoning() {
    let reasoned = Reasoned::new("It howls.", described());
    let model = StubModel::scripted([StubResponse::outputs(&reasoned)]);
    let p = run(ChainOfThought::<Describe>::new().lm(&model).call("wolf")).unwrap();
    assert_eq!((p.reasoning.as_str(), p.text.as_str()), ("It howls.", described().text.as_str()));
}

#[test]
fn a_script_is_followed_to_its_end() {
    let model = StubModel::scripted([
        StubResponse::outputs(&described()),
        LmError::new(LmErrorKind::RateLimit, "stub/model", "slow down").into(),
    ]);
    // Equal requests are not answered from a cache, and failures are not retried.
    let program = Predict::<Describe>::new().lm(&model);
    assert_eq!(run(program.call("wolf")).unwrap().size, Some(1.5));
    assert_eq!(run(program.call("wolf")).unwrap_err().kind(), "rate_limit");
    let error = run(program.call("wolf")).unwrap_err();
    assert_eq!(error.kind(), "configuration");
    assert!(error.to_string().contains("the script of the stub has 2 responses"), "{error}");
    assert_eq!(model.requests().len(), 3);
}

#[test]
fn a_client_with_cache_can_be_built() {
    let model = StubModel::from_fn(|_| StubResponse::outputs(&described()));
    let lm = model.builder().cache(Cache::memory(10)).build().unwrap();
    let program = Predict::<Describe>::new().lm(lm);
    for _ in 0..2 {
        run(program.call("wolf")).unwrap();
    }
    assert_eq!(model.requests().len(), 1);
}

#[test]
fn requests_are_those_that_a_model_of_these_capabilities_gets() {
    for (capabilities, json) in [(Capabilities::all(), true), (Capabilities::none(), false)] {
        let model = StubModel::from_fn(|_| StubResponse::outputs(&described())).capabilities(capabilities);
        run(Predict::<Describe>::new().adapter(JsonAdapter::new()).lm(&model).call("wolf")).unwrap();
        let request = &model.requests()[0];
        assert_eq!(request.format != ResponseFormat::Text, json, "{:?}", request.format);
        assert!(request.prompt.messages().last().unwrap().content.text().contains("wolf"));
    }
}

#[test]
fn answers_are_streamed_word_by_word() {
    let answer = "[[ ## text ## ]]\na grey wolf\n\n[[ ## tags ## ]]\n[]\n\n[[ ## completed ## ]]";
    let model = StubModel::scripted([answer]);
    let mut stream = Predict::<Describe>::new().lm(&model).stream("wolf");
    let (mut deltas, mut text) = (0, String::new());
    run(async {
        while let Some(update) = stream.next().await {
            if let Update::Delta { field, text: piece } = update.unwrap()
                && &*field == "text"
            {
                deltas += 1;
                text.push_str(&piece);
            }
        }
    });
    assert_eq!(text, "a grey wolf");
    assert!(deltas >= 3, "{deltas}");
}
