//! Where in an answer stands what rests on a source.

use crate::value::Citation;

/// Adds to the text of an answer a part of it that rests on these sources.
pub(super) fn add(text: &mut String, part: &str, citations: &mut [Citation]) {
    if !citations.is_empty() {
        let start = text.chars().count();
        let end = start + part.chars().count();
        for citation in citations {
            (citation.answer_start, citation.answer_end) = (Some(start), Some(end));
        }
    }
    text.push_str(part);
}

/// The place of a byte in characters.
pub(super) fn characters(text: &str, byte: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < byte).count()
}
