//! The kinds of damage, in the order in which two of them are done to one answer.

use crate::{answer::Answer, around, case::Case, marks, names, quotes, random::Random, yaml};

/// One kind of damage.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Whether a careful person would be sure of the original value.
    pub(crate) sure: bool,
    /// Whether it goes together only with what is done around the value, or is such a thing itself.
    level: Level,
    /// Damages the answer; false if there is nothing in it that can be damaged so.
    pub(crate) damage: fn(&mut Answer, &mut Random, &Case<'_>) -> bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Level {
    /// Tokens are changed.
    Inside,
    /// The value is written otherwise as a whole.
    Whole,
    /// What stands around the value is changed.
    Around,
}

/// Pairs of kinds that together leave doubt about the value.
const CLASHES: [(&str, &str); 8] = [
    // A comma that is missing is known by the quotes around it.
    ("inner-quotes", "no-comma-items"),
    ("missing-quote", "no-comma-items"),
    ("missing-quote", "no-comma-members"),
    ("missing-quote", "inner-quotes"),
    ("missing-quote", "single-quotes"),
    ("missing-quote", "smart-quotes"),
    ("missing-quote", "missing-closers"),
    // Neither end of the value is left.
    ("missing-closers", "missing-opener"),
];

impl Kind {
    /// Whether a value that this and, after it, `other` is done to can still be known.
    pub(crate) fn goes_with(&self, other: &Self) -> bool {
        let is_clash = CLASHES
            .iter()
            .any(|(a, b)| (*a == self.name && *b == other.name) || (*b == self.name && *a == other.name));
        let fits = match (self.level, other.level) {
            (Level::Whole, level) | (level, Level::Whole) => level == Level::Around,
            _ => true,
        };
        self.name != other.name && fits && !is_clash
    }
}

const fn inside(name: &'static str, damage: fn(&mut Answer, &mut Random, &Case<'_>) -> bool) -> Kind {
    Kind { name, sure: true, level: Level::Inside, damage }
}

const fn around(name: &'static str, damage: fn(&mut Answer, &mut Random, &Case<'_>) -> bool) -> Kind {
    Kind { name, sure: true, level: Level::Around, damage }
}

/// The 27 kinds.
pub(crate) const KINDS: [Kind; 27] = [
    inside("key-case", names::key_case),
    inside("numbers-as-text", names::numbers_as_text),
    inside("python-words", names::python_words),
    inside("raw-newlines", quotes::raw_newlines),
    inside("inner-quotes", quotes::inner_quotes),
    inside("single-quotes", quotes::single_quotes),
    inside("smart-quotes", quotes::smart_quotes),
    inside("unquoted-keys", quotes::unquoted_keys),
    inside("missing-quote", quotes::missing_quote),
    inside("trailing-comma", marks::trailing_comma),
    inside("no-comma-members", marks::no_comma_members),
    inside("no-comma-items", marks::no_comma_items),
    inside("doubled-comma", marks::doubled_comma),
    inside("other-marks", marks::other_marks),
    inside("full-width", marks::full_width),
    inside("comments", marks::comments),
    inside("missing-closers", marks::missing_closers),
    inside("missing-opener", marks::missing_opener),
    Kind { sure: false, ..inside("cut-string", marks::cut_string) },
    Kind { sure: false, ..inside("cut-number", marks::cut_number) },
    Kind { level: Level::Whole, ..inside("yaml", yaml::yaml) },
    around("needless-wrapper", around::needless_wrapper),
    around("escaped-whole", around::escaped_whole),
    around("fence", around::fence),
    around("stray-braces", around::stray_braces),
    around("draft-first", around::draft_first),
    around("thinking", around::thinking),
];
