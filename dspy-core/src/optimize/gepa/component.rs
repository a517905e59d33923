//! The texts of a program that are improved, and which of them is next.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::Serialize;

use super::words;
use crate::optimize::{CandidateId, Parameters, PredictorInfo, Rollout};

/// A text of a program that [`GEPA`](super::GEPA) improves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Component {
    /// The instruction of a predictor.
    Instructions {
        /// The predictor's path.
        path: Arc<str>,
    },
    /// The description of a field of a predictor.
    Description {
        /// The predictor's path.
        path: Arc<str>,
        /// The field's name.
        field: String,
    },
    /// The words in which a predictor is told of one of its tools, as a JSON object: `name`, `description` and
    /// `arguments`, which holds what is said of each argument.
    Tool {
        /// The predictor's path.
        path: Arc<str>,
        /// The name that the tool has in the program.
        tool: String,
    },
}

impl Component {
    /// The path of its predictor.
    pub fn path(&self) -> &Arc<str> {
        match self {
            Self::Instructions { path } | Self::Description { path, .. } | Self::Tool { path, .. } => path,
        }
    }

    /// Its text in these parameters; empty when they do not have it.
    pub fn text<'p>(&self, parameters: &'p Parameters) -> Cow<'p, str> {
        let text = parameters.get(self.path()).and_then(|own| match self {
            Self::Instructions { .. } => Some(own.instructions.as_str().into()),
            Self::Description { field, .. } => own.descriptions.get(field).map(|text| text.as_str().into()),
            Self::Tool { tool, .. } => Some(words::to_text(words::of(own, tool)?).into()),
        });
        text.unwrap_or_default()
    }

    /// Replaces its text in these parameters. Of the words of a tool, those are replaced that the text has; a name that
    /// no tool can have, or that another one has, is left out.
    pub fn set(&self, parameters: &mut Parameters, text: impl Into<String>) {
        let Some(own) = parameters.get_mut(self.path()) else { return };
        match self {
            Self::Instructions { .. } => own.instructions = text.into(),
            Self::Description { field, .. } => {
                own.descriptions.insert(field.clone(), text.into());
            }
            Self::Tool { tool, .. } => words::set(own, tool, &text.into()),
        }
    }

    /// The components of a program: the instructions of its predictors, with `descriptions` also those of their
    /// fields, and with `tools` the words of their tools.
    pub(super) fn of(
        predictors: &[PredictorInfo],
        parameters: &Parameters,
        descriptions: bool,
        tools: bool,
    ) -> Vec<Self> {
        let mut found = Vec::new();
        for info in predictors {
            let path = info.path();
            found.push(Self::Instructions { path: path.clone() });
            if descriptions {
                let fields = info.spec().fields.iter();
                found.extend(fields.map(|f| Self::Description { path: path.clone(), field: f.name.clone() }));
            }
            let own = parameters.get(path).filter(|_| tools).map(|own| own.tools.as_slice());
            found.extend(
                own.unwrap_or_default()
                    .iter()
                    .map(|words| Self::Tool { path: path.clone(), tool: words.tool.clone() }),
            );
        }
        found
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instructions { path } => f.write_str(path),
            Self::Description { path, field } => write!(f, "{path}, field {field}"),
            Self::Tool { path, tool } => write!(f, "{path}, tool {tool}"),
        }
    }
}

/// A component selector of one's own.
type Select = dyn Fn(&Selection<'_>) -> Vec<Component> + Send + Sync;

/// Which components of a candidate a reflection improves.
#[derive(Clone)]
pub(super) enum Selector {
    RoundRobin,
    All,
    Own(Arc<Select>),
}

/// What a component selector of one's own knows.
#[derive(Debug)]
#[non_exhaustive]
pub struct Selection<'a> {
    /// The candidate that is to be improved.
    pub candidate: CandidateId,
    /// Its parameters.
    pub parameters: &'a Parameters,
    /// All components of the program.
    pub components: &'a [Component],
    /// How many reflections there were on the way from the student to this candidate, and on the candidate itself.
    pub turn: usize,
    /// The rows that are reflected on, with the candidate's rollouts.
    pub rollouts: &'a [(usize, &'a Rollout)],
}

impl Selector {
    /// How many texts are improved at a time, of so many predictors: all, when a function of one's own decides.
    pub(super) fn texts(&self, predictors: usize) -> usize {
        if matches!(self, Self::RoundRobin) { 1 } else { predictors.max(1) }
    }

    pub(super) fn select(&self, selection: &Selection<'_>) -> Vec<Component> {
        let all = selection.components;
        match self {
            Self::RoundRobin => all.get(selection.turn % all.len().max(1)).into_iter().cloned().collect(),
            Self::All => all.to_vec(),
            Self::Own(select) => select(selection),
        }
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RoundRobin => "RoundRobin",
            Self::All => "All",
            Self::Own(_) => "Own",
        })
    }
}
