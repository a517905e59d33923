//! How a graph is built and searched.

use serde::{Deserialize, Serialize};

/// How a graph of near neighbours is built and searched.
///
/// The more links and the more effort, the fewer of the nearest are missed, and the longer it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct GraphOptions {
    links: usize,
    pub(super) build_effort: usize,
    pub(super) effort: usize,
    pub(super) seed: u64,
}

impl Default for GraphOptions {
    /// 16 links, an effort of 128 in building and of 64 in searching.
    fn default() -> Self {
        Self { links: 16, build_effort: 128, effort: 64, seed: 0 }
    }
}

impl GraphOptions {
    /// The default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many neighbours a vector is connected with (*M* of the paper; twice as many on the ground level). Memory
    /// grows with it: about `8 * links` bytes a vector.
    pub fn links(mut self, n: usize) -> Self {
        self.links = n;
        self
    }

    /// Sets how many candidates are looked at for the neighbours of a vector (*efConstruction*).
    pub fn build_effort(mut self, n: usize) -> Self {
        self.build_effort = n;
        self
    }

    /// Sets how many vectors a search keeps in view (*ef*), and never fewer than it returns.
    pub fn effort(mut self, n: usize) -> Self {
        self.effort = n;
        self
    }

    /// How many neighbours a vector has at most on a level.
    pub(crate) fn width(&self, level: usize) -> usize {
        let links = self.links.clamp(2, 512);
        if level == 0 { links * 2 } else { links }
    }

    /// Sets the seed that the levels are drawn by. The same vectors and options give the same graph on any number of
    /// threads.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}
