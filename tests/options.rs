//! What the options of `#[signature]` do to a call: in the prompt, in the answer, in the trace.
#![deny(warnings, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../dspy-core/tests/support/mod.rs"]
#[allow(missing_docs)]
mod support;

use dspy::{lm::Cache, prelude::*};
use serde_json::json;
use support::{Reply, Server};

/// Rate the review.
#[signature(
    name = "Rating",
    assert(|o: &RateOutput| !(o.stars > 3 && o.tone == Tone::Cold), "a cold review has at most three stars"),
    suggest(|o| !o.summary.contains('!'), "a calm summary"),
)]
struct Rate {
    /// what the customer wrote
    #[input(name = "review")]
    text: String,
    #[input(desc = "the language of the summary", default = "English")]
    language: String,
    #[output(
        desc = "from one to five",
        prefix = "Number of stars:",
        assert(|n| *n > 0, "at least one star"),
        assert(|n: &u8| *n <= 5, "at most five stars")
    )]
    stars: u8,
    #[output(default = Tone::Warm)]
    tone: Tone,
    #[output(suggest(|s: &str| s.len() < 20, concat!("fewer than ", 20, " letters")))]
    summary: String,
}

#[value]
#[derive(Copy, PartialEq)]
enum Tone {
    Warm,
    Cold,
}

async fn lm(stars: &str, tone: &str, summary: &str) -> LM {
    let tone = if tone.is_empty() { String::new() } else { format!("[[ ## tone ## ]]\n{tone}\n\n") };
    let answer = format!(
        "[[ ## stars ## ]]\n{stars}\n\n{tone}[[ ## summary ## ]]\n{summary}\n\n[[ ## completed ## ]]"
    );
    let server = Server::replying(vec![Reply::completion(&answer)]).await;
    LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off()).retries(0).build().unwrap()
}

#[test]
fn a_chain_of_thought_has_all_settings() {
    let row = Rate {
        text: "nice".into(),
        language: "English".into(),
        stars: 5,
        tone: Tone::Warm,
        summary: "good".into(),
    };
    let thinking = || ChainOfThought::<Rate>::new().adapter(JsonAdapter::default()).repairs(0);
    let prompt = thinking().demos([&row]).render(input()).unwrap();
    assert_eq!(prompt.len(), 4);
    let shown = prompt[2].content.text();
    assert!(shown.starts_with('{') && shown.contains("\"summary\": \"good\""), "{shown}");
    let partial = json!({ "review": "nice", "stars": 4 });
    let program = thinking().try_demos([partial]).unwrap();
    assert_eq!(program.predictor().demos().len(), 1);
    assert_eq!(program.render(input()).unwrap().len(), 4);
    assert!(thinking().try_demos([3]).is_err());
}

#[test]
fn a_demonstration_that_cannot_be_written_fails_the_call() {
    #[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
    struct Refuses;

    impl serde::Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not this"))
        }
    }

    #[signature]
    struct Stubborn {
        #[input]
        text: String,
        #[output]
        answer: Refuses,
    }

    let rows = [Stubborn { text: "a".into(), answer: Refuses }];
    let program = Predict::<Stubborn>::new().demos(&rows);
    for error in [program.render("a").unwrap_err(), program.to_json().unwrap_err()] {
        assert!(error.to_string().contains("not this"), "{error}");
    }
    assert!(program.try_demos([json!({ "text": "a", "answer": "b" })]).unwrap().render("a").is_ok());
}

#[tokio::test]
async fn settings_have_shortcuts_to_the_options() {
    let change = |c: dspy::Settings| c.options(Options::new().n(2)).temperature(0.5).max_tokens(9);
    let options = dspy::with(change, async { dspy::settings().options.clone() }).await;
    assert_eq!(options, Options::new().n(2).temperature(0.5).max_tokens(9));
}

fn input() -> RateInput {
    RateInput { text: "nice".into(), language: "English".into() }
}

async fn rate(stars: &str, tone: &str, summary: &str) -> Result<Prediction<RateOutput>> {
    Predict::<Rate>::new().lm(lm(stars, tone, summary).await).repairs(0).call(input()).await
}

#[test]
fn words_reach_the_prompt() {
    let program = Predict::<Rate>::new();
    let prompt = program.render(input()).unwrap();
    let system = prompt[0].content.text();
    for words in [
        "Rate the review.",
        "review",
        "what the customer wrote",
        "the language of the summary",
        "from one to five",
    ] {
        assert!(system.contains(words), "{words}: {system}");
    }
    let request = prompt.last().unwrap().content.text();
    assert!(request.contains("[[ ## review ## ]]\nnice"), "{request}");
    let spec = Rate::spec();
    assert_eq!(spec.name, "Rating");
    assert_eq!(spec.field("stars").unwrap().prefix, "Number of stars:");
    assert_eq!(spec.field("tone").unwrap().prefix, "Tone:");
    // The label stands in saved programs.
    let state = program.to_json().unwrap();
    assert_eq!(state["signature"]["fields"][2]["prefix"], "Number of stars:");
}

#[test]
fn what_has_a_default_may_be_missing_in_data() {
    let row: Rate = serde_json::from_value(json!({"review": "nice", "stars": 3, "summary": "s"})).unwrap();
    assert_eq!((row.language.as_str(), row.tone), ("English", Tone::Warm));
    let input: RateInput = serde_json::from_value(json!({"review": "nice"})).unwrap();
    assert_eq!(input.language, "English");
}

#[tokio::test]
async fn what_has_a_default_may_be_missing_in_an_answer() {
    let p = rate("4", "", "good").await.unwrap();
    assert_eq!((p.stars, p.tone), (4, Tone::Warm));
}

#[tokio::test]
async fn demands_that_must_be_met_refuse_an_answer() {
    for (stars, tone, field, message) in [
        ("0", "Warm", "stars", "at least one star"),
        ("9", "Warm", "stars", "at most five stars"),
        ("4", "Cold", "self", "a cold review has at most three stars"),
    ] {
        match rate(stars, tone, "good").await.unwrap_err() {
            Error::Constraint { signature, field: at, message: why } => {
                assert_eq!((signature.as_str(), at.as_str(), why.as_str()), ("Rating", field, message));
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn demands_that_should_be_met_are_noted() {
    let p = with(|c| c.trace(true), rate("4", "Warm", "good and very long indeed!")).await.unwrap();
    let notes: Vec<_> =
        p.trace().iter().flat_map(|s| &s.warnings).map(|w| (w.field.as_str(), w.message.as_str())).collect();
    assert_eq!(notes, [("summary", "fewer than 20 letters"), ("self", "a calm summary")]);
}

/// What a schema can demand.
#[cfg(feature = "constraints")]
mod schema {
    use super::*;

    #[signature]
    struct Order {
        #[input]
        text: String,
        #[output]
        #[schemars(range(min = 1, max = 99))]
        count: i64,
        #[output(name = "article")]
        #[schemars(regex(pattern = "^[A-Z]{2}-[0-9]+$"))]
        code: String,
        #[output(default)]
        #[schemars(length(max = 2))]
        tags: Vec<String>,
    }

    async fn order(count: &str, article: &str, tags: &str) -> Result<Prediction<OrderOutput>> {
        let answer = format!(
            "[[ ## count ## ]]\n{count}\n\n[[ ## article ## ]]\n{article}\n\n[[ ## tags ## ]]\n{tags}\n\n\
             [[ ## completed ## ]]"
        );
        let server = Server::replying(vec![Reply::completion(&answer)]).await;
        let lm =
            LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off()).retries(0).build()?;
        Predict::<Order>::new().lm(lm).repairs(0).call("two of AB-1").await
    }

    #[signature]
    struct Broken {
        #[input]
        text: String,
        #[output]
        #[schemars(regex(pattern = "("))]
        code: String,
    }

    #[tokio::test]
    async fn what_cannot_be_checked_is_refused_before_it_is_paid_for() {
        let server = Server::replying(vec![Reply::completion("[[ ## code ## ]]\n(")]).await;
        let lm = LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off()).build().unwrap();
        let error = Predict::<Broken>::new().lm(lm).call("x").await.unwrap_err();
        assert!(error.to_string().contains("on `code` of `Broken`"), "{error}");
        assert_eq!(server.count(), 0);
    }

    #[tokio::test]
    async fn bounds_lengths_and_patterns_are_checked() {
        assert_eq!(order("2", "AB-1", "[]").await.unwrap().count, 2);
        for (count, article, tags, field) in [
            ("100", "AB-1", "[]", "count"),
            ("2", "ab1", "[]", "article"),
            ("2", "AB-1", r#"["a", "b", "c"]"#, "tags"),
        ] {
            match order(count, article, tags).await.unwrap_err() {
                Error::Constraint { field: at, .. } => assert_eq!(at, field),
                other => panic!("{other}"),
            }
        }
        // The model is told.
        let prompt = Predict::<Order>::new().render("x").unwrap();
        let system = prompt[0].content.text();
        assert!(system.contains("99") && system.contains("^[A-Z]{2}-[0-9]+$"), "{system}");
    }
}

/// Weigh the argument.
#[signature]
struct Weigh {
    #[input]
    reasoning: String,
    #[output]
    sound: bool,
}

#[tokio::test]
async fn an_input_called_reasoning_leaves_no_place_for_a_chain_of_thought() {
    // Nothing listens there: the call must not get that far.
    let lm = LM::builder("openai/none").api_base("http://127.0.0.1:9/v1").api_key("none").build().unwrap();
    let error =
        ChainOfThought::<Weigh>::new().lm(lm).call("all men are mortal").await.unwrap_err().to_string();
    assert!(error.contains("give the input another name"), "{error}");
}

/// The library reads enums without data itself and leaves writing them to a derive: the two agree on the names.
#[test]
fn names_of_variants_are_read_as_they_are_written() {
    macro_rules! renamed {
        ($($(#[$rule:meta])? $name:ident),*) => {$({
            #[dspy::value]
            #[derive(PartialEq)]
            $(#[$rule])?
            enum $name { One, TwoWords, HTTPError, Ünit, r#Type }

            for value in [$name::One, $name::TwoWords, $name::HTTPError, $name::Ünit, $name::Type] {
                let text = serde_json::to_value(&value).unwrap();
                assert_eq!(serde_json::from_value::<$name>(text.clone()).unwrap(), value, "{text}");
            }
            let unknown = serde_json::from_value::<$name>(json!("x")).unwrap_err().to_string();
            assert!(unknown.starts_with("unknown variant `x`, expected one of `"), "{unknown}");
        })*};
    }
    renamed!(
        Plain,
        #[serde(rename_all = "lowercase")]
        Lower,
        #[serde(rename_all = "UPPERCASE")]
        Upper,
        #[serde(rename_all = "PascalCase")]
        Pascal,
        #[serde(rename_all = "snake_case")]
        Snake,
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        ScreamingSnake,
        #[serde(rename_all = "kebab-case")]
        Kebab,
        #[serde(rename_all = "SCREAMING-KEBAB-CASE")]
        ScreamingKebab
    );
}
