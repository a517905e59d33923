//! Several retrievers as one.

use std::{collections::HashMap, fmt, sync::Arc};

use futures_util::future::try_join_all;

use super::{
    Passage, Retriever, observed,
    vectors::{Scored, Top},
};
use crate::{Result, lm::BoxFuture};

/// How much the first ranks stand out; the constant of the paper.
const CONSTANT: f32 = 60.0;
/// How many passages each retriever is asked for unless set, as a multiple of what is wanted, and at least.
const DEPTH: (usize, usize) = (3, 50);

/// Several retrievers whose findings are ranked together: a passage scores `weight / (60 + rank)` for each that found it
/// (reciprocal rank fusion: Cormack, Clarke and Büttcher, 2009). Only ranks count, so the retrievers' scores need not be
/// comparable.
///
/// Passages of the same id are the same passage. All retrievers are asked at once; the failure of one is the failure of
/// the search.
///
/// ```
/// # use dspy_core::{Result, lm::embed::Embedder, retrieve::{Bm25, DenseIndex, Hybrid, Passage}};
/// # async fn run(passages: Vec<Passage>, embedder: impl Embedder) -> Result<()> {
/// let words = Bm25::new(passages.clone());
/// let meaning = DenseIndex::build(passages, embedder).await?;
/// let both = Hybrid::new().with(words).with(meaning);
/// # let _ = both; Ok(()) }
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Hybrid {
    parts: Vec<(Arc<dyn Retriever>, f32)>,
    constant: Option<f32>,
    depth: Option<usize>,
}

impl Hybrid {
    /// No retriever; add them with [`with`](Self::with).
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a retriever.
    pub fn with(self, retriever: impl Retriever) -> Self {
        self.weighted(retriever, 1.0)
    }

    /// Adds a retriever whose ranks count so many times.
    pub fn weighted(mut self, retriever: impl Retriever, weight: f32) -> Self {
        self.parts.push((Arc::new(retriever), weight));
        self
    }

    /// Sets the constant: 60 unless set. The smaller, the more the first ranks stand out.
    pub fn constant(mut self, constant: f32) -> Self {
        self.constant = Some(constant.max(0.0));
        self
    }

    /// Sets how many passages each retriever is asked for: three times as many as are wanted and at least 50, unless set.
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = Some(depth);
        self
    }

    fn fuse(&self, found: Vec<Vec<Passage>>, k: usize) -> Vec<Passage> {
        let constant = self.constant.unwrap_or(CONSTANT);
        let mut at: HashMap<String, usize> = HashMap::new();
        let mut passages: Vec<Passage> = Vec::new();
        for (list, (_, weight)) in found.into_iter().zip(&self.parts) {
            let mut met = std::collections::HashSet::new();
            for (rank, passage) in list.into_iter().enumerate() {
                let place = *at.entry(passage.id.clone()).or_insert_with(|| {
                    passages.push(passage.score(0.0));
                    passages.len() - 1
                });
                // Twice in one list counts once.
                if met.insert(place)
                    && let Some(passage) = passages.get_mut(place)
                {
                    passage.score += weight / (constant + (rank + 1) as f32);
                }
            }
        }
        let mut top = Top::new(k);
        for (place, passage) in passages.iter().enumerate() {
            top.offer(Scored { score: passage.score, place: place as u32 });
        }
        let best = top.into_sorted();
        best.iter().filter_map(|scored| passages.get(scored.place as usize).cloned()).collect()
    }
}

impl Retriever for Hybrid {
    fn search<'a>(&'a self, query: &'a str, k: usize) -> BoxFuture<'a, Result<Vec<Passage>>> {
        observed::search(
            "Hybrid",
            query,
            k,
            Box::pin(async move {
                let depth = self.depth.unwrap_or_else(|| k.saturating_mul(DEPTH.0).max(DEPTH.1)).max(k);
                let found =
                    try_join_all(self.parts.iter().map(|(part, _)| part.search(query, depth))).await?;
                Ok(self.fuse(found, k))
            }),
        )
    }
}

impl fmt::Debug for Hybrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weights: Vec<f32> = self.parts.iter().map(|(_, weight)| *weight).collect();
        f.debug_struct("Hybrid").field("weights", &weights).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieve::from_fn;

    fn fixed(ids: &'static [&'static str]) -> impl Retriever {
        from_fn(move |_, k| async move {
            Ok(ids.iter().take(k).map(|id| Passage::new(*id).id(*id).score(7.0)).collect())
        })
    }

    async fn ids(hybrid: Hybrid, k: usize) -> Vec<String> {
        hybrid.search("q", k).await.unwrap().into_iter().map(|p| p.id).collect()
    }

    #[tokio::test]
    async fn what_several_find_comes_before_what_one_finds() {
        let both = Hybrid::new().with(fixed(&["a", "b", "c"])).with(fixed(&["d", "c", "e"]));
        let found = both.search("q", 2).await.unwrap();
        assert_eq!(found[0].id, "c");
        assert!((found[0].score - (1.0 / 63.0 + 1.0 / 62.0)).abs() < 1e-6);
        assert_eq!(found[1].id, "a", "of equal ranks, the first retriever's");
    }

    #[tokio::test]
    async fn weights_and_repetitions() {
        let weighted = Hybrid::new().with(fixed(&["a"])).weighted(fixed(&["b"]), 2.0);
        assert_eq!(ids(weighted, 2).await, ["b", "a"]);
        let repeated = Hybrid::new().with(fixed(&["a", "b", "b", "b"]));
        assert_eq!(ids(repeated, 9).await, ["a", "b"]);
        assert!(ids(Hybrid::new(), 3).await.is_empty());
    }

    #[tokio::test]
    async fn a_failure_is_not_hidden() {
        let failing = from_fn(|_, _| async { Err(crate::Error::Context("down".into())) });
        let error = Hybrid::new().with(fixed(&["a"])).with(failing).search("q", 1).await.unwrap_err();
        assert_eq!(error.to_string(), "down");
    }
}
