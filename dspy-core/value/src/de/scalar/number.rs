//! Numbers.

use super::{
    bare::{Bare, Said},
    digits::{Number, grouped, one, plain},
    labels::{CURRENCIES, has, is_unit},
    quantity::{Scale, in_words, plainer, scale, shifted},
    said::{Unsaid, mentioned, settle},
};
use crate::de::{coercion::CoercionKind, options::ReadOptions};

/// Reads the number of a text; the kind tells what had to be bent.
pub(in crate::de) fn number(
    text: &str,
    options: &ReadOptions,
) -> Result<(Number, Option<CoercionKind>), Unsaid> {
    let text = text.trim();
    if plain(text) {
        let doubtful = text.split_once('.').is_some_and(|(whole, part)| grouped(whole, part));
        return Ok((
            Number { digits: text.trim_start_matches('+').to_owned(), doubtful, ratio: false },
            None,
        ));
    }
    let found = settle(text, &Numbers, options).map_err(|why| match mentioned(text, &Numbers)[..] {
        [_, _, ..] if why == Unsaid::Nothing => Unsaid::Several,
        _ => why,
    })?;
    match found.value {
        Said::Number(number) => Ok((number, found.kind)),
        _ => Err(Unsaid::Nothing),
    }
}

struct Numbers;

impl Bare for Numbers {
    fn bare(&self, text: &str) -> Option<(Said, CoercionKind)> {
        let text = text.trim();
        if text.len() > 128 || text.ends_with(['?', '？']) {
            return None;
        }
        let (number, kind) = bare(text)?;
        Some((Said::Number(number), kind))
    }

    fn mentions(&self, word: &str) -> bool {
        word.contains(|c: char| c.is_numeric()) || (word.len() > 2 && in_words(word).is_some())
    }

    fn explains(&self, value: &Said, inside: &str) -> bool {
        let Said::Number(number) = value else { return false };
        let Ok(value) = number.digits.parse::<f64>() else { return false };
        if let Some(spelt) = in_words(inside.trim()) {
            return spelt.parse() == Ok(value);
        }
        // A restatement, such as `0.5 (50%)`.
        let percent = inside.trim_end().ends_with('%');
        bare(inside.trim()).and_then(|(other, _)| other.digits.parse::<f64>().ok()).is_some_and(|other| {
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
            close(other, value) || percent && close(value * 100.0, other) || close(other * 100.0, value)
        })
    }
}

/// The number that all of a text is, with its sign, currency and unit.
fn bare(text: &str) -> Option<(Number, CoercionKind)> {
    if let Some(value) = special(text) {
        return Some((
            Number { digits: value.into(), doubtful: false, ratio: false },
            CoercionKind::LooseNumber,
        ));
    }
    if let Some(digits) = in_words(text) {
        return Some((Number { digits, doubtful: false, ratio: false }, CoercionKind::NumberInWords));
    }
    let text = plainer(text);
    let text = text.trim();
    let (start, negative, money) = lead(text)?;
    let rest = &text[start..];
    if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let one = one(text, start)?;
    let dollars = text[..start].contains(['$', '£']);
    let spelt = &text[start..one.end];
    let first = spelt.find([',', '.']);
    let doubtful = first.is_some_and(|at| {
        let mark = &spelt[at..=at];
        spelt.matches([',', '.']).count() == 1
            && grouped(&spelt[..at], &spelt[at + 1..])
            && !(dollars && mark == ",")
    });
    let (mut digits, end, scaled) = scaled(text, one.digits, one.end, money)?;
    if negative {
        digits.insert(0, '-');
    }
    let kind = unit(&text[end..])?;
    // What is multiplied has a fraction, if a mark with three digits behind it was one.
    let doubtful = doubtful && !digits.contains(['e', 'E']);
    if scaled && doubtful {
        return None;
    }
    let spelt_ratio = text[start..end].contains(['/', '⁄']);
    Some((Number { digits, doubtful, ratio: spelt_ratio }, kind))
}

fn special(text: &str) -> Option<&'static str> {
    Some(match &*text.to_ascii_lowercase() {
        "nan" => "NaN",
        "inf" | "infinity" | "+inf" | "+infinity" => "inf",
        "-inf" | "-infinity" => "-inf",
        _ => return None,
    })
}

/// Whether a character is the sign of a currency.
fn currency(c: char) -> bool {
    matches!(c, '$' | '¢' | '£' | '¥' | '￥' | '€' | '\u{20a0}'..='\u{20cf}')
}

/// Names of currencies that stand before a sum and are no codes of three letters.
const SHORT: [&str; 8] = ["kr. ", "kr ", "Rp ", "Rs. ", "Rs ", "Kč ", "zł ", "Fr. "];

/// Words behind a number that say what it counts.
const PHRASES: [&str; 5] = ["years old", "years of age", "months old", "jahre alt", "per cent"];

/// What may stand before the digits: how long it is, whether it makes the number negative, and whether it is money.
fn lead(text: &str) -> Option<(usize, bool, bool)> {
    let (mut rest, mut negative, mut money, mut signs) = (text, false, false, 0);
    for mark in ["≈", "~", "#", "No. ", "Nr. ", "№ ", "№"] {
        if let Some(behind) = rest.strip_prefix(mark) {
            rest = behind.trim_start();
            break;
        }
    }
    if let Some(behind) = rest.strip_prefix("minus ").or_else(|| rest.strip_prefix("Minus ")) {
        (rest, negative, signs) = (behind, true, 1);
    }
    loop {
        if let Some(behind) = rest.strip_prefix(['-', '−', '+']) {
            // A dash before a word or a number set apart is one of a list.
            if behind.starts_with(' ') && !behind.trim_start().starts_with(currency) {
                return None;
            }
            negative |= !rest.starts_with('+');
            signs += 1;
            rest = behind.trim_start();
        } else if rest.starts_with(currency) {
            money = true;
            rest = rest.trim_start_matches(currency).trim_start();
        } else {
            if let Some(behind) = SHORT.iter().find_map(|name| rest.strip_prefix(name)).filter(|_| !money) {
                money = true;
                rest = behind.trim_start();
                continue;
            }
            // `USD 5`, `R$ 5`
            let code = rest.bytes().take_while(u8::is_ascii_uppercase).count();
            let behind = rest[code..].trim_start_matches(currency);
            let parted = behind.starts_with(' ') || behind.len() < rest.len() - code;
            if !(1..=3).contains(&code) || !parted || money || !has(CURRENCIES, &rest[..code]) {
                break;
            }
            money = code == 3 || behind.len() < rest.len() - code;
            if !money {
                return None;
            }
            rest = behind.trim_start();
        }
    }
    (signs <= 1).then_some((text.len() - rest.len(), negative, money))
}

/// What may stand behind a number: nothing, its sign or its unit.
fn unit(rest: &str) -> Option<CoercionKind> {
    if rest.is_empty() {
        return Some(CoercionKind::LooseNumber);
    }
    let rest = rest.trim_start();
    if matches!(rest, "%" | "٪" | "％" | ".-" | ",-" | ".–" | ",–" | "h") || rest.chars().all(currency)
    {
        return Some(CoercionKind::Unit);
    }
    let degrees =
        rest.strip_prefix(['°', '℃', '℉']).map(|unit| unit.chars().all(|c| c.is_ascii_alphabetic()));
    if degrees == Some(true) {
        return Some(CoercionKind::Unit);
    }
    if PHRASES.contains(&&*rest.to_lowercase()) || is_unit(rest) || has(CURRENCIES, rest) {
        return Some(CoercionKind::Unit);
    }
    None
}

/// Whether one number over another is a fraction: `7/10` and `17/25` may be ratings, `12/2024` a month.
fn is_fraction(above: f64, below: f64) -> bool {
    above < below && [2.0, 3.0, 4.0, 6.0, 8.0, 16.0, 32.0, 64.0].contains(&below)
}

/// A fraction, a power or a word that multiplies, behind a number: the number, where all that ends, and whether it was
/// multiplied. `None` where it is not clear what it does to the number.
fn scaled(text: &str, digits: String, end: usize, money: bool) -> Option<(String, usize, bool)> {
    let rest = &text[end..];
    let divided = |whole: f64, above: &str, below: &str| {
        let (above, below) = (above.parse::<f64>().ok()?, below.parse::<f64>().ok()?);
        let clear = is_fraction(above, below) && above.fract() == 0.0;
        clear.then(|| format!("{}", whole + above / below))
    };
    let run = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    if let Some(below) = rest.strip_prefix('/').or_else(|| rest.strip_prefix('⁄')) {
        let len = run(below);
        let end = text.len() - below.len() + len;
        return (!text[end..].starts_with('/'))
            .then(|| divided(0.0, &digits, &below[..len]))?
            .map(|d| (d, end, true));
    }
    // "1 1/2"
    if let Some(part) = rest.strip_prefix(' ').filter(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
        let len = run(part);
        let below = part[len..].strip_prefix('/')?;
        let below_len = run(below);
        let value = divided(digits.parse().ok()?, &part[..len], &below[..below_len])?;
        return Some((value, text.len() - below.len() + below_len, true));
    }
    // "6.02 × 10^23"
    let times = rest.trim_start().strip_prefix(['×', 'x', '*', '·']).map(str::trim_start);
    if let Some(power) = times {
        let power = power.strip_prefix("10^").or_else(|| power.strip_prefix("10**"))?;
        let sign = usize::from(power.starts_with(['-', '+']));
        let len = sign + run(&power[sign..]);
        let clear = len > sign && !digits.contains(['e', 'E']);
        return clear.then(|| (format!("{digits}e{}", &power[..len]), text.len() - power.len() + len, true));
    }
    let gap = rest.len() - rest.trim_start_matches([' ', '\u{a0}', '\u{202f}']).len();
    match scale(&rest[gap..], gap == 0, money) {
        Scale::Ten(power, len) => {
            let end = end + gap + len;
            let value = shifted(&digits, power)?;
            // "2 hundred thousand"
            match text[end..].strip_prefix(' ').map(|more| scale(more, false, false)) {
                Some(Scale::Ten(power, len)) => Some((shifted(&value, power)?, end + 1 + len, true)),
                _ => Some((value, end, true)),
            }
        }
        Scale::Dozen(len) => {
            let value = digits.parse::<f64>().ok()? * 12.0;
            Some((format!("{value}"), end + gap + len, true))
        }
        Scale::Unclear => None,
        Scale::Unit => Some((digits, end, false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Number> {
        number(text, &ReadOptions::default()).ok().map(|(number, _)| number)
    }

    #[test]
    fn numbers_stand_alone() {
        for (text, digits) in [
            ("42", "42"),
            ("+42", "42"),
            ("-7", "-7"),
            ("3.0", "3.0"),
            ("1e3", "1e3"),
            ("1,234,567", "1234567"),
            ("1,234,567.89", "1234567.89"),
            ("1.234.567,89", "1234567.89"),
            ("1.234,56 €", "1234.56"),
            ("1 234 567", "1234567"),
            ("1'234'567", "1234567"),
            ("1_000", "1000"),
            ("3,5", "3.5"),
            ("3,14159", "3.14159"),
            ("0,125", "0.125"),
            ("$1,200.50", "1200.50"),
            ("-$5", "-5"),
            ("CHF 1'234.50", "1234.50"),
            ("R$ 5,50", "5.50"),
            ("€ 30", "30"),
            ("85%", "85"),
            ("12 %", "12"),
            ("1/2", "0.5"),
            ("42 apples", "42"),
            ("42km", "42"),
            ("100 km/h", "100"),
            ("42 Äpfel", "42"),
            ("42個", "42"),
            ("４２", "42"),
            ("0x1F", "31"),
            (".5", "0.5"),
            ("5k", "5000"),
            ("3 million", "3000000"),
            ("3,2 Millionen Einwohner", "3200000"),
            ("The answer is 42.", "42"),
            ("Antwort: 42", "42"),
            ("**Ergebnis:** 42 Euro", "42"),
            ("Réponse : « 42 »", "42"),
            ("答え：42", "42"),
            ("3 + 4 = 7", "7"),
            ("-3°C", "-3"),
            ("1.5e-3", "1.5e-3"),
            ("\\boxed{1{,}250{,}000}", "1250000"),
            ("$\\boxed{\\frac{3}{4}}$", "0.75"),
            ("$6.022 \\times 10^{23}$", "6.022e23"),
            ("3.0 × 10⁻⁴", "3.0e-4"),
            ("12,34,567", "1234567"),
            ("2 hundred thousand", "200000"),
            ("5万", "50000"),
            ("3億円", "300000000"),
            ("$1.2B", "1200000000"),
            ("one hundred and five", "105"),
            ("twelve (12)", "12"),
            ("0.5 (50%)", "0.5"),
            ("50% (0.5)", "50"),
            ("Step 1: 5\nStep 2: 8\nAnswer: 13", "13"),
            ("17 × 3 = 51\n\n52", "52"),
            ("Alles stimmt.\n\n52 €", "52"),
            ("<think>5 or 6?</think>6", "6"),
            ("## Antwort\n\n42", "42"),
        ] {
            assert_eq!(read(text).map(|n| n.digits), Some(digits.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_leaves_doubt_is_no_number() {
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
            "2π",
            "12e",
            "5²",
            "twelve (13)",
            "5 (six)",
            "10 M",
            "100k+",
            "not 5",
            "nicht 5",
            "pas 5",
            "3\n4\n5",
            "up to 5",
            "5 oder 6",
            "mindestens 5",
            "5以上",
            "<5",
            "3 mil",
            "1億2000万",
            "1,00,00",
            "100+",
            "7/10",
            "Score: 7/10",
            "10/10",
            "17/25",
            "MAX 5",
            "NOT 5",
            "> 5",
            "– 5",
            "(1,200.50)",
            "5 tusen",
            "5천",
            "42 niet",
            "42 (falsch)",
            "Falsche Antwort: 42",
            "At least: 42",
            "Apples: 3, Pears: 4",
            "Das Spiel endete 3 : 2",
            "It is not\n42",
            "Error: 404\nThe page could not be found.",
            "**0.9**\n\nDoch nicht.",
            "3 Dutzend",
            "98.6°F (37°C)",
            "Apples: 3\n4 pears",
            "No puedo responder; el texto tiene 2 párrafos.",
            "<think>\nso 5",
        ] {
            assert_eq!(read(text).map(|n| n.digits), None, "{text}");
        }
        for text in ["1,234", "12.000", "1.234 €"] {
            assert!(read(text).is_some_and(|n| n.doubtful), "{text}");
        }
        assert!(read("$1,234").is_some_and(|n| !n.doubtful));
    }
}
