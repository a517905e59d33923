//! Demonstrations that are chosen for each call.

mod lexical;
mod meaning;
mod representative;

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

pub(crate) use self::representative::representative;
use self::{lexical::Index, meaning::Meaning};
use crate::{Error, Result, StateError, adapter::Demo, lm::embed::Embedder, signature::SignatureSpec};

/// A pool of demonstrations, of which each call shows the `k` whose inputs have most in common with its own (Liu et
/// al. 2022, "What Makes Good In-Context Examples for GPT-3?").
///
/// Nearness is the cosine of the weighted words and letter triples of the inputs (tf-idf), in any language: it asks no
/// model and takes microseconds. With an [embedder](Self::by_meaning) it is the cosine of vectors of the inputs: each call
/// embeds its input, and the first one the pool. Cheap to clone.
#[derive(Clone)]
pub struct NearestDemos {
    k: usize,
    pool: Arc<Pool>,
    /// Those of the pool that are not shown.
    excluded: Arc<[usize]>,
    /// By which embedding model they are compared; by words without.
    meaning: Option<Meaning>,
}

struct Pool {
    demos: Vec<Demo>,
    /// The names of the inputs.
    inputs: Vec<String>,
    index: Index,
}

impl NearestDemos {
    /// The `k` nearest of a pool, for calls of this signature.
    pub fn new(spec: &SignatureSpec, k: usize, pool: Vec<Demo>) -> Self {
        let inputs: Vec<String> = spec.inputs().map(|field| field.name.clone()).collect();
        let index = Index::new(pool.iter().map(|demo| text(&inputs, &demo.fields)));
        let pool = Arc::new(Pool { demos: pool, inputs, index });
        Self { k, pool, excluded: Arc::default(), meaning: None }
    }

    /// The same, compared by what an embedding model makes of the inputs.
    #[must_use]
    pub fn by_meaning(mut self, embedder: Arc<dyn Embedder>) -> Self {
        self.meaning = Some(Meaning::new(embedder));
        self
    }

    /// The same, compared by the embedding model of this name, which the program has yet to be given.
    pub(super) fn by_model(mut self, id: &str) -> Self {
        self.meaning = Some(Meaning::named(id));
        self
    }

    /// The embedding model that compares them, if one does.
    pub fn embedder_id(&self) -> Option<&str> {
        self.meaning.as_ref().map(Meaning::id)
    }

    pub(super) fn embedder(&self) -> Option<&Arc<dyn Embedder>> {
        self.meaning.as_ref()?.embedder()
    }

    /// Takes the embedding model, if one compares them.
    pub(super) fn set_embedder(&mut self, embedder: &Arc<dyn Embedder>) -> Result<(), StateError> {
        match self.embedder_id() {
            None => {}
            Some(id) if id == embedder.id() => self.meaning = Some(Meaning::new(embedder.clone())),
            Some(id) => {
                return Err(StateError::new(format!(
                    "its demonstrations are chosen by the embedding model `{id}`, not by `{}`; compile it again for \
                     another one",
                    embedder.id()
                )));
            }
        }
        Ok(())
    }

    /// How many are shown.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The pool.
    pub fn pool(&self) -> &[Demo] {
        &self.pool.demos
    }

    /// The same without those of the pool at these places.
    #[must_use]
    pub fn without(&self, places: impl IntoIterator<Item = usize>) -> Self {
        let excluded = self.excluded.iter().copied().chain(places).collect();
        Self { excluded, ..self.clone() }
    }

    /// The demonstrations for an input, by its words, the nearest last, next to the request; of equally near ones, the
    /// first of the pool are taken.
    ///
    /// # Errors
    /// [`Error::Context`] when an embedding model chooses, which only a call asks.
    pub fn choose(&self, input: &str) -> Result<Vec<Demo>> {
        match self.embedder_id() {
            None => Ok(self.at(self.pool.index.nearest(input, self.k, &self.excluded))),
            Some(id) => Err(Error::Context(format!(
                "the demonstrations are chosen by the embedding model `{id}`, which only a call asks; look at \
                 `inspect_history` or at the trace after one"
            ))),
        }
    }

    /// As [`choose`](Self::choose), by the embedding model; nothing when it is words that choose.
    pub(crate) async fn choose_by_meaning(&self, input: &Value) -> Result<Option<Vec<Demo>>> {
        let Some(meaning) = &self.meaning else { return Ok(None) };
        let text = input.as_object().map(|fields| text(&self.pool.inputs, fields)).unwrap_or_default();
        let pool =
            || self.pool.demos.iter().map(|demo| self::text(&self.pool.inputs, &demo.fields)).collect();
        Ok(Some(self.at(meaning.nearest(pool, &text, self.k, &self.excluded).await?)))
    }

    /// Those at these places, the first last.
    fn at(&self, places: Vec<usize>) -> Vec<Demo> {
        places.into_iter().rev().filter_map(|place| self.pool.demos.get(place).cloned()).collect()
    }
}

/// The values of inputs, one below the other.
fn text(inputs: &[String], fields: &Map<String, Value>) -> String {
    let mut text = String::new();
    for name in inputs {
        match fields.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(value)) => text.push_str(value),
            Some(value) => text.push_str(&value.to_string()),
        }
        text.push('\n');
    }
    text
}

impl PartialEq for NearestDemos {
    fn eq(&self, other: &Self) -> bool {
        self.k == other.k
            && self.excluded == other.excluded
            && self.embedder_id() == other.embedder_id()
            && self.pool.demos == other.pool.demos
    }
}

impl fmt::Debug for NearestDemos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearestDemos")
            .field("k", &self.k)
            .field("pool", &self.pool.demos.len())
            .field("meaning", &self.meaning)
            .finish()
    }
}
