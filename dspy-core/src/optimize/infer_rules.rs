//! Rules that a model reads off the data.

use std::sync::Arc;

use dspy_macros::signature;
use futures_util::{StreamExt, stream};

use super::{
    Amount, Attempts, Bootstrap, CandidateId, Engine, Optimizer, Parameters, PlannedStage, PredictorInfo,
    Rows, SearchOptions, Stop, TaskShape,
    bootstrap::{DemoOptions, bootstrap_options, rounds},
    describe,
    engine::search_options,
};
use crate::{Error, LmErrorKind, Result, data::Rng, lm::BoxFuture, lm::LM, predict::ChainOfThought};

/// Read the examples and find out by which rules the outputs follow from the inputs.
#[signature]
pub struct InduceRules {
    /// what the module takes and gives
    #[input]
    pub module: String,
    /// what the module is told so far
    #[input]
    pub instruction: String,
    /// rows of data with the outputs that are wanted
    #[input]
    pub examples: String,
    /// the rules, numbered, one a line
    #[output]
    pub rules: String,
}

/// Makes demonstrations as [`BootstrapFewShot`](super::BootstrapFewShot) does, then lets a model read rules off the
/// examples, adds them to the instructions, and keeps the program that scores best, as InferRules of DSPy.
///
/// The program with demonstrations and no rules is judged on the validation rows, together with
/// [`num_candidates`](Self::num_candidates) programs with rules, which are written for each of them anew at temperature 1.
/// Without validation rows, the second half of the rows is kept for judging, so that no rule is judged by the rows it was
/// read off. A program that a paired test rules out is not run on all of them: [`racing(None)`](Self::racing) does so.
///
/// A model whose context window is too small for all examples gets fewer, those at the beginning.
///
/// ```no_run
/// # use dspy_core::{Result, data::Example, module::Module};
/// use dspy_core::optimize::{InferRules, Optimizer};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(program: P, trainset: Vec<Qa>) -> Result<()> {
/// let metric = |gold: &Qa, found: &String| gold.answer == *found;
/// let compiled = InferRules::new().num_rules(5).compile(program, &trainset, metric).await?;
/// println!("{}", compiled.report);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "an optimizer does nothing until `compile`"]
pub struct InferRules {
    num_candidates: usize,
    num_rules: usize,
    demos: DemoOptions,
    attempts: Attempts,
    inducer: Option<ChainOfThought<InduceRules>>,
    search: SearchOptions,
}

impl Default for InferRules {
    fn default() -> Self {
        Self {
            num_candidates: 10,
            num_rules: 10,
            demos: DemoOptions::default(),
            attempts: Attempts::default(),
            inducer: None,
            search: SearchOptions { racing: Some(0.05), ..SearchOptions::default() },
        }
    }
}

/// The temperature at which rules are written.
const TEMPERATURE: f64 = 1.0;

impl InferRules {
    /// 10 programs with 10 rules for each predictor; demonstrations as [`BootstrapFewShot`](super::BootstrapFewShot);
    /// racing with an error of 0.05; seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many programs with rules are judged beside the one without: 1 or more.
    pub fn num_candidates(mut self, programs: usize) -> Self {
        self.num_candidates = programs;
        self
    }

    /// Sets how many rules a predictor is given at most: 1 or more.
    pub fn num_rules(mut self, rules: usize) -> Self {
        self.num_rules = rules;
        self
    }

    /// Sets the model that writes rules: that of the settings unless set.
    pub fn prompt_model(mut self, lm: impl Into<LM>) -> Self {
        self.search.prompt_model = Some(lm.into());
        self
    }

    /// Replaces what writes rules, for one with other words, demonstrations or options. Its instruction should say how
    /// many rules it writes.
    pub fn inducer(mut self, inducer: ChainOfThought<InduceRules>) -> Self {
        self.inducer = Some(inducer);
        self
    }

    bootstrap_options!();
    search_options!();

    fn writer(&self) -> ChainOfThought<InduceRules> {
        let own = || {
            ChainOfThought::new().instructions(format!(
                "A language model does the work of one module of a program. You see what the module is told so far, and \
                 rows of data with what it should give. Find out by which rules the outputs follow from the inputs, \
                 above all in the cases that a reader who knows only the instruction would get wrong. Write at most {} \
                 rules that hold for new rows as well: each in one sentence that names the case and what follows, none \
                 that repeats another or the instruction, none about a single row.",
                self.num_rules
            ))
        };
        self.inducer.clone().unwrap_or_else(own)
    }

    /// Rules for a predictor, and how many examples fitted into the context window. None when the model wrote none.
    async fn rules(
        &self,
        engine: &Engine,
        writer: &ChainOfThought<InduceRules>,
        reader: &Reader,
        index: u64,
        mut examples: usize,
    ) -> Result<(Option<String>, usize), Stop> {
        loop {
            let input = InduceRulesInput {
                module: reader.module.clone(),
                instruction: reader.instruction.clone(),
                examples: reader.rows[..examples].join("\n\n"),
            };
            match engine.try_ask(writer, input, &reader.purpose, index, TEMPERATURE).await? {
                Ok(answer) => {
                    let rules = answer.rules.trim();
                    return Ok(((!rules.is_empty()).then(|| rules.to_owned()), examples));
                }
                // A quarter less at a time: a thousand rows are down to ten after sixteen requests.
                Err(Error::Lm(error)) if error.kind == LmErrorKind::ContextWindow && examples > 1 => {
                    examples = (examples * 3 / 4).max(1);
                }
                Err(_) => return Ok((None, examples)),
            }
        }
    }

    /// The parameters of a candidate with rules for every predictor; `None` when there are rules for none of them.
    async fn with_rules(
        &self,
        engine: &Engine,
        writer: &ChainOfThought<InduceRules>,
        readers: &mut [Reader],
        base: &Parameters,
        index: u64,
    ) -> Result<Option<Parameters>, Stop> {
        let mut parameters = base.clone();
        let mut any = false;
        for reader in readers {
            let (rules, fitted) = self.rules(engine, writer, reader, index, reader.fitting).await?;
            reader.fitting = fitted;
            let (Some(rules), Some(own)) = (rules, parameters.get_mut(&reader.path)) else { continue };
            own.instructions = format!("{}\n\n{LEAD}\n{rules}", own.instructions);
            any = true;
        }
        Ok(any.then_some(parameters))
    }
}

/// What stands before the rules in an instruction.
const LEAD: &str = "Keep to these rules:";

/// What the writer of rules sees for one predictor.
#[derive(Clone)]
struct Reader {
    path: Arc<str>,
    purpose: String,
    module: String,
    instruction: String,
    rows: Vec<String>,
    /// How many of the rows fit into the context window, as far as is known.
    fitting: usize,
}

impl Reader {
    fn new(engine: &Engine, info: &PredictorInfo, base: &Parameters) -> Result<Self> {
        let row = |row: &usize| Ok(describe::row_of(info.spec(), &engine.record(*row)?, usize::MAX));
        let rows: Vec<String> = engine.train().iter().map(row).collect::<Result<_>>()?;
        let instruction = base.get(info.path()).map(|own| own.instructions.clone()).unwrap_or_default();
        Ok(Self {
            path: info.path().clone(),
            purpose: format!("rules for {}", info.path()),
            module: describe::predictor(info),
            instruction,
            fitting: rows.len(),
            rows,
        })
    }
}

impl Optimizer for InferRules {
    fn name(&self) -> &'static str {
        "InferRules"
    }

    fn options(&self) -> SearchOptions {
        self.search.clone()
    }

    fn rows(&self, rows: Rows) -> Result<Rows> {
        let wrong = |what: String| Err(Error::other(what));
        if self.num_candidates == 0 {
            return wrong("0 candidates have no rules; set 1 or more, or use BootstrapFewShot".into());
        }
        if self.num_rules == 0 {
            return wrong("0 rules are none; set 1 or more, or use BootstrapFewShot".into());
        }
        if rows.val != rows.train {
            return Ok(rows);
        }
        if rows.train.len() < 2 {
            return wrong(
                "one row cannot be learnt from and judged by; give validation rows, or more rows".into(),
            );
        }
        let mut train = rows.train.clone();
        let val = train.split_off(train.len() / 2);
        Ok(Rows::new(train).val(val).test(rows.test))
    }

    fn stages(&self, shape: TaskShape) -> Vec<PlannedStage> {
        let bootstrap = if self.demos.max_bootstrapped == 0 { 0 } else { shape.train };
        let bootstrap =
            Amount::new(self.demos.max_bootstrapped.min(bootstrap), rounds(bootstrap, &self.attempts));
        let demos = self.demos.max_labeled;
        vec![
            PlannedStage::rollouts("bootstrap", bootstrap).demos(demos),
            PlannedStage::proposals("rules", self.num_candidates * shape.predictors),
            PlannedStage::rollouts("evaluate", (self.num_candidates + 2) * shape.val).demos(demos),
        ]
    }

    async fn search(&self, engine: &Engine) -> Result<CandidateId, Stop> {
        self.run(engine).await
    }
}

impl InferRules {
    // In a box, so that it is compiled with this crate and not with each program.
    fn run<'s>(&'s self, engine: &'s Engine) -> BoxFuture<'s, Result<CandidateId, Stop>> {
        Box::pin(async move {
            if engine.predictors().is_empty() {
                return Err(Error::other("the program has no predictor that rules could be given to").into());
            }
            engine.stage("bootstrap", engine.train().len());
            let wish = Bootstrap::new(engine.train().to_vec(), self.demos.max_bootstrapped);
            let teacher = Arc::new(self.demos.teacher(engine)?);
            let found = engine.bootstrap(&teacher, &self.attempts, std::slice::from_ref(&wish)).await?;
            engine.note(found.summary());
            let shown = self.demos.show(engine, &found, &wish, &Rng::new(self.search.seed))?;
            let base = match engine.find(&shown) {
                Some(same) => same,
                None => engine.propose("no rules", [CandidateId::STUDENT], shown),
            };

            engine.stage("write rules", None);
            let parameters = engine.parameters(base);
            let writer = self.writer();
            let readers: Vec<Reader> = engine
                .predictors()
                .iter()
                .map(|info| Reader::new(engine, info, &parameters))
                .collect::<Result<_>>()?;
            // The first finds out how many examples fit into the context window; the others start from there.
            let mut first = readers;
            let mut ruled = vec![self.with_rules(engine, &writer, &mut first, &parameters, 0).await?];
            let others = (1..self.num_candidates as u64).map(|index| {
                let (mut readers, writer, parameters) = (first.clone(), &writer, &parameters);
                async move { self.with_rules(engine, writer, &mut readers, parameters, index).await }
            });
            let mut others = stream::iter(others).buffered(engine.options().places());
            while let Some(other) = others.next().await {
                ruled.push(other?);
            }
            if let Some(reader) = first.iter().find(|reader| reader.fitting < reader.rows.len()) {
                engine.note(format!(
                    "only {} of {} examples fitted into the context window of the model that writes rules",
                    reader.fitting,
                    reader.rows.len()
                ));
            }

            let mut candidates = vec![CandidateId::STUDENT, base];
            candidates.dedup();
            for (i, parameters) in ruled.into_iter().enumerate() {
                let Some(parameters) = parameters else { continue };
                if engine.find(&parameters).is_none() {
                    candidates.push(engine.propose(format!("rules {}", i + 1), [base], parameters));
                }
            }
            engine.stage("evaluate", candidates.len() * engine.val().len());
            engine.evaluate(&candidates, engine.val()).await?;
            Ok(engine.best().map_or(base, |(best, _)| best))
        })
    }
}
