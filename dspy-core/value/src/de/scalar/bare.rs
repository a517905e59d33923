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
    fn explains(&self, _value: &Said, _inside: &str) -> bool {
        true
    }
}

/// A text in small letters, with plain apostrophes. Places change.
pub(super) fn plain_marks(text: &str) -> String {
    text.to_lowercase().replace('’', "'")
}

/// A sign that stands for nothing but itself, such as a star or a face.
fn emoji(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{25a0}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}'
        | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

/// A text without quotes, emphasis, formula marks, signs of a list, and the mark at the end of a sentence.
pub(super) fn unmarked(text: &str) -> &str {
    let quote = |c: char| {
        c.is_whitespace() || "*_`\"'“”„‘’«»‹›「」『』\u{feff}\u{200b}\u{200e}\u{200f}".contains(c) || emoji(c)
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
            text = inner.filter(|inner| !inner.contains(open)).unwrap_or(text);
        }
        if let Some(command) = text.strip_prefix('\\').and_then(|text| text.strip_suffix('}')) {
            let (name, inner) = command.split_once('{').unwrap_or_default();
            if ["text", "textbf", "boxed", "mathrm", "mathbf"].contains(&name) && !inner.contains(['{', '}'])
            {
                text = inner;
            }
        }
        for mark in ["- ", "• ", "> ", "=> ", "-> ", "– ", "— "] {
            text = text.strip_prefix(mark).unwrap_or(text);
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
