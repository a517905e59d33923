//! Constants: texts in quotes, numbers, truth values.

use crate::{
    Constant, GrammarError,
    cursor::{Cursor, Result},
};

/// Reads a constant.
pub(crate) fn constant(cursor: &mut Cursor<'_>) -> Result<Constant> {
    const CURE: &str = "such as `'text'`, `3`, `True` or `None`";
    cursor.skip_space();
    match cursor.peek() {
        Some(quote @ ('\'' | '"')) => text(cursor, quote).map(Constant::Str),
        Some('-' | '+' | '.' | '0'..='9') => number(cursor),
        _ => {
            let before = cursor.clone();
            let constant = match cursor.name().map(|(name, _)| name) {
                Some("True" | "true") => Constant::Bool(true),
                Some("False" | "false") => Constant::Bool(false),
                Some("None" | "null") => Constant::None,
                Some(name) => {
                    let cure = format!("a text stands in quotes: `'{name}'`");
                    *cursor = before;
                    return Err(cursor.expected("a constant", cure));
                }
                None => return Err(cursor.expected("a constant", CURE)),
            };
            Ok(constant)
        }
    }
}

fn number(cursor: &mut Cursor<'_>) -> Result<Constant> {
    let rest = cursor.rest();
    // A sign goes on with the number where it starts it, or where it starts the exponent.
    let mut before = ' ';
    let end = rest
        .char_indices()
        .find(|&(i, c)| {
            let sign = (c == '-' || c == '+') && (i == 0 || before == 'e' || before == 'E');
            before = c;
            !(sign || c == '.' || c == '_' || c.is_ascii_alphanumeric())
        })
        .map_or(rest.len(), |(i, _)| i);
    let written = rest.get(..end).unwrap_or_default();
    let span = cursor.at..cursor.at + end;
    let plain = written.replace('_', "");
    let constant = match plain.parse::<i64>() {
        Ok(n) => Constant::Int(n),
        Err(_) => match plain.parse::<f64>() {
            Ok(n) if n.is_finite() && plain.contains(['.', 'e', 'E']) => Constant::Float(n),
            _ => {
                let problem = format!("`{written}` is no number that fits");
                return Err(cursor.error(span, problem, "a number is `3`, `-3` or `0.5`"));
            }
        },
    };
    cursor.at = span.end;
    Ok(constant)
}

/// A text in quotes, with the escapes of Python and of Rust.
fn text(cursor: &mut Cursor<'_>, quote: char) -> Result<String> {
    let (start, source) = (cursor.at, cursor.source);
    let mut chars = cursor.rest().char_indices().skip(1);
    let mut out = String::new();
    let open = |end: usize| {
        let cure = format!("close the text with {quote}");
        Err(GrammarError::new(source, start..end, "a quote is left open", cure))
    };
    while let Some((i, c)) = chars.next() {
        match c {
            c if c == quote => {
                cursor.at = start + i + 1;
                return Ok(out);
            }
            '\n' => return open(start + i),
            '\\' => {
                let Some((_, escape)) = chars.next() else { break };
                match escape {
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    '\\' | '\'' | '"' => out.push(escape),
                    'x' | 'u' | 'U' => {
                        let from = start + i + 2;
                        let rest = source.get(from..).unwrap_or_default();
                        let Some((c, len)) = code_point(escape, rest) else {
                            let end = (from + 1).min(source.len());
                            let cure = "write `\\xe9`, `\\u00e9`, `\\U000000e9` or `\\u{e9}`";
                            return Err(cursor.error(start + i..end, "this escape is no character", cure));
                        };
                        out.push(c);
                        for _ in 0..len {
                            chars.next();
                        }
                    }
                    other => {
                        let end = start + i + 1 + other.len_utf8();
                        let problem = format!("there is no escape `\\{other}`");
                        return Err(cursor.error(start + i..end, problem, "a backslash itself is `\\\\`"));
                    }
                }
            }
            c => out.push(c),
        }
    }
    open(source.len())
}

/// The character of an escape, and how many characters its digits take.
fn code_point(escape: char, rest: &str) -> Option<(char, usize)> {
    let (digits, len) = match (escape, rest.strip_prefix('{')) {
        ('u', Some(braced)) => {
            let digits = braced.get(..braced.find('}').filter(|end| *end <= 6)?)?;
            (digits, digits.len() + 2)
        }
        _ => {
            let len = match escape {
                'x' => 2,
                'u' => 4,
                _ => 8,
            };
            (rest.get(..len)?, len)
        }
    };
    if !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, len))
}
