//! The cache of answers, in memory and on disk.

pub(super) mod digest;
#[cfg(feature = "disk-cache")]
mod disk;
#[cfg(feature = "disk-cache")]
mod file;
mod flight;
mod key;
mod location;
mod memory;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

pub(crate) use self::digest::Key;
use self::{flight::Flights, memory::Memory};
use super::Response;
use crate::LmError;

/// The default number of answers in memory.
const MEMORY_ENTRIES: usize = 1_000_000;
const MEMORY_BYTES: usize = 256 << 20;
/// The default size on disk: 10 GB.
const DISK_BYTES: u64 = 10_000_000_000;

/// A cache of answers, in memory and on disk, so that no request is paid for twice.
///
/// It is cheap to clone; clones share their answers. Equal requests in flight through one cache are sent once. Errors
/// are not cached. If the cache does not work (a full disk, no permission, a broken file), a warning is logged and
/// requests are sent.
#[derive(Clone)]
pub struct Cache {
    store: Option<Arc<Store>>,
}

pub(crate) struct Store {
    memory: Memory,
    flights: Flights,
    #[cfg(feature = "disk-cache")]
    disk: Option<disk::Disk>,
    path: Option<PathBuf>,
}

impl Cache {
    /// No cache: every request is sent.
    pub fn off() -> Self {
        Self { store: None }
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

    /// As [`Cache::disk`], with a bound on the file's size in bytes.
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

    #[cfg_attr(not(feature = "disk-cache"), allow(unused_variables))]
    fn build(entries: usize, path: Option<PathBuf>, limit: u64) -> Self {
        let store = Store {
            memory: Memory::new(entries, MEMORY_BYTES),
            flights: Flights::default(),
            #[cfg(feature = "disk-cache")]
            disk: path.clone().map(|path| disk::Disk::new(path, limit)),
            path: path.filter(|_| cfg!(feature = "disk-cache")),
        };
        Self { store: Some(Arc::new(store)) }
    }

    /// Whether nothing is cached.
    pub fn is_off(&self) -> bool {
        self.store.is_none()
    }

    /// The directory of the answers on disk.
    pub fn path(&self) -> Option<&Path> {
        self.store.as_ref()?.path.as_deref()
    }

    /// Clears the memory; answers on disk are kept.
    pub fn clear_memory(&self) {
        if let Some(store) = &self.store {
            store.memory.clear();
        }
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
            Some(store) => f.debug_struct("Cache").field("path", &store.path).finish_non_exhaustive(),
        }
    }
}

impl Store {
    /// The answer of `key` that is in memory.
    pub(crate) fn in_memory(&self, key: &Key) -> Option<Arc<Response>> {
        self.memory.get(key)
    }

    /// The answer to the request of `key`, and whether `ask` was needed to get it.
    pub(crate) async fn answer(
        &self,
        key: Key,
        ask: impl Future<Output = Result<Response, LmError>>,
    ) -> Result<(Arc<Response>, bool), LmError> {
        let mut asked = false;
        let asked_here = &mut asked;
        let flight = self.flights.join(key);
        let response = flight
            .outcome(async move {
                if let Some(found) = self.find(&key).await {
                    return Ok(found);
                }
                let response = Arc::new(ask.await?);
                *asked_here = true;
                if response.withheld().is_none() {
                    self.keep(&key, &response).await;
                }
                Ok(response)
            })
            .await?;
        Ok((response, asked))
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

    /// Keeps an answer; on return it is in the file.
    pub(crate) async fn keep(&self, key: &Key, response: &Arc<Response>) {
        #[cfg(feature = "disk-cache")]
        if let Some(disk) = &self.disk {
            disk.put(key, response).await;
        }
        self.memory.put(key, response.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::LmErrorKind;

    #[tokio::test]
    async fn a_flight_is_closed_when_it_ends_fails_or_is_given_up() {
        let cache = Cache::memory(10);
        let store = cache.store().unwrap();
        let failed =
            store.answer(Key([1; 32]), async { Err(LmError::new(LmErrorKind::Server, "m", "")) }).await;
        assert!(failed.is_err());
        assert_eq!(store.flights.open(), 0);

        let slow = store.answer(Key([1; 32]), std::future::pending());
        assert!(tokio::time::timeout(Duration::from_millis(1), slow).await.is_err());
        assert_eq!(store.flights.open(), 0);

        let (_, asked) = store.answer(Key([1; 32]), async { Ok(Response::text("a")) }).await.unwrap();
        assert!(asked, "an error is not kept");
        let (_, asked) = store.answer(Key([1; 32]), async { Ok(Response::text("b")) }).await.unwrap();
        assert!(!asked);
        assert_eq!(store.flights.open(), 0);
    }
}
