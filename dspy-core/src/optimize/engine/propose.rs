//! Asking a model for proposals.

use futures_util::{StreamExt, stream};

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
        let answer = self.asked(module, input, purpose, index, temperature).await;
        self.answered(answer, purpose)
    }

    /// Asks a module for several proposals at the same time, as [`ask`](Self::ask) does for one; each has its index.
    /// The answers stand in the order of the inputs.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn ask_all<M: Module>(
        &self,
        module: &M,
        inputs: Vec<(u64, M::Input)>,
        purpose: &str,
        temperature: f64,
    ) -> Result<Vec<Option<M::Output>>, Stop> {
        self.may_go_on()?;
        let asked =
            inputs.into_iter().map(|(index, input)| self.asked(module, input, purpose, index, temperature));
        let mut answers = stream::iter(asked).buffered(self.options.places());
        let mut found = Vec::new();
        while let Some(answer) = answers.next().await {
            found.push(self.answered(answer, purpose)?);
        }
        Ok(found)
    }

    async fn asked<M: Module>(
        &self,
        module: &M,
        input: M::Input,
        purpose: &str,
        index: u64,
        temperature: f64,
    ) -> crate::Result<M::Output> {
        let draw = self.draw(purpose, index);
        let lm = self.options.prompt_model.clone();
        let change = |mut settings: Settings| {
            settings.lm = lm.or(settings.lm);
            let settings = if temperature > 0.0 { settings.rollout(draw) } else { settings };
            settings.temperature(temperature).trace(false)
        };
        with(change, module.forward(input)).await
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
