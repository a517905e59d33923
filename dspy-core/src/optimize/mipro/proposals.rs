//! Asking a prompt model for instructions, and for what they are grounded in.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{
    demos::Learnt,
    options::MIPROv2,
    proposers::{DescribeDataInput, DescribeModuleInput, DescribeProgramInput, ProposeInstructionInput},
    size::Size,
    trials::Trials,
};
use crate::{
    Result,
    data::Rng,
    error::shorten,
    optimize::{Amount, Engine, PredictorInfo, Rollout, RolloutStep, Stop},
    signature::{Field, SignatureSpec},
};

/// How an instruction may be written. The first is none.
const TIPS: [&str; 6] = [
    "",
    "Be concise: short sentences, nothing that could be left out.",
    "Be descriptive: explain the task, its cases and its pitfalls in full.",
    "Say step by step how to proceed.",
    "Say who the reader is: a persona with the knowledge that the task needs.",
    "Warn of the mistakes that are made most often, and say how to avoid each.",
];

/// How many rows one question about the data shows, and how many questions there are.
const ROWS_DESCRIBED: usize = 25;
const QUESTIONS: usize = 2;
/// How many rows a proposal is shown.
const ROWS_SHOWN: usize = 24;
/// How many earlier attempts a proposal is shown.
const ATTEMPTS_SHOWN: usize = 8;
/// How many characters of a value are shown.
const SHOWN: usize = 400;

/// How many proposals are asked for.
pub(super) fn calls(options: &MIPROv2, size: &Size, predictors: usize) -> Amount {
    let described = if options.data_aware { QUESTIONS } else { 0 };
    let program = if options.program_aware { 1 + predictors } else { 0 };
    let proposals = (size.instructions - 1) * predictors;
    Amount::new(described + program + proposals, described + program + proposals)
}

/// What all proposals of a compile are grounded in.
pub(super) struct Grounds {
    observations: Option<String>,
    code: Option<String>,
    program: Option<String>,
    /// For each predictor.
    modules: Vec<Option<String>>,
}

impl Grounds {
    /// Asks what is to be said of the data, the program and its modules: each once.
    pub(super) async fn describe(engine: &Engine, options: &MIPROv2, learnt: &Learnt) -> Result<Self, Stop> {
        engine.stage("describe", None);
        let observations = if options.data_aware { observe(engine, options, learnt).await? } else { None };
        let code = engine.task().source().filter(|_| options.program_aware);
        let mut grounds =
            Self { observations, code, program: None, modules: vec![None; engine.predictors().len()] };
        if let Some(program_code) = grounds.code.clone() {
            let input = DescribeProgramInput { program_code: program_code.clone() };
            let asked = options.describe_program.ask(
                engine,
                vec![(0, input)],
                "describe program",
                options.temperature,
            );
            grounds.program = asked.await?.into_iter().next().flatten().map(|o| o.program_description);
            let input = |(i, info): (usize, &PredictorInfo)| {
                let input = DescribeModuleInput {
                    program_code: program_code.clone(),
                    program_description: grounds.program.clone(),
                    module: module_of(info),
                };
                (i as u64, input)
            };
            let inputs = engine.predictors().iter().enumerate().map(input).collect();
            let asked = options.describe_module.ask(engine, inputs, "describe module", options.temperature);
            grounds.modules = asked.await?.into_iter().map(|o| Some(o?.module_description)).collect();
        }
        Ok(grounds)
    }

    /// So many new instructions for each predictor; `None` for a proposal that failed.
    pub(super) async fn instructions(
        &self,
        engine: &Engine,
        options: &MIPROv2,
        learnt: &Learnt,
        trials: &Trials<'_>,
        each: usize,
    ) -> Result<Vec<Vec<Option<String>>>, Stop> {
        engine.stage("propose", None);
        let mut inputs = Vec::new();
        for (predictor, info) in engine.predictors().iter().enumerate() {
            let asked = trials.instructions_asked(predictor);
            for i in asked..asked + each {
                let index = (predictor as u64) << 32 | i as u64;
                let rng = engine.rng("instructions").fork(info.path()).fork_index(i as u64);
                let input = ProposeInstructionInput {
                    observations: self.observations.clone(),
                    program_code: self.code.clone(),
                    program_description: self.program.clone(),
                    module: module_of(info),
                    module_description: self.modules.get(predictor).cloned().flatten(),
                    current_instruction: trials.leading_instruction(predictor),
                    rows: rows_of(engine, info, learnt, &rng)?,
                    earlier_attempts: attempts(&trials.scored_instructions(predictor)),
                    tip: options.tips.then(|| TIPS[i % TIPS.len()].to_owned()).filter(|tip| !tip.is_empty()),
                };
                inputs.push((index, input));
            }
        }
        let asked = options.proposer.ask(engine, inputs, "propose instruction", options.temperature).await?;
        let texts = asked.into_iter().map(|o| o.map(|o| cleaned(&o.proposed_instruction)));
        let texts: Vec<Option<String>> = texts.collect();
        Ok(texts.chunks(each.max(1)).map(<[_]>::to_vec).collect())
    }
}

/// What is to be said of the data.
async fn observe(engine: &Engine, options: &MIPROv2, learnt: &Learnt) -> Result<Option<String>, Stop> {
    let mut observed: Option<String> = None;
    for (i, rows) in
        learnt.rows_to_describe(engine, QUESTIONS * ROWS_DESCRIBED).chunks(ROWS_DESCRIBED).enumerate()
    {
        let mut text = String::new();
        for (row, rollout) in rows {
            let _ = writeln!(text, "{}## Row", if text.is_empty() { "" } else { "\n" });
            write_fields(&mut text, engine.record(*row)?.iter());
            match rollout {
                Some(Rollout { output: Some(output), .. }) => {
                    let _ = writeln!(text, "-> wrong answer: {}", shorten(output, SHOWN));
                }
                Some(rollout) => {
                    let _ = writeln!(text, "-> {}", shorten(&rollout.feedback().unwrap_or_default(), SHOWN));
                }
                None => {}
            }
        }
        let input = DescribeDataInput { rows: text, observed_before: observed.clone() };
        let asked =
            options.describe_data.ask(engine, vec![(i as u64, input)], "describe data", options.temperature);
        let Some(Some(more)) = asked.await?.into_iter().next() else { continue };
        let more = more.observations.trim();
        if !more.is_empty() {
            observed = Some(observed.map_or_else(|| more.to_owned(), |before| format!("{before}\n{more}")));
        }
    }
    Ok(observed)
}

/// A predictor's path and fields.
fn module_of(info: &PredictorInfo) -> String {
    let names = |fields: &mut dyn Iterator<Item = &Field>| {
        fields.map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let spec = info.spec();
    format!("{}: {} -> {}", info.path(), names(&mut spec.inputs()), names(&mut spec.outputs()))
}

/// What a predictor did on rows, those that went wrong before those that went well; `None` when nothing is known.
fn rows_of(engine: &Engine, info: &PredictorInfo, learnt: &Learnt, rng: &Rng) -> Result<Option<String>> {
    let mut text = String::new();
    let step_of =
        |steps: &'_ [RolloutStep]| steps.iter().rev().find(|step| *step.path == **info.path()).cloned();
    let failed: Vec<_> =
        learnt.failed.iter().filter_map(|(row, r)| Some((*row, step_of(&r.trace)?, Some(r)))).collect();
    let passed: Vec<_> =
        learnt.accepted.iter().filter_map(|(row, steps)| Some((*row, step_of(steps)?, None))).collect();
    let wrong =
        rng.fork("failed").sample(failed.len(), ROWS_SHOWN.saturating_sub(passed.len().min(ROWS_SHOWN / 3)));
    let right = rng.fork("accepted").sample(passed.len(), ROWS_SHOWN - wrong.len());
    let chosen = wrong.into_iter().map(|i| &failed[i]).chain(right.into_iter().map(|i| &passed[i]));
    for (row, step, rollout) in chosen {
        let went = if rollout.is_some() { "went wrong" } else { "went well" };
        let _ = writeln!(text, "{}## Row that {went}", if text.is_empty() { "" } else { "\n" });
        write_fields(&mut text, inputs_of(info.spec(), step));
        if rollout.is_some() {
            let record = engine.record(*row)?;
            let expected: Map<String, Value> =
                record.into_iter().filter(|(name, _)| !step.inputs.contains_key(name)).collect();
            if !expected.is_empty() {
                text.push_str("-> right for this row\n");
                write_fields(&mut text, expected.iter());
            }
        }
        text.push_str("-> answered by the module\n");
        match (&step.outputs, &step.error) {
            (Some(outputs), _) => write_fields(&mut text, outputs.iter()),
            (None, error) => {
                let _ = writeln!(
                    text,
                    "nothing that could be read: {}",
                    shorten(error.as_deref().unwrap_or(""), SHOWN)
                );
            }
        }
        if let Some(rollout) = rollout {
            if !is_last(rollout, step)
                && let Some(output) = &rollout.output
            {
                let _ = writeln!(text, "-> answered by the program\n{}", shorten(output, SHOWN));
            }
            if let Some(feedback) = rollout.feedback() {
                let _ = writeln!(text, "-> review\n{}", shorten(&feedback, SHOWN));
            }
        }
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Whether a step is the one that the answer of the program comes from.
fn is_last(rollout: &Rollout, step: &RolloutStep) -> bool {
    rollout.trace.last().is_some_and(|last| last.path == step.path)
}

fn inputs_of<'a>(
    spec: &SignatureSpec,
    step: &'a RolloutStep,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let shown: Vec<String> = spec.inputs().map(|field| field.name.clone()).collect();
    step.inputs.iter().filter(move |(name, _)| shown.contains(name))
}

fn write_fields<'a>(text: &mut String, fields: impl Iterator<Item = (&'a String, &'a Value)>) {
    for (name, value) in fields {
        let _ = match value {
            Value::String(value) => writeln!(text, "{name}: {}", shorten(value, SHOWN)),
            value => writeln!(text, "{name}: {}", shorten(&value.to_string(), SHOWN)),
        };
    }
}

/// Earlier instructions with their scores, worst first; `None` when there are less than two.
fn attempts(scored: &[(String, f64)]) -> Option<String> {
    if scored.len() < 2 {
        return None;
    }
    let mut scored: Vec<_> = scored.iter().collect();
    scored.sort_by(|a, b| a.1.total_cmp(&b.1));
    let shown = &scored[scored.len().saturating_sub(ATTEMPTS_SHOWN)..];
    let text = |(text, score): &&(String, f64)| format!("{}\nscore: {score:.3}", text.trim());
    Some(shown.iter().map(text).collect::<Vec<_>>().join("\n\n"))
}

/// An instruction without the quotes or the fence that a model may have put around it.
fn cleaned(text: &str) -> String {
    let mut text = text.trim();
    if let Some(inner) = text.strip_prefix("```").and_then(|t| t.strip_suffix("```")) {
        text = inner.split_once('\n').map_or(inner, |(_, rest)| rest).trim();
    }
    for (open, close) in [('"', '"'), ('“', '”'), ('\'', '\'')] {
        if let Some(inner) = text.strip_prefix(open).and_then(|t| t.strip_suffix(close))
            && !inner.contains(open)
        {
            text = inner.trim();
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappings_of_a_proposal_are_taken_off() {
        assert_eq!(cleaned(" \"Sort it.\" "), "Sort it.");
        assert_eq!(cleaned("```text\nSort it.\nThen stop.\n```"), "Sort it.\nThen stop.");
        assert_eq!(cleaned("\"a\" and \"b\""), "\"a\" and \"b\"");
    }

    #[test]
    fn attempts_end_with_the_best() {
        let scored = [("one".to_owned(), 0.5), ("two".to_owned(), 0.25)];
        assert_eq!(attempts(&scored).unwrap(), "two\nscore: 0.250\n\none\nscore: 0.500");
        assert_eq!(attempts(&scored[..1]), None);
    }
}
