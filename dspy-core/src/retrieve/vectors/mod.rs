//! Vectors and the nearest of them.

mod build;
mod copies;
mod graph;
mod index;
mod options;
mod table;
mod top;

pub(super) use index::SavedGraph;
pub use index::{Neighbour, VectorIndex};
pub use options::GraphOptions;
pub(crate) use top::{Scored, Top};
