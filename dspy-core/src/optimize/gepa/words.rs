//! The words of a tool as one text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    optimize::PredictorParameters,
    predict::Predictor,
    tool::{ToolWords, is_name},
    value::{Raw, ReadOptions, read},
};

/// The words of a tool that can be rewritten. What is left out of a text stays as it is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Words {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) arguments: BTreeMap<String, String>,
}

impl Words {
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

pub(super) fn of<'p>(own: &'p PredictorParameters, tool: &str) -> Option<&'p ToolWords> {
    own.tools.iter().find(|words| words.tool == tool)
}

/// The words as a text.
pub(super) fn to_text(words: &ToolWords) -> String {
    let ToolWords { name, description, arguments, .. } = words.clone();
    Words { name: Some(name), description: Some(description), arguments }.to_text()
}

/// Leaves out what is said of arguments that a tool does not have, and puts a name that it cannot have back to the one that
/// it had.
pub(super) fn fit(own: &mut PredictorParameters, tool: &str, had: &str, predictor: &Predictor) {
    let words = own.tools.iter_mut().find(|words| words.tool == tool);
    if let (Some(words), Some(tools)) = (words, predictor.tool_set()) {
        words.arguments.retain(|argument, _| tools.takes(tool, argument));
        if !tools.allows(&words.name) {
            words.name = had.to_owned();
        }
    }
}

/// Takes the words that a text has. A text that is no JSON object is the description.
pub(super) fn set(own: &mut PredictorParameters, tool: &str, text: &str) {
    let said = read::<Words>(Raw::text(text), &ReadOptions::default());
    let said = said.map_or_else(
        |_| Words { description: Some(text.trim().to_owned()), ..Words::default() },
        |reading| reading.value,
    );
    let free = |name: &str| !own.tools.iter().any(|words| words.tool != tool && words.name == name);
    let name = said.name.map(|name| name.trim().to_owned()).filter(|name| is_name(name) && free(name));
    let Some(words) = own.tools.iter_mut().find(|words| words.tool == tool) else { return };
    words.name = name.unwrap_or_else(|| words.name.clone());
    if let Some(description) = said.description.filter(|text| !text.trim().is_empty()) {
        words.description = description;
    }
    words.arguments.extend(said.arguments);
}
