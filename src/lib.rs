//! Program language models instead of prompting them.

pub use dspy_core::{Error, Result};
