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
    let is_own = |spec: &SignatureSpec, demo: &Demo, row: Option<usize>| {
        row.is_some_and(|row| digests.0.get(&row) == Some(&this)) || gives_away(spec, demo, record)
    };
    let mut changed: Option<Parameters> = None;
    for info in predictors {
        let (path, spec) = (info.path(), info.spec());
        let Some(own) = parameters.get(path) else { continue };
        let shown = own.demos.iter().any(|d| is_own(spec, &d.demo, d.row));
        let chosen = own.nearest.as_ref().map(|nearest| {
            let pool = nearest.demos.pool().iter().zip(&*nearest.rows).enumerate();
            pool.filter(|(_, (demo, row))| is_own(spec, demo, **row)).map(|(at, _)| at).collect::<Vec<_>>()
        });
        let chosen = chosen.filter(|places| !places.is_empty());
        if !shown && chosen.is_none() {
            continue;
        }
        let Some(own) = changed.get_or_insert_with(|| Parameters::clone(parameters)).get_mut(path) else {
            continue;
        };
        own.demos.retain(|d| !is_own(spec, &d.demo, d.row));
        if let (Some(nearest), Some(places)) = (&mut own.nearest, chosen) {
            nearest.demos = nearest.demos.without(places);
        }
    }
    changed.map_or_else(|| parameters.clone(), Arc::new)
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
