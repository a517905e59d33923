//! What conversations are made of.

/// One message of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Message<'a> {
    /// Who speaks, as chat templates call them: `system`, `user`, `assistant` or `tool`.
    pub role: &'a str,
    /// The text.
    pub content: &'a str,
}

impl<'a> Message<'a> {
    /// A message of this role.
    pub fn new(role: &'a str, content: &'a str) -> Self {
        Self { role, content }
    }

    /// A system message.
    pub fn system(content: &'a str) -> Self {
        Self::new("system", content)
    }

    /// A user message.
    pub fn user(content: &'a str) -> Self {
        Self::new("user", content)
    }

    /// An assistant message.
    pub fn assistant(content: &'a str) -> Self {
        Self::new("assistant", content)
    }

    /// Whether the assistant speaks.
    pub(crate) fn is_answer(&self) -> bool {
        self.role == "assistant"
    }
}

/// A conversation that a model can be trained on. It ends with a message of the assistant.
pub trait Conversation {
    /// Its messages.
    ///
    /// # Errors
    /// Why a model of text cannot be trained on it, as a clause: `has tools`.
    fn messages(&self) -> Result<Vec<Message<'_>>, String>;
}

impl Conversation for [Message<'_>] {
    fn messages(&self) -> Result<Vec<Message<'_>>, String> {
        Ok(self.to_vec())
    }
}

impl<const N: usize> Conversation for [Message<'_>; N] {
    fn messages(&self) -> Result<Vec<Message<'_>>, String> {
        self.as_slice().messages()
    }
}

impl Conversation for Vec<Message<'_>> {
    fn messages(&self) -> Result<Vec<Message<'_>>, String> {
        self.as_slice().messages()
    }
}

impl<C: Conversation + ?Sized> Conversation for &C {
    fn messages(&self) -> Result<Vec<Message<'_>>, String> {
        (**self).messages()
    }
}
