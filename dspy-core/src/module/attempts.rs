//! Running a program, and running it again where an assertion is not met.

use std::future::Future;

use crate::{
    AssertionError, Error, Result,
    context::{Attempt, Context, Ended, PredictorId},
    signature::Violation,
};

/// Runs a program in a context. The answers that its assertions do not accept are corrected, as often as the settings
/// say.
pub(crate) async fn run<I: Clone, O, F: Future<Output = Result<O>>>(
    context: Context,
    input: I,
    forward: impl Fn(I) -> F,
) -> Result<O> {
    let (result, ended) = attempt(context.clone(), input, forward).await;
    commit(&context, ended);
    result
}

/// Runs a program, and gives what is left of it for [`commit`].
pub(crate) async fn attempt<I: Clone, O, F: Future<Output = Result<O>>>(
    context: Context,
    input: I,
    forward: impl Fn(I) -> F,
) -> (Result<O>, Ended) {
    let max = context.settings().max_backtracks;
    if max == 0 {
        return (context.scope(forward(input)).await, Ended::default());
    }
    let attempt = Attempt::new(context.attempt().cloned(), max);
    let context = context.attempting(attempt.clone());
    loop {
        let result = context.clone().scope(forward(input.clone())).await;
        if !again(&context, &attempt, result.as_ref().err()) {
            return (result, attempt.end());
        }
    }
}

/// Hands what is left of a call to the call around it.
pub(crate) fn commit(context: &Context, ended: Ended) {
    match (context.attempt(), context.recorder()) {
        (Some(outer), _) => outer.absorb(ended),
        (None, Some(recorder)) => ended.violations().iter().for_each(|violation| recorder.note(violation)),
        (None, None) => {}
    }
}

/// Whether a run ended where it is to be run again, for which everything is made ready then.
fn again(context: &Context, attempt: &Attempt, error: Option<&Error>) -> bool {
    let Some(Error::Assertion(failed)) = error else { return false };
    if failed.again != Some(attempt.id()) {
        return false;
    }
    tracing::debug!(
        message = failed.message,
        place = failed.place,
        "an answer is not accepted: the program runs again"
    );
    let steps = attempt.rewind();
    if let Some(recorder) = context.recorder() {
        recorder.forget(&steps);
        recorder.backtracked(1);
    }
    true
}

/// What an assertion that is not met leads to: the error that has the program run again, or the one that ends it. Of
/// `among`, the predictor that was called last is to answer again.
pub(crate) fn failed_assertion(among: Option<&[PredictorId]>, place: &str, message: String) -> Error {
    let again = Context::current().attempt().and_then(|attempt| attempt.refuse(among, &message));
    AssertionError { message, place: place.to_owned(), again }.into()
}

/// What a suggestion that is not met leads to: an error only if the program is to run again.
///
/// # Errors
/// [`Error::Assertion`], which has the program run again.
pub(crate) fn failed_suggestion(among: Option<&[PredictorId]>, place: &str, message: String) -> Result<()> {
    let context = Context::current();
    if let Some(again) = context.attempt().and_then(|attempt| attempt.refuse(among, &message)) {
        return Err(AssertionError { message, place: place.to_owned(), again: Some(again) }.into());
    }
    tracing::warn!(place, "suggestion not met: {message}");
    context.note(Violation::wish(place, message));
    Ok(())
}
