//! The engine of the `dspy` crate: signatures, adapters, parsing, modules and optimizers.
//!
//! A module of this list uses only those above it.

// Lets the macros name this crate from inside of it, too.
#[allow(unused_extern_crates)]
extern crate self as dspy_core;

mod quota;

mod error;
mod fields;

mod files;

pub use dspy_value as value;

pub mod signature;

pub mod lm;

pub mod adapter;

pub mod context;

pub mod tool;

#[cfg(feature = "sandbox")]
pub mod sandbox;

pub mod module;

pub mod data;

pub mod retrieve;

mod metric;

pub mod predict;

#[cfg(feature = "mcp")]
pub mod mcp;

pub mod evaluate;

pub mod optimize;

#[cfg(feature = "otel")]
pub mod otel;

#[cfg(feature = "local")]
pub mod local;

#[doc(hidden)]
pub mod __private;

pub use context::{configure, settings, with};
pub use error::{
    AssertionError, Error, FieldError, LmError, LmErrorKind, ParseError, ParseErrorKind, Result,
    RetrievalError, StateError, ToolError, ToolErrorKind,
};
