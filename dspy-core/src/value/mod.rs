//! How any serde type is written into a prompt and read from what a model wrote.
//!
//! Writing: [`write()`] turns a value into [`Content`]: text with, possibly, media parts at positions in it.
//! Reading: [`read`] is one tolerant [`serde::Deserializer`] driven by the asking type.

mod content;
mod de;
mod dynamic;
mod hint;
mod info;
pub mod lang;
mod ser;
mod types;
mod validate;

pub use content::{Content, Part, Segment};
pub(crate) use de::object_members;
pub use de::{
    Coercion, Form, PartialReader, Raw, ReadError, ReadOptions, Reading, read, read_json, read_seed,
};
pub(crate) use de::{MemberPiece, Members};
pub use dynamic::Types;
pub(crate) use dynamic::{Dynamic, constant};
pub(crate) use hint::choices;
pub use hint::{HintStyle, hint, hint_with, strict_object, strict_schema};
pub use info::{DynTypeInfo, Kind, TypeInfo};
pub use ser::{WriteError, write, write_json, write_output};
pub use types::{
    Audio, Citation, Citations, Code, Document, File, History, Image, MediaError, Reasoning, ToolCall,
    ToolCalls, ToolSpec, Turn, to_dspy_marker,
};
pub use validate::{Validator, Violation};
