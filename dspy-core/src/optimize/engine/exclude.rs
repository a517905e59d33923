//! Demonstrations are kept away from the rows whose answers they show.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value};

use crate::{
    Error, Result,
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

/// Keeps demonstrations away from the rows whose answers they show.
///
/// A rollout is made for each row and candidate, and nearly all demonstrations are shown to nearly all rows. So rows and
/// demonstrations are compared by hashes that are made once; only what looks equal is looked at again.
pub(in crate::optimize) struct Exclusion {
    task: Arc<dyn Task>,
    rows: Mutex<HashMap<usize, Arc<RowKeys>>>,
    shown: Mutex<Vec<Shown>>,
}

/// Parameters, and the keys of their demonstrations.
type Shown = (Arc<Parameters>, Arc<[ShownKeys]>);

/// For how many parameters the keys of their demonstrations are kept.
const KEPT: usize = 128;

/// Hashes of a row.
struct RowKeys {
    record: u64,
    /// Those of the fields of each predictor.
    fields: Box<[FieldKeys]>,
}

/// Hashes of the values of a predictor's inputs, and which of its outputs there are.
struct FieldKeys {
    inputs: Box<[Option<u64>]>,
    outputs: Box<[bool]>,
}

/// Hashes of a demonstration.
struct ShownKeys {
    predictor: usize,
    /// That of the row that it was made from.
    record: Option<u64>,
    fields: FieldKeys,
}

fn key(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl FieldKeys {
    fn of(spec: &SignatureSpec, values: &Map<String, Value>) -> Self {
        Self {
            inputs: spec.inputs().map(|f| values.get(&f.name).map(key)).collect(),
            outputs: spec.outputs().map(|f| values.contains_key(&f.name)).collect(),
        }
    }

    /// What [`gives_away`] says of the values, but for hashes that are equal by chance.
    fn may_give_away(&self, row: &Self) -> bool {
        let both = || self.inputs.iter().zip(&row.inputs).filter(|(_, given)| given.is_some());
        both().next().is_some()
            && both().all(|(shown, given)| shown == given)
            && self.outputs.iter().zip(&row.outputs).any(|(shown, given)| *shown && *given)
    }
}

impl Exclusion {
    pub(super) fn new(task: Arc<dyn Task>) -> Self {
        Self { task, rows: Mutex::default(), shown: Mutex::default() }
    }

    /// The parameters as they may be used on a row: without the demonstrations that were made from it, or that show its
    /// answer for other reasons. The very same when none is.
    ///
    /// # Errors
    /// As [`Task::record`].
    pub(super) fn for_row(&self, parameters: &Arc<Parameters>, row: usize) -> Result<Arc<Parameters>> {
        if parameters.iter().all(|(_, own)| own.demos.is_empty() && own.nearest.is_none()) {
            return Ok(parameters.clone());
        }
        let (keys, shown) = (self.row(row)?, self.shown(parameters)?);
        let may_be_own = |demo: &ShownKeys| {
            demo.record == Some(keys.record)
                || keys.fields.get(demo.predictor).is_some_and(|row| demo.fields.may_give_away(row))
        };
        if !shown.iter().any(may_be_own) {
            return Ok(parameters.clone());
        }
        let record = self.task.record(row)?;
        let same = |other: usize| {
            other == row
                || self.row(other).is_ok_and(|other| other.record == keys.record)
                    && self.task.record(other).is_ok_and(|other| other == record)
        };
        Ok(without(parameters, self.task.predictors(), &record, same))
    }

    fn row(&self, row: usize) -> Result<Arc<RowKeys>> {
        if let Some(keys) = lock(&self.rows).get(&row) {
            return Ok(keys.clone());
        }
        let record = self.task.record(row)?;
        let fields = self.task.predictors().iter().map(|info| FieldKeys::of(info.spec(), &record)).collect();
        let keys = Arc::new(RowKeys { record: key(&record), fields });
        lock(&self.rows).insert(row, keys.clone());
        Ok(keys)
    }

    fn shown(&self, parameters: &Arc<Parameters>) -> Result<Arc<[ShownKeys]>> {
        let known = |shown: &[Shown]| {
            shown.iter().find(|(p, _)| Arc::ptr_eq(p, parameters)).map(|(_, keys)| keys.clone())
        };
        if let Some(keys) = known(&lock(&self.shown)) {
            return Ok(keys);
        }
        let mut keys = Vec::new();
        for (predictor, info) in self.task.predictors().iter().enumerate() {
            let Some(own) = parameters.get(info.path()) else { continue };
            let demos = own.demos.iter().map(|d| (&d.demo, d.row));
            let nearest = own.nearest.iter().flat_map(|n| n.demos.pool().iter().zip(n.rows.iter().copied()));
            for (demo, row) in demos.chain(nearest) {
                let record = row.map(|row| Ok::<_, Error>(self.row(row)?.record)).transpose()?;
                keys.push(ShownKeys { predictor, record, fields: FieldKeys::of(info.spec(), &demo.fields) });
            }
        }
        let keys: Arc<[ShownKeys]> = keys.into();
        let mut shown = lock(&self.shown);
        if shown.len() == KEPT {
            shown.remove(0);
        }
        shown.push((parameters.clone(), keys.clone()));
        Ok(keys)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The parameters without the demonstrations that were made from rows that are the `same`, or that give the record away.
fn without(
    parameters: &Arc<Parameters>,
    predictors: &[PredictorInfo],
    record: &Map<String, Value>,
    same: impl Fn(usize) -> bool,
) -> Arc<Parameters> {
    let is_own = |spec: &SignatureSpec, demo: &Demo, row: Option<usize>| {
        row.is_some_and(&same) || gives_away(spec, demo, record)
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
    use crate::{
        data::Rng,
        evaluate::Failure,
        lm::BoxFuture,
        optimize::{Demonstration, PredictorParameters, Rollout},
        value::TypeInfo,
    };

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

    /// Rows of a task that is never run.
    struct Table(Vec<PredictorInfo>, Vec<Map<String, Value>>);

    impl Task for Table {
        fn predictors(&self) -> &[PredictorInfo] {
            &self.0
        }

        fn parameters(&self) -> Parameters {
            Parameters::default()
        }

        fn rows(&self) -> usize {
            self.1.len()
        }

        fn record(&self, row: usize) -> Result<Map<String, Value>> {
            Ok(self.1[row].clone())
        }

        fn rollout<'a>(&'a self, _: &'a Arc<Parameters>, _: usize, _: bool) -> BoxFuture<'a, Rollout> {
            Box::pin(async { Rollout::failed(Failure::Program(Error::other("it is never run"))) })
        }
    }

    #[test]
    fn keys_exclude_what_the_values_exclude() {
        let mut rng = Rng::new(3);
        let mut value = |some: &[&str]| some[rng.below(some.len())].to_owned();
        let rows: Vec<Map<String, Value>> = (0..40)
            .map(|_| {
                let mut row =
                    map(json!({ "question": value(&["p", "q", "r"]), "answer": value(&["a", "b"]) }));
                if value(&["with", "without"]) == "with" {
                    row.insert("context".into(), value(&["x", "y"]).into());
                }
                row
            })
            .collect();
        let infos = vec![PredictorInfo::new("self", spec())];
        let mut own = PredictorParameters::new("Answer.");
        own.demos = rows
            .iter()
            .enumerate()
            .take(12)
            .map(|(i, row)| {
                let mut demo = Demo::new(row.clone());
                if i % 3 == 0 {
                    demo.fields.remove("answer");
                }
                match i % 2 {
                    0 => Demonstration::of_row(i, demo),
                    _ => demo.into(),
                }
            })
            .collect();
        let parameters = Arc::new(Parameters::new([("self", own)]));
        let exclusion = Exclusion::new(Arc::new(Table(infos.clone(), rows.clone())));
        let mut changed = 0;
        for (i, row) in rows.iter().enumerate() {
            let expected = without(&parameters, &infos, row, |other| rows[other] == *row);
            assert_eq!(exclusion.for_row(&parameters, i).unwrap(), expected, "{i}");
            changed += usize::from(!Arc::ptr_eq(&expected, &parameters));
        }
        assert!((5..40).contains(&changed), "{changed}");
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
