//! Equal requests in flight share one answer.

use std::{
    collections::HashMap,
    hash::BuildHasherDefault,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::{Either, select};
use tokio::sync::OnceCell;

use super::{digest::Key, memory::FirstBytes};
use crate::{LmError, lm::Response};

/// Tells clients apart: those that are no clones of each other may have other keys, timeouts and limits.
pub(crate) type Client = usize;

/// The outcome of a request, for all that wait for it.
struct Cell {
    outcome: OnceCell<Result<Arc<Response>, (Client, LmError)>>,
    /// Who opened the flight.
    client: Client,
}

/// The requests in flight. The first to ask leads; when its future is dropped before it has the answer, one of those
/// who wait takes over.
#[derive(Default)]
pub(crate) struct Flights {
    cells: Mutex<HashMap<[u8; 32], Arc<Cell>, BuildHasherDefault<FirstBytes>>>,
}

impl Flights {
    /// Joins the flight of `key`, or opens it.
    pub(crate) fn join(&self, key: Key, client: Client) -> Flight<'_> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || Arc::new(Cell { outcome: OnceCell::new(), client });
        let cell = cells.entry(key.0).or_insert_with(open).clone();
        Flight { flights: self, key, cell }
    }
}

/// A place in a flight. The flight is closed when its outcome is known or the last place is given up.
pub(crate) struct Flight<'a> {
    flights: &'a Flights,
    key: Key,
    cell: Arc<Cell>,
}

/// What a flight comes to for one of those in it.
pub(crate) enum Landed {
    /// This, for everyone.
    Outcome(Result<Arc<Response>, LmError>),
    /// The request of another client failed, which says nothing about this one's.
    OthersFailure,
    /// Another client takes longer than this one would wait.
    TooLate,
}

impl Flight<'_> {
    /// The flight's outcome, found by `lead` if nobody else is finding it. A request of another client is waited for
    /// with `patience`.
    pub(crate) async fn outcome(
        &self,
        client: Client,
        patience: Duration,
        lead: Pin<&mut (impl Future<Output = Result<Arc<Response>, LmError>> + Send)>,
    ) -> Landed {
        let leads = AtomicBool::new(false);
        let mine = || {
            leads.store(true, Ordering::Relaxed);
            async move { lead.await.map_err(|error| (client, error)) }
        };
        let shared = self.cell.client == client || tokio::runtime::Handle::try_current().is_err();
        let flying = pin!(self.cell.outcome.get_or_init(mine));
        let outcome = if shared {
            flying.await
        } else {
            match select(flying, pin!(tokio::time::sleep(patience))).await {
                Either::Left((outcome, _)) => outcome,
                // Who has taken over is bound by timeouts of its own.
                Either::Right((_, flying)) if leads.load(Ordering::Relaxed) => flying.await,
                Either::Right(_) => return Landed::TooLate,
            }
        };
        match outcome {
            Ok(response) => Landed::Outcome(Ok(response.clone())),
            Err((whose, error)) if *whose == client => Landed::Outcome(Err(error.clone())),
            Err(_) => Landed::OthersFailure,
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut cells = self.flights.cells.lock().unwrap_or_else(PoisonError::into_inner);
        // Places are taken under this lock only, so two owners are the map and this one.
        let close = cells.get(&self.key.0).is_some_and(|cell| {
            Arc::ptr_eq(cell, &self.cell) && (cell.outcome.initialized() || Arc::strong_count(cell) <= 2)
        });
        if close {
            cells.remove(&self.key.0);
        }
    }
}

#[cfg(test)]
impl Flights {
    pub(crate) fn open(&self) -> usize {
        self.cells.lock().unwrap().len()
    }
}
