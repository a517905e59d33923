//! Damage to quotes and to what stands in them.

use crate::{
    answer::{Answer, Place, Role, Token},
    case::Case,
    random::Random,
};

/// Texts with line breaks as they are.
pub(crate) fn raw_newlines(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let broken = |token: &Token| {
        let content = token.content().filter(|content| content.contains(['\n', '\t']))?;
        let quoted = serde_json::to_string(&content).ok()?;
        let parts = quoted.split("\\\\").map(|part| part.replace("\\n", "\n").replace("\\t", "\t"));
        Some(parts.collect::<Vec<_>>().join("\\\\"))
    };
    replace_some(answer, random, |token| if token.role == Role::Text { broken(token) } else { None })
}

/// Double quotes in a text without a backslash.
pub(crate) fn inner_quotes(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    replace_some(answer, random, |token| {
        let content = token.content().filter(|content| content.contains('"'))?;
        if token.role != Role::Text || is_unclear(&content, &['"'], token.place) {
            return None;
        }
        let parts: Vec<String> = content.split('"').map(|part| inside(part, false)).collect();
        Some(format!("\"{}\"", parts.join("\"")))
    })
}

/// Single quotes, as Python writes them or just in place of the double ones.
pub(crate) fn single_quotes(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let careless = random.once_in(3);
    let every = random.once_in(2);
    let quoted = |token: &Token| {
        let content = token.content()?;
        if careless {
            let escaped = inside(&content, false);
            return (!is_unclear(&escaped, &['\''], token.place)).then(|| format!("'{escaped}'"));
        }
        let double = content.contains('\'') && !content.contains('"');
        let escaped = inside(&content, true).replace("\\\"", "\"");
        Some(if double {
            format!("\"{}\"", inside(&content, true))
        } else {
            format!("'{}'", escaped.replace('\'', "\\'"))
        })
    };
    if every { replace_all(answer, quoted) } else { replace_some(answer, random, quoted) }
}

/// Typographic quotes.
pub(crate) fn smart_quotes(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let (open, close) = random.pick(&[('“', '”'), ('“', '”'), ('„', '“'), ('”', '”'), ('‘', '’')]);
    let every = random.once_in(2);
    let quoted = |token: &Token| {
        let content = token.content()?;
        let marks = if open == '‘' { ['‘', '’', '\''] } else { ['“', '”', '„'] };
        let unclear = is_unclear(&content, &marks, token.place);
        (!unclear).then(|| format!("{open}{}{close}", inside(&content, true)))
    };
    if every { replace_all(answer, quoted) } else { replace_some(answer, random, quoted) }
}

/// Keys without quotes.
pub(crate) fn unquoted_keys(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let bare = |token: &Token| {
        let name = token.content().filter(|_| token.role == Role::Key)?;
        let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_')
            && name.starts_with(|c: char| c.is_alphabetic());
        plain.then_some(name)
    };
    if random.once_in(2) { replace_all(answer, bare) } else { replace_some(answer, random, bare) }
}

/// A quote that is missing at one end of a key or a text.
pub(crate) fn missing_quote(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let whole = answer.places(|at, token| {
        let Some(content) = token.content() else { return false };
        let plain = match token.place {
            Place::Object => !content.contains(['"', '\n', '{', '[', '`']),
            // In a list, words behind a comma may be an item.
            _ => content.chars().all(|c| c.is_alphanumeric() || " _-.".contains(c)),
        };
        plain && !content.is_empty() && answer.next(at).is_some()
    });
    if whole.is_empty() {
        return false;
    }
    let token = &mut answer.tokens[random.pick(&whole)];
    let lost = if random.once_in(2) { token.text.len() - 1 } else { 0 };
    token.text.remove(lost);
    true
}

/// What stands in the quotes of JSON, with or without the backslashes before quotes.
fn inside(content: &str, escaped: bool) -> String {
    let quoted = serde_json::Value::from(content).to_string();
    let inner = &quoted[1..quoted.len() - 1];
    if escaped { inner.to_owned() } else { inner.replace("\\\"", "\"") }
}

/// Whether one of these marks in a text looks like its end.
fn is_unclear(content: &str, marks: &[char], place: Place) -> bool {
    content.match_indices(|c| marks.contains(&c)).any(|(at, mark)| {
        let behind = content[at + mark.len()..].trim_start();
        match behind.chars().next() {
            Some('}' | ']' | ':' | '"' | '\'' | '“') => true,
            Some(',' | ';') if place == Place::List => true,
            Some(',' | ';') => {
                let key = behind[1..].trim_start();
                let name = key.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').trim_start();
                name.is_empty() || name.starts_with([':', '=', '"', '\'', '“', '{', '}'])
            }
            _ => false,
        }
    })
}

/// Writes some of the tokens for which `write` gives a text otherwise.
fn replace_some(answer: &mut Answer, random: &mut Random, write: impl Fn(&Token) -> Option<String>) -> bool {
    let places = answer.places(|_, token| write(token).is_some());
    if places.is_empty() {
        return false;
    }
    for at in random.some(&places) {
        answer.tokens[at].text = write(&answer.tokens[at]).unwrap_or_default();
    }
    true
}

fn replace_all(answer: &mut Answer, write: impl Fn(&Token) -> Option<String>) -> bool {
    let mut changed = false;
    for token in &mut answer.tokens {
        if let Some(text) = write(token) {
            token.text = text;
            changed = true;
        }
    }
    changed
}
