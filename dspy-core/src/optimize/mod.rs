//! Compiling: searching for the demonstrations and instructions with which a program scores best.

mod bootstrap;
mod compiled;
mod engine;
pub mod finetune;
mod labeled;
mod random_search;
mod teach;

use std::future::Future;

pub use bootstrap::{BootstrapFewShot, Student, Taught, Teacher};
pub use compiled::{Candidate, Compiled};
pub use finetune::{BootstrapFinetune, FineTuner};
pub use labeled::LabeledFewShot;
pub use random_search::BootstrapFewShotWithRandomSearch;

use crate::{Result, data::Example, evaluate::Metric, module::Module};

/// An optimizer: turns a program, rows and a metric into a program that scores better.
///
/// What every optimizer keeps to: the same seed, rows and answers give the same program, whatever the order in
/// which answers arrive; every decision that is random depends on the seed alone; scores are means in the units of
/// the metric; requests are the same on every run, so that a compile that was stopped takes the answers it has paid
/// for from the cache when it is started again; dropping the future stops all work.
pub trait Optimizer<P> {
    /// Compiles a program. `data` is `&train`, or `(&train, &validation)`.
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) when the model could not be reached too often, or for no row at all,
    /// [`Error::Other`](crate::Error::Other) when the data or the teacher do not fit.
    fn compile<'a, E, M, K>(
        &self,
        program: P,
        data: impl Into<Split<'a, E>> + Send,
        metric: M,
    ) -> impl Future<Output = Result<Compiled<P>>> + Send
    where
        P: Module + Clone + 'static,
        E: Example,
        E::Input: Into<P::Input>,
        M: Metric<E, P::Output, K>,
        K: 'static;
}

/// The rows that a program is compiled with, and those that candidates are judged by.
#[derive(Debug)]
pub struct Split<'a, E> {
    /// The rows that are learnt from.
    pub train: &'a [E],
    /// The rows that candidates are judged by; without any, those that are learnt from. A row is never judged
    /// with a demonstration that was made from it.
    pub val: Option<&'a [E]>,
}

impl<E> Clone for Split<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Split<'_, E> {}

impl<'a, E> From<&'a [E]> for Split<'a, E> {
    fn from(train: &'a [E]) -> Self {
        Self { train, val: None }
    }
}

impl<'a, E> From<&'a Vec<E>> for Split<'a, E> {
    fn from(train: &'a Vec<E>) -> Self {
        Self { train, val: None }
    }
}

impl<'a, E, const N: usize> From<&'a [E; N]> for Split<'a, E> {
    fn from(train: &'a [E; N]) -> Self {
        Self { train, val: None }
    }
}

impl<'a, E> From<(&'a [E], &'a [E])> for Split<'a, E> {
    fn from((train, val): (&'a [E], &'a [E])) -> Self {
        Self { train, val: Some(val) }
    }
}

impl<'a, E> From<(&'a Vec<E>, &'a Vec<E>)> for Split<'a, E> {
    fn from((train, val): (&'a Vec<E>, &'a Vec<E>)) -> Self {
        Self { train, val: Some(val) }
    }
}
