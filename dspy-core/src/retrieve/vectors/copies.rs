//! Vectors that are there several times.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{DefaultHasher, Hasher},
};

use super::{table::Table, top::Scored};

/// Which vectors of a table equal one before them, number for number.
///
/// A graph has each vector once: copies would be neighbours of each other, and of little else.
#[derive(Default)]
pub(super) struct Copies {
    /// The place of each copy, by the place of the first of its kind.
    of: HashMap<u32, Vec<u32>>,
    /// The places of the copies, in order.
    places: Vec<u32>,
}

impl Copies {
    pub(super) fn new(table: &Table) -> Self {
        let mut first: HashMap<u64, u32> = HashMap::with_capacity(table.len());
        let mut copies = Self::default();
        for place in 0..table.len() as u32 {
            let row = table.row(place);
            let mut hasher = DefaultHasher::new();
            row.iter().for_each(|x| hasher.write_u32(x.to_bits()));
            match first.entry(hasher.finish()) {
                Entry::Vacant(entry) => {
                    entry.insert(place);
                }
                Entry::Occupied(entry) if table.row(*entry.get()) == row => {
                    copies.of.entry(*entry.get()).or_default().push(place);
                    copies.places.push(place);
                }
                // Another vector of the same hash is a vector like any other.
                Entry::Occupied(_) => {}
            }
        }
        copies
    }

    pub(super) fn contains(&self, place: u32) -> bool {
        self.places.binary_search(&place).is_ok()
    }

    /// What was found, with the copies of it; the best first.
    pub(super) fn added_to(&self, mut found: Vec<Scored>) -> Vec<Scored> {
        if self.places.is_empty() {
            return found;
        }
        let of = |scored: &Scored| {
            let places = self.of.get(&scored.place).map(Vec::as_slice).unwrap_or_default();
            let score = scored.score;
            places.iter().map(move |place| Scored { score, place: *place })
        };
        let copies: Vec<Scored> = found.iter().flat_map(of).collect();
        found.extend(copies);
        found.sort_unstable_by(|a, b| b.cmp(a));
        found
    }
}
