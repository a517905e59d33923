//! Where answers are, and how a request finds one.

use std::{
    path::{Path, PathBuf},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    Mode,
    digest::Key,
    flight::{Client, Flights, Landed},
    memory::Memory,
    trouble::Trouble,
};
#[cfg(feature = "disk-cache")]
use super::{
    disk::{Claim, Disk},
    file::Claimed,
};
use crate::{LmError, LmErrorKind, error::shorten, lm::Response};

/// The bytes that answers in memory may take.
const MEMORY_BYTES: usize = 256 << 20;

/// The answers of a cache.
pub(crate) struct Store {
    pub(super) memory: Memory,
    flights: Flights,
    #[cfg(feature = "disk-cache")]
    pub(super) disk: Option<Disk>,
    path: Option<PathBuf>,
    pub(super) trouble: Arc<Trouble>,
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) unsaved: AtomicU64,
}

/// Who asks, and how.
pub(crate) struct Asking<'a> {
    pub(crate) model: &'a str,
    /// The last of what is asked, for people.
    pub(crate) asked: &'a str,
    pub(crate) client: Client,
    /// How long the request of another client, or of another process, is waited for.
    pub(crate) patience: Duration,
    pub(crate) mode: Mode,
    pub(crate) strict: bool,
}

/// An answer, and where it is from.
pub(crate) struct Found {
    pub(crate) response: Arc<Response>,
    /// Whether the model was asked.
    pub(crate) asked: bool,
    /// Whether it should be on disk, and is not.
    pub(crate) unsaved: bool,
}

impl Asking<'_> {
    fn fails(&self, message: String) -> LmError {
        LmError::new(LmErrorKind::Cache, self.model, message)
    }

    /// The error of an answer that is not in the cache, where none may be asked for.
    pub(crate) fn missing(&self) -> LmError {
        self.fails(format!(
            "the answer is not in the cache, and the cache only replays: no request is sent. It was recorded for another \
             prompt, model, endpoint or other options, or not at all; run once without `replay()` to record it. What is \
             asked begins with {:?}",
            shorten(self.asked.trim(), 200)
        ))
    }
}

impl Store {
    #[cfg_attr(not(feature = "disk-cache"), allow(unused_variables))]
    pub(super) fn new(entries: usize, path: Option<PathBuf>, limit: u64) -> Self {
        let trouble = Arc::new(Trouble::default());
        Self {
            memory: Memory::new(entries, MEMORY_BYTES),
            flights: Flights::default(),
            #[cfg(feature = "disk-cache")]
            disk: path.clone().map(|path| Disk::new(path, limit, trouble.clone())),
            path: path.filter(|_| cfg!(feature = "disk-cache")),
            trouble,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            unsaved: AtomicU64::new(0),
        }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The answer of `key` that is in memory.
    pub(crate) fn in_memory(&self, key: &Key) -> Option<Arc<Response>> {
        let found = self.memory.get(key)?;
        self.hits.fetch_add(1, Relaxed);
        Some(found)
    }

    /// The answer to the request of `key`, got by `ask` if it is not here.
    pub(crate) async fn answer(
        &self,
        key: Key,
        how: &Asking<'_>,
        ask: impl Future<Output = Result<Response, LmError>> + Send,
    ) -> Result<Found, LmError> {
        let (mut asked, mut unsaved) = (false, false);
        let (asked_here, unsaved_here) = (&mut asked, &mut unsaved);
        let response = {
            let mut lead = pin!(async move {
                if how.mode.reads()
                    && let Some(found) = self.find(&key).await
                {
                    return Ok(found);
                }
                if !how.mode.asks() {
                    return Err(how.missing());
                }
                let claim = match self.claim(&key, how).await? {
                    Claims::Answered(found) => return Ok(found),
                    Claims::Ours(claim) => claim,
                };
                let response = Arc::new(ask.await?);
                *asked_here = true;
                if response.withheld().is_none() {
                    *unsaved_here = !self.keep(&key, &response, how).await?;
                    if !*unsaved_here {
                        claim.settle();
                    }
                }
                Ok(response)
            });
            loop {
                let flight = self.flights.join(key, how.client);
                match flight.outcome(how.client, how.patience, lead.as_mut()).await {
                    Landed::Outcome(outcome) => break outcome?,
                    Landed::OthersFailure => {}
                    Landed::TooLate => break lead.await?,
                }
            }
        };
        if !asked {
            self.hits.fetch_add(1, Relaxed);
        }
        Ok(Found { response, asked, unsaved })
    }

    /// The kept answer of `key`.
    pub(crate) async fn find(&self, key: &Key) -> Option<Arc<Response>> {
        if let Some(found) = self.memory.get(key) {
            return Some(found);
        }
        #[cfg(feature = "disk-cache")]
        if let Some(disk) = &self.disk {
            let found = Arc::new(disk.get(key).await?);
            self.memory.put(key, found.clone());
            return Some(found);
        }
        None
    }

    /// Keeps an answer. `false` when it should be on disk, and is not: that was said.
    ///
    /// # Errors
    /// [`LmErrorKind::Cache`] instead, in a strict cache.
    pub(crate) async fn keep(
        &self,
        key: &Key,
        response: &Arc<Response>,
        how: &Asking<'_>,
    ) -> Result<bool, LmError> {
        self.misses.fetch_add(1, Relaxed);
        self.memory.put(key, response.clone());
        #[cfg(feature = "disk-cache")]
        if let Some(disk) = self.disk.as_ref().filter(|_| how.mode.writes())
            && !disk.put(key, response).await
        {
            self.unsaved.fetch_add(1, Relaxed);
            return if how.strict { Err(self.unusable(how)) } else { Ok(false) };
        }
        Ok(true)
    }

    #[cfg(feature = "disk-cache")]
    fn unusable(&self, how: &Asking<'_>) -> LmError {
        let why = self.trouble.now().unwrap_or_else(|| "the cache on disk cannot be used".into());
        how.fails(format!("{why}; the cache is strict, so nothing is sent that could not be kept"))
    }

    /// Claims the right to send a request, so that of several processes one sends it.
    #[cfg(feature = "disk-cache")]
    async fn claim(&self, key: &Key, how: &Asking<'_>) -> Result<Claims<'_>, LmError> {
        /// How long after another process was seen to ask it is looked again.
        const LOOK: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(100));

        let Some(disk) = self.disk.as_ref().filter(|_| how.mode.reads() && how.mode.writes()) else {
            return Ok(Claims::Ours(Held(None)));
        };
        let (mut waited, mut wait) = (Duration::ZERO, LOOK.0);
        loop {
            match disk.claim(key).await {
                Some((Claimed::Answered(found), _)) => {
                    let found = Arc::new(found);
                    self.memory.put(key, found.clone());
                    return Ok(Claims::Answered(found));
                }
                Some((Claimed::Theirs, _))
                    if waited < how.patience && tokio::runtime::Handle::try_current().is_ok() =>
                {
                    tokio::time::sleep(wait).await;
                    waited += wait;
                    wait = (wait * 3 / 2).min(LOOK.1);
                }
                Some((_, claim)) => return Ok(Claims::Ours(Held(claim))),
                None if how.strict => return Err(self.unusable(how)),
                None => return Ok(Claims::Ours(Held(None))),
            }
        }
    }

    #[cfg(not(feature = "disk-cache"))]
    #[allow(clippy::unused_async, reason = "as with the feature")]
    async fn claim(&self, _: &Key, _: &Asking<'_>) -> Result<Claims<'_>, LmError> {
        Ok(Claims::Ours(Held(std::marker::PhantomData)))
    }
}

/// Whether a request has to be sent.
enum Claims<'a> {
    #[cfg_attr(not(feature = "disk-cache"), allow(dead_code))]
    Answered(Arc<Response>),
    Ours(Held<'a>),
}

/// The claim on a request, where there is something to claim it in.
#[cfg(feature = "disk-cache")]
struct Held<'a>(Option<Claim<'a>>);
#[cfg(not(feature = "disk-cache"))]
struct Held<'a>(std::marker::PhantomData<&'a ()>);

impl Held<'_> {
    #[cfg_attr(not(feature = "disk-cache"), allow(clippy::unused_self))]
    fn settle(self) {
        #[cfg(feature = "disk-cache")]
        if let Some(claim) = self.0 {
            claim.settle();
        }
    }
}

#[cfg(test)]
impl Store {
    /// As [`new`](Self::new), on a disk that is not waited for.
    #[cfg(feature = "disk-cache")]
    pub(super) fn impatient(path: PathBuf) -> Self {
        let mut store = Self::new(100, Some(path), 1 << 30);
        store.disk = store.disk.map(|disk| disk.with_times(super::disk::Times::SHORT));
        store
    }

    pub(super) fn flights(&self) -> usize {
        self.flights.open()
    }
}
