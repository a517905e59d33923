//! The brackets that are open, and the value that grows inside of them.

use serde_json::Value;

use super::plan::NodeId;

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
    /// The member at hand, and which property it is.
    pub(super) key: String,
    pub(super) property: Option<usize>,
    /// Whether the member at hand stands last in the result, where it is found without its key.
    last: bool,
}

impl Frame {
    pub(super) fn new(shape: Shape, node: NodeId, close: char, live: bool) -> Self {
        Self { shape, node, close, live, count: 0, key: String::new(), property: None, last: true }
    }
}

/// The frame that the next value belongs to.
pub(super) fn innermost(frames: &[Frame]) -> Option<&Frame> {
    frames.iter().rev().find(|frame| frame.shape != Shape::Wrapper)
}

/// Puts a value where the next one belongs.
pub(super) fn put(root: &mut Option<Value>, frames: &mut [Frame], value: Value) {
    let Some(depth) = frames.iter().rposition(|frame| frame.shape != Shape::Wrapper) else {
        *root = Some(value);
        return;
    };
    match descend(root, &frames[..depth]) {
        Some(Value::Array(items)) => items.push(value),
        Some(Value::Object(members)) => {
            let frame = &mut frames[depth];
            frame.last = members.insert(frame.key.clone(), value).is_none();
        }
        _ => {}
    }
}

/// The value in which the frames end.
pub(super) fn descend<'v>(root: &'v mut Option<Value>, frames: &[Frame]) -> Option<&'v mut Value> {
    let mut here = root.as_mut()?;
    for frame in frames.iter().filter(|frame| frame.shape != Shape::Wrapper) {
        here = match (here, frame.last) {
            (Value::Array(items), _) => items.last_mut()?,
            (Value::Object(members), true) => members.values_mut().next_back()?,
            (Value::Object(members), false) => members.get_mut(&frame.key)?,
            _ => return None,
        };
    }
    Some(here)
}
