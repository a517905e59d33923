//! Code that a model wrote, run without access to the machine.
//!
//! A [`CodeInterpreter`] opens sessions, and a [`CodeSession`] runs code: it has the inputs as variables, keeps variables
//! between runs, and calls the host functions that it was given, which are [`Tool`](crate::tool::Tool)s. What a run gave or
//! why it failed is data: [`Ran`], [`CodeError`].
//!
//! [`Python`] is the interpreter of the library: a subset of Python (the crate `monty`), in which there are no files, no
//! environment, no network, no processes, no clock and no modules but a few of the standard library. Each session has a
//! process of its own, the *worker*, with limits on time, memory and recursion; what ends a worker does not end the program.
//!
//! # Set-up
//!
//! A worker is the program itself, started once more. So `main` begins with one line:
//!
//! ```no_run
//! #[tokio::main]
//! async fn main() -> dspy_core::Result<()> {
//!     dspy_core::sandbox::init();
//!     // the program
//!     Ok(())
//! }
//! ```
//!
//! [`init`] says what holds for tests and libraries.
//!
//! ```
//! # use dspy_core::sandbox::{CodeInterpreter, Python, Setup};
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let python = Python::in_process();
//! // let python = Python::new();
//! let setup = Setup::new().input("prices", vec![3, 4, 5]);
//! let mut session = python.open(setup).await?;
//! session.run("total = sum(prices)").await?;
//! let ran = session.run("print('so far', total)\ntotal * 2").await?;
//! assert_eq!((ran.value, ran.printed.as_str()), (24.into(), "so far 12\n"));
//!
//! let error = session.run("open('/etc/passwd')").await.unwrap_err();
//! assert_eq!((error.kind.as_str(), error.line), ("forbidden", Some(1)));
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?; Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod confine;
mod convert;
mod host;
mod interpreter;
mod launch;
mod limits;
mod link;
mod machine;
mod process;
mod python;
mod serve;
mod trajectory;
mod wire;

pub use interpreter::{CodeError, CodeErrorKind, CodeInterpreter, CodeSession, Ran, Setup};
pub use launch::init;
pub use limits::Limits;
pub use python::Python;
pub use trajectory::{CodeStep, CodeTrajectory};
