//! The steps of an agent: its thoughts, the tools that it called, and what they gave.

use std::{collections::HashSet, fmt, sync::Arc};

use schemars::{Schema, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{next::NextStep, set::name_for_providers, steps::Steps};
use crate::{
    ToolError, ToolErrorKind,
    lm::{Message, Replay},
    value::{Content, DynTypeInfo, ReadError, ToolCall, TypeInfo, read_json},
};

/// What an agent did for one call: its steps, oldest first.
pub type Trajectory = Steps<AgentStep>;

/// One step: a thought, and what was done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentStep {
    /// What the model thought before it acted.
    pub thought: String,
    /// The calls of the step: one, or several that the model made at once.
    pub actions: Vec<Action>,
    /// The answer as its provider wants it back with the results of the calls, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Arc<Replay>>,
}

/// A call of a tool, and what it gave.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// The provider's id of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name of the tool, as the model gave it.
    pub tool: String,
    /// The arguments, as the model gave them.
    pub arguments: Map<String, Value>,
    /// What the tool gave.
    pub observation: Observation,
}

/// What a tool gave, as the model is told of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The result as text, or what went wrong.
    pub text: String,
    /// What went wrong, if something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ToolErrorKind>,
}

impl Observation {
    /// A result.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), error: None }
    }

    /// A result as text: a string as it is, anything else as JSON.
    pub(super) fn of(value: &Value, most: Option<usize>) -> Self {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => "done".into(),
            other => other.to_string(),
        };
        Self::new(shortened(text, most))
    }

    pub(crate) fn failed(error: &ToolError, most: Option<usize>) -> Self {
        Self { text: shortened(error.message.clone(), most), error: Some(error.kind) }
    }

    /// Whether the call gave a result.
    pub fn is_ok(&self) -> bool {
        self.error.is_none()
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text of at most so many characters, and a mark that tells of the rest.
fn shortened(mut text: String, most: Option<usize>) -> String {
    if let Some(most) = most
        && let Some((end, _)) = text.char_indices().nth(most)
    {
        let all = text.chars().count();
        text.truncate(end);
        // What was left out is not kept.
        text.shrink_to_fit();
        text.push_str(&format!("\n[{} of {all} characters are left out]", all - most));
    }
    text
}

impl Trajectory {
    /// All calls of all steps.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps().flat_map(|step| &step.actions)
    }

    /// As it was before it ended, so that further steps can follow.
    pub(crate) fn reopened(self, finish: &str) -> Self {
        self.without_end(|step| step.actions.iter().any(|action| action.tool == finish))
    }

    /// The steps as messages of a model that calls tools natively, after so many steps of earlier turns.
    ///
    /// Whatever the model called, providers take them: they refuse a call with an id that another one has, or of a tool
    /// whose name could not be one.
    pub(crate) fn messages(&self, earlier: usize) -> Vec<Message> {
        let (mut messages, mut used) = (Vec::new(), HashSet::new());
        for (number, step) in self.shown() {
            // What the provider wants back has its own ids in it; otherwise the same steps are the same request.
            let own: Option<Vec<&str>> = step.actions.iter().map(|action| action.id.as_deref()).collect();
            let own = own.filter(|own| step.replay.is_some() && own.iter().all(|id| used.insert(*id)));
            let id = |i: usize| match own.as_ref().and_then(|own| own.get(i)) {
                Some(id) => (*id).to_owned(),
                None => format!("call_{}_{i}", earlier + number + 1),
            };
            let replay = step.replay.as_ref().filter(|_| own.is_some());
            let mut message = Message::assistant(step.thought.as_str());
            message.replay = replay.cloned();
            for (i, action) in step.actions.iter().enumerate() {
                let mut call = ToolCall::new(name_for_providers(&action.tool), action.arguments.clone());
                call.id = Some(id(i));
                message.tool_calls.push(call);
            }
            messages.push(message);
            for (i, action) in step.actions.iter().enumerate() {
                messages.push(Message::tool(id(i), action.observation.text.as_str()));
            }
        }
        messages
    }

    /// The type of a field that holds it.
    pub(crate) fn type_info() -> TypeInfo {
        TypeInfo::dynamic(TrajectoryType)
    }
}

impl AgentStep {
    /// Whether these are the thought and the calls of the step.
    pub(crate) fn is(&self, next: &NextStep) -> bool {
        let calls = self.actions.iter().map(|action| (&action.tool, &action.arguments));
        self.thought == next.thought && calls.eq(next.calls.iter().map(|call| (&call.name, &call.args)))
    }
}

/// As a model is shown it behind its number.
impl fmt::Display for AgentStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.thought.is_empty() {
            write!(f, "\nthought: {}", self.thought)?;
        }
        for Action { tool, arguments, observation, .. } in &self.actions {
            let arguments = given(arguments);
            write!(f, "\ntool: {tool}\narguments: {arguments}\nobservation: {observation}")?;
        }
        Ok(())
    }
}

/// Arguments as the model wrote them.
fn given(arguments: &Map<String, Value>) -> String {
    match arguments.get(ToolCall::UNPARSED) {
        Some(Value::String(text)) if arguments.len() == 1 => text.clone(),
        _ => Value::Object(arguments.clone()).to_string(),
    }
}

/// A trajectory in a field: data in the trace and in demonstrations, text in prompts and in files.
struct TrajectoryType;

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        value => read_json::<Trajectory>(value).ok().map(|trajectory| trajectory.to_string()),
    }
}

impl DynTypeInfo for TrajectoryType {
    fn name(&self) -> String {
        "Trajectory".into()
    }

    fn schema(&self) -> Schema {
        json_schema!({ "type": "string" })
    }

    fn write_input(&self, value: &Value, out: &mut Content) {
        out.push_str(&text(value).unwrap_or_else(|| value.to_string()));
    }

    fn to_saved(&self, value: &Value) -> Value {
        text(value).map_or_else(|| value.clone(), Value::String)
    }

    fn check(&self, value: &Value) -> Result<(), ReadError> {
        match text(value) {
            Some(_) => Ok(()),
            None => Err(ReadError::new("the steps of an agent", &value.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::steps::Stop, *};

    fn step(n: usize) -> AgentStep {
        AgentStep {
            thought: format!("look {n}"),
            actions: vec![Action {
                tool: "search".into(),
                arguments: Map::from_iter([("query".into(), json!(n))]),
                observation: Observation::new(format!("found {n}")),
                ..Action::default()
            }],
            ..AgentStep::default()
        }
    }

    fn trajectory(steps: usize) -> Trajectory {
        let mut trajectory = Trajectory::new();
        (1..=steps).for_each(|n| trajectory.push(step(n)));
        trajectory
    }

    #[test]
    fn it_is_read_from_what_it_is_written_as() {
        let mut full = trajectory(2);
        full.end(Stop::Unreadable("why".into()));
        full.hide(1);
        let text = serde_json::to_string(&full).unwrap();
        assert_eq!(serde_json::from_str::<Trajectory>(&text).unwrap(), full);
        assert_eq!(serde_json::to_value(trajectory(0)).unwrap(), json!({ "steps": [] }));
    }

    #[test]
    fn the_oldest_steps_are_hidden_but_never_the_last() {
        let mut full = trajectory(3);
        assert!(full.hide(1) && full.hide(2) && !full.hide(4));
        assert_eq!((full.hidden(), full.len()), (2, 3));
        let text = full.to_string();
        assert!(text.starts_with("(the first 2 steps are left out)\n\nStep 3\nthought: look 3"), "{text}");
        assert_eq!(full.messages(0).len(), 2);
        assert!(!Trajectory::new().hide(1));
    }

    #[test]
    fn a_saved_trajectory_is_its_text_and_reads_the_same() {
        let (ty, value) = (Trajectory::type_info(), serde_json::to_value(trajectory(2)).unwrap());
        let saved = ty.to_saved(&value);
        assert_eq!(saved, json!(trajectory(2).to_string()));
        let written = |value: &Value| {
            let mut out = Content::new();
            ty.write_input(value, &mut out);
            out.text().to_owned()
        };
        assert_eq!(written(&saved), written(&value));
        assert!(ty.check(&saved).is_ok() && ty.check(&value).is_ok() && ty.check(&json!(7)).is_err());
    }

    #[test]
    fn long_results_are_cut_at_characters_and_marked() {
        let cut = |most| Observation::of(&json!("äöü"), most).text;
        assert_eq!(cut(Some(2)), "äö\n[1 of 3 characters are left out]");
        assert_eq!((cut(Some(3)), cut(None)), ("äöü".into(), "äöü".into()));
    }
}
