//! What a sentence says of names.

use super::{Choice, bare, counts, edge};
use crate::de::scalar;

/// A word of a text.
struct Token<'t> {
    text: &'t str,
    bare: String,
    start: usize,
    /// What stands between this word and the one before it.
    gap: &'t str,
    /// In which clause it stands.
    clause: usize,
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut out: Vec<Token<'_>> = Vec::new();
    let (mut at, mut clause) = (0, 0);
    while let Some(start) = text[at..].find(counts).map(|o| at + o) {
        let len = text[start..].find(|c: char| !counts(c)).unwrap_or(text.len() - start);
        let (gap, word) = (&text[at..start], &text[start..start + len]);
        let bare = bare(word);
        let parted = gap.contains([',', '.', ';', ':', '!', '?', '(', ')', '–', '—', '→', '\n'])
            || gap.contains(" - ");
        let begins = matches!(
            &*bare,
            "because" | "so" | "however" | "although" | "though" | "since" | "whereas" | "yet" | "while"
        );
        // "anything but a cat"
        let excepted = |t: &Token<'_>| matches!(&*t.bare, "anything" | "everything" | "all" | "nothing");
        let but = bare == "but" && !out.last().is_some_and(excepted);
        clause += usize::from(parted || begins || but);
        out.push(Token { text: word, bare, start, gap, clause });
        at = start + len;
    }
    out
}

/// A name in a text: which, and its first and its last word.
struct Hit {
    index: usize,
    start: usize,
    end: usize,
}

/// The names that occur in a text as whole words; a name inside a longer one does not count.
fn hits(words: &[Token<'_>], names: &[&str]) -> Vec<Hit> {
    let mut found: Vec<Hit> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let wanted = bare(name);
        if wanted.is_empty() {
            continue;
        }
        for start in 0..words.len() {
            let mut joined = String::new();
            for (end, word) in words.iter().enumerate().skip(start) {
                if !wanted.starts_with(&joined) {
                    break;
                }
                joined.push_str(&word.bare);
                if joined.len() >= wanted.len() {
                    // "strongly disagrees"
                    let inflected = end > start && joined.strip_suffix('s') == Some(&wanted);
                    if joined == wanted || inflected {
                        found.push(Hit { index, start, end: end + 1 });
                    }
                    break;
                }
            }
        }
    }
    // A name inside a longer one is not meant. Longer ones come first here.
    found.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
    let mut longest = (0, 0);
    found.retain(|hit| {
        let inside = hit.end <= longest.1 && (hit.start, hit.end) != longest;
        if !inside {
            longest = (hit.start, hit.end);
        }
        !inside
    });
    // The article and the pronoun are no choices.
    let article = |hit: &Hit| {
        let word = words[hit.start].text;
        let follows = words.get(hit.end).filter(|next| {
            let joins = ["or", "and", "to", "is", "for", "because", "with", "since", "as"];
            next.gap.trim().is_empty() && !joins.contains(&&*next.bare)
        });
        let small = word == "a" || hit.start == 0 || words[hit.start - 1].gap.contains(['.', '\n']);
        let begins = hit.start == 0 || words[hit.start].gap.contains(['.', '!', '?', '\n']);
        hit.end == hit.start + 1
            && (matches!(word, "i" | "I") && words.len() > 1 && follows.is_some()
                || matches!(word, "a" | "A") && follows.is_some() && (small || begins))
    };
    found.retain(|hit| !article(hit));
    found
}

/// The names that occur in a text, each once.
pub(super) fn mentions(text: &str, names: &[&str]) -> Vec<usize> {
    distinct(hits(&tokens(text), names).iter().map(|hit| hit.index), names)
}

fn distinct(found: impl Iterator<Item = usize>, names: &[&str]) -> Vec<usize> {
    let mut out: Vec<usize> = Vec::new();
    for i in found {
        if !out.iter().any(|known| names[*known] == names[i]) {
            out.push(i);
        }
    }
    out
}

/// What a sentence makes of a name.
#[derive(Clone, Copy, PartialEq)]
enum Said {
    Affirmed,
    Denied,
    /// It seems so, or might be.
    Seems,
    Asked,
}

/// What is said of each name of a text, where a denied one may have its opposite among the names.
fn said(text: &str, words: &[Token<'_>], hits: &[Hit], names: &[&str]) -> Vec<(usize, usize, Said)> {
    let mut out: Vec<(usize, usize, Said)> = Vec::new();
    let mut clause = usize::MAX;
    let (mut denied, mut direct, mut seems, mut asked) = (false, false, false, false);
    let mut at = 0;
    for (n, hit) in hits.iter().enumerate() {
        while at < hit.start {
            let word = &words[at];
            if word.clause != clause {
                (clause, denied, direct, seems, asked) = (word.clause, false, false, false, false);
            }
            let before = at.checked_sub(1).map_or("", |i| &words[i].bare);
            let next = words.get(at + 1).map_or("", |w| &w.bare);
            match &*word.bare {
                "not" | "no" if matches!(next, "only" | "doubt" | "question") => {}
                "not" => (denied, direct) = (true, true),
                "t" if before.ends_with('n') => (denied, direct) = (true, true),
                "no" | "never" | "neither" | "nor" | "cannot" | "without" | "nothing" | "none" | "hardly"
                | "opposite" | "disagree" | "non" | "false" | "unlikely" => {
                    denied = true;
                    direct = false;
                }
                "doubt" if !matches!(before, "no" | "a" | "without") => denied = true,
                "if" | "whether" => asked = true,
                "but" if matches!(before, "anything" | "everything" | "all") => denied = true,
                "but" if before == "nothing" => denied = false,
                "than" if matches!(before, "rather" | "other") => denied = true,
                "of" if before == "instead" => denied = true,
                "from" if before == "far" => denied = true,
                "glance" | "first" | "initially" | "seems" | "looks" | "appears" | "sounds"
                | "superficially" | "might" | "could" | "perhaps" | "maybe" | "possibly" => seems = true,
                "a" | "an" | "the" | "really" | "considered" | "s" => {}
                _ => direct = false,
            }
            at += 1;
        }
        let word = &words[hit.start];
        if word.clause != clause {
            // "not positive, negative or mixed"
            let goes_on = n > 0
                && hits[n - 1].end == hit.start
                && word.gap.trim() == ","
                && out.last().is_some_and(|(.., said)| *said == Said::Denied);
            (clause, denied, direct, seems, asked) = (word.clause, goes_on, false, false, false);
        }
        let after: Vec<&str> = words[hit.end..]
            .iter()
            .take_while(|w| w.clause == words[hit.end - 1].clause)
            .take(3)
            .map(|w| &*w.bare)
            .collect();
        let negative = |w: &str| matches!(w, "not" | "t" | "wrong" | "incorrect" | "inaccurate");
        // "positive is not right", "B minus"
        let taken = match after[..] {
            ["is" | "was" | "would" | "does" | "isn" | "wasn" | "doesn" | "wouldn", second, ..]
                if negative(second) =>
            {
                true
            }
            ["would" | "seems", _, third] if negative(third) => true,
            ["minus" | "plus", ..] => word.bare.len() == 1,
            _ => false,
        };
        let end = words[hit.end - 1].start + words[hit.end - 1].text.len();
        let gap = &text[end..words.get(hit.end).map_or(text.len(), |w| w.start)];
        // "positive if …", "positive-ish"
        let unsure =
            after.first().is_some_and(|w| *w == "if" || gap == "-" && matches!(*w, "ish" | "leaning"));
        let state = match () {
            () if gap.trim_start_matches(edge).starts_with('?') || unsure || asked => Said::Asked,
            () if denied || taken => Said::Denied,
            () if seems => Said::Seems,
            () => Said::Affirmed,
        };
        let opposite = || {
            let name = bare(names[hit.index]);
            names.iter().position(|n| matches!(bare(n).strip_suffix(&*name), Some("not" | "non")))
        };
        match (direct && denied).then(opposite).flatten() {
            Some(other) => out.push((other, word.start, Said::Affirmed)),
            None => out.push((hit.index, word.start, state)),
        }
        at = at.max(hit.end);
    }
    out
}

/// The only name that a sentence affirms.
pub(super) fn sentence(text: &str, names: &[&str]) -> Choice {
    let words = tokens(text);
    let hits = hits(&words, names);
    // A mark behind a letter makes it another one.
    let marked = |hit: &Hit| {
        let end = words[hit.end - 1].start + words[hit.end - 1].text.len();
        let behind = text[end..].strip_prefix(['-', '−']);
        behind.is_some_and(|b| words[hit.start].bare.len() == 1 && !b.starts_with(char::is_alphanumeric))
    };
    let said = said(text, &words, &hits, names);
    let all = || distinct(hits.iter().map(|hit| hit.index), names);
    match hits[..] {
        [] => return Choice::Nothing,
        _ if hits.iter().any(marked) => return Choice::Several(all()),
        // "Hot dog" is none.
        [ref only] if words.len() == 2 && only.start == 1 => {
            let affirmed = said.iter().all(|hit| hit.2 == Said::Affirmed);
            if affirmed && !qualifies(&words[0].bare) {
                return Choice::Nothing;
            }
        }
        _ => {}
    }
    let only = |which: &dyn Fn(&(usize, usize, Said)) -> bool| match distinct(
        said.iter().filter(|hit| which(hit)).map(|hit| hit.0),
        names,
    )[..]
    {
        [only] => Some(only),
        _ => None,
    };
    let denied = |i: usize| said.iter().any(|(j, _, s)| names[*j] == names[i] && *s == Said::Denied);
    if let Some(at) = scalar::corrected(&text.to_ascii_lowercase())
        && let Some(i) = only(&|(_, start, s)| *start >= at && *s == Said::Affirmed)
        && said.iter().all(|(j, start, s)| *start < at || *s != Said::Denied || names[*j] != names[i])
    {
        return Choice::One(i, Some(("a name that corrects another", 5)));
    }
    // What only seems so counts where nothing else is said.
    let but = || words.iter().any(|w| matches!(&*w.bare, "but" | "however" | "yet"));
    let seeming = said.iter().any(|hit| hit.2 == Said::Seems);
    let chosen = match only(&|hit| hit.2 == Said::Affirmed) {
        Some(i) if seeming && !but() => {
            only(&|hit| matches!(hit.2, Said::Affirmed | Said::Seems)).filter(|j| *j == i)
        }
        None if !said.iter().any(|hit| hit.2 == Said::Affirmed) => {
            let might = ["might", "could", "perhaps", "maybe", "possibly"];
            let hedged = words.iter().any(|w| might.contains(&&*w.bare));
            only(&|hit| hit.2 == Said::Seems).filter(|_| !hedged)
        }
        found => found,
    };
    match chosen.filter(|i| !denied(*i)) {
        Some(i) if said.iter().all(|hit| hit.2 == Said::Affirmed) => {
            Choice::One(i, Some(("a name in a sentence", 4)))
        }
        Some(i) => Choice::One(i, Some(("a name that others are set against", 5))),
        None => Choice::Several(all()),
    }
}

/// Whether a word before a name says how, or of what: `clearly positive`, `a cat`, `grade B`.
fn qualifies(word: &str) -> bool {
    word.ends_with("ly")
        || word.contains(|c: char| !c.is_alphabetic())
        || [
            "a",
            "an",
            "the",
            "its",
            "is",
            "s",
            "very",
            "quite",
            "so",
            "too",
            "rather",
            "overall",
            "still",
            "more",
            "most",
            "label",
            "class",
            "category",
            "grade",
            "sentiment",
            "topic",
            "answer",
            "verdict",
            "mood",
            "priority",
            "result",
            "stance",
            "strong",
            "clear",
            "slight",
            "mild",
            "definite",
            "option",
            "type",
            "level",
        ]
        .contains(&word)
}
