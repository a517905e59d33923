//! Errors of what is in this process.

use crate::{Error, RetrievalError};

/// An error of an index in this process.
pub(crate) fn error(message: String) -> Error {
    RetrievalError::new("index", message).into()
}
