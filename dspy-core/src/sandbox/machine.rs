//! Runs code in the interpreter, step by step, until it calls a host function or ends.

use std::borrow::Cow;

use monty::{MontyRepl, ReplFunctionCall, ReplNameLookup, ReplProgress, ReplStartError};
use monty_types::{
    CompileOptions, ExcType, ExtFunctionResult, MontyException, MontyObject, NameLookupResult, PrintWriter,
    PrintWriterCallback, ResourceLimits, ResourceTracker,
};
use serde_json::{Map, Value};

use super::{
    CodeErrorKind, Limits,
    convert::{to_json, to_python},
    wire::{Answer, Exception, Failure, HostCall, Outcome, Start},
};

/// The function that ends a run with values.
const SUBMIT: &str = "submit";

/// What Python has and the sandbox does not: the means to run other code, to see the program from inside, to ask a person.
const FORBIDDEN: [&str; 10] =
    ["eval", "exec", "compile", "__import__", "globals", "locals", "vars", "dir", "input", "breakpoint"];

/// Answers calls of host functions. `None` when nobody listens any more.
pub(super) type Host<'a> = dyn FnMut(HostCall) -> Option<Answer> + 'a;

/// The interpreter of a session.
pub(super) struct Machine {
    /// `None` while code runs.
    repl: Option<MontyRepl>,
    functions: Vec<String>,
    submit: Option<Vec<String>>,
    limits: Limits,
}

/// What is known of a run when it ends.
#[derive(Default)]
struct Known {
    submitted: Option<Map<String, Value>>,
    /// What was refused last.
    refused: Option<ExcType>,
    /// Why the host ended it.
    stopped: Option<(CodeErrorKind, String)>,
}

type Progress = Result<ReplProgress, Box<ReplStartError>>;

impl Machine {
    pub(super) fn new(start: Start) -> Self {
        let Start { inputs, functions, submit, limits } = start;
        let mut repl = fresh(&limits);
        if !inputs.is_empty() {
            let inputs = inputs.into_iter().map(|(name, value)| (name, to_python(value))).collect();
            // A statement that does nothing, with which the variables come. It has nothing that could fail.
            let _ = repl.feed_run("None", inputs, PrintWriter::Disabled);
        }
        Self { repl: Some(repl), functions, submit, limits }
    }

    pub(super) fn run(&mut self, code: &str, host: &mut Host<'_>) -> Result<Outcome, Failure> {
        let mut repl = self.repl.take().unwrap_or_else(|| fresh(&self.limits));
        repl.tracker_mut().set_max_duration(self.limits.time);
        let (mut printed, mut known) = (Printed::new(self.limits.printed), Known::default());
        let mut progress = repl.feed_start(code, Vec::new(), printed.writer());
        let ended = loop {
            progress = match progress {
                Ok(ReplProgress::Complete { repl, value }) => break Ok((repl, value)),
                Err(error) => break Err(*error),
                Ok(ReplProgress::FunctionCall(call)) => self.call(call, host, &mut printed, &mut known),
                Ok(ReplProgress::NameLookup(lookup)) => self.look_up(lookup, &mut printed, &mut known),
                Ok(ReplProgress::OsCall(call)) => {
                    known.refused = Some(ExcType::PermissionError);
                    let message = format!("code has no access to this: {}", call.function_call.name());
                    call.resume(exception(ExcType::PermissionError, message), printed.writer())
                }
                Ok(ReplProgress::ResolveFutures(waiting)) => {
                    let message = "host functions are called without `await`";
                    waiting.abort(exception(ExcType::RuntimeError, message), printed.writer())
                }
            };
        };
        match ended {
            Ok((repl, value)) => {
                self.repl = Some(repl);
                Ok(Outcome { value: to_json(&value), printed: printed.take(), submitted: None })
            }
            Err(ReplStartError { repl, error }) => {
                let used_up = repl.tracker().elapsed() >= self.limits.time;
                self.repl = Some(repl);
                let printed = printed.take();
                match known {
                    Known { submitted: Some(submitted), .. } => {
                        Ok(Outcome { value: Value::Null, printed, submitted: Some(submitted) })
                    }
                    known => Err(failure(&error, known, used_up, printed)),
                }
            }
        }
    }

    fn call(
        &self,
        call: ReplFunctionCall,
        host: &mut Host<'_>,
        printed: &mut Printed,
        known: &mut Known,
    ) -> Progress {
        let name = call.function_name.as_str();
        if call.object_id.is_none()
            && let Some(fields) = self.submit.as_ref().filter(|_| name == SUBMIT)
        {
            return match bound(fields, &call) {
                Ok(submitted) => {
                    known.submitted = Some(submitted);
                    call.abort(exception(ExcType::SystemExit, "submitted"), printed.writer())
                }
                Err(message) => call.resume(exception(ExcType::TypeError, message), printed.writer()),
            };
        }
        if call.object_id.is_some() || !self.functions.iter().any(|function| function == name) {
            let name = name.to_owned();
            return match self.forbidden(&name, known) {
                Some(error) => call.resume(error, printed.writer()),
                None => call.resume(ExtFunctionResult::NotFound(name), printed.writer()),
            };
        }
        let named = call.kwargs.iter().map(|(name, value)| (name.to_string(), to_json(value))).collect();
        let positional = call.args.iter().map(to_json).collect();
        match host(HostCall { name: name.to_owned(), positional, named }) {
            Some(Answer::Value(value)) => call.resume(to_python(value), printed.writer()),
            Some(Answer::Raise { exception: kind, message }) => {
                let kind = match kind {
                    Exception::Type => ExcType::TypeError,
                    Exception::Runtime => ExcType::RuntimeError,
                    Exception::Permission => {
                        known.refused = Some(ExcType::PermissionError);
                        ExcType::PermissionError
                    }
                };
                call.resume(exception(kind, message), printed.writer())
            }
            Some(Answer::Stop { kind, message }) => {
                known.stopped = Some((kind, message.clone()));
                call.abort(exception(ExcType::RuntimeError, message), printed.writer())
            }
            None => {
                let gone = "nobody waits for the result";
                known.stopped = Some((CodeErrorKind::Crashed, gone.into()));
                call.abort(exception(ExcType::RuntimeError, gone), printed.writer())
            }
        }
    }

    fn look_up(&self, lookup: ReplNameLookup, printed: &mut Printed, known: &mut Known) -> Progress {
        let name = lookup.name.clone();
        let own = lookup.object_id().is_none()
            && (self.functions.contains(&name) || self.submit.is_some() && name == SUBMIT);
        let found = match self.forbidden(&name, known) {
            _ if own => NameLookupResult::Value(MontyObject::Function { name, docstring: None }),
            Some(error) => NameLookupResult::Error(error),
            None => NameLookupResult::Undefined,
        };
        lookup.resume(found, printed.writer())
    }

    fn forbidden(&self, name: &str, known: &mut Known) -> Option<MontyException> {
        if !FORBIDDEN.contains(&name) || self.functions.iter().any(|function| function == name) {
            return None;
        }
        known.refused = Some(ExcType::NameError);
        Some(exception(ExcType::NameError, format!("there is no `{name}` here")))
    }
}

fn fresh(limits: &Limits) -> MontyRepl {
    let bounds = ResourceLimits::default()
        .max_duration(limits.time)
        .max_memory(usize::try_from(limits.memory).unwrap_or(usize::MAX))
        .max_recursion_depth(limits.recursion as usize)
        .max_suspensions(usize::MAX);
    MontyRepl::new("code", ResourceTracker::new(bounds), CompileOptions::default())
}

fn exception(kind: ExcType, message: impl Into<String>) -> MontyException {
    MontyException::new(kind, Some(message.into()))
}

/// The arguments of `submit` by their names.
fn bound(fields: &[String], call: &ReplFunctionCall) -> Result<Map<String, Value>, String> {
    let signature = || format!("submit({})", fields.join(", "));
    if call.args.len() > fields.len() {
        let given = call.args.len();
        return Err(format!("{} takes {} arguments, and {given} were given", signature(), fields.len()));
    }
    let mut found: Map<String, Value> = fields.iter().cloned().zip(call.args.iter().map(to_json)).collect();
    for (name, value) in &call.kwargs {
        let name = name.to_string();
        if !fields.contains(&name) {
            return Err(format!("{} has no argument `{name}`", signature()));
        }
        found.insert(name, to_json(value));
    }
    match fields.iter().find(|field| !found.contains_key(*field)) {
        Some(missing) => Err(format!("{} was called without `{missing}`", signature())),
        None => Ok(found),
    }
}

fn failure(error: &MontyException, known: Known, used_up: bool, printed: String) -> Failure {
    let kind = match error.exc_type() {
        ExcType::SyntaxError => CodeErrorKind::Syntax,
        ExcType::NotImplementedError if unsupported(error) => CodeErrorKind::Unsupported,
        ExcType::TimeoutError if used_up => CodeErrorKind::Time,
        ExcType::MemoryError => CodeErrorKind::Memory,
        ExcType::RecursionError => CodeErrorKind::Recursion,
        ExcType::ImportError | ExcType::ModuleNotFoundError => CodeErrorKind::Import,
        kind if known.refused == Some(kind) => CodeErrorKind::Forbidden,
        _ => CodeErrorKind::Raised,
    };
    let line = error.traceback().last().map(|frame| frame.start.line);
    let (kind, message) = known.stopped.unwrap_or_else(|| (kind, error.summary()));
    Failure { kind, message, line, printed }
}

/// Whether it is the interpreter that has no such thing, and not the code that raised it.
fn unsupported(error: &MontyException) -> bool {
    error.message().is_some_and(|message| message.contains("not yet support"))
}

/// What is printed, up to a limit.
struct Printed {
    text: String,
    most: usize,
    left_out: u64,
}

impl Printed {
    fn new(most: u64) -> Self {
        Self { text: String::new(), most: usize::try_from(most).unwrap_or(usize::MAX), left_out: 0 }
    }

    fn writer(&mut self) -> PrintWriter<'_> {
        PrintWriter::Callback(self)
    }

    fn add(&mut self, text: &str) {
        let room = self.most - self.text.len();
        let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.text.push_str(&text[..end]);
        self.left_out += (text.len() - end) as u64;
        if end < text.len() {
            // Nothing follows what was cut.
            self.most = self.text.len();
        }
    }

    fn take(mut self) -> String {
        if self.left_out > 0 {
            self.text.push_str(&format!("\n[{} further bytes are left out]", self.left_out));
        }
        self.text
    }
}

impl PrintWriterCallback for Printed {
    fn stdout_write(&mut self, output: Cow<'_, str>) -> Result<(), MontyException> {
        self.add(&output);
        Ok(())
    }

    fn stdout_push(&mut self, end: char) -> Result<(), MontyException> {
        self.add(end.encode_utf8(&mut [0; 4]));
        Ok(())
    }
}
