//! Visiting the predictors of a program.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt::Display,
    hash::{BuildHasher, Hash},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use super::{path::Path, predictor::Predictor};

/// A value that may contain predictors. `#[module]` implements it; plain values have none.
#[diagnostic::on_unimplemented(
    message = "`#[module]` cannot look for predictors in `{Self}`",
    label = "neither a module nor a plain value",
    note = "if it holds no predictors, mark the field with `#[module(skip)]`; if it does, mark its type with `#[module]`"
)]
pub trait Walk {
    /// Visits every predictor with its path, in the order of the fields.
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor));

    /// Visits every predictor to change it.
    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor));
}

macro_rules! plain {
    ($($(#[$meta:meta])* [$($generics:tt)*] $ty:ty),* $(,)?) => {$(
        impl<$($generics)*> Walk for $ty {
            fn walk<'a>(&'a self, _: &mut Path, _: &mut dyn FnMut(&Path, &'a Predictor)) {}
            fn walk_mut<'a>(&'a mut self, _: &mut Path, _: &mut dyn FnMut(&Path, &'a mut Predictor)) {}
        }
    )*};
}

plain!(
    [] bool, [] char, [] i8, [] i16, [] i32, [] i64, [] i128, [] isize, [] u8, [] u16, [] u32, [] u64, [] u128,
    [] usize, [] f32, [] f64, [] (), [] String, [] &'static str, [] PathBuf, [] Duration, [] serde_json::Value,
    [] crate::lm::LM, [] crate::lm::Options, [] Arc<str>, [] std::num::NonZeroUsize,
    [T] std::marker::PhantomData<T>, [T] HashSet<T>, [T] BTreeSet<T>,
    [T: ?Sized] std::sync::Weak<T>,
);

macro_rules! each {
    ($self:ident, $path:ident, $visit:ident, $iter:ident, $walk:ident) => {
        for (i, item) in $self.$iter().enumerate() {
            $path.index(i, |path| item.$walk(path, $visit));
        }
    };
}

impl<T: Walk> Walk for Vec<T> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        each!(self, path, visit, iter, walk);
    }
    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        each!(self, path, visit, iter_mut, walk_mut);
    }
}

impl<T: Walk, const N: usize> Walk for [T; N] {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        each!(self, path, visit, iter, walk);
    }
    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        each!(self, path, visit, iter_mut, walk_mut);
    }
}

impl<T: Walk> Walk for Option<T> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        if let Some(inner) = self {
            inner.walk(path, visit);
        }
    }
    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        if let Some(inner) = self {
            inner.walk_mut(path, visit);
        }
    }
}

impl<T: Walk + ?Sized> Walk for Box<T> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        (**self).walk(path, visit);
    }
    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        (**self).walk_mut(path, visit);
    }
}

impl<K: Display + Ord, T: Walk> Walk for BTreeMap<K, T> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        for (key, item) in self {
            path.key(key, |path| item.walk(path, visit));
        }
    }
    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        for (key, item) in self {
            path.key(key, |path| item.walk_mut(path, visit));
        }
    }
}

// A hash map has no order of its own: it is walked in the order of its keys.
impl<K: Display + Ord + Hash, T: Walk, H: BuildHasher> Walk for HashMap<K, T, H> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        let mut entries: Vec<_> = self.iter().collect();
        entries.sort_by_key(|(key, _)| *key);
        for (key, item) in entries {
            path.key(key, |path| item.walk(path, visit));
        }
    }
    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        let mut entries: Vec<_> = self.iter_mut().collect();
        entries.sort_by(|a, b| a.0.cmp(b.0));
        for (key, item) in entries {
            path.key(key, |path| item.walk_mut(path, visit));
        }
    }
}

macro_rules! tuples {
    ($(($($T:ident $i:tt),+)),+) => {$(
        impl<$($T: Walk),+> Walk for ($($T,)+) {
            fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
                $(path.index($i, |path| self.$i.walk(path, visit));)+
            }
            fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
                $(path.index($i, |path| self.$i.walk_mut(path, visit));)+
            }
        }
    )+};
}

tuples!((A 0), (A 0, B 1), (A 0, B 1, C 2), (A 0, B 1, C 2, D 3));
