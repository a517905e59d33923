//! Requests with steps of earlier work, of which as many are shown as fit.

use super::{
    ask,
    sides::{Sides, no_output},
    watch::Watch,
};
use crate::{
    Error, LmErrorKind, Result,
    context::Recorded,
    module::Predictor,
    tool::{Steps, Stop},
};

/// Makes the two sides of a request from the steps so far.
pub(super) type MakeSides<'a, S> = dyn Fn(Steps<S>) -> Box<dyn Sides + 'a> + Send + Sync + 'a;

/// Asks with the steps that fit: when they are too many for the model, the oldest are left out, ever more of them.
pub(super) async fn fitted<'s, S>(
    predictor: &Predictor,
    sides: &'s MakeSides<'_, S>,
    steps: &mut Steps<S>,
    watch: impl Fn() -> Option<Watch>,
) -> Result<Box<dyn Sides + 's>> {
    let mut less = 1;
    loop {
        let mut asked = sides(steps.clone());
        match ask::run(predictor, &mut *asked, watch()).await {
            Ok(()) => return Ok(asked),
            Err(error) if overflows(&error) && steps.hide(less) => {
                tracing::debug!("{less} further steps are left out: {error}");
                less *= 2;
            }
            Err(error) => return Err(error),
        }
    }
}

/// What is done next; `None` when the work ends here, because the answer cannot be read or no steps can be left out any
/// more. The steps then say so.
pub(super) async fn next<N: Clone + 'static, S>(
    predictor: &Predictor,
    sides: &MakeSides<'_, S>,
    steps: &mut Steps<S>,
    watch: impl Fn() -> Option<Watch>,
) -> Result<Option<N>> {
    let stop = match fitted(predictor, sides, steps, watch).await {
        Ok(sides) => return taken(&*sides).map(Some),
        Err(Error::Parse(error)) => Stop::Unreadable(error.to_string()),
        Err(error) if overflows(&error) => Stop::ContextWindow,
        Err(error) => return Err(error),
    };
    steps.end(stop);
    Ok(None)
}

fn overflows(error: &Error) -> bool {
    matches!(error, Error::Lm(error) if error.kind == LmErrorKind::ContextWindow)
}

/// The output of a run.
pub(super) fn taken<T: Clone + 'static>(sides: &dyn Sides) -> Result<T> {
    let output = sides.output().map(Recorded::as_any).and_then(|output| output.downcast_ref::<T>());
    output.cloned().ok_or_else(no_output)
}
