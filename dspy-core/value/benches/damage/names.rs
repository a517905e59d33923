//! Damage to keys, numbers and words.

use crate::{
    answer::{Answer, Role},
    case::Case,
    random::Random,
};

/// Names of fields in another case.
pub(crate) fn key_case(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let style = random.below(5);
    let mut changed = false;
    for token in answer.tokens.iter_mut().filter(|token| token.role == Role::Key && token.typed) {
        let Some(name) = token.content() else { continue };
        let parts: Vec<String> = name.split('_').map(str::to_lowercase).collect();
        let title = |part: &String| part[..1].to_uppercase() + &part[1..];
        let titles: Vec<String> = parts.iter().map(title).collect();
        let other = match style {
            0 => parts[0].clone() + &titles[1..].concat(),
            1 => titles.concat(),
            2 => titles.join(" "),
            3 => parts.join("-"),
            _ => parts.join("_").to_uppercase(),
        };
        changed |= other != name;
        token.text = format!("\"{other}\"");
    }
    changed
}

/// Numbers in quotes, some with separators of thousands or a unit.
pub(crate) fn numbers_as_text(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let numbers = answer.places(|_, token| token.role == Role::Number && token.typed);
    if numbers.is_empty() {
        return false;
    }
    let style = random.below(6);
    for at in random.some(&numbers) {
        let token = &mut answer.tokens[at];
        let number = token.text.as_str();
        let plain = !number.contains('e');
        token.text = match style {
            0 | 1 if plain => format!("\"{}\"", thousands(number)),
            2 if plain => format!("\"{number} kg\""),
            3 if plain && !number.starts_with('-') => format!("\"${}\"", thousands(number)),
            4 if plain => format!("\"{} items\"", thousands(number)),
            _ => format!("\"{number}\""),
        };
    }
    true
}

fn thousands(number: &str) -> String {
    let (sign, number) = number.split_at(usize::from(number.starts_with('-')));
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let mut out = sign.to_owned();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

/// `True`, `False` and `None`.
pub(crate) fn python_words(answer: &mut Answer, _: &mut Random, _: &Case<'_>) -> bool {
    let words = answer.places(|_, token| token.role == Role::Word);
    for at in &words {
        let token = &mut answer.tokens[*at];
        let python = match token.text.as_str() {
            "true" => "True",
            "false" => "False",
            _ => "None",
        };
        token.text = python.to_owned();
    }
    !words.is_empty()
}
