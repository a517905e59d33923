#![doc = include_str!("../README.md")]

mod content;
mod de;
mod encoded;
mod foreign;
mod hint;
mod info;
pub mod lang;
mod ser;
mod shorten;
mod types;
mod validate;

pub use content::{Content, Part, Segment};
pub use de::{
    Choice, Coercion, CoercionKind, Form, Language, MemberPiece, MemberReader, ObjectMembers, PartialReader,
    Prose, Raw, ReadError, ReadOptions, Reading, choose, object_members, read, read_json, read_seed,
};
pub use hint::{HintStyle, choices, hint, hint_with, strict_object, strict_schema};
pub use info::{DynTypeInfo, Kind, TypeInfo};
pub use ser::{WriteError, write, write_answer, write_json, write_json_text, write_output, write_saved};
pub use shorten::shorten;

/// Values of types that the code need not know: what is generic over a type calls this and stays thin.
#[doc(hidden)]
pub mod erased {
    pub use crate::{
        de::{Slot, read_missing, read_slot},
        foreign::without_own_patterns,
        ser::{Write, Writer, tree, write_value},
    };
}

pub use types::{
    Audio, Citation, Citations, Code, Document, File, History, Image, MediaError, Reasoning, ToolCall,
    ToolCalls, ToolSpec, Turn, to_dspy_marker,
};
pub use validate::{Validator, Violation};

/// JSON, in which values are kept whose type is known at run time only: demonstrations, turns, records.
// An alias, because the variants of a re-exported enum would make the compiler write `std::string::String` in full.
pub type Value = serde_json::Value;
