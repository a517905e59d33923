//! Signatures that arrive as data, from their text to an answer.
#![allow(clippy::unwrap_used)]

mod support;

use dspy_core::{
    evaluate::Evaluate,
    lm::{Cache, LM},
    module::{Module, Program},
    predict::{ChainOfThought, Predict},
    signature::{DynSignature, Record},
};
use serde_json::json;
use support::{Reply, Server};

async fn lm(answer: &str) -> (Server, LM) {
    let server = Server::replying(vec![Reply::completion(answer)]).await;
    let lm =
        LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off()).retries(0).build().unwrap();
    (server, lm)
}

fn rating() -> DynSignature {
    DynSignature::parse(
        "text, most: int = 5 -> stars: int, tone: Literal['warm', 'cold'], why: Optional[str]",
    )
    .unwrap()
}

#[tokio::test]
async fn an_answer_is_read_by_the_types_of_the_text() {
    let answer = "[[ ## stars ## ]]\n4\n\n[[ ## tone ## ]]\nWarm\n\n[[ ## completed ## ]]";
    let (_server, lm) = lm(answer).await;
    let rate = Predict::dynamic(rating()).lm(lm);
    let p = rate.call(Record::from([("text", "I loved it")])).await.unwrap();
    assert_eq!(p.get::<u8>("stars").unwrap(), 4);
    assert_eq!(p.text("tone"), Some("warm"));
    assert_eq!(p["why"], json!(null));
    assert_eq!(serde_json::to_value(p.output()).unwrap(), json!({"stars": 4, "tone": "warm", "why": null}));
    let error = p.get::<String>("star").unwrap_err().to_string();
    assert_eq!(error, "the record has no field `star`; it has stars, tone, why");
}

#[tokio::test]
async fn ill_typed_answers_are_refused() {
    let answer = "[[ ## stars ## ]]\nmany\n\n[[ ## tone ## ]]\nwarm or cold\n\n[[ ## completed ## ]]";
    let (_server, lm) = lm(answer).await;
    let rate = Predict::dynamic(rating()).lm(lm).repairs(0);
    let error = rate.call(Record::from([("text", "I loved it")])).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), "parse");
    assert!(text.contains("stars") && text.contains("tone"), "{text}");
}

#[tokio::test]
async fn reasoning_stands_beside_the_record() {
    let answer = "[[ ## reasoning ## ]]\nIt says so.\n\n[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]";
    let (_server, lm) = lm(answer).await;
    let program = ChainOfThought::dynamic(DynSignature::parse("question -> answer").unwrap()).lm(lm);
    let p = program.call(("question", "The capital of France?")).await.unwrap();
    assert_eq!((p.reasoning.as_str(), p.text("answer"), p.len()), ("It says so.", Some("Paris"), 1));
}

#[test]
fn the_prompt_is_that_of_a_typed_signature() {
    let signature = DynSignature::parse("context: list[str], question -> answer: str")
        .unwrap()
        .with_instructions("Answer from the context.")
        .with_desc("answer", "one word")
        .unwrap();
    assert_eq!(signature.to_string(), "context: list[str], question -> answer");
    let demo = json!({"context": ["x"], "question": "q", "answer": "a"});
    let predict = Predict::dynamic(signature).try_demos([demo]).unwrap();
    let input = Record::new().with("question", "Where?").with("context", vec!["one", "two"]);
    let prompt = predict.render(input).unwrap();
    let system = prompt[0].content.text();
    assert!(system.contains("Answer from the context.") && system.contains("one word"), "{system}");
    let request = prompt.last().unwrap().content.text();
    let (context, question) = (request.find("[1] one\n[2] two").unwrap(), request.find("Where?").unwrap());
    assert!(context < question, "{request}");
}

#[test]
fn a_signature_is_shown_as_it_is_read() {
    for text in [
        "-> joke",
        "a: int = 5, b: float = 0.5, c: Optional[str] = None -> d: Literal['x', 3] = 'x', e: bool = True",
        "image: dspy.Image -> code: Code['sql'], any: Any",
    ] {
        assert_eq!(DynSignature::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn inputs_are_checked() {
    let rate = Predict::dynamic(rating());
    let fail = |record: Record| rate.render(record).unwrap_err().to_string();
    assert!(fail(Record::new()).contains("the input `text` is missing"));
    assert!(
        fail(Record::new().with("text", 3)).contains("`text`"),
        "{}",
        fail(Record::new().with("text", 3))
    );
    let unknown = fail(Record::new().with("text", "x").with("mots", 3));
    assert!(unknown.contains("no input `mots`; its inputs are `text`, `most`"), "{unknown}");
    let default = rate.render(("text", "x")).unwrap();
    assert!(default.last().unwrap().content.text().contains("[[ ## most ## ]]\n5"));
}

#[test]
fn mistakes_are_shown_in_the_text() {
    let fail = |text: &str| DynSignature::parse(text).unwrap_err();
    let error = fail("question -> answer: Persn");
    assert_eq!(error.kind(), "signature");
    let text = error.to_string();
    assert!(text.starts_with("unknown type `Persn`; known are"), "{text}");
    assert!(text.ends_with("  question -> answer: Persn\n                      ^^^^^"), "{text}");
    assert!(fail("a -> b: Code['cobol']").to_string().contains("unknown language `cobol`; known are rust"));
    assert!("a -> b -> c".parse::<DynSignature>().is_err());
    assert!(DynSignature::parse("a -> b").unwrap().with_desc("c", "x").is_err());
}

#[tokio::test]
async fn programs_of_data_are_evaluated_saved_and_loaded() {
    let answer = "[[ ## stars ## ]]\n4\n\n[[ ## tone ## ]]\nwarm\n\n[[ ## completed ## ]]";
    let (_server, lm) = lm(answer).await;
    let program = Predict::dynamic(rating().with_name("Rating")).lm(lm.clone());
    let rows: Vec<(Record, Record)> = [("fine", 4), ("awful", 1)]
        .map(|(text, stars)| (("text", text).into(), ("stars", stars).into()))
        .into();
    let right = |gold: &(Record, Record), found: &Record| gold.1["stars"] == found["stars"];
    let report = Evaluate::new(&rows, right).run(&program).await.unwrap();
    assert_eq!(report.score, 0.5);

    let mut learnt = Predict::dynamic(rating());
    learnt.predictor_mut().set_instructions("Rate it.");
    let row = Record::from([
        ("text", json!("t")),
        ("most", json!(3)),
        ("stars", json!(1)),
        ("tone", json!("cold")),
    ]);
    let learnt = learnt.demos([row]);
    let state = learnt.to_json().unwrap();
    let loaded = Predict::dynamic(rating()).load_json(&state).unwrap();
    assert_eq!(loaded.predictor().instructions(), "Rate it.");
    assert_eq!(loaded.predictor().demos(), learnt.predictor().demos());
    // A file of other types is refused.
    let other =
        DynSignature::parse("text, most: int -> stars: float, tone: str, why: Optional[str]").unwrap();
    let error = Predict::dynamic(other).load_json(&state).unwrap_err().to_string();
    assert!(error.contains("stars"), "{error}");
}
