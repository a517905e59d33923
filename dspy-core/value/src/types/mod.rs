//! Field types with a meaning of their own: media, code, reasoning, conversations and tool calls.

mod citation;
mod code;
mod history;
mod marker;
mod media;
mod reasoning;
mod source;
mod tool;

pub use citation::{Citation, Citations, Document};
pub use code::Code;
pub use history::{History, Turn};
pub use marker::to_dspy_marker;
pub use media::{Audio, File, Image};
pub use reasoning::Reasoning;
pub use source::MediaError;
pub use tool::{ToolCall, ToolCalls, ToolSpec};

pub(crate) use code::CODE_TOKEN;
pub(crate) use marker::{has_marks, to_dspy_marker_inside};

/// The key in a schema under which a field type names its kind.
pub(crate) const KIND_KEY: &str = "x-dspy";
/// The key in the schema of code under which its language stands.
pub(crate) const LANGUAGE_KEY: &str = "x-dspy-language";

#[cfg(test)]
mod tests;
