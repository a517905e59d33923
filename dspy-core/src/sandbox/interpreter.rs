//! What runs code, and what a run gives.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Error,
    lm::BoxFuture,
    tool::{Action, IntoTool, Tool},
};

/// Runs code that a model wrote. Implement it to put an interpreter of your own in the place of
/// [`Python`](super::Python).
pub trait CodeInterpreter: fmt::Debug + Send + Sync + 'static {
    /// What a model must know to write code for it: what is there and what is not. It becomes part of prompts.
    fn rules(&self) -> &str;

    /// Opens a session.
    ///
    /// The error is [`CodeErrorKind::Unavailable`] when code cannot be run at all, with what to do about it.
    fn open(&self, setup: Setup) -> BoxFuture<'_, Result<Box<dyn CodeSession>, CodeError>>;
}

/// Runs code whose variables live from run to run. What it holds ends with it.
///
/// When a run ends the interpreter itself, or is dropped, the next one begins with the inputs and nothing else.
pub trait CodeSession: Send {
    /// Runs code.
    ///
    /// # Errors
    /// [`CodeError`] says why there is no result.
    fn run<'a>(&'a mut self, code: &'a str) -> BoxFuture<'a, Result<Ran, CodeError>>;
}

/// What a session begins with.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Setup {
    /// Variables.
    pub inputs: Map<String, Value>,
    /// Functions that code may call by their names. Each call is approved, timed and cut as that of an agent is.
    pub tools: Vec<Tool>,
    /// The arguments of the function `submit`, if there is one: it ends the run, and its arguments are
    /// [`Ran::submitted`].
    pub submit: Option<Vec<String>>,
}

impl Setup {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable.
    #[must_use]
    pub fn input(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.inputs.insert(name.into(), value.into());
        self
    }

    /// Adds variables.
    #[must_use]
    pub fn inputs(mut self, inputs: Map<String, Value>) -> Self {
        self.inputs.extend(inputs);
        self
    }

    /// Adds functions.
    #[must_use]
    pub fn tools<T: IntoTool<K>, K>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
        self.tools.extend(tools.into_iter().map(IntoTool::into_tool));
        self
    }

    /// Adds the function `submit` with these arguments.
    #[must_use]
    pub fn submit<T: Into<String>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.submit = Some(arguments.into_iter().map(Into::into).collect());
        self
    }
}

/// What a run gave.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ran {
    /// The value of the last expression; null when the last statement is none. Tuples and sets are arrays, integers beyond
    /// 64 bits are their digits as text, and what JSON does not know is as `repr` writes it.
    pub value: Value,
    /// What was printed, up to [`Limits::printed`](super::Limits::printed).
    pub printed: String,
    /// The calls of host functions, in order. Long texts are cut.
    pub calls: Vec<Action>,
    /// The arguments of `submit`, when it was called.
    pub submitted: Option<Map<String, Value>>,
}

impl Ran {
    /// A result with this value.
    pub fn new(value: impl Into<Value>) -> Self {
        Self { value: value.into(), ..Self::default() }
    }

    /// Sets what was printed.
    #[must_use]
    pub fn printed(mut self, text: impl Into<String>) -> Self {
        self.printed = text.into();
        self
    }

    /// Sets what was submitted.
    #[must_use]
    pub fn submitted(mut self, arguments: Map<String, Value>) -> Self {
        self.submitted = Some(arguments);
        self
    }

    /// What a model is told of it: what was printed, then the value of the last expression, if there is one.
    pub fn text(&self) -> String {
        let value = match &self.value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match (self.printed.trim_end(), value.as_str()) {
            (printed, "") => printed.to_owned(),
            ("", value) => value.to_owned(),
            (printed, value) => format!("{printed}\n{value}"),
        }
    }
}

/// Why code gave no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CodeErrorKind {
    /// It is not of the language.
    Syntax,
    /// It is of the language, but not of the subset that is run.
    Unsupported,
    /// It raised an exception.
    Raised,
    /// It imports a module that is not there.
    Import,
    /// It asked for what code may not have: files, the environment, the clock, other code; or a call was not approved.
    Forbidden,
    /// It took longer than it may.
    Time,
    /// It took more memory than it may.
    Memory,
    /// Its functions called each other deeper than they may.
    Recursion,
    /// It called more host functions than it may.
    Calls,
    /// It ended the interpreter.
    Crashed,
    /// There is no interpreter: it was not set up, or could not be started.
    Unavailable,
}

impl CodeErrorKind {
    /// The kind in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Unsupported => "unsupported",
            Self::Raised => "raised",
            Self::Import => "import",
            Self::Forbidden => "forbidden",
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Recursion => "recursion",
            Self::Calls => "calls",
            Self::Crashed => "crashed",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A run that gave no result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CodeError {
    /// What happened.
    pub kind: CodeErrorKind,
    /// What was wrong, such as `ZeroDivisionError: division by zero`.
    pub message: String,
    /// The line of the code, from 1.
    pub line: Option<u32>,
    /// What was printed before.
    pub printed: String,
    /// The calls of host functions before.
    pub calls: Vec<Action>,
    /// Whether the variables of the session are gone: the next run begins with the inputs.
    pub lost: bool,
}

impl CodeError {
    /// A failure without a place.
    pub fn new(kind: CodeErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            line: None,
            printed: String::new(),
            calls: Vec::new(),
            lost: false,
        }
    }

    /// Sets the line of the code, from 1.
    #[must_use]
    pub fn at(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.message)?;
        if self.lost {
            f.write_str(" (variables of earlier code are gone)")?;
        }
        Ok(())
    }
}

impl std::error::Error for CodeError {}

impl From<CodeError> for Error {
    fn from(error: CodeError) -> Self {
        Self::other(error)
    }
}
