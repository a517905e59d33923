//! Predictions as they arrive, through the public interface and over real HTTP.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model;

use std::time::Duration;

use dspy::{
    LmErrorKind, ParseErrorKind, PredictionStream, Update, adapter::XmlAdapter, lm::Cache, prelude::*,
    value::Reasoning,
};
use model::{
    Model, Reply, run,
    server::{Ending, Server},
};
use serde_json::{Value, json};

/// Answer.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

/// Describe the planet.
#[signature]
struct Describe {
    #[input]
    planet: String,
    #[output]
    summary: String,
    #[output]
    moons: Vec<Moon>,
    #[output]
    habitable: bool,
}

/// A moon.
#[value]
#[derive(PartialEq)]
struct Moon {
    name: String,
    radius: Option<f64>,
}

/// The events of an answer in these pieces, as the bytes of a reply.
fn sse(pieces: &[&str], finish: &str) -> String {
    let mut out = String::new();
    for piece in pieces {
        let event =
            json!({"id": "s", "model": "test", "choices": [{"index": 0, "delta": {"content": piece}}]});
        out.push_str(&format!("data: {event}\n\n"));
    }
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}});
    out.push_str(&format!("data: {end}\n\ndata: {usage}\n\ndata: [DONE]\n\n"));
    out
}

/// A reply of these bytes, `size` at a time.
fn bytes(body: &str, size: usize, ending: Ending) -> Reply {
    Reply::Chunks {
        headers: vec![("content-type".into(), "text/event-stream".into())],
        chunks: body.as_bytes().chunks(size).map(<[u8]>::to_vec).collect(),
        ending,
    }
}

/// A model that streams this text, `token` characters at a time.
async fn streaming(text: &str, token: usize) -> Model {
    let characters: Vec<char> = text.chars().collect();
    let pieces: Vec<String> = characters.chunks(token).map(|piece| piece.iter().collect()).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let body = sse(&pieces, "stop");
    Model::replying(move |_| bytes(&body, 4096, Ending::Proper)).await
}

/// What a stream told.
struct Told<O> {
    deltas: Vec<(String, String)>,
    partials: Vec<Value>,
    retries: Vec<(Vec<String>, String)>,
    end: Result<Prediction<O>>,
}

impl<O> Told<O> {
    /// All text of an output.
    fn text(&self, field: &str) -> String {
        self.deltas.iter().filter(|(name, _)| name == field).map(|(_, text)| text.as_str()).collect()
    }
}

async fn told<O: serde::Serialize + Send + 'static>(mut stream: PredictionStream<O>) -> Told<O> {
    let mut told = Told {
        deltas: Vec::new(),
        partials: Vec::new(),
        retries: Vec::new(),
        end: Err(Error::Task("".into())),
    };
    while let Some(update) = stream.next().await {
        match update {
            Ok(Update::Delta { field, text }) => {
                assert!(!text.is_empty());
                told.deltas.push((field.to_string(), text));
            }
            Ok(Update::Retry { fields, reason }) => {
                told.retries.push((fields.iter().map(ToString::to_string).collect(), reason));
            }
            Ok(Update::Done(prediction)) => told.end = Ok(prediction),
            Ok(other) => panic!("{:?}", std::mem::discriminant(&other)),
            Err(error) => told.end = Err(error),
        }
        told.partials.push(serde_json::to_value(stream.partial()).unwrap());
    }
    assert!(stream.next().await.is_none(), "the end is told once");
    told
}

const MARS: &str = "[[ ## summary ## ]]\nA cold [red] desert, see [[1]].\n\n- It has *two* moons.\n\n\
    [[ ## moons ## ]]\n[{\"name\": \"Phobos\", \"radius\": 11.3}, {\"name\": \"Dei\\u006dos\", \"radius\": null}]\n\n\
    [[ ## habitable ## ]]\nno\n\n[[ ## completed ## ]]\n";
const SUMMARY: &str = "A cold [red] desert, see [[1]].\n\n- It has *two* moons.";

fn mars(told: &Told<DescribeOutput>) {
    let end = told.end.as_ref().unwrap();
    assert_eq!(told.text("summary"), SUMMARY);
    assert_eq!(end.summary, SUMMARY);
    assert_eq!(end.moons, [moon("Phobos", Some(11.3)), moon("Deimos", None)]);
    assert!(!end.habitable);
    assert_eq!((end.usage().total().calls, end.trace().len()), (1, 1));
    assert_eq!(end.trace().iter().next().unwrap().path.as_deref(), Some("self"));
    assert_eq!(told.partials.last().unwrap(), &serde_json::to_value(end.output()).unwrap());
    assert!(told.retries.is_empty());
}

fn moon(name: &str, radius: Option<f64>) -> Moon {
    Moon { name: name.into(), radius }
}

#[test]
fn outputs_are_told_while_they_are_written() {
    run(async {
        for token in [1, 2, 3, 7, 1000] {
            let model = streaming(MARS, token).await;
            let told = told(Predict::<Describe>::new().lm(model.lm.clone()).stream("Mars")).await;
            mars(&told);
            for (field, text) in &told.deltas {
                assert!(field == "moons" || !text.contains("##"), "{field}: {text}");
            }
            let order: Vec<&str> = told.deltas.iter().map(|(field, _)| field.as_str()).collect();
            assert!(
                order.is_sorted_by_key(|field| ["summary", "moons", "habitable"]
                    .iter()
                    .position(|f| f == field))
            );
            if token < 4 {
                let moons: Vec<&Value> = told.partials.iter().map(|partial| &partial["moons"]).collect();
                for state in [
                    json!([{}]),
                    json!([{"name": "Pho"}]),
                    json!([{"name": "Phobos", "radius": 11.3}]),
                    json!([{"name": "Phobos", "radius": 11.3}, {"name": "Dei"}]),
                ] {
                    assert!(token == 2 || moons.contains(&&state), "{state} in {moons:?}");
                }
            }
        }
    });
}

#[test]
fn an_object_is_told_member_by_member() {
    run(async {
        let moons = "[{\"name\": \"Phobos\", \"radius\": 11.3}, {'name': 'Deimos', radius: None}]";
        let summary = serde_json::to_string(SUMMARY).unwrap();
        let text = format!(
            "```json\n{{\"summary\": {summary}, \"note\": [\"x\"], \"Moons\": {moons},\n \"habitable\": false,}}\n```"
        );
        for token in [1, 2, 3, 7, 1000] {
            let model = streaming(&text, token).await;
            let describe = Predict::<Describe>::new().lm(model.lm.clone()).adapter(JsonAdapter::default());
            let told = told(describe.stream("Mars")).await;
            mars(&told);
            assert_eq!(told.text("moons"), moons);
            assert_eq!(told.text("habitable"), "false");
            let body = &model.asked()[0].body;
            assert_eq!(body["stream"], true);
            assert!(body["response_format"].is_object());
            if token == 1 {
                assert!(told.partials.iter().any(|partial| partial["summary"] == "A cold [r"));
                assert!(told.partials.iter().any(|partial| partial["moons"] == json!([{"name": "Pho"}])));
            }
        }
    });
}

#[test]
fn bytes_may_be_cut_anywhere() {
    run(async {
        let answer =
            "[[ ## reasoning ## ]]\nÜber 🌍.\n[[ ## answer ## ]]\nJa – „gut“.\n[[ ## completed ## ]]";
        let tokens: Vec<String> = answer.chars().map(String::from).collect();
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let body = sse(&tokens, "stop").replacen("data:", ": hello\r\n\r\ndata:", 1);
        for size in [7, 61, 1013] {
            let body = body.clone();
            let model = Model::replying(move |_| bytes(&body, size, Ending::Proper)).await;
            let qa = ChainOfThought::<Qa>::new().lm(model.lm.clone());
            let told = told(qa.stream("?")).await;
            assert_eq!((&*told.text("reasoning"), &*told.text("answer")), ("Über 🌍.", "Ja – „gut“."));
            assert!(told.partials.iter().any(|partial| *partial == json!({"reasoning": "Über"})));
            let end = told.end.unwrap();
            assert_eq!((&*end.reasoning, &*end.answer), ("Über 🌍.", "Ja – „gut“."));
            assert_eq!(end.trace().iter().next().unwrap().path.as_deref(), Some("predict"));
        }
    });
}

#[test]
fn a_field_may_be_called_like_a_marker() {
    /// Do.
    #[signature]
    struct Odd {
        #[input]
        task: String,
        #[output]
        completed_at: String,
        #[output]
        complete: String,
        #[output]
        answer_field: String,
    }
    run(async {
        let text = "[[ ## completed_at ## ]] now\n**[[ ## complete ## ]]**\nwrite [[ ## x ## ]] or [[ ## comp\n\n\
            ### [[ ## Answer Field ## ]]\n* done\n[[ ## completed ## ]]\n[[ ## complete ## ]]\nlater";
        for token in [1, 2, 5, 1000] {
            let model = streaming(text, token).await;
            let told = told(Predict::<Odd>::new().lm(model.lm.clone()).stream("?")).await;
            let end = told.end.as_ref().unwrap();
            assert_eq!((&*end.completed_at, &*end.complete), ("now", "write [[ ## x ## ]] or [[ ## comp"));
            assert_eq!(end.answer_field, "* done");
            assert_eq!(
                (told.text("completed_at"), told.text("complete")),
                (end.completed_at.clone(), end.complete.clone())
            );
            assert_eq!(told.text("answer_field"), end.answer_field);
        }
    });
}

#[test]
fn other_formats_are_told_at_the_end() {
    run(async {
        let text = "<summary>\nA desert.\n</summary>\n<moons>[]</moons>\n<habitable>false</habitable>";
        let model = streaming(text, 3).await;
        let describe = Predict::<Describe>::new().lm(model.lm.clone()).adapter(XmlAdapter::default());
        let told_ = told(describe.stream("Mars")).await;
        let all = [("summary", "A desert."), ("moons", "[]"), ("habitable", "false")];
        assert_eq!(told_.deltas, all.map(|(field, text)| (field.to_owned(), text.to_owned())));
        assert!(told_.end.is_ok());
        // So are answers that miss the format.
        let model = streaming("summary: A desert.\nmoons: []\nhabitable: false", 3).await;
        let told_ = told(Predict::<Describe>::new().lm(model.lm.clone()).stream("Mars")).await;
        assert_eq!(told_.deltas, all.map(|(field, text)| (field.to_owned(), text.to_owned())));
        assert_eq!(told_.end.unwrap().summary, "A desert.");
    });
}

#[test]
fn repairs_are_seen() {
    run(async {
        let model = Model::replying(|asked| {
            let text = match asked.number {
                0 => "[[ ## summary ## ]]\nA desert.\n[[ ## moons ## ]]\n[]\n[[ ## habitable ## ]]\nperhaps",
                _ => "[[ ## habitable ## ]]\nno\n[[ ## completed ## ]]",
            };
            bytes(&sse(&[text], "stop"), 50, Ending::Proper)
        })
        .await;
        let told_ = told(Predict::<Describe>::new().lm(model.lm.clone()).stream("Mars")).await;
        let [(fields, reason)] = &told_.retries[..] else { panic!("{:?}", told_.retries) };
        assert_eq!(fields, &["habitable"]);
        assert!(reason.contains("asked again for habitable"), "{reason}");
        assert_eq!((&*told_.text("summary"), &*told_.text("habitable")), ("A desert.", "perhapsno"));
        let end = told_.end.unwrap();
        assert!(!end.habitable);
        assert_eq!(end.trace().iter().next().unwrap().retries.len(), 1);
        assert_eq!(end.usage().total().calls, 2);

        // Another format is begun anew.
        let model = Model::replying(|asked| {
            let text = match asked.number {
                0 => "I would rather not say\nanything about it.",
                _ => "{\"answer\": \"4\"}",
            };
            bytes(&sse(&[text], "stop"), 50, Ending::Proper)
        })
        .await;
        let told_ = told(Predict::<Qa>::new().lm(model.lm.clone()).stream("2+2?")).await;
        assert_eq!(told_.retries[0].0, ["answer"]);
        assert!(told_.retries[0].1.contains("json adapter"), "{}", told_.retries[0].1);
        assert_eq!(
            (told_.text("answer"), told_.end.unwrap().answer.clone()),
            ("4".to_owned(), "4".to_owned())
        );
    });
}

#[test]
fn failures_are_the_last_item() {
    run(async {
        let body = sse(&["[[ ## answer ## ]]\nfour", " or fi"], "stop");
        let half = body[..body.find("or fi").unwrap() + 30].to_owned();
        let model = Model::replying(move |_| bytes(&half, 40, Ending::Broken)).await;
        let told_ = told(Predict::<Qa>::new().lm(model.lm.clone()).stream("2+2?")).await;
        assert!(told_.text("answer").starts_with("four"));
        match told_.end {
            Err(Error::Lm(error)) => assert_eq!(error.kind, LmErrorKind::Transport),
            other => panic!("{other:?}"),
        }

        let model = Model::replying(|_| {
            bytes(&sse(&["[[ ## answer ## ]]\nfour or f"], "length"), 40, Ending::Proper)
        })
        .await;
        let told_ = told(Predict::<Qa>::new().lm(model.lm.clone()).stream("2+2?")).await;
        assert_eq!(told_.text("answer"), "four or f");
        match told_.end {
            Err(Error::Parse(error)) => assert_eq!(error.kind, ParseErrorKind::Truncated),
            other => panic!("{other:?}"),
        }
        assert_eq!(model.count(), 1);

        let model = Model::replying(|_| Reply::error(401, "no key")).await;
        let told_ = told(Predict::<Qa>::new().lm(model.lm.clone()).stream("2+2?")).await;
        assert!(told_.deltas.is_empty() && told_.end.is_err());
        assert!(Predict::<Qa>::new().lm(model.lm.clone()).stream("2+2?").finish().await.is_err());
    });
}

#[test]
fn nothing_is_sent_before_the_stream_is_polled_and_dropping_it_stops_the_request() {
    run(async {
        let body = sse(&["[[ ## answer ## ]]\nfour", " or five"], "stop");
        let server = Server::start(move |call| match call.number {
            0 => bytes(&body[..body.len() / 2], 60, Ending::Open),
            _ => Reply::completion("[[ ## answer ## ]]\nfour\n[[ ## completed ## ]]"),
        })
        .await;
        let lm = LM::builder("openai/m")
            .api_base(server.api_base())
            .cache(Cache::memory(10))
            .concurrency(1)
            .build()
            .unwrap();
        let qa = Predict::<Qa>::new().lm(lm);
        drop(qa.stream("2+2?"));
        assert_eq!(server.count(), 0);
        let mut stream = qa.stream("2+2?");
        assert!(matches!(stream.next().await, Some(Ok(Update::Delta { text, .. })) if text == "four"));
        assert_eq!(stream.partial()["answer"], "four");
        assert_eq!(stream.partial().text("answer"), Some("four"));
        drop(stream);
        // The place of the only request is free again, and nothing of the answer was kept.
        let call = tokio::time::timeout(Duration::from_secs(5), qa.call("2+2?")).await.unwrap().unwrap();
        assert_eq!((&*call.answer, server.count()), ("four", 2));
        // What is kept is streamed, too.
        let told = told(qa.stream("2+2?")).await;
        assert_eq!(told.deltas, [("answer".to_owned(), "four".to_owned())]);
        assert_eq!(told.end.unwrap().usage().total().cached_calls, 1);
        assert_eq!(server.count(), 2);
    });
}

#[test]
fn a_stream_needs_a_model_and_belongs_to_its_scope() {
    run(async {
        let error = Predict::<Qa>::new().stream("?").finish().await.unwrap_err();
        assert!(matches!(error, Error::Context(_)), "{error}");
        let model = streaming("[[ ## answer ## ]]\n4\n[[ ## completed ## ]]", 2).await;
        let stream = with(|c| c.lm(model.lm.clone()), async { Predict::<Qa>::new().stream("?") }).await;
        // It owns what it needs, so that it can be handed to another task.
        let answer =
            tokio::spawn(async move { stream.finish().await.unwrap().answer.clone() }).await.unwrap();
        assert_eq!(answer, "4");
    });
}

#[test]
fn reasoning_of_the_provider_is_told() {
    /// Answer.
    #[signature]
    struct Thoughtful {
        #[input]
        question: String,
        #[output]
        thoughts: Reasoning,
        #[output]
        answer: String,
    }
    run(async {
        let event =
            |delta: Value| format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta}]}));
        let mut body = String::new();
        for text in ["Two and", " two."] {
            body.push_str(&event(json!({"reasoning_content": text})));
        }
        body.push_str(&sse(&["[[ ## answer ## ]]\n", "4"], "stop"));
        let model = Model::replying(move |_| bytes(&body, 64, Ending::Proper)).await;
        let told = told(Predict::<Thoughtful>::new().lm(model.lm.clone()).stream("2+2?")).await;
        assert_eq!((&*told.text("thoughts"), &*told.text("answer")), ("Two and two.", "4"));
        assert_eq!(told.deltas[0], ("thoughts".to_owned(), "Two and".to_owned()));
        assert_eq!(told.end.unwrap().answer, "4");
    });
}
