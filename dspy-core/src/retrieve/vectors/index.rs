//! An index of vectors, with a graph or without.

use std::borrow::Cow;

use super::{
    build,
    graph::Graph,
    options::GraphOptions,
    table::{Table, normalize},
};
use crate::{Result, retrieve::error::error};

/// One of the nearest vectors.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Neighbour {
    /// The vector's place in the index, from 0.
    pub place: usize,
    /// The cosine of the angle between it and the query: 1 in the same direction, 0 at a right angle.
    pub score: f32,
}

/// Vectors in memory, of which the nearest to another vector are found: by comparing it with all of them, or, for many
/// vectors, by a [graph](Self::with_graph) that looks at some hundreds.
///
/// Nearness is the cosine. A number takes 4 bytes.
///
/// ```
/// # use dspy_core::retrieve::VectorIndex;
/// # fn main() -> dspy_core::Result<()> {
/// let index = VectorIndex::new([[1.0, 0.0], [0.7, 0.7], [0.0, 2.0]])?;
/// let nearest = index.nearest(&[0.1, 1.0], 2)?;
/// assert_eq!(nearest.iter().map(|n| n.place).collect::<Vec<_>>(), [2, 1]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct VectorIndex {
    table: Table,
    graph: Option<(Graph, GraphOptions)>,
}

/// A graph as it is saved.
pub(crate) struct SavedGraph<'a> {
    pub(crate) options: GraphOptions,
    pub(crate) entry: u32,
    pub(crate) levels: Cow<'a, [u8]>,
    pub(crate) ground: Cow<'a, [u32]>,
    pub(crate) upper: Cow<'a, [u32]>,
}

impl VectorIndex {
    /// An index of vectors, all of one dimension, that compares a query with all of them.
    ///
    /// # Errors
    /// [`Error::Retrieval`](crate::Error::Retrieval) when the dimensions differ, or an element is not a finite number.
    pub fn new<V: AsRef<[f32]>>(vectors: impl IntoIterator<Item = V>) -> Result<Self> {
        let mut index = Self::empty();
        index.extend(vectors)?;
        Ok(index)
    }

    pub(crate) fn empty() -> Self {
        Self { table: Table::new(0), graph: None }
    }

    /// Adds vectors to an index that has no graph yet.
    pub(crate) fn extend<V: AsRef<[f32]>>(&mut self, vectors: impl IntoIterator<Item = V>) -> Result<()> {
        for vector in vectors {
            let (i, vector) = (self.len(), vector.as_ref());
            if i == 0 {
                self.table.dimension = vector.len();
            }
            if vector.is_empty() || vector.len() != self.dimension() {
                let (got, wanted) = (vector.len(), self.dimension());
                return Err(error(format!(
                    "vector {i} has {got} numbers, the first has {wanted}; all need the same, and at least one"
                )));
            }
            if vector.iter().any(|x| !x.is_finite()) {
                return Err(error(format!("vector {i} has an element that is not a finite number")));
            }
            if i >= u32::MAX as usize {
                return Err(error("an index holds at most 4,294,967,295 vectors".to_owned()));
            }
            self.table.push(vector);
        }
        Ok(())
    }

    /// The same with a graph: Hierarchical Navigable Small World (Malkov and Yashunin 2018). Building uses all processors,
    /// and takes minutes for a million vectors: call it outside of async code, or in `tokio::task::spawn_blocking`.
    #[must_use]
    pub fn with_graph(mut self, options: GraphOptions) -> Self {
        self.graph = Some((build::build(&self.table, &options), options));
        self
    }

    /// The same with this effort in searching; see [`GraphOptions::effort`]. Without a graph it changes nothing.
    #[must_use]
    pub fn with_effort(mut self, effort: usize) -> Self {
        if let Some((_, options)) = &mut self.graph {
            options.effort = effort;
        }
        self
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many numbers a vector has; 0 without vectors.
    pub fn dimension(&self) -> usize {
        self.table.dimension
    }

    /// How many products a search computes; some thousands with a graph.
    pub(crate) fn products(&self) -> usize {
        if self.graph.is_some() { 0 } else { self.table.numbers.len() }
    }

    /// The vectors, one after another.
    pub(crate) fn numbers(&self) -> &[f32] {
        &self.table.numbers
    }

    pub(crate) fn saved_graph(&self) -> Option<SavedGraph<'_>> {
        self.graph.as_ref().map(|(graph, options)| SavedGraph {
            options: *options,
            entry: graph.entry,
            levels: Cow::Borrowed(&graph.levels),
            ground: Cow::Borrowed(&graph.ground),
            upper: Cow::Borrowed(&graph.upper),
        })
    }

    /// The index that was saved so, or what is wrong with it.
    pub(crate) fn restore(
        dimension: usize,
        numbers: Vec<f32>,
        graph: Option<SavedGraph<'_>>,
    ) -> Result<Self, String> {
        let table = Table { dimension, numbers };
        let graph = match graph {
            None => None,
            Some(SavedGraph { options, entry, levels, ground, upper }) => {
                let links = options.width(1);
                let graph = Graph::restore(
                    links,
                    levels.into_owned(),
                    ground.into_owned(),
                    upper.into_owned(),
                    entry,
                );
                Some((graph.ok_or("the graph does not fit the vectors")?, options))
            }
        };
        Ok(Self { table, graph })
    }

    /// The vector of a place, scaled to length one.
    pub fn vector(&self, place: usize) -> Option<&[f32]> {
        (place < self.len()).then(|| self.table.row(place as u32))
    }

    /// The `k` nearest to a vector, the nearest first; of equally near ones, the first of the index.
    ///
    /// # Errors
    /// [`Error::Retrieval`](crate::Error::Retrieval) when the dimension is not that of the index.
    pub fn nearest(&self, vector: &[f32], k: usize) -> Result<Vec<Neighbour>> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        if vector.len() != self.dimension() {
            let (got, wanted) = (vector.len(), self.dimension());
            return Err(error(format!(
                "a vector of {got} numbers was searched in an index of vectors of {wanted}; use the embedding model \
                 that the index was built with"
            )));
        }
        let mut query = vector.to_vec();
        normalize(&mut query);
        let found = match &self.graph {
            None => self.table.nearest(&query, k),
            Some((graph, options)) => graph.nearest(&self.table, &query, k, options.effort),
        };
        Ok(found.into_iter().map(|s| Neighbour { place: s.place as usize, score: s.score }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    /// Points around centres, as embeddings are.
    fn clustered(n: usize, dimension: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut rng = Rng::new(seed);
        let mut point = |centre: Option<&Vec<f32>>, spread: f64| -> Vec<f32> {
            (0..dimension)
                .map(|i| centre.map_or(0.0, |c| c[i]) + ((rng.unit() - 0.5) * spread) as f32)
                .collect()
        };
        let centres: Vec<Vec<f32>> = (0..20).map(|_| point(None, 2.0)).collect();
        (0..n).map(|i| point(Some(&centres[i % 20]), 1.0)).collect()
    }

    #[test]
    fn the_graph_finds_nearly_all_of_the_nearest() {
        let vectors = clustered(1000, 12, 1);
        let exact = VectorIndex::new(&vectors).unwrap();
        let graph = VectorIndex::new(&vectors).unwrap().with_graph(GraphOptions::default());
        let mut found = 0;
        let queries = clustered(50, 12, 2);
        for query in &queries {
            let truth = exact.nearest(query, 10).unwrap();
            let near = graph.nearest(query, 10).unwrap();
            assert!(near.windows(2).all(|w| w[0].score >= w[1].score));
            found += near.iter().filter(|n| truth.iter().any(|t| t.place == n.place)).count();
        }
        assert!(found >= 485, "{found} of 500");
    }

    #[test]
    fn a_graph_is_the_same_each_time() {
        let build = || VectorIndex::new(clustered(600, 8, 3)).unwrap().with_graph(GraphOptions::default());
        let (a, b) = (build().graph.unwrap().0, build().graph.unwrap().0);
        assert_eq!((a.ground, a.upper, a.entry), (b.ground, b.upper, b.entry));
    }

    #[test]
    fn every_vector_finds_itself() {
        for n in [1, 2, 3, 40, 200] {
            let vectors = clustered(n, 8, 4);
            let index = VectorIndex::new(&vectors).unwrap().with_graph(GraphOptions::default().effort(200));
            for (i, vector) in vectors.iter().enumerate() {
                assert_eq!(index.nearest(vector, 1).unwrap()[0].place, i, "of {n}");
            }
        }
    }

    #[test]
    fn copies_are_no_trap() {
        let different = clustered(30, 12, 5);
        let vectors: Vec<_> = different.iter().flat_map(|v| std::iter::repeat_n(v.clone(), 40)).collect();
        let index = VectorIndex::new(&vectors).unwrap().with_graph(GraphOptions::default());
        let found = different.iter().filter(|v| index.nearest(v, 1).unwrap()[0].score > 0.9999).count();
        assert!(found >= 29, "{found} of 30");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = |result: Result<VectorIndex>| result.unwrap_err().to_string();
        assert!(message(VectorIndex::new([vec![1.0], vec![1.0, 2.0]])).contains("vector 1 has 2 numbers"));
        assert!(message(VectorIndex::new([vec![f32::NAN]])).contains("not a finite number"));
        let index = VectorIndex::new([[1.0, 0.0]]).unwrap();
        assert!(index.nearest(&[1.0], 1).unwrap_err().to_string().contains("embedding model"));
        let empty = VectorIndex::new(Vec::<Vec<f32>>::new()).unwrap();
        assert!(empty.is_empty() && empty.nearest(&[1.0], 3).unwrap().is_empty());
        assert!(empty.with_graph(GraphOptions::default()).nearest(&[1.0], 3).unwrap().is_empty());
    }
}
