//! The state of a program as a JSON tree, in the shape that DSPy (Python) writes, and the files that hold it.
//!
//! An object keyed by predictor path, with a `metadata` block. What DSPy does not keep but a reader needs to be
//! sure that a file fits (the names and types of the fields) stands in `metadata.dspy_rs`, which DSPy passes over.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::predictor::Predictor;
use crate::{
    Result, StateError,
    adapter::Demo,
    files,
    lm::LM,
    signature::{FieldRole, SignatureSpec},
    value::{Kind, TypeInfo},
};

/// Where a program that is itself a predictor has its only predictor.
pub(super) const ROOT: &str = "self";
pub(super) const METADATA: &str = "metadata";
pub(super) const OWN_RECORD: &str = "dspy_rs";
/// The key of the demonstrations that are chosen for each call, which DSPy does not know.
pub(super) const NEAREST: &str = "nearest";
/// The key of the words in which a model is told of tools.
pub(super) const TOOLS: &str = "tools";
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
    let demos: Vec<Value> = predictor.demos().iter().map(|demo| saved_demo(spec, demo)).collect();
    // DSPy keeps the list of the tools with the instructions, and would not know of them otherwise.
    let instructions = format!("{}{}", spec.instructions, predictor.told());
    let mut state = Map::new();
    state.insert("traces".into(), json!([]));
    state.insert("train".into(), json!([]));
    state.insert("demos".into(), demos.into());
    state.insert("signature".into(), json!({ "instructions": instructions, "fields": fields }));
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

fn saved_demo(spec: &SignatureSpec, demo: &Demo) -> Value {
    let mut saved = Map::new();
    if demo.augmented {
        saved.insert(AUGMENTED.into(), true.into());
    }
    saved.extend(converted(spec, &demo.fields, TypeInfo::to_saved));
    saved.into()
}

/// Values with those of known fields brought into another form by their types, in earlier turns of a conversation, too.
pub(super) fn converted(
    spec: &SignatureSpec,
    values: &Map<String, Value>,
    convert: fn(&TypeInfo, &Value) -> Value,
) -> Map<String, Value> {
    let one = |(name, value): (&String, &Value)| {
        let Some(field) = spec.field(name) else { return (name.clone(), value.clone()) };
        let mut new = convert(&field.ty, value);
        if *field.kind() == Kind::History
            && let Some(Value::Array(turns)) = new.get_mut("messages")
        {
            for turn in turns.iter_mut().filter_map(Value::as_object_mut) {
                // A conversation within a turn of a conversation does not exist, so this goes one deep.
                for (name, value) in turn.iter_mut() {
                    if let Some(field) = spec.field(name) {
                        *value = convert(&field.ty, value);
                    }
                }
            }
        }
        (name.clone(), new)
    };
    values.iter().map(one).collect()
}

fn record_of(predictor: &Predictor) -> Value {
    let spec = predictor.spec();
    let field =
        |f: &crate::signature::Field| json!({ "name": f.name, "role": role(f.role), "type": f.ty.name() });
    let fields: Vec<Value> = spec.fields.iter().map(field).collect();
    let mut record = json!({ "signature": spec.name, "fields": fields });
    if let Some(nearest) = predictor.nearest_demos() {
        let pool: Vec<Value> = nearest.pool().iter().map(|demo| saved_demo(spec, demo)).collect();
        record[NEAREST] = json!({ "k": nearest.k(), "pool": pool });
        if let Some(id) = nearest.embedder_id() {
            record[NEAREST]["embedder"] = id.into();
        }
    }
    if !predictor.tools().is_empty() {
        record[TOOLS] = json!(predictor.tools());
    }
    record
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
    if path.is_dir() {
        return Err(fail("this is a folder; name a file in it, such as `program.json`".to_owned()).into());
    }
    let mut text = serde_json::to_vec_pretty(state).map_err(|e| fail(e.to_string()))?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let failed = |e| fail(format!("the folder {} cannot be made: {e}", folder.display()));
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    text.push(b'\n');
    files::write_all_atomically(path, &text).map_err(|e| fail(files::not_written(path, &e)))?;
    Ok(())
}

/// The largest file that is read: demonstrations may hold images.
const MAX_BYTES: u64 = 256 << 20;

/// The content of a file, unless it is longer than what is read at most.
fn read_bounded(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    // Told at once; and of what has no length, as a pipe, no more than that is read.
    if file.metadata()?.len() <= MAX_BYTES {
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= MAX_BYTES {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// Reads the tree that a file holds.
pub(super) fn read(path: &Path) -> Result<Value> {
    let fail = |message: String| {
        let mut error = StateError::new(message);
        error.file = Some(path.to_owned());
        error
    };
    if path.is_dir() {
        return Err(fail(folder(path)).into());
    }
    let bytes = read_bounded(path).map_err(|e| fail(format!("the file cannot be read: {e}")))?;
    let Some(bytes) = bytes else {
        return Err(fail("the file is larger than 256 MiB, which no saved program is".into()).into());
    };
    if is_pickle(&bytes) {
        return Err(fail(format!(
            "the file is a pickle of Python, which would have to be run to be read; {CURE}"
        ))
        .into());
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    serde_json::from_slice(bytes).map_err(|e| fail(format!("the file is not JSON: {e}")).into())
}

/// How something that DSPy pickled is turned into something that can be loaded.
pub(super) const CURE: &str =
    "load it with DSPy and save its state as JSON: `program.save(\"program.json\")`";

/// Why a folder is no saved program.
fn folder(path: &Path) -> String {
    let pickled = ["program.pkl", "metadata.json"].iter().any(|name| path.join(name).is_file());
    match pickled {
        true => format!(
            "this folder holds a whole program of DSPy, pickled with its Python code (`save_program=True`), which \
             cannot run here; {CURE}"
        ),
        false => "this is a folder; name the JSON file of the program in it".to_owned(),
    }
}

/// Whether bytes begin as a pickle of protocol 2 or later does.
fn is_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, ..])
}
