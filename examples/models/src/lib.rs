//! The tiny language model of this repository: the text it is trained on and the tasks it is measured on.
//!
//! Everything is written by the generators here, from one seed, and in the very words in which the library asks
//! and answers. What the model is, and what it is not, stands in `README.md`.

pub mod cells;
mod episode;
pub mod fixed;
pub mod lexicon;
pub mod tasks;
pub mod wording;

pub use episode::{END, Episode, text};
