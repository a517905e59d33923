//! A value as it is written, whatever type will ask for it: what models write in place of JSON, as a tree.

mod cursor;
mod node;
mod parse;

pub(super) use node::{Fault, Kind, Member, Node, TooDeep};
pub use parse::{ObjectMembers, object_members};
pub(super) use parse::{inside, value, whole};
