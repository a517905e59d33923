//! Modules that write code and have it run.

mod code_act;
mod kit;
mod names;
mod preview;
mod program_of_thought;
mod query;
mod repl;
mod rlm;
mod signature;
mod stream;

pub use code_act::{CodeAct, CodeActBuilder};
pub use program_of_thought::{ProgramOfThought, ProgramOfThoughtBuilder};
pub use repl::{FromRepl, NextAction, ReplAction, ReplState};
pub use rlm::{RLM, RlmBuilder};
pub use signature::{CodeFor, FromCode, GeneratedCode, NextCode, NextCodeFor, WithCode};
pub use stream::{CodeStream, CodeUpdate};
