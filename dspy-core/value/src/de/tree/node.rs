//! Values as they are written.

use std::borrow::Cow;

use super::super::coercion::{CoercionKind, Notes};

/// A value as it is written.
#[derive(Debug, Clone)]
pub(in super::super) struct Node<'t> {
    /// Where it begins in the raw piece.
    pub(in super::super) at: usize,
    /// All of its text.
    pub(in super::super) source: &'t str,
    pub(in super::super) kind: Kind<'t>,
    pub(in super::super) notes: Notes,
    /// Why the inside of a list or an object cannot be told.
    pub(in super::super) fault: Option<Box<Fault>>,
}

#[derive(Debug, Clone)]
pub(in super::super) enum Kind<'t> {
    /// A number, a literal, or text without quotes.
    Bare(&'t str),
    /// A string.
    Text(Cow<'t, str>),
    List(Vec<Node<'t>>),
    Object(Vec<Member<'t>>),
    /// `Name(…)` or `Name {…}`.
    Call(&'t str, Box<Node<'t>>),
    /// Free text, which the type that asks understands.
    Free(Cow<'t, str>),
    /// Nothing, where a value should stand.
    Missing,
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(in super::super) struct Member<'t> {
    pub(in super::super) at: usize,
    pub(in super::super) key: Cow<'t, str>,
    pub(in super::super) value: Node<'t>,
}

/// What was expected, and where.
#[derive(Debug, Clone)]
pub(in super::super) struct Fault {
    pub(in super::super) at: usize,
    pub(in super::super) expected: String,
    pub(in super::super) found: String,
}

/// More levels of nesting than allowed; the place.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct TooDeep(pub(in super::super) usize);

impl<'t> Node<'t> {
    pub(in super::super) fn new(at: usize, source: &'t str, kind: Kind<'t>) -> Self {
        Self { at, source, kind, notes: Notes::default(), fault: None }
    }

    /// Free text at a place.
    pub(in super::super) fn free(at: usize, text: impl Into<Cow<'t, str>>) -> Self {
        Self::new(at, "", Kind::Free(text.into()))
    }

    /// Whether it is an object or a list of which nothing is missing.
    pub(in super::super) fn complete(&self) -> bool {
        let cut = [CoercionKind::CutOff, CoercionKind::MissingClose].iter().any(|kind| self.notes.has(*kind));
        self.fault.is_none() && !cut
    }

    /// The only value of a list of one or an object of one key.
    pub(in super::super) fn only(&self) -> Option<&Node<'t>> {
        match &self.kind {
            Kind::List(items) => match &items[..] {
                [only] => Some(only),
                _ => None,
            },
            Kind::Object(members) => match &members[..] {
                [only] => Some(&only.value),
                _ => None,
            },
            Kind::Call(_, inner) => Some(inner),
            _ => None,
        }
    }
}
