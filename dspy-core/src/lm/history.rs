//! The last requests of the process.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::{Message, Prompt, Response, Usage, time::format_utc};
use crate::LmError;

/// How many entries are kept by default.
const CAPACITY: usize = 200;

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
}

struct Ring {
    entries: VecDeque<Arc<HistoryEntry>>,
    capacity: usize,
}

static RING: Mutex<Ring> = Mutex::new(Ring { entries: VecDeque::new(), capacity: CAPACITY });

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
    let surplus = ring.entries.len().saturating_sub(capacity);
    let dropped: Vec<_> = ring.entries.drain(..surplus).collect();
    std::mem::drop(ring);
    drop(dropped);
}

/// Clears the history.
pub fn clear() {
    let dropped = std::mem::take(&mut ring().entries);
    drop(dropped);
}

pub(super) fn push(entry: HistoryEntry) {
    let entry = Arc::new(entry);
    let mut ring = ring();
    if ring.capacity == 0 {
        return;
    }
    let oldest = if ring.entries.len() >= ring.capacity { ring.entries.pop_front() } else { None };
    ring.entries.push_back(entry);
    std::mem::drop(ring);
    // The oldest entry's prompt is freed outside the lock.
    drop(oldest);
}

/// The last `n` prompts and answers of this process, formatted for reading.
///
/// ```no_run
/// println!("{}", dspy_core::lm::inspect_history(1));
/// ```
pub fn inspect_history(n: usize) -> Inspection {
    Inspection(recent(n))
}

/// Prompts and answers to print; see [`inspect_history`].
#[derive(Debug, Clone)]
pub struct Inspection(pub(super) Vec<Arc<HistoryEntry>>);

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no request has been made\n");
        }
        self.0.iter().try_for_each(|entry| entry.fmt(f))
    }
}

impl fmt::Display for HistoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "──── {}  {}  {:.3} s", format_utc(self.time), self.model, self.duration.as_secs_f64())?;
        if self.cached {
            f.write_str("  cached")?;
        }
        if let Ok(response) = &self.outcome {
            let usage = &response.usage;
            if usage.total_tokens() > 0 {
                write!(f, "  {} + {} tokens", usage.prompt_tokens, usage.completion_tokens)?;
            }
        }
        f.write_str(" ────\n")?;
        self.prompt.messages().try_for_each(|message| message_to(f, message))?;
        match &self.outcome {
            Err(e) => writeln!(f, "\n[error]\n{e}")?,
            Ok(response) => {
                let several = response.choices.len() > 1;
                for (i, choice) in response.choices.iter().enumerate() {
                    let number = if several { format!(" {}", i + 1) } else { String::new() };
                    writeln!(f, "\n[answer{number}]")?;
                    if let Some(reasoning) = &choice.reasoning {
                        writeln!(f, "(reasoning) {reasoning}")?;
                    }
                    if !choice.text.is_empty() {
                        writeln!(f, "{}", choice.text)?;
                    }
                    calls_to(f, &choice.tool_calls)?;
                }
            }
        }
        f.write_str("\n")
    }
}

fn message_to(f: &mut fmt::Formatter<'_>, message: &Message) -> fmt::Result {
    match &message.tool_call_id {
        Some(id) => writeln!(f, "\n[{} {id}]", message.role)?,
        None => writeln!(f, "\n[{}]", message.role)?,
    }
    let text = message.content.text();
    let mut done = 0;
    for (at, part) in message.content.parts() {
        f.write_str(text.get(done..*at).unwrap_or_default())?;
        done = *at;
        write!(f, "<{}", part.kind)?;
        for name in ["url", "filename", "title", "format"] {
            if let Some(value) = part.data.get(name).and_then(|v| v.as_str()) {
                write!(f, " {}", crate::error::shorten(value, 60))?;
            }
        }
        f.write_str(">")?;
    }
    writeln!(f, "{}", text.get(done..).unwrap_or_default())?;
    calls_to(f, &message.tool_calls)
}

fn calls_to(f: &mut fmt::Formatter<'_>, calls: &[super::ToolCall]) -> fmt::Result {
    calls.iter().try_for_each(|call| {
        writeln!(f, "(calls) {}({})", call.name, serde_json::to_string(&call.args).unwrap_or_default())
    })
}
