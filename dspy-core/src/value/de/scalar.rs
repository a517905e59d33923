//! Numbers and booleans in the middle of text.

/// A note on what had to be bent: what, and how far.
pub(super) type Note = (&'static str, u32);

/// Whether a text stands for nothing.
pub(super) fn is_nothing(text: &str) -> bool {
    let core = text.trim().trim_matches(|c: char| "\"'`*_.()".contains(c));
    text.trim().is_empty()
        || core == "NA"
        || ["null", "none", "nil", "n/a", "undefined", "not available", "not applicable"]
            .iter()
            .any(|word| core.eq_ignore_ascii_case(word))
}

/// Whether a text is a number or a boolean and nothing else.
pub(super) fn is_literal(text: &str) -> bool {
    plain(text) || matches!(text, "true" | "false" | "True" | "False")
}

/// Reads a boolean; the note tells what had to be bent. `Err` names why it cannot be decided.
pub(super) fn boolean(text: &str) -> Result<(bool, Option<Note>), &'static str> {
    match text {
        "true" => return Ok((true, None)),
        "false" => return Ok((false, None)),
        _ => {}
    }
    let polarity = |word: &str| match word {
        "true" | "yes" | "y" | "t" | "on" | "1" | "correct" => Some(true),
        "false" | "no" | "n" | "f" | "off" | "0" | "incorrect" => Some(false),
        _ => None,
    };
    let lower = text.to_lowercase();
    let core = lower.trim_matches(|c: char| !c.is_alphanumeric());
    if let Some(value) = polarity(core) {
        return Ok((value, Some(("a boolean spelt loosely", 1))));
    }
    // "Yes, because …": the first word decides when something sets it off.
    let end = core.find(|c: char| !c.is_alphanumeric()).unwrap_or(core.len());
    let rest = core[end..].trim_start_matches([' ', '*', '_', '"', '\'']);
    let joined = core[end..].starts_with(['-', '\'', '’']);
    let set_off = !joined && rest.starts_with([',', '.', ';', ':', '!', '-', '–', '—', '\n', '(']);
    let first = polarity(&core[..end]).filter(|_| end > 1);
    let behind = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
    let next = &behind[..behind.find(|c: char| !c.is_alphanumeric()).unwrap_or(behind.len())];
    // "Yes, no, maybe", but not "Yes, no doubt".
    let opposed =
        polarity(next).is_some_and(|other| Some(other) != first) && !behind[next.len()..].starts_with(' ');
    let contradicted = behind.starts_with("and no") || opposed;
    if let Some(value) = first
        && set_off
        && !contradicted
    {
        return Ok((value, Some(("a boolean with an explanation", 2))));
    }
    let mut said: Option<bool> = None;
    for word in core.split(|c: char| !(c.is_alphanumeric() || "'’-".contains(c))) {
        if matches!(word, "not" | "never" | "neither" | "nor")
            || word.ends_with("n't")
            || word.ends_with("n’t")
        {
            return Err("a clear yes or no (the answer denies something)");
        }
        let value = match word {
            "true" | "yes" | "correct" => true,
            "false" | "no" | "incorrect" => false,
            _ => continue,
        };
        if said.replace(value).is_some_and(|other| other != value) {
            return Err("a clear yes or no (the answer says both)");
        }
    }
    said.map(|value| (value, Some(("a boolean in a sentence", 4)))).ok_or("a boolean")
}

/// A number as it stands in a text: digits that Rust can parse, and what had to be bent.
#[derive(Debug, PartialEq)]
pub(super) struct Number {
    pub(super) digits: String,
    pub(super) note: Option<Note>,
}

/// Reads the only number of a text. `Err` names why there is none.
pub(super) fn number(text: &str) -> Result<Number, &'static str> {
    let plainer = plainer(text.trim());
    let text = &*plainer;
    if plain(text) {
        return Ok(Number { digits: text.trim_start_matches('+').to_owned(), note: None });
    }
    match text.to_ascii_lowercase().as_str() {
        "nan" => return Ok(bent("NaN", "a number that is none", 1)),
        "inf" | "infinity" | "+inf" | "+infinity" => return Ok(bent("inf", "an infinite number", 1)),
        "-inf" | "-infinity" => return Ok(bent("-inf", "an infinite number", 1)),
        _ => {}
    }
    let word = text.trim_end_matches(['.', '!']).to_ascii_lowercase();
    if let Some(value) = NUMBER_WORDS.iter().position(|w| *w == word) {
        return Ok(bent(&value.to_string(), "a number in words", 1));
    }
    let found = scan(text);
    let mut distinct: Vec<&Found> = Vec::new();
    for number in &found {
        if !distinct.iter().any(|d| d.digits == number.digits) {
            distinct.push(number);
        }
    }
    match distinct[..] {
        [] => Err("a number"),
        [only] => {
            if only.unclear {
                return Err("one clear number");
            }
            let alone = only.start == 0 && only.end == text.len();
            let note =
                if alone { ("a number spelt loosely", 1) } else { ("a number with words around it", 2) };
            Ok(Number { digits: only.digits.clone(), note: Some(note) })
        }
        // "… so the answer is 42": what is announced last settles it.
        _ => {
            let announced: Vec<&Found> = found.iter().filter(|f| announces(&text[..f.start])).collect();
            match announced[..] {
                [.., last] if !last.unclear => Ok(Number {
                    digits: last.digits.clone(),
                    note: Some(("the number that is announced as the answer", 4)),
                }),
                _ => Err("one number (the answer has several)"),
            }
        }
    }
}

/// The numbers that people write as words.
const NUMBER_WORDS: [&str; 21] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];

/// The text with full-width digits and fractions of one character as ASCII.
fn plainer(text: &str) -> std::borrow::Cow<'_, str> {
    const FRACTIONS: [(char, &str); 9] = [
        ('½', "1/2"),
        ('⅓', "1/3"),
        ('⅔', "2/3"),
        ('¼', "1/4"),
        ('¾', "3/4"),
        ('⅕', "1/5"),
        ('⅛', "1/8"),
        ('⅜', "3/8"),
        ('⅝', "5/8"),
    ];
    let odd = |c: char| ('０'..='９').contains(&c) || FRACTIONS.iter().any(|(f, _)| *f == c);
    if text.is_ascii() || !text.contains(odd) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if let Some((_, fraction)) = FRACTIONS.iter().find(|(f, _)| *f == c) {
            if out.ends_with(|c: char| c.is_ascii_digit()) {
                out.push(' ');
            }
            out.push_str(fraction);
        } else if ('０'..='９').contains(&c) {
            out.extend(char::from_digit(c as u32 - '０' as u32, 10));
        } else {
            out.push(c);
        }
    }
    out.into()
}

fn bent(digits: &str, what: &'static str, cost: u32) -> Number {
    Number { digits: digits.into(), note: Some((what, cost)) }
}

/// Whether this is a number as JSON or Rust writes it.
pub(super) fn plain(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    rest.starts_with(|c: char| c.is_ascii_digit())
        && rest.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && text.parse::<f64>().is_ok()
}

/// Whether a text ends by announcing an answer.
fn announces(before: &str) -> bool {
    let before = before.trim_end_matches(|c: char| c.is_whitespace() || "*_`\"'$€£(".contains(c));
    let lower: String = before
        .chars()
        .rev()
        .take(24)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect::<String>()
        .to_lowercase();
    [
        "answer is",
        "answer:",
        "result is",
        "result:",
        "total is",
        "total:",
        "final answer",
        "boxed{",
        "=",
        "####",
        "is therefore",
    ]
    .iter()
    .any(|lead| lower.ends_with(lead))
}

struct Found {
    start: usize,
    end: usize,
    digits: String,
    /// A letter behind it may or may not multiply it.
    unclear: bool,
}

/// The numbers of a text.
fn scan(text: &str) -> Vec<Found> {
    let bytes = text.as_bytes();
    let mut found: Vec<Found> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digit = bytes[at].is_ascii_digit();
        let point = bytes[at] == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if !digit && !point {
            at += 1;
            continue;
        }
        let before = text[..at].chars().next_back();
        // Digits inside a word (`H2O`) are no number.
        if before.is_some_and(|c| c.is_alphabetic() || c == '_') {
            while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'.') {
                at += 1;
            }
            continue;
        }
        let (mut number, end) = one(text, at);
        // A sign counts unless it is a dash between numbers or words.
        let lead = text[..at].trim_end_matches(['$', '€', '£', '¥', '₹', ' ']);
        // `COVID-19` is a name.
        if text[..at].strip_suffix('-').is_some_and(|name| name.ends_with(char::is_alphabetic)) {
            at = end;
            continue;
        }
        let words = lead.trim_end_matches(|c: char| c.is_whitespace());
        let word = words.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default().to_ascii_lowercase();
        // A bound or a denial is no number.
        let bound = lead.ends_with(['<', '≤', '≥'])
            || (lead.ends_with('>') && !lead.contains('<'))
            || matches!(&*word, "not" | "than" | "least" | "most");
        if let Some(rest) = lead.strip_suffix(['-', '−'])
            && !rest.ends_with(|c: char| c.is_alphanumeric() || c == ')')
        {
            number.insert(0, '-');
            at = rest.len();
        }
        if matches!(&*word, "minus" | "negative") {
            number.insert(0, '-');
        }
        let (number, end, unclear) = scaled(text, number, end);
        found.push(Found { start: at, end, digits: number, unclear: unclear || bound });
        at = end;
    }
    found
}

/// The number that begins at `at`: its digits as Rust parses them, and where it ends.
fn one(text: &str, at: usize) -> (String, usize) {
    let rest = &text[at..];
    if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let len = hex.find(|c: char| !c.is_ascii_hexdigit() && c != '_').unwrap_or(hex.len());
        if let Ok(value) = u128::from_str_radix(&hex[..len].replace('_', ""), 16) {
            return (value.to_string(), at + 2 + len);
        }
    }
    let bytes = rest.as_bytes();
    let is_digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let run = |from: usize| (from..).take_while(|i| is_digit(*i)).count();
    let mut end = run(0);
    // Groups of three, all set off by the same mark.
    let mut groups = String::from(&rest[..end]);
    for mark in [",", "_", "'", "’", " ", "\u{a0}", "\u{202f}", "\u{2009}", "."] {
        let mut e = end;
        let mut digits = groups.clone();
        let mut count = 0;
        while (1..=3).contains(&end) && rest[e..].starts_with(mark) && run(e + mark.len()) == 3 {
            digits.push_str(&rest[e + mark.len()..e + mark.len() + 3]);
            e += mark.len() + 3;
            count += 1;
        }
        // One group after a point is a fraction.
        let decimal =
            rest[e..].strip_prefix(',').is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
        if count > usize::from(mark == "." && !decimal) {
            (groups, end) = (digits, e);
            break;
        }
    }
    let mut digits = groups;
    let grouped = end > run(0);
    let after = &rest[end..];
    let fraction = run(end + 1);
    if after.starts_with('.') && fraction > 0
        || after.starts_with(',') && (1..=2).contains(&fraction) && !grouped_by_comma(rest, end, grouped)
    {
        digits.push('.');
        digits.push_str(&rest[end + 1..end + 1 + fraction]);
        end += 1 + fraction;
    }
    if digits.starts_with('.') {
        digits.insert(0, '0');
    }
    let exponent = rest[end..].strip_prefix(['e', 'E']).map(|e| {
        let sign = usize::from(e.starts_with(['-', '+']));
        (sign, run(end + 1 + sign))
    });
    if let Some((sign, len)) = exponent.filter(|(_, len)| *len > 0) {
        digits.push_str(&rest[end..end + 1 + sign + len]);
        end += 1 + sign + len;
    }
    (digits, at + end)
}

fn grouped_by_comma(rest: &str, end: usize, grouped: bool) -> bool {
    grouped && rest[..end].contains(',')
}

/// A fraction, a percent sign, or a word that multiplies, behind a number.
fn scaled(text: &str, digits: String, end: usize) -> (String, usize, bool) {
    let rest = &text[end..];
    if let Some(below) = rest.strip_prefix('/').map(str::trim_start)
        && below.starts_with(|c: char| c.is_ascii_digit())
    {
        let at = text.len() - below.len();
        let (denominator, end) = one(text, at);
        if let (Ok(a), Ok(b)) = (digits.parse::<f64>(), denominator.parse::<f64>())
            && b != 0.0
            && !text[end..].starts_with('/')
        {
            return (format!("{}", a / b), end, false);
        }
        return (digits, end, true);
    }
    // "6.02 × 10^23"
    let times = rest.trim_start().strip_prefix(['×', 'x', '*', '·']).map(str::trim_start);
    if let Some(power) = times.and_then(|t| t.strip_prefix("10^").or_else(|| t.strip_prefix("10**")))
        && !digits.contains(['e', 'E'])
    {
        let sign = usize::from(power.starts_with(['-', '+']));
        let len = sign + power[sign..].bytes().take_while(u8::is_ascii_digit).count();
        if len > sign {
            return (format!("{digits}e{}", &power[..len]), text.len() - power.len() + len, false);
        }
    }
    // "1 1/2"
    if let Some(part) = rest.strip_prefix(' ').filter(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
        let len = part.bytes().take_while(u8::is_ascii_digit).count();
        let below = part[len..].strip_prefix('/').unwrap_or_default();
        let below_len = below.bytes().take_while(u8::is_ascii_digit).count();
        if let (Ok(whole), Ok(a), Ok(b)) =
            (digits.parse::<f64>(), part[..len].parse::<f64>(), below[..below_len].parse::<f64>())
            && b != 0.0
        {
            let value = whole.abs() + a / b;
            let sign = if digits.starts_with('-') { "-" } else { "" };
            return (format!("{sign}{value}"), text.len() - below.len() + below_len, false);
        }
    }
    let gap = rest.len() - rest.trim_start_matches([' ', '\u{a0}']).len();
    let word_len = rest[gap..].find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len() - gap);
    let word = &rest[gap..gap + word_len];
    let factor = match (word, gap) {
        ("k" | "K", 0) => 1e3,
        ("hundred", _) => 1e2,
        ("thousand", _) => 1e3,
        ("million" | "Million" | "mn", _) => 1e6,
        ("billion" | "Billion" | "bn", _) => 1e9,
        ("trillion", _) => 1e12,
        ("dozen", _) => 12.0,
        // Metres or millions, bytes or billions.
        ("M" | "B" | "m" | "b", 0) => return (digits, end + word_len, true),
        _ => {
            let glued = if gap == 0 { word_len } else { 0 };
            let sign = usize::from(rest.starts_with('%'));
            return (digits, end + glued + sign, rest.starts_with('+'));
        }
    };
    match digits.parse::<f64>() {
        Ok(value) => (format!("{}", value * factor), end + gap + word_len, false),
        Err(_) => (digits, end, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_text() {
        for (text, digits) in [
            ("42", "42"),
            ("+42", "42"),
            ("-7", "-7"),
            ("3.0", "3.0"),
            ("1e3", "1e3"),
            ("1,234", "1234"),
            ("1,234,567.89", "1234567.89"),
            ("1.234.567,89", "1234567.89"),
            ("1 234 567", "1234567"),
            ("1'234", "1234"),
            ("1_000", "1000"),
            ("3,5", "3.5"),
            ("$1,200.50", "1200.50"),
            ("-$5", "-5"),
            ("€ 30", "30"),
            ("85%", "85"),
            ("1/2", "0.5"),
            ("about 42 apples", "42"),
            ("42km", "42"),
            ("0x1F", "31"),
            (".5", "0.5"),
            ("5k", "5000"),
            ("3 million", "3000000"),
            ("The answer is 42.", "42"),
            ("3 + 4 = 7", "7"),
            ("6 boxes of 7, so the answer is 42", "42"),
            ("H2O has 3 atoms", "3"),
            ("42, yes, 42", "42"),
            ("-3°C", "-3"),
            ("1.5e-3", "1.5e-3"),
        ] {
            assert_eq!(number(text).map(|n| n.digits), Ok(digits.to_owned()), "{text}");
        }
        for text in ["", "none", "10-20", "2024-05-01", "1.2.3", "10:30", "5M", "3 of 4", "H2O"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn booleans_in_text() {
        for (text, value) in [
            ("true", true),
            ("False", false),
            ("YES.", true),
            ("**No**", false),
            ("Yes, because it is.", true),
            ("No, that is not true", false),
            ("The statement is true", true),
            ("1", true),
            ("off", false),
        ] {
            assert_eq!(boolean(text).map(|b| b.0), Ok(value), "{text}");
        }
        for text in ["", "maybe", "yes and no", "this is not true", "it isn't false", "2", "a"] {
            assert!(boolean(text).is_err(), "{text}");
        }
    }
}
