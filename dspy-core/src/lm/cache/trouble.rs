//! What is wrong with a cache on disk.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is wrong with a cache on disk at present, and whether a person was told.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    now: Option<String>,
    told: bool,
}

impl Trouble {
    /// Says what is wrong: to the log always, and to standard error once.
    #[allow(
        clippy::print_stderr,
        reason = "whoever has no subscriber for the log must learn that answers are lost"
    )]
    pub(crate) fn says(&self, what: &str) {
        let mut state = self.lock();
        let news = state.now.as_deref() != Some(what);
        state.now = Some(what.to_owned());
        let tell = !std::mem::replace(&mut state.told, true);
        drop(state);
        if news {
            tracing::warn!("{what}");
        }
        if tell {
            eprintln!("dspy: {what}; requests are sent, and paid, again until it works");
        }
    }

    pub(crate) fn is_over(&self) {
        self.lock().now = None;
    }

    /// What is wrong at present.
    pub(crate) fn now(&self) -> Option<String> {
        self.lock().now.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
