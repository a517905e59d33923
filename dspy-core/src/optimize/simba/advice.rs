//! Advice for predictors, from a good and a bad run on the same row.

use std::collections::BTreeMap;

use dspy_macros::signature;
use serde_json::{Value, json};

use super::trajectories::Trajectory;
use crate::{
    optimize::{Engine, Parameters, Stop},
    predict::Predict,
};

/// A program was run twice on the same input, and one run was scored higher than the other. Work out what made the
/// difference, and give each predictor that should have acted otherwise a short piece of advice that would lead it to
/// do as in the better run. Advice must hold for inputs of this kind in general: say when it applies and what to do
/// then, and do not refer to these runs.
#[signature]
pub struct OfferAdvice {
    /// source code of the program, where it is known
    #[input]
    pub program_code: String,
    /// the predictors: fields and present instruction of each
    #[input]
    pub module_definitions: String,
    /// the row that the program was run on, with what is expected
    #[input]
    pub example: Value,
    /// steps and output of the run that was scored lower
    #[input]
    pub worse_run: Value,
    /// its score, and what the metric says of it
    #[input]
    pub worse_score: String,
    /// steps and output of the run that was scored higher
    #[input]
    pub better_run: Value,
    /// its score, and what the metric says of it
    #[input]
    pub better_score: String,
    /// the predictors that advice can be given to
    #[input]
    pub module_names: Vec<String>,
    /// what made the difference
    #[output]
    pub discussion: String,
    /// advice by the name of the predictor; only for those that need any
    #[output]
    pub module_advice: BTreeMap<String, String>,
}

/// Two runs on a row; `None` for a run that tells nothing.
pub(super) struct Contrast<'a> {
    pub(super) row: usize,
    pub(super) better: Option<&'a Trajectory>,
    pub(super) worse: Option<&'a Trajectory>,
}

/// Who gives advice.
#[derive(Default)]
pub(super) struct Advice(Predict<OfferAdvice>);

/// How random advice is.
const TEMPERATURE: f64 = 1.0;

impl Advice {
    /// Adds advice to the instructions of predictors. `false` when there is none.
    pub(super) async fn give(
        &self,
        engine: &Engine,
        contrast: &Contrast<'_>,
        parameters: &mut Parameters,
        index: u64,
    ) -> Result<bool, Stop> {
        let definitions: Vec<String> = engine
            .predictors()
            .iter()
            .map(|info| {
                let names = |role: Vec<&str>| role.join(", ");
                let spec = info.spec();
                let instructions = parameters.get(info.path()).map_or("", |own| own.instructions.as_str());
                format!(
                    "{}: {} -> {}\n{instructions}",
                    info.path(),
                    names(spec.inputs().map(|f| f.name.as_str()).collect()),
                    names(spec.outputs().map(|f| f.name.as_str()).collect()),
                )
            })
            .collect();
        let (better_run, better_score) = told(contrast.better);
        let (worse_run, worse_score) = told(contrast.worse);
        let input = OfferAdviceInput {
            program_code: engine.task().source().unwrap_or_default(),
            module_definitions: definitions.join("\n\n"),
            example: engine.record(contrast.row)?.into(),
            worse_run,
            worse_score,
            better_run,
            better_score,
            module_names: engine.predictors().iter().map(|info| info.path().to_string()).collect(),
        };
        let Some(advice) = engine.ask(&self.0, input, "advice", index, TEMPERATURE).await? else {
            return Ok(false);
        };
        let mut given = false;
        for (path, own) in parameters.iter_mut() {
            let advice = advice.module_advice.get(&**path).map_or("", |text| text.trim());
            given |= append(&mut own.instructions, advice);
        }
        Ok(given)
    }
}

/// Appends advice to an instruction. `false` when it says so already.
pub(super) fn append(instructions: &mut String, advice: &str) -> bool {
    if advice.is_empty() || instructions.contains(advice) {
        return false;
    }
    if !instructions.is_empty() {
        instructions.push_str("\n\n");
    }
    instructions.push_str(advice);
    true
}

/// A run as a model sees it, with its score.
fn told(run: Option<&Trajectory>) -> (Value, String) {
    let Some(run) = run else { return (json!([]), "not known".into()) };
    let steps: Vec<Value> = run
        .rollout
        .trace
        .iter()
        .map(|step| match &step.outputs {
            Some(outputs) => json!({ "module": &*step.path, "inputs": step.inputs, "outputs": outputs }),
            None => json!({ "module": &*step.path, "inputs": step.inputs, "error": step.error }),
        })
        .collect();
    let score = run.score.map_or("not known".to_owned(), |score| score.to_string());
    let score = match run.rollout.feedback() {
        Some(feedback) => format!("{score}: {feedback}"),
        None => score,
    };
    let output: Option<Value> = run.rollout.output.as_ref().and_then(|text| serde_json::from_str(text).ok());
    (json!({ "steps": steps, "output": output }), score)
}
