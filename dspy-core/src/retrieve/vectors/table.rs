//! Vectors in one piece of memory.

use std::{hint::black_box, thread};

use super::top::{Scored, Top};

/// How many products one thread computes at least, so that a thread is worth its start.
const SHARE: usize = 8 << 20;
/// How many numbers arrive together from memory, with most processors.
const CACHE_LINE: usize = 16;
/// How much of a row is asked for: processors fetch what comes after by themselves.
const FETCHED_LINES: usize = 8;

/// Vectors of length one, one after another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    pub(super) dimension: usize,
    pub(super) numbers: Vec<f32>,
}

impl Table {
    pub(crate) fn new(dimension: usize) -> Self {
        Self { dimension, numbers: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len().checked_div(self.dimension).unwrap_or(0)
    }

    pub(crate) fn row(&self, place: u32) -> &[f32] {
        let from = place as usize * self.dimension;
        self.numbers.get(from..from + self.dimension).unwrap_or_default()
    }

    /// Asks the memory for these rows at once, where each would else be waited for by itself: in a table that is larger
    /// than the caches, a search is waiting for most of its time.
    pub(super) fn fetch(&self, places: impl IntoIterator<Item = u32>) {
        let first_numbers = |place: u32| {
            let lines = self.row(place).chunks(CACHE_LINE).take(FETCHED_LINES);
            lines.filter_map(<[f32]>::first).fold(0, |bits, x| bits ^ x.to_bits())
        };
        // The numbers are read, and nothing else is made of them.
        black_box(places.into_iter().fold(0, |bits, place| bits ^ first_numbers(place)));
    }

    /// Adds a vector, scaled to length one; one without a direction stays as it is.
    pub(crate) fn push(&mut self, vector: &[f32]) {
        let from = self.numbers.len();
        self.numbers.extend_from_slice(vector);
        if let Some(row) = self.numbers.get_mut(from..) {
            normalize(row);
        }
    }

    /// The `k` nearest to a vector of length one, the best first, by comparing it with all.
    pub(crate) fn nearest(&self, query: &[f32], k: usize) -> Vec<Scored> {
        self.nearest_by((self.numbers.len() / SHARE + 1).min(threads()), query, k)
    }

    fn nearest_by(&self, threads: usize, query: &[f32], k: usize) -> Vec<Scored> {
        let rows = self.len();
        if threads == 1 {
            return self.scan(query, k, 0, rows).into_sorted();
        }
        let share = rows.div_ceil(threads);
        let mut top = Top::new(k);
        thread::scope(|scope| {
            let parts: Vec<_> = (0..threads)
                .map(|t| scope.spawn(move || self.scan(query, k, t * share, ((t + 1) * share).min(rows))))
                .collect();
            for (t, part) in parts.into_iter().enumerate() {
                // A thread that could not do its work leaves it to this one.
                let part = part
                    .join()
                    .unwrap_or_else(|_| self.scan(query, k, t * share, ((t + 1) * share).min(rows)));
                part.into_sorted().into_iter().for_each(|scored| top.offer(scored));
            }
        });
        top.into_sorted()
    }

    fn scan(&self, query: &[f32], k: usize, from: usize, to: usize) -> Top {
        let mut top = Top::new(k);
        let all = self.numbers.get(from * self.dimension..to * self.dimension).unwrap_or_default();
        for (i, row) in all.chunks_exact(self.dimension.max(1)).enumerate() {
            top.offer(Scored { score: dot(query, row), place: (from + i) as u32 });
        }
        top
    }
}

/// How many threads this machine has for computing.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Scales a vector to length one; one without a direction stays as it is.
pub(crate) fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if length > 0.0 && length.is_finite() {
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
}

/// The scalar product. Sixteen sums side by side, which the compiler computes with the widest registers there are.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_rest) = a.as_chunks::<16>();
    let (b_chunks, b_rest) = b.as_chunks::<16>();
    let mut sums = [0.0_f32; 16];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for i in 0..16 {
            sums[i] += a[i] * b[i];
        }
    }
    // Halves onto halves: sixteen additions in a row would each wait for the one before.
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums[0] + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_right_at_every_length() {
        for n in 0..70 {
            let a: Vec<f32> = (0..n).map(|i| i as f32 - 3.0).collect();
            let b: Vec<f32> = (0..n).map(|i| 2.0 - i as f32).collect();
            let plain: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            assert!((dot(&a, &b) - plain).abs() <= plain.abs() * 1e-5, "{n}");
        }
    }

    #[test]
    fn threads_find_what_one_finds() {
        let mut rng = dspy_random::Rng::new(1);
        let mut table = Table::new(8);
        for i in 0..1000 {
            // Many equal rows.
            let row: Vec<f32> = match i % 3 {
                0 => (0..8).map(|j| ((i + j) % 7) as f32 + 0.5).collect(),
                _ => (0..8).map(|_| rng.unit() as f32 - 0.5).collect(),
            };
            table.push(&row);
        }
        let query = table.row(3).to_vec();
        let one = table.nearest_by(1, &query, 20);
        assert_eq!(one[0].place, 3);
        for threads in [2, 3, 7] {
            assert_eq!(table.nearest_by(threads, &query, 20), one);
        }
    }
}
