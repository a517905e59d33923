//! Damage to commas, colons and brackets, comments, and answers that are cut.

use crate::{
    answer::{Answer, Place, Role, Token},
    case::Case,
    random::Random,
};

/// A comma behind the last item.
pub(crate) fn trailing_comma(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let ends = answer.places(|at, token| {
        let last = answer.previous(at).map(|at| answer.tokens[at].role);
        token.role == Role::Close && last.is_some_and(|role| role != Role::Open)
    });
    if ends.is_empty() {
        return false;
    }
    for at in random.some(&ends).into_iter().rev() {
        let behind = answer.previous(at).map_or(at, |last| last + 1);
        answer.tokens.insert(behind, Token::new(Role::Comma, Place::Alone, ","));
    }
    true
}

/// No comma between members, on separate lines, on one line, or with nothing between them at all.
pub(crate) fn no_comma_members(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let commas = answer.places(|at, token| {
        // Only the quotes of the key and what stands before it tell that there was a comma.
        let key = answer.next(at).map(|at| &answer.tokens[at].text);
        let clear = key.is_some_and(|key| key.starts_with('"'))
            || answer.tokens.get(at + 1).is_some_and(Token::breaks);
        is_comma(token, Place::Object) && clear
    });
    if commas.is_empty() {
        return false;
    }
    let glued = random.once_in(3);
    for at in random.some(&commas).into_iter().rev() {
        answer.tokens.remove(at);
        let next = answer.tokens.get(at + 1).is_some_and(|token| token.text.starts_with('"'));
        if glued && next && answer.tokens[at].role == Role::Space {
            answer.tokens.remove(at);
        }
    }
    true
}

/// No comma between items on separate lines.
pub(crate) fn no_comma_items(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let commas = answer.places(|_, token| is_comma(token, Place::List));
    if commas.is_empty() {
        return false;
    }
    for at in random.some(&commas).into_iter().rev() {
        let broken = answer.tokens.get(at + 1).is_some_and(Token::breaks);
        if broken {
            answer.tokens.remove(at);
        } else {
            answer.tokens[at] = Token::new(Role::Space, Place::List, "\n");
        }
    }
    true
}

/// Two commas for one.
pub(crate) fn doubled_comma(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let commas = answer.places(|_, token| token.role == Role::Comma && token.place != Place::Alone);
    if commas.is_empty() {
        return false;
    }
    let double = random.pick(&[",,", ", ,", ",\n,"]);
    for at in random.some(&commas) {
        answer.tokens[at].text = double.to_owned();
    }
    true
}

/// `=`, `=>` and `;`.
pub(crate) fn other_marks(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let (colon, comma) = random.pick(&[("=", ","), (" =", ","), (" =>", ","), (":", ";"), (" =", ";")]);
    replace_marks(answer, colon, comma)
}

/// Punctuation as Chinese and Japanese have it.
pub(crate) fn full_width(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let (colon, comma) = random.pick(&[("：", "，"), ("：", ","), (":", "，"), ("：", "、")]);
    replace_marks(answer, colon, comma)
}

fn replace_marks(answer: &mut Answer, colon: &str, comma: &str) -> bool {
    let mut changed = false;
    for token in &mut answer.tokens {
        let mark = match token.role {
            Role::Colon => colon,
            Role::Comma if token.place != Place::Alone && token.text == "," => comma,
            _ => continue,
        };
        changed |= token.text != mark;
        token.text = mark.to_owned();
    }
    changed
}

/// Comments of three languages.
pub(crate) fn comments(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    const REMARKS: [&str; 6] = [
        "as stated in the text",
        "the user's own words",
        "not sure, see [3]",
        "was: \"old\", 12",
        "{optional}",
        "TODO: check https://example.org",
    ];
    let breaks = answer.places(|_, token| token.breaks());
    let spaces = answer.places(|at, token| token.role == Role::Space && at > 0);
    if spaces.is_empty() {
        return false;
    }
    let lines = !breaks.is_empty() && !random.once_in(3);
    let mark = random.pick(&["//", "//", "#"]);
    for at in random.some(if lines { &breaks } else { &spaces }) {
        let remark = random.pick(&REMARKS);
        let space = &mut answer.tokens[at].text;
        *space = match lines {
            true => format!(" {mark} {remark}{space}"),
            false => format!(" /* {remark} */{space}"),
        };
    }
    true
}

/// Brackets that are missing at the end, or that of a list before a key or of an object before the next.
pub(crate) fn missing_closers(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let within = answer.places(|at, token| {
        let comma = answer.next(at).filter(|next| answer.tokens[*next].role == Role::Comma);
        let next = comma.and_then(|comma| answer.next(comma)).map(|next| &answer.tokens[next]);
        // Only so is it clear where the bracket belongs.
        let told = match token.text.as_str() {
            "]" => next.is_some_and(|next| next.role == Role::Key && token.place == Place::Object),
            "}" => next.is_some_and(|next| next.text == "{" && token.place == Place::List),
            _ => false,
        };
        token.role == Role::Close && told
    });
    if !within.is_empty() && random.once_in(3) {
        answer.tokens.remove(random.pick(&within));
        return true;
    }
    let last = answer.tokens.iter().rev().take_while(|token| {
        let comma = token.role == Role::Comma && token.place == Place::Alone;
        comma || matches!(token.role, Role::Close | Role::Space)
    });
    let closers = last.filter(|token| token.role == Role::Close).count();
    if closers == 0 {
        return false;
    }
    for _ in 0..=random.below(closers) {
        let end = answer.places(|_, token| token.role == Role::Close).pop().unwrap_or(0);
        answer.tokens.truncate(answer.previous(end).map_or(end, |last| last + 1));
    }
    true
}

/// No bracket at the start.
pub(crate) fn missing_opener(answer: &mut Answer, _: &mut Random, _: &Case<'_>) -> bool {
    let has_more = answer.tokens.iter().any(|token| token.role == Role::Comma);
    if answer.tokens.first().is_none_or(|token| token.role != Role::Open) || !has_more {
        return false;
    }
    let first = answer.next(0).unwrap_or(1);
    answer.tokens.drain(..first);
    true
}

/// The answer ends in a text.
pub(crate) fn cut_string(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    cut(answer, random, |token| token.role == Role::Text)
}

/// The answer ends in a number.
pub(crate) fn cut_number(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    cut(answer, random, |token| token.role == Role::Number)
}

fn cut(answer: &mut Answer, random: &mut Random, is: impl Fn(&Token) -> bool) -> bool {
    let places = answer.places(|_, token| is(token) && token.text.chars().count() > 2);
    if answer.cut || places.is_empty() {
        return false;
    }
    let at = random.pick(&places);
    answer.tokens.truncate(at + 1);
    let text = &mut answer.tokens[at].text;
    let ends: Vec<usize> = text.char_indices().map(|(i, _)| i).skip(1).collect();
    text.truncate(random.pick(&ends));
    answer.cut = true;
    true
}

fn is_comma(token: &Token, place: Place) -> bool {
    token.role == Role::Comma && token.place == place
}
