//! How people write quantities: digits of other scripts, formulas, number words, and words that multiply.

use std::borrow::Cow;

use super::labels::{has, words_of};

/// Fractions of one character, each before what it stands for.
const FRACTIONS: &str = "½1/2|⅓1/3|⅔2/3|¼1/4|¾3/4|⅕1/5|⅛1/8|⅜3/8|⅝5/8";

/// The fraction that a character is.
fn fraction(c: char) -> Option<&'static str> {
    words_of(FRACTIONS).find_map(|known| known.strip_prefix(c))
}

/// A digit of another script.
fn digit(c: char) -> Option<char> {
    let zero = match c {
        '０'..='９' => '０',
        '٠'..='٩' => '٠',
        '۰'..='۹' => '۰',
        '०'..='९' => '०',
        _ => return None,
    };
    char::from_digit(c as u32 - zero as u32, 10)
}

/// A digit or a sign of an exponent.
fn raised(c: char) -> Option<char> {
    let at = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺".chars().position(|high| high == c)?;
    "0123456789-+".chars().nth(at)
}

/// The text with digits of other scripts, fractions of one character and formulas as ASCII.
pub(super) fn plainer(text: &str) -> Cow<'_, str> {
    let text = formula(text);
    let odd = |c: char| {
        digit(c).is_some() || matches!(c, '٫' | '٬') || fraction(c).is_some() || raised(c).is_some()
    };
    if text.is_ascii() || !text.contains(odd) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut high = false;
    for c in text.chars() {
        if let Some(fraction) = fraction(c) {
            if out.ends_with(|c: char| c.is_ascii_digit()) {
                out.push(' ');
            }
            out.push_str(fraction);
        } else if let Some(low) = raised(c).filter(|_| high || out.ends_with(|c: char| c.is_ascii_digit())) {
            // Behind a unit, it is no exponent of the number.
            if !high {
                out.push('^');
            }
            out.push(low);
            high = true;
            continue;
        } else {
            out.push(match c {
                '٫' => '.',
                '٬' => ',',
                _ => digit(c).unwrap_or(c),
            });
        }
        high = false;
    }
    out.into()
}

/// The text without the commands of TeX that numbers have.
fn formula(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') && !text.contains("^{") && !text.contains("{,}") {
        return text.into();
    }
    let mut out = text.replace("{,}", ",");
    for (command, plain) in [
        ("\\times", "×"),
        ("\\cdot", "·"),
        ("\\%", "%"),
        ("\\$", "$"),
        ("\\,", "\u{2009}"),
        ("\\;", "\u{2009}"),
        ("\\!", ""),
        ("\\dfrac", "\\frac"),
        ("\\tfrac", "\\frac"),
        ("\\pi", "π"),
        ("\\sqrt", "√"),
        ("\\left", ""),
        ("\\right", ""),
    ] {
        if out.contains(command) {
            out = out.replace(command, plain);
        }
    }
    let parts: Vec<&str> = out.split("\\frac{").collect();
    let mut plain = String::with_capacity(out.len());
    for (i, part) in parts.iter().enumerate() {
        let fraction = part.split_once("}{").and_then(|(above, rest)| {
            let (below, rest) = rest.split_once('}')?;
            let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
            (digits(above) && digits(below)).then_some((above, below, rest))
        });
        match fraction.filter(|_| i > 0) {
            Some((above, below, rest)) => {
                if plain.ends_with(|c: char| c.is_ascii_digit()) {
                    plain.push(' ');
                }
                plain.extend([above, "/", below, rest]);
            }
            None if i > 0 => plain.extend(["\\frac{", part]),
            None => plain.push_str(part),
        }
    }
    if !plain.contains("^{") {
        return plain.into();
    }
    let mut out = String::with_capacity(plain.len());
    for (i, part) in plain.split("^{").enumerate() {
        match part.split_once('}').filter(|_| i > 0) {
            Some((power, rest)) => out.extend(["^", power, rest]),
            None if i > 0 => out.extend(["^{", part]),
            None => out.push_str(part),
        }
    }
    out.into()
}

/// A thousand millions.
const MILLIARDS: &str = "billion|billions|bn|mrd|milliarde|\
    milliarden|milliard|milliards|miliardi|miliardo|miljard|miljarder|\
    mlrd|mld|млрд|миллиард|миллиарда|миллиардов";

/// What a word behind a number does to it.
pub(super) enum Scale {
    /// Multiplies it by this power of ten; the length of the word.
    Ten(i32, usize),
    Dozen(usize),
    /// May or may not multiply it.
    Unclear,
    Unit,
}

/// What the word that `rest` begins with does to a number; `glued` where no space stands between.
pub(super) fn scale(rest: &str, glued: bool, money: bool) -> Scale {
    for (sign, power) in [('万', 4), ('萬', 4), ('億', 8), ('亿', 8)] {
        if let Some(behind) = rest.strip_prefix(sign) {
            let len = sign.len_utf8();
            let more = behind.starts_with(|c: char| c.is_ascii_digit() || "万萬億亿兆千百".contains(c));
            return if more { Scale::Unclear } else { Scale::Ten(power, len) };
        }
    }
    // A thousand in one country, a million in another.
    if rest.starts_with(['兆', '千', '百']) {
        return Scale::Unclear;
    }
    let len = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let word = &rest[..len];
    if len == 0 || len > 24 {
        return Scale::Unit;
    }
    match word {
        "k" | "K" if glued => return Scale::Ten(3, len),
        "M" | "m" if glued && money => return Scale::Ten(6, len),
        "B" | "b" if glued && money => return Scale::Ten(9, len),
        // Metres or millions, bytes or billions.
        "M" | "m" | "B" | "b" if glued => return Scale::Unclear,
        "M" | "B" => {
            return if money { Scale::Ten(if word == "M" { 6 } else { 9 }, len) } else { Scale::Unclear };
        }
        // Euler's number, or an exponent that is cut off.
        "e" | "E" | "π" if glued => return Scale::Unclear,
        // A thousand in Spanish, a million in slang.
        "mil" => return Scale::Unclear,
        // A million millions in German.
        "Billion" | "Trillion" => return Scale::Unclear,
        "Billionen" => return Scale::Ten(12, len),
        _ => {}
    }
    let power = match &*word.to_lowercase() {
        "hundred" => 2,
        "thousand" | "thousands" | "tsd" | "tausend" | "тыс" | "тысяч" | "тысячи" | "тысяча" => {
            3
        }
        "lakh" | "lakhs" => 5,
        "million" | "millions" | "mn" | "mln" | "mio" | "millionen" | "millón" | "millones" | "milioni"
        | "milione" | "milhões" | "milhão" | "miljoen" | "miljoner" | "miljon" | "млн" | "миллион"
        | "миллиона" | "миллионов" => 6,
        "crore" | "crores" => 7,
        word if has(MILLIARDS, word) => 9,
        "trillion" | "trillions" | "tn" => 12,
        "dozen" => return Scale::Dozen(len),
        _ => return Scale::Unit,
    };
    Scale::Ten(power, len)
}

/// A number times a power of ten, without the errors of a float.
pub(super) fn shifted(digits: &str, power: i32) -> Option<String> {
    if digits.contains(['e', 'E']) || power < 0 {
        return None;
    }
    let (sign, bare) = digits.strip_prefix('-').map_or(("", digits), |bare| ("-", bare));
    let (whole, fraction) = bare.split_once('.').unwrap_or((bare, ""));
    let zeros = usize::try_from(power).ok()?;
    let mut all = format!("{whole}{fraction}");
    if zeros >= fraction.len() {
        all.extend(std::iter::repeat_n('0', zeros - fraction.len()));
        let all = all.trim_start_matches('0');
        return Some(format!("{sign}{}", if all.is_empty() { "0" } else { all }));
    }
    all.insert(whole.len() + zeros, '.');
    Some(format!("{sign}{all}"))
}

const SMALL: &str = "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|\
    twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen";

const TENS: &str = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety";

/// The number that a text in words is, such as `one hundred and five` or `three and a half`.
pub(super) fn in_words(text: &str) -> Option<String> {
    if text.len() > 120 {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let mut words: Vec<&str> = lower.split([' ', '-', '\u{a0}']).filter(|w| !w.is_empty()).collect();
    let negative = matches!(words.first(), Some(&("minus" | "negative")));
    if negative {
        words.remove(0);
    }
    let mut part = 0.0;
    for (tail, value) in [(["and", "a", "half"], 0.5), (["and", "a", "quarter"], 0.25)] {
        if words.len() > 3 && words.ends_with(&tail) {
            words.truncate(words.len() - 3);
            part = value;
        }
    }
    // What is below the last `thousand`, and below the last `hundred`: that only grows smaller.
    let (mut total, mut group) = (0u64, None::<u64>);
    let (mut last, mut least) = (Last::Start, u64::MAX);
    for word in words {
        let small = words_of(SMALL).position(|w| w == word).map(|n| n as u64);
        let tens = words_of(TENS).position(|w| w == word).map(|n| (n as u64 + 2) * 10);
        let thousands = match word {
            "thousand" => Some(1_000),
            "million" => Some(1_000_000),
            "billion" => Some(1_000_000_000),
            _ => None,
        };
        last = match (word, last) {
            ("a" | "an", Last::Start) => {
                group = Some(1);
                Last::Article
            }
            ("and", Last::Hundred | Last::Thousand) => Last::And,
            ("hundred", Last::Small | Last::Article) => {
                group = group.filter(|n| *n < 20 && *n > 0).map(|n| n * 100);
                group?;
                Last::Hundred
            }
            ("dozen", Last::Article | Last::Small) => {
                group = group.filter(|n| *n < 20).map(|n| n * 12);
                group?;
                Last::Dozen
            }
            _ if small.is_some() => {
                match last {
                    Last::Tens if small.is_some_and(|n| (1..10).contains(&n)) => {}
                    Last::Start | Last::Hundred | Last::Thousand | Last::And => {}
                    _ => return None,
                }
                group = Some(group.unwrap_or(0) + small?);
                Last::Small
            }
            (_, Last::Start | Last::Hundred | Last::Thousand | Last::And) if tens.is_some() => {
                group = Some(group.unwrap_or(0) + tens?);
                Last::Tens
            }
            (_, Last::Small | Last::Tens | Last::Hundred | Last::Article) if thousands.is_some() => {
                let by = thousands.filter(|by| *by < least)?;
                least = by;
                total += group.take()? * by;
                Last::Thousand
            }
            _ => return None,
        };
    }
    // "three million and a half": of a million, or of one.
    if matches!(last, Last::Start | Last::And | Last::Article) || part != 0.0 && total > 0 {
        return None;
    }
    let whole = total + group.unwrap_or(0);
    let sign = if negative { "-" } else { "" };
    Some(if part == 0.0 { format!("{sign}{whole}") } else { format!("{sign}{}", whole as f64 + part) })
}

/// What kind of word came last.
#[derive(Clone, Copy)]
enum Last {
    Start,
    Article,
    Small,
    Tens,
    Hundred,
    Thousand,
    Dozen,
    And,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_numbers() {
        for (text, number) in [
            ("seven", "7"),
            ("twenty", "20"),
            ("Forty-two", "42"),
            ("one hundred and five", "105"),
            ("three and a half", "3.5"),
            ("twenty-five thousand", "25000"),
            ("two million three hundred thousand", "2300000"),
            ("nineteen hundred", "1900"),
            ("a hundred", "100"),
            ("a dozen", "12"),
            ("minus five", "-5"),
            ("zero", "0"),
        ] {
            assert_eq!(in_words(text).as_deref(), Some(number), "{text}");
        }
        for text in [
            "",
            "a",
            "and",
            "one or two",
            "one two",
            "twenty thirty",
            "hundred and",
            "forty fifty",
            "an apple",
        ] {
            assert_eq!(in_words(text), None, "{text}");
        }
    }

    #[test]
    fn formulas_become_plain() {
        for (text, plain) in [
            ("1{,}250\\%", "1,250%"),
            ("\\frac{3}{4}", "3/4"),
            ("1\\frac{1}{2}", "1 1/2"),
            ("10^{-23}", "10^-23"),
            ("10⁻⁴", "10^-4"),
            ("5 m²", "5 m²"),
            ("١٢٣", "123"),
            ("2½", "2 1/2"),
            ("\\frac{x}{2}", "\\frac{x}{2}"),
        ] {
            assert_eq!(plainer(text), plain, "{text}");
        }
        assert_eq!(shifted("3.2", 6).as_deref(), Some("3200000"));
        assert_eq!(shifted("-0.5", 3).as_deref(), Some("-500"));
        assert_eq!(shifted("1.23456", 2).as_deref(), Some("123.456"));
    }
}
