//! What was done in steps, for one call.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// The steps of an agent, or of another module that works in steps, oldest first.
///
/// It is plain data: it can be kept as JSON and continued later. Cheap to clone. `Display` gives the text that a model is
/// shown.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Steps<S> {
    steps: Vec<Arc<S>>,
    /// How many of the oldest steps the model is not shown any more.
    #[serde(default, skip_serializing_if = "is_zero")]
    hidden: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop: Option<Stop>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde wants it
fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// Why an agent made no further step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stop {
    /// The model called the finish tool.
    Finished,
    /// As many steps were made as are allowed.
    MaxIters,
    /// What the model wrote could not be read as a step; the reason.
    Unreadable(String),
    /// Not even the last step fits into the context window of the model.
    ContextWindow,
}

impl<S> Clone for Steps<S> {
    fn clone(&self) -> Self {
        Self { steps: self.steps.clone(), hidden: self.hidden, stop: self.stop.clone() }
    }
}

impl<S> Default for Steps<S> {
    fn default() -> Self {
        Self { steps: Vec::new(), hidden: 0, stop: None }
    }
}

impl<S> Steps<S> {
    /// No steps.
    pub fn new() -> Self {
        Self::default()
    }

    /// The steps, oldest first.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = &S> + ExactSizeIterator {
        self.steps.iter().map(|step| &**step)
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Why there is no further step; `None` while there may be one.
    pub fn stop(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    /// How many of the oldest steps the model is not shown any more, because they did not fit.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// Adds a step.
    pub fn push(&mut self, step: impl Into<Arc<S>>) {
        self.stop = None;
        self.steps.push(step.into());
    }

    pub(crate) fn end(&mut self, stop: Stop) {
        self.stop = Some(stop);
    }

    /// As it was before it ended, so that further steps can follow; without its last step if that is `done`.
    pub(super) fn without_end(mut self, done: impl FnOnce(&S) -> bool) -> Self {
        self.stop = None;
        if self.steps.last().is_some_and(|step| done(step)) {
            self.steps.pop();
            self.hidden = self.hidden.min(self.steps.len());
        }
        self
    }

    /// Shows fewer steps to the model; whether there were any to spare.
    pub(crate) fn hide(&mut self, steps: usize) -> bool {
        let most = self.steps.len().saturating_sub(1);
        let more = self.hidden < most;
        self.hidden = (self.hidden + steps).min(most);
        more
    }

    /// The steps that the model is shown, each with its place among all.
    pub(super) fn shown(&self) -> impl Iterator<Item = (usize, &S)> {
        self.steps().enumerate().skip(self.hidden)
    }
}

impl<S: fmt::Display> fmt::Display for Steps<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hidden {
            0 if self.is_empty() => return f.write_str("(no steps yet)"),
            0 => {}
            n => writeln!(f, "(the first {n} steps are left out)\n")?,
        }
        for (i, (number, step)) in self.shown().enumerate() {
            let gap = if i > 0 { "\n\n" } else { "" };
            write!(f, "{gap}Step {}{step}", number + 1)?;
        }
        Ok(())
    }
}
