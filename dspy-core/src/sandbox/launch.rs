//! The program as its own worker.

use std::{
    env,
    ffi::OsString,
    io::{self, Write as _},
    process,
    sync::OnceLock,
    thread,
};

use super::{
    confine::{Gauge, confine},
    serve::{Port, serve},
    wire::{self, GREETING, Order, Report},
};

/// Set in the environment of workers.
pub(super) const SERVES: &str = "DSPY_SANDBOX_SERVES";

/// The stack of the thread that runs code. It is taken from the system only as far as it is used.
pub(super) const STACK: usize = 64 << 20;

/// The arguments with which this program comes to [`init`] when it is started again.
static AGAIN: OnceLock<Vec<OsString>> = OnceLock::new();

/// Lets this program be started once more as a worker, which runs code for [`Python`](super::Python): the first line of
/// `main`. In the program itself it returns at once; in a worker it does not return, and what follows is not run.
///
/// In a test that runs model-written code it is the first line of that test; the worker is then the test binary, started
/// for this test alone. A library leaves it to the program. Where neither is possible, as for a library that another
/// language loads, a program of one line is the worker: `fn main() { dspy::sandbox::init() }`; its path is given to
/// [`Python::worker`](super::Python::worker), or in the environment variable `DSPY_SANDBOX_WORKER`. Without all of them a
/// run of code fails with an error that says so; the program is never started again on a guess.
pub fn init() {
    if env::var_os(SERVES).is_some() {
        work();
    }
    AGAIN.get_or_init(|| match thread::current().name() {
        None | Some("main") => Vec::new(),
        // The harness runs each test on a thread with its name.
        Some(test) => ["--exact", "--nocapture", "--include-ignored", test].map(OsString::from).into(),
    });
}

/// The arguments with which this program comes to [`init`]; `None` when it did not come to it.
pub(super) fn again() -> Option<&'static [OsString]> {
    // What a worker starts would start workers.
    if env::var_os(SERVES).is_some() {
        return None;
    }
    AGAIN.get().map(Vec::as_slice)
}

/// Serves a session over the standard streams, then ends the process.
fn work() -> ! {
    let serving = thread::Builder::new().name("sandbox".into()).stack_size(STACK).spawn(|| {
        let mut port = Pipes { gauge: Gauge::start() };
        let greeted = writeln!(io::stdout(), "{GREETING}").and_then(|()| io::stdout().flush());
        if greeted.is_ok() {
            serve(&mut port, |port, limits| {
                port.gauge.begin();
                confine(limits);
            });
        }
    });
    let ended = serving.map(thread::JoinHandle::join);
    process::exit(i32::from(!matches!(ended, Ok(Ok(())))))
}

/// The standard streams.
struct Pipes {
    gauge: Gauge,
}

impl Port for Pipes {
    fn order(&mut self) -> Option<Order> {
        wire::read(&mut io::stdin().lock()).ok()
    }

    fn report(&mut self, report: Report) -> bool {
        wire::write(&mut io::stdout().lock(), &report).is_ok()
    }

    fn running(&mut self, yes: bool) {
        self.gauge.running(yes);
    }
}
