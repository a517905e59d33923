//! Equal requests in flight share one answer.

use std::{
    collections::HashMap,
    hash::BuildHasherDefault,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use super::{digest::Key, memory::FirstBytes};
use crate::{LmError, lm::Response};

/// The outcome of a request, for all that wait for it.
type Cell = OnceCell<Result<Arc<Response>, LmError>>;

/// The requests in flight. The first to ask leads; when its future is dropped before it has the answer, one of those
/// who wait takes over.
#[derive(Default)]
pub(crate) struct Flights {
    cells: Mutex<HashMap<[u8; 32], Arc<Cell>, BuildHasherDefault<FirstBytes>>>,
}

impl Flights {
    /// Joins the flight of `key`, or opens it.
    pub(crate) fn join(&self, key: Key) -> Flight<'_> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = cells.entry(key.0).or_default().clone();
        Flight { flights: self, key, cell }
    }
}

/// A place in a flight. The flight is closed when its outcome is known or the last place is given up.
pub(crate) struct Flight<'a> {
    flights: &'a Flights,
    key: Key,
    cell: Arc<Cell>,
}

impl Flight<'_> {
    /// The flight's outcome, found by `lead` if nobody else is finding it.
    pub(crate) async fn outcome(
        &self,
        lead: impl Future<Output = Result<Arc<Response>, LmError>>,
    ) -> Result<Arc<Response>, LmError> {
        self.cell.get_or_init(|| lead).await.clone()
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut cells = self.flights.cells.lock().unwrap_or_else(PoisonError::into_inner);
        // Places are taken under this lock only, so two owners are the map and this one.
        let close = cells.get(&self.key.0).is_some_and(|cell| {
            Arc::ptr_eq(cell, &self.cell) && (cell.initialized() || Arc::strong_count(cell) <= 2)
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
