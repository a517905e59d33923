//! The engine of the `dspy` crate: signatures, adapters, parsing, modules and optimizers.

mod error;
pub mod lm;
pub mod signature;
pub mod value;

pub use error::{Error, FieldError, LmError, LmErrorKind, ParseError, ParseErrorKind, Result, StateError};
