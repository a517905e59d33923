//! Where in a text a value may stand.

use std::ops::Range;

use super::lex::{self, Place};

/// How many structures of one text are looked at.
const MOST_REGIONS: usize = 16;

/// A fenced block.
pub(super) struct Fence<'t> {
    pub(super) text: &'t str,
    /// Where its text begins.
    pub(super) start: usize,
    /// Where the block itself ends.
    end: usize,
    pub(super) closed: bool,
}

/// The first fenced block of a text.
pub(super) fn fence(text: &str) -> Option<Fence<'_>> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let trimmed = line.trim_start();
        let mark = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let ticks = trimmed.len() - trimmed.trim_start_matches(mark).len();
        if ticks < 3 {
            continue;
        }
        return Some(body(text, start + (line.len() - trimmed.len()) + ticks, at, mark, ticks));
    }
    None
}

/// What stands in the fence that a whole text is, or the text.
pub(super) fn unfenced(text: &str) -> &str {
    if !text.trim_start().starts_with(['`', '~']) {
        return text;
    }
    let fence = fence(text.trim_start()).filter(|f| text.trim_start()[f.end..].trim().is_empty());
    fence.map_or(text, |f| f.text)
}

/// The first fenced block of a text that may have anything before it.
pub(super) fn fence_within(text: &str) -> Option<Fence<'_>> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        if (trimmed.starts_with("```") || trimmed.starts_with("~~~"))
            && let Some(found) = fence(&text[at..])
        {
            return Some(Fence { start: at + found.start, end: at + found.end, ..found });
        }
        at += line.len();
    }
    None
}

/// The block whose opening line ends at `start`; `info` is where its language would stand.
fn body(text: &str, info: usize, start: usize, mark: char, ticks: usize) -> Fence<'_> {
    // All on one line.
    let rest = &text[info..start];
    let closing: String = std::iter::repeat_n(mark, ticks).collect();
    if let Some(end) = rest.find(&closing) {
        return Fence { text: &rest[..end], start: info, end: info + end + ticks, closed: true };
    }
    let mut at = start;
    for line in text[start..].split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.len() >= ticks && trimmed.chars().all(|c| c == mark) {
            let inner = &text[start..at];
            let inner = inner.strip_suffix('\n').unwrap_or(inner);
            let inner = inner.strip_suffix('\r').unwrap_or(inner);
            return Fence { text: inner, start, end: at + line.len(), closed: true };
        }
        at += line.len();
    }
    Fence { text: &text[start..], start, end: text.len(), closed: false }
}

/// The texts of all fenced blocks.
pub(super) fn fences(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(found) = fence_within(&text[at..]) {
        out.push(at + found.start..at + found.start + found.text.len());
        at += found.end;
        if out.len() == MOST_REGIONS {
            break;
        }
    }
    out
}

/// An object or a list in a text.
pub(super) struct Region {
    pub(super) range: Range<usize>,
    /// Whether it lies inside another one, which has no end.
    pub(super) inner: bool,
}

/// The objects and lists of a text.
pub(super) fn regions(text: &str) -> Vec<Region> {
    let mut out: Vec<Region> = Vec::new();
    let (mut at, mut unclosed) = (0, 0);
    while let Some(open) = text[at..].find(['{', '[']).map(|o| at + o) {
        let end = open + lex::value_len(&text[open..], Place::Alone);
        out.push(Region { range: open..end, inner: unclosed > 0 });
        let closed = text[..end].ends_with(['}', ']', ')']);
        // What is cut off is not to be taken for one of its parts.
        if !closed && lex::opens_json(&text[open..]) {
            break;
        }
        unclosed += usize::from(!closed);
        // A bracket that is never closed may be one of prose, before the value.
        at = if closed { end } else { open + 1 };
        if out.len() == MOST_REGIONS || unclosed == 3 {
            break;
        }
    }
    out
}

/// The text behind the last announcement of an answer.
pub(super) fn announced(text: &str) -> Option<&str> {
    const LEADS: [&str; 9] = [
        "answer is",
        "answer:",
        "answer**:",
        "result is",
        "result:",
        "output:",
        "conclusion:",
        "therefore,",
        "value:",
    ];
    // Only ASCII letters change, so places stay the same.
    let lower = text.to_ascii_lowercase();
    let end = LEADS.iter().filter_map(|lead| lower.rfind(lead).map(|at| at + lead.len())).max()?;
    Some(text[end..].trim_start_matches(|c: char| c.is_whitespace() || "*_:".contains(c)))
        .filter(|t| !t.is_empty())
}

/// A piece of a text that is to be read as text itself.
pub(super) struct Piece<'t> {
    pub(super) text: std::borrow::Cow<'t, str>,
    pub(super) offset: usize,
}

/// The length of the mark before an item, such as `- `, `2. ` or `[3] `.
fn bullet(line: &str) -> Option<usize> {
    if let Some(c) = line.chars().next().filter(|c| "-*•–+·".contains(*c)) {
        let rest = &line[c.len_utf8()..];
        return (rest.starts_with([' ', '\t']) || rest.is_empty())
            .then(|| line.len() - rest.trim_start().len());
    }
    let open = line.starts_with(['[', '(']);
    let inner = if open { &line[1..] } else { line };
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > 4 {
        return None;
    }
    let close = inner[digits..].chars().next()?;
    let fits = if open { matches!(close, ']' | ')') } else { matches!(close, '.' | ')') };
    let rest = &inner[digits + close.len_utf8()..];
    (fits && rest.starts_with([' ', '\t'])).then(|| line.len() - rest.trim_start().len())
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The items of a list of bullets or numbers, when the text is one, with at most a line before it that ends in a colon.
pub(super) fn bullets(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut items: Vec<(usize, String)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let bare = line.trim_end();
        if bare.trim().is_empty() {
            if let Some((_, item)) = items.last_mut() {
                item.push('\n');
            }
            continue;
        }
        let pad = indent(bare);
        let mark = bullet(&bare[pad..]).filter(|_| items.is_empty() || pad <= depth);
        match (mark, items.last_mut()) {
            (Some(mark), _) => {
                depth = pad;
                items.push((start + pad + mark, bare[pad + mark..].to_owned()));
            }
            (None, None) if bare.ends_with(':') && start == 0 => {}
            (None, Some((_, item))) if pad > depth => {
                item.push('\n');
                // The further lines of a passage stand four spaces in, those of other items under their text.
                item.push_str(&bare[pad.min(depth + 4)..]);
            }
            _ => return None,
        }
    }
    if items.is_empty() {
        return None;
    }
    Some(
        items
            .into_iter()
            .map(|(offset, item)| Piece { text: item.trim_end().to_owned().into(), offset })
            .collect(),
    )
}

/// The lines of a text that are not blank.
pub(super) fn lines(text: &str) -> Vec<Piece<'_>> {
    let mut at = 0;
    let mut out = Vec::new();
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() {
            out.push(Piece { text: line.trim().into(), offset: at + indent(line) });
        }
        at += line.len();
    }
    out
}

/// The words of a text.
pub(super) fn words(text: &str) -> Vec<Piece<'_>> {
    let place = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split_whitespace().map(|word| Piece { text: word.into(), offset: place(word) }).collect()
}

/// The parts of a line between its commas, or semicolons, that stand outside quotes and brackets.
pub(super) fn parts(text: &str) -> Vec<Piece<'_>> {
    let mark = [';', ',', '、', '，'].into_iter().find(|mark| text.contains(*mark)).unwrap_or(',');
    let mut out = Vec::new();
    let (mut depth, mut quote, mut start, mut previous) = (0usize, None, 0, ' ');
    let mut push = |from: usize, to: usize| {
        let part = text[from..to].trim();
        let part = part.strip_prefix("and ").filter(|_| !out.is_empty()).unwrap_or(part);
        let bare = part.trim_matches(['"', '“', '”', '`']);
        if !bare.is_empty() {
            out.push(Piece { text: bare.into(), offset: from + indent(&text[from..to]) });
        }
    };
    for (at, c) in text.char_indices() {
        match c {
            '"' => quote = if quote.is_some() { None } else { Some(c) },
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            // A comma inside a number does not part it.
            _ if c == mark && depth == 0 && quote.is_none() => {
                let digits = previous.is_ascii_digit()
                    && text[at + c.len_utf8()..].starts_with(|n: char| n.is_ascii_digit());
                if !digits {
                    push(start, at);
                    start = at + c.len_utf8();
                }
            }
            _ => {}
        }
        previous = c;
    }
    push(start, text.len());
    out
}

/// A `key: value` pair, whose value may go on over further lines.
pub(super) struct Pair<'t> {
    pub(super) key: &'t str,
    pub(super) value: std::borrow::Cow<'t, str>,
    pub(super) offset: usize,
}

/// The pairs of a text of `key: value` lines. `known` tells which keys count; the lines of others belong to the value
/// before them. Text before the first key is passed over.
pub(super) fn pairs<'t>(text: &'t str, known: impl Fn(&str) -> bool) -> Vec<Pair<'t>> {
    let mut found: Vec<(&str, Range<usize>, usize)> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let pad = indent(line);
        let body = &line[pad..];
        let mark = bullet(body).unwrap_or(0);
        let deeper = found.first().is_some_and(|(_, _, first)| pad > *first);
        let key =
            body[mark..].find([':', '=']).map(|colon| (&body[mark..mark + colon], pad + mark + colon + 1));
        let key = key.map(|(key, end)| (key.trim().trim_matches(['*', '_', '`', '"', '\'']), end));
        match key.filter(|(key, _)| !deeper && !key.is_empty() && key.len() <= 64 && known(key)) {
            Some((key, end)) => found.push((key, start + end..at, pad)),
            None => {
                if let Some((_, range, _)) = found.last_mut() {
                    range.end = at;
                }
            }
        }
    }
    found
        .into_iter()
        .map(|(key, range, _)| {
            let value = text[range.clone()].trim_end();
            let offset = range.start + indent(value.lines().next().unwrap_or_default());
            Pair { key, value: dedent(value), offset }
        })
        .collect()
}

/// A value without the indentation of its further lines, and without the emphasis left over from its key.
fn dedent(value: &str) -> std::borrow::Cow<'_, str> {
    let value = value.trim_start_matches(['*', ' ', '\t']);
    if !value.contains('\n') {
        let value = value.trim().trim_end_matches(',');
        // Quotes around a value are YAML's, not the text's.
        let inside =
            |quote: char| value.strip_prefix(quote)?.strip_suffix(quote).filter(|v| !v.contains(quote));
        return inside('"').or_else(|| inside('\'')).unwrap_or(value).into();
    }
    let further = value.lines().skip(1).filter(|line| !line.trim().is_empty());
    let shared = further.map(indent).min().unwrap_or(0);
    let mut lines = value.lines();
    let first = lines.next().unwrap_or_default().trim();
    let mut out = String::with_capacity(value.len());
    // `|` and `>` announce a block of text.
    if !matches!(first, "" | "|" | ">" | "|-" | ">-") {
        out.push_str(first);
        out.push('\n');
    }
    for line in lines {
        out.push_str(line.get(shared..).unwrap_or_default().trim_end());
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.into()
}

/// The elements `<name>text</name>` of a text, one after the other, with at most one element around all of them.
pub(super) fn elements(text: &str) -> Vec<Pair<'_>> {
    let found = siblings(text, 0);
    match found[..] {
        [(_, ref inner)] => {
            let inside = siblings(&text[inner.clone()], inner.start);
            if inside.is_empty() { pairs_of(text, found) } else { pairs_of(text, inside) }
        }
        _ => pairs_of(text, found),
    }
}

fn pairs_of<'t>(text: &'t str, found: Vec<(&'t str, Range<usize>)>) -> Vec<Pair<'t>> {
    let pair = |(key, range): (&'t str, Range<usize>)| Pair {
        key,
        value: text[range.clone()].trim().into(),
        offset: range.start + indent(&text[range]),
    };
    found.into_iter().map(pair).collect()
}

/// The elements that a text begins with; `base` is added to their places.
fn siblings(text: &str, base: usize) -> Vec<(&str, Range<usize>)> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|o| at + o) {
        let rest = &text[open + 1..];
        let name =
            &rest[..rest.find(|c: char| !(c.is_alphanumeric() || "_-.".contains(c))).unwrap_or(rest.len())];
        let start = open + 1 + name.len() + 1;
        if name.is_empty() || !rest[name.len()..].starts_with('>') {
            break;
        }
        let Some(end) = text[start..].find(&format!("</{name}>")).map(|e| start + e) else { break };
        out.push((name, base + start..base + end));
        at = end + name.len() + 3;
        if out.len() == 4096 {
            break;
        }
    }
    out
}

/// The rows of a Markdown table, each as `key: value` lines.
pub(super) fn table(text: &str) -> Option<Vec<Piece<'static>>> {
    let mut lines = lines(text).into_iter().filter(|line| line.text.starts_with('|'));
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let header = cells(&lines.next()?.text);
    let rule = lines.next()?;
    if !rule.text.chars().all(|c| "|-: ".contains(c)) {
        return None;
    }
    let row = |line: Piece<'_>| {
        let pairs = header.iter().zip(cells(&line.text)).map(|(name, cell)| format!("{name}: {cell}\n"));
        Piece { text: pairs.collect::<String>().into(), offset: line.offset }
    };
    Some(lines.map(row).collect())
}
