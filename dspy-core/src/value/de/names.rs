//! Names as models spell them.

/// Whether a character belongs to a name: `C`, `C#` and `C++` are three.
fn counts(c: char) -> bool {
    c.is_alphanumeric() || "+#&%$".contains(c)
}

/// What is left of a name without case and separators.
pub(super) fn bare(name: &str) -> String {
    name.chars().filter(|c| counts(*c)).flat_map(char::to_lowercase).collect()
}

/// Whether two names differ in case and separators only.
pub(super) fn same(a: &str, b: &str) -> bool {
    let letters = |s| str::chars(s).filter(|c: &char| counts(*c)).flat_map(char::to_lowercase);
    letters(a).eq(letters(b)) && letters(a).next().is_some()
}

/// The only one of `names` that differs from `name` in case and separators only.
pub(super) fn loosely<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    let mut found = names.iter().filter(|n| same(n, name));
    let first = found.next()?;
    // An alias may be spelt like the name itself.
    found.all(|other| other == first).then_some(first)
}

/// What a text says of several choices.
#[derive(Debug, PartialEq)]
pub(super) enum Choice {
    /// The choice at this index, with what had to be bent for it.
    One(usize, Option<(&'static str, u32)>),
    /// Several choices.
    Several(Vec<usize>),
    /// None of them.
    Nothing,
}

/// Which of `names` a text means: the name itself; spelt loosely; with its type before it; with an explanation behind
/// it; or as the only one in a sentence.
pub(super) fn choose(text: &str, names: &[&str]) -> Choice {
    if let Some(i) = names.iter().position(|n| *n == text) {
        return Choice::One(i, None);
    }
    let text = text.trim();
    let core = text.trim_matches(|c: char| c.is_whitespace() || "\"'`*_“”‘’«».,;:!".contains(c));
    let one_of = |text: &str| -> Option<usize> {
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
    };
    let marked = core.strip_suffix(['-', '−']).is_some_and(|name| name.ends_with(char::is_alphanumeric));
    if marked {
        return Choice::Nothing;
    }
    if let Some(i) = one_of(core) {
        return Choice::One(i, Some(("a name spelt loosely", 1)));
    }
    // `Topic::Billing`, `Topic.BILLING`
    if let Some(last) = core.rsplit(['.', ':']).next()
        && !core.contains(char::is_whitespace)
        && last.len() < core.len()
        && let Some(i) = one_of(last)
    {
        return Choice::One(i, Some(("a name with its type", 1)));
    }
    // A name with an explanation behind it.
    let stop = core.char_indices().find(|(i, c)| {
        "\n:;,.(!".contains(*c) || (matches!(c, '-' | '–' | '—') && core[..*i].ends_with(char::is_whitespace))
    });
    let edge = |c: char| c.is_whitespace() || "\"'`*_“”,;:.".contains(c);
    if let Some((end, _)) = stop
        && let Some(i) = one_of(core[..end].trim_matches(edge))
    {
        // "positive, negative": what follows is no explanation.
        let rest = core[end..].trim_matches(edge);
        let next = &rest[..rest.find([',', ';', '.', '\n']).unwrap_or(rest.len())];
        if let Some(other) = one_of(next.trim_matches(edge)).filter(|other| names[*other] != names[i]) {
            return Choice::Several(vec![i, other]);
        }
        return Choice::One(i, Some(("a name with an explanation", 2)));
    }
    let mentioned = mentions(core, names);
    match mentioned[..] {
        [] => Choice::Nothing,
        [i] => Choice::One(i, Some(("a name in a sentence", 4))),
        _ => Choice::Several(mentioned),
    }
}

/// The names that occur in a text as whole words and are not negated; a name inside a longer one does not count.
fn mentions(text: &str, names: &[&str]) -> Vec<usize> {
    let words: Vec<String> = text.split(|c: char| !counts(c)).filter(|w| !w.is_empty()).map(bare).collect();
    // Where each name begins and ends, in words.
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let wanted = bare(name);
        if wanted.is_empty() {
            continue;
        }
        for start in 0..words.len() {
            let mut joined = String::new();
            for (end, word) in words.iter().enumerate().skip(start) {
                joined.push_str(word);
                if joined.len() >= wanted.len() {
                    if joined == wanted {
                        found.push((index, start, end + 1));
                    }
                    break;
                }
            }
        }
    }
    // A name inside a longer one is not meant. Longer ones come first here.
    found.sort_by_key(|(_, start, end)| (*start, std::cmp::Reverse(*end)));
    let mut reach = (0, usize::MAX);
    found.retain(|(index, _, end)| {
        let inside = *end < reach.0 || (*end == reach.0 && names[*index] != names[reach.1]);
        if !inside {
            reach = (*end, *index);
        }
        !inside
    });
    let negated = |start: usize| {
        words[..start]
            .iter()
            .rev()
            .take(2)
            .any(|w| matches!(&**w, "not" | "no" | "never" | "neither" | "nor" | "t"))
    };
    // The article and the pronoun are no choices, unless there is another one beside them.
    let article = |hit: &(usize, usize, usize)| matches!(&*words[hit.1], "a" | "i") && hit.2 == hit.1 + 1;
    if found.iter().all(article) {
        return Vec::new();
    }
    let mut out: Vec<usize> = Vec::new();
    for hit in &found {
        // A name that is denied makes the sentence unclear, so nothing is made of it.
        if negated(hit.1) {
            return names.iter().enumerate().map(|(i, _)| i).take(2).collect();
        }
        if !out.iter().any(|i| names[*i] == names[hit.0] || *i == hit.0) {
            out.push(hit.0);
        }
    }
    out
}

/// The names nearest to a text, nearest first, at most three, none that is far off.
pub(super) fn nearest(text: &str, names: &[&str]) -> Vec<String> {
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
        assert_eq!(nearest("positve", &MOODS), ["positive"]);
    }
}
