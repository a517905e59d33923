//! The engine of the `dspy` crate: signatures, adapters, parsing, modules and optimizers.
//!
//! A module of this list uses only those above it.

mod error;

mod files;

pub mod value;

pub mod signature;

pub mod lm;

pub mod adapter;

pub mod context;

pub mod module;

pub mod predict;

pub mod data;

pub mod evaluate;

pub use context::{configure, settings, with};
pub use error::{Error, FieldError, LmError, LmErrorKind, ParseError, ParseErrorKind, Result, StateError};
