//! Who writes new texts: a module of any type, or a function.

use std::future::Future;

use super::Reflection;
use crate::{
    Result,
    lm::BoxFuture,
    module::{Module, Path, Program, Walk},
    optimize::{Engine, Stop},
    predict::Predictor,
};

/// A module that proposes texts, its type erased.
pub(super) trait Proposer: Send + Sync {
    /// Asks for a text; `None` when it failed. `index` tells this question from all others.
    fn ask<'a>(
        &'a self,
        engine: &'a Engine,
        reflection: Reflection,
        index: u64,
        temperature: f64,
    ) -> BoxFuture<'a, Result<Option<String>, Stop>>;
}

impl<M: Module<Input = Reflection, Output = String>> Proposer for M {
    fn ask<'a>(
        &'a self,
        engine: &'a Engine,
        reflection: Reflection,
        index: u64,
        temperature: f64,
    ) -> BoxFuture<'a, Result<Option<String>, Stop>> {
        Box::pin(engine.ask(self, reflection, "reflection", index, temperature))
    }
}

/// A function as a module without predictors.
pub(super) struct FromFn<F>(pub(super) F);

impl<F> Walk for FromFn<F> {
    fn walk<'a>(&'a self, _: &mut Path, _: &mut dyn FnMut(&Path, &'a Predictor)) {}
    fn walk_mut<'a>(&'a mut self, _: &mut Path, _: &mut dyn FnMut(&Path, &'a mut Predictor)) {}
}

#[diagnostic::do_not_recommend]
impl<F> Program for FromFn<F> {}

impl<F, Fut> Module for FromFn<F>
where
    F: Fn(Reflection) -> Fut + Send + Sync,
    Fut: Future<Output = Result<String>> + Send,
{
    type Input = Reflection;
    type Output = String;

    async fn forward(&self, reflection: Reflection) -> Result<String> {
        (self.0)(reflection).await
    }
}
