//! Whether the answers that are learnt are of one kind.
//!
//! A teacher that guesses gives one answer to everything; the metric accepts the rows for which that happens to be
//! right, and a model that is trained on them learns to say it always.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// An output of more different values than this is no choice among few.
const FEW: usize = 12;
/// Fewer rows say nothing.
const ENOUGH: usize = 8;
/// The share of one value above which it dominates.
const MOST: f64 = 0.8;
/// By how much the share must lie above that in the data to be called out.
const MORE: f64 = 0.15;

/// How often each value of an output is learnt.
#[derive(Debug, PartialEq)]
pub(super) struct Balance {
    rows: usize,
    /// The values as JSON, the most frequent first.
    counts: Vec<(String, usize)>,
    /// The share of the most frequent one in the data.
    in_data: Option<f64>,
    /// Values of the data that are never learnt.
    missing: Vec<String>,
}

impl Balance {
    /// The balance of a field, when it is a choice among few values.
    pub(super) fn of<'a>(
        field: &str,
        learnt: impl Iterator<Item = &'a Map<String, Value>>,
        data: &[Map<String, Value>],
    ) -> Option<Self> {
        let counts = count(learnt.filter_map(|values| values.get(field)));
        let gold = count(data.iter().filter_map(|record| record.get(field)));
        let rows: usize = counts.iter().map(|(_, n)| n).sum();
        let few = |counts: &[(String, usize)], rows: usize| {
            counts.len() <= FEW && 4 * counts.len() <= rows && rows >= ENOUGH
        };
        if !few(&counts, rows) {
            return None;
        }
        // Other values under the same name would tell nothing.
        let judged: usize = gold.iter().map(|(_, n)| n).sum();
        let gold = if few(&gold, judged) { gold } else { Vec::new() };
        let most = counts.first()?;
        let share = |value: &str| {
            let found = gold.iter().find(|(v, _)| v == value).map_or(0, |(_, n)| *n);
            (!gold.is_empty()).then(|| found as f64 / judged as f64)
        };
        let missing = gold.iter().map(|(v, _)| v).filter(|v| counts.iter().all(|(c, _)| c != *v));
        Some(Self { rows, in_data: share(&most.0), missing: missing.cloned().collect(), counts })
    }

    fn share(&self) -> f64 {
        self.counts.first().map_or(0.0, |(_, n)| *n as f64 / self.rows as f64)
    }

    /// Whether one value dominates what is learnt, and not the data.
    pub(super) fn is_lopsided(&self) -> bool {
        self.share() >= MOST && self.in_data.is_some_and(|share| self.share() >= share + MORE)
    }

    /// One sentence about the field.
    pub(super) fn note(&self, field: &str) -> String {
        let Some((most, _)) = self.counts.first() else { return String::new() };
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        let mut note = format!("{field} is {most} in {} of {} rows", percent(self.share()), self.rows);
        if let Some(share) = self.in_data {
            note.push_str(&format!(" ({} of the data)", percent(share)));
        }
        if !self.missing.is_empty() {
            note.push_str(&format!("; never learnt: {}", self.missing.join(", ")));
        }
        if self.is_lopsided() {
            note = format!(
                "warning: {note}; the model will learn to say it always. Take a better teacher, sample several \
                 answers (`samples`, `temperature`), or train on the rows' own outputs (`from_labels`)"
            );
        }
        note
    }
}

/// The values with their number, the most frequent first, equally frequent ones in the order of their texts.
fn count<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(crate::error::shorten(&value.to_string(), 60).into_owned()).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    counts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(values: &[(&str, usize)]) -> Vec<Map<String, Value>> {
        let row = |value: &str| Map::from_iter([("label".to_owned(), json!(value))]);
        values.iter().flat_map(|(value, n)| std::iter::repeat_n(row(value), *n)).collect()
    }

    fn balance(learnt: &[(&str, usize)], data: &[(&str, usize)]) -> Option<Balance> {
        Balance::of("label", rows(learnt).iter(), &rows(data))
    }

    #[test]
    fn one_answer_to_everything_is_called_out() {
        let found = balance(&[("yes", 10)], &[("yes", 10), ("no", 10)]).unwrap();
        assert!(found.is_lopsided());
        let note = found.note("`label`");
        let begin =
            "warning: `label` is \"yes\" in 100 % of 10 rows (50 % of the data); never learnt: \"no\"";
        assert!(note.starts_with(begin), "{note}");
    }

    #[test]
    fn what_is_so_in_the_data_is_not() {
        assert!(!balance(&[("yes", 9), ("no", 1)], &[("yes", 90), ("no", 10)]).unwrap().is_lopsided());
        let even = balance(&[("yes", 5), ("no", 5)], &[("yes", 5), ("no", 5)]).unwrap();
        assert_eq!(even.note("`label`"), "`label` is \"no\" in 50 % of 10 rows (50 % of the data)");
        // Without the data, nobody knows.
        let unknown = balance(&[("yes", 10)], &[]).unwrap();
        assert_eq!((unknown.is_lopsided(), unknown.in_data), (false, None));
    }

    #[test]
    fn free_text_has_no_balance() {
        let texts: Vec<(String, usize)> = (0..30).map(|i| (i.to_string(), 1)).collect();
        let texts: Vec<(&str, usize)> = texts.iter().map(|(t, n)| (t.as_str(), *n)).collect();
        assert_eq!(balance(&texts, &texts), None);
        assert_eq!(balance(&[("a", 2), ("b", 1)], &[]), None);
        assert_eq!(balance(&[], &[]), None);
    }
}
