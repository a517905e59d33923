//! What an answer is put together in.

use crate::{
    lm::{Choice, FinishReason, Replay, ToolCall, wire::cited},
    value::Citation,
};

/// An answer that is put together from blocks.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) calls: Vec<ToolCall>,
    pub(super) citations: Vec<Citation>,
}

impl Answer {
    /// Adds text that rests on these sources.
    pub(super) fn add_text(&mut self, text: &str, mut citations: Vec<Citation>) {
        cited::add(&mut self.text, text, &mut citations);
        self.citations.append(&mut citations);
    }

    /// The whole answer, with the JSON in which it goes back over the wire it came from.
    pub(super) fn finish(self, finish: FinishReason, wire: &'static str, replay: Option<String>) -> Choice {
        Choice {
            finish,
            text: self.text,
            reasoning: Some(self.reasoning).filter(|r| !r.is_empty()),
            tool_calls: self.calls,
            citations: self.citations,
            replay: replay.map(|json| Replay { wire: wire.into(), json }.into()),
            ..Choice::default()
        }
    }
}
