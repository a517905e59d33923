//! What is said between a session and what runs its code, and how that stands in a pipe.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{CodeErrorKind, Limits};

/// What a session begins with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) inputs: Map<String, Value>,
    /// The names of the host functions.
    pub(super) functions: Vec<String>,
    pub(super) submit: Option<Vec<String>>,
    pub(super) limits: Limits,
}

/// To what runs code.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    Start(Start),
    Run(String),
    Answer(Answer),
}

/// What a host function gave.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Value(Value),
    Raise {
        exception: Exception,
        message: String,
    },
    /// Ends the run.
    Stop {
        kind: CodeErrorKind,
        message: String,
    },
}

/// What a failed call is raised as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Exception {
    Type,
    Permission,
    Runtime,
}

/// From what runs code.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The inputs are there.
    Ready,
    Call(HostCall),
    Done(Outcome),
    Failed(Failure),
}

/// A host function is called.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HostCall {
    pub(super) name: String,
    pub(super) positional: Vec<Value>,
    pub(super) named: Map<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) value: Value,
    pub(super) printed: String,
    pub(super) submitted: Option<Map<String, Value>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) kind: CodeErrorKind,
    pub(super) message: String,
    pub(super) line: Option<u32>,
    pub(super) printed: String,
}

/// The line with which a worker begins. What stands before it in its output is none of ours.
pub(super) const GREETING: &str = "\u{1}dspy sandbox worker 1\u{1}";

/// A message as bytes: its length, then JSON.
pub(super) fn framed(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 8];
    serde_json::to_writer(&mut bytes, message)?;
    let length = (bytes.len() - 8) as u64;
    bytes[..8].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// The length of the message that begins so.
pub(super) fn length(head: [u8; 8]) -> u64 {
    u64::from_le_bytes(head)
}

pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut head = [0; 8];
    from.read_exact(&mut head)?;
    let mut body = Vec::new();
    from.take(length(head)).read_to_end(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

pub(super) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&framed(message)?)?;
    to.flush()
}
