//! What every program can do with its predictors.

use super::{Path, Walk};
use crate::{lm::LM, predict::Predictor};

/// A program: something whose predictors can be seen, changed, saved and loaded.
///
/// `#[module]` implements it, and so do the library's own modules.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a program",
    label = "its predictors cannot be found",
    note = "mark the struct with `#[module]`"
)]
pub trait Program: Walk {
    /// The predictors with their paths, in the order of the fields. The path of a program that is itself a
    /// predictor is `self`.
    fn predictors(&self) -> Vec<(String, &Predictor)> {
        let mut found = Vec::new();
        self.walk(&mut Path::root(), &mut |path, predictor| found.push((path.to_string(), predictor)));
        found
    }

    /// The predictors with their paths, to change them.
    fn predictors_mut(&mut self) -> Vec<(String, &mut Predictor)> {
        let mut found = Vec::new();
        self.walk_mut(&mut Path::root(), &mut |path, predictor| found.push((path.to_string(), predictor)));
        found
    }

    /// Gives every predictor this model.
    fn set_lm(&mut self, lm: impl Into<LM>)
    where
        Self: Sized,
    {
        let lm = lm.into();
        for (_, predictor) in self.predictors_mut() {
            predictor.set_lm(Some(lm.clone()));
        }
    }

    /// Takes from every predictor what was learnt: its demonstrations, and instructions that differ from those
    /// it was made with.
    fn reset(&mut self) {
        for (_, predictor) in self.predictors_mut() {
            predictor.reset();
        }
    }

    /// The source of its struct, when `#[module]` wrote this implementation.
    fn structure() -> Option<&'static str>
    where
        Self: Sized,
    {
        None
    }
}
