//! Sizes of encoded bytes.

/// How many bytes a base64 text stands for.
pub(crate) fn base64_len(text: &str) -> usize {
    let padding = text.bytes().rev().take_while(|&b| b == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}
