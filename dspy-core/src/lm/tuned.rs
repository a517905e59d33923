//! Models that are trained where they are served.

use std::any::Any;

use super::{
    LM,
    wire::{Served, openai_tuning::TuningApi},
};
use crate::{LmError, LmErrorKind};

/// The provider whose endpoints train models, and those that say they are like it.
const OPENAI: &str = "openai/";

impl LM {
    /// Where this model can be trained, with the key and the headers of the client.
    ///
    /// # Errors
    /// [`LmErrorKind::Configuration`] when it is not a model of `openai`.
    pub(crate) fn tuning_api(&self) -> Result<TuningApi, LmError> {
        let name = self.id().strip_prefix(OPENAI);
        match (self.served(), name) {
            (Some(served), Some(name)) => Ok(TuningApi::new(served.place(), name)),
            _ => Err(LmError::new(
                LmErrorKind::Configuration,
                self.id(),
                "the model is not trained through OpenAI's API; give one whose name begins with `openai/`, with \
                 `.api_base(..)` if another server speaks that API",
            )),
        }
    }

    /// The model of this name at the same place, with the same key, settings and options.
    ///
    /// # Errors
    /// As [`tuning_api`](Self::tuning_api).
    pub(crate) fn tuned(&self, name: &str) -> Result<Self, LmError> {
        self.tuning_api()?;
        let tuned = self.served().map(|served| served.renamed(format!("{OPENAI}{name}"), name));
        Ok(tuned.map_or_else(|| self.clone(), |tuned| self.with_model(tuned)))
    }

    fn served(&self) -> Option<&Served> {
        let model: &dyn Any = self.model();
        model.downcast_ref()
    }
}
