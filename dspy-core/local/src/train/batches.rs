//! Rows as tokens, and what of them is computed together.

use dspy_random::Rng;

use crate::{
    message::Message,
    vocabulary::{Turn, Vocabulary},
};

/// The messages of each row, or why it has none.
pub(super) type Rows<'a> = [Result<Vec<Message<'a>>, String>];

/// A row as tokens, and which of them are learnt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Sample {
    tokens: Vec<u32>,
    /// From and up to where the answers are, in their order.
    answers: Vec<(usize, usize)>,
}

impl Sample {
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// How many tokens are learnt.
    pub(super) fn learnt(&self) -> usize {
        self.answers.iter().map(|(from, to)| to - from).sum()
    }
}

/// Rows as tokens. An answer ends with a token that ends answers. With `every`, all answers of a row are learnt, else
/// the last one.
pub(super) fn samples(
    vocabulary: &Vocabulary,
    rows: &Rows<'_>,
    ends: &[u32],
    longest: usize,
    every: bool,
) -> Result<Vec<Sample>, String> {
    let mut samples = Vec::with_capacity(rows.len());
    for (i, row) in rows.iter().enumerate() {
        let messages = row.as_ref().map_err(|why| format!("row {i} {why}"))?;
        let turns = vocabulary.turns(messages, every).map_err(|why| format!("row {i}: {why}"))?;
        let (mut tokens, mut answers, count) = (Vec::new(), Vec::new(), turns.len());
        for (n, Turn { given, mut answer }) in turns.into_iter().enumerate() {
            tokens.extend(given);
            if tokens.is_empty() {
                return Err(format!("row {i}: the chat template gives no prompt"));
            }
            let from = tokens.len();
            let learnt = match answer.iter().position(|token| ends.contains(token)) {
                Some(end) => end + 1,
                None => {
                    answer.extend(ends.first());
                    answer.len()
                }
            };
            // What a template puts between an answer and the next message is given.
            let kept = if n + 1 == count { learnt } else { answer.len() };
            tokens.extend_from_slice(&answer[..kept]);
            answers.push((from, from + learnt));
        }
        if tokens.len() > longest {
            return Err(format!(
                "row {i} has {} tokens, but the longest may have {longest}; leave such rows out, or show fewer \
                 demonstrations in them",
                tokens.len()
            ));
        }
        samples.push(Sample { tokens, answers });
    }
    Ok(samples)
}

/// Which rows each step learns from.
pub(super) struct Plan {
    rows: usize,
    batch: usize,
    epochs: u64,
    rng: Rng,
    /// The order of the epoch that was asked for last.
    order: (Option<u64>, Vec<usize>),
}

impl Plan {
    pub(super) fn new(rows: usize, batch: usize, epochs: u64, rng: Rng) -> Self {
        Self { rows, batch: batch.min(rows), epochs, rng, order: (None, Vec::new()) }
    }

    /// The last batch of an epoch may be smaller.
    fn steps_of_epoch(&self) -> u64 {
        self.rows.div_ceil(self.batch) as u64
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps_of_epoch() * self.epochs
    }

    /// The rows of a step, counted from 0. They depend on the seed and the step alone.
    pub(super) fn rows(&mut self, step: u64) -> impl Iterator<Item = usize> + '_ {
        let epoch = step / self.steps_of_epoch();
        if self.order.0 != Some(epoch) {
            let mut order: Vec<usize> = (0..self.rows).collect();
            self.rng.fork_index(epoch).shuffle(&mut order);
            self.order = (Some(epoch), order);
        }
        let from = (step % self.steps_of_epoch()) as usize * self.batch;
        self.order.1[from..(from + self.batch).min(self.rows)].iter().copied()
    }
}

/// Rows in groups of about equal length, each of at most so many tokens with its padding.
pub(super) fn parts(mut rows: Vec<&Sample>, tokens: usize) -> Vec<Vec<&Sample>> {
    rows.sort_by_key(|row| row.len());
    let mut parts: Vec<Vec<&Sample>> = Vec::new();
    for row in rows {
        match parts.last_mut() {
            Some(part) if (part.len() + 1) * row.len() <= tokens => part.push(row),
            _ => parts.push(vec![row]),
        }
    }
    parts
}

/// Rows of equal length, one after the other.
pub(super) struct Padded {
    pub(super) tokens: Vec<u32>,
    pub(super) length: usize,
    /// Where tokens are that are followed by one to learn, and which those are.
    pub(super) places: Vec<u32>,
    pub(super) targets: Vec<u32>,
}

/// Nothing looks ahead, so what stands behind the end of a row does not matter. The last token is followed by none.
pub(super) fn padded(rows: &[&Sample]) -> Padded {
    let length = rows.iter().map(|row| row.len() - 1).max().unwrap_or(0);
    let mut padded = Padded { tokens: Vec::new(), length, places: Vec::new(), targets: Vec::new() };
    for (i, row) in rows.iter().enumerate() {
        for at in row.answers.iter().flat_map(|&(from, to)| from..to) {
            padded.places.push((i * length + at - 1) as u32);
            padded.targets.push(row.tokens[at]);
        }
        padded.tokens.extend_from_slice(&row.tokens[..row.len() - 1]);
        padded.tokens.resize((i + 1) * length, 0);
    }
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(tokens: &[u32], given: usize) -> Sample {
        Sample { tokens: tokens.to_vec(), answers: vec![(given, tokens.len())] }
    }

    #[test]
    fn every_row_is_seen_once_in_an_epoch() {
        let mut plan = Plan::new(10, 4, 2, Rng::new(1));
        assert_eq!(plan.steps(), 6);
        let epoch = |plan: &mut Plan, steps: std::ops::Range<u64>| -> Vec<usize> {
            steps.flat_map(|step| plan.rows(step).collect::<Vec<_>>()).collect()
        };
        let (first, second) = (epoch(&mut plan, 0..3), epoch(&mut plan, 3..6));
        assert_ne!(first, second);
        for mut rows in [first.clone(), second] {
            rows.sort_unstable();
            assert_eq!(rows, (0..10).collect::<Vec<_>>());
        }
        // Also when steps are asked for in another order.
        assert_eq!(plan.rows(1).collect::<Vec<_>>(), first[4..8]);
    }

    #[test]
    fn only_answers_are_learnt() {
        let (a, b) = (sample(&[1, 2, 3, 4], 2), sample(&[5, 6], 1));
        let padded = padded(&[&a, &b]);
        assert_eq!((padded.tokens, padded.length), (vec![1, 2, 3, 5, 0, 0], 3));
        assert_eq!((padded.places, padded.targets), (vec![1, 2, 3], vec![3, 4, 6]));
    }

    #[test]
    fn parts_hold_so_many_tokens() {
        let rows = [sample(&[0; 10], 1), sample(&[0; 3], 1), sample(&[0; 4], 1), sample(&[0; 90], 1)];
        let lengths: Vec<Vec<usize>> = parts(rows.iter().collect(), 20)
            .into_iter()
            .map(|part| part.iter().map(|row| row.len()).collect())
            .collect();
        assert_eq!(lengths, [vec![3, 4], vec![10], vec![90]]);
    }
}
