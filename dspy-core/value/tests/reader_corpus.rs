//! Answers as models write them, and what they mean: every line of `tests/corpus/*.jsonl` is read and compared.
//!
//! A line has the `type` that asks, the `form` (`text` unless said otherwise), the `text`, and either the `value` or
//! the `error` that must come of it. With `strict`, it must be readable without any tolerance, too. Of an error, `path`
//! is the place, `says` are words of the message, `nearest` the first candidates, and `at` the text at its offset. A
//! case that is `open` is known to be refused, for the reason it gives; the test demands that it still is. A case that is
//! `wrong` is known to be read as another value; no other may be.
#![allow(clippy::expect_used, clippy::panic)]

#[path = "corpus/types.rs"]
mod types;

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use dspy_value::{Coercion, Prose, Raw, ReadError, ReadOptions, Reading};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    name: Option<String>,
    #[serde(rename = "type")]
    ty: String,
    #[serde(default)]
    form: Wanted,
    text: String,
    /// `None` where there is no such key; a null is a value.
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    #[serde(default)]
    error: Option<Refusal>,
    #[serde(default)]
    strict: bool,
    /// Why it is refused.
    #[serde(default)]
    open: Option<String>,
    /// Why it is read as another value.
    #[serde(default)]
    wrong: Option<String>,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    #[default]
    Text,
    Json,
}

/// What became of a case.
enum Outcome {
    /// The value, or the error, that it should be.
    Right,
    /// An error in place of the value, or another error.
    Refused(String),
    /// A value that it should not be.
    Wrong(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    path: Option<String>,
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    nearest: Vec<String>,
    at: Option<String>,
}

fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl Case {
    fn raw(&self) -> Raw<'_> {
        match self.form {
            Wanted::Text => Raw::text(&self.text),
            Wanted::Json => Raw::json(&self.text),
        }
    }

    /// What becomes of it here.
    fn judge(&self) -> Outcome {
        self.judge_with(&ReadOptions::default())
    }

    fn judge_with(&self, options: &ReadOptions) -> Outcome {
        let Some(entry) = types::entry(&self.ty) else {
            return Outcome::Wrong(format!("no type {}", self.ty));
        };
        match (&self.value, &self.error, (entry.read)(self.raw(), options)) {
            (Some(value), None, Ok(Reading { value: read, coercions })) => {
                if !same(value, &read) {
                    return Outcome::Wrong(told(&read, &coercions));
                }
                let strict = (entry.read)(self.raw(), &ReadOptions::strict());
                match (self.strict, strict) {
                    (true, Err(error)) => Outcome::Refused(format!("strictly refused: {error}")),
                    (_, Ok(Reading { value: read, .. })) if !same(value, &read) => {
                        Outcome::Wrong(format!("strictly read {read}"))
                    }
                    _ => Outcome::Right,
                }
            }
            (None, Some(wanted), Err(error)) => match wanted.judge(self, &error) {
                Ok(()) => Outcome::Right,
                Err(why) => Outcome::Refused(why),
            },
            (Some(_), None, Err(error)) => Outcome::Refused(format!("{error} (path {:?})", error.path)),
            (None, Some(_), Ok(Reading { value: read, coercions })) => {
                Outcome::Wrong(told(&read, &coercions))
            }
            _ => Outcome::Wrong("a case has a value or an error".to_owned()),
        }
    }

    /// Whether `serde_json` alone does as well; of an error, only that there is one.
    fn strictly(&self) -> bool {
        let read = match (&*self.ty, self.form) {
            // No program would look for quotes around a text field.
            ("String", Wanted::Text) => Some(Value::from(self.text.trim())),
            _ => types::entry(&self.ty).and_then(|entry| (entry.strict)(self.text.trim())),
        };
        match (&self.value, read) {
            (Some(value), Some(read)) => same(value, &read),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Refusal {
    fn judge(&self, case: &Case, error: &ReadError) -> Result<(), String> {
        let message = error.to_string();
        let mut wrong = Vec::new();
        if let Some(path) = self.path.as_ref().filter(|path| **path != error.path) {
            wrong.push(format!("the path is {:?}, not {path:?}", error.path));
        }
        for word in &self.says {
            if !message.to_lowercase().contains(&word.to_lowercase()) {
                wrong.push(format!("it does not say {word:?}"));
            }
        }
        if !error.nearest.starts_with(&self.nearest) {
            wrong.push(format!("nearest are {:?}", error.nearest));
        }
        if let Some(at) = &self.at {
            let there = case.text.get(error.offset..).unwrap_or("(no place)");
            if !there.starts_with(&**at) {
                wrong.push(format!(
                    "it points to byte {} {:?}",
                    error.offset,
                    there.chars().take(24).collect::<String>()
                ));
            }
        }
        if case.text.get(error.offset..).is_none() {
            wrong.push(format!("byte {} is no place in the text", error.offset));
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("{} in: {message}", wrong.join("; "))) }
    }
}

/// What was read, and with which tolerances.
fn told(read: &Value, coercions: &[Coercion]) -> String {
    format!("read {read} with {:?}", coercions.iter().map(|c| c.kind).collect::<Vec<_>>())
}

/// Whether two values are equal, where `3` is `3.0`.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || a.is_f64() != b.is_f64() && a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// The groups of the corpus by name.
fn corpus() -> BTreeMap<String, Vec<Case>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut groups = BTreeMap::new();
    for file in fs::read_dir(folder).expect("the folder of the corpus") {
        let path = file.expect("a file").path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let group = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a readable file");
        let cases = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(at, line)| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{group}.jsonl:{}: {error}", at + 1))
        });
        groups.insert(group.clone(), cases.collect());
    }
    groups
}

/// What became of the cases of a group.
#[derive(Default, Clone, Copy)]
struct Tally {
    right: usize,
    refused: usize,
    wrong: usize,
}

#[test]
#[allow(clippy::print_stdout)]
fn every_answer_is_read_as_a_person_would_or_refused() {
    let (mut failures, mut failed, mut all) = (String::new(), 0, Tally::default());
    for (group, cases) in corpus() {
        let mut tally = Tally::default();
        for (at, case) in cases.iter().enumerate() {
            let outcome = case.judge();
            let wrong = match (&outcome, &case.open) {
                (Outcome::Right, _) => {
                    tally.right += 1;
                    case.open.is_some().then(|| "no longer open: it is read as it should be".to_owned())
                }
                (Outcome::Refused(why), open) => {
                    tally.refused += 1;
                    open.is_none().then(|| format!("refused: {why}"))
                }
                (Outcome::Wrong(what), _) => {
                    tally.wrong += 1;
                    case.wrong.is_none().then(|| format!("WRONG: {what}"))
                }
            };
            let Some(wrong) = wrong else { continue };
            failed += 1;
            let name = case.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            let wanted = case.value.as_ref().map_or_else(|| "an error".to_owned(), Value::to_string);
            let form = if case.form == Wanted::Json { "json " } else { "" };
            let _ = writeln!(
                failures,
                "{group}.jsonl:{}{name}\n    {form}{} from {:?}\n    wanted {wanted}\n    {wrong}",
                at + 1,
                case.ty,
                case.text,
            );
        }
        println!("{group}: {} right, {} refused, {} wrong", tally.right, tally.refused, tally.wrong);
        all.right += tally.right;
        all.refused += tally.refused;
        all.wrong += tally.wrong;
    }
    println!("all: {} right, {} refused, {} wrong", all.right, all.refused, all.wrong);
    assert!(failures.is_empty(), "{failed} answers are not read as they should be:\n{failures}");
}

/// Writes what becomes of each group to the file that `DSPY_CORPUS_REPORT` names, for
/// `tests/peers/parser_compare.py`.
#[test]
#[ignore = "writes a report"]
fn report() {
    let Some(path) = std::env::var_os("DSPY_CORPUS_REPORT") else { return };
    let mut report = serde_json::Map::new();
    for (group, cases) in corpus() {
        let outcomes: Vec<Outcome> = cases.iter().map(Case::judge).collect();
        let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
        let strict = cases.iter().filter(|case| case.strictly()).count();
        let structure = ReadOptions::default().prose(Prose::Structure);
        let structure = |case: &&Case| matches!(case.judge_with(&structure), Outcome::Right);
        let row = json!({
            "cases": cases.len(),
            "reader": count(|o| matches!(o, Outcome::Right)),
            "refused": count(|o| matches!(o, Outcome::Refused(_))),
            "wrong": count(|o| matches!(o, Outcome::Wrong(_))),
            "structure": cases.iter().filter(structure).count(),
            "serde_json": strict,
        });
        report.insert(group, row);
    }
    fs::write(path, serde_json::to_string_pretty(&report).expect("a report")).expect("a writable path");
}
