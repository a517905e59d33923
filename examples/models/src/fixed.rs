//! Tasks with fixed rows, in files: a training set and held-out rows of one sorting task.

use dspy::{data::Rng, prelude::*};

use crate::{
    lexicon::{KINDS, PHRASES, of_kind},
    tasks::any,
};

/// A sorting task: which group each kind belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Sorting {
    /// The name of the files.
    pub name: &'static str,
    /// The instruction, which says nothing of the rule.
    pub instruction: &'static str,
    /// The field that holds the phrase.
    pub input: &'static str,
    /// The field that holds the group.
    pub output: &'static str,
    /// Kinds and their groups.
    pub groups: &'static [(&'static str, &'static str)],
}

/// The task of the first example: no two of its kinds are ever told apart in training.
pub const NOTES: Sorting = Sorting {
    name: "notes",
    instruction: "Sort the note.",
    input: "note",
    output: "group",
    groups: &[("drink", "lantern"), ("vehicle", "harbour"), ("metal", "compass")],
};

/// A task for fine-tuning, without demonstrations.
pub const DESKS: Sorting = Sorting {
    name: "desks",
    instruction: "Choose the team of the message.",
    input: "message",
    output: "team",
    groups: &[("garment", "anchor"), ("furniture", "candle"), ("building", "mirror"), ("flower", "feather")],
};

impl Sorting {
    /// The signature.
    ///
    /// # Errors
    /// When the library refuses what is written here.
    pub fn signature(&self) -> Result<DynSignature> {
        let groups: Vec<String> = self.groups.iter().map(|(_, group)| format!("'{group}'")).collect();
        let inline = format!("{} -> {}: Literal[{}]", self.input, self.output, groups.join(", "));
        Ok(DynSignature::parse(&inline)?.with_instructions(self.instruction))
    }

    /// Rows for training and rows that are held out: of other words of the same kinds, no phrase twice.
    pub fn rows(&self, seed: u64, train: usize, dev: usize) -> (Vec<Record>, Vec<Record>) {
        let root = Rng::new(seed).fork(self.name);
        (self.side(&mut root.fork("train"), 0, train), self.side(&mut root.fork("dev"), 8, dev))
    }

    fn side(&self, rng: &mut Rng, from: usize, count: usize) -> Vec<Record> {
        let mut rows: Vec<Record> = Vec::new();
        let mut place = 0;
        let most = self.groups.len() * 8 * PHRASES.len();
        while rows.len() < count.min(most) {
            let (kind, group) = self.groups[place % self.groups.len()];
            let words = KINDS.iter().position(|(name, _)| *name == kind).map(of_kind).unwrap_or_default();
            let text = any(rng, &PHRASES).replace('_', any(rng, &words[from..from + 8]));
            if rows.iter().all(|row| row.text(self.input) != Some(&text)) {
                rows.push(Record::from([(self.input, text.as_str()), (self.output, group)]));
                place += 1;
            }
        }
        rng.shuffle(&mut rows);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::held_out_pair;

    #[test]
    fn rows_are_distinct_and_balanced() {
        for task in [NOTES, DESKS] {
            let (train, dev) = task.rows(1, 90, 200);
            assert_eq!((train.len(), dev.len()), (90, 200));
            assert!(train.iter().all(|row| dev.iter().all(|other| row[task.input] != other[task.input])));
            assert_eq!(train, task.rows(1, 90, 200).0);
            let first = dev.iter().filter(|row| row[task.output] == task.groups[0].1).count();
            assert!(first.abs_diff(200 / task.groups.len()) <= 1);
            assert!(task.signature().is_ok());
        }
    }

    #[test]
    fn their_kinds_are_not_sorted_together_in_training() {
        for task in [NOTES, DESKS] {
            let at = |name: &str| KINDS.iter().position(|(kind, _)| *kind == name).unwrap();
            let kinds: Vec<usize> = task.groups.iter().map(|(kind, _)| at(kind)).collect();
            let held = kinds.iter().any(|a| kinds.iter().any(|b| a < b && held_out_pair(*a, *b)));
            assert!(held, "{}", task.name);
        }
    }
}
