//! Several answers from a model that gives one at a time.

use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt, stream};

use super::{BoxFuture, Delta, DeltaSink, Request, Response};
use crate::{LmError, LmErrorKind};

/// How many answers may be asked for, against a number that nobody meant.
const MOST: u32 = 1024;
/// How many of them are asked for at once.
const AT_ONCE: usize = 64;

/// The requests for one answer each that stand for one for `n` of them.
pub(super) fn split(model: &str, request: &Request, n: u32) -> Result<Vec<Request>, LmError> {
    if n > MOST {
        let message = format!("{n} answers are asked for (n), and at most {MOST} can be");
        return Err(LmError::new(LmErrorKind::InvalidRequest, model, message));
    }
    let one = |i: u64| {
        let mut one = request.clone();
        one.options.n = None;
        // A server that draws by this number would answer all of them alike.
        one.rollout = request.rollout.wrapping_mul(u64::from(n)).wrapping_add(i);
        one
    };
    Ok((0..u64::from(n)).map(one).collect())
}

/// The answers of several requests as those of one response, in the order of the requests. An error is that of the first
/// that failed, and comes when all have ended: what is under way is paid for.
pub(super) async fn answers(
    asked: Vec<BoxFuture<'_, Result<Response, LmError>>>,
) -> Result<Response, LmError> {
    let answered: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    answered.into_iter().collect::<Result<Vec<_>, _>>().map(merge)
}

/// A sink that several answers share.
pub(super) struct Shared<'a, 's>(Mutex<&'a mut DeltaSink<'s>>);

impl<'a, 's> Shared<'a, 's> {
    pub(super) fn new(sink: &'a mut DeltaSink<'s>) -> Self {
        Self(Mutex::new(sink))
    }

    /// Passes on a piece of answer number `choice`.
    pub(super) fn pass(&self, choice: usize, delta: Delta) {
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sink(Delta { choice, ..delta });
    }
}

fn merge(responses: Vec<Response>) -> Response {
    let mut all = responses.into_iter();
    let mut merged = all.next().unwrap_or_default();
    for response in all {
        merged.choices.extend(response.choices);
        merged.usage += response.usage;
        merged.latency = merged.latency.max(response.latency);
    }
    merged
}
