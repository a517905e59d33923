//! Other forms of a text, for types that are read from a notation of their own and refuse the text as it stands.

use std::borrow::Cow;

use super::{
    bare::unmarked,
    labels::{announces, turns},
    number::number,
};
use crate::de::{find::unfenced, options::ReadOptions};

/// What a text may mean to a type that refuses it, the likeliest first. A text field, which refuses nothing, never asks.
pub(in crate::de) fn forms<'t>(text: &'t str, options: &ReadOptions) -> Vec<Cow<'t, str>> {
    let mut out: Vec<Cow<'t, str>> = Vec::new();
    let inner = unfenced(text).trim();
    let mut pieces = vec![inner];
    // Of several lines, the one that has a notation, if no other has one.
    let odd = |line: &&str| line.contains(|c: char| c.is_ascii_digit() || c == '@');
    let mut lines = inner.lines().map(str::trim).filter(odd);
    if let (true, Some(line), None) = (inner.contains('\n'), lines.next(), lines.next()) {
        pieces = vec![line];
    }
    let called =
        |line: &str| line.split_once([':', '：']).is_some_and(|(label, _)| announces(label) && !turns(label));
    if let Some(line) = inner.lines().rfind(|line| called(line)) {
        pieces = vec![line];
    }
    // A number with its unit, in any spelling.
    if let Ok((number, Some(_))) = number(inner, options) {
        if !number.doubtful {
            add(&mut out, text, number.digits);
        }
        return out;
    }
    for piece in pieces {
        if piece.len() > 4096 {
            continue;
        }
        add(&mut out, text, unmarked(piece));
        // A label, but no time of day.
        if let Some((label, value)) = piece.split_once([':', '：', '='])
            && label.contains(char::is_alphabetic)
            && label.len() <= 60
            && !turns(label)
            && !label.contains(['.', '!', '?', '\n'])
        {
            add(&mut out, text, unmarked(value));
        }
        add(&mut out, text, piece.trim_matches(|c: char| c.is_whitespace() || "\"'`*()[].,;".contains(c)));
        if let [word] = notations(piece)[..] {
            add(&mut out, text, word);
        }
        if let Some(date) = date(unmarked(piece)) {
            add(&mut out, text, date);
        }
    }
    out
}

fn add<'t>(out: &mut Vec<Cow<'t, str>>, text: &str, form: impl Into<Cow<'t, str>>) {
    let form = form.into();
    if form != text && !form.is_empty() && !out.contains(&form) {
        out.push(form);
    }
}

/// The only word of a text that has digits or signs in it, such as a date or an address; of two that look alike, none.
fn notations(text: &str) -> Vec<&str> {
    let trim = |c: char| c.is_whitespace() || "\"'`*_“”‘’«»()[].,;:。、".contains(c);
    let odd = |word: &&str| {
        word.contains(|c: char| c.is_ascii_digit()) || word.contains("://") || word.contains('@')
    };
    let shape =
        |word: &str| -> String { word.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect() };
    let words: Vec<&str> = text.split_whitespace().map(|word| word.trim_matches(trim)).collect();
    // Half past two at noon is not half past two at night.
    let half = |word: &str| matches!(&*word.to_ascii_lowercase(), "am" | "pm" | "a.m" | "p.m" | "bc" | "bce");
    // Beside other words, a notation may stand for what is not meant; a day of the week has a comma behind it.
    let count = text.split_whitespace().filter(|word| !odd(word)).count();
    let weekday = text.split_whitespace().next().is_some_and(|word| word.ends_with(','));
    if count > usize::from(weekday) || words.iter().any(|word| half(word)) {
        return Vec::new();
    }
    let found: Vec<&str> = words.into_iter().filter(odd).take(8).collect();
    let mut shapes: Vec<String> = found.iter().map(|word| shape(word)).collect();
    shapes.sort_unstable();
    if shapes.windows(2).any(|pair| pair[0] == pair[1]) { Vec::new() } else { found }
}

/// The months of some languages; a word is one when it begins the names of one month only.
const MONTHS: [&[&str]; 12] = [
    &["january", "januar", "janvier", "enero", "gennaio", "janeiro", "januari", "stycznia", "styczeń"],
    &["february", "februar", "février", "febrero", "febbraio", "fevereiro", "februari", "lutego", "luty"],
    &["march", "märz", "mars", "marzo", "março", "maart", "marca", "marzec"],
    &["april", "avril", "abril", "aprile", "kwietnia", "kwiecień"],
    &["may", "mai", "mayo", "maggio", "maio", "mei", "maja"],
    &["june", "juni", "juin", "junio", "giugno", "junho", "czerwca", "czerwiec"],
    &["july", "juli", "juillet", "julio", "luglio", "julho", "lipca", "lipiec"],
    &["august", "août", "agosto", "augustus", "sierpnia", "sierpień"],
    &["september", "septembre", "septiembre", "settembre", "setembro", "września", "wrzesień"],
    &["october", "oktober", "octobre", "octubre", "ottobre", "outubro", "października", "październik"],
    &["november", "novembre", "noviembre", "novembro"],
    &["december", "dezember", "décembre", "diciembre", "dicembre", "dezembro", "grudnia", "grudzień"],
];

/// The month that a word names, counted from 1.
fn month(word: &str) -> Option<u32> {
    let word = word.trim_end_matches('.').to_lowercase();
    if word.chars().count() < 3 {
        return None;
    }
    let begins = |names: &&[&str]| names.iter().any(|name| name.starts_with(&*word));
    let mut found = MONTHS.iter().enumerate().filter(|(_, names)| begins(names));
    let (index, _) = found.next()?;
    found.next().is_none().then_some(index as u32 + 1)
}

/// A date that is written with the name of its month, or with numbers that leave no doubt, as ISO 8601 has it.
fn date(text: &str) -> Option<String> {
    if text.len() > 40 {
        return None;
    }
    let iso = |year: u32, month: u32, day: u32| {
        let valid = (1000..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        valid.then(|| format!("{year:04}-{month:02}-{day:02}"))
    };
    // A date with the time of day.
    if let Some((day, time)) = text.split_once('T')
        && date_shape(day)
        && time.starts_with(|c: char| c.is_ascii_digit())
    {
        return Some(day.to_owned());
    }
    let numbers: Vec<u32> = text
        .split(['.', '/', '-', '年', '月', '日', ' '])
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().ok().filter(|_| part.len() <= 4))
        .collect::<Option<_>>()
        .unwrap_or_default();
    if let [a, b, c] = numbers[..] {
        // Where dots part them, the day comes first; else that must be plain from the numbers.
        return match (a > 31, c > 31) {
            (true, false) => iso(a, b, c),
            (false, true) if text.contains('.') || (a > 12 && b <= 12) => iso(c, b, a),
            (false, true) if b > 12 && a <= 12 => iso(c, a, b),
            _ => None,
        };
    }
    let (mut year, mut named, mut day) = (None, None, None);
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        let suffix = word[digits.len()..].trim_start_matches('.');
        let number = digits
            .parse::<u32>()
            .ok()
            .filter(|_| matches!(suffix, "" | "st" | "nd" | "rd" | "th" | "er" | "º"));
        match number {
            Some(n) if digits.len() == 4 && year.is_none() => year = Some(n),
            Some(n) if digits.len() <= 2 && day.is_none() => day = Some(n),
            None if matches!(word, "de" | "of" | "del" | "the") => {}
            None if named.is_none() => named = Some(month(word)?),
            _ => return None,
        }
    }
    iso(year?, named?, day?)
}

/// Whether a text looks like `2024-05-01`.
fn date_shape(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(at, b)| if matches!(at, 4 | 7) { *b == b'-' } else { b.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_leave_no_doubt() {
        for (text, iso) in [
            ("3 February 2024", "2024-02-03"),
            ("Feb 3, 2024", "2024-02-03"),
            ("February 3rd, 2024", "2024-02-03"),
            ("3. März 2024", "2024-03-03"),
            ("3 de mayo de 2024", "2024-05-03"),
            ("1er août 2024", "2024-08-01"),
            ("2024年5月3日", "2024-05-03"),
            ("2024/05/03", "2024-05-03"),
            ("03.05.2024", "2024-05-03"),
            ("25/12/2024", "2024-12-25"),
            ("12/25/2024", "2024-12-25"),
            ("2024-03-15T10:00:00Z", "2024-03-15"),
        ] {
            assert_eq!(date(text).as_deref(), Some(iso), "{text}");
        }
        for text in ["03/04/2024", "May 2024", "3 ju 2024", "tomorrow", "1.2.3", "3 nicht 2024", "2024-13-01"]
        {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
