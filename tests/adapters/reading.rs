//! Answers as models really write them.

use dspy::value::CoercionKind;
use dspy::{ParseErrorKind, adapter::XmlAdapter, prelude::*};

use super::model::{Model, choices, run};
use serde_json::json;

/// Judge the claim.
#[signature]
#[derive(PartialEq)]
struct Judge {
    #[input]
    claim: String,
    #[output]
    why: String,
    #[output]
    sure_percent: u8,
    #[output]
    verdict: Verdict,
}

#[value]
#[derive(PartialEq)]
enum Verdict {
    True,
    False,
}

async fn read(adapter: impl Adapter, answer: &str) -> Result<JudgeOutput> {
    let model = Model::script(&[answer]).await;
    let program = Predict::<Judge>::new().lm(model.lm.clone()).adapter(adapter).repairs(0);
    program.forward("the moon is made of cheese".into()).await
}

fn expected() -> JudgeOutput {
    JudgeOutput {
        why: "Rocks came back.\nThey were no cheese.".into(),
        sure_percent: 99,
        verdict: Verdict::False,
    }
}

/// Every answer that a person reads without effort, whatever the adapter that asked for it.
const ANSWERS: &[&str] = &[
    // As asked for by the chat format.
    "[[ ## why ## ]]\nRocks came back.\nThey were no cheese.\n\n[[ ## sure_percent ## ]]\n99\n\n[[ ## verdict ## ]]\nFalse\n\n[[ ## completed ## ]]",
    // In another order.
    "[[ ## verdict ## ]]\nFalse\n\n[[ ## why ## ]]\nRocks came back.\nThey were no cheese.\n\n[[ ## sure_percent ## ]]\n99\n\n[[ ## completed ## ]]",
    // Without its end.
    "[[ ## why ## ]]\nRocks came back.\nThey were no cheese.\n\n[[ ## sure_percent ## ]]\n99\n\n[[ ## verdict ## ]]\nFalse",
    // Bold, with and without blanks.
    "**[[ ## why ## ]]**\nRocks came back.\nThey were no cheese.\n\n**[[##sure_percent##]]** 99\n\n**[[ ##verdict## ]]**\nFalse\n",
    // As headings.
    "### [[ ## Why ## ]]\nRocks came back.\nThey were no cheese.\n\n### [[ ## Sure Percent ## ]]\n99\n\n### [[ ## VERDICT ## ]]\nFalse\n\n### [[ ## completed ## ]]",
    // With words before it, the input repeated and a further round behind it.
    "Sure, here it is:\n\n[[ ## claim ## ]]\nthe moon\n\n[[ ## why ## ]]\nRocks came back.\nThey were no cheese.\n\n[[ ## sure_percent ## ]]\n99\n\n[[ ## verdict ## ]]\nFalse\n\n[[ ## completed ## ]]\n\n[[ ## claim ## ]]\nthe sun\n\n[[ ## why ## ]]\nno",
    // After thinking aloud.
    "<think>\nThe format is [[ ## why ## ]] and so on.\n</think>\n\n[[ ## why ## ]]\nRocks came back.\nThey were no cheese.\n\n[[ ## sure_percent ## ]]\n99\n\n[[ ## verdict ## ]]\nFalse\n\n[[ ## completed ## ]]",
    "The format is [[ ## why ## ]] and so on.\n</think>\n\n[[ ## why ## ]]\nRocks came back.\nThey were no cheese.\n\n[[ ## sure_percent ## ]]\n99\n\n[[ ## verdict ## ]]\nFalse\n\n[[ ## completed ## ]]",
    // With nothing but names.
    "Why: Rocks came back.\nThey were no cheese.\nSure percent: 99\nVerdict: False",
    "**Why:** Rocks came back.\nThey were no cheese.\n\n**Sure Percent:** 99\n\n**Verdict:** False\n",
    "- why: Rocks came back.\nThey were no cheese.\n- sure_percent: 99\n- verdict: False",
    // As JSON.
    "{\"why\": \"Rocks came back.\\nThey were no cheese.\", \"sure_percent\": 99, \"verdict\": \"False\"}",
    "Here you are:\n```json\n{\n  \"verdict\": \"False\",\n  \"sure_percent\": 99,\n  \"why\": \"Rocks came back.\\nThey were no cheese.\"\n}\n```\nAnything else?",
    // As tags.
    "<why>\nRocks came back.\nThey were no cheese.\n</why>\n\n<sure_percent>\n99\n</sure_percent>\n\n<verdict>\nFalse\n</verdict>",
    "<verdict>False</verdict><sure_percent>99</sure_percent><why>Rocks came back.\nThey were no cheese.</why>",
    "<why>Rocks came back.\nThey were no cheese.\n<sure_percent>99\n<verdict>False",
];

#[test]
fn every_format_reads_what_leaves_no_doubt() {
    run(async {
        for answer in ANSWERS {
            let chat = read(ChatAdapter::new().without_fallback(), answer).await;
            assert_eq!(chat.unwrap_or_else(|e| panic!("chat: {e}")), expected(), "{answer}");
            let json = read(JsonAdapter::new(), answer).await;
            assert_eq!(json.unwrap_or_else(|e| panic!("json: {e}")), expected(), "{answer}");
            let xml = read(XmlAdapter::new().without_fallback(), answer).await;
            assert_eq!(xml.unwrap_or_else(|e| panic!("xml: {e}")), expected(), "{answer}");
        }
    });
}

/// Rate the claim.
#[signature]
#[derive(PartialEq)]
struct Rate {
    #[input]
    claim: String,
    #[output]
    why: String,
    #[output(default = 0.5)]
    score: f64,
    #[output(default)]
    tags: Vec<String>,
    #[output]
    note: Option<String>,
}

#[test]
fn an_object_honours_defaults_in_every_format() {
    let why = || "it \"is\" so".to_owned();
    let rate = |score, note: Option<&str>| RateOutput {
        why: why(),
        score,
        tags: Vec::new(),
        note: note.map(str::to_owned),
    };
    let answers = [
        (r#"{"why": "it \"is\" so"}"#, rate(0.5, None)),
        ("```json\n{\"why\": \"it \\\"is\\\" so\", \"note\": null}\n```", rate(0.5, None)),
        (r#"Here: {"note": "n", "why": "it \"is\" so", "score": 1}"#, rate(1.0, Some("n"))),
    ];
    run(async {
        for (answer, expected) in answers {
            let model = Model::script(&[answer]).await;
            let program = || Predict::<Rate>::new().lm(model.lm.clone()).repairs(0);
            for program in [
                program().adapter(ChatAdapter::new().without_fallback()),
                program().adapter(JsonAdapter::new()),
                program().adapter(XmlAdapter::new().without_fallback()),
            ] {
                let output = program.forward("c".into()).await.map_err(|e| e.to_string());
                assert_eq!(output, Ok(expected.clone()), "{answer}");
            }
        }
    });
}

#[test]
fn choices_with_commas_are_told_apart() {
    #[value]
    #[derive(PartialEq)]
    enum Place {
        #[serde(rename = "Paris, France")]
        France,
        #[serde(rename = "Paris, Texas")]
        Texas,
        Elsewhere,
    }

    #[signature]
    struct Find {
        #[input]
        text: String,
        #[output]
        place: Place,
    }

    let adapters: [fn(Predict<Find>) -> Predict<Find>; 3] = [
        |p| p.adapter(ChatAdapter::new().without_fallback()),
        |p| p.adapter(JsonAdapter::new()),
        |p| p.adapter(XmlAdapter::new().without_fallback()),
    ];
    run(async {
        for with in adapters {
            let program = with(Predict::<Find>::new());
            let prompt = program.render("t").unwrap().to_string();
            assert!(
                prompt.contains(r#""Paris, France""#) && !prompt.contains("of Paris, France"),
                "{prompt}"
            );
            for answer in ["Paris, Texas", "\"Paris, Texas\""] {
                let text = format!("{{\"place\": {}}}", json!(answer));
                for text in [format!("[[ ## place ## ]]\n{answer}"), format!("<place>{answer}</place>"), text]
                {
                    let model = Model::script(&[&text]).await;
                    let output = with(Predict::<Find>::new())
                        .lm(model.lm.clone())
                        .repairs(0)
                        .forward("t".into())
                        .await;
                    assert_eq!(output.unwrap().place, Place::Texas, "{text}");
                }
            }
        }
    });
}

#[test]
fn a_doubtful_answer_is_refused() {
    run(async {
        for answer in [
            "I would not know.",
            "",
            "   \n",
            // One name comes twice, and a field is missing.
            "Why: a\nWhy: b\nSure percent: 99\nVerdict: False",
            "Why: a\nVerdict: False",
            // Three objects, and members of none.
            "{\"why\": \"a\"}\n{\"sure_percent\": 99}\n{\"verdict\": \"False\"}",
            "\"why\": \"a\",\n\"sure_percent\": 99,\n\"verdict\": \"False\"",
        ] {
            let error = read(ChatAdapter::new().without_fallback(), answer).await.unwrap_err();
            let Error::Parse(error) = error else { panic!("{answer:?}: {error}") };
            let blank = answer.trim().is_empty();
            let kind = if blank { ParseErrorKind::Empty } else { ParseErrorKind::Structure };
            assert_eq!((error.kind, error.response.as_str()), (kind, answer));
        }
    });
}

async fn cut_off(adapter: impl Adapter, answer: &'static str) -> Result<JudgeOutput> {
    let message = json!({"role": "assistant", "content": answer});
    let model = Model::replying(move |_| choices(std::slice::from_ref(&message), "length")).await;
    let program = Predict::<Judge>::new().lm(model.lm.clone()).adapter(adapter).repairs(5);
    let result = program.forward("the moon".into()).await;
    assert_eq!(model.count(), 1, "an answer that was cut off would be cut off again");
    result
}

#[test]
fn an_answer_that_was_cut_off_is_an_error() {
    fn truncated(result: Result<JudgeOutput>, answer: &str) {
        match result {
            Err(Error::Parse(e)) => assert_eq!(e.kind, ParseErrorKind::Truncated, "{answer}"),
            other => panic!("{answer}: {other:?}"),
        }
    }
    run(async {
        for answer in [
            "[[ ## why ## ]]\nbecause",
            "[[ ## why ## ]]\nbecause\n\n[[ ## sure_percent ## ]]\n99\n\n[[ ## verdict",
            "because I",
            "",
            // Every field is there, but the last one may lack its end.
            "[[ ## why ## ]]\na\n\n[[ ## verdict ## ]]\nTrue\n\n[[ ## sure_percent ## ]]\n9",
            "{\"verdict\": \"True\", \"why\": \"a\", \"sure_percent\": 9",
            "<verdict>True</verdict><why>a</why><sure_percent>9",
            "Verdict: True\nWhy: a\nSure percent: 9",
        ] {
            truncated(cut_off(ChatAdapter::new(), answer).await, answer);
            truncated(cut_off(JsonAdapter::new(), answer).await, answer);
            truncated(cut_off(XmlAdapter::new(), answer).await, answer);
        }
        // What follows the end may be cut off.
        let ended = "[[ ## why ## ]]\na\n\n[[ ## verdict ## ]]\nTrue\n\n[[ ## sure_percent ## ]]\n9\n\n[[ ## completed ## ]]\n\n[[ ## cl";
        assert_eq!(cut_off(ChatAdapter::new(), ended).await.unwrap().sure_percent, 9);
        let ended = "{\"verdict\": \"True\", \"why\": \"a\", \"sure_percent\": 9}\nI hope th";
        assert_eq!(cut_off(JsonAdapter::new(), ended).await.unwrap().sure_percent, 9);
    });
}

/// "false" is how nobody asked for the verdict to be spelt.
const LOOSE: &str = "[[ ## why ## ]]\nx\n\n[[ ## sure_percent ## ]]\nabout 99 %\n\n[[ ## verdict ## ]]\nfalse\n\n[[ ## completed ## ]]";

#[tokio::test]
async fn what_was_bent_is_in_the_trace() {
    let model = Model::script(&[LOOSE]).await;
    let p = Predict::<Judge>::new().lm(model.lm.clone()).call("the moon is made of cheese").await.unwrap();
    let step = p.trace().iter().next().unwrap();
    let bent = step.coercions.iter().map(|c| (c.path.as_str(), c.kind)).collect::<Vec<_>>();
    assert_eq!(bent, [("sure_percent", CoercionKind::Sentence), ("verdict", CoercionKind::LooseName)]);
}

#[tokio::test]
async fn a_strict_reader_bends_nothing() {
    let model = Model::script(&[LOOSE]).await;
    let program = Predict::<Judge>::new().lm(model.lm.clone()).repairs(0);
    let call = program.call("the moon is made of cheese");
    let error = dspy::with(|c| c.reading(dspy::value::ReadOptions::strict()), call).await.unwrap_err();
    let Error::Parse(error) = error else { panic!("{error}") };
    let fields: Vec<&str> = error.fields.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(fields, ["sure_percent", "verdict"], "{error}");
}
