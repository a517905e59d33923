//! Writing values into prompts (placeholder).

use serde::Serialize;
use serde_json::Value;

use super::Content;

/// A value that could not be written into a prompt.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct WriteError(pub String);

/// Writes a value as it stands in a prompt: text raw, numbers and booleans plain, a list of texts as numbered
/// passages, everything else as JSON.
///
/// # Errors
/// [`WriteError`] when the type's own `Serialize` fails or uses a map key that JSON cannot hold.
pub fn write<T: Serialize + ?Sized>(value: &T, out: &mut Content) -> Result<(), WriteError> {
    match write_json(value)? {
        Value::String(s) => out.push_str(&s),
        v => out.push_str(&v.to_string()),
    }
    Ok(())
}

/// A value as a JSON tree, as it is kept in demos and saved state.
///
/// # Errors
/// As [`write`].
pub fn write_json<T: Serialize + ?Sized>(value: &T) -> Result<Value, WriteError> {
    // Through text, because a tree would widen `0.1f32` to `0.10000000149011612`.
    let text = serde_json::to_string(value).map_err(|e| WriteError(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| WriteError(e.to_string()))
}
