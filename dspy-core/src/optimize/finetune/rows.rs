//! Rows from what predictors did.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Map, Value};

use super::ChatRow;
use crate::{
    Result,
    adapter::Demo,
    context::Settings,
    lm::LM,
    module::Program,
    optimize::{engine::Shown, teach::Steps},
    predict::{Conversation, Predictor},
    signature::SignatureSpec,
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
pub(super) struct Scribe<'a, P> {
    pub(super) student: Shown<P>,
    /// The model of each predictor.
    pub(super) models: &'a [LM],
    pub(super) settings: &'a Settings,
    /// What the student's demonstrations may have been made from.
    pub(super) train: &'a [Map<String, Value>],
}

/// The rows that steps made, and why others made none.
#[derive(Default)]
pub(super) struct Written {
    pub(super) rows: Vec<Made>,
    pub(super) faults: Vec<String>,
    /// How many rows were left out because the same run, or another of the same row, had given them.
    pub(super) repeated: usize,
}

impl<P: Program + Clone> Scribe<'_, P> {
    /// The rows of accepted runs: of each, the place of the data's row, the row, and what was done. Their order is
    /// that of the runs, and within a run that of the predictors.
    pub(super) fn write<'r>(
        &self,
        runs: impl IntoIterator<Item = (usize, &'r Map<String, Value>, &'r Steps)>,
    ) -> Written {
        let (mut written, mut seen) = (Written::default(), HashSet::new());
        for (origin, record, steps) in runs {
            // As it will be asked: without a demonstration that gives this row away.
            let student = self.student.for_row(self.train, record);
            let predictors = student.predictors();
            let mut made: Vec<(usize, Vec<u8>, Made)> = Vec::new();
            for (path, demo) in steps {
                let Some(predictor) = predictors.iter().position(|(p, _)| **p == **path) else { continue };
                match self.row(predictors[predictor].1, &self.models[predictor], demo) {
                    Ok(row) => {
                        let made_row = Made { predictor, origin, row, values: demo.fields.clone() };
                        made.push((predictor, made_row.row.to_json_line(), made_row));
                    }
                    Err(error) => written.faults.push(format!("a step of `{path}`: {error}")),
                }
            }
            // Steps that ran at the same time are in the same order every time.
            made.sort_by(|(a, line, _), (b, other, _)| (a, line).cmp(&(b, other)));
            for (predictor, line, made) in made {
                if seen.insert((origin, predictor, line)) {
                    written.rows.push(made);
                } else {
                    written.repeated += 1;
                }
            }
        }
        written
    }

    fn row(&self, predictor: &Predictor, model: &LM, demo: &Demo) -> Result<ChatRow> {
        let adapter = predictor.adapter_or(self.settings);
        let Conversation { messages, tools } =
            predictor.conversation(&adapter, model.capabilities(), &demo.fields)?;
        Ok(ChatRow::new(messages)?.tools(tools))
    }
}

/// A row of the data as what the only predictor is to do for it.
pub(super) fn labelled(path: &str, spec: &SignatureSpec, record: &Map<String, Value>) -> Steps {
    let value = |name: &String| Some((name.clone(), record.get(name)?.clone()));
    let fields = spec.fields.iter().filter_map(|f| value(&f.name)).collect();
    vec![(Arc::from(path), Demo::new(fields))]
}
