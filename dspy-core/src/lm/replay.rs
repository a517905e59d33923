//! Answers as their providers want them back.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// An answer in the form in which its provider wants it back: with the signatures of its reasoning, without which some
/// models refuse the results of tools that they called.
///
/// [`Choice::to_message`](super::Choice::to_message) carries it into the conversation. Providers with another protocol
/// than the one it came by do not see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// The protocol.
    pub(super) wire: Cow<'static, str>,
    /// A list of what the answer consists of, as JSON.
    pub(super) json: String,
}

impl Replay {
    /// The items of the list, if it came by this protocol.
    pub(super) fn items(&self, wire: &str) -> Option<&str> {
        let inner = self.json.strip_prefix('[')?.strip_suffix(']')?;
        (self.wire == wire && !inner.trim().is_empty()).then_some(inner)
    }
}
