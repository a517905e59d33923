//! What one attempt to read knows and notes.

use std::cell::{Cell, RefCell};

use super::{
    Coercion,
    fail::{Cure, Fail, Seg, show_path},
};

/// How many tolerances are told one by one; further ones only add to the cost.
const MOST_NOTES: usize = 64;

/// How many objects one inside the other are looked through for a needless wrapper, which takes a look ahead each.
const MOST_WRAPPERS: usize = 8;

/// What an attempt does otherwise than the first one, learnt from how that failed.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) variants: Vec<&'static [&'static str]>,
    pub(super) fields: Vec<&'static str>,
    pub(super) nothing: Vec<&'static str>,
    pub(super) bare: Vec<&'static str>,
    pub(super) dedupe: bool,
    pub(super) literals: bool,
    /// Quoted numbers that stay text all the same.
    pub(super) texts: Vec<i128>,
    /// Take an object with one key for what it was not taken for before: an item of a list in place of a needless
    /// wrapper around the list, or a needless wrapper in place of a map.
    pub(super) otherwise: bool,
}

impl Plan {
    /// Learns from a failure; whether there is anything to learn.
    pub(super) fn learn(&mut self, cure: Cure) -> bool {
        let set = |flag: &mut bool| !std::mem::replace(flag, true);
        match cure {
            Cure::Variants(names) => add(&mut self.variants, names),
            Cure::Field(name) => add(&mut self.fields, name),
            Cure::Duplicate => set(&mut self.dedupe),
            Cure::NothingFor(kind) => add(&mut self.nothing, kind),
            Cure::Bare(kind) => add(&mut self.bare, kind),
            Cure::Literals => set(&mut self.literals),
            Cure::Text(number) => self.literals && add(&mut self.texts, number),
            Cure::None | Cure::Unknown => false,
        }
    }
}

/// Adds what is new; whether it is.
fn add<T: PartialEq>(known: &mut Vec<T>, item: T) -> bool {
    let new = !known.contains(&item);
    if new {
        known.push(item);
    }
    new
}

#[derive(Debug, Default)]
struct Notes {
    told: Vec<(Vec<Seg>, &'static str, u32)>,
    cost: u32,
}

/// What one attempt knows and notes.
#[derive(Debug)]
pub(super) struct Cx {
    pub(super) plan: Plan,
    /// Which of the candidates is tried.
    pub(super) chosen: usize,
    /// How many candidates there are: known once the type has asked.
    pub(super) candidates: Cell<usize>,
    /// Whether the first candidate that can be read is the value, whatever it costs.
    pub(super) ordered: Cell<bool>,
    /// Whether an object with one key could have been taken otherwise.
    pub(super) doubtful: Cell<bool>,
    /// How many more objects inside this one may be looked through for a needless wrapper.
    pub(super) wrappers: Cell<usize>,
    depth: Cell<usize>,
    max_depth: usize,
    notes: RefCell<Notes>,
}

impl Cx {
    pub(super) fn new(plan: Plan, chosen: usize, max_depth: usize) -> Self {
        Self {
            plan,
            chosen,
            candidates: Cell::new(1),
            ordered: Cell::new(false),
            doubtful: Cell::new(false),
            wrappers: Cell::new(MOST_WRAPPERS),
            depth: Cell::new(0),
            max_depth,
            notes: RefCell::default(),
        }
    }

    /// Notes a tolerance.
    pub(super) fn bend(&self, what: &'static str, cost: u32) {
        let mut notes = self.notes.borrow_mut();
        notes.cost = notes.cost.saturating_add(cost);
        if notes.told.len() < MOST_NOTES {
            notes.told.push((Vec::new(), what, cost));
        }
    }

    /// Makes the reading dearer without calling it bent.
    pub(super) fn weigh(&self, cost: u32) {
        let mut notes = self.notes.borrow_mut();
        notes.cost = notes.cost.saturating_add(cost);
    }

    /// Whether any tolerance was used.
    pub(super) fn is_bent(&self) -> bool {
        !self.notes.borrow().told.is_empty()
    }

    pub(super) fn bend_by(&self, note: Option<(&'static str, u32)>) {
        if let Some((what, cost)) = note {
            self.bend(what, cost);
        }
    }

    /// A mark to give to [`placed`](Self::placed).
    pub(super) fn mark(&self) -> usize {
        self.notes.borrow().told.len()
    }

    /// Tells where the tolerances since `mark` were used.
    pub(super) fn placed(&self, mark: usize, seg: impl Fn() -> Seg) {
        if self.mark() == mark {
            return;
        }
        let mut notes = self.notes.borrow_mut();
        for (path, ..) in notes.told.iter_mut().skip(mark) {
            path.push(seg());
        }
    }

    pub(super) fn enter(&self) -> Result<(), Fail> {
        self.depth.set(self.depth.get() + 1);
        if self.depth.get() > self.max_depth {
            return Err(
                Fail::new(format!("at most {} levels of nesting", self.max_depth), "").with(Cure::None)
            );
        }
        Ok(())
    }

    pub(super) fn leave(&self) {
        self.depth.set(self.depth.get().saturating_sub(1));
    }

    pub(super) fn cost(&self) -> u32 {
        self.notes.borrow().cost
    }

    pub(super) fn into_coercions(self) -> Vec<Coercion> {
        let notes = self.notes.into_inner();
        notes
            .told
            .into_iter()
            .map(|(path, what, cost)| Coercion { path: show_path(&path), what, cost })
            .collect()
    }
}
