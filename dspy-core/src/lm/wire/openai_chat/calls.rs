//! Calls of tools that arrive in pieces.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::lm::{ToolCall, call};

/// The most calls of one answer.
const MOST: usize = 1024;

/// A piece of a call.
#[derive(Debug, Default)]
pub(super) struct CallPiece {
    pub(super) index: Option<usize>,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
    /// What the server wants back with the call.
    pub(super) extra: Option<Value>,
}

/// The calls of an answer as far as they have arrived, in the order in which they began.
///
/// By the protocol, a piece belongs to the call of its index, and the first has the id and the name. Servers leave the
/// index out, give all calls the same one, or repeat id and name with every piece; so a piece with another id and a name
/// begins another call whatever its index, and one with neither continues the last.
#[derive(Debug, Default)]
pub(super) struct PartialCalls(Vec<CallPiece>);

impl PartialCalls {
    /// Takes the next piece; whether there was room for it.
    pub(super) fn take(&mut self, piece: CallPiece) -> bool {
        let Some(call) = self.continued(&piece).and_then(|at| self.0.get_mut(at)) else {
            self.0.push(piece);
            return self.0.len() <= MOST;
        };
        if call.id.is_empty() {
            call.id = piece.id;
        }
        // A name may come in pieces, too, but is then whole before the arguments begin.
        if call.arguments.is_empty() && call.name != piece.name {
            call.name.push_str(&piece.name);
        }
        call.arguments.push_str(&piece.arguments);
        call.extra = piece.extra.or(call.extra.take());
        true
    }

    /// Which call a piece continues; `None` where it begins one.
    fn continued(&self, piece: &CallPiece) -> Option<usize> {
        let of_id = |call: &CallPiece| !piece.id.is_empty() && call.id == piece.id;
        if let Some(at) = self.0.iter().rposition(of_id) {
            return Some(at);
        }
        let at = match piece.index {
            Some(index) => self.0.iter().rposition(|call| call.index == Some(index))?,
            None => self.0.len().checked_sub(1)?,
        };
        let call = &self.0[at];
        let another_id = !piece.id.is_empty() && !call.id.is_empty();
        let begins = !piece.name.is_empty() && (another_id || is_whole(&call.arguments));
        // Without ids and numbers only the name tells.
        let unmarked = piece.index.is_none() && piece.id.is_empty() && !call.name.is_empty();
        let renamed = unmarked && !piece.name.is_empty() && piece.name != call.name;
        (!begins && !renamed).then_some(at)
    }

    /// The calls, without what was none, and what the server wants back with each.
    pub(super) fn finish(self) -> (Vec<ToolCall>, Vec<Option<Value>>) {
        let calls = self.0.into_iter().filter(|c| !(c.name.is_empty() && c.arguments.is_empty()));
        calls.map(|c| (call::tool_call(c.id, c.name, &c.arguments), c.extra)).unzip()
    }
}

/// Whether arguments are complete.
fn is_whole(arguments: &str) -> bool {
    arguments.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(arguments).is_ok()
}
