//! How much a run may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much code may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Limits {
    /// How long one run may take, without the time in which it waits for host functions: 10 seconds.
    pub time: Duration,
    /// How many bytes the variables of a session may take beyond its inputs: 256 MiB.
    pub memory: u64,
    /// How deep functions may call each other: 1,000.
    pub recursion: u32,
    /// How many host functions one run may call: 1,000.
    pub calls: u32,
    /// How many bytes of what one run prints are kept: 1 MiB.
    pub printed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            memory: 256 << 20,
            recursion: 1_000,
            calls: 1_000,
            printed: 1 << 20,
        }
    }
}

impl Limits {
    /// Sets how long one run may take.
    #[must_use]
    pub fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Sets how many bytes the variables of a session may take.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Sets how deep functions may call each other.
    #[must_use]
    pub fn recursion(mut self, depth: u32) -> Self {
        self.recursion = depth;
        self
    }

    /// Sets how many host functions one run may call.
    #[must_use]
    pub fn calls(mut self, calls: u32) -> Self {
        self.calls = calls;
        self
    }

    /// Sets how many bytes of what one run prints are kept.
    #[must_use]
    pub fn printed(mut self, bytes: u64) -> Self {
        self.printed = bytes;
        self
    }
}
