//! Answers on disk: two threads of its own, so that no task of the program ever waits inside SQLite.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    digest::Key,
    file::{BUSY, Claimed, Fault, File, LEASE},
    trouble::Trouble,
};
use crate::lm::Response;

/// How many jobs go into one transaction at most.
const GROUP: usize = 1024;
/// How many bytes of answers that could not be written wait for another try.
const BACKLOG: usize = 32 << 20;

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// For another process, at first.
    first: Duration,
    /// For another process, when the file is tried again.
    again: Duration,
    /// Until a file that cannot be used is tried again; the time doubles up to the second one.
    retry: (Duration, Duration),
}

impl Times {
    const USUAL: Self = Self {
        first: BUSY,
        again: Duration::from_millis(200),
        retry: (Duration::from_millis(500), Duration::from_secs(30)),
    };
}

/// The cache on disk: opened on first use, by a thread that writes, with a second one that reads.
pub(crate) struct Disk {
    folder: PathBuf,
    limit: Arc<AtomicU64>,
    trouble: Arc<Trouble>,
    times: Times,
    threads: OnceLock<Option<Threads>>,
}

/// The ways to the threads, which end when this is dropped.
struct Threads {
    reads: Sender<Read>,
    jobs: Sender<Job>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        let _ = self.jobs.send(Job::Close);
    }
}

enum Read {
    Get {
        key: Key,
        reply: oneshot::Sender<Response>,
    },
    /// Read from this file from now on, if there is one.
    Use(Option<File>),
}

enum Job {
    Put {
        key: Key,
        body: Vec<u8>,
        kept: oneshot::Sender<bool>,
    },
    Claim {
        key: Key,
        reply: oneshot::Sender<Claimed>,
    },
    Release(Key),
    /// The reader has found the file damaged.
    Repair,
    Close,
}

/// The right to send a request, which no other process has until this is dropped.
pub(super) struct Claim<'a> {
    disk: &'a Disk,
    key: Key,
    settled: bool,
}

impl Claim<'_> {
    /// The answer is in the file, and with it the claim is gone.
    pub(super) fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.settled
            && let Some(threads) = self.disk.threads()
        {
            let _ = threads.jobs.send(Job::Release(self.key));
        }
    }
}

impl Disk {
    pub(crate) fn new(folder: PathBuf, limit: u64, trouble: Arc<Trouble>) -> Self {
        let limit = Arc::new(AtomicU64::new(limit));
        Self { folder, limit, trouble, times: Times::USUAL, threads: OnceLock::new() }
    }

    /// The file, for work that takes long and that no task waits for.
    pub(super) fn file(&self) -> Result<File, Fault> {
        File::open(&self.folder, self.limit(), self.times.first).or_else(|e| to_read(&self.folder, e))
    }

    fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    fn threads(&self) -> Option<&Threads> {
        let start = || match self.start() {
            Ok(threads) => Some(threads),
            Err(e) => {
                self.trouble.says(&format!("no thread for the cache on disk ({e})"));
                None
            }
        };
        self.threads.get_or_init(start).as_ref()
    }

    fn start(&self) -> std::io::Result<Threads> {
        let (reads, to_read) = channel();
        let (jobs, to_do) = channel();
        let damaged = jobs.clone();
        thread::Builder::new().name("dspy-cache-read".into()).spawn(move || read_loop(&to_read, &damaged))?;
        let writer = Writer {
            folder: self.folder.clone(),
            limit: self.limit.clone(),
            trouble: self.trouble.clone(),
            reads: reads.clone(),
            file: None,
            only_read: None,
            next_try: Instant::now(),
            wait: self.times.retry.0,
            times: self.times,
            backlog: HashMap::new(),
            backlog_bytes: 0,
            claims: 0,
        };
        thread::Builder::new().name("dspy-cache-write".into()).spawn(move || writer.run(&to_do))?;
        Ok(Threads { reads, jobs })
    }

    /// The answer of `key`, unless it is not there or cannot be read.
    pub(crate) async fn get(&self, key: &Key) -> Option<Response> {
        let (reply, answer) = oneshot::channel();
        self.threads()?.reads.send(Read::Get { key: *key, reply }).ok()?;
        answer.await.ok()
    }

    /// Asks whether a request may be sent; `None` when the file cannot tell.
    pub(super) async fn claim(&self, key: &Key) -> Option<(Claimed, Option<Claim<'_>>)> {
        let (reply, claimed) = oneshot::channel();
        self.threads()?.jobs.send(Job::Claim { key: *key, reply }).ok()?;
        // Made before the answer is known, so that a claim is given back if nobody waits for it any more.
        let claim = Claim { disk: self, key: *key, settled: false };
        match claimed.await.ok()? {
            Claimed::Ours => Some((Claimed::Ours, Some(claim))),
            other => {
                claim.settle();
                Some((other, None))
            }
        }
    }

    /// Writes an answer. `true` when it is in the file; otherwise it was said why not.
    pub(crate) async fn put(&self, key: &Key, response: &Response) -> bool {
        let Some(threads) = self.threads() else { return false };
        let Ok(body) = serde_json::to_vec(response) else { return false };
        let (kept, written) = oneshot::channel();
        threads.jobs.send(Job::Put { key: *key, body, kept }).is_ok() && written.await.unwrap_or(false)
    }
}

/// The thread that writes.
struct Writer {
    folder: PathBuf,
    limit: Arc<AtomicU64>,
    trouble: Arc<Trouble>,
    reads: Sender<Read>,
    file: Option<File>,
    /// What has to be said when something is to be written: that the file can only be read.
    only_read: Option<String>,
    /// When a file that cannot be used is tried again.
    next_try: Instant,
    wait: Duration,
    times: Times,
    /// Answers that could not be written yet.
    backlog: HashMap<Key, Vec<u8>>,
    backlog_bytes: usize,
    /// About how many requests of this process are on their way.
    claims: usize,
}

impl Writer {
    /// Returning drops the receiving end, which tells all that wait that there is no file.
    fn run(mut self, to_do: &Receiver<Job>) {
        self.open(self.times.first, false);
        let mut renewed = Instant::now();
        loop {
            let first = match to_do.recv_timeout(LEASE / 3) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if self.claims > 0 && renewed.elapsed() >= LEASE / 3 {
                renewed = Instant::now();
                if let Some(file) = &self.file {
                    let _ = file.renew_claims();
                }
            }
            let Some(first) = first else { continue };
            let mut group = vec![first];
            group.extend(to_do.try_iter().take(GROUP - 1));
            let closing = group.iter().any(|job| matches!(job, Job::Close));
            let damaged = group.iter().any(|job| matches!(job, Job::Repair));
            self.make_ready(damaged);
            self.work(group);
            if closing {
                break;
            }
        }
        if let Some(file) = &self.file {
            let _ = file.end_claims();
        }
    }

    /// Opens the file if there is none at present, or no longer, or a damaged one.
    fn make_ready(&mut self, damaged: bool) {
        if damaged {
            self.file = None;
            self.open(self.times.first, true);
        }
        // Else answers would go into a file that has no name any more.
        if self.file.as_ref().is_some_and(|file| !file.is_in_place()) {
            tracing::warn!(folder = %self.folder.display(), "the file of the cache was removed or replaced");
            self.file = None;
            self.open(self.times.again, false);
        }
        if self.file.is_none() && Instant::now() >= self.next_try {
            self.open(self.times.again, false);
        }
    }

    fn open(&mut self, patience: Duration, suspect: bool) {
        let limit = self.limit.load(Ordering::Relaxed);
        let opened = File::open_or_replace(&self.folder, limit, patience, suspect)
            .and_then(|file| Ok((file, File::open(&self.folder, limit, patience)?)));
        let read_from = match opened {
            Ok((file, read_from)) => {
                self.file = Some(file);
                self.wait = self.times.retry.0;
                self.trouble.is_over();
                Some(read_from)
            }
            Err(e) => {
                let (folder, why) = (self.folder.display().to_string(), e.to_string());
                let read_from = to_read(&self.folder, e).ok();
                match &read_from {
                    None => self.fails(&format!("the cache in {folder} cannot be used: {why}")),
                    // Whoever writes nothing need not know.
                    Some(_) => {
                        self.only_read = Some(format!("the cache in {folder} can only be read: {why}"));
                        self.try_later();
                    }
                }
                read_from
            }
        };
        let _ = self.reads.send(Read::Use(read_from));
    }

    fn fails(&mut self, what: &str) {
        self.trouble.says(what);
        self.try_later();
    }

    fn try_later(&mut self) {
        self.next_try = Instant::now() + self.wait;
        self.wait = (self.wait * 2).min(self.times.retry.1);
    }

    fn work(&mut self, group: Vec<Job>) {
        let writes = |job: &Job| matches!(job, Job::Put { .. } | Job::Claim { .. });
        if self.file.is_none()
            && group.iter().any(writes)
            && let Some(what) = self.only_read.take()
        {
            self.trouble.says(&what);
        }
        let mut claimed: Vec<Claimed> = Vec::new();
        let mut outcome = self.attempt(&group, &mut claimed);
        if matches!(outcome, Err(Some(Fault::Damaged(_)))) {
            self.file = None;
            self.open(self.times.first, true);
            claimed.clear();
            outcome = self.attempt(&group, &mut claimed);
        }
        let kept = outcome.is_ok();
        match outcome {
            Ok(()) => {
                self.backlog.clear();
                self.backlog_bytes = 0;
                self.trouble.is_over();
            }
            // Without a file, which was said.
            Err(None) => {}
            Err(Some(e)) => {
                let path = self.folder.display().to_string();
                self.fails(&format!("answers cannot be written to the cache in {path}: {e}"));
            }
        }
        let mut claimed = claimed.into_iter();
        for job in group {
            // Who asked may be gone.
            match job {
                Job::Put { key, body, kept: reply } => {
                    self.claims = self.claims.saturating_sub(1);
                    let _ = reply.send(kept);
                    if !kept && self.backlog_bytes + body.len() <= BACKLOG {
                        self.backlog_bytes += body.len();
                        self.backlog.insert(key, body);
                    }
                }
                Job::Claim { reply, .. } => {
                    // Without a reply nobody knows, and the request is sent.
                    if let Some(claimed) = claimed.next().filter(|_| kept) {
                        self.claims += usize::from(matches!(claimed, Claimed::Ours));
                        let _ = reply.send(claimed);
                    }
                }
                Job::Release(_) => self.claims = self.claims.saturating_sub(1),
                Job::Repair | Job::Close => {}
            }
        }
    }

    /// Does a group of jobs in one transaction.
    fn attempt(&mut self, group: &[Job], claimed: &mut Vec<Claimed>) -> Result<(), Option<Fault>> {
        let limit = self.limit.load(Ordering::Relaxed);
        let file = self.file.as_mut().ok_or(None)?;
        file.set_limit(limit);
        let backlog = &self.backlog;
        file.change(|tx| {
            for (key, body) in backlog {
                tx.put(key, body)?;
            }
            for job in group {
                match job {
                    Job::Put { key, body, .. } => tx.put(key, body)?,
                    Job::Release(key) => tx.release(key)?,
                    Job::Claim { key, .. } => claimed.push(tx.claim(key)?),
                    Job::Repair | Job::Close => {}
                }
            }
            Ok(())
        })
        .map_err(Some)
    }
}

/// The file, to read only, where it is for want of a permission that it could not be opened.
fn to_read(folder: &Path, fault: Fault) -> Result<File, Fault> {
    if fault.is_of_writing() { File::open_to_read(folder).map_err(|_| fault) } else { Err(fault) }
}

fn read_loop(to_read: &Receiver<Read>, damaged: &Sender<Job>) {
    let mut file = None;
    // Those who ask while a file is opened, or repaired.
    let mut opening = true;
    let mut waiting: Vec<(Key, oneshot::Sender<Response>)> = Vec::new();
    while let Ok(read) = to_read.recv() {
        match read {
            Read::Use(new) => {
                (file, opening) = (new, false);
            }
            Read::Get { key, reply } => waiting.push((key, reply)),
        }
        if opening {
            continue;
        }
        for (key, reply) in std::mem::take(&mut waiting) {
            match file.as_ref().map(|file: &File| file.get(&key)) {
                Some(Ok(Some(response))) => {
                    let _ = reply.send(response);
                }
                Some(Err(Fault::Damaged(what))) => {
                    tracing::debug!(what, "the cache is damaged");
                    (file, opening) = (None, true);
                    waiting.push((key, reply));
                    if damaged.send(Job::Repair).is_err() {
                        return;
                    }
                }
                Some(Err(e)) => tracing::debug!(error = %e, "an answer could not be read from the cache"),
                None if opening => waiting.push((key, reply)),
                Some(Ok(None)) | None => {}
            }
        }
    }
}

#[cfg(test)]
impl Times {
    /// Times for tests, which need not wait.
    pub(super) const SHORT: Self = Self {
        first: Duration::from_millis(30),
        again: Duration::from_millis(2),
        retry: (Duration::from_millis(20), Duration::from_millis(40)),
    };
}

#[cfg(test)]
impl Disk {
    pub(super) fn with_times(mut self, times: Times) -> Self {
        self.times = times;
        self
    }
}
