//! What happens when an answer cannot be read: which further requests are sent, and which are not.

use dspy::{
    LmErrorKind, ParseErrorKind,
    adapter::XmlAdapter,
    lm::{Cache, Capabilities},
    module::Prediction,
    prelude::*,
};

use super::model::{Asked, Model, Reply, run};

/// Judge the claim.
#[signature]
#[derive(PartialEq)]
struct Judge {
    #[input]
    claim: String,
    #[output]
    why: String,
    #[output]
    percent: u8,
    #[output]
    verdict: Verdict,
}

#[value]
#[derive(PartialEq)]
enum Verdict {
    True,
    False,
}

const GOOD: &str = "[[ ## why ## ]]\nbecause\n\n[[ ## percent ## ]]\n99\n\n[[ ## verdict ## ]]\nFalse\n\n[[ ## completed ## ]]";
const JSON: &str = r#"{"why": "because", "percent": 99, "verdict": "False"}"#;
const PROSE: &str = "It is surely not made of cheese.\n\nWould you like to know more?";

fn good() -> JudgeOutput {
    JudgeOutput { why: "because".into(), percent: 99, verdict: Verdict::False }
}

fn program(model: &Model) -> Predict<Judge> {
    Predict::new().lm(model.lm.clone())
}

/// Which further requests the trace tells of, and how many calls the prediction counts.
fn seen(prediction: &Prediction<JudgeOutput>) -> (Vec<String>, u64) {
    let retries = prediction.trace().iter().flat_map(|step| step.retries.clone()).collect();
    (retries, prediction.usage().total().calls)
}

fn parse_kind<T: std::fmt::Debug>(result: Result<T>) -> ParseErrorKind {
    match result {
        Err(Error::Parse(error)) => error.kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_answer_needs_one_request() {
    run(async {
        let model = Model::script(&[GOOD]).await;
        let p = program(&model).call("the moon").await.unwrap();
        assert_eq!((p.output(), seen(&p)), (&good(), (vec![], 1)));
    });
}

#[test]
fn an_answer_without_the_structure_is_asked_for_in_json() {
    run(async {
        for adapter in [Arc::new(ChatAdapter::new()) as Arc<dyn Adapter>, Arc::new(XmlAdapter::new())] {
            let model = Model::script(&[PROSE, JSON]).await;
            let mut program = program(&model);
            program.predictor_mut().set_adapter(Some(adapter));
            let p = program.call("the moon").await.unwrap();
            let (retries, calls) = seen(&p);
            assert_eq!((p.output(), calls, model.count()), (&good(), 2, 2));
            assert_eq!(retries.len(), 1);
            assert!(
                retries[0].contains("json adapter") && retries[0].contains("expected format"),
                "{retries:?}"
            );
            // The question is put anew, not as a conversation on the bad answer.
            let asked = model.asked();
            assert_eq!(asked[0].roles(), asked[1].roles());
            assert!(asked[1].last().contains("one JSON object"), "{}", asked[1].last());
            assert_eq!(p.usage().total().total_tokens(), 20);
        }
    });
}

#[test]
fn the_attempt_in_json_is_not_followed_by_another() {
    run(async {
        let model = Model::script(&[PROSE]).await;
        let result = program(&model).repairs(5).call("the moon").await;
        assert_eq!(parse_kind(result), ParseErrorKind::Structure);
        assert_eq!(model.count(), 2);
    });
}

#[test]
fn the_attempt_in_json_can_be_switched_off() {
    run(async {
        let model = Model::script(&[PROSE, JSON]).await;
        let alone = program(&model).adapter(ChatAdapter::new().without_fallback()).call("the moon").await;
        assert_eq!(parse_kind(alone), ParseErrorKind::Structure);
        assert_eq!(model.count(), 1);
        let model = Model::script(&[PROSE, JSON]).await;
        let none = program(&model).repairs(0).call("the moon").await;
        assert_eq!(parse_kind(none), ParseErrorKind::Structure);
        assert_eq!(model.count(), 1);
    });
}

#[test]
fn a_failure_of_the_provider_is_no_reason_for_another_format() {
    run(async {
        for (status, kind) in
            [(500, LmErrorKind::Server), (401, LmErrorKind::Auth), (400, LmErrorKind::InvalidRequest)]
        {
            let model = Model::replying(move |_| Reply::error(status, "no")).await;
            let Err(Error::Lm(error)) = program(&model).call("the moon").await else { panic!("{status}") };
            assert_eq!((error.kind, model.count()), (kind, 1));
        }
    });
}

/// Whether a request asks again, and for which of the outputs.
fn wanted(asked: &Asked) -> Vec<&'static str> {
    let last = asked.last();
    assert!(last.contains("could not be read"), "{last}");
    let headers = last.split("Now write").nth(1).unwrap_or_default();
    ["why", "percent", "verdict"]
        .into_iter()
        .filter(|f| headers.contains(&format!("[[ ## {f} ## ]]")))
        .collect()
}

#[test]
fn only_what_could_not_be_read_is_asked_for_again() {
    run(async {
        let bad = "[[ ## why ## ]]\nbecause\n\n[[ ## percent ## ]]\nmany\n\n[[ ## completed ## ]]";
        // The second answer would also change what was read already; that stays.
        let second = "[[ ## why ## ]]\nother\n\n[[ ## percent ## ]]\n99\n\n[[ ## verdict ## ]]\nFalse\n\n[[ ## completed ## ]]";
        let model = Model::script(&[bad, second]).await;
        let p = program(&model).call("the moon").await.unwrap();
        let (retries, calls) = seen(&p);
        assert_eq!((p.output(), calls), (&good(), 2));
        assert_eq!(retries.len(), 1);
        assert!(retries[0].starts_with("asked again for percent, verdict:"), "{retries:?}");
        let asked = model.asked();
        assert_eq!(asked[1].roles(), ["system", "user", "assistant", "user"]);
        assert_eq!(asked[1].texts("assistant"), [bad]);
        assert_eq!(wanted(&asked[1]), ["percent", "verdict"]);
        // The reason stands in the question, by field.
        let last = asked[1].last();
        assert!(last.contains("`percent`") && last.contains("many"), "{last}");
        assert!(last.contains("`verdict`") && last.contains("not in the answer"), "{last}");
    });
}

#[test]
fn a_repair_may_need_a_repair() {
    run(async {
        let answers = [
            "[[ ## why ## ]]\nbecause",
            "[[ ## verdict ## ]]\nFalse\n\n[[ ## percent ## ]]\nmany",
            "[[ ## percent ## ]]\n99",
        ];
        let model = Model::script(&answers).await;
        let p = program(&model).repairs(2).call("the moon").await.unwrap();
        assert_eq!((p.output(), p.usage().total().calls), (&good(), 3));
        let asked = model.asked();
        assert_eq!((wanted(&asked[1]), wanted(&asked[2])), (vec!["percent", "verdict"], vec!["percent"]));
        assert_eq!(asked[2].roles(), ["system", "user", "assistant", "user", "assistant", "user"]);
    });
}

#[test]
fn the_limit_of_repairs_holds() {
    run(async {
        let bad = "[[ ## why ## ]]\nbecause\n\n[[ ## percent ## ]]\nmany\n\n[[ ## verdict ## ]]\nFalse\n\n[[ ## completed ## ]]";
        for (limit, requests) in [(Some(0), 1), (None, 2), (Some(3), 4)] {
            let model = Model::script(&[bad]).await;
            let mut program = program(&model);
            program.predictor_mut().set_repairs(limit);
            let Err(Error::Parse(error)) = program.call("the moon").await else { panic!("{limit:?}") };
            assert_eq!((error.kind, model.count()), (ParseErrorKind::Value, requests));
            assert_eq!(error.fields.len(), 1);
            assert_eq!(error.fields[0].field, "percent");
        }
        // The settings hold for predictors that say nothing.
        let model = Model::script(&[bad]).await;
        let program = program(&model);
        let result = dspy::with(|c| c.repairs(0), program.call("the moon")).await;
        assert_eq!((parse_kind(result), model.count()), (ParseErrorKind::Value, 1));
    });
}

#[test]
fn a_failed_call_counts_what_it_cost() {
    run(async {
        let model = Model::script(&[PROSE]).await;
        let recorder = dspy::context::Recorder::new(None, true);
        let context = dspy::context::Context::current().recording(recorder.clone());
        context.scope(program(&model).call("the moon")).await.unwrap_err();
        let record = recorder.take();
        assert_eq!(record.usage.total().calls, 2);
        assert_eq!(record.steps.len(), 1);
        let step = &record.steps[0].1;
        assert_eq!((step.retries.len(), step.usage.calls), (1, 2));
        assert!(matches!(step.error(), Some(Error::Parse(_))));
    });
}

#[test]
fn json_and_tags_are_repaired_in_their_own_format() {
    run(async {
        let model = Model::script(&[r#"{"why": "because", "verdict": "False"}"#, r#"{"percent": 99}"#]).await;
        let p = program(&model).adapter(JsonAdapter::new()).call("the moon").await.unwrap();
        assert_eq!(p.output(), &good());
        let last = model.asked()[1].last();
        assert!(last.contains("has the keys `percent`,"), "{last}");
        // What is forced on the answer asks for no more than the question.
        let schema = &model.asked()[1].body["response_format"]["json_schema"]["schema"];
        assert_eq!(schema["required"], serde_json::json!(["percent"]));

        let model =
            Model::script(&["<why>because</why><verdict>False</verdict>", "<percent>99</percent>"]).await;
        let p = program(&model).adapter(XmlAdapter::new()).call("the moon").await.unwrap();
        assert_eq!(p.output(), &good());
        let last = model.asked()[1].last();
        assert!(last.contains("between its tags: `<percent>`") && !last.contains("`<why>`"), "{last}");
    });
}

/// A signature of its own: what a provider does not take is remembered.
#[signature]
struct Deep {
    #[input]
    request: String,
    /// how many
    #[output]
    parcels: u32,
}

/// Another one.
#[signature]
struct Flat {
    #[input]
    request: String,
    #[output]
    parcels: u32,
}

/// The same model, known to have structured output.
fn structured(model: &Model) -> LM {
    let lm = LM::builder("openai/test").api_base(model.server.api_base()).cache(Cache::off()).retries(0);
    lm.capabilities(Capabilities::all()).build().unwrap()
}

#[test]
fn a_schema_that_the_provider_does_not_take_is_left_out() {
    run(async {
        let model = Model::replying(|asked| match asked.body["response_format"]["type"].as_str() {
            Some("json_schema") => {
                Reply::error(400, "Invalid schema for response_format 'Deep': 6 levels of nesting.")
            }
            _ => Reply::completion(r#"{"parcels": 7}"#),
        })
        .await;
        let program = Predict::<Deep>::new().lm(structured(&model)).adapter(JsonAdapter::new());
        let p = program.call("my parcels").await.unwrap();
        assert_eq!((p.parcels, model.count()), (7, 2));
        let retries = &p.trace().iter().next().unwrap().retries;
        assert!(retries[0].contains("without the schema") && retries[0].contains("6 levels"), "{retries:?}");
        assert_eq!(model.asked()[1].body["response_format"]["type"], "json_object");
        // It is known from then on, in streams, too.
        assert_eq!(program.call("another").await.unwrap().parcels, 7);
        let mut stream = program.stream("a third");
        let mut last = None;
        while let Some(update) = stream.next().await {
            if let dspy::Update::Done(p) = update.unwrap() {
                last = Some(p.parcels);
            }
        }
        assert_eq!((last, model.count()), (Some(7), 4));
        // Another mistake of the request is one.
        let model = Model::replying(|_| Reply::error(400, "temperature must be below 2")).await;
        let program = Predict::<Flat>::new().lm(structured(&model)).adapter(JsonAdapter::new());
        assert_eq!(program.call("my parcel").await.unwrap_err().kind(), "invalid_request");
        assert_eq!(model.count(), 1);
        // So is one that the schema had nothing to do with.
        let model = Model::replying(|_| Reply::error(400, "the schema of this table is unknown")).await;
        let program = Predict::<Flat>::new().lm(structured(&model)).adapter(JsonAdapter::new());
        assert!(program.call("my parcel").await.unwrap_err().to_string().contains("of this table"));
    });
}
