//! Lists and objects that are written as prose: bullets, lines, commas, tables, tags.

use std::{borrow::Cow, ops::Range};

use super::{
    coercion::CoercionKind,
    find::unfenced,
    lex,
    scalar::{self, join},
};

/// A piece of a text that is to be read as text itself.
pub(super) struct Piece<'t> {
    pub(super) text: Cow<'t, str>,
    pub(super) offset: usize,
}

/// The items of a list whose items are marked as such, and what marks them.
pub(super) fn marked(text: &str) -> Option<(Vec<Piece<'_>>, CoercionKind)> {
    if let Some(items) = bullets(text) {
        return Some((items, CoercionKind::Bullets));
    }
    if let Some((header, rows)) = table(text) {
        let row = |(offset, cells): (usize, Vec<&str>)| {
            let pairs = header.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
            let pairs = pairs.map(|(name, cell)| ((*name).to_owned(), cell.into()));
            let row: serde_json::Map<String, serde_json::Value> = pairs.collect();
            Piece { text: serde_json::Value::from(row).to_string().into(), offset }
        };
        return Some((rows.into_iter().map(row).collect(), CoercionKind::Table));
    }
    let elements = elements(text);
    let first = elements.first()?.key;
    let piece = |pair: Pair<'_>| Piece { text: Cow::Owned(pair.value.into_owned()), offset: pair.offset };
    let same = elements.iter().all(|element| element.key == first);
    same.then(|| (elements.into_iter().map(piece).collect(), CoercionKind::Tags))
}

/// The items of a list that is written as lines, between commas, or with spaces between numbers. A sentence is none.
pub(super) fn listed(text: &str) -> Option<(Vec<Piece<'_>>, CoercionKind)> {
    let inner = unfenced(text).trim();
    let base = inner.as_ptr() as usize - text.as_ptr() as usize;
    let numbers = inner.contains([' ', '\t']) && inner.split_whitespace().all(scalar::plain);
    // `1 000 000`, `100,200,300`: one number, or several.
    let groups = |mark: char| {
        let mut parts = inner.split(mark);
        let first = parts.next().is_some_and(|part| (1..=3).contains(&part.len()));
        let mut rest = parts.peekable();
        let digits = |part: &str| part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit());
        first && rest.peek().is_some() && rest.all(digits)
    };
    if groups(' ') || groups(',') {
        return None;
    }
    let (mut pieces, kind) = if numbers {
        (words(inner), CoercionKind::Spaces)
    } else {
        let (lines, parts) = (lines(inner), parts(inner));
        match (lines.len(), parts.len()) {
            (2.., _) => {
                let mut lines = lines;
                if lines[0].text.ends_with([':', '：']) {
                    lines.remove(0);
                }
                // A list with marks and words behind it.
                if lines.iter().any(|line| bullet(&line.text).is_some_and(|len| len > 0)) {
                    return None;
                }
                (lines, CoercionKind::Lines)
            }
            (_, 2..) => (parts, CoercionKind::Commas),
            _ => (lines, CoercionKind::OneInPlaceOfList),
        }
    };
    if let [one] = &pieces[..] {
        let words = one.text.split_whitespace().count();
        if kind == CoercionKind::OneInPlaceOfList && (words > 4 || scalar::is_nothing_for_scalar(&one.text)) {
            return None;
        }
    }
    let sentence = inner.ends_with(['.', '!', '?', '。', '！', '？']) && !inner.ends_with("..");
    if sentence && !matches!(kind, CoercionKind::Lines | CoercionKind::Spaces) {
        let long = |piece: &Piece<'_>| {
            piece.text.split_whitespace().count() > 2
                || piece.text.chars().filter(|c| *c > '\u{2e7f}').count() > 6
        };
        if pieces.iter().any(long) {
            return None;
        }
        if let Some(last) = pieces.last_mut().filter(|_| kind == CoercionKind::Commas) {
            last.text = last.text.trim_end_matches(['.', '。', '!', '！']).to_owned().into();
        }
    }
    pieces.iter_mut().for_each(|piece| piece.offset += base);
    (!pieces.is_empty()).then_some((pieces, kind))
}

/// Whether all lines of a text are items or `key: value` pairs, or belong to one.
pub(super) fn is_block(text: &str) -> bool {
    let line = |line: &str| {
        let body = line.trim_end();
        let key = || key_before(body).is_some_and(|(key, _)| !key.contains([' ', '.', ',']));
        body.is_empty() || body.starts_with(' ') || bullet(body).is_some() || key()
    };
    text.contains('\n') && text.lines().all(line)
}

/// A key, its value, and where the value stands.
pub(super) type Row<'t> = (Cow<'t, str>, Cow<'t, str>, usize);

/// The entries of an object that is written as a table, as elements or as `key: value` lines. `known` tells which keys
/// count; with `fields`, they are known by name.
pub(super) fn rows<'t>(
    text: &'t str,
    known: &dyn Fn(&str) -> bool,
    fields: bool,
) -> (Vec<Row<'t>>, CoercionKind) {
    let row = |pair: Pair<'t>| (Cow::Borrowed(pair.key), pair.value, pair.offset);
    if let Some((header, rows)) = table(text) {
        let cell =
            |key: &str, cell: &str, offset| (Cow::Owned(key.to_owned()), Cow::Owned(cell.to_owned()), offset);
        // A row for each entry, or a column.
        let by_row = matches!(&header[..], [a, b] if !(fields && known(a) && known(b)));
        if by_row && (fields || rows.len() > 1) {
            let rows =
                rows.iter().filter_map(|(offset, cells)| Some(cell(cells.first()?, cells.get(1)?, *offset)));
            return (rows.collect(), CoercionKind::Table);
        }
        if let [(offset, cells)] = &rows[..] {
            let rows = header.iter().zip(cells).map(|(name, value)| cell(name, value, *offset));
            return (rows.collect(), CoercionKind::Table);
        }
    }
    let found = pairs(text, known);
    if !found.is_empty() {
        return (found.into_iter().map(row).collect(), CoercionKind::Pairs);
    }
    let found = elements(text).into_iter().filter(|pair| known(pair.key));
    (found.map(row).collect(), CoercionKind::Tags)
}

/// The length of the mark before an item, such as `- `, `2. ` or `[3] `.
fn bullet(line: &str) -> Option<usize> {
    let behind = |rest: &str| line.len() - rest.trim_start().len();
    if let Some(c) = line.chars().next().filter(|c| "-*•–+·・".contains(*c)) {
        let rest = &line[c.len_utf8()..];
        return (c == '・' || rest.starts_with([' ', '\t']) || rest.is_empty()).then(|| behind(rest));
    }
    let open = line.starts_with(['[', '(']);
    let inner = if open { &line[1..] } else { line };
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    // `a)` as well as `1)`
    let letter = usize::from(digits == 0 && inner.starts_with(|c: char| c.is_ascii_lowercase()));
    let count = digits + letter;
    if count == 0 || digits > 4 {
        return None;
    }
    let rest = &inner[count..];
    if let Some(rest) = rest.strip_prefix("\u{fe0f}\u{20e3}").or_else(|| rest.strip_prefix('、')) {
        return (letter == 0).then(|| behind(rest));
    }
    let close = rest.chars().next()?;
    let fits = match open {
        true => matches!(close, ']' | ')') && letter == 0,
        false => close == ')' || (close == '.' && letter == 0),
    };
    let rest = &rest[close.len_utf8()..];
    (fits && rest.starts_with([' ', '\t'])).then(|| behind(rest))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The items of a list of bullets or numbers, when the text is one. Before it, an introduction may stand that ends in a
/// colon, or a heading; behind it, after a blank line, a last word.
fn bullets(text: &str) -> Option<Vec<Piece<'_>>> {
    struct Item {
        offset: usize,
        text: String,
        /// Where its text begins in its first line, or further lines do.
        column: usize,
        /// The length that it had before a paragraph without indentation was added.
        before: Option<usize>,
    }
    let mut items: Vec<Item> = Vec::new();
    let (mut depth, mut at, mut blank) = (0, 0, false);
    let mut lead = "";
    // Whether a paragraph without indentation belongs to the item before it: it does if items have such ones.
    let mut paragraphs = false;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let bare = line.trim_end();
        if bare.trim().is_empty() {
            blank = true;
            if let Some(item) = items.last_mut() {
                item.text.push('\n');
            }
            continue;
        }
        let pad = indent(bare);
        let mark = bullet(&bare[pad..]).filter(|_| items.is_empty() || pad <= depth);
        match (mark, items.last_mut()) {
            (Some(mark), last) => {
                paragraphs |= last.is_some_and(|item| item.before.is_some());
                depth = pad;
                let passage = bare[pad..].starts_with('[');
                items.push(Item {
                    offset: start + pad + mark,
                    text: bare[pad + mark..].to_owned(),
                    // The further lines of a passage stand four spaces in.
                    column: pad + if passage { 4 } else { mark },
                    before: None,
                });
            }
            (None, None) => lead = bare.trim(),
            (None, Some(item)) => {
                if pad <= depth {
                    if !blank && item.before.is_none() {
                        return None;
                    }
                    item.before.get_or_insert(item.text.trim_end().len());
                }
                item.text.push('\n');
                item.text.push_str(&bare[pad.min(item.column)..]);
            }
        }
        blank = false;
    }
    let introduced =
        lead.is_empty() || lead.trim_end_matches(['*', '_']).ends_with([':', '：']) || lead.starts_with('#');
    if items.is_empty() || !introduced {
        return None;
    }
    let last = items.len() - 1;
    if let Some(before) = items[last].before.filter(|_| !paragraphs) {
        items[last].text.truncate(before);
    }
    let pieces =
        items.into_iter().map(|i| Piece { text: unquoted(i.text.trim_end()).into(), offset: i.offset });
    // A mark without an item is where the text was cut off.
    let pieces: Vec<_> =
        pieces.enumerate().filter(|(i, p)| *i < last || !p.text.is_empty()).map(|(_, p)| p).collect();
    (!pieces.is_empty()).then_some(pieces)
}

/// The text in a string of JSON, which YAML writes around an item, or the text.
fn unquoted(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_else(|_| text.to_owned())
}

/// The lines of a text that are not blank.
fn lines(text: &str) -> Vec<Piece<'_>> {
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
fn words(text: &str) -> Vec<Piece<'_>> {
    let place = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split_whitespace().map(|word| Piece { text: word.into(), offset: place(word) }).collect()
}

/// The length of the words before a colon that announce a list.
fn label(text: &str, mark: char) -> usize {
    let Some(colon) = text.rfind([':', '：']).filter(|colon| !text[..*colon].contains(mark)) else {
        return 0;
    };
    let behind = text[colon..].trim_start_matches([':', '：', '*', '_']);
    let list = behind.starts_with(char::is_whitespace) && behind.contains(mark);
    if list { text.len() - behind.len() } else { 0 }
}

/// The parts of a line between its commas, or semicolons, that stand outside quotes and brackets.
fn parts(text: &str) -> Vec<Piece<'_>> {
    let mark = [';', '；', ',', '、', '，', '،'].into_iter().find(|mark| text.contains(*mark)).unwrap_or(',');
    let mut out = Vec::new();
    let (mut depth, mut quote, mut start) = (0usize, false, label(text, mark));
    let mut push = |from: usize, to: usize| {
        let part = text[from..to].trim();
        let bare = part.trim_matches(['"', '“', '”', '`', '「', '」', '«', '»']).trim();
        if !bare.is_empty() {
            out.push(Piece { text: bare.into(), offset: from + indent(&text[from..to]) });
        }
    };
    // Commas with digits at both sides part numbers only where all do.
    let digits = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let glued = |at: usize| {
        digits(text[..at].chars().next_back()) && digits(text[at + mark.len_utf8()..].chars().next())
    };
    let all_glued = text.split(mark).count() > 2
        && text.split(mark).all(|part| {
            scalar::plain(part) && !(part.len() == 3 && text.split(mark).skip(1).all(|p| p.len() == 3))
        });
    for (at, c) in text.char_indices() {
        match c {
            '"' => quote = !quote,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            // A comma inside a number does not part it.
            _ if c == mark && depth == 0 && !quote && (all_glued || !glued(at)) => {
                push(start, at);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    push(start, text.len());
    // "red, green and blue"
    if out.len() > 1
        && let Some(last) = out.pop()
    {
        let Piece { text, offset } = last;
        match text {
            Cow::Borrowed(text) => {
                let split = join(text).into_iter().map(|part| Piece {
                    offset: offset + (part.as_ptr() as usize - text.as_ptr() as usize),
                    text: part.into(),
                });
                out.extend(split);
            }
            text => out.push(Piece { text, offset }),
        }
    }
    out
}

/// A `key: value` pair, whose value may go on over further lines.
struct Pair<'t> {
    key: &'t str,
    value: Cow<'t, str>,
    offset: usize,
}

/// The pairs of a text of `key: value` lines. `known` tells which keys count; the lines of others belong to the value
/// before them. Text before the first key is passed over. A key may also be a heading of its own, and several pairs may
/// stand in one line, with commas between them.
fn pairs<'t>(text: &'t str, known: &dyn Fn(&str) -> bool) -> Vec<Pair<'t>> {
    struct Found<'t> {
        key: &'t str,
        range: Range<usize>,
        pad: usize,
        marked: bool,
    }
    let mut found: Vec<Found<'t>> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let pad = indent(line);
        let body = &line[pad..];
        let mark = bullet(body).unwrap_or(0);
        // Deeper lines belong to the value, and bullets do unless the keys are bullets themselves.
        let inside = found.first().is_some_and(|first| pad > first.pad || (mark > 0) != first.marked);
        let pair = key_before(&body[mark..]).filter(|(key, _)| !inside && known(key));
        match pair.or_else(|| heading(body).filter(|(key, _)| known(key))) {
            Some((key, len)) => {
                let from = start + pad + mark.min(len) + len;
                let from = if len == body.len() { at } else { from };
                found.push(Found { key, range: from..at, pad, marked: mark > 0 });
                // "Name: Bo, Age: 7"
                while let Some((key, comma, colon)) =
                    next_pair(&text[found[found.len() - 1].range.clone()], known)
                {
                    let Some(last) = found.last_mut() else { break };
                    let value = last.range.start + colon..last.range.end;
                    last.range.end = last.range.start + comma;
                    found.push(Found { key, range: value, pad, marked: mark > 0 });
                }
            }
            None if body.trim().len() > 2 && body.trim().bytes().all(|b| b == b'-') => {}
            None => {
                if let Some(last) = found.last_mut() {
                    last.range.end = at;
                }
            }
        }
    }
    found
        .into_iter()
        .map(|Found { key, range, .. }| {
            let value = text[range.clone()].trim_end();
            let offset = range.start + indent(value.lines().next().unwrap_or_default());
            Pair { key, value: dedent(value), offset }
        })
        .collect()
}

/// The key at the start of a line, and the length up to its value.
fn key_before(line: &str) -> Option<(&str, usize)> {
    // A key in quotes is JSON, and no line.
    if line.starts_with(['"', '\'']) {
        return None;
    }
    let colon = line.find([':', '：', '='])?;
    let key = line[..colon].trim().trim_matches(['*', '_', '`', '"', '\'']);
    let sign = line[colon..].chars().next().map_or(1, char::len_utf8);
    (!key.is_empty() && key.len() <= 64).then_some((key, colon + sign))
}

/// The key that a whole line is, as a heading.
fn heading(line: &str) -> Option<(&str, usize)> {
    let text = line.trim();
    let key = match text.strip_prefix('#') {
        Some(title) => title.trim_start_matches('#'),
        None => text.strip_prefix("**")?.strip_suffix("**")?,
    };
    let key = key.trim().trim_matches(['*', '_', '`', ':']);
    (!key.is_empty() && key.len() <= 64).then_some((key, line.len()))
}

/// The next key in a value on one line: the key, where the comma before it stands, and where its value begins.
fn next_pair<'t>(value: &'t str, known: &dyn Fn(&str) -> bool) -> Option<(&'t str, usize, usize)> {
    if value.trim_start().starts_with(['{', '[', '"', '\'']) {
        return None;
    }
    value.match_indices([',', ';']).find_map(|(comma, sign)| {
        let rest = &value[comma + sign.len()..];
        let (key, len) = key_before(rest)?;
        let plain = !key.contains([',', ';', '"', '.']) && key.split_whitespace().count() <= 4;
        (plain && rest.starts_with(' ') && known(key)).then_some((key, comma, comma + sign.len() + len))
    })
}

/// A value without the indentation of its further lines, and without the emphasis left over from its key.
fn dedent(value: &str) -> Cow<'_, str> {
    let value = value.trim_start_matches(['*', ' ', '\t']);
    if !value.contains('\n') {
        let value = value.trim();
        // Quotes around a value are YAML's, not the text's, and so is a comma behind them.
        let quoted = |quote: char| value.trim_end_matches(',').strip_prefix(quote)?.strip_suffix(quote);
        if let Some(inner) = quoted('"') {
            return if inner.contains('\\') { lex::unescape(inner).into() } else { inner.into() };
        }
        if let Some(inner) = quoted('\'').filter(|inner| !inner.contains('\'')) {
            return inner.into();
        }
        let plain = value.trim_end_matches(',');
        let literal = plain.ends_with([']', '}']) || scalar::is_literal(plain) || plain == "null";
        return if literal { plain } else { value }.into();
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
fn elements(text: &str) -> Vec<Pair<'_>> {
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

/// The titles of the columns of a Markdown table, and its rows, each with its place.
type Table<'t> = (Vec<&'t str>, Vec<(usize, Vec<&'t str>)>);

/// The titles and the rows of a Markdown table, each with its place.
fn table(text: &str) -> Option<Table<'_>> {
    let cells = |line: &str| -> usize { line.len() - line.trim_start().len() };
    let mut at = 0;
    let mut rows = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with('|') {
            let row: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
            rows.push((at + cells(line), row));
        }
        at += line.len();
    }
    let rule = |cells: &Vec<&str>| cells.iter().all(|cell| cell.chars().all(|c| "-: ".contains(c)));
    if rows.len() < 2 || !rule(&rows[1].1) {
        return None;
    }
    let header = rows.remove(0).1;
    rows.remove(0);
    Some((header, rows))
}
