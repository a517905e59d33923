//! The last requests of the process.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::{Message, Prompt, Response, Usage, facts};
use crate::LmError;

/// How many entries are kept by default, and about how many bytes they may take.
const CAPACITY: usize = 200;
const BYTES: usize = 64 << 20;

/// One request and its result.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// When it was sent.
    pub time: SystemTime,
    /// The model, as `provider/name`.
    pub model: Arc<str>,
    /// The messages of the request.
    pub prompt: Prompt,
    /// The response or the error.
    pub outcome: Result<Arc<Response>, LmError>,
    /// Whether the answer came from a cache or was shared with an equal request in flight.
    pub cached: bool,
    /// How long it took, with the time in the queue and the retries.
    pub duration: Duration,
}

impl HistoryEntry {
    /// The usage.
    pub fn usage(&self) -> Usage {
        match &self.outcome {
            Ok(_) if self.cached => Usage { cached_calls: 1, ..Usage::default() },
            Ok(response) => response.usage,
            Err(_) => Usage::default(),
        }
    }

    /// The model that answered: of several, the one of them.
    fn answered_by(&self) -> &Arc<str> {
        self.outcome.as_ref().ok().and_then(|response| response.answered_by.as_ref()).unwrap_or(&self.model)
    }

    /// What it cost in US dollars, by the prices of [`facts`]; `None` when the model's price is not known. What a cache
    /// answered cost nothing.
    pub fn usd(&self) -> Option<f64> {
        let usage = self.usage();
        match usage.total_tokens() {
            0 => Some(0.0),
            _ => Some(facts::of(self.answered_by()).price?.of(&usage)),
        }
    }
}

impl HistoryEntry {
    /// About how many bytes it takes. What a prompt shares with others is not counted.
    fn bytes(&self) -> usize {
        let message = |message: &Message| {
            let media = message.content.parts().iter().filter_map(|(_, part)| part.data.as_object());
            let media = media.flat_map(|data| data.values()).filter_map(|value| value.as_str());
            128 + message.content.text().len() + media.map(str::len).sum::<usize>()
        };
        let choice =
            |choice: &super::Choice| choice.text.len() + choice.reasoning.as_ref().map_or(0, String::len);
        let answer = match &self.outcome {
            Ok(response) => response.choices.iter().map(choice).sum(),
            Err(error) => error.message.len(),
        };
        512 + self.prompt.tail.iter().map(message).sum::<usize>() + answer
    }
}

struct Ring {
    entries: VecDeque<Arc<HistoryEntry>>,
    capacity: usize,
    bytes: usize,
    byte_capacity: usize,
}

impl Ring {
    /// Takes the oldest entries out until there is room for so many more of so many bytes.
    fn make_room(&mut self, entries: usize, bytes: usize) -> Vec<Arc<HistoryEntry>> {
        let mut surplus = Vec::new();
        while self.entries.len() + entries > self.capacity || self.bytes + bytes > self.byte_capacity {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
            surplus.push(oldest);
        }
        surplus
    }
}

static RING: Mutex<Ring> =
    Mutex::new(Ring { entries: VecDeque::new(), capacity: CAPACITY, bytes: 0, byte_capacity: BYTES });

fn ring() -> MutexGuard<'static, Ring> {
    RING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last `n` requests of this process, the oldest first.
pub fn recent(n: usize) -> Vec<Arc<HistoryEntry>> {
    let ring = ring();
    ring.entries.iter().skip(ring.entries.len().saturating_sub(n)).cloned().collect()
}

/// Sets how many requests are kept (200 when never set); 0 keeps none.
pub fn set_capacity(capacity: usize) {
    let mut ring = ring();
    ring.capacity = capacity;
    let surplus = ring.make_room(0, 0);
    std::mem::drop(ring);
    drop(surplus);
}

/// Sets about how many bytes the prompts and answers may take that are kept (64 MiB when never set). The oldest go first;
/// one that is larger by itself is not kept.
pub fn set_byte_capacity(bytes: usize) {
    let mut ring = ring();
    ring.byte_capacity = bytes;
    let surplus = ring.make_room(0, 0);
    std::mem::drop(ring);
    drop(surplus);
}

/// Clears the history.
pub fn clear() {
    let mut ring = ring();
    ring.bytes = 0;
    let dropped = std::mem::take(&mut ring.entries);
    std::mem::drop(ring);
    drop(dropped);
}

pub(super) fn push(entry: HistoryEntry) {
    let bytes = entry.bytes();
    let entry = Arc::new(entry);
    let mut ring = ring();
    if ring.capacity == 0 || bytes > ring.byte_capacity {
        return;
    }
    let oldest = ring.make_room(1, bytes);
    ring.bytes += bytes;
    ring.entries.push_back(entry);
    std::mem::drop(ring);
    // The oldest entries' prompts are freed outside the lock.
    drop(oldest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: String) -> Arc<HistoryEntry> {
        Arc::new(HistoryEntry {
            time: SystemTime::UNIX_EPOCH,
            model: "m".into(),
            prompt: vec![Message::user(text)].into(),
            outcome: Ok(Arc::new(Response::text("x".repeat(1000)))),
            cached: false,
            duration: Duration::ZERO,
        })
    }

    #[test]
    fn it_is_bounded_by_number_and_by_bytes() {
        let mut ring = Ring { entries: VecDeque::new(), capacity: 100, bytes: 0, byte_capacity: 100_000 };
        for n in 0..1000 {
            let entry = entry("y".repeat(n % 7 * 1000));
            let bytes = entry.bytes();
            ring.make_room(1, bytes);
            ring.bytes += bytes;
            ring.entries.push_back(entry);
            assert!(ring.bytes <= 100_000 && ring.entries.len() <= 100);
            assert_eq!(ring.bytes, ring.entries.iter().map(|e| e.bytes()).sum::<usize>());
        }
        assert!(ring.entries.len() > 10);
        ring.byte_capacity = 0;
        ring.make_room(0, 0);
        assert_eq!((ring.entries.len(), ring.bytes), (0, 0));
    }
}
