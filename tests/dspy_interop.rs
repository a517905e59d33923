//! Program files go to DSPy (Python) and come back. Runs where `DSPY_PEER_PYTHON` names an interpreter that can
//! import `dspy`, such as that of a virtual environment after `pip install dspy==3.4.1`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

use std::{collections::BTreeMap, path::Path, process::Command};

use dspy::{Predictor, prelude::*};
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

/// A predictor of every kind of path.
#[module]
#[derive(Default)]
struct Qa {
    query: ChainOfThought<Query>,
    answers: Vec<Predict<Answer>>,
    by_name: BTreeMap<String, Predict<Query>>,
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
    program
}

/// The interpreter, where there is one to test with.
fn python() -> Option<String> {
    let python = std::env::var("DSPY_PEER_PYTHON").ok().filter(|path| !path.is_empty());
    if python.is_none() {
        eprintln!("skipped: DSPY_PEER_PYTHON names no interpreter that can import dspy");
    }
    python
}

/// What DSPy takes up of `file`, which it then saves as `again`.
fn through_dspy(python: &str, file: &Path, again: &Path) -> Option<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/dspy_load.py");
    let output = Command::new(python).arg(script).args([file, again]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) {
        eprintln!("skipped: {errors}");
        return None;
    }
    assert!(output.status.success(), "{errors}");
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
    let Some(python) = python() else { return };
    let folder = std::env::temp_dir().join(format!("dspy-interop-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, again) = (folder.join("ours.json"), folder.join("theirs.json"));
    let ours = learnt();
    ours.save(&file).unwrap();
    let Some(found) = through_dspy(&python, &file, &again) else { return };
    println!("with DSPy {}", found["version"]);

    let predictors = ours.predictors();
    let paths: Vec<&str> = predictors.iter().map(|(path, _)| path.as_str()).collect();
    let found = found["predictors"].as_object().unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), paths);
    for (path, predictor) in &predictors {
        let mut found = found[path].clone();
        let messages = found.as_object_mut().unwrap().remove("messages").unwrap();
        assert_eq!(found, shown(predictor), "{path}");
        assert_eq!(messages, json!(2 + 2 * predictor.demos().len()), "{path}: every demonstration is shown");
    }

    let theirs = qa().load(&again).unwrap();
    let (mut query, mut answer) = (shown(predictors[0].1), shown(predictors[1].1));
    query["instructions"] = json!("Look it up.\n\nTwo “lines”.");
    let demo = json!({
        "augmented": true, "context": ["p"], "question": "é?", "answer": "yes", "sure": "low",
        "places": [{ "page": 2, "line": null }]
    });
    answer["demos"].as_array_mut().unwrap().push(demo);
    let back = theirs.predictors();
    assert_eq!([shown(back[0].1), shown(back[1].1)], [query, answer]);
    assert_eq!(back[0].1.lm().unwrap().id(), "openai/gpt-4o-mini");
    assert!(!std::fs::read_to_string(&again).unwrap().contains("sk-secret"));
    let input = AnswerInput { context: vec!["c".into()], question: "q".into() };
    let prompt = theirs.answers[0].render(input).unwrap();
    assert_eq!(prompt.len(), 2 + 2 * back[1].1.demos().len(), "{prompt}");
    std::fs::remove_dir_all(&folder).unwrap();
}
