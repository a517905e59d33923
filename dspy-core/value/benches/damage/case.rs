//! What is damaged.

use serde_json::Value;

use crate::types::Type;

/// What a kind of damage may look at.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) ty: &'a Type,
    /// The value that is meant.
    pub(crate) value: &'a Value,
    /// Another value of the type.
    pub(crate) draft: &'a Value,
}
