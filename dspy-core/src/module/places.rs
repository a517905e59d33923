//! Where models in this process are, in files of programs.
//!
//! Such a model is called `local/<path>`. In a program, a path that is not absolute begins at the working folder; in a
//! file, at the folder of the file, so that a program and the weights beside it can be moved together.

use std::path::{self, Component, Path, PathBuf};

use serde_json::Value;

use super::state::{METADATA, ROOT};
use crate::{Result, StateError};

/// What stands before the path in the name of such a model.
const LOCAL: &str = "local/";

/// Names the models in a state as the file holds them.
pub(super) fn put_into_file(state: &mut Value, file: &Path) -> Result<()> {
    each_model(state, |model| {
        let Some(place) = model.strip_prefix(LOCAL) else { return Ok(()) };
        let wrong = |e: std::io::Error| StateError::new(format!("the folder of `{model}` is not known: {e}"));
        let place = plain(&path::absolute(place).map_err(wrong)?);
        let folder = plain(&path::absolute(Path::new(".").join(folder_of(file))).map_err(wrong)?);
        let inside = place.strip_prefix(&folder).ok().filter(|rest| !rest.as_os_str().is_empty());
        let text = match inside {
            Some(rest) => {
                let parts: Option<Vec<&str>> = rest.components().map(|c| c.as_os_str().to_str()).collect();
                parts.map(|parts| parts.join("/"))
            }
            None => place.to_str().map(str::to_owned),
        };
        let text = text.ok_or_else(|| {
            StateError::new(format!("the path of `{model}` is no text that a file can hold"))
        })?;
        *model = format!("{LOCAL}{text}");
        Ok(())
    })
}

/// Names the models that a file holds as the program does.
pub(super) fn taken_from_file(mut state: Value, file: &Path) -> Result<Value> {
    each_model(&mut state, |model| {
        let Some(place) = model.strip_prefix(LOCAL) else { return Ok(()) };
        // A path to another machine would tell it who asks.
        if ["//", "\\\\"].iter().any(|begin| place.starts_with(begin)) {
            return Err(StateError::new(format!(
                "the model `{model}` lies on another machine, which a file may not name; set it with `set_lm`"
            )));
        }
        let place = Path::new(place);
        if place.is_absolute() {
            return Ok(());
        }
        if !place.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
            return Err(StateError::new(format!(
                "the model `{model}` does not lie in the folder of the file, whence its path is taken; move its \
                 weights there, or set it with `set_lm`"
            )));
        }
        let place = folder_of(file).join(place);
        let text = place
            .to_str()
            .ok_or_else(|| StateError::new(format!("the path of the model `{model}` is not valid text")))?;
        *model = format!("{LOCAL}{text}");
        Ok(())
    })?;
    Ok(state)
}

/// The folder of a file; empty for the working folder.
fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(file)
}

/// A path without `.` and `..`, as far as its text tells.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

/// Calls a function with the name of every predictor's own model. Whatever has another shape is left to those who read
/// it.
fn each_model(
    state: &mut Value,
    mut change: impl FnMut(&mut String) -> Result<(), StateError>,
) -> Result<()> {
    let mut change_in = |predictor: &str, state: &mut Value| -> Result<()> {
        match state.pointer_mut("/lm/model") {
            Some(Value::String(model)) => Ok(change(model).map_err(|e| e.at(predictor).field("lm.model"))?),
            _ => Ok(()),
        }
    };
    if state.get("signature").is_some() {
        return change_in(ROOT, state);
    }
    let Some(predictors) = state.as_object_mut() else { return Ok(()) };
    predictors
        .iter_mut()
        .filter(|(path, _)| *path != METADATA)
        .try_for_each(|(path, own)| change_in(path, own))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(model: &str) -> Value {
        json!({ "a": { "lm": { "model": model } }, "b": { "lm": null }, "metadata": {} })
    }

    fn model(state: &Value) -> &str {
        state["a"]["lm"]["model"].as_str().unwrap()
    }

    #[test]
    fn weights_beside_the_file_move_with_it() {
        let folder = std::env::temp_dir().join("programs");
        let file = folder.join("qa.json");
        let mut saved = state(&format!("local/{}", folder.join("weights/./one").display()));
        put_into_file(&mut saved, &file).unwrap();
        assert_eq!(model(&saved), "local/weights/one");
        let elsewhere = Path::new("moved").join("qa.json");
        let loaded = taken_from_file(saved.clone(), &elsewhere).unwrap();
        assert_eq!(model(&loaded), format!("local/{}", Path::new("moved").join("weights/one").display()));
        let loaded = taken_from_file(saved, Path::new("qa.json")).unwrap();
        assert_eq!(model(&loaded), "local/weights/one");
    }

    #[test]
    fn weights_elsewhere_are_named_by_their_whole_path() {
        let elsewhere = std::env::temp_dir().join("models").join("one");
        let file = std::env::temp_dir().join("programs").join("qa.json");
        for name in [elsewhere.clone(), std::env::temp_dir().join("programs/../models/one")] {
            let mut saved = state(&format!("local/{}", name.display()));
            put_into_file(&mut saved, &file).unwrap();
            assert_eq!(model(&saved), format!("local/{}", elsewhere.display()));
            assert_eq!(taken_from_file(saved.clone(), &file).unwrap(), saved);
        }
        // One that is not absolute begins at the working folder.
        let mut saved = json!({ "signature": {}, "lm": { "model": "local/models/one" } });
        put_into_file(&mut saved, Path::new("programs/qa.json")).unwrap();
        let here = path::absolute("models/one").unwrap();
        assert_eq!(saved["lm"]["model"], format!("local/{}", here.display()));
        let mut saved = state("local/programs/one");
        put_into_file(&mut saved, Path::new("programs/qa.json")).unwrap();
        assert_eq!(model(&saved), "local/one");
        let mut saved = state("local/one");
        put_into_file(&mut saved, Path::new("qa.json")).unwrap();
        assert_eq!(model(&saved), "local/one");
    }

    #[test]
    fn a_file_leads_nowhere_else() {
        for wrong in
            ["local/../one", "local/weights/../../one", "local///host/share", "local/\\\\host\\share"]
        {
            let error = taken_from_file(state(wrong), Path::new("qa.json")).unwrap_err().to_string();
            assert!(error.contains("predictor `a`, field `lm.model`") && error.contains("set_lm"), "{error}");
        }
        // Other models are none of this.
        let other = state("openai/../x");
        assert_eq!(taken_from_file(other.clone(), Path::new("qa.json")).unwrap(), other);
    }
}
