//! Program files go to DSPy (Python) and come back: demonstrations with media and nested values, models and their
//! options. Runs where `DSPY_PEER_PYTHON` names an interpreter that can import `dspy`, such as that of a virtual
//! environment after `pip install dspy==3.4.1`, or several, separated as in `PATH`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

#[path = "dspy/agents.rs"]
mod agents;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use dspy::{
    Predictor,
    prelude::*,
    value::{Audio, Document, File, Image},
};
use serde_json::{Value, json};

/// Write a query.
#[signature]
struct Query {
    #[input]
    question: String,
    /// what to look for
    #[output]
    query: String,
}

/// How sure.
#[value]
#[derive(PartialEq)]
#[serde(rename_all = "lowercase")]
enum Sure {
    /// Rather.
    High,
    /// Hardly.
    Low,
}

/// Where it stands.
#[value]
#[derive(PartialEq)]
struct Place {
    page: u32,
    line: Option<u32>,
}

/// Answer from the passages.
#[signature]
struct Answer {
    /// passages that may hold the answer
    #[input]
    context: Vec<String>,
    #[input]
    question: String,
    #[output]
    answer: String,
    #[output]
    sure: Sure,
    #[output]
    places: Vec<Place>,
}

/// A page of a book.
#[value]
#[derive(PartialEq)]
struct Page {
    scan: Option<Image>,
    notes: Vec<String>,
}

/// Look and listen.
#[signature]
#[derive(PartialEq)]
struct Look {
    #[input]
    picture: Image,
    #[input]
    others: Vec<Image>,
    #[input]
    sound: Audio,
    #[input]
    paper: File,
    #[input]
    source: Document,
    #[input]
    pages: Vec<Page>,
    #[output]
    caption: String,
}

/// A predictor of every kind of path.
#[module]
#[derive(Default)]
struct Qa {
    query: ChainOfThought<Query>,
    answers: Vec<Predict<Answer>>,
    by_name: BTreeMap<String, Predict<Query>>,
    look: Predict<Look>,
}

fn qa() -> Qa {
    let by_name = ["it's", "plain"].map(|name| (name.to_owned(), Predict::new()));
    Qa { answers: vec![Predict::new()], by_name: BTreeMap::from(by_name), ..Qa::default() }
}

fn learnt() -> Qa {
    let mut program = qa();
    let demo = json!({ "question": "Wer ist’s?", "reasoning": "« x »\n[[ ## y ## ]]", "query": "" });
    let query = program.query.predict_mut().predictor_mut();
    query.set_demos(vec![Demo::augmented(demo.as_object().unwrap().clone())]);
    query.edit_spec(|spec| spec.fields[2].desc = "a query of ${at} most \"three\" words".into());
    let row = Answer {
        context: vec!["a\nb".into(), String::new()],
        question: "q".into(),
        answer: "42".into(),
        sure: Sure::High,
        places: vec![Place { page: 3, line: None }, Place { page: u32::MAX, line: Some(1) }],
    };
    // DSPy cleans instructions as Python cleans docstrings: blank lines at the ends and a common indentation go.
    program.answers = vec![Predict::new().demos([row]).instructions("Answer:\n\n- briefly\n  - at once")];
    let lm = LM::builder("openai/ours").api_key("sk-secret").api_base("http://127.0.0.1:9/v1").retries(7);
    let lm = lm.temperature(0.75).max_tokens(300).stop(["END", "X"]).extra("top_k", 4);
    program.by_name.get_mut("plain").unwrap().predictor_mut().set_lm(Some(lm.build().unwrap()));
    program.look = program.look.demos([look()]);
    program
}

fn look() -> Look {
    Look {
        picture: Image::from_url("https://example.org/a?b=\"c\"&d='e'").unwrap(),
        others: vec![
            Image::from_bytes_as(b"GIF89a", "image/gif"),
            Image::from_url("https://example.org/b").unwrap(),
        ],
        sound: Audio::from_bytes(b"RIFF", "wav"),
        paper: File::from_bytes(b"%PDF-", "application/pdf").named("it's.pdf"),
        source: Document::new("it's \"so\"\n\\n “é”").titled("T").with_context("c"),
        pages: vec![
            Page { scan: Some(Image::from_bytes_as(b"GIF89a", "image/gif")), notes: vec!["n".into()] },
            Page { scan: None, notes: Vec::new() },
        ],
        caption: "it's".into(),
    }
}

/// The parts of a message that DSPy makes of the media of [`look`] that stand in fields and in a list.
fn parts_of_look() -> Value {
    json!([
        { "type": "image_url", "image_url": { "url": "https://example.org/a?b=\"c\"&d='e'" } },
        { "type": "image_url", "image_url": { "url": "data:image/gif;base64,R0lGODlh" } },
        { "type": "image_url", "image_url": { "url": "https://example.org/b" } },
        { "type": "input_audio", "input_audio": { "data": "UklGRg==", "format": "wav" } },
        { "type": "file", "file": {
            "file_data": "data:application/pdf;base64,JVBERi0=", "filename": "it's.pdf"
        } },
        {
            "type": "document",
            "source": { "type": "text", "media_type": "text/plain", "data": "it's \"so\"\n\\n “é”" },
            "citations": { "enabled": true }, "title": "T", "context": "c"
        },
        { "type": "image_url", "image_url": { "url": "data:image/gif;base64,R0lGODlh" } },
    ])
}

/// What a script of Python adds to the demonstrations of [`Look`].
fn look_of_dspy(has: &Value) -> Look {
    let gif = || Image::from_bytes_as(b"GIF89a", "image/gif");
    let (paper, source) = (File::from_bytes(b"%PDF-", "application/pdf"), Document::new("it's \"so\"\n"));
    Look {
        picture: gif(),
        others: vec![gif(), gif()],
        sound: Audio::from_bytes(b"RIFF", "wav"),
        paper: if has["file"] == true { paper.named("it's.pdf") } else { paper },
        source: if has["document"] == true { source.titled("T") } else { source },
        pages: vec![
            Page { scan: Some(gif()), notes: vec!["n".into()] },
            Page { scan: None, notes: Vec::new() },
        ],
        caption: "it's".into(),
    }
}

/// The interpreters, where there are some to test with.
fn pythons() -> Vec<PathBuf> {
    let named = std::env::var_os("DSPY_PEER_PYTHON").unwrap_or_default();
    let pythons: Vec<PathBuf> = std::env::split_paths(&named).filter(|p| !p.as_os_str().is_empty()).collect();
    if pythons.is_empty() {
        eprintln!("skipped: DSPY_PEER_PYTHON names no interpreter that can import dspy");
    }
    pythons
}

/// What DSPy takes up of `file`, which it then changes and saves as `again`.
fn through_dspy(python: &Path, file: &Path, again: Option<&Path>) -> Option<Value> {
    let arguments: Vec<&OsStr> = [Some(file), again].into_iter().flatten().map(Path::as_os_str).collect();
    script(python, "dspy_load.py", &arguments)
}

/// What a script prints at last.
fn script(python: &Path, name: &str, arguments: &[&OsStr]) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name);
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) {
        eprintln!("skipped: {}: {errors}", python.display());
        return None;
    }
    assert!(output.status.success(), "{}: {errors}", python.display());
    let text = String::from_utf8(output.stdout).unwrap();
    Some(serde_json::from_str(text.lines().last().unwrap()).unwrap())
}

/// A predictor's state, as the script prints it.
fn shown(predictor: &Predictor) -> Value {
    let fields: Vec<Value> = predictor
        .spec()
        .fields
        .iter()
        .map(|f| {
            let desc = if f.desc.is_empty() { format!("${{{}}}", f.name) } else { f.desc.clone() };
            json!([f.name, f.prefix, desc])
        })
        .collect();
    let demos: Vec<Value> = predictor
        .demos()
        .iter()
        .map(|d| {
            let mut fields = serde_json::Map::new();
            if d.augmented {
                fields.insert("augmented".into(), true.into());
            }
            fields.extend(d.fields.clone());
            fields.into()
        })
        .collect();
    json!({ "instructions": predictor.instructions(), "fields": fields, "demos": demos })
}

#[test]
fn programs_go_to_dspy_and_come_back() {
    for python in pythons() {
        let folder = std::env::temp_dir().join(format!("dspy-interop-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        there_and_back(&python, &folder);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

fn there_and_back(python: &Path, folder: &Path) {
    let [file, again, third] = ["ours.json", "theirs.json", "third.json"].map(|name| folder.join(name));
    let ours = learnt();
    ours.save(&file).unwrap();
    let Some(found) = through_dspy(python, &file, Some(&again)) else { return };
    println!("with DSPy {}", found["version"]);
    let has = &found["has"];

    let predictors = ours.predictors();
    let paths: Vec<&str> = predictors.iter().map(|(path, _)| path.as_str()).collect();
    let saved: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let found = found["predictors"].as_object().unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), paths);
    for (path, predictor) in &predictors {
        let mut found = found[path].clone();
        let mut take = |key| found.as_object_mut().unwrap().shift_remove(key).unwrap();
        let (messages, parts, lm) = (take("messages"), take("parts"), take("lm"));
        let mut shown = shown(predictor);
        if path == "look" {
            // Media are marked texts there.
            shown["demos"] = saved[path]["demos"].clone();
            assert_eq!(parts, parts_of_look());
        }
        assert_eq!(found, shown, "{path}");
        assert_eq!(messages, json!(2 + 2 * predictor.demos().len()), "{path}: every demonstration is shown");
        let expected = match predictor.lm() {
            None => Value::Null,
            Some(_) => json!({
                "model": "openai/ours", "type": "chat", "cache": true, "retries": 7, "finetuning_model": null,
                "options": { "temperature": 0.75, "max_tokens": 300, "stop": ["END", "X"], "top_k": 4 }
            }),
        };
        assert_eq!(lm, expected, "{path}: no option is lost, and nothing else becomes one");
    }

    let theirs = qa().load(&again).unwrap();
    let (mut query, mut answer) = (shown(predictors[0].1), shown(predictors[1].1));
    query["instructions"] = json!("Look it up.\n\nTwo “lines”.");
    query["demos"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "question": "no query", "reasoning": null, "query": null }));
    let demo = json!({
        "augmented": true, "context": ["p"], "question": "é?", "answer": "yes", "sure": "low",
        "places": [{ "page": 2, "line": null }]
    });
    answer["demos"].as_array_mut().unwrap().push(demo);
    let back = theirs.predictors();
    assert_eq!([shown(back[0].1), shown(back[1].1)], [query, answer]);
    let seen = theirs.look.predictor().demos();
    assert_eq!(seen[0], Demo::from_row(&look()).unwrap());
    let typed: Look = serde_json::from_value(Value::Object(seen[1].fields.clone())).unwrap();
    assert_eq!(typed, look_of_dspy(has));

    let question = theirs.query.render(QueryInput { question: "q".into() }).unwrap();
    assert!(!question.to_string().contains("no query"), "nothing shows what is left out: {question}");
    let input = AnswerInput { context: vec!["c".into()], question: "q".into() };
    let prompt = theirs.answers[0].render(input).unwrap();
    assert_eq!(prompt.len(), 2 + 2 * back[1].1.demos().len(), "{prompt}");

    // Their models, with their options and without their secrets.
    let options = |of: &Predictor| of.lm().unwrap().options().clone();
    assert_eq!(back[0].1.lm().unwrap().id(), "openai/gpt-4o-mini");
    assert_eq!(options(back[0].1), Options::new().temperature(0.5).max_tokens(50).top_p(0.9));
    assert_eq!(options(back[1].1), Options::new().temperature(0.25).max_tokens(60).extra("top_k", 4));
    theirs.save(&third).unwrap();
    let text = std::fs::read_to_string(&third).unwrap();
    assert!(!text.contains("sk-secret") && !text.contains("127.0.0.1"), "{text}");
    let found = through_dspy(python, &third, None).unwrap();
    let expected = json!({
        "model": "anthropic/none", "type": "chat", "cache": false, "retries": 2,
        "finetuning_model": "anthropic/base", "options": { "temperature": 0.25, "max_tokens": 60, "top_k": 4 }
    });
    assert_eq!(found["predictors"]["answers[0]"]["lm"], expected);
    assert_eq!(found["predictors"]["look"]["demos"].as_array().unwrap().len(), 2);
}
