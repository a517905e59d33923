//! Metrics over answers that are text.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

/// Text as answers are compared (Rajpurkar et al. 2016, "SQuAD"): in canonical decomposition, in lower case,
/// without punctuation, without the articles "a", "an" and "the", and with single spaces.
///
/// ```
/// assert_eq!(dspy_core::evaluate::normalize_text("The  “Eiffel” Tower!"), "eiffel tower");
/// ```
pub fn normalize_text(text: &str) -> String {
    let plain: String = text.nfd().flat_map(char::to_lowercase).filter(|c| !is_punctuation(*c)).collect();
    let words = plain.split_whitespace().filter(|w| !matches!(*w, "a" | "an" | "the"));
    words.collect::<Vec<_>>().join(" ")
}

/// ASCII punctuation, and what typesetters and other scripts put in its place.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(c, '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3003}')
        || matches!(c, '\u{3008}'..='\u{3011}' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff1f}')
        || matches!(c, '«' | '»' | '¡' | '¿' | '·' | '´' | '¨')
}

/// Whether an answer is one of the accepted ones, as [`normalize_text`] sees them.
///
/// ```
/// use dspy_core::evaluate::answer_exact_match;
/// assert!(answer_exact_match("the Eiffel tower.", ["Eiffel Tower", "La tour Eiffel"]));
/// ```
pub fn answer_exact_match<S: AsRef<str>>(answer: &str, accepted: impl IntoIterator<Item = S>) -> bool {
    let answer = normalize_text(answer);
    accepted.into_iter().any(|a| normalize_text(a.as_ref()) == answer)
}

/// How far the words of an answer are those of the accepted one: the harmonic mean of precision and recall over
/// words, from 0 to 1 (Rajpurkar et al. 2016, "SQuAD").
pub fn f1(answer: &str, accepted: &str) -> f64 {
    let (answer, accepted) = (normalize_text(answer), normalize_text(accepted));
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let (mut given, mut wanted, mut shared) = (0_usize, 0_usize, 0_usize);
    for word in accepted.split(' ').filter(|w| !w.is_empty()) {
        wanted += 1;
        *counts.entry(word).or_default() += 1;
    }
    for word in answer.split(' ').filter(|w| !w.is_empty()) {
        given += 1;
        if let Some(left) = counts.get_mut(word).filter(|left| **left > 0) {
            *left -= 1;
            shared += 1;
        }
    }
    match given + wanted {
        0 => 1.0,
        words => 2.0 * shared as f64 / words as f64,
    }
}

/// The best [`f1`] of an answer over several accepted ones.
pub fn max_f1<S: AsRef<str>>(answer: &str, accepted: impl IntoIterator<Item = S>) -> f64 {
    accepted.into_iter().map(|a| f1(answer, a.as_ref())).fold(0.0, f64::max)
}

/// Whether one of the passages holds one of the accepted answers, word for word as [`normalize_text`] sees them.
pub fn answer_passage_match<P: AsRef<str>, S: AsRef<str>>(
    passages: impl IntoIterator<Item = P>,
    accepted: impl IntoIterator<Item = S>,
) -> bool {
    // With spaces around, only whole words are found.
    let spaced = |text: &str| format!(" {} ", normalize_text(text));
    let accepted: Vec<String> =
        accepted.into_iter().map(|a| spaced(a.as_ref())).filter(|a| a.len() > 2).collect();
    passages.into_iter().any(|p| {
        let passage = spaced(p.as_ref());
        accepted.iter().any(|a| passage.contains(a.as_str()))
    })
}

/// A metric: the text that `answer` takes from an output is the one that `accepted` takes from the row, by
/// [`answer_exact_match`].
///
/// ```
/// # struct Qa { answer: String }
/// # struct QaOutput { answer: String }
/// let metric = dspy_core::evaluate::exact_match(|gold: &Qa| &gold.answer, |pred: &QaOutput| &pred.answer);
/// assert!(metric(&Qa { answer: "The Nile".into() }, &QaOutput { answer: "nile".into() }));
/// ```
pub fn exact_match<E, O>(
    accepted: impl for<'a> Fn(&'a E) -> &'a String + Clone + Send + Sync + 'static,
    answer: impl for<'a> Fn(&'a O) -> &'a String + Clone + Send + Sync + 'static,
) -> impl Fn(&E, &O) -> bool + Clone + Send + Sync + 'static {
    move |row, output| answer_exact_match(answer(output), [accepted(row)])
}

/// A metric: [`f1`] of the text that `answer` takes from an output and the one that `accepted` takes from the row.
pub fn f1_match<E, O>(
    accepted: impl for<'a> Fn(&'a E) -> &'a String + Clone + Send + Sync + 'static,
    answer: impl for<'a> Fn(&'a O) -> &'a String + Clone + Send + Sync + 'static,
) -> impl Fn(&E, &O) -> f64 + Clone + Send + Sync + 'static {
    move |row, output| f1(answer(output), accepted(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_by_their_words() {
        for (text, normal) in [
            ("", ""),
            ("The A-Team, an odd   one.", "ateam odd one"),
            ("Theatre and the\tthe", "theatre and"),
            ("don’t «stop»", "dont stop"),
            ("1990–1995", "19901995"),
        ] {
            assert_eq!(normalize_text(text), normal);
        }
        assert_eq!(normalize_text("caf\u{e9}"), normalize_text("cafe\u{301}"));
        assert!(answer_exact_match("Paris.", ["London", "paris"]));
        assert!(!answer_exact_match("Paris", Vec::<String>::new()));
    }

    #[test]
    fn shared_words_count() {
        assert_eq!(f1("the cat sat", "cat sat"), 1.0);
        assert_eq!(f1("cat cat", "cat"), 2.0 / 3.0);
        assert_eq!((f1("dog", "cat"), f1("", "cat"), f1("the", "")), (0.0, 0.0, 1.0));
        assert_eq!(max_f1("cat", ["dog", "big cat"]), 2.0 / 3.0);
        assert_eq!(max_f1("cat", Vec::<&str>::new()), 0.0);
    }

    #[test]
    fn passages_are_searched_for_whole_words() {
        assert!(answer_passage_match(["He went to New York."], ["new york"]));
        assert!(!answer_passage_match(["He went to New Yorkshire."], ["new york"]));
        assert!(!answer_passage_match(["anything"], ["the"]));
    }
}
