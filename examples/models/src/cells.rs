//! What is measured: held-out episodes, by how many demonstrations, steps or wordings they have.

use dspy::{Result, data::Rng};

use crate::{
    Episode,
    tasks::{
        lists, propose,
        sort::{self, New},
        steps,
    },
    wording::{self, RULES, Wording},
};

/// One number of the table on the model's card.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The table.
    pub table: &'static str,
    /// The row.
    pub row: &'static str,
    /// The column: a number of demonstrations, of steps, or 0.
    pub column: usize,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Sort { groups: usize, phrases: bool, new: New },
    Shown { one_word: bool },
    Told { wording: Option<Wording> },
    Arrows { reasoning: bool },
    Counter { reasoning: bool },
    Propose,
}

/// Numbers of demonstrations.
pub const DEMOS: [usize; 6] = [0, 1, 2, 4, 8, 12];
/// Numbers of steps.
pub const STEPS: [usize; 6] = [1, 2, 3, 4, 6, 8];

/// All cells.
pub fn cells() -> Vec<Cell> {
    let by = |table, row, columns: &'static [usize], what| {
        columns.iter().map(move |column| Cell { table, row, column: *column, what })
    };
    let sort = |groups, phrases, new| What::Sort { groups, phrases, new };
    let demos = "demonstrations";
    let mut all = Vec::new();
    all.extend(by(demos, "words into 2 groups", &DEMOS, sort(2, false, New::Sets)));
    all.extend(by(demos, "words into 3 groups", &DEMOS, sort(3, false, New::Sets)));
    all.extend(by(demos, "words into 4 groups", &DEMOS, sort(4, false, New::Sets)));
    all.extend(by(demos, "phrases into 2 groups", &DEMOS, sort(2, true, New::Sets)));
    all.extend(by(demos, "phrases into 4 groups", &DEMOS, sort(4, true, New::Sets)));
    all.extend(by(demos, "words of new kinds into 2 groups", &DEMOS, sort(2, false, New::Kinds)));
    all.extend(by(demos, "words into 2 groups with new names", &DEMOS, sort(2, false, New::Names)));
    all.extend(by(demos, "lists, answers of one word", &DEMOS[..5], What::Shown { one_word: true }));
    all.extend(by(demos, "lists, all 8 rules", &DEMOS[..5], What::Shown { one_word: false }));
    let told = |wording| What::Told { wording };
    let with: &[usize] = &[0, 4];
    all.extend(by("wording", "says nothing of the rule", with, told(None)));
    all.extend(by("wording", "as in training", with, told(Some(Wording::Trained))));
    all.extend(by("wording", "a new sentence of known phrases", with, told(Some(Wording::Unseen))));
    all.extend(by("wording", "a new phrase of known words", with, told(Some(Wording::UnseenPhrase))));
    all.extend(by("steps", "arrows, at once", &STEPS, What::Arrows { reasoning: false }));
    all.extend(by("steps", "arrows, with reasoning", &STEPS, What::Arrows { reasoning: true }));
    all.extend(by("steps", "counter, at once", &STEPS, What::Counter { reasoning: false }));
    all.extend(by("steps", "counter, with reasoning", &STEPS, What::Counter { reasoning: true }));
    all.extend(by("proposal", "the instruction of the examples", &[0], What::Propose));
    all
}

impl Cell {
    /// The episode of this number: the same ones for the same seed.
    ///
    /// # Errors
    /// When the library refuses what is written here.
    pub fn episode(&self, seed: u64, index: u64) -> Result<Episode> {
        let rng = &mut Rng::new(seed).fork("held-out").fork(self.row).fork_index(index);
        let n = self.column;
        match self.what {
            What::Sort { groups, phrases, new } => sort::held_out(rng, groups, n, phrases, new),
            What::Shown { one_word } => {
                let rule = RULES[rng.below(if one_word { 5 } else { RULES.len() })];
                lists::rows(rng, "list-shown", rule, n + 1, None)
            }
            What::Told { wording } => {
                let rule = RULES[rng.below(RULES.len())];
                let text = wording.map(|wording| wording::instruction(rng, rule, wording));
                lists::rows(rng, "list-told", rule, n + 1, text.as_deref())
            }
            What::Arrows { reasoning } => steps::arrows_of(rng, 1, Some(n), reasoning),
            What::Counter { reasoning } => steps::counter_of(rng, 1, Some(n), reasoning),
            What::Propose => propose::one(rng),
        }
    }
}
