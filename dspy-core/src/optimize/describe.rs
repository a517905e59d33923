//! Predictors and rows in words, for models that make proposals.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::PredictorInfo;
use crate::{
    error::shorten,
    signature::{Field, SignatureSpec},
};

/// A predictor as its inputs and outputs, with what is known of its fields. Its path alone when it has none, because it
/// is a text that is used elsewhere.
pub(super) fn predictor(info: &PredictorInfo) -> String {
    let spec = info.spec();
    if spec.fields.is_empty() {
        return info.path().to_string();
    }
    let names = |fields: &mut dyn Iterator<Item = &Field>| {
        fields.map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let mut text = format!("{} -> {}", names(&mut spec.inputs()), names(&mut spec.outputs()));
    for field in &spec.fields {
        let hint = crate::value::hint(&field.schema());
        let known: Vec<&str> =
            [hint.trim(), field.desc.trim()].into_iter().filter(|s| !s.is_empty()).collect();
        if !known.is_empty() {
            let _ = write!(text, "\n{}: {}", field.name, known.join("; "));
        }
    }
    text
}

/// A row as lines of fields, values of more than `longest` characters cut short.
pub(super) fn row(record: &Map<String, Value>, longest: usize) -> String {
    let line = |(name, value): (&String, &Value)| format!("{name}: {}", value_text(value, longest));
    record.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The fields of a row that a predictor has, inputs first. A row without any of its outputs is given whole: what it holds
/// besides says what the program as a whole is to give.
pub(super) fn row_of(spec: &SignatureSpec, record: &Map<String, Value>, longest: usize) -> String {
    if !spec.outputs().any(|field| record.contains_key(&field.name)) {
        return row(record, longest);
    }
    let value = |field: &Field| Some((field.name.clone(), record.get(&field.name)?.clone()));
    row(&spec.fields.iter().filter_map(value).collect(), longest)
}

fn value_text(value: &Value, longest: usize) -> String {
    match value {
        Value::String(text) => shorten(text, longest).into_owned(),
        other => shorten(&other.to_string(), longest).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::value::TypeInfo;

    fn spec() -> SignatureSpec {
        let text = TypeInfo::of::<String>;
        let fields = vec![Field::input("question", text()), Field::output("answer", text()).desc("one word")];
        SignatureSpec::new("Qa", "Answer.", fields)
    }

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("a map is expected") };
        map
    }

    #[test]
    fn a_predictor_is_shown_by_its_fields() {
        let info = PredictorInfo::new("qa", spec());
        assert_eq!(predictor(&info), "question -> answer\nanswer: one word");
        assert_eq!(predictor(&PredictorInfo::text("rubric", "Be fair.")), "rubric");
    }

    #[test]
    fn a_row_is_shown_as_far_as_the_predictor_has_it() {
        let record = map(json!({ "answer": "Austen", "question": "Who wrote Emma?", "id": 3 }));
        assert_eq!(row_of(&spec(), &record, 100), "question: Who wrote Emma?\nanswer: Austen");
        let other = map(json!({ "question": "q", "verdict": true }));
        assert_eq!(row_of(&spec(), &other, 100), "question: q\nverdict: true");
    }
}
