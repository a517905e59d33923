//! Compiling: searching for the demonstrations, instructions and weights with which a program scores best.
//!
//! An [`Optimizer`] sees data, not types: a [`Task`] (predictors, rows, and a way to run and score), [`Parameters`], and
//! an [`Engine`] that scores candidates, makes demonstrations, asks for proposals, counts what is spent and reports what
//! happens.

mod auto;
mod better_together;
mod bootstrap;
mod compile;
mod compiled;
mod copies;
mod copro;
mod describe;
mod engine;
mod ensemble;
pub mod finetune;
pub mod gepa;
mod infer_rules;
mod knn;
mod labeled;
pub mod mipro;
mod parameters;
mod plan;
mod portfolio;
mod program;
mod random_search;
mod simba;
mod split;
mod student;
mod task;
mod tpe;

use std::future::Future;

pub use crate::predict::{Ensemble, majority};
pub use auto::Auto;
pub use better_together::{BetterTogether, Strategy};
pub use bootstrap::BootstrapFewShot;
pub use compiled::Compiled;
pub use copro::{
    COPRO, ProposeInstruction, ProposeInstructionInput, ProposeInstructionOutput, ReviseInstruction,
    ReviseInstructionInput, ReviseInstructionOutput,
};
pub use engine::{
    Attempts, Bootstrap, Bootstrapped, Cancellation, Candidate, CandidateId, CandidateReport, Engine,
    Evaluated, Event, Held, ProgressPoint, Report, RowChange, Rows, Run, SearchOptions, SettingsChange, Stop,
    labeled_demo,
};
pub use finetune::{BootstrapFinetune, FineTuner};
pub use gepa::GEPA;
pub use infer_rules::{InduceRules, InduceRulesInput, InduceRulesOutput, InferRules};
pub use knn::KNNFewShot;
pub use labeled::LabeledFewShot;
pub use mipro::MIPROv2;
pub use parameters::{Demonstration, Nearest, Parameters, PredictorParameters};
pub use plan::{Amount, Plan, PlannedStage, TaskShape};
pub use portfolio::Portfolio;
pub use random_search::BootstrapFewShotWithRandomSearch;
pub use simba::{OfferAdvice, SIMBA};
pub use split::Split;
pub use student::Student;
pub use task::{PredictorInfo, Rollout, RolloutStep, Task};
pub use tpe::Tpe;

use crate::{
    Result,
    data::Example,
    evaluate::Metric,
    lm::BoxFuture,
    module::{Module, Program},
};

/// An optimizer: turns a program, rows and a metric into a program that scores better.
///
/// What every optimizer keeps to: the same seed, rows and answers give the same program, whatever the order in which
/// answers arrive; every decision that is random depends on the seed alone; scores are means in the units of the metric;
/// requests are the same on every run, so that a compile that was stopped, at any moment, takes the answers it has paid
/// for from the cache when it is started again, and ends in the same program; dropping the future stops all work; the
/// student is not changed.
///
/// One of your own implements [`search`](Self::search), in terms of an [`Engine`]:
///
/// ```
/// use dspy_core::optimize::{CandidateId, Engine, Optimizer, Stop};
///
/// /// Tries some instructions for the first predictor and takes the best.
/// #[derive(Debug)]
/// struct TryInstructions(Vec<String>);
///
/// impl Optimizer for TryInstructions {
///     fn name(&self) -> &'static str {
///         "TryInstructions"
///     }
///
///     async fn search(&self, engine: &Engine) -> Result<CandidateId, Stop> {
///         let path = engine.predictors()[0].path().clone();
///         let mut candidates = vec![CandidateId::STUDENT];
///         for text in &self.0 {
///             let parameters = (*engine.parameters(CandidateId::STUDENT)).clone();
///             let parameters = parameters.with_instructions(&path, text);
///             candidates.push(engine.propose(text, [CandidateId::STUDENT], parameters));
///         }
///         engine.evaluate(&candidates, engine.val()).await?;
///         Ok(engine.best().map_or(CandidateId::STUDENT, |(best, _)| best))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an optimizer",
    label = "not an optimizer",
    note = "use one of `dspy::optimize`, or implement `Optimizer` with its `search`"
)]
pub trait Optimizer: Send + Sync {
    /// The name, for reports and files.
    fn name(&self) -> &'static str;

    /// The options of the compile.
    fn options(&self) -> SearchOptions {
        SearchOptions::default()
    }

    /// The parts of a compile on a task of this shape, for [`plan`](Self::plan). An optimizer that does not tell has an
    /// empty plan.
    fn stages(&self, shape: TaskShape) -> Vec<PlannedStage> {
        let _ = shape;
        Vec::new()
    }

    /// What a compile of this program on these rows will take, at most and as an estimate: nothing is asked.
    ///
    /// ```
    /// # use dspy_core::{optimize::{BootstrapFewShotWithRandomSearch, Optimizer}, predict::Predict, signature::{DynSignature, Record}};
    /// let program = Predict::dynamic(DynSignature::parse("question -> answer")?);
    /// let train = vec![(Record::from([("question", "2 + 2")]), Record::from([("answer", "4")])); 50];
    /// let plan = BootstrapFewShotWithRandomSearch::new().num_candidates(5).plan(&program, &train)?;
    /// println!("{plan}");
    /// assert_eq!(plan.calls().at_most, 50 + 8 * 50);
    /// # Ok::<(), dspy_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Other`](crate::Error::Other) when a row does not serialise to a map.
    fn plan<'a, P, E>(&self, program: &P, data: impl Into<Split<'a, E>>) -> Result<Plan>
    where
        Self: Sized,
        P: Program,
        E: Example,
    {
        Plan::new(self.name(), program, data.into(), |shape| self.stages(shape))
    }

    /// Which rows are for what, given what the compile was given: an optimizer that holds rows back for validation
    /// when there are none, or judges by fewer of them, says so here. No model is asked before.
    ///
    /// # Errors
    /// [`Error::Other`](crate::Error::Other) when there are too few rows for the search.
    fn rows(&self, rows: Rows) -> Result<Rows> {
        Ok(rows)
    }

    /// Searches for the best candidate. What the engine cannot do, because the budget is spent or the user asks for an
    /// end, comes back as a [`Stop`]: hand it on with `?`.
    ///
    /// # Errors
    /// [`Stop`], when the search did not come to its own end.
    fn search(&self, engine: &Engine) -> impl Future<Output = Result<CandidateId, Stop>> + Send;

    /// Compiles a program. `data` is `&train`, `(&train, &validation)`, or `(&train, &validation, &test)`, the last of
    /// which are rows that the result is confirmed on; without validation rows, candidates are judged by the rows that
    /// are learnt from, each run without the demonstrations that were made from it. `student` is the program, or
    /// [`program.with_teacher(teacher)`](Module::with_teacher).
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) when the model could not be reached too often, or for no row at all,
    /// [`Error::Other`](crate::Error::Other) when the data, the options or the teacher do not fit.
    // The type of the future names neither the metric nor its form, so that a metric that does not fit is one error of
    // the compiler, and not one wherever the future is mentioned.
    fn compile<'s, 'a, S, E, M, K>(
        &'s self,
        student: S,
        data: impl Into<Split<'a, E>>,
        metric: M,
    ) -> BoxFuture<'s, Result<Compiled<S::Program>>>
    where
        Self: Sized,
        S: Student,
        E: Example,
        E::Input: Into<<S::Program as Module>::Input>,
        M: Metric<E, <S::Program as Module>::Output, K>,
        K: 'static,
    {
        Box::pin(compile::compile(self, student, data.into(), metric))
    }

    /// Optimizes a task that is no program of this library. What it gives is the parameters that were found, and the
    /// report.
    ///
    /// # Errors
    /// As [`compile`](Self::compile).
    fn optimize<T: Task>(
        &self,
        task: T,
        rows: Rows,
    ) -> impl Future<Output = Result<(Parameters, Report)>> + Send
    where
        Self: Sized,
    {
        compile::optimize(self, std::sync::Arc::new(task), rows)
    }
}
