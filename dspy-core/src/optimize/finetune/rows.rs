//! Rows from what predictors did.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Map, Value};

use super::ChatRow;
use crate::{
    Result,
    context::Settings,
    lm::LM,
    optimize::{Engine, Parameters, PredictorInfo, RolloutStep},
    predict::{Conversation, Predictor},
};

/// A row, and where it comes from.
pub(super) struct Made {
    /// Which of the program's predictors is to answer so.
    pub(super) predictor: usize,
    /// The row of the data.
    pub(super) origin: usize,
    pub(super) row: ChatRow,
    /// The values of the predictor's fields.
    pub(super) values: Map<String, Value>,
}

/// Writes steps as the student would take them.
pub(super) struct Scribe<'a> {
    pub(super) engine: &'a Engine,
    pub(super) student: &'a Arc<Parameters>,
    pub(super) predictors: &'a [(Arc<str>, Predictor)],
    /// The model of each predictor.
    pub(super) models: &'a [LM],
    pub(super) settings: &'a Settings,
}

/// The rows that steps made, and why others made none.
#[derive(Default)]
pub(super) struct Written {
    pub(super) rows: Vec<Made>,
    pub(super) faults: Vec<String>,
    /// How many rows were left out because the same run, or another of the same row, had given them.
    pub(super) repeated: usize,
}

impl Scribe<'_> {
    /// The rows of accepted runs: of each, the place of the data's row, and what was done. Their order is that of the
    /// runs, and within a run that of the predictors.
    pub(super) fn write(&self, runs: &[(usize, Vec<RolloutStep>)]) -> Result<Written> {
        let (mut written, mut seen) = (Written::default(), HashSet::new());
        for (origin, steps) in runs {
            // As it will be asked: without a demonstration that gives this row away.
            let parameters = self.engine.parameters_for(self.student, *origin)?;
            let mut made: Vec<(usize, Vec<u8>, Made)> = Vec::new();
            for step in steps {
                let Some(at) = self.predictors.iter().position(|(path, _)| *path == step.path) else {
                    continue;
                };
                let (path, predictor) = &self.predictors[at];
                let mut predictor = predictor.clone();
                if let Some(own) = parameters.get(path) {
                    own.apply_to(&mut predictor);
                }
                let mut values = step.inputs.clone();
                values.extend(step.outputs.clone().into_iter().flatten());
                values.retain(|name, _| predictor.spec().field(name).is_some());
                match self.row(&predictor, &self.models[at], &values) {
                    Ok(row) => {
                        let made_row = Made { predictor: at, origin: *origin, row, values };
                        made.push((at, made_row.row.to_json_line(), made_row));
                    }
                    Err(error) => written.faults.push(format!("a step of `{path}`: {error}")),
                }
            }
            // Steps that ran at the same time are in the same order every time.
            made.sort_by(|(a, line, _), (b, other, _)| (a, line).cmp(&(b, other)));
            for (predictor, line, made) in made {
                if seen.insert((*origin, predictor, line)) {
                    written.rows.push(made);
                } else {
                    written.repeated += 1;
                }
            }
        }
        Ok(written)
    }

    fn row(&self, predictor: &Predictor, model: &LM, values: &Map<String, Value>) -> Result<ChatRow> {
        let adapter = predictor.adapter_or(self.settings);
        let Conversation { messages, tools } =
            predictor.conversation(&adapter, model.capabilities(), values)?;
        Ok(ChatRow::new(messages)?.tools(tools))
    }
}

/// A row of the data as what the only predictor is to do for it.
pub(super) fn labelled(info: &PredictorInfo, record: &Map<String, Value>) -> RolloutStep {
    let value = |name: &String| Some((name.clone(), record.get(name)?.clone()));
    let spec = info.spec();
    let inputs = spec.inputs().filter_map(|f| value(&f.name)).collect();
    RolloutStep::new(info.path().clone(), inputs, spec.outputs().filter_map(|f| value(&f.name)).collect())
}
