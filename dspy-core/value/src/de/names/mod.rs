//! Names as models spell them.

mod sentence;

use self::sentence::{mentions, sentence};
use super::scalar;

/// Whether a character belongs to a name: `C`, `C#` and `C++` are three.
fn counts(c: char) -> bool {
    c.is_alphanumeric() || "+#&%$".contains(c)
}

/// What is left of a name without case and separators.
pub(in crate::de) fn bare(name: &str) -> String {
    name.chars().filter(|c| counts(*c)).flat_map(char::to_lowercase).collect()
}

/// Whether two names differ in case and separators only.
pub(in crate::de) fn same(a: &str, b: &str) -> bool {
    let letters = |s| str::chars(s).filter(|c: &char| counts(*c)).flat_map(char::to_lowercase);
    letters(a).eq(letters(b)) && letters(a).next().is_some()
}

/// The only one of `names` that differs from `name` in case and separators only.
pub(in crate::de) fn loosely<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    let mut found = names.iter().filter(|n| same(n, name));
    let first = found.next()?;
    // An alias may be spelt like the name itself.
    found.all(|other| other == first).then_some(first)
}

/// What a text says of several choices.
#[derive(Debug, PartialEq)]
pub enum Choice {
    /// The choice at this index, with what had to be bent for it.
    One(usize, Option<(&'static str, u32)>),
    /// Several choices.
    Several(Vec<usize>),
    /// None of them.
    Nothing,
}

/// The name that a text is, when case and separators leave no doubt.
fn one_of(text: &str, names: &[&str]) -> Option<usize> {
    if let Some(i) = names.iter().position(|n| *n == text) {
        return Some(i);
    }
    let mut alike = names.iter().enumerate().filter(|(_, n)| n.eq_ignore_ascii_case(text));
    if let (Some((i, _)), None) = (alike.next(), alike.next()) {
        return Some(i);
    }
    let mut same = names.iter().enumerate().filter(|(_, n)| self::same(n, text));
    let (i, first) = same.next()?;
    // Aliases of one variant stand side by side, so equal spellings of different names are refused.
    same.all(|(_, other)| other == first).then_some(i)
}

fn edge(c: char) -> bool {
    c.is_whitespace() || "\"'`*_“”,;:.".contains(c)
}

/// Which of `names` a text means: the name itself; spelt loosely; with its type before it; with an explanation behind
/// it; behind a label; or as the only one that a sentence affirms.
pub fn choose(text: &str, names: &[&str]) -> Choice {
    if let Some(i) = names.iter().position(|n| *n == text) {
        return Choice::One(i, None);
    }
    // Thoughts without an end have no answer.
    let Some(text) = scalar::without_thoughts(text) else { return Choice::Several(Vec::new()) };
    let text = text.trim();
    let core = text.trim_matches(|c: char| c.is_whitespace() || "\"'`*_“”‘’«».,;:!".contains(c));
    let marked = core.strip_suffix(['-', '−']).is_some_and(|name| name.ends_with(char::is_alphanumeric));
    if marked && !core.contains(char::is_whitespace) {
        return Choice::Nothing;
    }
    if let Some(i) = one_of(core, names) {
        // A question is no answer.
        if core.ends_with('?') && !names[i].ends_with('?') {
            return Choice::Several(vec![i]);
        }
        return Choice::One(i, Some(("a name spelt loosely", 1)));
    }
    // `Topic::Billing`, `Topic.BILLING`
    if let Some(last) = core.rsplit(['.', ':']).next()
        && !core.contains(char::is_whitespace)
        && last.len() < core.len()
        && let Some(i) = one_of(last, names)
    {
        return Choice::One(i, Some(("a name with its type", 1)));
    }
    let body = scalar::unasked(core);
    listed(body, names)
        .or_else(|| leading(body, names))
        .or_else(|| labelled(body, names))
        .or_else(|| scalar::is_refusal(text).then(|| Choice::Several(Vec::new())))
        .unwrap_or_else(|| sentence(body, names))
}

/// Lines that begin with different names, as a list of all of them does; one that stands alone may be the choice.
pub(in crate::de) fn listed(text: &str, names: &[&str]) -> Option<Choice> {
    if !text.contains('\n') {
        return None;
    }
    let mut entries: Vec<usize> = Vec::new();
    let mut alone: Vec<usize> = Vec::new();
    let add = |list: &mut Vec<usize>, i: usize| {
        if !list.iter().any(|known| names[*known] == names[i]) {
            list.push(i);
        }
    };
    for line in text.lines() {
        let line = line.trim_matches(|c: char| c.is_whitespace() || "\"'`*_-•|#>".contains(c));
        let end = line.find([':', '|', '(', '=']).unwrap_or(line.len());
        let Some(i) = one_of(line[..end].trim_matches(edge), names) else { continue };
        add(&mut entries, i);
        if end == line.len() {
            add(&mut alone, i);
        }
    }
    match (&entries[..], &alone[..]) {
        ([] | [_], _) => None,
        (_, [only]) => Some(Choice::One(*only, Some(("a name with an explanation", 2)))),
        _ if labelled(text, names).is_some() => None,
        _ => Some(Choice::Several(entries)),
    }
}

/// A name with an explanation behind it.
fn leading(text: &str, names: &[&str]) -> Option<Choice> {
    let (end, _) = text.char_indices().find(|(i, c)| {
        "\n:;,.(!".contains(*c) || (matches!(c, '-' | '–' | '—') && text[..*i].ends_with(char::is_whitespace))
    })?;
    let i = one_of(text[..end].trim_matches(edge), names)?;
    // "positive, negative": what follows is no explanation.
    let rest = text[end..].trim_matches(edge);
    let next = &rest[..rest.find([',', ';', '.', '\n']).unwrap_or(rest.len())];
    let other = one_of(next.trim_matches(edge), names).into_iter();
    let or = next.strip_prefix("or ").map(|or| mentions(or, names)).unwrap_or_default();
    let others: Vec<usize> = other.chain(or).filter(|other| names[*other] != names[i]).collect();
    if !others.is_empty() {
        return Some(Choice::Several([vec![i], others].concat()));
    }
    // "positive: 0.4, negative: 0.6"
    if rest.trim_start_matches('(').starts_with(|c: char| c.is_ascii_digit()) {
        let others = mentions(rest, names);
        if others.iter().any(|other| names[*other] != names[i]) {
            return Some(Choice::Several([vec![i], others].concat()));
        }
    }
    let lower = text[end..].to_ascii_lowercase();
    if lower.contains("not sure") {
        return Some(Choice::Several(vec![i]));
    }
    if let Some(at) = scalar::corrected(&lower) {
        match sentence(&text[end + at..], names) {
            Choice::Nothing if lower[..at].ends_with("actually") => {}
            Choice::Nothing => return Some(Choice::Several(vec![i])),
            said => return Some(said),
        }
    }
    Some(Choice::One(i, Some(("a name with an explanation", 2))))
}

/// The name behind a label that announces the answer, such as `Category: Sales`.
fn labelled(text: &str, names: &[&str]) -> Option<Choice> {
    const FINAL: [&str; 6] = ["overall", "final", "answer", "verdict", "conclusion", "result"];
    const LABELS: [&str; 20] = [
        "sentiment",
        "classification",
        "category",
        "class",
        "label",
        "topic",
        "mood",
        "priority",
        "urgency",
        "grade",
        "stance",
        "rating",
        "relation",
        "type",
        "status",
        "severity",
        "tone",
        "prediction",
        "decision",
        "choice",
    ];
    let mut found: Vec<(bool, usize)> = Vec::new();
    for line in text.lines() {
        let Some((label, value)) = line.split_once(':') else { continue };
        let label = label.to_lowercase();
        let has =
            |words: &[&str]| label.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word));
        let last = has(&FINAL);
        if label.len() > 60 || !(last || has(&LABELS)) {
            continue;
        }
        // What may explain it on the same line.
        let end = value.find(['(', '–', '—']).or_else(|| value.find(" - ")).unwrap_or(value.len());
        let value = value[..end].trim_matches(|c: char| edge(c) || c == '!');
        found.extend(one_of(value, names).map(|i| (last, i)));
    }
    let last = found.iter().any(|(last, _)| *last);
    let mut said = found.iter().filter(|(l, _)| *l == last).map(|(_, i)| *i);
    let first = said.next()?;
    said.all(|i| names[i] == names[first]).then_some(Choice::One(first, Some(("a name behind a label", 2))))
}

/// The names nearest to a text, nearest first, at most three, none that is far off.
pub(in crate::de) fn nearest(text: &str, names: &[&str]) -> Vec<String> {
    let wanted: Vec<char> = bare(text).chars().take(64).collect();
    let mut scored: Vec<(usize, &str)> = names
        .iter()
        .map(|n| {
            let name: Vec<char> = bare(n).chars().take(64).collect();
            // A name that is cut off is near however much is missing.
            let cut = wanted.len() > 2 && name.starts_with(&wanted);
            (if cut { 1 } else { distance(&wanted, &name) }, *n)
        })
        .filter(|(d, n)| *d <= 2.max(n.len() / 3))
        .collect();
    scored.sort_by_key(|(d, _)| *d);
    scored.into_iter().take(3).map(|(_, n)| n.to_owned()).collect()
}

/// Levenshtein's distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOODS: [&str; 4] = ["positive", "negative", "very_positive", "mixed"];

    #[test]
    fn names_are_chosen_or_refused() {
        for (text, index) in [
            ("positive", 0),
            ("Positive.", 0),
            ("**NEGATIVE**", 1),
            ("Very Positive", 2),
            ("veryPositive", 2),
            ("Mood::Mixed", 3),
            ("positive - the tone is warm, nothing negative", 0),
            ("Negative (strongly)", 1),
            ("I would call it very positive", 2),
            ("The review is mixed", 3),
        ] {
            assert!(matches!(choose(text, &MOODS), Choice::One(i, _) if i == index), "{text}");
        }
        for text in ["positive or negative", "not positive", "both negative and mixed", "isn't negative"] {
            assert!(matches!(choose(text, &MOODS), Choice::Several(_)), "{text}");
        }
        assert_eq!(choose("sunny", &MOODS), Choice::Nothing);
        assert_eq!(choose("", &MOODS), Choice::Nothing);
        let languages = ["C", "C++", "a-b", "a b"];
        assert!(matches!(choose("c++.", &languages), Choice::One(1, _)));
        assert!(matches!(choose("I would say C", &languages), Choice::One(0, _)));
        // Differences that only separators make cannot be guessed.
        assert!(!matches!(choose("a_b", &languages), Choice::One(..)));
        assert_eq!(nearest("positve", &MOODS), ["positive"]);
    }

    #[test]
    fn a_sentence_may_set_names_against_each_other() {
        for (text, index) in [
            ("Neither positive nor negative — I'd call it mixed.", 3),
            ("Not negative, but mixed.", 3),
            ("Positive? No. The review is clearly negative.", 1),
            ("It is negative rather than mixed.", 1),
            ("The review is negative (not positive).", 1),
            ("At first glance this looks positive, but it is negative.", 1),
            ("Positive. Wait, actually negative.", 1),
            ("*Overall sentiment:* Mixed\n\n- Positive: the food\n- Negative: the service", 3),
            ("mixed\n\n- Positive: the food\n- Negative: the service", 3),
            ("Initial sentiment: positive\nFinal sentiment: negative", 1),
            ("This is positive; nothing negative is in it.", 0),
            ("<think>positive or mixed?</think>\nmixed", 3),
            ("It looks positive", 0),
            ("positive\n\nActually, it is negative.", 1),
            ("They ask whether it is positive. It is negative.", 1),
        ] {
            assert!(
                matches!(choose(text, &MOODS), Choice::One(i, _) if i == index),
                "{text}: {:?}",
                choose(text, &MOODS)
            );
        }
        for text in [
            "positive: 0.1\nnegative: 0.8\nmixed: 0.1",
            "positive\n\nnegative\n\nmixed",
            "Food: positive\nThe service was negative",
            "Anything but positive.",
            "It is not positive, negative or mixed.",
            "Positive is not the right label.",
            "This does not seem to me to be at all positive.",
            "It might be positive.",
            "Positive, or perhaps negative",
            "Positive, but I am not sure.",
            "Please provide a text and I will call it positive!",
            "<think>\nit is positive",
            "Positive (60%), Negative (40%)",
            "The opposite of positive",
            "I disagree that it is positive.",
            "It would be positive if it were cheaper.",
            "This is a false positive.",
            "positive-ish",
            "Positive? Negative?",
            "Positive?",
        ] {
            assert!(!matches!(choose(text, &MOODS), Choice::One(..)), "{text}: {:?}", choose(text, &MOODS));
        }
        let spam = ["spam", "not_spam"];
        for text in ["It's not a spam email.", "It isn't spam", "NOT SPAM: there are no spam markers"] {
            assert!(matches!(choose(text, &spam), Choice::One(1, _)), "{text}: {:?}", choose(text, &spam));
        }
        let grades = ["A", "A+", "B"];
        for (text, index) in [("The essay earns a B.", 2), ("I would give it an A.", 0), ("A solid B.", 2)] {
            assert!(matches!(choose(text, &grades), Choice::One(i, _) if i == index), "{text}");
        }
        for text in ["A good essay", "A minus", "It earns a B-.", "It earns a B minus.", "A or B"] {
            assert!(!matches!(choose(text, &grades), Choice::One(..)), "{text}: {:?}", choose(text, &grades));
        }
    }
}
