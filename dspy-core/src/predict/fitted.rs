//! Requests with steps of earlier work, of which as many are shown as fit.

use super::{
    ask,
    sides::{Sides, no_output},
    watch::Watch,
};
use crate::{Error, LmErrorKind, Result, context::Recorded, module::Predictor, tool::Trajectory};

/// Steps of which the oldest can be left out.
pub(super) trait Steps: Clone + Send + Sync {
    /// Shows so many steps fewer to the model; whether there were any to spare.
    fn hide(&mut self, steps: usize) -> bool;
}

impl Steps for Trajectory {
    fn hide(&mut self, steps: usize) -> bool {
        Self::hide(self, steps)
    }
}

#[cfg(feature = "sandbox")]
impl Steps for crate::sandbox::CodeTrajectory {
    fn hide(&mut self, steps: usize) -> bool {
        Self::hide(self, steps)
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

pub(super) fn overflows(error: &Error) -> bool {
    matches!(error, Error::Lm(error) if error.kind == LmErrorKind::ContextWindow)
}

/// The output of a run.
pub(super) fn taken<T: Clone + 'static>(sides: &dyn Sides) -> Result<T> {
    let output = sides.output().map(Recorded::as_any).and_then(|output| output.downcast_ref::<T>());
    output.cloned().ok_or_else(no_output)
}
