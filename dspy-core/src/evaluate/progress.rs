//! A bar for work that takes a while.

use std::{
    borrow::Cow,
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// Work that is shorter has no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar on the terminal's error stream, once the work has taken longer than a second. Nothing where there is no
/// terminal.
pub(crate) struct Progress {
    what: Cow<'static, str>,
    total: u64,
    done: u64,
    started: Instant,
    wanted: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A `total` of 0 says that it is not known.
    pub(crate) fn new(what: impl Into<Cow<'static, str>>, total: usize, wanted: bool) -> Self {
        let wanted = wanted && std::io::stderr().is_terminal();
        Self { what: what.into(), total: total as u64, done: 0, started: Instant::now(), wanted, bar: None }
    }

    /// One unit more is done.
    pub(crate) fn tick(&mut self, message: impl FnOnce() -> String) {
        self.done += 1;
        self.show(message);
    }

    /// So much is done of so much.
    pub(crate) fn at(&mut self, done: u64, total: u64, message: impl FnOnce() -> String) {
        if self.total != total
            && let Some(bar) = &self.bar
        {
            bar.set_length(total);
        }
        (self.done, self.total) = (done, total);
        self.show(message);
    }

    /// Tells what is being done.
    pub(crate) fn show(&mut self, message: impl FnOnce() -> String) {
        if !self.wanted || self.bar.is_none() && self.started.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(self.total).with_elapsed(self.started.elapsed());
            let template = match self.total {
                0 => "{prefix} {pos} {elapsed}{msg}",
                _ => "{prefix} {wide_bar} {pos}/{len} {elapsed}{msg}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_prefix(self.what.clone());
            bar
        });
        bar.set_position(self.done);
        let left = left(self.started.elapsed(), self.done, self.total)
            .map(|left| format!(", {:#} left", HumanDuration(left)))
            .unwrap_or_default();
        bar.set_message(format!("{left}  {}", message()));
    }
}

/// How long the rest takes if it goes on like this; `None` as long as too little is done to tell.
fn left(elapsed: Duration, done: u64, total: u64) -> Option<Duration> {
    /// What the first units take, when all start at once and some come from the cache, tells little.
    const TELLING: f64 = 0.05;
    // Of what nobody counted, nothing can be said.
    if total == 0 {
        return None;
    }
    let done = done as f64 / total as f64;
    (done >= TELLING).then(|| elapsed.mul_f64((1.0 / done - 1.0).max(0.0)))
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_estimated_from_the_first_units() {
        let left = |done, total| left(Duration::from_secs(10), done, total).map(|d| d.as_secs());
        assert_eq!((left(0, 0), left(0, 100), left(4, 100)), (None, None, None));
        assert_eq!((left(5, 100), left(50, 100), left(100, 100)), (Some(190), Some(10), Some(0)));
    }
}
