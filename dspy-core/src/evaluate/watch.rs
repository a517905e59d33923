//! When an evaluation ends early.

use std::collections::BTreeMap;

use super::Failure;
use crate::{Error, module::Flow};

/// Looks for reasons to stop.
pub(super) struct Watch {
    max_errors: Option<usize>,
    patience: usize,
    pub(super) seen: usize,
    pub(super) failed: usize,
    /// How many rows were run, and not taken over from an earlier run.
    run: usize,
    hopeless: usize,
    /// How many rows in a row failed because the account has no access, or no credit any more, and the last of them.
    locked_out: usize,
    lock: Option<Failure>,
    /// The failure of the first row, by index, of those that have failed so far.
    first: Option<(usize, Failure)>,
    kinds: BTreeMap<&'static str, usize>,
}

impl Watch {
    /// After how many rows without hope an evaluation ends.
    const PATIENCE: usize = 10;

    pub(super) fn new(max_errors: Option<usize>, rows: usize) -> Self {
        Self {
            max_errors,
            patience: rows.min(Self::PATIENCE),
            seen: 0,
            failed: 0,
            run: 0,
            hopeless: 0,
            locked_out: 0,
            lock: None,
            first: None,
            kinds: BTreeMap::new(),
        }
    }

    pub(super) fn see(&mut self, index: usize, failure: Option<&Failure>) -> Flow {
        self.seen += 1;
        self.run += 1;
        let locked_out = failure.filter(|failure| failure.is_without_access());
        self.locked_out = if locked_out.is_some() { self.locked_out + 1 } else { 0 };
        self.lock = locked_out.cloned();
        if let Some(failure) = failure {
            self.failed += 1;
            self.hopeless += usize::from(failure.is_hopeless());
            *self.kinds.entry(failure.error().kind()).or_default() += 1;
            if self.first.as_ref().is_none_or(|(first, _)| index < *first) {
                self.first = Some((index, failure.clone()));
            }
        }
        let stop = self.without_hope() || self.without_access() || self.over_limit();
        if stop { Flow::Stop } else { Flow::Continue }
    }

    /// A row that an earlier run finished.
    pub(super) fn resumed(&mut self, failed: bool) {
        self.seen += 1;
        self.failed += usize::from(failed);
    }

    fn without_hope(&self) -> bool {
        self.hopeless == self.run && self.run >= self.patience
    }

    /// Whether the account's credit was used up on the way, or its key revoked.
    fn without_access(&self) -> bool {
        self.locked_out >= Self::PATIENCE
    }

    fn over_limit(&self) -> bool {
        self.max_errors.is_some_and(|max| self.failed > max)
    }

    /// The verdict when there are no more rows, which may be fewer than was known.
    pub(super) fn verdict_at_end(mut self) -> Option<Error> {
        self.patience = self.patience.min(self.run.max(1));
        self.verdict()
    }

    pub(super) fn verdict(self) -> Option<Error> {
        if self.without_access()
            && let Some(failure) = self.lock
        {
            return Some(failure.into_error());
        }
        let (without_hope, over_limit) = (self.without_hope(), self.over_limit());
        let (index, failure) = self.first?;
        if without_hope {
            return Some(failure.into_error());
        }
        over_limit.then(|| {
            let kinds: Vec<String> = self.kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
            Error::Limit(format!(
                "{} of {} rows failed ({}), which is more than `max_errors` allows; the first is row {index}: \
                 {failure}",
                self.failed,
                self.seen,
                kinds.join(", ")
            ))
        })
    }
}
