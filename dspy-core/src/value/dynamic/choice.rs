//! Which of several constants a text means.

use serde_json::Value;

/// What a text says of several choices.
#[derive(Debug, PartialEq)]
pub(super) enum Choice<'a> {
    /// This one.
    One(&'a Value),
    /// Several, or one that is denied.
    Unclear,
    /// None.
    Nothing,
}

/// The choice that a text means: the constant itself, one that differs in case and separators only, or the only one
/// that a sentence names without denying it.
pub(super) fn choose<'a>(text: &str, choices: &'a [Value]) -> Choice<'a> {
    let shown: Vec<String> = choices.iter().map(show).collect();
    if let Some(i) = shown.iter().position(|c| c == text) {
        return choices.get(i).map_or(Choice::Nothing, Choice::One);
    }
    let said = words(text);
    let bare: Vec<Vec<String>> = shown.iter().map(|c| words(c)).collect();
    let joined = said.concat();
    let same: Vec<usize> =
        (0..choices.len()).filter(|i| !joined.is_empty() && bare[*i].concat() == joined).collect();
    match same[..] {
        [] => {}
        [i] => return Choice::One(&choices[i]),
        _ => return Choice::Unclear,
    }
    // Where each choice stands in the text, in words.
    let places = |(i, wanted): (usize, &Vec<String>)| -> Vec<(usize, usize, usize)> {
        let len = wanted.len().max(1);
        let starts = (0..said.len()).filter(|at| !wanted.is_empty() && said[*at..].starts_with(wanted));
        starts.map(|at| (i, at, at + len)).collect()
    };
    let found: Vec<_> = bare.iter().enumerate().flat_map(places).collect();
    let inside = |a: &(usize, usize, usize), b: &(usize, usize, usize)| {
        a.0 != b.0 && b.1 <= a.1 && a.2 <= b.2 && (b.2 - b.1) > (a.2 - a.1)
    };
    let mut named: Vec<usize> = Vec::new();
    for hit in found.iter().filter(|hit| !found.iter().any(|other| inside(hit, other))) {
        let denied = |w: &String| matches!(&**w, "not" | "no" | "never" | "neither" | "nor" | "t");
        if said[..hit.1].iter().rev().take(2).any(denied) {
            return Choice::Unclear;
        }
        if !named.contains(&hit.0) {
            named.push(hit.0);
        }
    }
    match named[..] {
        [] => Choice::Nothing,
        [i] => Choice::One(&choices[i]),
        _ => Choice::Unclear,
    }
}

/// A constant as a person writes it.
pub(super) fn show(constant: &Value) -> String {
    match constant {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The words of a text in lower case. Some signs belong to names: `C`, `C#` and `C++` are three.
fn words(text: &str) -> Vec<String> {
    let counts = |c: char| c.is_alphanumeric() || "+#&%$=<>@".contains(c);
    let words = text.split(|c| !counts(c)).filter(|w| !w.is_empty());
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn choices_are_made_or_refused() {
        let choices = [json!("positive"), json!("very positive"), json!("negative"), json!(1)];
        for (text, index) in [
            ("positive", 0),
            ("Positive.", 0),
            ("VERY_POSITIVE", 1),
            ("It is very positive.", 1),
            ("1", 3),
            ("The answer is 1.", 3),
        ] {
            assert_eq!(choose(text, &choices), Choice::One(&choices[index]), "{text}");
        }
        for text in ["positive or negative", "not positive", "it isn't negative"] {
            assert_eq!(choose(text, &choices), Choice::Unclear, "{text}");
        }
        assert_eq!(choose("sunny", &choices), Choice::Nothing);
        assert_eq!(choose("", &choices), Choice::Nothing);
        let languages = [json!("C"), json!("C++"), json!("a-b"), json!("a b")];
        assert_eq!(choose("c++.", &languages), Choice::One(&languages[1]));
        assert_eq!(choose("I would say C", &languages), Choice::One(&languages[0]));
        // Differences that only separators make cannot be guessed.
        assert_eq!(choose("a_b", &languages), Choice::Unclear);
    }
}
