//! A value as a type meets it.

use std::any::type_name;

use serde::de::DeserializeSeed;

use super::{
    coercion::Kinds,
    cx::Cx,
    fail::{Fail, Seg},
    tree::Node,
};

/// A value that a type reads.
#[derive(Debug, Clone, Copy)]
pub struct De<'n, 'c> {
    pub(super) node: &'n Node<'n>,
    pub(super) cx: &'n Cx<'c>,
    /// The type that asks.
    pub(super) kind: &'static str,
    /// Whether it is the whole answer, of which each candidate is tried.
    pub(super) root: bool,
}

impl<'n, 'c> De<'n, 'c> {
    pub(super) fn root(node: &'n Node<'n>, cx: &'n Cx<'c>) -> Self {
        Self { node, cx, kind: "", root: true }
    }

    /// Another value in place of this one.
    pub(super) fn with<'m>(self, node: &'m Node<'m>) -> De<'m, 'c>
    where
        'n: 'm,
    {
        De { node, cx: self.cx, kind: self.kind, root: false }
    }

    /// Reads a value that stands at a step of what is around it.
    pub(super) fn placed<'de, S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
        step: At<'_>,
    ) -> Result<S::Value, Fail> {
        let mark = self.cx.mark();
        self.kind = type_name::<S::Value>();
        match seed.deserialize(self) {
            Ok(value) => {
                self.arrived(mark, step);
                Ok(value)
            }
            Err(fail) => Err(self.astray(fail, step)),
        }
    }

    fn arrived(&self, mark: (usize, Kinds), step: At<'_>) {
        self.cx.placed(mark, || step.seg());
    }

    fn astray(&self, fail: Fail, step: At<'_>) -> Fail {
        self.learn(fail).inside(step.seg())
    }
}

/// A step into a value, of which nothing is made unless it is told of.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    Index(usize),
    Key(&'a str),
}

impl At<'_> {
    fn seg(self) -> Seg {
        match self {
            Self::Index(index) => Seg::Index(index),
            Self::Key(key) => Seg::Key(key.into()),
        }
    }
}

/// A key: text, or what a type with keys of its own makes of it.
pub(super) struct Key<'n, 'c>(pub(super) De<'n, 'c>);
