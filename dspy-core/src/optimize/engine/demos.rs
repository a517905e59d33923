//! Demonstrations: made from rows and from traces, and kept away from the rows they were made from.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    adapter::Demo,
    context::Step,
    module::Program,
    predict::Predictor,
    signature::{Field, SignatureSpec},
};

/// A row as a demonstration of a predictor: its values of the predictor's fields, as far as they are of their types.
/// `None` when they hold no input or no output of it, because such a demonstration shows nothing.
pub(in crate::optimize) fn labeled(spec: &SignatureSpec, record: &Map<String, Value>) -> Option<Demo> {
    let mut fields = fields_of(spec, [record]);
    fields.retain(|name, value| spec.field(name).is_some_and(|field| field.ty.check(value).is_ok()));
    let has = |field: &Field| fields.contains_key(&field.name);
    (spec.inputs().any(has) && spec.outputs().any(has)).then(|| Demo::new(fields))
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

/// A demonstration, with the row that it was made from.
pub(in crate::optimize) type Origin = (usize, Demo);

/// A program with the origins of its demonstrations.
pub(in crate::optimize) struct Shown<P> {
    pub(in crate::optimize) program: Arc<P>,
    /// For every demonstration of every predictor, the row that it was made from, where that is known.
    origins: Vec<Vec<Option<usize>>>,
}

impl<P: Program + Clone> Shown<P> {
    /// A program with the demonstrations that it has.
    pub(in crate::optimize) fn as_is(program: P) -> Self {
        let origins = program.predictors().iter().map(|(_, p)| vec![None; p.demos().len()]).collect();
        Self { program: Arc::new(program), origins }
    }

    /// A program whose predictors have the demonstrations that `choose` gives for them, each of them once.
    pub(in crate::optimize) fn new(
        mut program: P,
        mut choose: impl FnMut(&str, &SignatureSpec) -> Vec<Origin>,
    ) -> Self {
        let mut origins = Vec::new();
        for (path, predictor) in program.predictors_mut() {
            let (mut rows, mut demos): (Vec<Option<usize>>, Vec<Demo>) = (Vec::new(), Vec::new());
            for (row, demo) in choose(&path, predictor.spec()) {
                if !demos.iter().any(|d| d.fields == demo.fields) {
                    rows.push(Some(row));
                    demos.push(demo);
                }
            }
            origins.push(rows);
            predictor.set_demos(demos);
        }
        Self { program: Arc::new(program), origins }
    }

    /// The program as it may run on a row: without the demonstrations that were made from it, or that show its
    /// answer for other reasons. `train` is what the origins are places in.
    pub(in crate::optimize) fn for_row(
        &self,
        train: &[Map<String, Value>],
        record: &Map<String, Value>,
    ) -> Arc<P> {
        let own = |spec: &SignatureSpec, demo: &Demo, origin: Option<&Option<usize>>| {
            let made_from_it = |row: &usize| train.get(*row).is_some_and(|r| r == record);
            origin.and_then(Option::as_ref).is_some_and(made_from_it) || gives_away(spec, demo, record)
        };
        let kept = |predictor: &Predictor, origins: &[Option<usize>]| -> Vec<usize> {
            let demos = predictor.demos().iter().enumerate();
            demos.filter(|(i, d)| !own(predictor.spec(), d, origins.get(*i))).map(|(i, _)| i).collect()
        };
        let predictors = self.program.predictors();
        let kept: Vec<_> = predictors.iter().zip(&self.origins).map(|((_, p), o)| kept(p, o)).collect();
        if predictors.iter().zip(&kept).all(|((_, p), k)| p.demos().len() == k.len()) {
            return self.program.clone();
        }
        let mut program = P::clone(&self.program);
        for ((_, predictor), kept) in program.predictors_mut().into_iter().zip(kept) {
            if predictor.demos().len() != kept.len() {
                let demos = kept.iter().filter_map(|i| predictor.demos().get(*i).cloned()).collect();
                predictor.set_demos(demos);
            }
        }
        Arc::new(program)
    }
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
        let demo = labeled(&spec(), &map(json!({ "answer": "a", "id": 3, "question": "q" }))).unwrap();
        assert_eq!(Value::Object(demo.fields), json!({ "question": "q", "answer": "a" }));
        assert!(labeled(&spec(), &map(json!({ "question": "q" }))).is_none());
        assert!(labeled(&spec(), &map(json!({ "question": "q", "answer": 4 }))).is_none());
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
        assert!(!gives(json!({ "context": "found", "question": "q" })));
    }
}
