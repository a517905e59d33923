//! Words for nothing.

use super::{
    bare::plain_marks,
    labels::{NOTHING, NOTHING_SCALAR, has, words_of},
};

/// Whether a text stands for nothing, whatever is asked.
pub(in crate::de) fn is_nothing(text: &str) -> bool {
    let text = text.trim();
    if text.is_empty() {
        return true;
    }
    if text.len() > 32 {
        return false;
    }
    let core = text.trim_matches(|c: char| "\"'`*_.()".contains(c));
    core == "NA" || words_of(NOTHING).any(|word| core.eq_ignore_ascii_case(word))
}

/// Whether a text says that there is no such scalar. What is text itself may be any of these: `Unknown` is a title.
pub(in crate::de) fn is_nothing_for_scalar(text: &str) -> bool {
    if is_nothing(text) {
        return true;
    }
    let text = text.trim();
    // "None (the patient denies pain)"
    let aside = text.strip_suffix(')').and_then(|text| text.split_once(" ("));
    let aside = aside.filter(|(_, aside)| !aside.contains(|c: char| c.is_numeric()));
    let text = aside.map_or(text, |(text, _)| text);
    if text.len() > 64 {
        return false;
    }
    let lower = plain_marks(text);
    let core = lower.trim_matches(|c: char| c.is_whitespace() || "\"'`*_()[]「」«»„“”".contains(c));
    let core = core.trim_end_matches(['.', '。', '!']);
    if !core.contains(char::is_alphanumeric) {
        return !core.is_empty() && core.chars().all(|c| matches!(c, '-' | '–' | '—' | '?' | '/' | 'ー'));
    }
    has(NOTHING, core) || has(NOTHING_SCALAR, core)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_nothing() {
        for text in [
            "N/A",
            "None (the patient denies pain)",
            "Not mentioned",
            "Unknown",
            "—",
            "keine Angabe",
            "Non renseigné.",
            "該当なし",
            "**None**",
        ] {
            assert!(is_nothing_for_scalar(text), "{text}");
        }
        for text in ["None of the above", "No", "not 5", "5", "Unknown soldiers: 3", "None, but 3 are likely"]
        {
            assert!(!is_nothing_for_scalar(text), "{text}");
        }
    }
}
