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
        index.table.numbers.shrink_to_fit();
        Ok(index)
    }

    /// Makes room for so many vectors of this dimension, so that a large index is not copied while it grows.
    pub(crate) fn reserve(&mut self, vectors: usize, dimension: usize) {
        let more = vectors.saturating_sub(self.len()).saturating_mul(dimension);
        self.table.numbers.reserve_exact(more);
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

    /// The same with a graph: Hierarchical Navigable Small World (Malkov and Yashunin 2018). The graph is the same for the
    /// same vectors and options, on any number of processors. A search that would look at most of the vectors anyway, of
    /// few or for many, compares with all of them.
    ///
    /// Building uses all processors, and takes minutes for a million vectors: call it outside of async code, or in `tokio::task::spawn_blocking`.
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

    /// The graph, unless it would look at as many vectors as there are: then comparing with all takes no longer.
    fn graph_for(&self, k: usize) -> Option<(&Graph, &GraphOptions)> {
        let (graph, options) = self.graph.as_ref()?;
        (graph.looked_at(k, options.effort) < self.len()).then_some((graph, options))
    }

    /// Whether a search compares the query with every vector, by all processors if there are many.
    pub(crate) fn scans(&self, k: usize) -> bool {
        self.graph_for(k).is_none()
    }

    /// About how many products a search computes.
    pub(crate) fn products(&self, k: usize) -> usize {
        let rows =
            self.graph_for(k).map_or(self.len(), |(graph, options)| graph.looked_at(k, options.effort));
        rows.saturating_mul(self.dimension())
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
        if numbers.iter().any(|x| !x.is_finite()) {
            return Err("a vector has an element that is not a finite number".to_owned());
        }
        let table = Table { dimension, numbers };
        let graph = match graph {
            None => None,
            Some(SavedGraph { options, entry, levels, ground, upper }) => {
                let links = options.width(1);
                let graph = Graph::restore(
                    &table,
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
    /// [`Error::Retrieval`](crate::Error::Retrieval) when the dimension is not that of the index, or an element is not a
    /// finite number.
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
        if vector.iter().any(|x| !x.is_finite()) {
            return Err(error(
                "the vector searched for has an element that is not a finite number".to_owned(),
            ));
        }
        let mut query = vector.to_vec();
        normalize(&mut query);
        let found = match self.graph_for(k) {
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

    /// So small that a graph is used for the few vectors of a test.
    fn small() -> GraphOptions {
        GraphOptions::default().links(8).build_effort(64).effort(20)
    }

    fn recall(vectors: &[Vec<f32>], queries: &[Vec<f32>], options: GraphOptions) -> f64 {
        let exact = VectorIndex::new(vectors).unwrap();
        let graph = VectorIndex::new(vectors).unwrap().with_graph(options);
        assert!(!graph.scans(10) && exact.scans(10));
        let mut found = 0;
        for query in queries {
            let truth = exact.nearest(query, 10).unwrap();
            let near = graph.nearest(query, 10).unwrap();
            assert!(near.windows(2).all(|w| w[0].score >= w[1].score));
            found += near.iter().filter(|n| truth.contains(n)).count();
        }
        found as f64 / (queries.len() * 10) as f64
    }

    #[test]
    fn the_graph_finds_nearly_all_of_the_nearest() {
        let found = recall(&clustered(1200, 12, 1), &clustered(50, 12, 2), small());
        assert!(found >= 0.9, "{found}");
        let more = recall(&clustered(1200, 12, 1), &clustered(50, 12, 2), small().effort(60));
        assert!(more >= 0.98 && more >= found, "{more}");
        // Directions without any order are the hard case.
        let mut rng = Rng::new(9);
        let mut even = |n| -> Vec<Vec<f32>> {
            (0..n).map(|_| (0..12).map(|_| rng.unit() as f32 - 0.5).collect()).collect()
        };
        let (vectors, queries) = (even(1200), even(50));
        let found = recall(&vectors, &queries, small().effort(60));
        assert!(found >= 0.95, "{found}");
    }

    #[test]
    fn a_graph_is_the_same_each_time() {
        let build = || VectorIndex::new(clustered(600, 8, 3)).unwrap().with_graph(GraphOptions::default());
        let (a, b) = (build().graph.unwrap().0, build().graph.unwrap().0);
        assert_eq!((a.ground, a.upper, a.entry), (b.ground, b.upper, b.entry));
    }

    #[test]
    fn every_vector_finds_itself() {
        for n in [1, 2, 3, 40, 200, 1000] {
            let vectors = clustered(n, 8, 4);
            let index = VectorIndex::new(&vectors).unwrap().with_graph(small());
            for (i, vector) in vectors.iter().enumerate() {
                assert_eq!(index.nearest(vector, 1).unwrap()[0].place, i, "of {n}");
            }
        }
    }

    #[test]
    fn all_copies_are_found_the_first_of_them_first() {
        let different = clustered(60, 12, 5);
        let vectors: Vec<_> = (0..20).flat_map(|_| different.iter().cloned()).collect();
        let index = VectorIndex::new(&vectors).unwrap().with_graph(small());
        assert!(!index.scans(20));
        for (i, vector) in different.iter().enumerate() {
            let found: Vec<usize> = index.nearest(vector, 20).unwrap().iter().map(|n| n.place).collect();
            assert_eq!(found, (0..20).map(|copy| copy * 60 + i).collect::<Vec<_>>());
        }
        // Nothing but copies, and vectors without direction.
        let one = VectorIndex::new(vec![[0.0, 0.0]; 2000]).unwrap().with_graph(small());
        assert_eq!(
            one.nearest(&[0.0, 1.0], 3).unwrap().iter().map(|n| n.place).collect::<Vec<_>>(),
            [0, 1, 2]
        );
    }

    #[test]
    fn vectors_that_differ_by_little_are_no_trap() {
        let different = clustered(30, 12, 5);
        let vary = |v: &Vec<f32>, i: usize| v.iter().map(|x| x + i as f32 * 1e-6).collect::<Vec<_>>();
        let vectors: Vec<_> = (0..1200).map(|i| vary(&different[i / 40], i % 40)).collect();
        let index = VectorIndex::new(&vectors).unwrap().with_graph(small());
        let found = different.iter().filter(|v| index.nearest(v, 1).unwrap()[0].score > 0.9999).count();
        assert!(found >= 29, "{found} of 30");
    }

    #[test]
    fn as_many_are_found_as_there_are() {
        let vectors = clustered(1500, 8, 6);
        let index = VectorIndex::new(&vectors).unwrap().with_graph(small());
        for k in [1499, 1500, 1501, usize::MAX] {
            assert_eq!(index.nearest(&vectors[0], k).unwrap().len(), k.min(1500));
        }
        assert!(index.nearest(&vectors[0], 0).unwrap().is_empty());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = |result: Result<VectorIndex>| result.unwrap_err().to_string();
        assert!(message(VectorIndex::new([vec![1.0], vec![1.0, 2.0]])).contains("vector 1 has 2 numbers"));
        assert!(message(VectorIndex::new([vec![f32::NAN]])).contains("not a finite number"));
        let index = VectorIndex::new([[1.0, 0.0]]).unwrap();
        assert!(index.nearest(&[1.0], 1).unwrap_err().to_string().contains("embedding model"));
        for x in [f32::NAN, f32::INFINITY] {
            assert!(index.nearest(&[x, 1.0], 1).unwrap_err().to_string().contains("not a finite number"));
        }
        // As long and as short as numbers get, and without a direction.
        let scores = |query: [f32; 2]| index.nearest(&query, 1).unwrap()[0].score;
        assert_eq!((scores([f32::MAX, 0.0]), scores([1e-44, 0.0]), scores([0.0, 0.0])), (1.0, 1.0, 0.0));
        let empty = VectorIndex::new(Vec::<Vec<f32>>::new()).unwrap();
        assert!(empty.is_empty() && empty.nearest(&[1.0], 3).unwrap().is_empty());
        assert!(empty.with_graph(GraphOptions::default()).nearest(&[1.0], 3).unwrap().is_empty());
    }
}
