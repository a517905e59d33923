//! What one attempt to read knows and notes.

use std::cell::{Cell, OnceCell, RefCell};

use super::{
    coercion::{Coercion, CoercionKind, Kinds},
    fail::{Cure, Seg, show_path},
    find::{Found, structures, without_thoughts},
    options::ReadOptions,
    tree::TooDeep,
};

/// How many tolerances are told one by one.
const MOST_NOTES: usize = 64;

/// How often the text inside of an answer is looked through.
const MOST_LOOKS: usize = 8;

/// What an attempt does otherwise than the first one, learnt from how that failed.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) variants: Vec<&'static [&'static str]>,
    pub(super) fields: Vec<&'static str>,
    pub(super) nothing: Vec<&'static str>,
    /// Types that refuse a text as it stands, and which other form of it is their turn.
    pub(super) forms: Vec<(&'static str, usize)>,
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
            Cure::Form(kind) => {
                match self.forms.iter_mut().find(|(known, _)| *known == kind) {
                    Some((_, turn)) => *turn += 1,
                    None => self.forms.push((kind, 1)),
                }
                true
            }
            Cure::Literals => set(&mut self.literals),
            Cure::Text(number) => self.literals && add(&mut self.texts, number),
            Cure::None | Cure::Unknown => false,
        }
    }

    /// Which form of a text is the turn of this type; 0 is the text itself.
    pub(super) fn form(&self, kind: &str) -> usize {
        self.forms.iter().find(|(known, _)| *known == kind).map_or(0, |(_, turn)| *turn)
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

/// The whole answer: what is found in it is kept from attempt to attempt.
#[derive(Debug)]
pub(super) struct Answer<'t> {
    pub(super) text: &'t str,
    structures: OnceCell<Result<Vec<Found<'t>>, TooDeep>>,
}

impl<'t> Answer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, structures: OnceCell::new() }
    }

    /// The structures in the answer behind its thoughts.
    pub(super) fn structures(&self, depth: usize) -> Result<&[Found<'t>], TooDeep> {
        let find = || {
            let text = without_thoughts(self.text).unwrap_or_default();
            structures(text, self.text.len() - text.len(), depth)
        };
        self.structures.get_or_init(find).as_deref().map_err(|deep| *deep)
    }
}

/// What one attempt knows and notes.
#[derive(Debug)]
pub(super) struct Cx<'a> {
    pub(super) plan: Plan,
    pub(super) options: &'a ReadOptions,
    pub(super) answer: &'a Answer<'a>,
    /// Whether there is nothing to read at all: the field is missing.
    pub(super) absent: bool,
    /// Which of the candidates is tried.
    pub(super) chosen: usize,
    /// How many candidates there are: known once the type has asked.
    pub(super) candidates: Cell<usize>,
    /// Whether an object with one key could have been taken otherwise.
    pub(super) doubtful: Cell<bool>,
    /// How many of the candidates that follow are as likely as this one.
    pub(super) rivals: Cell<usize>,
    /// How many more characters inside of texts may be looked through.
    left: Cell<usize>,
    notes: RefCell<Vec<(Vec<Seg>, CoercionKind)>>,
    used: Cell<Kinds>,
}

impl<'a> Cx<'a> {
    pub(super) fn new(plan: Plan, chosen: usize, options: &'a ReadOptions, answer: &'a Answer<'a>) -> Self {
        Self {
            plan,
            options,
            answer,
            absent: false,
            chosen,
            candidates: Cell::new(1),
            doubtful: Cell::new(false),
            rivals: Cell::new(0),
            left: Cell::new(answer.text.len() * MOST_LOOKS + 65_536),
            notes: RefCell::default(),
            used: Cell::default(),
        }
    }

    /// Whether so much text inside of this may be looked through: texts in texts in texts would take for ever.
    pub(super) fn spend(&self, len: usize) -> bool {
        let left = self.left.get().checked_sub(len);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Notes a tolerance.
    pub(super) fn bend(&self, kind: CoercionKind) {
        let mut used = self.used.get();
        used.insert(kind);
        self.used.set(used);
        let mut notes = self.notes.borrow_mut();
        if notes.len() < MOST_NOTES {
            notes.push((Vec::new(), kind));
        }
    }

    pub(super) fn bend_all(&self, kinds: impl IntoIterator<Item = CoercionKind>) {
        kinds.into_iter().for_each(|kind| self.bend(kind));
    }

    /// The tolerances of all that was read, also of those that are not told one by one.
    pub(super) fn used(&self) -> Kinds {
        self.used.get()
    }

    /// A mark to give to [`placed`](Self::placed) and [`rewind`](Self::rewind).
    pub(super) fn mark(&self) -> (usize, Kinds) {
        (self.notes.borrow().len(), self.used.get())
    }

    /// Forgets what was noted since `mark`.
    pub(super) fn rewind(&self, (len, used): (usize, Kinds)) {
        self.notes.borrow_mut().truncate(len);
        self.used.set(used);
    }

    /// Tells where the tolerances since `mark` were used.
    pub(super) fn placed(&self, (len, _): (usize, Kinds), seg: impl Fn() -> Seg) {
        let mut notes = self.notes.borrow_mut();
        for (path, _) in notes.iter_mut().skip(len) {
            path.push(seg());
        }
    }

    pub(super) fn into_coercions(self) -> Vec<Coercion> {
        let tell = |(path, kind): (Vec<Seg>, CoercionKind)| Coercion {
            path: show_path(&path),
            kind,
            cost: kind.cost(),
        };
        self.notes.into_inner().into_iter().map(tell).collect()
    }
}
