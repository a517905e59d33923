//! Answers on disk: two threads of its own, so that no task of the program ever waits inside SQLite.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use tokio::sync::oneshot;

use super::{
    digest::Key,
    file::{Fault, File},
};
use crate::lm::Response;

/// How many answers go into one transaction at most.
const GROUP: usize = 1024;

/// The cache on disk: opened on first use, by a thread that writes, with a second one that reads.
pub(crate) struct Disk {
    folder: PathBuf,
    limit: u64,
    threads: OnceLock<Option<Threads>>,
}

/// The ways to the threads, which end when these are dropped.
struct Threads {
    reads: Sender<Read>,
    writes: Sender<Write>,
}

enum Read {
    Get {
        key: Key,
        reply: oneshot::Sender<Response>,
    },
    /// The file was replaced; read from this one from now on.
    Use(File),
}

struct Write {
    key: Key,
    body: Vec<u8>,
    done: oneshot::Sender<()>,
}

impl Disk {
    pub(crate) fn new(folder: PathBuf, limit: u64) -> Self {
        Self { folder, limit, threads: OnceLock::new() }
    }

    fn threads(&self) -> Option<&Threads> {
        let start = || match start(&self.folder, self.limit) {
            Ok(threads) => Some(threads),
            Err(e) => {
                tracing::warn!(error = %e, "no thread for the cache on disk; going on without it");
                None
            }
        };
        self.threads.get_or_init(start).as_ref()
    }

    /// The answer of `key`, unless it is not there or cannot be read.
    pub(crate) async fn get(&self, key: &Key) -> Option<Response> {
        let (reply, answer) = oneshot::channel();
        self.threads()?.reads.send(Read::Get { key: *key, reply }).ok()?;
        answer.await.ok()
    }

    /// Writes an answer; it is in the file on return, or a warning was given.
    pub(crate) async fn put(&self, key: &Key, response: &Response) {
        let Some(threads) = self.threads() else { return };
        let Ok(body) = serde_json::to_vec(response) else { return };
        let (done, written) = oneshot::channel();
        if threads.writes.send(Write { key: *key, body, done }).is_ok() {
            // An error here means that the file is given up, which has been said.
            let _ = written.await;
        }
    }
}

fn start(folder: &Path, limit: u64) -> std::io::Result<Threads> {
    let (reads, to_read) = channel();
    let (writes, to_write) = channel();
    let writer = Writer { folder: folder.to_owned(), limit, reads: reads.clone(), damaged: Arc::default() };
    thread::Builder::new().name("dspy-cache-write".into()).spawn(move || writer.run(&to_write, to_read))?;
    Ok(Threads { reads, writes })
}

struct Writer {
    folder: PathBuf,
    limit: u64,
    reads: Sender<Read>,
    /// Set by the reader when it finds the file damaged.
    damaged: Arc<AtomicBool>,
}

impl Writer {
    /// Returning drops the receiving ends, which tells all that wait that there is no file.
    fn run(self, to_write: &Receiver<Write>, to_read: Receiver<Read>) {
        let Some((mut file, read_from)) = self.open(false) else { return };
        let damaged = self.damaged.clone();
        let reader = thread::Builder::new().name("dspy-cache-read".into());
        if let Err(e) = reader.spawn(move || read_loop(read_from, &to_read, &damaged)) {
            tracing::warn!(error = %e, "no thread for the cache on disk; going on without it");
            return;
        }
        let mut warned = false;
        while let Ok(first) = to_write.recv() {
            let mut group = vec![first];
            group.extend(to_write.try_iter().take(GROUP - 1));
            for repaired in [false, true] {
                let outcome = if self.damaged.swap(false, Ordering::AcqRel) {
                    Err(Fault::Damaged("found while reading".into()))
                } else {
                    file.put(group.iter().map(|w| (&w.key, &*w.body)))
                };
                match outcome {
                    Err(Fault::Damaged(_)) if !repaired => {
                        drop(file);
                        let Some((replaced, read_from)) = self.open(true) else { return };
                        file = replaced;
                        let _ = self.reads.send(Read::Use(read_from));
                    }
                    Err(e) => {
                        if !std::mem::replace(&mut warned, true) {
                            tracing::warn!(file = %file.path().display(), error = %e,
                                "answers cannot be written to the cache on disk");
                        }
                        break;
                    }
                    Ok(()) => break,
                }
            }
            for write in group {
                // The one who asked may be gone.
                let _ = write.done.send(());
            }
        }
    }

    /// Opens the file for the writer and for the reader.
    fn open(&self, suspect: bool) -> Option<(File, File)> {
        let opened = File::open_or_replace(&self.folder, self.limit, suspect)
            .and_then(|file| Ok((file, File::open(&self.folder, self.limit)?)));
        opened
            .inspect_err(|e| {
                tracing::warn!(folder = %self.folder.display(), error = %e,
                    "the cache on disk cannot be used; going on without it");
            })
            .ok()
    }
}

fn read_loop(file: File, to_read: &Receiver<Read>, damaged: &AtomicBool) {
    let mut file = Some(file);
    while let Ok(read) = to_read.recv() {
        match read {
            Read::Use(new) => file = Some(new),
            Read::Get { key, reply } => match file.as_ref().map(|f| f.get(&key)) {
                Some(Ok(Some(response))) => {
                    let _ = reply.send(response);
                }
                Some(Err(Fault::Damaged(_))) => {
                    // The writer replaces the file before it writes again.
                    file = None;
                    damaged.store(true, Ordering::Release);
                }
                Some(Err(e)) => tracing::debug!(error = %e, "an answer could not be read from the cache"),
                Some(Ok(None)) | None => {}
            },
        }
    }
}
