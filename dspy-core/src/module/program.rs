//! Operations on the predictors of a program.

use std::{path::Path as FilePath, sync::Arc};

use serde_json::{Map, Value};

use super::{path::Path, places, predictor::Predictor, state, state_load, walk::Walk};
use crate::{
    Error, Result,
    lm::{LM, embed::Embedder},
};

/// A program: something whose predictors can be seen, changed, saved and loaded.
///
/// `#[module]` implements it, and so do the library's own modules.
///
/// ```
/// # use dspy_core::{Result, module::Program, predict::{ChainOfThought, Predict}};
/// # use dspy_macros::{module, signature};
/// # #[signature] struct Qa { #[input] question: String, #[output] answer: String }
/// #[module]
/// #[derive(Default)]
/// struct Panel {
///     first: ChainOfThought<Qa>,
///     second: Predict<Qa>,
/// }
///
/// # fn main() -> Result<()> {
/// let mut panel = Panel::default();
/// for (path, predictor) in panel.predictors_mut() {
///     predictor.set_instructions(format!("Answer in one word. You are `{path}`."));
/// }
///
/// // The learnt state is a JSON object, or a file with `save` and `load`.
/// let state = panel.to_json()?;
/// let loaded = Panel::default().load_json(&state)?;
/// let paths: Vec<String> = loaded.predictors().into_iter().map(|(path, _)| path).collect();
/// assert_eq!(paths, ["first.predict", "second"]);
/// assert!(loaded.second.predictor().instructions().ends_with("You are `second`."));
/// # Ok(()) }
/// ```
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

    /// Sets the model of every predictor.
    fn set_lm(&mut self, lm: impl Into<LM>)
    where
        Self: Sized,
    {
        let lm = lm.into();
        for (_, predictor) in self.predictors_mut() {
            predictor.set_lm(Some(lm.clone()));
        }
    }

    /// Gives its predictors the embedding model that chooses their demonstrations. A program that
    /// [`KNNFewShot`](crate::optimize::KNNFewShot) compiled with an embedder needs it after it was loaded, as a file holds
    /// its name alone; a call without it fails.
    ///
    /// # Errors
    /// [`Error::State`](crate::Error::State) when a predictor's demonstrations are chosen by another model.
    fn set_embedder(&mut self, embedder: impl Embedder) -> Result<()>
    where
        Self: Sized,
    {
        let embedder: Arc<dyn Embedder> = Arc::new(embedder);
        for (path, predictor) in self.predictors_mut() {
            predictor.set_embedder(&embedder).map_err(|error| match error {
                Error::State(state) => state.at(path).into(),
                other => other,
            })?;
        }
        Ok(())
    }

    /// Resets every predictor: removes its demonstrations, and restores the instructions
    /// that it was created with.
    fn reset(&mut self) {
        for (_, predictor) in self.predictors_mut() {
            predictor.reset();
        }
    }

    /// The source of its struct, if `#[module]` generated this implementation.
    fn structure() -> Option<&'static str>
    where
        Self: Sized,
    {
        None
    }

    /// What the program has learnt, as JSON: an object keyed by predictor path with the instruction, the words of
    /// the fields, the demonstrations and the model of each, in the shape that DSPy (Python) reads. The state of a
    /// program that is itself a predictor stands at the top. Keys of models are never part of it.
    ///
    /// # Errors
    /// [`Error::State`] when two predictors have the same path, [`Error::Other`] when demonstrations that a predictor
    /// was given cannot be shown.
    fn to_json(&self) -> Result<Value> {
        state::to_json(&self.predictors(), Map::new())
    }

    /// Saves [`to_json`](Self::to_json) as a file, and creates its directory if necessary. The file is written whole
    /// or not at all.
    ///
    /// A model in this process, `local/<path>`, is named by the path from the file's folder when its weights lie in
    /// there, so that the folder can be moved as a whole; otherwise by its absolute path. The weights themselves are
    /// not copied.
    ///
    /// # Errors
    /// [`Error::State`] naming the file.
    fn save(&self, path: impl AsRef<FilePath>) -> Result<()>
    where
        Self: Sized,
    {
        let mut state = self.to_json()?;
        places::put_into_file(&mut state, path.as_ref())?;
        state::write(path.as_ref(), &state)
    }

    /// Takes up a state. It is checked against the whole program first: when anything does not fit (a predictor or
    /// a field that is missing, unknown, renamed, in another place or of another type), nothing changes. States
    /// from DSPy hold no names of fields; of these, the number is checked, and that no description or label is
    /// that of another field.
    ///
    /// # Errors
    /// [`Error::State`] naming the predictor and the field.
    fn restore(&mut self, state: &Value) -> Result<()> {
        let changes = state_load::plan(&self.predictors(), state)?;
        for ((_, predictor), change) in self.predictors_mut().into_iter().zip(changes) {
            change.apply(predictor);
        }
        Ok(())
    }

    /// The program with a state: see [`restore`](Self::restore).
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    fn load_json(mut self, state: &Value) -> Result<Self>
    where
        Self: Sized,
    {
        self.restore(state)?;
        Ok(self)
    }

    /// The program with the state of a file, written by [`save`](Self::save) or by DSPy: see
    /// [`restore`](Self::restore). Loading runs nothing and can point no key at another host. The path of a model in
    /// this process is taken from the folder of the file; one that leads out of it with `..` is refused.
    ///
    /// # Errors
    /// [`Error::State`] naming the file, the predictor and the field.
    fn load(self, path: impl AsRef<FilePath>) -> Result<Self>
    where
        Self: Sized,
    {
        let path = path.as_ref();
        let state = state::read(path).and_then(|state| places::taken_from_file(state, path));
        state.and_then(|state| self.load_json(&state)).map_err(|error| match error {
            Error::State(mut state) => {
                state.file = Some(path.to_owned());
                Error::State(state)
            }
            other => other,
        })
    }
}

/// Saves a program with a note of where it comes from.
pub(crate) fn save_with_origin<P: Program>(
    program: &P,
    path: &FilePath,
    origin: Map<String, Value>,
) -> Result<()> {
    let mut state = state::to_json(&program.predictors(), origin)?;
    places::put_into_file(&mut state, path)?;
    state::write(path, &state)
}
