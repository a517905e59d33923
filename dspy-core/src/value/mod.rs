//! How any serde type is written into a prompt and read from what a model wrote.
//!
//! Writing: [`write`] turns a value into [`Content`]: text with, possibly, media parts at positions in it.
//! Reading: [`read`] is one tolerant [`serde::Deserializer`] driven by the asking type.

mod content;
mod de;
mod hint;
mod ser;

pub use content::{Content, Part};
pub use de::{Coercion, Form, Raw, ReadError, ReadOptions, Reading, read, read_json, read_seed};
pub use hint::{DynTypeInfo, TypeInfo, hint};
pub use ser::{WriteError, write, write_json};
