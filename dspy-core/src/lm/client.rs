//! The standard client: cache, single-flight, limits and retries around a [`LanguageModel`].

use std::{fmt, sync::Arc};

use super::{Capabilities, LanguageModel, Options, Request, Response, Usage};
use crate::LmError;

/// A language model with its cache, limits and retries: a cheap handle that is cloned and shared.
#[derive(Clone)]
pub struct LM {
    model: Arc<dyn LanguageModel>,
    options: Options,
}

/// A model's answer, and whether it was paid for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer {
    /// The response.
    pub response: Arc<Response>,
    /// Whether it came from a cache or was shared with an equal request in flight.
    pub cached: bool,
}

impl Answer {
    /// What this answer cost: nothing but a count when it came from a cache.
    pub fn usage(&self) -> Usage {
        match self.cached {
            true => Usage { cached_calls: 1, ..Usage::default() },
            false => Usage { calls: 1, ..self.response.usage },
        }
    }
}

impl<M: LanguageModel> From<M> for LM {
    fn from(model: M) -> Self {
        Self { model: Arc::new(model), options: Options::default() }
    }
}

impl LM {
    /// The model's identifier, as `provider/name`.
    pub fn id(&self) -> &str {
        self.model.id()
    }

    /// The model behind the handle.
    pub fn model(&self) -> &dyn LanguageModel {
        &*self.model
    }

    /// What the model can do natively.
    pub fn capabilities(&self) -> Capabilities {
        self.model.capabilities()
    }

    /// The options that requests have when they set none.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Asks the model; `request.options` are laid over the handle's own.
    ///
    /// # Errors
    /// [`LmError`] after the last attempt.
    pub async fn generate(&self, request: Request) -> Result<Answer, LmError> {
        let response = self.model.generate(&request).await?;
        Ok(Answer { response: Arc::new(response), cached: false })
    }
}

impl fmt::Debug for LM {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LM").field("id", &self.id()).finish_non_exhaustive()
    }
}
