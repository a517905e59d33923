//! The best of many.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

/// One of many things, with how well it fits. The greater one fits better; of equal ones, the earlier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scored {
    pub(crate) score: f32,
    pub(crate) place: u32,
}

impl Eq for Scored {}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.place.cmp(&self.place))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The `k` best of what is offered.
pub(crate) struct Top {
    k: usize,
    /// The worst of them on top.
    heap: BinaryHeap<Reverse<Scored>>,
}

impl Top {
    pub(crate) fn new(k: usize) -> Self {
        Self { k, heap: BinaryHeap::new() }
    }

    pub(crate) fn offer(&mut self, scored: Scored) {
        if self.heap.len() < self.k {
            self.heap.push(Reverse(scored));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && scored > worst.0
        {
            *worst = Reverse(scored);
        }
    }

    /// The worst of the `k`, once there are so many.
    pub(crate) fn bar(&self) -> Option<Scored> {
        (self.heap.len() >= self.k).then(|| self.heap.peek().map(|worst| worst.0)).flatten()
    }

    /// The best first.
    pub(crate) fn into_sorted(self) -> Vec<Scored> {
        self.heap.into_sorted_vec().into_iter().map(|Reverse(scored)| scored).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_kept_and_of_equal_ones_the_earlier() {
        let mut top = Top::new(3);
        for (place, score) in [0.1, 0.5, 0.9, 0.5, 0.5, -1.0].into_iter().enumerate() {
            top.offer(Scored { score, place: place as u32 });
        }
        let places: Vec<u32> = top.into_sorted().iter().map(|s| s.place).collect();
        assert_eq!(places, [2, 1, 3]);
        let mut none = Top::new(0);
        none.offer(Scored { score: 1.0, place: 0 });
        assert!(none.into_sorted().is_empty());
    }
}
