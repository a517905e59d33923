//! The characters of JSON and of what models write in its place.

mod ahead;
mod chars;
mod escapes;
mod extent;
mod quoted;

pub(super) use ahead::{
    ends_so_far, key_follows, key_follows_so_far, opens_json, opens_json_so_far, quoted_key, unclosed_key,
    unclosed_key_here,
};
#[cfg(test)]
pub(super) use chars::STEPS;
pub(super) use chars::{Place, blank, closing, comment, count, skip_blank};
pub(super) use escapes::{Escapes, escape, unescape};
pub(super) use extent::{bare_len, value_len};
pub(super) use quoted::{before_key, quoted};
