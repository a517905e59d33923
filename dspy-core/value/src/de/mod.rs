//! Reading values from what models write.
//!
//! An answer that is plain JSON for its type is left to `serde_json`. Any other is taken apart into a tree, whatever
//! type asks, and the type is read from that by one [`serde::Deserializer`]. What is bent on the way is noted. Where a
//! text has several places for a value, each is tried, the likeliest first; where an attempt fails in a way that tells
//! what to do otherwise (a name in another case, a key that comes twice), it is made again with that in mind.
//!
//! From the bottom up: [`lex`] knows the characters, [`tree`] takes JSON apart as models write it, [`find`] tells where
//! in a text that stands, [`prose`] knows lists and objects without brackets, [`scalar`] what a piece of text is alone,
//! [`ways`]
//! orders what may be tried, [`ask`], [`shape`], [`variant`] and [`any`] answer what the types ask, and [`reader`] passes it
//! on to them.

mod access;
mod any;
mod ask;
mod coercion;
mod cx;
mod fail;
mod find;
mod lex;
mod options;
mod partial;
mod place;
mod prose;
mod read;
mod reader;
mod scalar;
mod shape;
mod strict;
mod tree;
mod variant;
mod ways;

pub use self::{
    coercion::{Coercion, CoercionKind},
    options::{Form, Language, Prose, Raw, ReadError, ReadOptions, Reading},
    partial::{MemberPiece, MemberReader, PartialReader},
    read::{Slot, read, read_json, read_missing, read_seed, read_slot},
    scalar::{Choice, choose},
    tree::{ObjectMembers, object_members},
};
