//! What a piece of text is as a scalar. Structure is read in any language: a value alone, in marks, behind a label, with
//! its unit. A sentence is read under the table of its language only.

mod bare;
mod boolean;
mod digits;
mod english;
mod labels;
mod name;
mod notation;
mod nothing;
mod number;
mod quantity;
mod said;

pub use self::name::{Choice, choose};
pub(super) use self::{
    boolean::boolean,
    digits::{Number, plain},
    labels::{announces, turns},
    name::{loosely, nearest, occurring, same},
    notation::forms,
    nothing::{is_nothing, is_nothing_for_scalar},
    number::number,
    said::Unsaid,
};

/// The items that a word such as `and` joins, at the end of a list.
pub(super) fn join(text: &str) -> Vec<&str> {
    let words: Vec<&str> = text.split(' ').collect();
    if let [_, .., _] = words[..]
        && let Some(at) = words.iter().position(|word| labels::has(labels::AND, word))
    {
        let word = words[at];
        let start: usize = words[..at].iter().map(|word| word.len() + 1).sum();
        let (before, behind) = (text[..start].trim(), text[start + word.len()..].trim());
        return [before, behind].into_iter().filter(|part| !part.is_empty()).collect();
    }
    for part in labels::words_of(labels::AND_PARTS) {
        if let Some((before, behind)) = text.split_once(part)
            && !before.is_empty()
            && !behind.is_empty()
        {
            return vec![before.trim(), behind.trim()];
        }
    }
    vec![text]
}

/// Whether a text is a number or a boolean and nothing else.
pub(super) fn is_literal(text: &str) -> bool {
    plain(text) || matches!(text, "true" | "false" | "True" | "False")
}
