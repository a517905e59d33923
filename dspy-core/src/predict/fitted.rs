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
    tool::{Stop, Trajectory},
};

/// Steps of which the oldest can be left out.
pub(super) trait Steps: Clone + Send + Sync {
    /// Shows so many steps fewer to the model; whether there were any to spare.
    fn hide(&mut self, steps: usize) -> bool;
    /// Says why there are no further steps.
    fn end(&mut self, stop: Stop);
}

impl Steps for Trajectory {
    fn hide(&mut self, steps: usize) -> bool {
        Self::hide(self, steps)
    }

    fn end(&mut self, stop: Stop) {
        Self::end(self, stop);
    }
}

#[cfg(feature = "sandbox")]
impl Steps for crate::sandbox::CodeTrajectory {
    fn hide(&mut self, steps: usize) -> bool {
        Self::hide(self, steps)
    }

    fn end(&mut self, stop: Stop) {
        Self::end(self, stop);
    }
}

/// Makes the two sides of a request from the steps so far.
pub(super) type MakeSides<'a, T> = dyn Fn(T) -> Box<dyn Sides + 'a> + Send + Sync + 'a;

/// Asks with the steps that fit: when they are too many for the model, the oldest are left out, ever more of them.
pub(super) async fn fitted<'s, T: Steps>(
    predictor: &Predictor,
    sides: &'s MakeSides<'_, T>,
    steps: &mut T,
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
pub(super) async fn next<N: Clone + 'static, T: Steps>(
    predictor: &Predictor,
    sides: &MakeSides<'_, T>,
    steps: &mut T,
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
