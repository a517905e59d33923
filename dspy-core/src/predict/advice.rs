//! Advice for the predictors of a program, from an attempt that was not good enough.

use std::{collections::BTreeMap, sync::Arc};

use dspy_macros::signature;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Predict, Predictor};
use crate::{
    Error, Result,
    context::{PredictorId, StepOutcome, settings, with},
    error::shorten,
    lm::LM,
    metric::Score,
    module::{Module, Trace},
    value::write_json,
};

/// A program made an attempt at a task, and its result was not good enough. Find out which of its predictors should have
/// acted otherwise, and tell each of those what to do in the next attempt at this same task. Look at the steps from the
/// first to the last: a later step can only be as good as what it was given. A piece of advice is addressed to one
/// predictor, says concretely what to do otherwise, and asks for nothing that the predictor cannot know or do.
#[signature]
pub struct AdviseProgram {
    /// source code of the program, where it is known
    #[input]
    pub program_code: String,
    /// the predictors: name, fields and instruction of each
    #[input]
    pub predictors: String,
    /// what the program was given
    #[input]
    pub program_input: Value,
    /// what its predictors did, in order
    #[input]
    pub steps: Value,
    /// what it gave in the end, or why it failed
    #[input]
    pub result: Value,
    /// what the reward rewards
    #[input]
    pub reward_description: String,
    /// the reward of the result, the one that is needed, and what was said of the result
    #[input]
    pub reward: String,
    /// why the result is not good enough, and which predictors are to blame
    #[output]
    pub discussion: String,
    /// advice by the name of the predictor; only for those that should act otherwise
    #[output]
    pub advice: BTreeMap<String, String>,
}

/// Texts of steps are cut at this length.
const LONGEST_TEXT: usize = 4_000;

/// Writes the input of an attempt, and its output or null, as JSON.
type Told<I, O> = Arc<dyn Fn(&Attempted<'_, I, O>) -> (Value, Value) + Send + Sync>;

/// Who gives advice.
pub(super) struct Advisor<I, O> {
    pub(super) reward_desc: String,
    pub(super) lm: Option<LM>,
    told: Told<I, O>,
}

impl<I, O> Clone for Advisor<I, O> {
    fn clone(&self) -> Self {
        Self { reward_desc: self.reward_desc.clone(), lm: self.lm.clone(), told: self.told.clone() }
    }
}

/// An attempt.
pub(super) struct Attempted<'a, I, O> {
    pub(super) input: &'a I,
    /// The output with its reward, or why there is none.
    pub(super) outcome: Result<(&'a O, &'a Score), Option<&'a Error>>,
    pub(super) trace: Trace,
    pub(super) threshold: f64,
}

impl<I: Serialize + 'static, O: Serialize + 'static> Advisor<I, O> {
    pub(super) fn new() -> Self {
        let told = |attempted: &Attempted<'_, I, O>| {
            let output = attempted.outcome.as_ref().ok().and_then(|(output, _)| write_json(*output).ok());
            (write_json(attempted.input).unwrap_or_default(), output.unwrap_or_default())
        };
        Self { reward_desc: String::new(), lm: None, told: Arc::new(told) }
    }
}

impl<I, O> Advisor<I, O> {
    /// Advice for the predictors of a program; `None` when there is none to be had.
    ///
    /// # Errors
    /// When there is no point in going on.
    pub(super) async fn advise<P: Module>(
        &self,
        module: &P,
        attempted: &Attempted<'_, I, O>,
    ) -> Result<Option<Vec<(PredictorId, String)>>> {
        let predictors = module.predictors();
        let lm = self.lm.clone().or_else(|| settings().lm.clone());
        let Some(lm) = lm.or_else(|| predictors.iter().find_map(|(_, p)| p.lm().cloned())) else {
            return Ok(None);
        };
        let source = P::source().or_else(P::structure).unwrap_or_default();
        let input = self.input(&predictors, source, attempted);
        let predict = Predict::<AdviseProgram>::new();
        let advised = with(|c| c.lm(lm), predict.call(input)).await;
        let advised = match advised {
            Ok(advised) => advised.into_inner().advice,
            Err(error @ (Error::Limit(_) | Error::Context(_))) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "there is no advice for the next attempt");
                return Ok(None);
            }
        };
        let of = |(path, predictor): &(String, &Predictor)| {
            let advice = advised.get(path).map(|text| text.trim()).filter(|text| !text.is_empty())?;
            Some((predictor.id(), advice.to_owned()))
        };
        Ok(Some(predictors.iter().filter_map(of).collect()))
    }

    fn input(
        &self,
        predictors: &[(String, &Predictor)],
        source: &str,
        attempted: &Attempted<'_, I, O>,
    ) -> AdviseProgramInput {
        let (program_input, output) = (self.told)(attempted);
        let definitions: Vec<String> = predictors.iter().map(|(path, p)| defined(path, p)).collect();
        let threshold = attempted.threshold;
        let (result, reward) = match &attempted.outcome {
            Ok((_, score)) => {
                let mut reward = format!("{}; at least {threshold} is needed", score.value);
                if let Some(feedback) = score.feedback.as_deref().filter(|text| !text.trim().is_empty()) {
                    reward.push_str(&format!("\n{}", feedback.trim()));
                }
                for (path, feedback) in &score.by_predictor {
                    reward.push_str(&format!("\n{path}: {feedback}"));
                }
                (output, reward)
            }
            Err(error) => {
                let error = error
                    .map_or_else(String::new, |error| shorten(&error.to_string(), LONGEST_TEXT).into_owned());
                (json!({ "error": error }), format!("none; at least {threshold} is needed"))
            }
        };
        AdviseProgramInput {
            program_code: source.to_owned(),
            predictors: definitions.join("\n\n"),
            program_input: cut(program_input),
            steps: cut(attempted.trace.iter().filter_map(told).collect()),
            result: cut(result),
            reward_description: self.reward_desc.clone(),
            reward,
        }
    }
}

fn defined(path: &str, predictor: &Predictor) -> String {
    let spec = predictor.spec();
    let names = |fields: Vec<&str>| fields.join(", ");
    format!(
        "{path}: {} -> {}\n{}",
        names(spec.inputs().map(|f| f.name.as_str()).collect()),
        names(spec.outputs().map(|f| f.name.as_str()).collect()),
        spec.instructions
    )
}

/// A step of one of the program's own predictors.
fn told(step: &crate::module::TraceStep) -> Option<Value> {
    let path = step.path.as_deref()?;
    Some(match &step.outcome {
        StepOutcome::Done(_) => {
            json!({ "predictor": path, "inputs": step.input_json(), "outputs": step.output_json() })
        }
        StepOutcome::Failed(error) => {
            json!({ "predictor": path, "inputs": step.input_json(), "error": error.to_string() })
        }
    })
}

/// A value whose long texts, such as media, are cut.
fn cut(value: Value) -> Value {
    match value {
        Value::String(text) => shorten(&text, LONGEST_TEXT).into_owned().into(),
        Value::Array(items) => items.into_iter().map(cut).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, cut(value))).collect(),
        other => other,
    }
}
