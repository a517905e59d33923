//! What a predictor has that decides on the next step of an agent: tools, and how the model is told of them.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    Result,
    adapter::{Adapter, Demo, given, prompt},
    lm::{Capabilities, Choice, Message, Role},
    signature::{FieldRole, Section, Sections, SignatureSpec},
    tool::{
        ARGUMENTS, FINISH, THOUGHT, TOOL, TRAJECTORY, ToolSet, ToolWords, Trajectory, name_for_providers,
        tool_names, written_calls,
    },
    value::{Content, Kind, Turn, read_json},
};

/// The tools of a predictor, and how it calls them.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    tools: ToolSet,
    /// Whether tools are called natively; `None` where the model can.
    native: Option<bool>,
    /// The signature of earlier turns: the inputs, the steps, and the outputs of the agent.
    turns: Arc<SignatureSpec>,
}

impl Agent {
    pub(crate) fn new(tools: ToolSet, native: Option<bool>, turns: SignatureSpec) -> Self {
        Self { tools, native, turns: turns.into() }
    }

    pub(crate) fn tools(&self) -> &ToolSet {
        &self.tools
    }

    /// The signature of earlier turns.
    pub(crate) fn turns(&self) -> &SignatureSpec {
        &self.turns
    }

    /// Takes words, and has the signature name the tools so.
    pub(super) fn set_words(&mut self, words: &[ToolWords], spec: &mut SignatureSpec) -> Result<(), String> {
        self.tools.set_words(words)?;
        self.rename(spec);
        Ok(())
    }

    pub(super) fn reset(&mut self, spec: &mut SignatureSpec) {
        self.tools.reset();
        self.rename(spec);
    }

    fn rename(&self, spec: &mut SignatureSpec) {
        let names: Vec<String> = self.tools.names().map(str::to_owned).collect();
        if let Some(field) = spec.fields.iter_mut().find(|field| field.name == TOOL) {
            field.ty = tool_names(&names);
        }
    }

    /// The same, for a prompt in text.
    pub(crate) fn in_text(&self) -> Self {
        Self { native: Some(false), ..self.clone() }
    }

    pub(crate) fn is_native(&self, capabilities: Capabilities) -> bool {
        self.native.unwrap_or(capabilities.tools)
    }

    /// The signature as the prompt shows it.
    pub(super) fn shown(&self, mut spec: SignatureSpec, capabilities: Capabilities) -> SignatureSpec {
        if self.is_native(capabilities) {
            let beside = |f: &crate::signature::Field| f.role == FieldRole::Output || f.name == TRAJECTORY;
            spec.fields.retain(|f| !beside(f) && *f.kind() != Kind::History);
        } else {
            spec.instructions.push_str(&self.protocol());
        }
        spec
    }

    /// What a model is told that is asked for steps in text, after the instructions.
    pub(super) fn protocol(&self) -> String {
        let (finish, outputs) = (self.finish(), prompt::names(self.outputs()));
        format!(
            "\n\nWork on this in steps, with tools. `{TRAJECTORY}` holds your steps so far. Each time, write what you think \
             of them and what is still missing (`{THOUGHT}`), the tool to call next (`{TOOL}`) and its arguments as a JSON \
             object (`{ARGUMENTS}`). What the tool gives is added to `{TRAJECTORY}`. As soon as `{TRAJECTORY}` has all that \
             is needed for {outputs}, call `{finish}`; {outputs} will be asked for afterwards.\n\nThe tools:\n{}",
            self.tools.list()
        )
    }

    /// The system message for a model that calls tools natively: the inputs, the task, and the demonstrations.
    pub(super) fn native_prefix(
        &self,
        adapter: &dyn Adapter,
        spec: &SignatureSpec,
        shown: &SignatureSpec,
        demos: &[Demo],
    ) -> Vec<Message> {
        let finish = &self.finish();
        let outputs = prompt::names(self.outputs());
        let how = format!(
            "Work on the task below in steps: call the tools that you are given until you know what is needed for \
             {outputs}, then call `{finish}`. Say in a sentence or two what you think before you call. {outputs} will be \
             asked for afterwards, from what you found."
        );
        let mut system = prompt::describe(shown, &how);
        for (i, demo) in demos.iter().enumerate() {
            let values: Vec<_> = spec
                .fields
                .iter()
                .filter(|f| *f.kind() != Kind::History)
                .filter_map(|f| Some((f, Some(given(f, &demo.fields)?))))
                .collect();
            system.push_str(if i == 0 { "\n\nExamples of a next step:\n\n" } else { "\n\n---\n\n" });
            let mut example = Content::new();
            example.append(prompt::write_fields(&adapter, &values));
            system.push_str(example.text().trim_end());
        }
        vec![Message::system(system)]
    }

    /// The messages of earlier turns, of the question and of the steps since, for a model that calls tools natively.
    pub(crate) fn native_tail(
        &self,
        adapter: &dyn Adapter,
        turns: &[Turn],
        question: Message,
        steps: Option<&Value>,
    ) -> Result<Vec<Message>> {
        let mut tail = Vec::new();
        let mut earlier = 0;
        for turn in turns {
            let steps = turn.get(TRAJECTORY).and_then(|steps| read_json::<Trajectory>(steps).ok());
            let mut plain = turn.clone();
            // A trajectory that is text only stays in the message of the user.
            if steps.is_some() {
                plain.shift_remove(TRAJECTORY);
            }
            let mut messages = adapter.turns(&self.turns, &[plain]);
            if let Some(steps) = steps {
                let at = messages.iter().position(|m| m.role == Role::Assistant).unwrap_or(messages.len());
                messages.splice(at..at, steps.messages(earlier));
                earlier += steps.len();
            }
            tail.extend(messages);
        }
        tail.push(question);
        if let Some(steps) = steps {
            tail.extend(read_json::<Trajectory>(steps)?.messages(earlier));
        }
        Ok(tail)
    }

    /// The fields of a step in an answer with native calls. An answer without any ends the work, unless it is a step in
    /// text, or has the calls in its text, where some servers leave them.
    pub(crate) fn sections<'r>(
        &self,
        adapter: &dyn Adapter,
        spec: &SignatureSpec,
        choice: &'r Choice,
    ) -> Sections<'r> {
        let places = (spec.position(THOUGHT), spec.position(TOOL), spec.position(ARGUMENTS));
        let mut sections = Sections::new();
        let (Some(thought), Some(tool), Some(arguments)) = places else { return sections };
        if choice.tool_calls.is_empty()
            && let Ok(written) = adapter.parse(spec, choice)
            && written.get(tool).is_some()
        {
            return written;
        }
        let known = |name: &str| self.tools.find(name).is_some();
        let (said, calls) = match choice.tool_calls.is_empty() {
            false => (choice.text.trim().into(), choice.tool_calls.clone()),
            true => {
                written_calls(&choice.text, &known).unwrap_or_else(|| (choice.text.trim().into(), Vec::new()))
            }
        };
        sections.insert(thought, Section::text(said));
        let name =
            |name: &str| if name.trim().is_empty() { name_for_providers(name) } else { name.to_owned() };
        let (mut names, mut all): (Vec<Value>, Vec<Value>) =
            calls.into_iter().map(|call| (name(&call.name).into(), call.args.into())).unzip();
        if names.is_empty() {
            names.push(self.finish().into());
            all.push(Map::new().into());
        }
        let one_or_all = |mut values: Vec<Value>| match values.len() {
            1 => values.remove(0),
            _ => values.into(),
        };
        sections.insert(tool, Section::json(one_or_all(names).to_string()));
        sections.insert(arguments, Section::json(one_or_all(all).to_string()));
        sections.ended = !choice.tool_calls.is_empty();
        sections
    }

    /// The name under which the model ends its work.
    fn finish(&self) -> String {
        let finish = self.tools.words().iter().find(|words| words.tool == FINISH);
        finish.map_or(FINISH, |words| &words.name).to_owned()
    }

    fn outputs(&self) -> impl Iterator<Item = &crate::signature::Field> {
        self.turns.outputs()
    }
}
