//! The digits of a number, with what sets off their groups and their fraction.

/// A number as it stands in a text.
#[derive(Debug, Clone)]
pub(in crate::de) struct Number {
    /// Digits as Rust parses them.
    pub(in crate::de) digits: String,
    /// Whether its only mark may part thousands or decimals: `1,234`, `12.000`.
    pub(in crate::de) doubtful: bool,
    /// Whether it is written as one number over another.
    pub(in crate::de) ratio: bool,
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.digits == other.digits
            || self.digits.parse::<f64>().is_ok_and(|a| other.digits.parse::<f64>().is_ok_and(|b| a == b))
    }
}

/// Whether this is a number as JSON or Rust writes it.
pub(in crate::de) fn plain(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    rest.starts_with(|c: char| c.is_ascii_digit())
        && rest.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && text.parse::<f64>().is_ok()
}

/// Whether the digits at both sides of a mark may be thousands and hundreds.
pub(super) fn grouped(whole: &str, part: &str) -> bool {
    let whole = whole.trim_start_matches(['-', '+']);
    part.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0')
}

/// Digits in a text, and where they end.
pub(super) struct One {
    pub(super) digits: String,
    pub(super) end: usize,
}

/// The number that begins at `at`: its digits as Rust parses them, and where it ends.
pub(super) fn one(text: &str, at: usize) -> Option<One> {
    let rest = &text[at..];
    if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let len = hex.find(|c: char| !c.is_ascii_hexdigit() && c != '_').unwrap_or(hex.len());
        let value = u128::from_str_radix(&hex[..len].replace('_', ""), 16).ok()?;
        return Some(One { digits: value.to_string(), end: at + 2 + len });
    }
    let bytes = rest.as_bytes();
    let is_digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let run = |from: usize| (from..).take_while(|i| is_digit(*i)).count();
    let first = run(0);
    let mut end = first;
    let mut digits = String::from(&rest[..end]);
    let mut mark = "";
    if let Some((groups, e)) = lakhs(rest, end) {
        (digits, end, mark) = (groups, e, ",");
    } else {
        // Groups of three, all set off by the same mark.
        for sign in [",", "_", "'", "’", " ", "\u{a0}", "\u{202f}", "\u{2009}", "."] {
            let (mut e, mut groups, mut count) = (end, digits.clone(), 0);
            while (1..=3).contains(&first) && rest[e..].starts_with(sign) && run(e + sign.len()) == 3 {
                groups.push_str(&rest[e + sign.len()..e + sign.len() + 3]);
                e += sign.len() + 3;
                count += 1;
            }
            // One group after a point is a fraction, unless a decimal comma follows.
            let decimal =
                rest[e..].strip_prefix(',').is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
            let zero = sign == "," && rest.starts_with('0');
            if count > usize::from(sign == "." && !decimal) && !zero {
                (digits, end, mark) = (groups, e, sign);
                break;
            }
        }
    }
    let fraction = run(end + 1);
    let point = match bytes.get(end) {
        Some(b'.') => fraction > 0 && mark != ".",
        // A decimal comma; three digits behind it are a group.
        Some(b',') => {
            fraction > 0 && mark != "," && (fraction != 3 || !mark.is_empty() || rest.starts_with('0'))
        }
        _ => false,
    };
    if point {
        digits.push('.');
        digits.push_str(&rest[end + 1..end + 1 + fraction]);
        end += 1 + fraction;
    }
    if digits.starts_with('.') {
        digits.insert(0, '0');
    }
    if let Some(e) = rest[end..].strip_prefix(['e', 'E']) {
        let sign = usize::from(e.starts_with(['-', '+']));
        let len = run(end + 1 + sign);
        if len > 0 {
            digits.push_str(&rest[end..end + 1 + sign + len]);
            end += 1 + sign + len;
        }
    }
    digits.starts_with(|c: char| c.is_ascii_digit()).then_some(One { digits, end: at + end })
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
