//! The functions of the program that code may call.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    CodeErrorKind, Limits,
    wire::{Answer, Exception, HostCall},
};
use crate::{
    ToolErrorKind,
    tool::{Action, Observation, Tool},
};

tokio::task_local! {
    static INSIDE: ();
}

/// How many characters of an argument are kept in the record of a call.
const KEPT: usize = 2_000;

/// The functions of a session, and what was called in one run.
pub(super) struct Functions {
    tools: Arc<[Tool]>,
    most: u32,
    made: u32,
    calls: Vec<Action>,
}

impl Functions {
    pub(super) fn new(tools: Arc<[Tool]>, limits: &Limits) -> Self {
        Self { tools, most: limits.calls, made: 0, calls: Vec::new() }
    }

    /// The calls so far.
    pub(super) fn into_calls(self) -> Vec<Action> {
        self.calls
    }

    pub(super) async fn answer(&mut self, call: HostCall) -> Answer {
        self.made += 1;
        if self.made > self.most {
            let message = format!("more than {} functions of the host were called in one run", self.most);
            return Answer::Stop { kind: CodeErrorKind::Calls, message };
        }
        let Some(tool) = self.tools.iter().find(|tool| tool.name() == call.name).cloned() else {
            let message = format!("there is no function `{}`", call.name);
            return Answer::Raise { exception: Exception::Runtime, message };
        };
        let arguments = match arguments(&tool, call.positional, call.named) {
            Ok(arguments) => arguments,
            Err(message) => return Answer::Raise { exception: Exception::Type, message },
        };
        let kept = arguments.iter().map(|(name, value)| (name.clone(), kept(value))).collect();
        let called = INSIDE.scope((), tool.call(arguments)).await;
        let (observation, answer) = match called {
            Ok(value) => {
                let observation = tool.shown(&value);
                let answer = cut(&tool, value, &observation);
                (observation, answer)
            }
            Err(error) => {
                let exception = match error.kind {
                    ToolErrorKind::Arguments => Exception::Type,
                    ToolErrorKind::Denied => Exception::Permission,
                    _ => Exception::Runtime,
                };
                let observation = tool.shown_failure(&error);
                let message = observation.text.clone();
                (observation, Answer::Raise { exception, message })
            }
        };
        self.calls.push(Action { tool: call.name, arguments: kept, id: None, observation });
        answer
    }
}

/// Whether this is called by a function of the program that code called.
pub(super) fn is_inside() -> bool {
    INSIDE.try_with(|()| ()).is_ok()
}

/// What code gets of a result: a text is cut as the model would see it; anything else is whole, or too large.
fn cut(tool: &Tool, value: Value, observation: &Observation) -> Answer {
    let Some(most) = tool.most_output() else { return Answer::Value(value) };
    match value {
        Value::String(_) => Answer::Value(observation.text.as_str().into()),
        value @ (Value::Array(_) | Value::Object(_)) => {
            let all = value.to_string().chars().count();
            if all <= most {
                return Answer::Value(value);
            }
            let message = format!(
                "the result of `{}` has {all} characters as JSON, and {most} are allowed; ask it for less",
                tool.name()
            );
            Answer::Raise { exception: Exception::Runtime, message }
        }
        value => Answer::Value(value),
    }
}

/// Arguments by name: those that were given by position have the names in the order of the schema.
fn arguments(
    tool: &Tool,
    positional: Vec<Value>,
    named: Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let properties = tool.spec().parameters.get("properties").and_then(Value::as_object);
    let names: Vec<&String> = properties.into_iter().flat_map(Map::keys).collect();
    if positional.len() > names.len() {
        return Err(format!(
            "{}() takes {} arguments, and {} were given by position",
            tool.name(),
            names.len(),
            positional.len()
        ));
    }
    let mut arguments: Map<String, Value> = names.into_iter().cloned().zip(positional).collect();
    for (name, value) in named {
        if arguments.insert(name.clone(), value).is_some() {
            return Err(format!("{}() got `{name}` twice", tool.name()));
        }
    }
    Ok(arguments)
}

fn kept(value: &Value) -> Value {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
        other => return other.clone(),
    };
    match text.char_indices().nth(KEPT) {
        None => value.clone(),
        Some((end, _)) => format!("{}... [{} characters]", &text[..end], text.chars().count()).into(),
    }
}
