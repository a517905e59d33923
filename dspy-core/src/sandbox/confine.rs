//! What a worker may take of the machine: memory that is looked at while code runs, and limits that the system keeps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use monty_types::{BASELINE_MEMORY, LIVE_MEMORY};

use super::Limits;

/// How often the memory of the process is looked at while code runs.
const PERIOD: Duration = Duration::from_millis(2);

/// Tells the interpreter how much memory the process has, which the interpreter compares with its limit. It would learn
/// that from an allocator of its own otherwise, which a library cannot demand of a program.
pub(super) struct Gauge {
    running: Arc<AtomicBool>,
    thread: Option<Thread>,
}

impl Gauge {
    pub(super) fn start() -> Self {
        let running = Arc::new(AtomicBool::new(false));
        let watched = running.clone();
        let watch = move || {
            let memory = Memory::new();
            loop {
                while watched.load(Ordering::Acquire) {
                    if let Some(bytes) = memory.resident() {
                        LIVE_MEMORY.store(bytes, Ordering::Relaxed);
                    }
                    thread::sleep(PERIOD);
                }
                thread::park();
            }
        };
        let watching = thread::Builder::new().name("sandbox memory".into()).spawn(watch);
        Self { running, thread: watching.ok().map(|watching| watching.thread().clone()) }
    }

    /// What is there now is not the code's.
    pub(super) fn begin(&self) {
        let bytes = Memory::new().resident().unwrap_or(0);
        LIVE_MEMORY.store(bytes, Ordering::Relaxed);
        BASELINE_MEMORY.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn running(&self, yes: bool) {
        self.running.store(yes, Ordering::Release);
        if let Some(thread) = self.thread.as_ref().filter(|_| yes) {
            thread.unpark();
        }
    }
}

#[cfg(target_os = "linux")]
use linux::{Memory, confine_memory};

/// The file stays open, because a worker opens none after it has begun.
#[cfg(target_os = "linux")]
mod linux {
    use std::{fs::File, os::unix::fs::FileExt as _};

    use rustix::process::{Resource, Rlimit, setrlimit};

    /// Memory between two looks at it, and what allocators set aside.
    const ROOM: u64 = 512 << 20;

    pub(super) struct Memory(Option<File>);

    impl Memory {
        pub(super) fn new() -> Self {
            Self(File::open("/proc/self/statm").ok())
        }

        /// The bytes of the process that are in memory.
        pub(super) fn resident(&self) -> Option<usize> {
            usize::try_from(self.pages(1)?).ok()
        }

        fn pages(&self, which: usize) -> Option<u64> {
            let mut text = [0; 128];
            let length = self.0.as_ref()?.read_at(&mut text, 0).ok()?;
            let pages: u64 = str::from_utf8(&text[..length]).ok()?.split(' ').nth(which)?.parse().ok()?;
            pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
        }
    }

    /// Bounds the addresses of the process, which is noticed at once and ends it.
    pub(super) fn confine_memory(bytes: u64) {
        if let Some(now) = Memory::new().pages(0) {
            let most = Some(now.saturating_add(bytes).saturating_add(ROOM));
            let _ = setrlimit(Resource::As, Rlimit { current: most, maximum: most });
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct Memory;

#[cfg(not(target_os = "linux"))]
impl Memory {
    fn new() -> Self {
        Self
    }

    fn resident(&self) -> Option<usize> {
        memory_stats::memory_stats().map(|now| now.physical_mem)
    }
}

/// Takes from the process what running code needs no more: to open files and sockets, to write files, to start processes.
/// The interpreter has no means to do any of this; were there an error in it, the system would still refuse.
#[cfg(unix)]
pub(super) fn confine(limits: &Limits) {
    use rustix::process::{Resource, Rlimit, setrlimit};

    #[cfg(target_os = "linux")]
    confine_memory(limits.memory);
    #[cfg(not(target_os = "linux"))]
    let _ = limits;
    let none = || Rlimit { current: Some(0), maximum: Some(0) };
    for resource in [Resource::Core, Resource::Fsize, Resource::Nproc, Resource::Nofile] {
        // A system that has no such limit keeps none.
        let _ = setrlimit(resource, none());
    }
}

#[cfg(not(unix))]
pub(super) fn confine(_: &Limits) {}
