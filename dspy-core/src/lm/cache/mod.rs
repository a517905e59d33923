//! The cache of answers, in memory and on disk.

// Without a disk, parts of what is shared by both kinds of cache have no use.
#![cfg_attr(not(feature = "disk-cache"), allow(dead_code, unused_imports, unused_variables))]

#[cfg(feature = "disk-cache")]
mod alive;
pub(super) mod digest;
#[cfg(feature = "disk-cache")]
mod disk;
#[cfg(feature = "disk-cache")]
mod file;
mod flight;
mod key;
mod location;
mod memory;
#[cfg(feature = "disk-cache")]
mod salvage;
mod store;
mod transfer;
mod trouble;

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak, atomic::Ordering::Relaxed},
    time::Duration,
};

pub(crate) use self::{
    digest::Key,
    key::setups,
    store::{Asking, Found, Store},
};

/// The default number of answers in memory.
const MEMORY_ENTRIES: usize = 1_000_000;
/// The default size on disk: 10 GB.
const DISK_BYTES: u64 = 10_000_000_000;

/// A cache of answers, in memory and on disk, so that no request is paid for twice.
///
/// It is cheap to clone; clones share their answers, and so do all caches of one directory. Equal requests in flight
/// through one cache are sent once; of several processes that use one directory, one sends a request and the others wait
/// for its answer. Errors are not cached.
///
/// A directory that can only be read is read. If the file does not work (a full disk, no permission, a lock that is held for too long), requests are sent all the
/// same, and the file is tried again later. It is said once on standard error, counted in
/// [`Usage::unsaved_calls`](super::Usage::unsaved_calls), and shown by [`stats`](Self::stats); [`strict`](Self::strict) makes
/// it an error. Of a damaged file the answers that are whole are kept.
///
/// ```
/// use dspy_core::lm::Cache;
///
/// let cache = Cache::disk("answers").strict(); // better no answer than one that is lost
/// let tests = Cache::disk("answers").replay(); // no request is ever sent
/// # let _ = (cache, tests);
/// ```
#[derive(Clone)]
pub struct Cache {
    store: Option<Arc<Store>>,
    mode: Mode,
    strict: bool,
}

/// What a cache is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    #[default]
    ReadWrite,
    ReadOnly,
    Refresh,
    Replay,
}

impl Mode {
    /// Whether kept answers are used.
    pub(crate) fn reads(self) -> bool {
        self != Self::Refresh
    }

    /// Whether answers are written to disk.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::ReadWrite | Self::Refresh)
    }

    /// Whether models are asked.
    pub(crate) fn asks(self) -> bool {
        self != Self::Replay
    }
}

/// What a cache has done in this process, and what it holds; see [`Cache::stats`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CacheStats {
    /// Requests that were answered by the cache, or by an equal request in flight.
    pub hits: u64,
    /// Requests whose answer was kept.
    pub misses: u64,
    /// Those of them whose answer could not be written to disk at once.
    pub unsaved: u64,
    /// How many answers there are: on disk, or in memory for a cache that has no place on disk.
    pub entries: u64,
    /// The bytes on disk that are in use.
    pub disk_bytes: u64,
    /// What is wrong with the cache on disk at present.
    pub trouble: Option<String>,
}

impl Cache {
    /// No cache: every request is sent.
    pub fn off() -> Self {
        Self { store: None, mode: Mode::ReadWrite, strict: false }
    }

    /// A cache in memory of at most about `entries` answers (and 256 MiB).
    pub fn memory(entries: usize) -> Self {
        Self::build(entries, None, 0)
    }

    /// A cache in the directory `path` and in memory: at most 10 GB, the oldest answers are removed first. The directory
    /// is created and the file opened on first use; several processes may share it. Without the feature `disk-cache` it is
    /// a cache in memory only.
    ///
    /// An answer is in the file before the request that asked for it returns. It then survives the end of the process,
    /// however sudden; a power cut may lose the last moments, never more.
    pub fn disk(path: impl Into<PathBuf>) -> Self {
        Self::build(MEMORY_ENTRIES, Some(path.into()), DISK_BYTES)
    }

    /// As [`Cache::disk`], with a bound on the file's size in bytes. While several processes write at once, the journal may
    /// exceed it by some megabytes for moments.
    pub fn disk_with_limit(path: impl Into<PathBuf>, bytes: u64) -> Self {
        Self::build(MEMORY_ENTRIES, Some(path.into()), bytes)
    }

    /// A cache in memory of the default size.
    pub(crate) fn private() -> Self {
        Self::memory(MEMORY_ENTRIES)
    }

    /// The cache of this process: on disk in `$DSPY_CACHE_DIR`, or in the platform's cache directory
    /// (`$XDG_CACHE_HOME/dspy` or `~/.cache/dspy`; `~/Library/Caches/dspy` on macOS; `%LOCALAPPDATA%\dspy` on Windows),
    /// of at most `$DSPY_CACHE_LIMIT` bytes (10 GB).
    pub fn shared() -> Self {
        static SHARED: LazyLock<Cache> = LazyLock::new(|| {
            let limit = std::env::var("DSPY_CACHE_LIMIT").ok().and_then(|limit| {
                let bytes = limit.parse();
                if bytes.is_err() {
                    tracing::warn!(%limit, "DSPY_CACHE_LIMIT is not a number of bytes");
                }
                bytes.ok()
            });
            match location::default_folder(|name| std::env::var_os(name)) {
                Some(folder) => Cache::disk_with_limit(folder, limit.unwrap_or(DISK_BYTES)),
                None => {
                    tracing::warn!("no place for a cache on disk; set DSPY_CACHE_DIR to have one");
                    Cache::private()
                }
            }
        });
        SHARED.clone()
    }

    fn build(entries: usize, path: Option<PathBuf>, limit: u64) -> Self {
        let store = match path {
            Some(path) if cfg!(feature = "disk-cache") => opened(&location::real(path), entries, limit),
            _ => Arc::new(Store::new(entries, None, 0)),
        };
        Self { store: Some(store), mode: Mode::ReadWrite, strict: false }
    }

    /// The same cache, which is not written to on disk. What it has not is asked for, and kept in memory.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { mode: Mode::ReadOnly, ..self }
    }

    /// The same cache, whose answers are not used: every request is sent, and its answer replaces the one that was kept.
    #[must_use]
    pub fn refresh(self) -> Self {
        Self { mode: Mode::Refresh, ..self }
    }

    /// The same cache, which has to have every answer: one that it has not is an error
    /// ([`LmErrorKind::Cache`](crate::LmErrorKind::Cache)), and no request is sent. For tests without a network.
    #[must_use]
    pub fn replay(self) -> Self {
        Self { mode: Mode::Replay, ..self }
    }

    /// The same cache, where it is an error ([`LmErrorKind::Cache`](crate::LmErrorKind::Cache)) when answers cannot be
    /// kept on disk. It is found out before a request is sent, as far as possible.
    #[must_use]
    pub fn strict(self) -> Self {
        Self { strict: true, ..self }
    }

    /// What the cache has done in this process, and what it holds. Reads the file, if there is one.
    pub fn stats(&self) -> CacheStats {
        let Some(store) = &self.store else { return CacheStats::default() };
        let stats = CacheStats {
            hits: store.hits.load(Relaxed),
            misses: store.misses.load(Relaxed),
            unsaved: store.unsaved.load(Relaxed),
            entries: store.memory.len() as u64,
            disk_bytes: 0,
            trouble: store.trouble.now(),
        };
        #[cfg(feature = "disk-cache")]
        if let Some(disk) = &store.disk {
            let counted = disk.file().and_then(|file| Ok((file.entries()?, file.used()?)));
            let (entries, disk_bytes) = counted.unwrap_or_default();
            return CacheStats { entries, disk_bytes, ..stats };
        }
        stats
    }

    /// Whether nothing is cached.
    pub fn is_off(&self) -> bool {
        self.store.is_none()
    }

    /// The directory of the answers on disk.
    pub fn path(&self) -> Option<&Path> {
        self.store.as_ref()?.path()
    }

    /// Clears the memory; answers on disk are kept.
    pub fn clear_memory(&self) {
        if let Some(store) = &self.store {
            store.memory.clear();
        }
    }

    /// How a client uses the cache. `patience` is how long it waits for the requests of others.
    pub(crate) fn asking<'a>(
        &self,
        model: &'a str,
        asked: &'a str,
        client: usize,
        patience: Duration,
    ) -> Asking<'a> {
        Asking { model, asked, client, patience, mode: self.mode, strict: self.strict }
    }

    pub(crate) fn store(&self) -> Option<&Store> {
        self.store.as_deref()
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::shared()
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.store {
            None => f.write_str("Cache(off)"),
            Some(store) => f
                .debug_struct("Cache")
                .field("path", &store.path())
                .field("mode", &self.mode)
                .field("strict", &self.strict)
                .finish_non_exhaustive(),
        }
    }
}

/// The answers in a directory: one store in a process, however often the directory is named.
#[cfg_attr(not(feature = "disk-cache"), allow(unused_variables))]
fn opened(path: &Path, entries: usize, limit: u64) -> Arc<Store> {
    static STORES: LazyLock<Mutex<HashMap<PathBuf, Weak<Store>>>> = LazyLock::new(Mutex::default);
    let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
    stores.retain(|_, store| store.strong_count() > 0);
    if let Some(store) = stores.get(path).and_then(Weak::upgrade) {
        #[cfg(feature = "disk-cache")]
        if let Some(disk) = &store.disk {
            disk.set_limit(limit);
        }
        return store;
    }
    let store = Arc::new(Store::new(entries, Some(path.to_owned()), limit));
    stores.insert(path.to_owned(), Arc::downgrade(&store));
    store
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LmError, LmErrorKind, lm::Response};

    fn by(client: usize, patience: Duration) -> Asking<'static> {
        Asking { model: "m", asked: "a", client, patience, mode: Mode::ReadWrite, strict: false }
    }

    #[tokio::test]
    async fn a_flight_is_closed_when_it_ends_fails_or_is_given_up() {
        let cache = Cache::memory(10);
        let store = cache.store().unwrap();
        let (key, how) = (Key([1; 32]), by(1, Duration::MAX));
        let failed = store.answer(key, &how, async { Err(LmError::new(LmErrorKind::Server, "m", "")) }).await;
        assert!(failed.is_err());
        assert_eq!(store.flights(), 0);

        let slow = store.answer(key, &how, std::future::pending());
        assert!(tokio::time::timeout(Duration::from_millis(1), slow).await.is_err());
        assert_eq!(store.flights(), 0);

        let found = store.answer(key, &how, async { Ok(Response::text("a")) }).await.unwrap();
        assert!(found.asked, "an error is not kept");
        let found = store.answer(key, &how, async { Ok(Response::text("b")) }).await.unwrap();
        assert!(!found.asked);
        assert_eq!(store.flights(), 0);
        assert_eq!((cache.stats().hits, cache.stats().misses, cache.stats().entries), (1, 1, 1));
    }

    #[cfg(feature = "disk-cache")]
    #[tokio::test]
    async fn a_file_that_another_process_holds_is_opened_later() {
        let folder = tempfile::tempdir().unwrap();
        // Made by a process that has ended, and held by one that is at it for longer than anybody waits.
        let how = by(1, Duration::MAX);
        Store::impatient(folder.path().to_owned())
            .answer(Key([0; 32]), &how, async { Ok(Response::text("0")) })
            .await
            .unwrap();
        let holder = rusqlite::Connection::open(folder.path().join("lm.sqlite3")).unwrap();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();

        let cache = Cache {
            store: Some(Arc::new(Store::impatient(folder.path().to_owned()))),
            mode: Mode::ReadWrite,
            strict: false,
        };
        let store = cache.store().unwrap();
        let ask = |n: u8| store.answer(Key([n; 32]), &how, async move { Ok(Response::text(n.to_string())) });
        let first = ask(1).await.unwrap();
        assert!(first.asked && first.unsaved);
        let trouble = cache.stats().trouble.unwrap();
        assert!(trouble.contains("cannot be used") && trouble.contains("locked"), "{trouble}");
        let strict = Asking { strict: true, ..by(1, Duration::MAX) };
        let refused = store.answer(Key([9; 32]), &strict, async { Ok(Response::text("never sent")) }).await;
        assert!(
            refused.is_err_and(|error| error.kind == LmErrorKind::Cache && error.message.contains("strict"))
        );

        holder.execute_batch("COMMIT").unwrap();
        let mut n = 2;
        while ask(n).await.unwrap().unsaved {
            n += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(cache.stats().trouble, None);
        // What could not be kept meanwhile is kept now.
        cache.clear_memory();
        for kept in 0..=n {
            let found = ask(kept).await.unwrap();
            assert_eq!((found.asked, &*found.response.choices[0].text), (false, &*kept.to_string()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_and_delays_of_another_client_are_its_own() {
        let cache = Cache::memory(10);
        let store = cache.store().unwrap();
        let key = Key([1; 32]);
        let late = |seconds, outcome| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            outcome
        };
        let refused = || Err(LmError::new(LmErrorKind::Auth, "m", "a wrong key"));
        let (one, two) = (by(1, Duration::from_secs(60)), by(2, Duration::from_secs(60)));
        let (a, also_a, b) = tokio::join!(
            store.answer(key, &one, late(1, refused())),
            store.answer(key, &one, late(1, Ok(Response::text("not asked")))),
            store.answer(key, &two, late(1, Ok(Response::text("b's")))),
        );
        assert!(a.is_err() && also_a.is_err());
        assert_eq!(b.unwrap_or_else(|e| panic!("{e}")).response.choices[0].text, "b's");

        let key = Key([2; 32]);
        let hasty = by(2, Duration::from_millis(300));
        let began = tokio::time::Instant::now();
        let slow = store.answer(key, &one, late(6, Ok(Response::text("slow"))));
        let b = async {
            let outcome =
                store.answer(key, &hasty, late(0, Err(LmError::new(LmErrorKind::Timeout, "m", "")))).await;
            (outcome, began.elapsed())
        };
        let (slow, (b, after)) = tokio::join!(slow, b);
        assert!(slow.is_ok() && b.is_err());
        assert!(after < Duration::from_secs(1), "{after:?}");
    }
}
