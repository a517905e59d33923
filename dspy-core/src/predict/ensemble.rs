//! Several programs that answer together.

use std::{fmt, sync::Arc};

use futures_util::future::join_all;
use serde::Serialize;

use super::{
    Predictor,
    majority::{fields, most_frequent},
};
use crate::{
    Error, Result,
    context::Context,
    data::Rng,
    module::{Module, Path, Program, Walk, attempt, commit},
};

/// Makes one output of those of the programs.
type Reduce<O, R> = Arc<dyn Fn(Vec<O>) -> R + Send + Sync>;
/// A number that depends on an input alone.
type Digest<I> = Arc<dyn Fn(&I) -> u64 + Send + Sync>;

/// Runs several programs of one type on the same input, all at the same time, and makes one output of theirs.
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::{Module, Program}, predict::{Ensemble, Predict}};
/// # use dspy_macros::signature;
/// # #[signature] struct Qa { #[input] question: String, #[output] answer: String }
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let lm = StubModel::scripted([r#"{"answer": "Charlotte"}"#, r#"{"answer": "Austen"}"#, r#"{"answer": "austen."}"#]);
/// let asking = |instructions: &str| Predict::<Qa>::new().instructions(instructions);
/// let mut voting = Ensemble::new(["Answer.", "Name the writer.", "Be brief."].map(asking)).majority();
/// # voting.set_lm(&lm);
/// let p = voting.call("Who wrote Emma?").await?;
/// assert_eq!((p.answer.as_str(), p.usage().total().calls), ("Austen", 3));
/// # Ok(()) })
/// # }
/// ```
///
/// The programs that a compile found are those of [`Ensemble::of`]. A call is one of each program, or of `size` of them.
///
/// A program that fails is left out; when all fail, the first error is that of the ensemble. The programs are found under
/// `programs[0]`, `programs[1]` and so on, and are saved so. To load a saved ensemble, make one of as many programs first.
pub struct Ensemble<P: Module, R = Vec<<P as Module>::Output>> {
    programs: Vec<P>,
    size: Option<usize>,
    seed: u64,
    digest: Option<Digest<P::Input>>,
    reduce: Reduce<P::Output, R>,
}

impl<P: Module> Ensemble<P> {
    /// An ensemble of these programs, which gives the outputs of all of them in their order.
    pub fn new(programs: impl IntoIterator<Item = P>) -> Self {
        Self {
            programs: programs.into_iter().collect(),
            size: None,
            seed: 0,
            digest: None,
            reduce: Arc::new(|outputs| outputs),
        }
    }
}

impl<P: Module, R> Ensemble<P, R> {
    /// Makes one output of those of the programs with a function. It gets at least one output.
    pub fn reduce<T>(self, f: impl Fn(Vec<P::Output>) -> T + Send + Sync + 'static) -> Ensemble<P, T> {
        Ensemble {
            programs: self.programs,
            size: self.size,
            seed: self.seed,
            digest: self.digest,
            reduce: Arc::new(f),
        }
    }

    /// Takes the output that most programs give. Outputs are the same when their fields are, `reasoning` aside, as
    /// [`normalize_text`](crate::evaluate::normalize_text) sees them; of equally frequent ones the earliest is taken.
    pub fn majority(self) -> Ensemble<P, P::Output> {
        self.majority_by(fields)
    }

    /// Takes the first of the outputs that agree in what most programs agree in:
    /// `.majority_by(|found| found.answer.clone())`. Texts are compared as [`normalize_text`](crate::evaluate::normalize_text) sees them. What is null
    /// or empty has no vote.
    pub fn majority_by<K: Serialize>(
        self,
        key: impl Fn(&P::Output) -> K + Send + Sync + 'static,
    ) -> Ensemble<P, P::Output> {
        self.reduce(move |mut outputs| {
            let chosen = most_frequent(outputs.iter().map(&key));
            outputs.swap_remove(chosen)
        })
    }

    /// Runs only so many of the programs, chosen at random for each input: the same for the same input and
    /// [`seed`](Self::seed).
    #[must_use]
    pub fn size(mut self, programs: usize) -> Self
    where
        P::Input: Serialize,
    {
        self.size = Some(programs);
        self.digest = Some(Arc::new(|input| {
            let text = serde_json::to_string(input).unwrap_or_default();
            Rng::new(0).fork(&text).next_u64()
        }));
        self
    }

    /// Sets the seed of the choice of [`size`](Self::size): 0 unless set.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The programs.
    pub fn programs(&self) -> &[P] {
        &self.programs
    }

    /// Which programs run on an input, in their order.
    fn chosen(&self, input: &P::Input) -> Vec<usize> {
        let all = self.programs.len();
        let (Some(size), Some(digest)) = (self.size, &self.digest) else { return (0..all).collect() };
        let mut chosen = Rng::new(self.seed).fork("ensemble").fork_index(digest(input)).sample(all, size);
        chosen.sort_unstable();
        chosen
    }
}

impl<P, R> Module for Ensemble<P, R>
where
    P: Module,
    R: Serialize + Clone + fmt::Debug + Send + Sync + 'static,
{
    type Input = P::Input;
    type Output = R;

    fn input_fields(&self) -> Option<Vec<String>> {
        self.programs.first()?.input_fields()
    }

    async fn forward(&self, input: P::Input) -> Result<R> {
        let chosen = self.chosen(&input);
        let context = Context::current();
        let runs = chosen.iter().map(|i| {
            let program = &self.programs[*i];
            attempt(context.clone().nested(), input.clone(), |input| program.forward(input))
        });
        let (mut outputs, mut failed) = (Vec::new(), None);
        for (run, ended) in join_all(runs).await {
            commit(&context, ended);
            match run {
                Ok(output) => outputs.push(output),
                Err(error) if error.is_rerun() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "a program of an ensemble is left out");
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            _ if !outputs.is_empty() => Ok((self.reduce)(outputs)),
            Some(error) => Err(error),
            None => Err(Error::other("the ensemble runs no program")),
        }
    }
}

impl<P: Module, R> Walk for Ensemble<P, R> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        path.field("programs", |path| self.programs.walk(path, visit));
    }

    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        path.field("programs", |path| self.programs.walk_mut(path, visit));
    }
}

#[diagnostic::do_not_recommend]
impl<P: Module, R> Program for Ensemble<P, R> {}

impl<P: Module + Clone, R> Clone for Ensemble<P, R> {
    fn clone(&self) -> Self {
        Self {
            programs: self.programs.clone(),
            size: self.size,
            seed: self.seed,
            digest: self.digest.clone(),
            reduce: self.reduce.clone(),
        }
    }
}

impl<P: Module, R> fmt::Debug for Ensemble<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ensemble")
            .field("programs", &self.programs.len())
            .field("size", &self.size)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        predict::Predict,
        signature::{DynSignature, Record},
    };

    #[test]
    fn a_sample_depends_on_seed_and_input_alone() {
        let program = || Predict::dynamic(DynSignature::parse("question -> answer").unwrap());
        let ensemble = |seed| Ensemble::new((0..8).map(|_| program())).size(3).seed(seed);
        let of = |seed, n: usize| ensemble(seed).chosen(&Record::from([("question", n)]));
        for n in 0..20 {
            assert_eq!(of(1, n), of(1, n));
            assert_eq!(of(1, n).len(), 3);
        }
        assert!((0..20).any(|n| of(1, n) != of(2, n)) && (0..20).any(|n| of(1, n) != of(1, 0)));
        assert_eq!(ensemble(0).size(99).chosen(&Record::from([("question", 1)])).len(), 8);
    }

    #[test]
    fn programs_are_saved_under_their_places() {
        let program = || Predict::dynamic(DynSignature::parse("question -> answer").unwrap());
        let mut ensemble = Ensemble::new([program(), program().instructions("Answer.")]).majority();
        let paths: Vec<String> = ensemble.predictors().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["programs[0]", "programs[1]"]);
        let state = ensemble.to_json().unwrap();
        ensemble.reset();
        let loaded = ensemble.load_json(&state).unwrap();
        assert_eq!(loaded.programs()[1].predictor().instructions(), "Answer.");
    }
}
