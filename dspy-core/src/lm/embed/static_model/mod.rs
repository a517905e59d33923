//! Static embedding models: the vector of a text is the mean of those of its tokens.
//!
//! Format and computation are those of model2vec (Tulkens and van Dongen, *Model2Vec: Fast State-of-the-Art Static
//! Embeddings*, 2024), and of the module `StaticEmbedding` of Sentence Transformers.

mod folder;
mod table;
#[cfg(test)]
mod tests;

use std::{fmt, path::Path, sync::Arc};

use rayon::prelude::*;

use self::folder::Opened;
use super::{Embedder, Embeddings, InputType};
use crate::{LmError, LmErrorKind, lm::BoxFuture};

/// From how many bytes on texts are embedded on a thread for work that takes long, and how many at once there.
const LARGE: usize = 16 << 10;
const PIECE: usize = 64 << 10;

/// A static embedding model, which runs in this process (feature `static-embeddings`): a table with a vector for each
/// token. The vector of a text is the mean of its tokens' vectors.
///
/// It takes microseconds where a model with layers takes milliseconds, and finds less well. A model is a folder with
/// `model.safetensors`, `tokenizer.json` and `config.json`, as model2vec saves it, or one with `0_StaticEmbedding/`, as
/// Sentence Transformers does. Models are not downloaded: `hf download minishlab/potion-base-8M --local-dir
/// models/potion-base-8M`, for example, does.
///
/// ```no_run
/// use dspy_core::lm::embed::StaticModel;
///
/// # fn run() -> Result<(), dspy_core::LmError> {
/// let model = StaticModel::open("models/potion-base-8M")?;
/// let vectors = model.vectors(&["a cat", "a dog"])?;
/// assert_eq!(vectors[0].len(), model.dimension());
/// # Ok(()) }
/// ```
///
/// It is an [`Embedder`]. Its vectors cost less than a cache, so it is used as it is, without
/// [`EmbeddingModel::wrap`](super::EmbeddingModel::wrap). It makes no difference between documents and queries.
///
/// A model of model2vec looks at the first 512 tokens of a text, or as many as its `config.json` says in `max_length`. Text
/// that no token stands for does not count, and the vector of a text without tokens is zero. Numbers take 4 bytes of memory
/// each, and 1 where the file has them in 8 bits.
#[derive(Clone)]
pub struct StaticModel {
    core: Arc<Core>,
    dimension: usize,
    id: Arc<str>,
}

struct Core {
    model: Opened,
}

impl StaticModel {
    /// Opens the model in a folder. This reads its files and needs no runtime.
    ///
    /// # Errors
    /// [`LmErrorKind::Configuration`], which names the file and what is wrong with it.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, LmError> {
        let folder = folder.as_ref();
        let model = Opened::of_folder(folder).map_err(|why| {
            LmError::new(LmErrorKind::Configuration, format!("static/{}", folder.display()), why)
        })?;
        let (dimension, id) = (model.tensors.table.columns, format!("static/{}", model.digest).into());
        Ok(Self { core: Arc::new(Core { model }), dimension, id })
    }

    /// The model with vectors of their first `n` numbers: for models that were trained so that these are the most important
    /// ones (Matryoshka representations).
    ///
    /// # Errors
    /// [`LmErrorKind::Configuration`] when `n` is 0 or more than there are.
    pub fn shortened(self, n: usize) -> Result<Self, LmError> {
        let all = self.core.model.tensors.table.columns;
        if !(1..=all).contains(&n) {
            let message = format!("vectors can be shortened to 1 to {all} numbers, not to {n}");
            return Err(LmError::new(LmErrorKind::Configuration, &*self.id, message));
        }
        let id = if n == all {
            format!("static/{}", self.core.model.digest)
        } else {
            format!("static/{}/{n}", self.core.model.digest)
        };
        Ok(Self { dimension: n, id: id.into(), ..self })
    }

    /// How many numbers a vector has.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The vectors of texts, in their order, computed on all processors.
    ///
    /// # Errors
    /// [`LmErrorKind::InvalidRequest`] when the model's tokenizer fails on a text.
    pub fn vectors<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Vec<f32>>, LmError> {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        self.embed_now(&texts)
    }

    fn embed_now(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, LmError> {
        let failed = |why| LmError::new(LmErrorKind::InvalidRequest, &*self.id, why);
        let one = |text: &&str| self.core.vector(text, self.dimension);
        // Of several errors the first one is told, whichever came first.
        let all: Vec<_> = match texts {
            [_] | [] => texts.iter().map(one).collect(),
            _ => texts.par_iter().map(one).collect(),
        };
        all.into_iter().collect::<Result<_, _>>().map_err(failed)
    }

    async fn embed_later(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, LmError> {
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let runtime = tokio::runtime::Handle::try_current().ok().filter(|_| bytes + texts.len() > LARGE);
        let Some(runtime) = runtime else { return self.embed_now(texts) };
        let mut vectors = Vec::with_capacity(texts.len());
        // One piece after the other, so that a call that is given up ends soon.
        let mut rest = texts;
        while !rest.is_empty() {
            let mut bytes = 0;
            let within = |text: &&&str| {
                bytes += text.len() + 1;
                bytes <= PIECE
            };
            let (piece, after) = rest.split_at(rest.iter().take_while(within).count().max(1));
            let piece: Vec<String> = piece.iter().map(|text| (*text).to_owned()).collect();
            let model = self.clone();
            let work = runtime.spawn_blocking(move || model.vectors(&piece));
            let found = work.await.map_err(|e| {
                LmError::new(
                    LmErrorKind::InvalidRequest,
                    &*self.id,
                    format!("the computation ended early: {e}"),
                )
            })?;
            vectors.append(&mut found?);
            rest = after;
        }
        Ok(vectors)
    }
}

impl Core {
    fn vector(&self, text: &str, dimension: usize) -> Result<Vec<f32>, String> {
        let Opened { tokenizer, tensors, passed_over, limits, normalize, .. } = &self.model;
        // Text that is far beyond the limit of tokens is not even cut into them.
        let (most, characters) = limits.unwrap_or((usize::MAX, usize::MAX));
        let text = text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end]);
        let tokens = tokenizer.encode_fast(text, false).map_err(|e| format!("the tokenizer fails: {e}"))?;
        let mut sum = vec![0.0; dimension];
        let mut count = 0_u32;
        for token in tokens.get_ids().iter().take(most).filter(|token| Some(**token) != *passed_over) {
            let i = *token as usize;
            let row = tensors.mapping.as_ref().map_or(Some(i), |rows| rows.get(i).map(|row| *row as usize));
            let weight = tensors.weights.as_ref().map_or(Some(1.0), |weights| weights.get(i).copied());
            let (Some(row), Some(weight)) = (row, weight) else {
                return Err(format!("the tokenizer gives the token {i}, which has no vector"));
            };
            tensors.table.add(row, weight, &mut sum);
            count += 1;
        }
        let mut divisor = count.max(1) as f32;
        if *normalize {
            divisor = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
            if divisor == 0.0 {
                divisor = 1.0;
            }
        }
        sum.iter_mut().for_each(|x| *x /= divisor);
        Ok(sum)
    }
}

impl Embedder for StaticModel {
    /// `static/` and a digest of the model's files: the same wherever the folder lies.
    fn id(&self) -> &str {
        &self.id
    }

    fn embed<'a>(
        &'a self,
        texts: &'a [&'a str],
        _input: InputType,
    ) -> BoxFuture<'a, Result<Embeddings, LmError>> {
        Box::pin(async move { Ok(self.embed_later(texts).await?.into()) })
    }
}

impl fmt::Debug for StaticModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticModel")
            .field("id", &self.id)
            .field("dimension", &self.dimension)
            .finish_non_exhaustive()
    }
}
