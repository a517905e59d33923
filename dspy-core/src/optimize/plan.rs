//! What a compile will take, before anything is spent.

use std::fmt;

use serde::Serialize;

use super::{Parameters, Split};
use crate::{
    Result,
    data::{Example, sample},
    lm::Price,
    module::Program,
    signature::SignatureSpec,
};

/// How much work a compile has: numbers of predictors and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskShape {
    /// The predictors of the program.
    pub predictors: usize,
    /// The rows that are learnt from.
    pub train: usize,
    /// The rows that candidates are judged by.
    pub val: usize,
    /// Whether these are the rows that are learnt from.
    pub judged_by_train: bool,
    /// The rows that the result is confirmed on.
    pub test: usize,
}

/// A part of a compile, for its plan.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PlannedStage {
    /// What it is.
    pub name: String,
    /// Runs of the program on a row.
    pub rollouts: Amount,
    /// Calls of the prompt model.
    pub proposals: Amount,
    /// How many demonstrations a prompt of the program shows.
    pub demos: usize,
}

impl PlannedStage {
    /// A part that runs the program.
    pub fn rollouts(name: impl Into<String>, amount: impl Into<Amount>) -> Self {
        Self { name: name.into(), rollouts: amount.into(), proposals: Amount::default(), demos: 0 }
    }

    /// A part that asks the prompt model.
    pub fn proposals(name: impl Into<String>, amount: impl Into<Amount>) -> Self {
        Self { name: name.into(), rollouts: Amount::default(), proposals: amount.into(), demos: 0 }
    }

    /// Sets how many demonstrations a prompt of the program shows.
    #[must_use]
    pub fn demos(mut self, demos: usize) -> Self {
        self.demos = demos;
        self
    }
}

/// A number that is expected, and one that is not exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Amount {
    /// What is expected.
    pub expected: usize,
    /// What is not exceeded.
    pub at_most: usize,
}

impl Amount {
    /// What is expected, and what is not exceeded.
    pub fn new(expected: usize, at_most: usize) -> Self {
        Self { expected: expected.min(at_most), at_most }
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, n: usize) -> Self {
        self.map(|amount| amount.saturating_mul(n))
    }

    fn map(self, f: impl Fn(usize) -> usize) -> Self {
        Self { expected: f(self.expected), at_most: f(self.at_most) }
    }
}

impl From<usize> for Amount {
    fn from(exactly: usize) -> Self {
        Self { expected: exactly, at_most: exactly }
    }
}

impl std::ops::Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { expected: self.expected + other.expected, at_most: self.at_most + other.at_most }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expected == self.at_most {
            true => write!(f, "{}", self.at_most),
            false => write!(f, "{} to {}", self.expected, self.at_most),
        }
    }
}

/// What a compile will take: an estimate and an upper bound for each of its parts. Displays as a table.
///
/// A rollout is taken to ask each predictor once, without repeated requests. A program that asks a predictor in a loop
/// takes more: see [`calls_per_rollout`](Self::calls_per_rollout). Tokens are estimates, at four characters each.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// The optimizer's name.
    pub optimizer: String,
    /// The parts, in their order.
    pub stages: Vec<PlannedStage>,
    calls_per_rollout: usize,
    /// Tokens of one rollout without demonstrations, and of what one demonstration adds in all predictors together.
    rollout_tokens: (usize, usize),
    proposal_tokens: usize,
}

/// Tokens of an answer, when nothing else is known.
const ANSWER: usize = 100;
/// Tokens of the prompt that are not the user's: what explains the format.
const FORMAT: usize = 200;

impl Plan {
    pub(super) fn new<P: Program, E: Example>(
        optimizer: &str,
        program: &P,
        data: Split<'_, E>,
        stages: impl FnOnce(TaskShape) -> Vec<PlannedStage>,
    ) -> Result<Self> {
        let predictors = program.predictors();
        let rows: Vec<usize> =
            sample(data.train, 0, 20).iter().map(Example::record).map(size).collect::<Result<_>>()?;
        let row = rows.iter().sum::<usize>() / rows.len().max(1);
        let own: usize = predictors.iter().map(|(_, p)| words(p.spec()) + FORMAT + row / 4 + ANSWER).sum();
        let test = data.test.map_or(0, <[E]>::len);
        let shape = TaskShape {
            predictors: predictors.len(),
            train: data.train.len(),
            val: data.val.map_or(data.train.len(), <[E]>::len),
            judged_by_train: data.val.is_none(),
            test,
        };
        let mut stages = stages(shape);
        if test > 0 {
            stages.push(PlannedStage::rollouts("confirm", Amount::new(2 * test, 2 * test)));
        }
        let instructions: usize =
            Parameters::of(&predictors).iter().map(|(_, own)| own.instructions.len() / 4).sum();
        Ok(Self {
            optimizer: optimizer.to_owned(),
            stages,
            calls_per_rollout: predictors.len(),
            rollout_tokens: (own, predictors.len() * (row / 4 + 40)),
            proposal_tokens: 1_000 + instructions + 5 * row / 4,
        })
    }

    /// Sets how many calls a rollout makes: the number of predictors unless set.
    #[must_use]
    pub fn calls_per_rollout(mut self, calls: usize) -> Self {
        let predictors = self.calls_per_rollout.max(1);
        let scaled = |tokens: usize| tokens * calls / predictors;
        self.rollout_tokens = (scaled(self.rollout_tokens.0), scaled(self.rollout_tokens.1));
        self.calls_per_rollout = calls;
        self
    }

    /// Calls of models, all parts together.
    pub fn calls(&self) -> Amount {
        self.stages.iter().map(|stage| self.calls_of(stage)).fold(Amount::default(), |a, b| a + b)
    }

    /// Tokens of prompts and answers, all parts together.
    pub fn tokens(&self) -> Amount {
        self.stages.iter().map(|stage| self.tokens_of(stage)).fold(Amount::default(), |a, b| a + b)
    }

    /// US dollars, expected and at most, when all calls go to a model of this price.
    pub fn usd(&self, price: Price) -> [f64; 2] {
        let answers = self.calls().map(|calls| calls * ANSWER);
        let usd = |tokens: usize, answers: usize| {
            let answers = answers.min(tokens);
            ((tokens - answers) as f64 * price.input + answers as f64 * price.output) / 1e6
        };
        let tokens = self.tokens();
        [usd(tokens.expected, answers.expected), usd(tokens.at_most, answers.at_most)]
    }

    fn calls_of(&self, stage: &PlannedStage) -> Amount {
        stage.rollouts.map(|n| n * self.calls_per_rollout) + stage.proposals
    }

    fn tokens_of(&self, stage: &PlannedStage) -> Amount {
        let (own, demo) = self.rollout_tokens;
        stage.rollouts.map(|n| n * (own + demo * stage.demos))
            + stage.proposals.map(|n| n * self.proposal_tokens)
    }
}

fn size(record: Result<serde_json::Map<String, serde_json::Value>>) -> Result<usize> {
    Ok(serde_json::Value::Object(record?).to_string().len())
}

/// The tokens of a signature's own words.
fn words(spec: &SignatureSpec) -> usize {
    let fields: usize = spec.fields.iter().map(|f| 2 * f.name.len() + f.desc.len() + 20).sum();
    (spec.instructions.len() + fields) / 4
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![[
            "stage".to_owned(),
            "rollouts".into(),
            "proposals".into(),
            "calls".into(),
            "tokens".into(),
        ]];
        for stage in &self.stages {
            lines.push([
                stage.name.clone(),
                stage.rollouts.to_string(),
                stage.proposals.to_string(),
                self.calls_of(stage).to_string(),
                self.tokens_of(stage).to_string(),
            ]);
        }
        let total = |amounts: fn(&PlannedStage) -> Amount| {
            self.stages.iter().map(amounts).fold(Amount::default(), |a, b| a + b).to_string()
        };
        lines.push([
            self.optimizer.clone(),
            total(|stage| stage.rollouts),
            total(|stage| stage.proposals),
            self.calls().to_string(),
            self.tokens().to_string(),
        ]);
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..5).map(width).collect();
        for (i, line) in lines.iter().enumerate() {
            let cells: Vec<String> =
                line.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}")).collect();
            let end = if i + 1 == lines.len() { "" } else { "\n" };
            write!(f, "{}{end}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}
