//! A graph of near neighbours, in which the nearest to a vector are found without looking at most of the others.
//!
//! Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable
//! Small World graphs" (2018).

use std::{
    collections::BinaryHeap,
    fmt,
    sync::{Mutex, PoisonError},
};

use super::{
    copies::Copies,
    table::{Table, dot},
    top::{Scored, Top},
};

/// Ends a list of neighbours that is not full.
pub(super) const NONE: u32 = u32::MAX;

/// Every vector is on the ground level, and each level above has a share of those below it.
pub(crate) struct Graph {
    /// How many neighbours a vector has at most on a level; twice as many on the ground.
    pub(super) links: usize,
    /// The highest level of each vector.
    pub(super) levels: Vec<u8>,
    /// The neighbours on the ground: `2 * links` for each vector.
    pub(super) ground: Vec<u32>,
    /// The neighbours above, for each vector `links` for each of its levels.
    pub(super) upper: Vec<u32>,
    /// Where the neighbours of a vector begin in `upper`.
    pub(super) upper_from: Vec<usize>,
    /// Where every search begins: a vector of the highest level.
    pub(super) entry: u32,
    /// They have no neighbours, and are found with the first of their kind.
    pub(super) copies: Copies,
    visits: Pool,
}

impl Graph {
    /// How many vectors a search looks at, at most.
    pub(crate) fn looked_at(&self, k: usize, effort: usize) -> usize {
        effort.max(k).saturating_mul(self.width(0))
    }

    /// A graph of vectors with these levels that are not connected yet.
    pub(super) fn unconnected(table: &Table, links: usize, levels: Vec<u8>) -> Self {
        let (upper_from, upper) = upper_lists(links, &levels);
        Self {
            links,
            ground: vec![NONE; levels.len() * links * 2],
            upper: vec![NONE; upper],
            upper_from,
            levels,
            entry: 0,
            copies: Copies::new(table),
            visits: Pool::default(),
        }
    }

    /// A graph that was built before, unless its parts do not fit together.
    pub(super) fn restore(
        table: &Table,
        links: usize,
        levels: Vec<u8>,
        ground: Vec<u32>,
        upper: Vec<u32>,
        entry: u32,
    ) -> Option<Self> {
        let (upper_from, upper_len) = upper_lists(links, &levels);
        let fits = |n: &u32| *n == NONE || (*n as usize) < levels.len();
        let whole = levels.len() == table.len()
            && ground.len() == levels.len() * links * 2
            && upper.len() == upper_len;
        let entered = levels.is_empty() || (entry as usize) < levels.len();
        let all_fit = ground.iter().chain(&upper).all(fits);
        (whole && entered && all_fit).then(|| Self {
            links,
            ground,
            upper,
            upper_from,
            levels,
            entry,
            copies: Copies::new(table),
            visits: Pool::default(),
        })
    }

    /// How many neighbours a list of this level has at most.
    pub(super) fn width(&self, level: usize) -> usize {
        if level == 0 { self.links * 2 } else { self.links }
    }

    fn start(&self, node: u32, level: usize) -> usize {
        match level {
            0 => node as usize * self.links * 2,
            _ => self.upper_from.get(node as usize).map_or(0, |from| from + (level - 1) * self.links),
        }
    }

    pub(super) fn neighbours(&self, node: u32, level: usize) -> impl Iterator<Item = u32> {
        let lists = if level == 0 { &self.ground } else { &self.upper };
        let start = self.start(node, level);
        let list = lists.get(start..start + self.width(level)).unwrap_or_default();
        list.iter().copied().take_while(|n| *n != NONE)
    }

    pub(super) fn set_neighbours(&mut self, node: u32, level: usize, list: &[Scored]) {
        let (start, width) = (self.start(node, level), self.width(level));
        let lists = if level == 0 { &mut self.ground } else { &mut self.upper };
        let Some(own) = lists.get_mut(start..start + width) else { return };
        own.fill(NONE);
        for (slot, scored) in own.iter_mut().zip(list) {
            *slot = scored.place;
        }
    }

    pub(super) fn level(&self, node: u32) -> usize {
        self.levels.get(node as usize).copied().map_or(0, usize::from)
    }

    /// The `k` nearest to a vector of length one, the best first. `effort` is how many are kept in view on the way.
    pub(crate) fn nearest(&self, table: &Table, query: &[f32], k: usize, effort: usize) -> Vec<Scored> {
        if self.levels.is_empty() || k == 0 {
            return Vec::new();
        }
        let found = self.descend(table, query, 0, 0, effort.max(k));
        let mut found = self.copies.added_to(found);
        found.truncate(k);
        found
    }

    /// The nearest on `level`, coming from the entry; on the levels above `wide_below` only one is kept in view.
    pub(super) fn descend(
        &self,
        table: &Table,
        query: &[f32],
        level: usize,
        wide_below: usize,
        effort: usize,
    ) -> Vec<Scored> {
        let entry = Scored { score: dot(query, table.row(self.entry)), place: self.entry };
        let mut from = vec![entry];
        for above in (level..=self.level(self.entry)).rev() {
            let effort = if above > wide_below { 1 } else { effort };
            from = self.search_level(table, query, &from, above, effort);
        }
        from
    }

    /// The `effort` nearest on a level that are reached from some of it, the best first.
    pub(super) fn search_level(
        &self,
        table: &Table,
        query: &[f32],
        from: &[Scored],
        level: usize,
        effort: usize,
    ) -> Vec<Scored> {
        let mut visited = self.visits.take(self.levels.len());
        let mut best = Top::new(effort);
        let mut open = BinaryHeap::new();
        for scored in from {
            if visited.first(scored.place) {
                best.offer(*scored);
                open.push(*scored);
            }
        }
        let mut new = Vec::with_capacity(self.width(level));
        while let Some(nearest) = open.pop() {
            if best.bar().is_some_and(|bar| nearest < bar) {
                break;
            }
            new.clear();
            new.extend(self.neighbours(nearest.place, level).filter(|place| visited.first(*place)));
            table.fetch(new.iter().copied());
            for place in &new {
                let scored = Scored { score: dot(query, table.row(*place)), place: *place };
                if best.bar().is_none_or(|bar| scored > bar) {
                    best.offer(scored);
                    open.push(scored);
                }
            }
        }
        self.visits.put(visited);
        best.into_sorted()
    }
}

/// Where the lists above the ground begin, and how many numbers they have together.
fn upper_lists(links: usize, levels: &[u8]) -> (Vec<usize>, usize) {
    let mut from = Vec::with_capacity(levels.len());
    let mut end = 0;
    for level in levels {
        from.push(end);
        end += usize::from(*level) * links;
    }
    (from, end)
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("links", &self.links).field("nodes", &self.levels.len()).finish()
    }
}

/// Which vectors a search has met. Cleared by counting on, because there are many; a byte each, so that a million fit into
/// a processor's cache.
struct Visited {
    stamps: Vec<u8>,
    now: u8,
}

impl Visited {
    fn first(&mut self, node: u32) -> bool {
        match self.stamps.get_mut(node as usize) {
            Some(stamp) if *stamp != self.now => {
                *stamp = self.now;
                true
            }
            _ => false,
        }
    }
}

/// The memory of searches that have ended, for those to come.
#[derive(Default)]
struct Pool(Mutex<Vec<Visited>>);

impl Pool {
    fn take(&self, nodes: usize) -> Visited {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut visited = free.unwrap_or_else(|| Visited { stamps: vec![0; nodes], now: 0 });
        visited.now = visited.now.wrapping_add(1);
        if visited.now == 0 {
            visited.stamps.fill(0);
            visited.now = 1;
        }
        visited
    }

    fn put(&self, visited: Visited) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(visited);
    }
}
