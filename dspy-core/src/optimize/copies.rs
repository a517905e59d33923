//! Rows that stand in the texts of a program, word by word: it then knows them by heart, and its score on them says little.

use serde_json::{Map, Value};

use super::{CandidateId, Engine};
use crate::Result;

/// How many words a value has at least whose copy in an instruction is no coincidence.
const TELLING: usize = 5;

/// A text that was written anew, to be searched for rows that it copies.
pub(super) struct Rewritten {
    text: String,
    before: String,
}

impl Rewritten {
    pub(super) fn new(text: &str, before: &str) -> Self {
        Self { text: words(text), before: words(before) }
    }

    /// Whether a row stands in the text word by word, and did not before: one of its values of several words does.
    pub(super) fn copies(&self, record: &Map<String, Value>) -> bool {
        record.values().any(|value| match value {
            Value::String(value) => {
                let value = words(value);
                value.split(' ').count() >= TELLING
                    && self.text.contains(&value)
                    && !self.before.contains(&value)
            }
            _ => false,
        })
    }
}

/// The words of a text in lower case, with one space between them.
fn words(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Engine {
    /// Tells whoever listens when the texts of a candidate hold rows that it learnt from, and those of the student do not.
    pub(super) fn note_copies(&self, candidate: CandidateId) -> Result<()> {
        let (student, candidate) = (self.parameters(CandidateId::STUDENT), self.parameters(candidate));
        let mut changed = Vec::new();
        for (path, own) in candidate.iter() {
            let Some(before) = student.get(path) else { continue };
            let mut add = |text: &str, before: &str| {
                if text != before {
                    changed.push(Rewritten::new(text, before));
                }
            };
            add(&own.instructions, &before.instructions);
            for (field, text) in &own.descriptions {
                add(text, before.descriptions.get(field).map_or("", String::as_str));
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        let mut rows = 0_usize;
        for row in self.train() {
            let record = self.record(*row)?;
            rows += usize::from(changed.iter().any(|text| text.copies(&record)));
        }
        if rows > 0 {
            self.note(format!(
                "the texts of the chosen program hold {rows} of the rows that it learnt from, word by word"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn rows_are_found_in_whatever_spacing_and_case() {
        let row = |value: Value| Map::from_iter([("question".to_owned(), value)]);
        let text = Rewritten::new(
            "Answer. For example, \"The parcel came\n  two days late\" is delivery. Where is my order now?",
            "Where is my order now?",
        );
        assert!(text.copies(&row(json!("the parcel came two days late"))));
        assert!(!text.copies(&row(json!("the parcel came two weeks late"))));
        assert!(!text.copies(&row(json!("two days late"))), "a few words are no copy");
        assert!(!text.copies(&row(json!("Where is my order now?"))), "it stood there before");
        assert!(!text.copies(&row(json!(["the parcel came two days late"]))));
    }
}
