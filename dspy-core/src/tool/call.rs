//! A call: approved, made, waited for, and told of.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use futures_util::FutureExt as _;
use serde_json::{Map, Value, json};
use tokio::{runtime::Handle, sync::oneshot};
use tracing::{Instrument as _, field};

use super::{Approval, Arguments, Observation, Tool, ToolFailure};
use crate::{
    ToolError, ToolErrorKind,
    context::{Context, begin, observe::EventKind},
    lm::genai,
    value::{Raw, ReadOptions, ToolCall, hint, read},
};

impl Tool {
    /// Calls it with arguments that a model gave.
    ///
    /// # Errors
    /// [`ToolError`] says what became of the call: wrong arguments, no approval, an error, a panic, no result in time.
    /// Dropping the future ends the call.
    pub async fn call(&self, arguments: Map<String, Value>) -> Result<Value, ToolError> {
        let tool = self.own_name();
        let begun = begin(|| {
            let span = tracing::info_span!(
                "execute_tool",
                otel.name = format!("execute_tool {tool}"),
                otel.status_code = field::Empty,
                gen_ai.operation.name = "execute_tool",
                gen_ai.tool.name = tool,
                gen_ai.tool.r#type = "function",
                gen_ai.tool.description = self.description(),
                gen_ai.tool.call.arguments = field::Empty,
                gen_ai.tool.call.result = field::Empty,
                error.r#type = field::Empty,
            );
            if !span.is_disabled() && genai::captures_content() {
                span.record("gen_ai.tool.call.arguments", json!(arguments).to_string());
            }
            (span, EventKind::ToolStarted { tool, arguments: &arguments })
        });
        let Some(work) = begun else { return self.made(arguments).await };
        let made = Box::pin(self.made(arguments)).instrument(work.span().clone());
        let result = Context::current().within(&work).scope(made).await;
        if let Ok(value) = &result
            && !work.span().is_disabled()
            && genai::captures_content()
        {
            work.span().record("gen_ai.tool.call.result", value.to_string());
        }
        let ended = EventKind::ToolEnded { tool, result: result.as_ref(), duration: work.elapsed() };
        work.end(ended, result.as_ref().err().map(|error| error.kind.as_str()));
        result
    }

    async fn made(&self, arguments: Map<String, Value>) -> Result<Value, ToolError> {
        let fail = |kind, message: String| ToolError::new(self.own_name(), kind, message);
        let name = self.name();
        let mut arguments = arguments;
        for approve in &self.approve {
            let call = ToolCall::new(self.own_name(), arguments.clone());
            let asked = AssertUnwindSafe(async { approve(call).await }).catch_unwind().await;
            let denied = |reason: &str| {
                fail(ToolErrorKind::Denied, format!("the call of `{name}` was not allowed: {reason}"))
            };
            match asked {
                Ok(Approval::Allow) => {}
                Ok(Approval::Edit(edited)) => arguments = edited,
                Ok(Approval::Deny(reason)) => return Err(denied(&reason)),
                Err(panic) => return Err(denied(&format!("the approval panicked: {}", said(&*panic)))),
            }
        }
        let arguments = Arguments::new(named(arguments, &self.spec.parameters));
        let work = async { (self.body)(arguments).await };
        let work = AssertUnwindSafe(work).catch_unwind();
        let ended = match self.timeout {
            None => work.await,
            Some(limit) => tokio::time::timeout(limit, work).await.map_err(|_| {
                fail(ToolErrorKind::TimedOut, format!("`{name}` gave no result within {limit:?}"))
            })?,
        };
        let panicked =
            |message: &str| fail(ToolErrorKind::Panicked, format!("`{name}` failed: it panicked: {message}"));
        match ended {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(ToolFailure::Failed(message))) => {
                Err(fail(ToolErrorKind::Failed, format!("`{name}` failed: {message}")))
            }
            Ok(Err(ToolFailure::Arguments(mistakes))) => Err(fail(
                ToolErrorKind::Arguments,
                format!("`{name}` was not called: {mistakes}. {}", expected(&self.spec.parameters)),
            )),
            Ok(Err(ToolFailure::Panicked(message))) => Err(panicked(&message)),
            Err(panic) => Err(panicked(said(&*panic))),
        }
    }

    /// Calls it, and gives what the model is told: the result, or what went wrong.
    pub async fn observe(&self, arguments: Map<String, Value>) -> Observation {
        match self.call(arguments).await {
            Ok(value) => self.shown(&value),
            Err(error) => self.shown_failure(&error),
        }
    }

    /// A result as the model is told of it.
    pub(crate) fn shown(&self, value: &Value) -> Observation {
        Observation::of(value, self.max_output)
    }

    /// A failure as the model is told of it.
    pub(crate) fn shown_failure(&self, error: &ToolError) -> Observation {
        Observation::failed(error, self.max_output)
    }
}

/// Arguments that are no object: the text is the argument of a tool that has only one, or needs only one. Whatever begins
/// like an object was meant to be one, and so was what begins with the name of an argument.
fn named(arguments: Map<String, Value>, parameters: &Value) -> Map<String, Value> {
    let (1, Some(Value::String(text))) = (arguments.len(), arguments.get(ToolCall::UNPARSED)) else {
        return arguments;
    };
    let text = text.trim();
    let Some(properties) = parameters.get("properties").and_then(Value::as_object) else { return arguments };
    let names = |name: &&String| {
        let rest = text.strip_prefix(name.as_str()).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with(['=', ':']))
    };
    if properties.keys().any(|name| names(&name)) {
        let read = read::<Map<String, Value>>(Raw::text(&format!("{{{text}}}")), &ReadOptions::default());
        let read = read.ok().map(|reading| reading.value);
        return read.filter(|read| read.keys().all(|key| properties.contains_key(key))).unwrap_or(arguments);
    }
    let required = parameters.get("required").and_then(Value::as_array);
    let only = match (properties.len(), required.map(Vec::as_slice)) {
        (1, _) => properties.keys().next(),
        (_, Some([Value::String(only)])) => Some(only),
        _ => None,
    };
    let Some(only) = only.filter(|_| !text.starts_with(['{', '`'])) else { return arguments };
    let texts = properties.get(only).and_then(|schema| schema.get("type")).is_some_and(|ty| ty == "string");
    // A list is no text, whatever was meant by it.
    if texts && serde_json::from_str::<Vec<Value>>(text).is_ok() {
        return arguments;
    }
    Map::from_iter([(only.clone(), text.into())])
}

/// What a tool wants to be called with.
pub(super) fn expected(parameters: &Value) -> String {
    let none = parameters.get("properties").and_then(Value::as_object).is_some_and(Map::is_empty);
    match schemars::Schema::try_from(parameters.clone()) {
        Ok(schema) if !none => format!("Its arguments: {}", hint(&schema)),
        _ => "It has no arguments.".into(),
    }
}

/// Runs a plain function on a thread of its own, with the settings of the caller.
///
/// The threads of the runtime are few enough to be used up by functions that hang, look-ups of host names among what then
/// waits for them, and the runtime waits for them when it ends.
pub async fn blocking(
    function: impl FnOnce() -> Result<Value, ToolFailure> + Send + 'static,
) -> Result<Value, ToolFailure> {
    let (context, runtime) = (Context::current(), Handle::try_current().ok());
    let (tell, told) = oneshot::channel();
    let work = move || {
        // The function may use the runtime, as it may on one of its threads.
        let _entered = runtime.as_ref().map(Handle::enter);
        let run = || context.sync_scope(function);
        let ended = catch_unwind(AssertUnwindSafe(run))
            .unwrap_or_else(|panic| Err(ToolFailure::Panicked(said(&*panic).to_owned())));
        // Nobody waits any more for a call that took too long.
        let _ = tell.send(ended);
    };
    if let Err(error) = thread::Builder::new().name("dspy-tool".into()).spawn(work) {
        return Err(ToolFailure::Failed(format!("there is no thread for it: {error}")));
    }
    told.await.unwrap_or_else(|_| Err(ToolFailure::Failed("its thread ended without a result".into())))
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
