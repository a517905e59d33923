//! Instructions by coordinate ascent.

use dspy_macros::signature;

use super::{
    CandidateId, Engine, Optimizer, PlannedStage, PredictorInfo, SearchOptions, Stop, TaskShape, describe,
    engine::search_options,
};
use crate::{Error, Result, lm::BoxFuture, lm::LM, predict::Predict};

/// Write a better instruction for one module of a program whose work a language model does. The model sees nothing of
/// the task but the instruction and the inputs, so the instruction must say what matters: what to look at, what to
/// give, and which cases are treated in a way of their own. Where rows of data are given, say in general terms what they
/// have in common, not what stands in a single one. Keep what is good in the instruction at hand.
#[signature]
pub struct ProposeInstruction {
    /// what the module takes and gives
    #[input]
    pub module: String,
    /// rows of data that the program must get right; may be empty
    #[input]
    pub examples: String,
    /// the instruction at hand
    #[input]
    pub instruction: String,
    /// the better instruction alone, ready to be used
    #[output]
    pub better_instruction: String,
}

/// Write a better instruction for one module of a program whose work a language model does. You see earlier attempts with
/// the scores that the program reached with them, the best one last. Find out what the good ones have and the others
/// lack, and write an instruction that should score higher than all of them, not a copy of one. Where rows of data are
/// given, say in general terms what they have in common, not what stands in a single one.
#[signature]
pub struct ReviseInstruction {
    /// what the module takes and gives
    #[input]
    pub module: String,
    /// rows of data that the program must get right; may be empty
    #[input]
    pub examples: String,
    /// earlier attempts, each with its score; higher is better
    #[input]
    pub attempted_instructions: String,
    /// the better instruction alone, ready to be used
    #[output]
    pub better_instruction: String,
}

/// Rewrites the instructions of the predictors, one after the other, and keeps what scores best: coordinate ascent over
/// prompts, as COPRO of DSPy (Khattab et al. 2023, "DSPy: Compiling Declarative Language Model Calls into Self-Improving
/// Pipelines").
///
/// First a model writes [`breadth`](Self::breadth) − 1 new instructions for every predictor. Then, [`depth`](Self::depth)
/// times, predictor by predictor: the program is scored with each of them, the others as they are best so far, and goes
/// on with the best; in between the model is shown the best attempts with their scores and writes `breadth` more. In a
/// program of several predictors the `breadth` best of the earlier instructions are scored again, because what stands
/// around them has changed.
///
/// Candidates are scored on the validation rows, if there are any, otherwise on the rows that are learnt from. The
/// instruction that the program has takes part, so the result scores no worse on them. Demonstrations stay.
///
/// Unlike the original, the model that writes is told the fields of the predictor and sees a few rows of the data, others
/// for each proposal: without them it can only guess. [`examples(0)`](Self::examples) takes them away. And an instruction
/// that a paired test rules out is not scored on all rows: [`racing(None)`](Self::racing) does so.
///
/// ```no_run
/// # use dspy_core::{Result, data::Example, module::Module};
/// use dspy_core::optimize::{COPRO, Optimizer};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(program: P, trainset: Vec<Qa>) -> Result<()> {
/// let metric = |gold: &Qa, found: &String| gold.answer == *found;
/// let compiled = COPRO::new().breadth(6).compile(program, &trainset, metric).await?;
/// println!("{}", compiled.report);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "an optimizer does nothing until `compile`"]
pub struct COPRO {
    breadth: usize,
    depth: usize,
    init_temperature: f64,
    examples: usize,
    proposer: Predict<ProposeInstruction>,
    reviser: Predict<ReviseInstruction>,
    search: SearchOptions,
}

impl Default for COPRO {
    fn default() -> Self {
        Self {
            breadth: 10,
            depth: 3,
            init_temperature: 1.4,
            examples: 10,
            proposer: Predict::new(),
            reviser: Predict::new(),
            search: SearchOptions { racing: Some(0.05), ..SearchOptions::default() },
        }
    }
}

/// How much of a value the rows for the proposer show, in characters.
const SHOWN: usize = 1_000;

/// What was tried for one predictor.
struct Study<'e> {
    info: &'e PredictorInfo,
    attempts: Vec<Attempt>,
    /// The attempts from here on are new.
    new: usize,
}

/// An instruction, and the best score that the program reached with it.
struct Attempt {
    instruction: String,
    score: Option<f64>,
}

impl COPRO {
    /// 10 instructions at a time, 3 times, at temperature 1.4, with 10 rows shown; racing with an error of 0.05; seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many instructions of a predictor are scored at a time, the one at hand among the first of them: 2 or
    /// more.
    pub fn breadth(mut self, instructions: usize) -> Self {
        self.breadth = instructions;
        self
    }

    /// Sets how many times instructions are scored: 1 or more.
    pub fn depth(mut self, times: usize) -> Self {
        self.depth = times;
        self
    }

    /// Sets the temperature at which instructions are written. Some providers allow no more than 1.
    pub fn init_temperature(mut self, temperature: f64) -> Self {
        self.init_temperature = temperature;
        self
    }

    /// Sets how many rows of the data the model sees that writes an instruction; of long values, the beginning.
    pub fn examples(mut self, rows: usize) -> Self {
        self.examples = rows;
        self
    }

    /// Sets the model that writes instructions: that of the settings unless set.
    pub fn prompt_model(mut self, lm: impl Into<LM>) -> Self {
        self.search.prompt_model = Some(lm.into());
        self
    }

    /// Replaces what writes the first instructions, for one with other words, demonstrations or options.
    pub fn proposer(mut self, proposer: Predict<ProposeInstruction>) -> Self {
        self.proposer = proposer;
        self
    }

    /// Replaces what writes instructions from earlier attempts.
    pub fn reviser(mut self, reviser: Predict<ReviseInstruction>) -> Self {
        self.reviser = reviser;
        self
    }

    search_options!();

    /// # Errors
    /// [`Error::Other`] when the options leave nothing to search.
    fn check(&self, engine: &Engine) -> Result<()> {
        let wrong = |what: String| Err(Error::other(what));
        if engine.predictors().is_empty() {
            return wrong("the program has no predictor whose instruction could be rewritten".into());
        }
        if self.breadth < 2 {
            return wrong(format!(
                "a breadth of {} leaves no place for another instruction beside the one at hand; set 2 or more",
                self.breadth
            ));
        }
        if self.depth == 0 {
            return wrong("a depth of 0 scores nothing; set 1 or more".into());
        }
        let temperature = self.init_temperature;
        if !temperature.is_finite() || temperature < 0.0 {
            return wrong(format!("init_temperature is a number from 0 up, not {temperature}"));
        }
        if temperature == 0.0 && self.examples == 0 && self.breadth > 2 {
            return wrong(
                "at temperature 0 and without examples all proposals would be the same; set a temperature"
                    .into(),
            );
        }
        Ok(())
    }

    /// New instructions for a predictor that has none yet besides its own.
    async fn propose(&self, engine: &Engine, study: &mut Study<'_>) -> Result<(), Stop> {
        let purpose = format!("first instructions of {}", study.info.path());
        let module = describe::predictor(study.info);
        let instruction = study.attempts.first().map(|own| own.instruction.clone()).unwrap_or_default();
        let mut inputs = Vec::new();
        for index in 0..self.breadth as u64 - 1 {
            let examples = self.rows(engine, &purpose, index)?;
            let (module, instruction) = (module.clone(), instruction.clone());
            inputs.push((index, ProposeInstructionInput { module, examples, instruction }));
        }
        let answers = engine.ask_all(&self.proposer, inputs, &purpose, self.init_temperature).await?;
        study.add(answers.into_iter().flatten().map(|answer| answer.better_instruction));
        Ok(())
    }

    /// Instructions that learn from those that were scored.
    async fn revise(&self, engine: &Engine, study: &mut Study<'_>, round: usize) -> Result<(), Stop> {
        let purpose = format!("instructions of {} after round {round}", study.info.path());
        let module = describe::predictor(study.info);
        let attempted_instructions = study.best_last(self.breadth);
        let mut inputs = Vec::new();
        for index in 0..self.breadth as u64 {
            let examples = self.rows(engine, &purpose, index)?;
            let (module, attempted_instructions) = (module.clone(), attempted_instructions.clone());
            inputs.push((index, ReviseInstructionInput { module, examples, attempted_instructions }));
        }
        let answers = engine.ask_all(&self.reviser, inputs, &purpose, self.init_temperature).await?;
        study.new = study.attempts.len();
        study.add(answers.into_iter().flatten().map(|answer| answer.better_instruction));
        Ok(())
    }

    /// Rows for one proposal.
    fn rows(&self, engine: &Engine, purpose: &str, index: u64) -> Result<String> {
        let train = engine.train();
        let mut rng = engine.rng("examples").fork(purpose).fork_index(index);
        let rows = rng.sample(train.len(), self.examples).into_iter().map(|i| engine.record(train[i]));
        let rows: Vec<String> =
            rows.map(|record| Ok(describe::row(&record?, SHOWN))).collect::<Result<_>>()?;
        Ok(rows.join("\n\n"))
    }

    /// Scores the program with the instructions of one predictor, the others as they are best so far.
    async fn score(&self, engine: &Engine, study: &mut Study<'_>, several: bool) -> Result<(), Stop> {
        let base = engine.best().map_or(CandidateId::STUDENT, |(best, _)| best);
        let parameters = engine.parameters(base);
        let path = study.info.path();
        // Alone, an earlier instruction would score what it has scored.
        let mut places = if several { study.best(self.breadth) } else { Vec::new() };
        places.extend(study.new..study.attempts.len());
        let candidate = |place: &usize| {
            let changed = (*parameters).clone().with_instructions(path, &study.attempts[*place].instruction);
            engine
                .find(&changed)
                .unwrap_or_else(|| engine.propose(format!("{path} {place}"), [base], changed))
        };
        let candidates: Vec<CandidateId> = places.iter().map(candidate).collect();
        let evaluated = engine.evaluate(&candidates, engine.val()).await?;
        for (place, found) in places.into_iter().zip(evaluated) {
            let attempt = &mut study.attempts[place];
            attempt.score = match (attempt.score, found.score) {
                (Some(before), Some(now)) => Some(before.max(now)),
                (before, now) => before.or(now),
            };
        }
        Ok(())
    }
}

impl Optimizer for COPRO {
    fn name(&self) -> &'static str {
        "COPRO"
    }

    fn options(&self) -> SearchOptions {
        self.search.clone()
    }

    fn stages(&self, shape: TaskShape) -> Vec<PlannedStage> {
        let (breadth, depth) = (self.breadth, self.depth);
        let proposals = shape.predictors * (breadth.saturating_sub(1) + depth.saturating_sub(1) * breadth);
        // In a program of several predictors, as many earlier instructions are scored again each time but the first.
        let again = if shape.predictors > 1 { depth.saturating_sub(1) } else { 0 };
        let rollouts = shape.predictors * (depth + again) * breadth * shape.val;
        vec![PlannedStage::proposals("instructions", proposals), PlannedStage::rollouts("evaluate", rollouts)]
    }

    async fn search(&self, engine: &Engine) -> Result<CandidateId, Stop> {
        self.run(engine).await
    }
}

impl COPRO {
    // In a box, so that it is compiled with this crate and not with each program.
    fn run<'s>(&'s self, engine: &'s Engine) -> BoxFuture<'s, Result<CandidateId, Stop>> {
        Box::pin(async move {
            self.check(engine)?;
            let student = engine.parameters(CandidateId::STUDENT);
            let own = |info: &PredictorInfo| student.get(info.path()).map(|own| own.instructions.clone());
            let mut studies: Vec<Study<'_>> = engine
                .predictors()
                .iter()
                .map(|info| Study::new(info, own(info).unwrap_or_else(|| info.spec().instructions.clone())))
                .collect();
            let several = studies.len() > 1;

            engine.stage("propose instructions", None);
            for study in &mut studies {
                self.propose(engine, study).await?;
            }
            for round in 1..=self.depth {
                let at_most: usize =
                    studies.iter().map(|s| s.attempts.len() - if several { 0 } else { s.new }).sum();
                engine.stage(format!("score instructions, round {round}"), at_most * engine.val().len());
                for study in &mut studies {
                    self.score(engine, study, several).await?;
                }
                if round < self.depth {
                    engine.stage("propose instructions", None);
                    for study in &mut studies {
                        self.revise(engine, study, round).await?;
                    }
                }
            }
            Ok(engine.best().map_or(CandidateId::STUDENT, |(best, _)| best))
        })
    }
}

impl<'e> Study<'e> {
    fn new(info: &'e PredictorInfo, instruction: String) -> Self {
        Self { info, attempts: vec![Attempt { instruction, score: None }], new: 0 }
    }

    /// Adds instructions, without what encloses them, and none twice.
    fn add(&mut self, instructions: impl Iterator<Item = String>) {
        for instruction in instructions {
            let instruction = bare(&instruction);
            if !instruction.is_empty() && self.attempts.iter().all(|a| a.instruction != instruction) {
                self.attempts.push(Attempt { instruction: instruction.to_owned(), score: None });
            }
        }
    }

    /// The places of the best attempts, best first; of equals, the earlier first.
    fn best(&self, most: usize) -> Vec<usize> {
        let scored = self.attempts.iter().enumerate().filter_map(|(place, a)| Some((place, a.score?)));
        let mut scored: Vec<(usize, f64)> = scored.collect();
        scored.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        scored.into_iter().take(most).map(|(place, _)| place).collect()
    }

    /// The best attempts with their scores, in words, the best one last.
    fn best_last(&self, most: usize) -> String {
        let attempt = |(i, place): (usize, usize)| {
            let Attempt { instruction, score } = &self.attempts[place];
            format!("Instruction {}:\n{instruction}\nScore: {:.4}", i + 1, score.unwrap_or_default())
        };
        self.best(most).into_iter().rev().enumerate().map(attempt).collect::<Vec<_>>().join("\n\n")
    }
}

/// A text without the white space and the quotation marks around it.
fn bare(text: &str) -> &str {
    let text = text.trim();
    for (open, close) in [('"', '"'), ('\'', '\''), ('“', '”'), ('«', '»'), ('`', '`')] {
        let inner = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        if let Some(inner) = inner.filter(|inner| !inner.contains(open)) {
            return inner.trim();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_shown_with_the_best_one_last() {
        let info = PredictorInfo::text("rubric", "a");
        let mut study = Study::new(&info, "a".into());
        study.add(["\"b\"", " a ", "", "c", "d"].map(str::to_owned).into_iter());
        let scores = [Some(0.5), Some(1.0), None, Some(0.25)];
        for (attempt, score) in study.attempts.iter_mut().zip(scores) {
            attempt.score = score;
        }
        assert_eq!(
            study.best_last(2),
            "Instruction 1:\na\nScore: 0.5000\n\nInstruction 2:\nb\nScore: 1.0000"
        );
        assert_eq!(study.attempts.len(), 4);
    }

    #[test]
    fn only_marks_around_the_whole_text_are_taken_away() {
        assert_eq!(bare(" \"Answer.\" "), "Answer.");
        assert_eq!(bare("\"Yes\" or \"no\""), "\"Yes\" or \"no\"");
        assert_eq!(bare("'"), "'");
    }
}
