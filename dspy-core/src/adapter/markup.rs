//! The signs of XML in a text: tags, entities, CDATA.

use std::borrow::Cow;

use super::names::same_name;

/// What a tag does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `<name>`
    Open,
    /// `</name>`
    Close,
    /// `<name/>`
    Empty,
}

/// A tag in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

const CDATA: &str = "<![CDATA[";
const CDATA_END: &str = "]]>";

/// Longer tags are none.
const LONGEST_TAG: usize = 512;

/// The tags of a text, from `from` on, in order; those in CDATA are text.
pub(super) fn tags(text: &str, from: usize) -> impl Iterator<Item = Tag<'_>> {
    let mut at = from;
    std::iter::from_fn(move || {
        loop {
            let start = at + text[at..].find('<')?;
            if text[start..].starts_with(CDATA) {
                at = cdata(text, start).1;
                continue;
            }
            at = start + 1;
            if let Some(tag) = tag(text, start) {
                at = tag.end;
                return Some(tag);
            }
        }
    })
}

/// The tag that begins at `start`.
fn tag(text: &str, start: usize) -> Option<Tag<'_>> {
    let inner = text[start..].strip_prefix('<')?;
    let (named, close) = inner.strip_prefix('/').map_or((inner, false), |rest| (rest, true));
    let named_len = named.find(|c: char| !in_name(c)).filter(|len| *len > 0)?;
    let behind = &named[named_len..];
    let len = behind.find(['<', '>']).filter(|len| *len < LONGEST_TAG && behind[*len..].starts_with('>'))?;
    // With nothing else in it than attributes.
    let attributes = behind[..len].trim_end_matches('/');
    let attribute = attributes.starts_with(char::is_whitespace) && attributes.contains('=');
    if !attributes.trim().is_empty() && !attribute {
        return None;
    }
    let kind = match behind[..len].ends_with('/') {
        _ if close => Kind::Close,
        true => Kind::Empty,
        false => Kind::Open,
    };
    let end = text.len() - behind.len() + len + 1;
    Some(Tag { name: &named[..named_len], kind, start, end })
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':') || !c.is_ascii() && !c.is_whitespace()
}

/// The CDATA that begins at `start`: where its text ends, and where it does. Without an end, it is all the rest.
fn cdata(text: &str, start: usize) -> (usize, usize) {
    match text[start..].find(CDATA_END) {
        Some(len) => (start + len, start + len + CDATA_END.len()),
        None => (text.len(), text.len()),
    }
}

/// The character that the entity at the start of a text stands for, and the entity's length: one of the five that XML
/// has names for, or a decimal or hexadecimal number.
fn entity(text: &str) -> Option<(char, usize)> {
    let name = text.strip_prefix('&')?;
    let name = &name[..name.bytes().take(12).position(|b| b == b';')?];
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let digits = |text: &str, radix| {
                let all = !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
                all.then(|| u32::from_str_radix(text, radix).ok()).flatten()
            };
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => digits(hex, 16),
                None => digits(number, 10),
            };
            char::from_u32(code.filter(|code| *code != 0)?)?
        }
    };
    Some((c, name.len() + 2))
}

/// The text that stands between two tags: with the characters that entities stand for and what is in CDATA. Anything
/// else with an ampersand stays as it is.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<']) {
        return text.into();
    }
    let mut out = String::new();
    let mut done = 0;
    let mut at = 0;
    while let Some(next) = text[at..].find(['&', '<']).map(|next| at + next) {
        at = next + 1;
        if let Some((c, len)) = entity(&text[next..]) {
            out.push_str(&text[done..next]);
            out.push(c);
            at = next + len;
            done = at;
        } else if text[next..].starts_with(CDATA) {
            let (end, behind) = cdata(text, next);
            out.push_str(&text[done..next]);
            out.push_str(&text[next + CDATA.len()..end]);
            at = behind;
            done = at;
        }
    }
    if done == 0 {
        return text.into();
    }
    out.push_str(&text[done..]);
    out.into()
}

/// Whether a text has CDATA.
pub(super) fn has_cdata(text: &str) -> bool {
    text.contains(CDATA)
}

/// Writes a text for a tag of this name as that which is read again from between the tags: by entities in place of the
/// characters that would be taken for an entity, for CDATA or for the tag itself.
pub(super) fn escape<'a>(name: &str, text: &'a str) -> Cow<'a, str> {
    if !text.contains(['&', '<']) {
        return text.into();
    }
    let mut out = String::new();
    let mut done = 0;
    for (at, sign) in text.match_indices(['&', '<']) {
        let rest = &text[at..];
        let written = if sign == "&" {
            entity(rest).map(|_| "&amp;")
        } else {
            let own = || tag(text, at).is_some_and(|tag| same_name(tag.name, name));
            (rest.starts_with(CDATA) || own()).then_some("&lt;")
        };
        if let Some(written) = written {
            out.push_str(&text[done..at]);
            out.push_str(written);
            done = at + 1;
        }
    }
    if done == 0 {
        return text.into();
    }
    out.push_str(&text[done..]);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_and_cdata_are_text() {
        for (written, read) in [
            ("a &amp; b", "a & b"),
            ("&lt;p&gt; &quot;x&quot; &apos;y&apos;", "<p> \"x\" 'y'"),
            ("&#65;&#x42;&#X1F600;", "AB😀"),
            ("&amp;amp;", "&amp;"),
            (
                "&nbsp; & &; &#; &#x; &#0; &#xD800; &#99999999999; &unknown;",
                "&nbsp; & &; &#; &#x; &#0; &#xD800; &#99999999999; &unknown;",
            ),
            ("<![CDATA[a < b && c &amp; d]]>", "a < b && c &amp; d"),
            ("x<![CDATA[<y>]]>z<![CDATA[]]]]>", "x<y>z]]"),
            ("<![CDATA[no end", "no end"),
        ] {
            assert_eq!(plain(written), read, "{written}");
        }
    }

    #[test]
    fn only_what_would_be_read_otherwise_is_escaped() {
        for text in ["a < b && c > d", "<p>&nbsp;</p>", "plain", "<answers>", "<answer", "if a<answer && b>c"]
        {
            assert!(matches!(escape("answer", text), Cow::Borrowed(_)), "{text}");
        }
        assert_eq!(escape("answer", "</answer> &amp; <![CDATA["), "&lt;/answer> &amp;amp; &lt;![CDATA[");
    }

    #[test]
    fn tags_are_told_from_other_signs() {
        let names = |text| tags(text, 0).map(|tag| (tag.name, tag.kind)).collect::<Vec<_>>();
        assert_eq!(
            names("<a x=\"1\"> a < b </a ><![CDATA[<b>]]><c/> <!-- d --> <größe>"),
            [("a", Kind::Open), ("a", Kind::Close), ("c", Kind::Empty), ("größe", Kind::Open)]
        );
    }
}
