//! Demonstrations: made from rows and from traces, and kept away from the row they were made from.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    adapter::Demo,
    context::Step,
    module::Program,
    predict::Predictor,
    signature::{Field, SignatureSpec},
};

/// A row as a demonstration of a predictor: its values of the predictor's fields. `None` when they hold no input or
/// no output of it, because such a demonstration shows nothing.
pub(in crate::optimize) fn labeled(spec: &SignatureSpec, record: &Map<String, Value>) -> Option<Demo> {
    let has = |field: &Field| record.contains_key(&field.name);
    let shows = spec.inputs().any(has) && spec.outputs().any(has);
    shows.then(|| Demo::new(fields_of(spec, [record])))
}

/// A step of a trace as a demonstration; `None` when it gave no output.
pub(in crate::optimize) fn from_step(spec: &SignatureSpec, step: &Step) -> Option<Demo> {
    match (step.input_json(), step.output_json()?) {
        (Value::Object(inputs), Value::Object(outputs)) => {
            let fields = fields_of(spec, [&inputs, &outputs]);
            (!fields.is_empty()).then(|| Demo::augmented(fields))
        }
        _ => None,
    }
}

/// The values of a signature's fields, in its order.
fn fields_of<const N: usize>(spec: &SignatureSpec, sources: [&Map<String, Value>; N]) -> Map<String, Value> {
    let value = |f: &Field| sources.iter().find_map(|s| s.get(&f.name)).map(|v| (f.name.clone(), v.clone()));
    spec.fields.iter().filter_map(value).collect()
}

/// Whether a demonstration gives away what the program is to find out for a row: what it shows of the inputs is
/// what the row has, and it shows an output that the row has too.
fn gives_away(spec: &SignatureSpec, demo: &Demo, record: &Map<String, Value>) -> bool {
    let shared = |f: &&Field| demo.fields.contains_key(&f.name) && record.contains_key(&f.name);
    let mut inputs = spec.inputs().filter(shared).peekable();
    inputs.peek().is_some()
        && inputs.all(|f| demo.fields.get(&f.name) == record.get(&f.name))
        && spec.outputs().any(|f| shared(&f))
}

/// The program without the demonstrations that give away what it is to find out for a row.
pub(in crate::optimize) fn without_own<P: Program + Clone>(
    program: &Arc<P>,
    record: &Map<String, Value>,
) -> Arc<P> {
    let own = |p: &Predictor| p.demos().iter().any(|d| gives_away(p.spec(), d, record));
    if !program.predictors().iter().any(|(_, p)| own(p)) {
        return program.clone();
    }
    let mut program = P::clone(program);
    for (_, predictor) in program.predictors_mut() {
        if own(predictor) {
            let spec = predictor.spec().clone();
            let kept = predictor.demos().iter().filter(|d| !gives_away(&spec, d, record)).cloned().collect();
            predictor.set_demos(kept);
        }
    }
    Arc::new(program)
}

/// Gives every predictor the demonstrations that `demos` chooses for it, each of them once.
pub(in crate::optimize) fn set_demos<P: Program>(
    program: &mut P,
    mut demos: impl FnMut(&str, &SignatureSpec) -> Vec<Demo>,
) {
    for (path, predictor) in program.predictors_mut() {
        let mut chosen: Vec<Demo> = Vec::new();
        for demo in demos(&path, predictor.spec()) {
            if !chosen.iter().any(|d| d.fields == demo.fields) {
                chosen.push(demo);
            }
        }
        predictor.set_demos(chosen);
    }
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
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn rows_show_only_what_the_predictor_has() {
        let demo = labeled(&spec(), &map(json!({ "answer": "a", "id": 3, "question": "q" }))).unwrap();
        assert_eq!(Value::Object(demo.fields), json!({ "question": "q", "answer": "a" }));
        assert!(labeled(&spec(), &map(json!({ "question": "q" }))).is_none());
        assert!(labeled(&spec(), &map(json!({ "answer": "a" }))).is_none());
    }

    #[test]
    fn a_row_is_not_shown_its_own_answer() {
        let row = map(json!({ "question": "q", "answer": "a" }));
        let gives = |demo: Value| gives_away(&spec(), &Demo::new(map(demo)), &row);
        assert!(gives(json!({ "question": "q", "answer": "a" })));
        assert!(gives(json!({ "context": "found", "question": "q", "answer": "other" })));
        assert!(!gives(json!({ "question": "p", "answer": "a" })));
        assert!(!gives(json!({ "context": "found", "answer": "a" })));
    }
}
