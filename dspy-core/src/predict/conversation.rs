//! What a model should answer, as the conversation in which it would.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{run, sides::SidesOf};
use crate::{
    Error, Result,
    adapter::Adapter,
    context::Guidance,
    lm::{Capabilities, Message, Role, ToolSpec},
    module::Predictor,
    signature::{DynSignature, Field, Record, SignatureSpec},
    value::{ToolCalls, read_json},
};

/// A request with the answer to it.
pub(crate) struct Conversation {
    /// The messages of the request, then the answer.
    pub(crate) messages: Vec<Message>,
    /// The tools that the provider takes apart from the prompt.
    pub(crate) tools: Vec<ToolSpec>,
}

impl Predictor {
    /// What is sent for the inputs among these values, and an answer in the same format that holds the outputs among
    /// them: the one from which they would be read.
    ///
    /// # Errors
    /// [`Error::Other`] naming a value that is missing or not of its type.
    pub(crate) fn conversation(
        &self,
        adapter: &Arc<dyn Adapter>,
        capabilities: Capabilities,
        values: &Map<String, Value>,
    ) -> Result<Conversation> {
        if let Some(agent) = self.agent().filter(|agent| agent.is_native(capabilities)) {
            // What is learnt from stands in the text.
            let mut text = self.same();
            text.set_agent(Some(agent.in_text()));
            return text.conversation(adapter, capabilities, values);
        }
        let spec = self.spec();
        let given = |f: &Field| Some((f.name.clone(), values.get(&f.name)?.clone()));
        let inputs: Record = spec.inputs().filter_map(given).collect();
        // By their types in the specification, as demonstrations are written.
        let sides = SidesOf::<DynSignature>::new(inputs);
        let opening = run::format(self, adapter, capabilities, &sides, &Guidance::default())?;
        let mut messages: Vec<Message> = opening.prompt.messages().cloned().collect();
        messages.push(self.answer(adapter, capabilities, values)?);
        Ok(Conversation { messages, tools: opening.tools })
    }

    fn answer(
        &self,
        adapter: &Arc<dyn Adapter>,
        capabilities: Capabilities,
        values: &Map<String, Value>,
    ) -> Result<Message> {
        let shown = self.shown(capabilities);
        let outputs = outputs(&shown, values)?;
        let wrote = adapter.turns(&shown, &[outputs]).pop().filter(|m| m.role == Role::Assistant);
        let mut message = wrote.unwrap_or_else(|| Message::assistant(""));
        if let Some((_, calls)) = self.native_tools(capabilities)
            && let Some(calls) = values.get(&self.spec().fields[calls].name).filter(|v| !v.is_null())
        {
            message.tool_calls = read_json::<ToolCalls>(calls)?.0;
            for (i, call) in message.tool_calls.iter_mut().enumerate() {
                // Providers know a call by its id, which some models do not give.
                call.id.get_or_insert_with(|| format!("call_{i}"));
            }
        }
        Ok(message)
    }
}

/// The outputs, none of them missing.
fn outputs(spec: &SignatureSpec, values: &Map<String, Value>) -> Result<Map<String, Value>> {
    let mut outputs = Map::new();
    for field in spec.outputs() {
        let null = || field.ty.is_optional().then_some(Value::Null);
        let value = values.get(&field.name).cloned().or_else(|| field.default.clone()).or_else(null);
        let value = value.ok_or_else(|| Error::other(format!("the output `{}` is missing", field.name)))?;
        let fits = field.ty.check(&value);
        fits.map_err(|e| Error::other(format!("`{}` is no `{}`: {e}", field.name, field.ty.name())))?;
        outputs.insert(field.name.clone(), value);
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{adapter::ChatAdapter, predict::Predict};

    fn conversation(signature: &str, capabilities: Capabilities, values: Value) -> Result<Conversation> {
        let program = Predict::dynamic(DynSignature::parse(signature)?);
        let adapter: Arc<dyn Adapter> = Arc::new(ChatAdapter::default());
        let Value::Object(values) = values else { panic!("a map is expected") };
        program.predictor().conversation(&adapter, capabilities, &values)
    }

    #[test]
    fn native_calls_stand_beside_the_text() {
        let signature = "question, tools: list[dspy.Tool] -> note, calls: dspy.ToolCalls";
        let values = json!({
            "question": "who?", "note": "I look.", "tools": [{"name": "search", "description": "finds"}],
            "calls": {"tool_calls": [{"name": "search", "args": {"q": 1}}]}
        });
        let native = conversation(signature, Capabilities::all(), values.clone()).unwrap();
        let answer = native.messages.last().unwrap();
        assert_eq!(answer.content.text(), "[[ ## note ## ]]\nI look.\n\n[[ ## completed ## ]]");
        let call = &answer.tool_calls[0];
        assert_eq!((call.name.as_str(), call.id.as_deref()), ("search", Some("call_0")));
        assert_eq!((native.tools.len(), native.messages.len()), (1, 3));

        let written = conversation(signature, Capabilities::none(), values).unwrap();
        let answer = written.messages.last().unwrap();
        assert!(answer.content.text().contains("[[ ## calls ## ]]\n") && answer.tool_calls.is_empty());
        assert!(written.tools.is_empty());
    }

    #[test]
    fn what_is_missing_or_no_such_value_is_named() {
        let message = |values| {
            let made = conversation("question -> answer, sure: bool", Capabilities::none(), values);
            made.err().unwrap().to_string()
        };
        assert!(message(json!({"answer": "a", "sure": true})).contains("the input `question` is missing"));
        assert!(message(json!({"question": "q", "answer": "a"})).contains("the output `sure` is missing"));
        let wrong = message(json!({"question": "q", "answer": "a", "sure": 7}));
        assert!(wrong.starts_with("`sure` is no `bool`"), "{wrong}");
    }
}
