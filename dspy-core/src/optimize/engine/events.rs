//! What happens in a compile, for whoever listens.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use serde_json::Value;

use super::{Candidate, CandidateId};
use crate::{Error, Result, evaluate::Progress, lm::Spent};

/// Something that happened in a compile. The progress bar, the log and the report are made of nothing else.
///
/// Events come in the same order on every run, but for those of rows, which come as the rows are finished.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The compile has begun.
    Started {
        /// The optimizer's name.
        optimizer: String,
        /// The seed.
        seed: u64,
        /// How many rows are learnt from.
        train: usize,
        /// How many rows candidates are judged by.
        val: usize,
        /// How many rows the result is confirmed on.
        test: usize,
    },
    /// A part of the work has begun.
    Stage {
        /// What it is.
        name: String,
        /// How many rollouts it takes at most, when that is known.
        rollouts: Option<usize>,
    },
    /// There is a new candidate.
    Proposed {
        /// The candidate.
        candidate: CandidateId,
        /// What it is called.
        name: String,
        /// Whom it was made from.
        parents: Vec<CandidateId>,
        /// Its parameters as JSON.
        parameters: Arc<Value>,
    },
    /// A run on a row has ended.
    Row {
        /// The candidate, when the run counts for its score.
        candidate: Option<CandidateId>,
        /// The row of the task.
        row: usize,
        /// What it counts; `None` when it failed through no fault of the program.
        score: Option<f64>,
        /// What the metric says in words; of a failed run, why it failed.
        feedback: Option<String>,
        /// The output as JSON text, shortened.
        output: Option<Arc<str>>,
        /// Whether the run failed.
        failed: bool,
    },
    /// A candidate was evaluated.
    Evaluated {
        /// The candidate.
        candidate: CandidateId,
        /// On how many rows.
        rows: usize,
        /// Whether these are all rows that candidates are judged by.
        full: bool,
        /// Its mean on them.
        score: Option<f64>,
        /// What was spent until then.
        spent: Spent,
    },
    /// A candidate was ruled out before it was evaluated on all rows.
    RuledOut {
        /// The candidate.
        candidate: CandidateId,
        /// By whom.
        by: CandidateId,
        /// After how many rows.
        rows: usize,
    },
    /// A candidate is the best so far of those that were evaluated on all rows.
    Best {
        /// The candidate.
        candidate: CandidateId,
        /// Its score.
        score: f64,
        /// What was spent until then.
        spent: Spent,
    },
    /// A proposal was made, or failed.
    Proposal {
        /// What was asked for.
        purpose: String,
        /// Why there is no proposal.
        error: Option<String>,
    },
    /// Something worth knowing.
    Note {
        /// One sentence.
        message: String,
    },
    /// The compile has ended.
    Finished {
        /// Why, when not by its own end.
        reason: Option<String>,
        /// What was spent.
        spent: Spent,
    },
}

impl Event {
    pub(super) fn proposed(candidate: &Candidate) -> Self {
        Self::Proposed {
            candidate: candidate.id,
            name: candidate.name.clone(),
            parents: candidate.parents.clone(),
            parameters: Arc::new(candidate.parameters.to_json()),
        }
    }
}

/// Writes events as lines of JSON.
pub(super) struct Log(Mutex<BufWriter<File>>);

impl Log {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let failed =
            |e: std::io::Error| Error::other(format!("the log {} cannot be written: {e}", path.display()));
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        Ok(Self(Mutex::new(BufWriter::new(File::create(path).map_err(failed)?))))
    }

    pub(super) fn write(&self, event: &Event) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = serde_json::to_writer(&mut *file, event).map_err(std::io::Error::from);
        let written = written.and_then(|()| file.write_all(b"\n")).and_then(|()| match event {
            Event::Row { .. } => Ok(()),
            _ => file.flush(),
        });
        if let Err(error) = written {
            tracing::warn!(%error, "an event could not be written to the log");
        }
    }
}

/// Shows events as a bar.
pub(super) struct Bar {
    wanted: bool,
    state: Mutex<(Option<Progress>, String)>,
}

impl Bar {
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, state: Mutex::default() }
    }

    pub(super) fn see(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (bar, best) = &mut *state;
        match event {
            Event::Stage { name, rollouts } => {
                *bar = rollouts.map(|n| Progress::new(name.clone(), n, self.wanted));
            }
            Event::Row { .. } => {
                if let Some(bar) = bar {
                    bar.tick(|| best.clone());
                }
            }
            Event::Best { score, .. } => *best = format!("best {score:.4}"),
            Event::Finished { .. } => *bar = None,
            _ => {}
        }
    }
}
