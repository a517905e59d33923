//! White space, comments and quotes.

#[cfg(test)]
thread_local!(
    /// How many characters were looked at.
    pub(in super::super) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) }
);

/// Notes that so many characters were looked at, for tests of how the work grows with the text.
#[inline]
pub(in super::super) fn count(steps: usize) {
    #[cfg(test)]
    STEPS.set(STEPS.get() + steps);
    let _ = steps;
}

/// Length of the white space at the start, of every kind that models write.
pub(in super::super) fn blank(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b' ' | b'\n' | b'\t' | b'\r' => at += 1,
            b if b < 0x80 => break,
            _ => {
                let Some(c) = text[at..].chars().next() else { break };
                if !(c.is_whitespace()
                    || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'))
                {
                    break;
                }
                at += c.len_utf8();
            }
        }
    }
    count(at + 1);
    at
}

/// Length of the comment at the start, if there is one.
pub(in super::super) fn comment(text: &str) -> Option<usize> {
    if !matches!(text.as_bytes().first(), Some(b'/' | b'#')) {
        return None;
    }
    let len = if text.starts_with("//") || text.starts_with('#') {
        text.find('\n')
    } else if text.starts_with("/*") {
        text.find("*/").map(|end| end + 2)
    } else {
        return None;
    };
    let len = len.unwrap_or(text.len());
    count(len);
    Some(len)
}

/// Whether a comment stands at the start.
pub(in super::super) fn starts_comment(text: &str) -> bool {
    text.starts_with("//") || text.starts_with("/*") || text.starts_with('#')
}

/// Whether a string begins with this character, and what ends it.
pub(in super::super) fn closing(open: char) -> Option<&'static [char]> {
    match open {
        '"' => Some(&['"']),
        '\'' => Some(&['\'']),
        '`' => Some(&['`']),
        '“' | '”' | '„' => Some(&['”', '“', '"']),
        '‘' | '’' => Some(&['’', '‘', '\'']),
        '«' => Some(&['»']),
        '「' => Some(&['」']),
        _ => None,
    }
}

/// Where a value stands, which decides what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Place {
    /// Alone.
    Alone,
    /// In an object, before `:`.
    Key,
    /// In an object, before `,` or `}`.
    Object,
    /// In a list, before `,` or `]`.
    List,
}

/// How far a key is looked for.
pub(in super::super) const LONGEST_KEY: usize = 128;

/// The text behind white space and comments.
pub(in super::super) fn skip_blank(mut text: &str) -> &str {
    // A look ahead is kept short, or many of them would go through a long text again and again.
    for _ in 0..4 {
        text = &text[blank(text)..];
        if !text.starts_with(['/', '#']) {
            break;
        }
        let end = (LONGEST_KEY..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        let near = &text[..end];
        match comment(near) {
            Some(len) => text = &text[len..],
            None => break,
        }
    }
    text
}
