//! Numbers and booleans in the middle of text, and what gives none.

mod boolean;
mod nothing;
mod number;
mod quantity;

pub(super) use self::{
    boolean::boolean,
    nothing::{corrected, is_nothing, is_nothing_for_scalar, is_refusal, unasked, without_thoughts},
    number::{number, plain},
};

/// A note on what had to be bent: what, and how far.
pub(super) type Note = (&'static str, u32);

/// Whether a text is a number or a boolean and nothing else.
pub(super) fn is_literal(text: &str) -> bool {
    plain(text) || matches!(text, "true" | "false" | "True" | "False")
}
