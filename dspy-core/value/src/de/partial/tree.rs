//! The brackets that are open, and the value that grows inside of them.

use serde_json::Value;

use super::{super::lex::count, plan::NodeId};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    List,
    Object,
    /// A list of the one value that stands in its place.
    One,
    /// An object or a list around a value, for which nothing stands in the result.
    Wrapper,
}

/// A bracket that was opened.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) shape: Shape,
    pub(super) node: NodeId,
    pub(super) close: char,
    /// Whether it becomes part of the result.
    pub(super) live: bool,
    /// How many items there were.
    pub(super) count: usize,
    /// The member at hand, until it has a value, and which property it is.
    pub(super) key: String,
    pub(super) property: Option<usize>,
}

/// A value and the brackets in which it is not complete.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) value: Option<Value>,
    pub(super) frames: Vec<Frame>,
    /// Whether what is read becomes part of the result.
    pub(super) hidden: bool,
}

impl Tree {
    pub(super) fn open(&mut self, shape: Shape, node: NodeId, close: char) {
        let live = !self.hidden;
        self.frames.push(Frame { shape, node, close, live, count: 0, key: String::new(), property: None });
    }

    pub(super) fn close(&mut self) {
        if let Some(frame) = self.frames.pop() {
            self.hidden = !frame.live;
        }
    }

    /// Puts a value where the next one belongs, at the end of what is innermost.
    pub(super) fn put(&mut self, value: Value) {
        if self.hidden {
            return;
        }
        let Some(depth) = self.frames.iter().rposition(|frame| frame.shape != Shape::Wrapper) else {
            self.value = Some(value);
            return;
        };
        let key = std::mem::take(&mut self.frames[depth].key);
        match self.within(depth) {
            Some(Value::Array(items)) => items.push(value),
            Some(Value::Object(members)) => {
                // The member at hand is found as the last one, also where its key comes twice.
                members.swap_remove(&key);
                members.insert(key, value);
            }
            _ => {}
        }
    }

    /// Puts a value that may be unreadable: then a list keeps its place.
    pub(super) fn put_or_null(&mut self, value: Option<Value>) {
        let innermost = || self.frames.iter().rfind(|frame| frame.shape != Shape::Wrapper);
        match value {
            Some(value) => self.put(value),
            None if innermost().is_some_and(|frame| frame.shape == Shape::List) => self.put(Value::Null),
            None => {}
        }
    }

    /// The value that was put last in what is open.
    pub(super) fn last(&mut self) -> Option<&mut Value> {
        if self.hidden { None } else { self.within(self.frames.len()) }
    }

    /// The last value inside of so many frames.
    pub(super) fn within(&mut self, frames: usize) -> Option<&mut Value> {
        count(frames + 1);
        let mut here = self.value.as_mut()?;
        for _ in self.frames[..frames].iter().filter(|frame| frame.shape != Shape::Wrapper) {
            here = match here {
                Value::Array(items) => items.last_mut()?,
                Value::Object(members) => members.values_mut().next_back()?,
                _ => return None,
            };
        }
        Some(here)
    }
}
