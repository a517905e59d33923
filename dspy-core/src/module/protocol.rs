//! What a module that has code written tells the model after the instructions.

use std::sync::Arc;

use crate::{
    tool::{ToolSet, ToolWords},
    value::ToolSpec,
};

/// How the work of a module goes, and the functions that the code may call. Of this, the words of the functions are learnt.
#[derive(Debug, Clone)]
pub(crate) struct Protocol {
    /// How the work goes.
    work: Arc<str>,
    functions: ToolSet,
    /// How the model is told of functions; nothing when there are none.
    declared: fn(&[ToolSpec]) -> String,
    text: Arc<str>,
}

impl Protocol {
    #[cfg(feature = "sandbox")]
    pub(crate) fn new(work: &str, functions: ToolSet) -> Self {
        let mut protocol =
            Self { work: work.into(), functions, declared: crate::tool::functions, text: Arc::default() };
        protocol.tell();
        protocol
    }

    fn tell(&mut self) {
        self.text = format!("\n\n{}{}", self.work, (self.declared)(self.functions.told())).into();
    }

    /// All of it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn functions(&self) -> &ToolSet {
        &self.functions
    }

    pub(super) fn set_words(&mut self, words: &[ToolWords]) -> Result<(), String> {
        self.functions.set_words(words)?;
        self.tell();
        Ok(())
    }

    pub(super) fn reset(&mut self) {
        self.functions.reset();
        self.tell();
    }
}
