//! How the events of a stream are told apart.

#[cfg(feature = "bedrock")]
use super::eventstream::Messages;
use super::sse::Events;
use crate::LmError;

/// Finds events in bytes that arrive in pieces of any size.
pub(crate) enum Frames {
    /// Server-sent events.
    Sse(Events),
    /// The messages of Amazon's event streams.
    #[cfg(feature = "bedrock")]
    Messages(Messages),
}

impl Frames {
    pub(super) fn sse() -> Self {
        Self::Sse(Events::default())
    }

    /// Takes the next bytes and hands the data of each event that they complete to `event`, which may stop the stream.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        event: impl FnMut(&[u8]) -> Result<(), LmError>,
    ) -> Result<(), LmError> {
        match self {
            Self::Sse(events) => events.feed(bytes, event),
            #[cfg(feature = "bedrock")]
            Self::Messages(messages) => messages.feed(bytes, event),
        }
    }

    /// Ends the stream.
    pub(super) fn finish(&mut self, event: impl FnMut(&[u8]) -> Result<(), LmError>) -> Result<(), LmError> {
        match self {
            Self::Sse(events) => events.finish(event),
            // What has no end is no message, and what is missing is told by the answer.
            #[cfg(feature = "bedrock")]
            Self::Messages(_) => Ok(()),
        }
    }
}
