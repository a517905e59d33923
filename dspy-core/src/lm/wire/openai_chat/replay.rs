//! What servers want back with the results of the tools that an answer calls.
//!
//! DeepSeek's models, and others that think, refuse the results of tools without `reasoning_content`; OpenRouter has what
//! they want in `reasoning_details`, and Google's server in `extra_content` of calls. `reasoning` alone is wanted by none,
//! and refused by some.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::lm::{Replay, ToolCall};

/// The name of the protocol.
pub(super) const WIRE: &str = "openai_chat";

/// What came with an answer.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// The thinking, where it is called `reasoning_content`.
    pub(super) reasoning_content: String,
    pub(super) reasoning_details: Vec<Value>,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reasoning_content: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reasoning_details: &'a [Value],
    tool_calls: Vec<Called<'a>>,
}

#[derive(Serialize)]
struct Called<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Function<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<&'a Value>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: String,
}

/// The answer as its server wants it back; `None` where it is a message like any other. Each call comes with what its
/// server said of it besides.
pub(super) fn replay(
    text: &str,
    beside: &Beside,
    calls: &[ToolCall],
    extras: &[Option<Value>],
) -> Option<Arc<Replay>> {
    let plain = beside.reasoning_content.is_empty() && beside.reasoning_details.is_empty();
    // Without ids the results would refer to nothing.
    if calls.is_empty()
        || plain && extras.iter().all(Option::is_none)
        || calls.iter().any(|call| call.id.is_none())
    {
        return None;
    }
    let called = calls.iter().enumerate().map(|(i, call)| Called {
        id: call.id.as_deref().unwrap_or_default(),
        r#type: "function",
        function: Function {
            name: &call.name,
            arguments: match call.unparsed() {
                Some(raw) => raw.to_owned(),
                None => serde_json::to_string(&call.args).unwrap_or_default(),
            },
        },
        extra_content: extras.get(i).and_then(Option::as_ref),
    });
    let said = Said {
        role: "assistant",
        content: Some(text).filter(|text| !text.is_empty()),
        reasoning_content: &beside.reasoning_content,
        reasoning_details: &beside.reasoning_details,
        tool_calls: called.collect(),
    };
    let json = serde_json::to_string(&[said]).ok()?;
    Some(Replay { wire: WIRE.into(), json }.into())
}
