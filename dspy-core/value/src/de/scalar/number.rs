//! Numbers in the middle of text.

use super::{
    Note, corrected, is_nothing_for_scalar, is_refusal,
    quantity::{Scale, in_words, plainer, scale, shifted},
    without_thoughts,
};

/// A number as it stands in a text: digits that Rust can parse, and what had to be bent.
#[derive(Debug, PartialEq)]
pub(in crate::de) struct Number {
    pub(in crate::de) digits: String,
    pub(in crate::de) note: Option<Note>,
}

/// Reads the only number of a text. `Err` names why there is none.
pub(in crate::de) fn number(text: &str) -> Result<Number, &'static str> {
    let text = without_thoughts(text).ok_or("a number (the answer stops amid its thoughts)")?;
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
    if let Some(value) = in_words(text.trim_matches(|c: char| c.is_whitespace() || "*_`\"'.!".contains(c))) {
        return Ok(bent(&value, "a number in words", 1));
    }
    let found = scan(text);
    let announced = found.iter().rev().find(|f| announces(&text[..f.start]));
    let leads = found.first().is_some_and(|f| !text[..f.start].contains(char::is_alphanumeric));
    if announced.is_none() && (is_nothing_for_scalar(text) || !leads && is_refusal(text)) {
        return Err("a number");
    }
    let mut distinct: Vec<&Found> = Vec::new();
    for number in found.iter().filter(|f| !f.denied) {
        if !distinct.iter().any(|d| d.digits == number.digits && d.unclear == number.unclear) {
            distinct.push(number);
        }
        if distinct.len() > 8 {
            break;
        }
    }
    // A restatement in brackets.
    if let [first, second] = distinct[..]
        && restated(text, first, second)
    {
        distinct.pop();
    }
    match distinct[..] {
        [] => Err("a number"),
        [only] => {
            if only.unclear || spelt_otherwise(text, only) {
                return Err("one clear number");
            }
            let alone = only.start == 0 && only.end == text.len();
            let note =
                if alone { ("a number spelt loosely", 1) } else { ("a number with words around it", 2) };
            Ok(Number { digits: only.digits.clone(), note: Some(note) })
        }
        // "… so the answer is 42": what is announced last settles it.
        _ => {
            // A sum announces its result only when nothing comes after it.
            let summed = found.last().filter(|f| {
                let behind = text[f.end..].trim_end_matches(|c: char| !c.is_alphanumeric());
                text[..f.start].trim_end_matches(mark).ends_with('=')
                    && !behind.contains(['.', ';', '\n', '?', ','])
            });
            let settled = announced.or(summed).map(|f| (f, "the number that is announced as the answer"));
            let settled =
                settled.or_else(|| Some((corrected_to(text, &found)?, "a number that corrects another")));
            match settled.or_else(|| Some((headline(text, &found)?, "a number with an explanation"))) {
                Some((last, what)) if !last.unclear => Ok(bent(&last.digits, what, 4)),
                _ => Err("one number (the answer has several)"),
            }
        }
    }
}

/// Whether the second number says the first once more in brackets, such as `0.5 (50%)`.
fn restated(text: &str, first: &Found, second: &Found) -> bool {
    let percent =
        |f: &Found| text[f.start..f.end].ends_with('%') || text[f.end..].trim_start().starts_with('%');
    let between = text[first.end..second.start].trim_matches([' ', '%']);
    if between != "(" || first.unclear || second.unclear || percent(first) == percent(second) {
        return false;
    }
    let (Ok(a), Ok(b)) = (first.digits.parse::<f64>(), second.digits.parse::<f64>()) else { return false };
    let (part, whole) = if percent(first) { (b, a) } else { (a, b) };
    (part * 100.0 - whole).abs() <= 1e-9 * whole.abs().max(1.0)
}

/// Whether the number in brackets differs from the words before it, such as `twelve (13)`.
fn spelt_otherwise(text: &str, number: &Found) -> bool {
    let differs = |spelt: String| spelt.parse::<f64>().ok() != number.digits.parse::<f64>().ok();
    if let Some((inner, _)) =
        text[number.end..].trim_start().strip_prefix('(').and_then(|i| i.split_once(')'))
    {
        return in_words(inner.trim()).is_some_and(differs);
    }
    let Some(before) = text[..number.start].trim_end().strip_suffix('(') else { return false };
    let before = before.trim_end();
    let word = |from: usize| in_words(before[from..].trim_matches(|c: char| !c.is_alphanumeric()));
    // The longest run of words that is a number, of the last few.
    let starts = before.rmatch_indices(' ').map(|(at, _)| at + 1).take(6);
    let spelt = starts.chain([0]).filter_map(word).last();
    spelt.is_some_and(differs)
}

/// The only number behind the last place at which a text corrects itself.
fn corrected_to<'f>(text: &str, found: &'f [Found]) -> Option<&'f Found> {
    let at = corrected(&text.to_ascii_lowercase())?;
    let mut after = found.iter().filter(|f| f.start >= at && !f.denied);
    let first = after.next()?;
    after.all(|f| f.digits == first.digits).then_some(first)
}

/// The number that the first line is, when only an explanation follows.
fn headline<'f>(text: &str, found: &'f [Found]) -> Option<&'f Found> {
    let (line, rest) = text.split_once('\n')?;
    let mut first = found.iter().take_while(|f| f.start < line.len());
    let (number, None) = (first.next()?, first.next()) else { return None };
    let around = |c: char| c.is_whitespace() || "*_`\"'$€£%.#:".contains(c);
    let label = line[..number.start].trim_matches(around);
    if !line.get(number.end..)?.trim_matches(around).is_empty() || number.denied {
        return None;
    }
    let next = rest.trim_start().to_ascii_lowercase();
    let next = next.trim_start_matches(|c: char| !c.is_alphanumeric());
    let explained = ["reason", "explanation", "justification", "rationale", "because", "note", "comment"]
        .iter()
        .any(|word| next.starts_with(word));
    // Other lines with a number alone, or with a label, make it a list.
    let several = rest.lines().any(|line| {
        let line = line.trim_matches(around);
        plain(line) || line.starts_with(|c: char| c.is_ascii_digit() || "-•|".contains(c))
    });
    (!several && (label.is_empty() || explained)).then_some(number)
}

fn bent(digits: &str, what: &'static str, cost: u32) -> Number {
    Number { digits: digits.into(), note: Some((what, cost)) }
}

/// Whether this is a number as JSON or Rust writes it.
pub(in crate::de) fn plain(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    rest.starts_with(|c: char| c.is_ascii_digit())
        && rest.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && text.parse::<f64>().is_ok()
}

/// What may stand between an announcement and the number.
fn mark(c: char) -> bool {
    c.is_whitespace() || "*_`\"'$€£(".contains(c)
}

/// Whether a text ends by announcing an answer.
fn announces(before: &str) -> bool {
    let before = before.trim_end_matches(mark);
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
        "answer\":",
        "result is",
        "result:",
        "total is",
        "total:",
        "final answer",
        "boxed{",
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
    /// What stands around it changes it, or may.
    unclear: bool,
    /// The text says that it is not this one.
    denied: bool,
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
        let money = lead.len() < text[..at].trim_end_matches(' ').len();
        let words = lead.trim_end_matches(|c: char| c.is_whitespace());
        let mut last = words.rsplit(|c: char| !c.is_alphabetic());
        let word = last.next().unwrap_or_default().to_ascii_lowercase();
        let second = if words.ends_with(&*word) { last.next().unwrap_or_default() } else { "" };
        // A bound or a denial is no number.
        let denied = word == "not" || matches!((second, &*word), ("rather", "than") | ("instead", "of"));
        let bound = lead.ends_with(['<', '≤', '≥', '√', '∛', '^'])
            || (lead.ends_with('>') && !lead.contains('<'))
            || lead.ends_with("sqrt(")
            || lead.trim_end_matches('{').ends_with('√')
            || matches!(&*word, "than" | "least" | "most" | "under" | "over" | "above" | "below" | "sqrt")
            || (second.eq_ignore_ascii_case("up") && word == "to");
        if let Some(rest) = lead.strip_suffix(['-', '−'])
            && !rest.ends_with(|c: char| c.is_alphanumeric() || c == ')')
        {
            number.insert(0, '-');
            at = rest.len();
        }
        if matches!(&*word, "minus" | "negative") {
            number.insert(0, '-');
        }
        let (number, end, unclear) = scaled(text, number, end, money);
        let unclear = unclear || (bound && !denied) || dotted(text, at, end);
        found.push(Found { start: at, end, digits: number, unclear, denied });
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
    let first = end;
    // Groups of three, all set off by the same mark.
    let mut groups = String::from(&rest[..end]);
    if let Some((digits, e)) = lakhs(rest, end) {
        (groups, end) = (digits, e);
    }
    for mark in [",", "_", "'", "’", " ", "\u{a0}", "\u{202f}", "\u{2009}", "."] {
        let mut e = end;
        let mut digits = groups.clone();
        let mut count = 0;
        while (1..=3).contains(&first) && rest[e..].starts_with(mark) && run(e + mark.len()) == 3 {
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

/// The number in Indian groups, of two digits but for the last three, and where it ends: `12,34,567`.
fn lakhs(rest: &str, first: usize) -> Option<(String, usize)> {
    if !(1..=2).contains(&first) {
        return None;
    }
    let mut digits = rest[..first].to_owned();
    let mut end = first;
    loop {
        let group = rest[end..].strip_prefix(',')?;
        let len = group.bytes().take_while(u8::is_ascii_digit).count();
        digits.push_str(&group[..len]);
        end += 1 + len;
        match len {
            // No number is that long, and every number of a list is looked at like this.
            2 if digits.len() < 32 => {}
            3 if digits.len() > first + 3 => return Some((digits, end)),
            _ => return None,
        }
    }
}

fn grouped_by_comma(rest: &str, end: usize, grouped: bool) -> bool {
    grouped && rest[..end].contains(',')
}

/// A fraction, a percent sign, or a word that multiplies, behind a number.
fn scaled(text: &str, digits: String, end: usize, money: bool) -> (String, usize, bool) {
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
    let behind = &rest[gap..];
    match scale(behind, gap == 0, money) {
        Scale::Ten(power, len) => {
            let end = end + gap + len;
            let value = shifted(&digits, power)
                .or_else(|| Some(format!("{}", digits.parse::<f64>().ok()? * 10f64.powi(power))));
            let unclear = value.is_none();
            let value = value.unwrap_or(digits);
            // "2 hundred thousand"
            let more = text[end..].strip_prefix(' ').map(|more| scale(more, false, false));
            match more {
                Some(Scale::Ten(power, len)) => match shifted(&value, power) {
                    Some(value) => (value, end + 1 + len, unclear),
                    None => (value, end, true),
                },
                _ => (value, end, unclear || text[end..].starts_with('+')),
            }
        }
        Scale::Dozen(len) => match digits.parse::<f64>() {
            Ok(value) => (format!("{}", value * 12.0), end + gap + len, false),
            Err(_) => (digits, end, true),
        },
        Scale::Unclear(len) => (digits, end + gap + len, true),
        Scale::Unit => {
            let glued = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
            let sign = usize::from(rest.starts_with('%'));
            let changed = rest.starts_with(['+', '^', '√', 'π', '²', '³']) || behind.starts_with(['√', 'π']);
            (digits, end + glued + sign, changed)
        }
    }
}

/// Whether the only dot of a sum of money may part thousands: `12.000 ₫`.
fn dotted(text: &str, start: usize, end: usize) -> bool {
    let number = text[start..end].trim_start_matches(|c: char| !c.is_ascii_digit());
    let number = number.trim_end_matches(|c: char| !c.is_ascii_digit());
    let Some((whole, fraction)) = number.split_once('.') else { return false };
    let groups = fraction.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0');
    // Where dollars are paid, a dot is a point.
    let sign = |c: char| "€₫₺₽₴₡₲".contains(c);
    let money = text[end..].trim_start().starts_with(sign) || text[..start].trim_end().ends_with(sign);
    groups && (money || fraction == "000")
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
            ("\\boxed{1{,}250}", "1250"),
            ("$\\boxed{\\frac{3}{4}}$", "0.75"),
            ("$6.022 \\times 10^{23}$", "6.022e23"),
            ("3.0 × 10⁻⁴", "3.0e-4"),
            ("12,34,567", "1234567"),
            ("₹1,23,456.00", "123456.00"),
            ("1,234", "1234"),
            ("3,2 Millionen Einwohner", "3200000"),
            ("2 hundred thousand", "200000"),
            ("1.5 lakh rupees", "150000"),
            ("5万", "50000"),
            ("3億円", "300000000"),
            ("$1.2B", "1200000000"),
            ("one hundred and five", "105"),
            ("twelve (12)", "12"),
            ("forty-two (42)", "42"),
            ("0.5 (50%)", "0.5"),
            ("50% (0.5)", "50"),
            ("not 5 but 6", "6"),
            ("5, not 6", "5"),
            ("5 rather than 6", "5"),
            ("It was 45, no, 54.", "54"),
            ("**0.9**\n\nThe score is 0.9 because 2 of the 3 were met.", "0.9"),
            ("Confidence: 0.85\nReasoning: 3 of 4 agree.", "0.85"),
            ("42. I cannot say more.", "42"),
            ("<think>5 or 6?</think>6", "6"),
        ] {
            assert_eq!(number(text).map(|n| n.digits), Ok(digits.to_owned()), "{text}");
        }
        for text in [
            "",
            "none",
            "10-20",
            "2024-05-01",
            "1.2.3",
            "10:30",
            "5M",
            "3 of 4",
            "H2O",
            "√16",
            "\\sqrt{2}",
            "2π",
            "12e",
            "5²",
            "12.000 ₫",
            "twelve (13)",
            "5 (six)",
            "10 M",
            "100k+",
            "not 5",
            "3\n4\n5",
            "up to 5",
            "less than 1%",
            "3 mil",
            "1億2000万",
            "1,00,00",
            "100+",
            "Let us see. First, 12 + 30 = 42. Then we subtract",
            "As of my last update in 2023, I do not have it.",
            "I have 1 question before I can answer: which year do you mean?",
            "N/A - only 2 items",
            "None. The text mentions 3 people.",
            "<think>\nso 5",
            "98.6°F (37°C)",
            "Apples: 3\n4 pears",
        ] {
            assert!(number(text).is_err(), "{text}");
        }
    }
}
