//! What Ctrl-C does to a search.

use futures_util::future::{Either, select};
use tokio::signal::ctrl_c;

use super::{Engine, Stop};
use crate::lm::BoxFuture;

impl Engine {
    /// Work that Ctrl-C ends, if the user wants that: the first time it begins nothing more, and what runs is waited for,
    /// because it is paid; the second time it is given up.
    pub(in crate::optimize) async fn interruptible<T>(
        &self,
        work: BoxFuture<'_, Result<T, Stop>>,
    ) -> Result<T, Stop> {
        if !self.options.stop_on_ctrl_c {
            return work.await;
        }
        let work = match select(work, Box::pin(ctrl_c())).await {
            Either::Left((ended, _)) => return ended,
            Either::Right((_, work)) => work,
        };
        self.options.cancellation.cancel();
        match select(work, Box::pin(ctrl_c())).await {
            Either::Left((ended, _)) => ended,
            Either::Right(_) => Err(Stop::Cancelled),
        }
    }
}
