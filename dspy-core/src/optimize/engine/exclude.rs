//! Demonstrations are kept away from the rows whose answers they show.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    Result,
    adapter::Demo,
    optimize::{Parameters, PredictorInfo, RolloutStep, Task},
    signature::{Field, SignatureSpec},
};

/// A row as a demonstration of a predictor: its values of the predictor's fields, as far as they are of their types.
/// `None` when they hold no input or no output of it, because such a demonstration shows nothing.
pub fn labeled_demo(spec: &SignatureSpec, record: &Map<String, Value>) -> Option<Demo> {
    let mut fields = fields_of(spec, [record]);
    fields.retain(|name, value| spec.field(name).is_some_and(|field| field.ty.check(value).is_ok()));
    let has = |field: &Field| fields.contains_key(&field.name);
    (spec.inputs().any(has) && spec.outputs().any(has)).then(|| Demo::new(fields))
}

/// A step of a run as a demonstration; `None` when it gave no output.
pub(super) fn demo_of_step(spec: &SignatureSpec, step: &RolloutStep) -> Option<Demo> {
    let fields = fields_of(spec, [&step.inputs, step.outputs.as_ref()?]);
    (!fields.is_empty()).then(|| Demo::augmented(fields))
}

/// The values of a signature's fields, in its order.
fn fields_of<const N: usize>(spec: &SignatureSpec, sources: [&Map<String, Value>; N]) -> Map<String, Value> {
    let value = |f: &Field| sources.iter().find_map(|s| s.get(&f.name)).map(|v| (f.name.clone(), v.clone()));
    spec.fields.iter().filter_map(value).collect()
}

/// Which of the rows that are learnt from are equal: a digest of each.
pub(in crate::optimize) struct Digests(HashMap<usize, [u8; 32]>);

impl Digests {
    pub(super) fn of(task: &dyn Task, train: &[usize]) -> Result<Self> {
        train.iter().map(|row| Ok((*row, digest(&task.record(*row)?)))).collect::<Result<_>>().map(Self)
    }
}

fn digest(record: &Map<String, Value>) -> [u8; 32] {
    let text = serde_json::to_vec(record).unwrap_or_default();
    Sha256::digest(text).into()
}

/// The parameters as they may be used on a row: without the demonstrations that were made from it, or that show its
/// answer for other reasons. The very same when none is.
pub(in crate::optimize) fn for_row(
    parameters: &Arc<Parameters>,
    predictors: &[PredictorInfo],
    digests: &Digests,
    record: &Map<String, Value>,
) -> Arc<Parameters> {
    let this = digest(record);
    let is_own = |spec: &SignatureSpec, demo: &crate::optimize::Demonstration| {
        demo.row.is_some_and(|row| digests.0.get(&row) == Some(&this)) || gives_away(spec, &demo.demo, record)
    };
    let spec_of = |path: &str| predictors.iter().find(|info| **info.path() == *path).map(PredictorInfo::spec);
    let touches = parameters
        .iter()
        .any(|(path, own)| spec_of(path).is_some_and(|spec| own.demos.iter().any(|demo| is_own(spec, demo))));
    if !touches {
        return parameters.clone();
    }
    let mut changed = Parameters::clone(parameters);
    for (path, own) in changed.iter_mut() {
        if let Some(spec) = spec_of(path) {
            own.demos.retain(|demo| !is_own(spec, demo));
        }
    }
    Arc::new(changed)
}

/// Whether a demonstration gives away what the program is to find out for a row: it shows every input that the
/// predictor has from the row as the row has it, and an output that the row has too.
fn gives_away(spec: &SignatureSpec, demo: &Demo, record: &Map<String, Value>) -> bool {
    let given = |f: &&Field| record.contains_key(&f.name);
    let mut inputs = spec.inputs().filter(given).peekable();
    inputs.peek().is_some()
        && inputs.all(|f| demo.fields.get(&f.name) == record.get(&f.name))
        && spec.outputs().filter(given).any(|f| demo.fields.contains_key(&f.name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::value::TypeInfo;

    fn spec() -> SignatureSpec {
        let text = TypeInfo::of::<String>;
        let fields = vec![
            Field::input("context", text()),
            Field::input("question", text()),
            Field::output("answer", text()),
        ];
        SignatureSpec::new("Qa", "", fields)
    }

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("a map is expected") };
        map
    }

    #[test]
    fn rows_show_only_what_the_predictor_has() {
        let demo = labeled_demo(&spec(), &map(json!({ "answer": "a", "id": 3, "question": "q" }))).unwrap();
        assert_eq!(Value::Object(demo.fields), json!({ "question": "q", "answer": "a" }));
        assert!(labeled_demo(&spec(), &map(json!({ "question": "q" }))).is_none());
        assert!(labeled_demo(&spec(), &map(json!({ "question": "q", "answer": 4 }))).is_none());
        assert!(labeled_demo(&spec(), &map(json!({ "answer": "a" }))).is_none());
    }

    #[test]
    fn a_row_is_not_shown_its_own_answer() {
        let row = map(json!({ "question": "q", "answer": "a" }));
        let gives = |demo: Value| gives_away(&spec(), &Demo::new(map(demo)), &row);
        assert!(gives(json!({ "question": "q", "answer": "a" })));
        assert!(gives(json!({ "context": "found", "question": "q", "answer": "other" })));
        assert!(!gives(json!({ "question": "p", "answer": "a" })));
        assert!(!gives(json!({ "context": "found", "answer": "a" })));
        assert!(!gives(json!({ "context": "found", "question": "q" })));
    }
}
