//! What optimizers change: the parameters of a program as a plain value.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    adapter::Demo,
    lm::LM,
    module::{NearestDemos, Predictor},
    signature::SignatureSpec,
    tool::ToolWords,
};

/// What can be learnt of a program: for each of its predictors the instruction, the demonstrations, the descriptions
/// of the fields and of the tools, and the model.
///
/// A plain value: changing it changes no program. The predictors are in the order of the program.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    predictors: Vec<(Arc<str>, PredictorParameters)>,
}

/// The parameters of one predictor.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PredictorParameters {
    /// The instruction.
    pub instructions: String,
    /// The demonstrations, in the order in which they are shown.
    pub demos: Vec<Demonstration>,
    /// Demonstrations that are chosen for each call.
    pub nearest: Option<Nearest>,
    /// The descriptions of the fields, by name.
    pub descriptions: BTreeMap<String, String>,
    /// The words in which the model is told of the tools that the predictor chooses from.
    pub tools: Vec<ToolWords>,
    /// The predictor's own model, if it has one.
    pub lm: Option<LM>,
}

/// A demonstration, and the row of the task that it was made from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Demonstration {
    /// The demonstration.
    pub demo: Demo,
    /// The row. A rollout on this row is made without the demonstration.
    pub row: Option<usize>,
}

/// Demonstrations of which each call shows the nearest, and the rows of the task that they were made from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Nearest {
    /// The demonstrations.
    pub demos: NearestDemos,
    /// For each of the pool, the row. A rollout on this row is made without the demonstration.
    pub rows: Arc<[Option<usize>]>,
}

impl Nearest {
    /// The `k` nearest of these, for calls of this signature.
    pub fn new(spec: &SignatureSpec, k: usize, pool: impl IntoIterator<Item = Demonstration>) -> Self {
        let (demos, rows): (Vec<Demo>, Vec<Option<usize>>) =
            pool.into_iter().map(|d| (d.demo, d.row)).unzip();
        Self { demos: NearestDemos::new(spec, k, demos), rows: rows.into() }
    }
}

impl From<NearestDemos> for Nearest {
    fn from(demos: NearestDemos) -> Self {
        Self { rows: vec![None; demos.pool().len()].into(), demos }
    }
}

impl Demonstration {
    /// A demonstration that was made from a row of the task.
    pub fn of_row(row: usize, demo: Demo) -> Self {
        Self { demo, row: Some(row) }
    }
}

impl From<Demo> for Demonstration {
    fn from(demo: Demo) -> Self {
        Self { demo, row: None }
    }
}

impl PredictorParameters {
    /// Parameters of an instruction alone.
    pub fn new(instructions: impl Into<String>) -> Self {
        Self { instructions: instructions.into(), ..Self::default() }
    }

    /// The parameters that a predictor has.
    pub fn of(predictor: &Predictor) -> Self {
        Self {
            instructions: predictor.instructions().to_owned(),
            demos: predictor.demos().iter().cloned().map(Demonstration::from).collect(),
            nearest: predictor.nearest_demos().cloned().map(Nearest::from),
            descriptions: descriptions(predictor.spec()),
            tools: predictor.tools().to_vec(),
            lm: predictor.lm().cloned(),
        }
    }

    /// Gives a predictor these parameters. What it has already is left as it is.
    pub fn apply_to(&self, predictor: &mut Predictor) {
        if predictor.instructions() != self.instructions {
            predictor.set_instructions(self.instructions.as_str());
        }
        let same = predictor
            .spec()
            .fields
            .iter()
            .all(|f| self.descriptions.get(&f.name).is_none_or(|d| *d == f.desc));
        if !same {
            predictor.edit_spec(|spec| {
                for field in &mut spec.fields {
                    if let Some(desc) = self.descriptions.get(&field.name) {
                        field.desc.clone_from(desc);
                    }
                }
            });
        }
        if predictor.tools() != self.tools {
            // One by one, so that words that do not fit keep no others from being taken.
            for words in &self.tools {
                if let Err(error) = predictor.set_tools(std::slice::from_ref(words)) {
                    tracing::warn!("the words of a tool are left as they were: {error}");
                }
            }
        }
        if !predictor.demos().iter().eq(self.demos.iter().map(|d| &d.demo)) {
            predictor.set_demos(self.demos.iter().map(|d| d.demo.clone()).collect());
        }
        predictor.set_nearest_demos(self.nearest.as_ref().map(|nearest| nearest.demos.clone()));
        predictor.set_lm(self.lm.clone());
    }

    /// Replaces the demonstrations; of equal ones the first is kept.
    pub fn set_demos(&mut self, demos: impl IntoIterator<Item = Demonstration>) {
        self.demos.clear();
        for demo in demos {
            self.add_demo(demo);
        }
    }

    /// Adds a demonstration, unless an equal one is there already.
    pub fn add_demo(&mut self, demo: Demonstration) {
        if !self.demos.iter().any(|d| d.demo.fields == demo.demo.fields) {
            self.demos.push(demo);
        }
    }

    fn to_json(&self) -> Value {
        let mut json = json!({
            "instructions": self.instructions,
            "demos": self.demos.iter().map(|d| shown(&d.demo)).collect::<Vec<_>>(),
            "nearest": self.nearest.as_ref().map(|nearest| {
                let pool: Vec<Value> = nearest.demos.pool().iter().map(shown).collect();
                let mut json = json!({ "k": nearest.demos.k(), "pool": pool });
                if let Some(id) = nearest.demos.embedder_id() {
                    json["embedder"] = id.into();
                }
                json
            }),
            "descriptions": self.descriptions,
            "lm": self.lm.as_ref().map(|lm| json!({ "model": lm.id(), "options": lm.options() })),
        });
        if !self.tools.is_empty() {
            json["tools"] = json!(self.tools);
        }
        json
    }
}

fn shown(demo: &Demo) -> Value {
    let mut fields = demo.fields.clone();
    if demo.augmented {
        fields.insert("augmented".into(), true.into());
    }
    Value::Object(fields)
}

fn descriptions(spec: &SignatureSpec) -> BTreeMap<String, String> {
    spec.fields.iter().map(|f| (f.name.clone(), f.desc.clone())).collect()
}

// Models are compared by what they answer, not by the handle.
impl PartialEq for PredictorParameters {
    fn eq(&self, other: &Self) -> bool {
        let model = |lm: &Option<LM>| {
            lm.as_ref().map(|lm| (lm.id().to_owned(), lm.model().endpoint().to_owned(), lm.options().clone()))
        };
        self.instructions == other.instructions
            && self.descriptions == other.descriptions
            && self.demos == other.demos
            && self.nearest == other.nearest
            && self.tools == other.tools
            && model(&self.lm) == model(&other.lm)
    }
}

impl Parameters {
    /// Parameters of predictors, by path, in this order.
    pub fn new<S: Into<Arc<str>>>(predictors: impl IntoIterator<Item = (S, PredictorParameters)>) -> Self {
        Self { predictors: predictors.into_iter().map(|(path, p)| (path.into(), p)).collect() }
    }

    /// The parameters that a program's predictors have.
    pub fn of(predictors: &[(String, &Predictor)]) -> Self {
        Self::new(predictors.iter().map(|(path, p)| (path.as_str(), PredictorParameters::of(p))))
    }

    /// Gives predictors these parameters, by path; predictors that are not named stay as they are.
    pub fn apply_to(&self, predictors: Vec<(String, &mut Predictor)>) {
        for (path, predictor) in predictors {
            if let Some(own) = self.get(&path) {
                own.apply_to(predictor);
            }
        }
    }

    /// The paths and parameters of the predictors.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &PredictorParameters)> {
        self.predictors.iter().map(|(path, own)| (path, own))
    }

    /// The same, to change them.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&Arc<str>, &mut PredictorParameters)> {
        self.predictors.iter_mut().map(|(path, own)| (&*path, own))
    }

    /// The parameters of the predictor with this path.
    pub fn get(&self, path: &str) -> Option<&PredictorParameters> {
        self.predictors.iter().find(|(p, _)| **p == *path).map(|(_, own)| own)
    }

    /// The same, to change them.
    pub fn get_mut(&mut self, path: &str) -> Option<&mut PredictorParameters> {
        self.predictors.iter_mut().find(|(p, _)| **p == *path).map(|(_, own)| own)
    }

    /// These parameters with another instruction for one predictor.
    #[must_use]
    pub fn with_instructions(mut self, path: &str, instructions: impl Into<String>) -> Self {
        if let Some(own) = self.get_mut(path) {
            own.instructions = instructions.into();
        }
        self
    }

    /// These parameters with other demonstrations for one predictor; of equal ones the first is kept.
    #[must_use]
    pub fn with_demos(mut self, path: &str, demos: impl IntoIterator<Item = Demonstration>) -> Self {
        if let Some(own) = self.get_mut(path) {
            own.set_demos(demos);
        }
        self
    }

    /// These parameters without any demonstration.
    #[must_use]
    pub fn without_demos(mut self) -> Self {
        for (_, own) in &mut self.predictors {
            own.demos.clear();
            own.nearest = None;
        }
        self
    }

    /// The parameters as JSON: an object keyed by path.
    pub fn to_json(&self) -> Value {
        let own = |(path, own): &(Arc<str>, PredictorParameters)| (path.to_string(), own.to_json());
        Value::Object(self.predictors.iter().map(own).collect::<Map<_, _>>())
    }

    /// SHA-256 of the parameters, in hexadecimal: equal for equal parameters, on every machine.
    pub fn digest(&self) -> String {
        let digest = Sha256::digest(self.to_json().to_string());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(question: &str) -> Demo {
        Demo::new(Map::from_iter([("question".to_owned(), question.into())]))
    }

    #[test]
    fn equal_demonstrations_are_kept_once() {
        let parameters = Parameters::new([("a", PredictorParameters::new("do"))]);
        let demos =
            [Demonstration::of_row(1, demo("x")), Demonstration::of_row(2, demo("x")), demo("y").into()];
        let with = parameters.clone().with_demos("a", demos);
        let rows: Vec<_> = with.get("a").unwrap().demos.iter().map(|d| d.row).collect();
        assert_eq!(rows, [Some(1), None]);
        assert_ne!(with.digest(), parameters.digest());
        assert_eq!(with.without_demos(), parameters);
    }

    #[test]
    fn parameters_go_to_the_predictors_of_their_paths() {
        let predict = crate::predict::Predict::dynamic(
            crate::signature::DynSignature::parse("question -> answer").unwrap(),
        );
        let mut predictor = predict.predictor().clone();
        let mut own = PredictorParameters::of(&predictor);
        own.instructions = "Answer in one word.".into();
        own.descriptions.insert("answer".into(), "one word".into());
        own.add_demo(demo("q").into());
        let parameters = Parameters::new([("qa", own)]);
        parameters.apply_to(vec![("qa".into(), &mut predictor)]);
        assert_eq!(predictor.instructions(), "Answer in one word.");
        assert_eq!(predictor.spec().field("answer").unwrap().desc, "one word");
        assert_eq!(predictor.demos().len(), 1);
        assert_eq!(Parameters::of(&[("qa".into(), &predictor)]), parameters);
    }
}
