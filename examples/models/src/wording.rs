//! The rules of the list tasks and the many ways in which an instruction tells them.

use dspy::data::Rng;

use crate::{
    lexicon::{KINDS, hash},
    tasks::any,
};

/// What to take from a list of at least three words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The first word.
    First,
    /// The last word.
    Last,
    /// The second word.
    Second,
    /// The third word.
    Third,
    /// The word before the last one.
    BeforeLast,
    /// The whole list.
    All,
    /// The first and the second word.
    FirstTwo,
    /// The last two words.
    LastTwo,
    /// The word of a kind, by its number.
    Kind(usize),
}

/// The rules that go by position; those that give one word come first.
pub const RULES: [Rule; 8] = [
    Rule::First,
    Rule::Last,
    Rule::Second,
    Rule::Third,
    Rule::BeforeLast,
    Rule::All,
    Rule::FirstTwo,
    Rule::LastTwo,
];

impl Rule {
    /// What the rule takes from a list.
    pub fn apply(self, list: &[&str]) -> String {
        let n = list.len();
        let taken: Vec<&str> = match self {
            Self::First => list[..1].to_vec(),
            Self::Last => list[n - 1..].to_vec(),
            Self::Second => list[1..2].to_vec(),
            Self::Third => list[2..3].to_vec(),
            Self::BeforeLast => list[n - 2..n - 1].to_vec(),
            Self::All => list.to_vec(),
            Self::FirstTwo => list[..2].to_vec(),
            Self::LastTwo => list[n - 2..].to_vec(),
            Self::Kind(kind) => {
                let of_kind = |w: &&&str| KINDS[kind].1.split_whitespace().any(|k| k == **w);
                list.iter().filter(of_kind).copied().collect()
            }
        };
        taken.join(", ")
    }

    /// The phrases that name what it takes. The last one is never used in training, though its words are.
    fn phrases(self) -> Vec<String> {
        let fixed: &[&str] = match self {
            Self::First => &[
                "the first word",
                "the word at the start",
                "the opening word",
                "the word that comes first",
                "the leading word",
                "the word at the front",
                "the first item",
                "the item at the start",
            ],
            Self::Last => &[
                "the last word",
                "the word at the end",
                "the final word",
                "the word that comes last",
                "the closing word",
                "the word at the back",
                "the last item",
                "the item at the end",
            ],
            Self::Second => &[
                "the second word",
                "word number two",
                "the word after the first one",
                "the word that comes second",
                "the second item",
                "item number two",
            ],
            Self::Third => &[
                "the third word",
                "word number three",
                "the word after the second one",
                "the word that comes third",
                "the third item",
                "item number three",
            ],
            Self::BeforeLast => &[
                "the word before the last one",
                "the last word but one",
                "the word just before the end",
                "the word before the final one",
                "the item before the last one",
                "the item just before the end",
            ],
            Self::All => &[
                "all words",
                "the whole list",
                "every word",
                "all words in the same order",
                "all items",
                "every item",
            ],
            Self::FirstTwo => &[
                "the first two words",
                "the two words at the start",
                "the opening two words",
                "the first and the second word",
                "the first two items",
                "the two items at the start",
            ],
            Self::LastTwo => &[
                "the last two words",
                "the two words at the end",
                "the final two words",
                "the word before the last one and the last one",
                "the last two items",
                "the two items at the end",
            ],
            Self::Kind(kind) => {
                let name = KINDS[kind].0;
                let frames =
                    ["the _", "the word that is a _", "the one _", "the name of a _", "the item that is a _"];
                return frames.iter().map(|f| f.replace('_', name)).collect();
            }
        };
        fixed.iter().map(|p| (*p).to_owned()).collect()
    }

    /// The usual instruction, in which instructions are proposed, too.
    pub fn usual(self) -> String {
        format!("Give {}.", self.phrases()[0])
    }
}

/// How an instruction is worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wording {
    /// As in training.
    Trained,
    /// A sentence that training never uses, of parts that it uses.
    Unseen,
    /// A sentence around a phrase that training never uses, of words that it uses.
    UnseenPhrase,
}

const VERBS: [&str; 8] = ["Give", "Write", "Return", "Find", "Name", "Say", "Pick", "Show"];
const TAILS: [&str; 5] = ["", " of the list", " in the list", " of the line", " that is given"];

/// An instruction that tells a rule.
pub fn instruction(rng: &mut Rng, rule: Rule, wording: Wording) -> String {
    let phrases = rule.phrases();
    let phrases: Vec<&str> = phrases.iter().map(String::as_str).collect();
    let (trained, unseen) = phrases.split_at(phrases.len() - 1);
    loop {
        let phrase = any(rng, if wording == Wording::UnseenPhrase { unseen } else { trained });
        let tail = if phrase.contains("list") { "" } else { any(rng, &TAILS) };
        let text = match rng.below(4) {
            0 => format!("Please {} {phrase}{tail}.", any(rng, &VERBS).to_lowercase()),
            _ => format!("{} {phrase}{tail}.", any(rng, &VERBS)),
        };
        // The usual wording is always one of training.
        let trains = text == rule.usual() || !held_out(&text);
        if wording == Wording::UnseenPhrase || trains == (wording == Wording::Trained) {
            return text;
        }
    }
}

/// Whether training avoids the sentence: one in five.
pub fn held_out(instruction: &str) -> bool {
    hash(instruction).is_multiple_of(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wordings_are_disjoint() {
        let mut rng = Rng::new(1);
        for _ in 0..2000 {
            let rule = any(&mut rng, &RULES);
            let trained = instruction(&mut rng, rule, Wording::Trained);
            assert!(trained == rule.usual() || !held_out(&trained));
            assert!(rule.phrases()[..rule.phrases().len() - 1].iter().any(|p| trained.contains(p)));
            assert!(held_out(&instruction(&mut rng, rule, Wording::Unseen)));
        }
    }

    #[test]
    fn rules_take_what_they_say() {
        let list = ["otter", "rain", "oak", "soup"];
        let taken: Vec<String> = RULES.iter().map(|r| r.apply(&list)).collect();
        assert_eq!(
            taken,
            ["otter", "soup", "rain", "oak", "oak", "otter, rain, oak, soup", "otter, rain", "oak, soup"]
        );
        assert_eq!(Rule::Kind(0).apply(&list), "otter");
    }
}
