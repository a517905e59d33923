//! A scalar with nothing around it but marks.

use super::digits::Number;
use crate::de::coercion::CoercionKind;

/// A scalar.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::de) enum Said {
    Bool(bool),
    Number(Number),
    /// The name at this index.
    Name(usize),
}

/// What a scalar is when nothing stands around it.
pub(super) trait Bare {
    /// The scalar that all of this text is.
    fn bare(&self, text: &str) -> Option<(Said, CoercionKind)>;

    /// Whether a word of a sentence may be one, or a part of one.
    fn mentions(&self, word: &str) -> bool;

    /// Whether what stands in brackets behind a scalar may explain it.
    fn explains(&self, _value: &Said, inside: &str) -> bool {
        // How sure it is.
        inside.trim().trim_end_matches('%').parse::<f64>().is_ok()
    }
}

/// A text in small letters, with plain apostrophes. Places change.
pub(super) fn plain_marks(text: &str) -> String {
    text.to_lowercase().replace('’', "'")
}

/// A sign that says no more than what stands beside it.
fn approves(c: char) -> bool {
    matches!(c, '✅' | '✔' | '☑' | '⭐' | '📅' | '\u{fe0f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}')
}

/// A text without quotes, emphasis, formula marks, signs of a list, and the mark at the end of a sentence.
pub(super) fn unmarked(text: &str) -> &str {
    let quote = |c: char| {
        c.is_whitespace()
            || "*_`\"'“”„‘’«»‹›「」『』\u{feff}\u{200b}\u{200e}\u{200f}".contains(c)
            || approves(c)
    };
    let mut text = text;
    loop {
        let before = text.len();
        text = text.trim_matches(quote);
        if !text.ends_with("..") {
            text = text.strip_suffix(['.', '。', '!', '！', ',', ';', '；', '．']).unwrap_or(text);
        }
        for (open, close) in [("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("(", ")"), ("（", "）")] {
            let inner = text.strip_prefix(open).and_then(|text| text.strip_suffix(close));
            // A sum of money in brackets is one that is owed.
            let sum = |inner: &&str| open == "(" && inner.starts_with(|c: char| !c.is_alphabetic());
            text = inner.filter(|inner| !inner.contains(open) && !sum(inner)).unwrap_or(text);
        }
        if let Some(command) = text.strip_prefix('\\').and_then(|text| text.strip_suffix('}')) {
            let (name, inner) = command.split_once('{').unwrap_or_default();
            if ["text", "textbf", "boxed", "mathrm", "mathbf"].contains(&name) && !inner.contains(['{', '}'])
            {
                text = inner;
            }
        }
        for mark in ["- ", "• ", "> ", "=> ", "-> ", "– ", "— "] {
            // Before a number, it may be a sign.
            let inner = text.strip_prefix(mark).map(str::trim_start);
            text = inner.filter(|inner| inner.starts_with(char::is_alphabetic)).unwrap_or(text);
        }
        let heading = text.trim_start_matches('#');
        if heading.starts_with(' ') {
            text = heading;
        }
        if text.len() == before {
            return text;
        }
    }
}
