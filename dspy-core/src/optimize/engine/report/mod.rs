//! What a compile found and what it cost, made of its events.

mod page;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{CandidateId, Engine, Event, Rows, scores::mean};
use crate::{Error, Result, context::UsageReport, files, lm::Spent};

/// What a compile found, and what it cost. Displays as a table of the candidates.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The optimizer's name.
    pub optimizer: String,
    /// The seed.
    pub seed: u64,
    /// All programs that were tried, in the order in which they were proposed. The first is the student.
    pub candidates: Vec<CandidateReport>,
    /// Which of them the compiled program is.
    pub chosen: CandidateId,
    /// The student and the chosen candidate on the rows that candidates are judged by. A choice was made by them, so
    /// the score of the chosen one is too good by a little.
    pub val: Held,
    /// The same on the rows that no choice was made by, when the compile was given some.
    pub test: Option<Held>,
    /// The rows on which the student and the chosen candidate scored differently.
    pub changed_rows: Vec<RowChange>,
    /// Why the compile ended before its own end, if it did.
    pub ended_early: Option<String>,
    /// What is worth knowing of the way there, one sentence each.
    pub notes: Vec<String>,
    /// The best score so far after so much was spent.
    pub progress: Vec<ProgressPoint>,
    /// What was spent: each request once, also when a cache answered it.
    pub spent: Spent,
    /// What was asked of models, by model; answers of a cache are counted apart.
    pub usage: UsageReport,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// One candidate of a compile.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CandidateReport {
    /// Its place in the order of proposal.
    pub id: CandidateId,
    /// What it is called.
    pub name: String,
    /// Whom it was made from.
    pub parents: Vec<CandidateId>,
    /// Its parameters as JSON.
    pub parameters: Arc<Value>,
    /// The mean over the validation rows that it was run on, in the units of the metric. A row that fails through
    /// the program's own fault counts 0; rows for which the model could not be reached are left out. `None` when it
    /// was run on none.
    pub score: Option<f64>,
    /// The score on each validation row; `None` where it was not run, or the model could not be reached.
    pub scores: Vec<Option<f64>>,
    /// Whether it was run on all validation rows.
    pub complete: bool,
    /// On how many of them it failed.
    pub failures: usize,
    /// On how many of the validation rows it was run and has no score, because the model could not be reached or the
    /// metric could not judge: its mean is one over fewer rows.
    pub unanswered: usize,
    /// What had been spent when it was proposed.
    pub proposed_at: Spent,
}

/// Two programs on the same rows.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Held {
    /// How many rows there are.
    pub rows: usize,
    /// On how many of them both have a score: a search may have given one of them up before it was run on all.
    pub compared: usize,
    /// The student's mean on the rows that it was run on.
    pub before: Option<f64>,
    /// The mean of the compiled program on the rows that it was run on.
    pub after: Option<f64>,
    /// The mean difference on the rows that both have a score on, with the bounds of its 95 % confidence interval
    /// (normal approximation of the paired differences).
    pub gain: Option<[f64; 3]>,
}

impl Held {
    fn of(before: &[Option<f64>], after: &[Option<f64>]) -> Self {
        let differences: Vec<Option<f64>> =
            before.iter().zip(after).map(|(b, a)| Some((*a)? - (*b)?)).collect();
        let n = differences.iter().flatten().count() as f64;
        let gain = mean(differences.iter().copied()).map(|gain| {
            let variance =
                differences.iter().flatten().map(|d| (d - gain).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
            let margin = 1.96 * (variance / n).sqrt();
            [gain, gain - margin, gain + margin]
        });
        Self {
            rows: before.len(),
            compared: differences.iter().flatten().count(),
            before: mean(before.iter().copied()),
            after: mean(after.iter().copied()),
            gain,
        }
    }

    /// Whether the gain may be chance: its 95 % confidence interval holds 0.
    pub fn is_within_noise(&self) -> bool {
        self.gain.is_none_or(|[_, low, high]| low <= 0.0 && high >= 0.0)
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.before, self.after) {
            (Some(before), Some(after)) => write!(f, "{before:.4} -> {after:.4}")?,
            (_, Some(after)) => write!(f, "{after:.4}")?,
            (Some(before), None) => write!(f, "{before:.4} before")?,
            (None, None) => return f.write_str("not scored"),
        }
        write!(f, " ({} rows", self.rows)?;
        if self.compared > 0 && self.compared < self.rows {
            write!(f, ", {} of them compared", self.compared)?;
        }
        if let (Some([gain, low, high]), Some(_), Some(_)) = (self.gain, self.before, self.after) {
            write!(f, ", gain {gain:+.4} [{low:+.4}, {high:+.4}]")?;
            if self.is_within_noise() {
                f.write_str(", within noise")?;
            }
        }
        f.write_str(")")
    }
}

/// A row on which the student and the chosen candidate scored differently.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct RowChange {
    /// The row of the task.
    pub row: usize,
    /// Its fields.
    pub record: Map<String, Value>,
    /// The student's score.
    pub before: f64,
    /// The score of the compiled program.
    pub after: f64,
    /// The student's output as JSON text, shortened.
    pub before_output: Option<Arc<str>>,
    /// The output of the compiled program, as JSON text, shortened.
    pub after_output: Option<Arc<str>>,
}

/// The best score after so much was spent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ProgressPoint {
    /// Different requests so far.
    pub calls: u64,
    /// The candidate that was evaluated.
    pub candidate: CandidateId,
    /// Its score.
    pub score: f64,
    /// The best score on all validation rows so far.
    pub best: f64,
}

/// Collects what the report is made of.
pub(super) struct ReportBuilder {
    started: Instant,
    state: Mutex<Collected>,
}

/// Outputs, shortened, by candidate and row.
type Outputs = BTreeMap<CandidateId, HashMap<usize, Arc<str>>>;

#[derive(Default)]
struct Collected {
    notes: Vec<String>,
    progress: Vec<ProgressPoint>,
    best: Option<f64>,
    proposed_at: BTreeMap<usize, Spent>,
    /// Outputs of the student, and of candidates that others have not outdone.
    outputs: Outputs,
    lost_proposals: usize,
    spent: Spent,
    judged: std::collections::HashSet<usize>,
}

impl Collected {
    fn forget_outputs(&mut self, candidate: CandidateId) {
        if candidate != CandidateId::STUDENT {
            self.outputs.remove(&candidate);
        }
    }
}

impl ReportBuilder {
    pub(super) fn new(rows: &Rows) -> Self {
        let judged = rows.val.iter().chain(&rows.test).copied().collect();
        Self { started: Instant::now(), state: Mutex::new(Collected { judged, ..Collected::default() }) }
    }

    pub(super) fn see(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        match event {
            Event::Note { message } => state.notes.push(message.clone()),
            Event::Proposed { candidate, .. } => {
                state.proposed_at.insert(candidate.index(), state.spent);
            }
            Event::Proposal { error: Some(_), .. } => state.lost_proposals += 1,
            Event::Row { candidate: Some(candidate), row, output: Some(output), .. }
                if state.judged.contains(row) =>
            {
                state.outputs.entry(*candidate).or_default().insert(*row, output.clone());
            }
            Event::RuledOut { candidate, .. } => state.forget_outputs(*candidate),
            Event::Evaluated { candidate, full, score, spent, .. } => {
                state.spent = *spent;
                if *full && state.best > *score {
                    state.forget_outputs(*candidate);
                }
                if let (true, Some(score)) = (*full, *score) {
                    let best = state.best.map_or(score, |best| best.max(score));
                    state.best = Some(best);
                    state.progress.push(ProgressPoint {
                        calls: spent.calls,
                        candidate: *candidate,
                        score,
                        best,
                    });
                }
            }
            _ => {}
        }
    }
}

impl Engine {
    /// The report of a compile that chose a candidate.
    pub(in crate::optimize) fn report(
        &self,
        optimizer: &str,
        chosen: CandidateId,
        ended_early: Option<String>,
        usage: UsageReport,
    ) -> Report {
        let collected =
            std::mem::take(&mut *self.listeners.report.state.lock().unwrap_or_else(PoisonError::into_inner));
        let mut notes = collected.notes;
        if collected.lost_proposals > 0 {
            notes.push(format!("{} proposals failed and were left out", collected.lost_proposals));
        }
        match self.errors.count() {
            0 => {}
            1 => notes.push("1 run failed through no fault of the program; it has no score".into()),
            n => notes.push(format!("{n} runs failed through no fault of the program; they have no score")),
        }
        if usage.total().unsaved_calls > 0 {
            let n = usage.total().unsaved_calls;
            let message = "answers could not be kept on disk, and would be paid again; see `Cache::stats`";
            notes.push(format!("{n} {message}"));
        }
        let val = &self.rows.val;
        let candidates = self.candidates().into_iter().map(|candidate| CandidateReport {
            score: self.mean(candidate.id, val),
            scores: self.scores(candidate.id, val),
            complete: self.covers(candidate.id, val),
            failures: self.failures(candidate.id),
            unanswered: self.unanswered(candidate.id),
            proposed_at: collected.proposed_at.get(&candidate.id.index()).copied().unwrap_or_default(),
            parameters: Arc::new(candidate.parameters.to_json()),
            id: candidate.id,
            name: candidate.name,
            parents: candidate.parents,
        });
        let held =
            |rows: &[usize]| Held::of(&self.scores(CandidateId::STUDENT, rows), &self.scores(chosen, rows));
        let test = Some(&self.rows.test).filter(|rows| !rows.is_empty());
        let changed_rows = self.changed_rows(test.unwrap_or(val), chosen, &collected.outputs);
        Report {
            optimizer: optimizer.to_owned(),
            seed: self.options.seed,
            candidates: candidates.collect(),
            chosen,
            val: held(val),
            test: test.map(|rows| held(rows)),
            changed_rows,
            ended_early,
            notes,
            progress: collected.progress,
            spent: self.spent(),
            usage,
            seconds: self.listeners.report.started.elapsed().as_secs_f64(),
        }
    }

    /// On how many validation rows a candidate failed.
    fn failures(&self, candidate: CandidateId) -> usize {
        self.state().scores.failures(candidate, &self.rows.val)
    }

    /// On how many of them it has no score, through no fault of its own.
    fn unanswered(&self, candidate: CandidateId) -> usize {
        self.state().scores.unanswered(candidate, &self.rows.val)
    }

    fn changed_rows(&self, rows: &[usize], chosen: CandidateId, outputs: &Outputs) -> Vec<RowChange> {
        let scores = self.scores(CandidateId::STUDENT, rows).into_iter().zip(self.scores(chosen, rows));
        let change = |(row, (before, after)): (&usize, (Option<f64>, Option<f64>))| {
            let (before, after) = (before?, after?);
            if before == after {
                return None;
            }
            let output = |candidate: CandidateId| outputs.get(&candidate)?.get(row).cloned();
            Some(RowChange {
                row: *row,
                record: self.task.record(*row).unwrap_or_default(),
                before,
                after,
                before_output: output(CandidateId::STUDENT),
                after_output: output(chosen),
            })
        };
        rows.iter().zip(scores).filter_map(change).collect()
    }
}

impl Report {
    /// The score of the compiled program on the validation rows, when the optimizer judges candidates.
    pub fn score(&self) -> Option<f64> {
        self.val.after
    }

    /// How long it took.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// The candidates, best first: those that were run on all validation rows, then the others; of equals, the
    /// earlier first.
    pub fn ranking(&self) -> Vec<&CandidateReport> {
        let mut ranking: Vec<_> = self.candidates.iter().collect();
        let key = |c: &CandidateReport| (c.complete, c.score.unwrap_or(f64::NEG_INFINITY));
        ranking.sort_by(|a, b| {
            let ((a_complete, a), (b_complete, b)) = (key(a), key(b));
            b_complete.cmp(&a_complete).then(b.total_cmp(&a))
        });
        ranking
    }

    /// Saves the report as JSON.
    ///
    /// # Errors
    /// [`Error::Other`] when the file cannot be written.
    pub fn save_json(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let written = files::write_all_atomically(path, &text);
        written.map_err(|e| Error::other(format!("{}: {}", path.display(), files::not_written(path, &e))))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.optimizer, self.val)?;
        if let Some(test) = &self.test {
            writeln!(f, "held-out rows: {test}")?;
        }
        let width = self.candidates.iter().map(|c| c.name.chars().count()).max().unwrap_or(0);
        for candidate in self.ranking() {
            let score = candidate.score.map_or("-".into(), |s| format!("{s:.4}"));
            let mark = if candidate.id == self.chosen { '*' } else { ' ' };
            write!(f, "{mark} {:<width$}  {score:>7}", candidate.name)?;
            if candidate.score.is_some() && !candidate.complete {
                let rows = candidate.scores.iter().flatten().count();
                write!(f, "  on {rows} rows")?;
            }
            if candidate.failures > 0 {
                write!(f, "  {} failed", candidate.failures)?;
            }
            if candidate.unanswered > 0 {
                write!(f, "  {} without a score", candidate.unanswered)?;
            }
            writeln!(f)?;
        }
        if let Some(reason) = &self.ended_early {
            writeln!(f, "ended early: {reason}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        write!(f, "{}, {:.1} s", self.usage.total(), self.seconds)
    }
}
