//! The unchanging part of a prompt, and what is derived from it once.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock},
};

use sha2::Sha256;

use super::{Message, cache::digest};

/// How many wire formats one prefix remembers its bytes for.
const WIRES: usize = 4;

/// The messages that do not change from call to call: the system message and the demonstrations.
///
/// Shared by all calls of a predictor, so that what is derived from them (their bytes on the wire, their digest)
/// is computed once.
#[derive(Default)]
pub struct Prefix {
    messages: Vec<Message>,
    hasher: OnceLock<Sha256>,
    rendered: [OnceLock<Rendered>; WIRES],
}

/// The name of a wire format, and the messages in it.
type Rendered = (&'static str, Box<[u8]>);

impl Prefix {
    /// A prefix of these messages.
    pub fn new(messages: Vec<Message>) -> Self {
        Self { messages, ..Self::default() }
    }

    /// The messages.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The messages in the format called `wire`, rendered by `render` the first time they are asked for.
    ///
    /// One name must always stand for one format.
    pub fn rendered(&self, wire: &'static str, render: impl FnOnce(&[Message]) -> Vec<u8>) -> Cow<'_, [u8]> {
        let mut render = Some(render);
        for slot in &self.rendered {
            let (name, bytes) = match slot.get() {
                Some(filled) => filled,
                None => slot.get_or_init(|| {
                    let bytes = render.take().map(|render| render(&self.messages)).unwrap_or_default();
                    (wire, bytes.into_boxed_slice())
                }),
            };
            if *name == wire {
                return Cow::Borrowed(bytes);
            }
        }
        // More formats than slots: correct, only not remembered.
        Cow::Owned(render.take().map(|render| render(&self.messages)).unwrap_or_default())
    }

    /// The state of the cache key's hash after these messages: cloned and carried on with each call's tail, so that
    /// a key depends on the messages alone and not on where prefix and tail meet.
    pub(crate) fn hasher(&self) -> Sha256 {
        self.hasher.get_or_init(|| digest::messages(Sha256::default(), &self.messages)).clone()
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefix").field("messages", &self.messages).finish_non_exhaustive()
    }
}

impl From<Vec<Message>> for Prefix {
    fn from(messages: Vec<Message>) -> Self {
        Self::new(messages)
    }
}

/// The messages of a request.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    /// What does not change from call to call.
    pub prefix: Arc<Prefix>,
    /// What this call adds.
    pub tail: Vec<Message>,
}

impl Prompt {
    /// A prompt of a shared prefix and the messages that follow it.
    pub fn new(prefix: Arc<Prefix>, tail: Vec<Message>) -> Self {
        Self { prefix, tail }
    }

    /// All messages, in order.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.prefix.messages().iter().chain(&self.tail)
    }
}

impl From<Vec<Message>> for Prompt {
    fn from(tail: Vec<Message>) -> Self {
        Self { prefix: Arc::default(), tail }
    }
}
