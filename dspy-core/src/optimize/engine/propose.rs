//! Asking a model for proposals.

use super::{Engine, Event, Stop};
use crate::{
    context::{Settings, with},
    module::Module,
};

impl Engine {
    /// Asks a module for a proposal, through the prompt model of the options. `purpose` and `index` tell this proposal
    /// from all others: they and the seed decide which of several draws it is. A proposal that fails is `None`, and
    /// whoever listens hears why; it costs nothing else.
    ///
    /// # Errors
    /// [`Stop`] when the budget does not allow it, or the user asks for an end.
    pub async fn ask<M: Module>(
        &self,
        module: &M,
        input: M::Input,
        purpose: &str,
        index: u64,
        temperature: f64,
    ) -> Result<Option<M::Output>, Stop> {
        self.may_go_on()?;
        let draw = self.draw(purpose, index);
        let lm = self.options.prompt_model.clone();
        let change = |mut settings: Settings| {
            settings.lm = lm.or(settings.lm);
            let settings = if temperature > 0.0 { settings.rollout(draw) } else { settings };
            settings.temperature(temperature).trace(false)
        };
        let answer = with(change, module.forward(input)).await;
        self.answered(answer, purpose)
    }

    fn answered<T>(&self, answer: crate::Result<T>, purpose: &str) -> Result<Option<T>, Stop> {
        self.may_go_on()?;
        let (answer, error) = match answer {
            Ok(answer) => (Some(answer), None),
            // Without a model, or with one that can never be reached, no other proposal will succeed.
            Err(error) if crate::evaluate::Failure::Program(error.clone()).is_hopeless() => {
                return Err(error.into());
            }
            Err(error) => (None, Some(error.to_string())),
        };
        self.emit(Event::Proposal { purpose: purpose.to_owned(), error });
        Ok(answer)
    }

    /// Which of several draws a proposal is.
    fn draw(&self, purpose: &str, index: u64) -> u64 {
        self.rng("proposals").fork(purpose).fork_index(index).next_u64() >> 12
    }
}
