//! The best candidates of a compile as a program.

use super::Compiled;
use crate::{module::Module, predict::Ensemble};

impl<P: Module> Ensemble<P> {
    /// An ensemble of `n` candidates of a compile: the compiled program, then the best of the others, those first that
    /// were judged on all validation rows. It has fewer programs when the compile judged fewer. Candidates with equal
    /// parameters count once.
    pub fn of(compiled: &Compiled<P>, n: usize) -> Self
    where
        P: Clone,
    {
        let mut taken = Vec::new();
        let scored = compiled.report.ranking().into_iter().filter(|candidate| candidate.score.is_some());
        for id in std::iter::once(compiled.report.chosen).chain(scored.map(|candidate| candidate.id)) {
            let Some(parameters) = compiled.parameters(id) else { continue };
            if taken.len() < n && taken.iter().all(|(_, other)| *other != parameters) {
                taken.push((id, parameters));
            }
        }
        Self::new(taken.into_iter().filter_map(|(id, _)| compiled.candidate(id)))
    }
}
