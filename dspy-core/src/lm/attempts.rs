//! How a request is sent until it is answered or there is no hope.

use super::{
    RetryPolicy,
    limiter::{Limiter, Place},
    probe::Retried,
};
use crate::{LmError, error::no_runtime};

/// The attempts at one request.
pub(super) struct Attempts<'a> {
    model: &'a str,
    limiter: &'a Limiter,
    policy: &'a RetryPolicy,
    begun: u32,
    /// Those that failed for other reasons than a rate limit.
    faults: u32,
    /// Who is told of those that failed.
    probe: Option<&'a dyn Retried>,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(
        model: &'a str,
        limiter: &'a Limiter,
        policy: &'a RetryPolicy,
        probe: Option<&'a dyn Retried>,
    ) -> Self {
        Self { model, limiter, policy, begun: 0, faults: 0, probe }
    }

    /// Waits until the next attempt may begin. The place is held for it only: who waits to try again lets others through.
    pub(super) async fn begin(&mut self, prompt_bytes: impl FnOnce() -> usize) -> Result<Place<'a>, LmError> {
        let place = self.limiter.place(self.model, prompt_bytes).await.map_err(|mut error| {
            error.attempts = self.begun;
            error
        })?;
        self.begun += 1;
        Ok(place)
    }

    /// Waits until a request that failed is to be sent again; gives the error when it is not.
    pub(super) async fn failed(
        &mut self,
        place: Place<'a>,
        mut error: LmError,
        may_repeat: bool,
    ) -> Result<(), LmError> {
        error.attempts = self.begun;
        if error.model.is_empty() {
            error.model = self.model.to_owned();
        }
        let delay = place.failed(&mut error, self.begun, &mut self.faults, self.policy);
        let Some(delay) = delay.filter(|_| may_repeat) else { return Err(error) };
        if tokio::runtime::Handle::try_current().is_err() {
            error.message.push_str("; ");
            error.message.push_str(&no_runtime("Further attempts"));
            return Err(error);
        }
        tracing::debug!(%error, attempts = self.begun, delay = ?delay, "trying again");
        if let Some(probe) = self.probe {
            probe.retried(&error, delay);
        }
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        Ok(())
    }
}
