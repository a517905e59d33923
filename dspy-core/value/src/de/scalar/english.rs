//! The sentences that are read: those of which every word is known.
//!
//! The table is closed. A sentence is read when it has one value and, beside that, only words of which none can turn the
//! value into another one. A word that is not in the table, be it `not`, `perhaps`, `nicht` or `apples`, means that the
//! sentence is not read, and the model is asked again.

use super::{
    bare::{Bare, Said, unmarked},
    labels::has,
};
use crate::de::options::{Language, Prose, ReadOptions};

/// Words that leave a value as it is.
const NEUTRAL: &str = "\
    a|according|all|also|am|an|analysis|answer|appears|are|as|assessment|assign|based|be|because|believe|\
    belongs|best|by|call|categorise|categorize|category|choice|choose|class|classification|classified|\
    classify|clearly|comes|conclude|conclusion|confident|confidently|considered|correct|customer|definitely|\
    described|document|email|equal|equals|estimate|evaluation|express|expresses|final|for|from|give|\
    given|hence|her|here|his|i|i'd|i'll|i'm|in|input|into|is|it|it's|its|label|level|message|mood|my|of|on|\
    option|our|output|overall|passage|prediction|priority|question|rate|rating|response|result|results|\
    review|say|score|select|selected|sentence|sentiment|shows|so|stance|statement|sum|text|that|that's|the|\
    their|therefore|this|ticket|to|tone|topic|total|tweet|type|user|value|verdict|very|was|we|were|\
    with|would|you|your";

/// Words before a number that leave it as it is.
const ABOUT: &str = "about|approximately|approx|around|exactly|precisely|roughly|some";

/// Words that join what follows to something else.
const JOINTS: &str = "for|to|of|by|from|into|than|with|on|in";

/// Words with which a question begins.
const ASKS: &str = "is|are|was|were|am|does|do|did|can|could|should|would|has|have|may|might";

/// Words that announce the answer at the end of what was said before.
const ANNOUNCE: &str = "answer|result|conclusion|verdict|classification|label";

/// The value that a sentence says, or the last sentence of a text if that announces the answer.
pub(super) fn sentence(text: &str, bare: &dyn Bare, options: &ReadOptions) -> Option<Said> {
    match options.prose {
        Prose::Sentences(Language::English) => {}
        Prose::Structure => return None,
    }
    if !text.contains('\n')
        && text.len() <= 300
        && let Some(value) = closed(text, bare)
    {
        return Some(value);
    }
    let last = last_sentence(text);
    let announced = || words(last).any(|word| has(ANNOUNCE, &word));
    if last.len() > 200 || !announced() {
        return None;
    }
    closed(last, bare)
}

/// What stands behind the last mark or line break that has something behind it.
fn last_sentence(text: &str) -> &str {
    let inner = text.trim_end_matches(|c: char| !c.is_alphanumeric());
    let starts =
        ["\n", ". ", "! ", "? ", ": "].iter().filter_map(|mark| Some(inner.rfind(mark)? + mark.len()));
    &text[starts.max().unwrap_or(0)..]
}

/// The words of a sentence in small letters, without marks.
fn words(text: &str) -> impl Iterator<Item = String> {
    let edge = |c: char| !c.is_alphanumeric() && !"+#%$€£-.".contains(c);
    text.split(|c: char| c.is_whitespace() || c == '—')
        .map(move |word| word.trim_matches(edge).to_lowercase().replace('’', "'"))
        .filter(|word| word.contains(char::is_alphanumeric))
}

/// The only value of a sentence whose other words are all neutral.
fn closed(text: &str, bare: &dyn Bare) -> Option<Said> {
    if text.contains(|c| "?(){}[]|/<>±~≥≤≠^√=&→".contains(c)) {
        return None;
    }
    let pieces: Vec<&str> = text.split_whitespace().collect();
    // A question, though it lacks its mark.
    let asks = pieces.first().is_some_and(|first| has(ASKS, &first.to_lowercase()));
    if pieces.len() > 40 || asks {
        return None;
    }
    // Each way in which a run of words is the value, and the rest is neutral: the longest run first.
    let neutral: Vec<bool> = pieces.iter().map(|piece| is_neutral(piece)).collect();
    let first = neutral.iter().position(|neutral| !neutral);
    let (from, to) = match first {
        Some(from) => (from, neutral.iter().rposition(|neutral| !neutral)? + 1),
        None => return None,
    };
    let value_of = |from: usize, to: usize| {
        let run = pieces[from..to].join(" ");
        let inner = unmarked(&run);
        bare.bare(inner).map(|(value, _)| value)
    };
    // A name may have words that are neutral elsewhere.
    let starts = [from, from.saturating_sub(1), from.saturating_sub(2)];
    let ends = [to, (to + 1).min(pieces.len()), (to + 2).min(pieces.len())];
    let longest = starts.iter().rev().flat_map(|from| ends.iter().rev().map(move |to| (*from, *to)));
    let (start, end, value) =
        longest.filter_map(|(from, to)| Some((from, to, value_of(from, to)?))).next()?;
    // A further value among the neutral words, such as `a` where grades are asked.
    let mut rest = pieces[..start].iter().chain(&pieces[end..]);
    let other = |piece: &str| {
        let word = unmarked(piece);
        let name = word.len() > 2 || word.starts_with(char::is_uppercase) && word != "I";
        name && (bare.mentions(word) || bare.bare(word).is_some())
    };
    let rest_is_plain = rest.all(|piece| is_neutral(piece) && !other(piece));
    // `no` before a noun denies that.
    let parted = end == pieces.len() || pieces[end - 1].ends_with([',', '.', ';', ':', '!', '*', '"']);
    // `for 42`, `to go`
    let joined = start.checked_sub(1).is_some_and(|at| has(JOINTS, &pieces[at].to_lowercase()));
    (rest_is_plain && parted && !joined).then_some(value)
}

fn is_neutral(piece: &str) -> bool {
    // A sign may be a minus.
    piece.contains(char::is_alphanumeric)
        && words(piece).all(|word| {
            let word = word.trim_end_matches(['.', '-']);
            has(NEUTRAL, word) || has(ABOUT, word)
        })
}
