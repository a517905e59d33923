//! A value as a type meets it.

use std::any::type_name;

use serde::de::DeserializeSeed;

use super::{
    cx::Cx,
    fail::{Fail, Seg},
    tree::Node,
};

/// A value that a type reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct De<'n, 'c> {
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

    /// Reads a value that stands at `seg` of what is around it.
    pub(super) fn placed<'de, S: DeserializeSeed<'de>>(
        self,
        seed: S,
        seg: &dyn Fn() -> Seg,
    ) -> Result<S::Value, Fail> {
        let mark = self.cx.mark();
        let this = Self { kind: type_name::<S::Value>(), ..self };
        match seed.deserialize(this) {
            Ok(value) => {
                self.cx.placed(mark, seg);
                Ok(value)
            }
            Err(fail) => Err(this.learn(fail).inside(seg())),
        }
    }
}

/// A key: text, or what a type with keys of its own makes of it.
pub(super) struct Key<'n, 'c>(pub(super) De<'n, 'c>);
