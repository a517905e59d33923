//! Names as models spell them.

use super::{
    bare::{Bare, Said},
    labels::turns,
    said::{Unsaid, mentioned, settle},
};
use crate::de::{coercion::CoercionKind, options::ReadOptions};

/// Whether a character belongs to a name: `C`, `C#` and `C++` are three.
fn counts(c: char) -> bool {
    c.is_alphanumeric() || "+#&%$".contains(c)
}

/// What is left of a name without case and separators.
fn bare(name: &str) -> String {
    name.chars().filter(|c| counts(*c)).flat_map(char::to_lowercase).collect()
}

/// Whether two names differ in case and separators only.
pub(in crate::de) fn same(a: &str, b: &str) -> bool {
    // The usual case.
    if a == b && a.starts_with(counts) {
        return true;
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The choice at this index, with what had to be bent for it.
    One(usize, Option<CoercionKind>),
    /// Several choices, and none that is called the answer.
    Several,
    /// None of them.
    Nothing,
}

/// Which of `names` a text means: the name itself, spelt loosely, in marks, behind its type or a label, or alone on a
/// line. In a sentence it counts only where [`ReadOptions::prose`] says so.
pub fn choose(text: &str, names: &[&str], options: &ReadOptions) -> Choice {
    if let Some(i) = names.iter().position(|n| *n == text) {
        return Choice::One(i, None);
    }
    match settle(text, &Names(names), options) {
        Ok(found) => match found.value {
            Said::Name(i) => Choice::One(i, found.kind),
            _ => Choice::Nothing,
        },
        Err(Unsaid::Nothing) => Choice::Nothing,
        Err(Unsaid::Several | Unsaid::Thinking) => Choice::Several,
    }
}

/// The names that a text has as words of their own, for an error that shows them.
pub(in crate::de) fn occurring(text: &str, names: &[&str]) -> Vec<String> {
    let name = |said: Said| match said {
        Said::Name(i) => names[i].to_owned(),
        _ => String::new(),
    };
    mentioned(text, &Names(names)).into_iter().map(name).collect()
}

struct Names<'n>(&'n [&'n str]);

impl Bare for Names<'_> {
    fn bare(&self, text: &str) -> Option<(Said, CoercionKind)> {
        let names = self.0;
        let text = text.trim();
        // `B-` is no `B`, and a question is no answer.
        let marked =
            text.ends_with(['-', '−', '–', '—']) || text.contains(|c| "!¬~<>=≠≤≥^()[]{}→".contains(c));
        let marked = marked && !names.contains(&text);
        let asked = text.ends_with(['?', '？']);
        if marked || (asked && !names.contains(&text)) {
            return None;
        }
        // Signs around a name may cross it out.
        let signs = !text.starts_with(counts) || !text.ends_with(counts);
        let sentences = [". ", " - ", "? ", ", "].iter().any(|mark| text.contains(mark));
        if (signs || sentences) && !names.contains(&text) {
            return None;
        }
        if let Some(i) = one_of(text, names) {
            return Some((Said::Name(i), CoercionKind::LooseName));
        }
        // `Topic::Billing`, `Topic.BILLING`
        let (ty, last) = text.rsplit_once(['.', ':'])?;
        let ty = ty.trim_end_matches(':');
        let word = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_alphanumeric() || "_.:".contains(c));
        if !word(ty) || !word(last) || !ty.starts_with(char::is_uppercase) || ty.len() < 2 || turns(ty) {
            return None;
        }
        one_of(last, names).map(|i| (Said::Name(i), CoercionKind::TypedName))
    }

    fn mentions(&self, word: &str) -> bool {
        one_of(word, self.0).is_some()
    }
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
    if text.contains(" and ") && names.iter().any(|name| name.contains('&')) {
        return one_of(&text.replace(" and ", " & "), names);
    }
    // Marks that parted a text are no separators of a name.
    if text.contains(['/', '|', ',', ';', '\n']) {
        return names.iter().position(|name| name.contains(['/', '|', ',', ';']) && same(name, text));
    }
    let mut same = names.iter().enumerate().filter(|(_, n)| self::same(n, text));
    let (i, first) = same.next()?;
    // Aliases of one variant stand side by side, so equal spellings of different names are refused.
    same.all(|(_, other)| other == first).then_some(i)
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

    fn choose(text: &str, names: &[&str]) -> Choice {
        super::choose(text, names, &ReadOptions::default())
    }

    #[test]
    fn names_stand_alone() {
        for (text, index) in [
            ("positive", 0),
            ("Positive.", 0),
            ("**NEGATIVE**", 1),
            ("Very Positive", 2),
            ("veryPositive", 2),
            ("Mood::Mixed", 3),
            ("Negative (0.9)", 1),
            ("Stimmung: „positive“", 0),
            ("« negative »", 1),
            ("答え：mixed", 3),
            ("I would call it very positive", 2),
            ("The review is mixed", 3),
            ("Das Essen war gut, der Service nicht.\n\nmixed", 3),
            ("<think>positive or mixed?</think>\nmixed", 3),
        ] {
            assert!(
                matches!(choose(text, &MOODS), Choice::One(i, _) if i == index),
                "{text}: {:?}",
                choose(text, &MOODS)
            );
        }
        for text in [
            "positive or negative",
            "not positive",
            "both negative and mixed",
            "isn't negative",
            "Das ist nicht positive.",
            "Ce n'est pas positive",
            "positive: 0.1\nnegative: 0.8\nmixed: 0.1",
            "positive\n\nnegative\n\nmixed",
            "Anything but positive.",
            "It might be positive.",
            "<think>\nit is positive",
            "Positive (60%), Negative (40%)",
            "This is a false positive.",
            "positive-ish",
            "Positive?",
            "Negative (or not)",
            "!positive",
            "not.mixed",
            "Das ist nicht\nmixed",
            "mixed\n\n- Positive: the food\n- Negative: the service",
            "sunny",
            "",
        ] {
            assert!(!matches!(choose(text, &MOODS), Choice::One(..)), "{text}: {:?}", choose(text, &MOODS));
        }
        let languages = ["C", "C++", "a-b", "a b"];
        assert!(matches!(choose("c++.", &languages), Choice::One(1, _)));
        // Differences that only separators make cannot be guessed.
        assert!(!matches!(choose("a_b", &languages), Choice::One(..)));
        assert_eq!(nearest("positve", &MOODS), ["positive"]);
        let grades = ["A", "A+", "B"];
        for text in ["A good essay", "A minus", "B-", "A or B"] {
            assert!(!matches!(choose(text, &grades), Choice::One(..)), "{text}: {:?}", choose(text, &grades));
        }
    }
}
