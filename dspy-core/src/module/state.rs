//! The state of a program as a JSON tree, in the shape that DSPy (Python) writes, and the files that hold it.
//!
//! An object keyed by predictor path, with a `metadata` block. What DSPy does not keep but a reader needs to be
//! sure that a file fits (the names and types of the fields) stands in `metadata.dspy_rs`, which DSPy passes over.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::predictor::Predictor;
use crate::{Result, StateError, adapter::Demo, files, lm::LM, signature::FieldRole};

/// Where a program that is itself a predictor has its only predictor.
pub(super) const ROOT: &str = "self";
pub(super) const METADATA: &str = "metadata";
pub(super) const OWN_RECORD: &str = "dspy_rs";
/// The version of our own record.
pub(super) const FORMAT: u64 = 1;
/// The key by which DSPy marks the demonstrations that an optimizer made.
pub(super) const AUGMENTED: &str = "augmented";

/// The state of these predictors. The entries of `origin` are kept in our own record.
pub(super) fn to_json(predictors: &[(String, &Predictor)], origin: Map<String, Value>) -> Result<Value> {
    let mut state = Map::new();
    let mut record = Map::new();
    for (path, predictor) in predictors {
        let own = state_of(predictor)?;
        if path == ROOT && predictors.len() == 1 {
            state = own;
        } else if path == METADATA {
            let message = "a program whose predictor is called `metadata` cannot be saved, because files keep \
                           something else under this name; rename the field";
            return Err(StateError::new(message).at(path).into());
        } else if state.insert(path.clone(), own.into()).is_some() {
            let message = "two predictors of the program have this path; a file cannot tell them apart";
            return Err(StateError::new(message).at(path).into());
        }
        record.insert(path.clone(), record_of(predictor));
    }
    let mut own = json!({ "format": FORMAT, "version": env!("CARGO_PKG_VERSION"), "predictors": Value::Object(record) });
    if let Value::Object(own) = &mut own {
        own.extend(origin);
    }
    // DSPy wants the first key to be there, and compares the versions that it finds under it.
    state.insert(METADATA.into(), json!({ "dependency_versions": {}, OWN_RECORD: own }));
    Ok(state.into())
}

fn state_of(predictor: &Predictor) -> Result<Map<String, Value>> {
    predictor.usable()?;
    let spec = predictor.spec();
    let fields: Vec<Value> = spec
        .fields
        .iter()
        .map(|field| json!({ "prefix": field.prefix, "description": saved_desc(&field.name, &field.desc) }))
        .collect();
    let demos: Vec<Value> = predictor.demos().iter().map(saved_demo).collect();
    let mut state = Map::new();
    state.insert("traces".into(), json!([]));
    state.insert("train".into(), json!([]));
    state.insert("demos".into(), demos.into());
    state.insert("signature".into(), json!({ "instructions": spec.instructions, "fields": fields }));
    state.insert("lm".into(), predictor.lm().map_or(Value::Null, LM::state));
    Ok(state)
}

/// What DSPy writes for a field without a description.
pub(super) fn placeholder(name: &str) -> String {
    format!("${{{name}}}")
}

fn saved_desc(name: &str, desc: &str) -> String {
    if desc.is_empty() { placeholder(name) } else { desc.to_owned() }
}

fn saved_demo(demo: &Demo) -> Value {
    let mut saved = Map::new();
    if demo.augmented {
        saved.insert(AUGMENTED.into(), true.into());
    }
    saved.extend(demo.fields.iter().map(|(name, value)| (name.clone(), value.clone())));
    saved.into()
}

fn record_of(predictor: &Predictor) -> Value {
    let spec = predictor.spec();
    let field =
        |f: &crate::signature::Field| json!({ "name": f.name, "role": role(f.role), "type": f.ty.name() });
    let fields: Vec<Value> = spec.fields.iter().map(field).collect();
    json!({ "signature": spec.name, "fields": fields })
}

pub(super) fn role(role: FieldRole) -> &'static str {
    match role {
        FieldRole::Input => "input",
        FieldRole::Output => "output",
    }
}

/// Writes a state as DSPy does: two spaces of indentation and a newline at the end.
pub(super) fn write(path: &Path, state: &Value) -> Result<()> {
    let fail = |message: String| {
        let mut error = StateError::new(message);
        error.file = Some(path.to_owned());
        error
    };
    let mut text = serde_json::to_vec_pretty(state).map_err(|e| fail(e.to_string()))?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let failed = |e| fail(format!("the folder {} cannot be made: {e}", folder.display()));
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    text.push(b'\n');
    files::write_all_atomically(path, &text).map_err(|e| fail(files::not_written(path, &e)))?;
    Ok(())
}

/// Reads the tree that a file holds.
pub(super) fn read(path: &Path) -> Result<Value> {
    let fail = |message: String| {
        let mut error = StateError::new(message);
        error.file = Some(path.to_owned());
        error
    };
    let bytes = std::fs::read(path).map_err(|e| fail(format!("the file cannot be read: {e}")))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let state = serde_json::from_slice(bytes).map_err(|e| {
        let pickled = bytes.first() == Some(&0x80);
        let cure = if pickled { "; it looks like a pickle: save the program as .json" } else { "" };
        fail(format!("the file is not JSON ({e}){cure}"))
    })?;
    Ok(state)
}
