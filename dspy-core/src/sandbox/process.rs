//! A worker: a process that runs the code of one session.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};

use super::{
    CodeError, CodeErrorKind, Limits,
    launch::{SERVES, again},
    wire::{self, GREETING, Order, Report},
};

/// The path of a worker of its own.
const WORKER: &str = "DSPY_SANDBOX_WORKER";

/// How long a worker may take to begin.
const BEGIN: Duration = Duration::from_secs(60);

/// How much of what a worker says when it dies is looked at, in bytes.
const LAST_WORDS: usize = 4 << 10;

/// What a program may write before it comes to its first line, in bytes.
const PREAMBLE: u64 = 64 << 10;

/// What a worker keeps of the environment: where the system finds libraries. Nothing that is secret.
const KEPT: [&str; 7] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "SystemRoot",
    "TEMP",
    "LLVM_PROFILE_FILE",
];

pub(super) struct Process {
    child: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
    words: Option<JoinHandle<Vec<u8>>>,
    /// Reports are not longer than this, in bytes.
    most: u64,
}

impl Process {
    /// Starts a worker.
    pub(super) async fn start(program: Option<&Path>, limits: &Limits) -> Result<Self, CodeError> {
        let unavailable = |message: String| CodeError::new(CodeErrorKind::Unavailable, message);
        let (program, arguments) = program_of(program).map_err(unavailable)?;
        let kept = KEPT.iter().filter_map(|name| Some((name, env::var_os(name)?)));
        let started = Command::new(&program)
            .args(&arguments)
            .env_clear()
            .envs(kept)
            .env(SERVES, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = started
            .map_err(|e| unavailable(format!("the worker {} cannot be started: {e}", program.display())))?;
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(orders), Some(reports), Some(words)) = streams else {
            return Err(unavailable("a worker was started without its streams".into()));
        };
        let words = Some(tokio::spawn(last_words(words)));
        // What code may keep, written as JSON.
        let most = limits.memory.saturating_mul(2).max(64 << 20);
        let mut process = Self { child, orders, reports: BufReader::new(reports), words, most };
        if let Ok(Ok(())) = timeout(BEGIN, process.greeted()).await {
            return Ok(process);
        }
        let (_, end) = process.end().await;
        Err(unavailable(format!(
            "{} was started as a worker, but did not begin to work ({end}); `dspy::sandbox::init()` must be the first \
             line of its `main`, or of the test",
            program.display()
        )))
    }

    /// Reads up to the greeting.
    async fn greeted(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        let mut before = (&mut self.reports).take(PREAMBLE);
        loop {
            line.clear();
            if before.read_until(b'\n', &mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.trim_ascii_end().ends_with(GREETING.as_bytes()) {
                return Ok(());
            }
        }
    }

    pub(super) async fn send(&mut self, order: &Order) -> io::Result<()> {
        self.orders.write_all(&wire::framed(order)?).await?;
        self.orders.flush().await
    }

    /// The next report. `None` at the end, and after what is no report.
    pub(super) async fn report(&mut self) -> Option<Report> {
        let mut head = [0; 8];
        self.reports.read_exact(&mut head).await.ok()?;
        let length = wire::length(head);
        if length > self.most {
            return None;
        }
        let mut body = Vec::new();
        (&mut self.reports).take(length).read_to_end(&mut body).await.ok()?;
        serde_json::from_slice(&body).ok()
    }

    /// Why it ended.
    pub(super) async fn end(mut self) -> (CodeErrorKind, String) {
        const SOON: Duration = Duration::from_secs(2);
        drop(self.orders);
        let ended = match timeout(SOON, self.child.wait()).await {
            Ok(ended) => ended.ok(),
            // It sent what is no report, and goes on.
            Err(_) => {
                let _ = self.child.kill().await;
                None
            }
        };
        let words = match self.words.take() {
            Some(words) => timeout(SOON, words).await.ok().and_then(Result::ok).unwrap_or_default(),
            None => Vec::new(),
        };
        let words = String::from_utf8_lossy(&words);
        if words.contains("memory allocation of") {
            return (CodeErrorKind::Memory, "MemoryError: the code took more memory than it may".into());
        }
        if words.contains("overflowed its stack") {
            return (CodeErrorKind::Recursion, "RecursionError: values or calls were nested too deep".into());
        }
        let last = words.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let how = ended.map_or_else(|| "it was ended".into(), |status| told(&status));
        let message = match last {
            "" => format!("the worker ended: {how}"),
            last => format!("the worker ended: {how}: {}", crate::error::shorten(last, 200)),
        };
        (CodeErrorKind::Crashed, message)
    }
}

fn told(status: &ExitStatus) -> String {
    status.to_string()
}

/// The program to start, and its arguments.
fn program_of(named: Option<&Path>) -> Result<(PathBuf, Vec<OsString>), String> {
    if let Some(path) = named.map(Path::to_owned).or_else(|| env::var_os(WORKER).map(PathBuf::from)) {
        return Ok((path, Vec::new()));
    }
    let Some(arguments) = again() else {
        return Err(format!(
            "model-written code runs in processes of its own, and this program was not made ready for that: make \
             `dspy::sandbox::init();` the first line of `main` (in a test, of the test), or name a program whose `main` \
             is that line in the environment variable `{WORKER}`; for code that you trust there is \
             `Python::in_process()`"
        ));
    };
    let own = env::current_exe().map_err(|e| format!("the path of this program is not known: {e}"))?;
    Ok((own, arguments.to_vec()))
}

/// The end of what is written to it.
async fn last_words(mut from: ChildStderr) -> Vec<u8> {
    let (mut words, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        words.extend_from_slice(&piece[..length]);
        if words.len() > 2 * LAST_WORDS {
            words.drain(..words.len() - LAST_WORDS);
        }
    }
    words
}
