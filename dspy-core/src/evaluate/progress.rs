//! A bar for work that takes a while.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// Work that is shorter has no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar on the terminal's error stream, once the work has taken longer than a second. Nothing where there is no
/// terminal.
pub(crate) struct Progress {
    what: &'static str,
    total: u64,
    done: u64,
    started: Instant,
    wanted: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn new(what: &'static str, total: usize, wanted: bool) -> Self {
        let wanted = wanted && std::io::stderr().is_terminal();
        Self { what, total: total as u64, done: 0, started: Instant::now(), wanted, bar: None }
    }

    /// One unit more is done.
    pub(crate) fn tick(&mut self, message: impl FnOnce() -> String) {
        self.done += 1;
        self.show(message);
    }

    /// Tells what is being done.
    pub(crate) fn show(&mut self, message: impl FnOnce() -> String) {
        if !self.wanted || self.bar.is_none() && self.started.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(self.total).with_elapsed(self.started.elapsed());
            if let Ok(style) =
                ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {elapsed}, {eta} left  {msg}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(self.what);
            bar
        });
        bar.set_position(self.done);
        bar.set_message(message());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
