//! The body of a request for a chat completion, read parameter by parameter, so that each mistake is named.

use dspy::lm::{Capabilities, Message, Options, Request, ResponseFormat, Role, ToolCall, ToolSpec};
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value, json};

use super::ApiError;

type Result<T> = std::result::Result<T, ApiError>;

/// The most answers that one request may draw.
const MAX_N: u32 = 128;

/// The most likely tokens that are told beside each token of an answer.
const MAX_TOP_LOGPROBS: u64 = 20;

/// Parameters that tell the provider something about the client and change no answer.
const IGNORED: &[&str] =
    &["metadata", "prompt_cache_key", "safety_identifier", "service_tier", "store", "user"];

/// Makes the value of a parameter that asks for nothing.
type Neutral = fn() -> Value;

/// Parameters that are known but not carried out, with the value that asks for nothing.
const NEUTRAL: &[(&str, Neutral)] = &[
    ("audio", || Value::Null),
    ("frequency_penalty", || json!(0)),
    ("function_call", || json!("none")),
    ("functions", || json!([])),
    ("logit_bias", || json!({})),
    ("modalities", || json!(["text"])),
    ("prediction", || Value::Null),
    ("presence_penalty", || json!(0)),
    ("reasoning_effort", || json!("none")),
    ("verbosity", || json!("medium")),
    ("web_search_options", || Value::Null),
];

/// What a client asks for.
#[derive(Debug)]
pub struct Chat {
    /// The model that it names.
    pub model: String,
    pub request: Request,
    /// Whether the answer is sent as it is generated.
    pub stream: bool,
    /// Whether the last event of a stream tells the usage.
    pub include_usage: bool,
}

impl Chat {
    /// Reads a body for a model that can do this.
    pub fn read(body: &[u8], can: Capabilities) -> Result<Self> {
        let fields = match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err(ApiError::bad("the body must be a JSON object")),
            Err(e) => return Err(ApiError::bad(format!("the body is no JSON: {e}")).code("invalid_json")),
        };
        let mut fields = Fields(fields);
        let model: String = fields.needed("model", "a text")?;
        let entries: Vec<Value> = fields.needed("messages", "a list of messages")?;
        if entries.is_empty() {
            return Err(ApiError::parameter("messages", "`messages` must have at least one message"));
        }
        let messages = entries.into_iter().enumerate().map(|(i, entry)| message(i, entry));

        let mut request = Request::new(messages.collect::<Result<Vec<_>>>()?);
        request.cache = false;
        request.options = fields.options()?;
        request.format = fields.format(can)?;
        request.tools = fields.tools(can)?;

        let stream = fields.take("stream", "true or false")?.unwrap_or(false);
        let include_usage = fields.stream_options(stream)?;
        fields.end()?;
        Ok(Self { model, request, stream, include_usage })
    }
}

/// The parameters that are still to be read.
struct Fields(Map<String, Value>);

impl Fields {
    /// The value of a parameter; none when it is missing or null.
    fn take<T: DeserializeOwned>(&mut self, name: &str, expected: &str) -> Result<Option<T>> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => typed(name, value, expected).map(Some),
        }
    }

    fn needed<T: DeserializeOwned>(&mut self, name: &str, expected: &str) -> Result<T> {
        self.take(name, expected)?.ok_or_else(|| {
            ApiError::parameter(name, format!("`{name}` is missing: {expected}"))
                .code("missing_required_parameter")
        })
    }

    fn within(&mut self, name: &str, low: f64, high: f64) -> Result<Option<f64>> {
        let value: Option<f64> = self.take(name, "a number")?;
        match value {
            Some(v) if !(low..=high).contains(&v) => {
                Err(ApiError::parameter(name, format!("`{name}` must be from {low} to {high}, not {v}")))
            }
            value => Ok(value),
        }
    }

    fn count(&mut self, name: &str, most: u32) -> Result<Option<u32>> {
        let value: Option<u64> = self.take(name, "a whole number from 1 up")?;
        let Some(value) = value else { return Ok(None) };
        match u32::try_from(value) {
            Ok(v) if (1..=most).contains(&v) => Ok(Some(v)),
            _ => Err(ApiError::parameter(name, format!("`{name}` must be from 1 to {most}, not {value}"))),
        }
    }

    fn options(&mut self) -> Result<Options> {
        let mut options = Options::new();
        options.temperature = self.within("temperature", 0.0, 2.0)?;
        options.top_p = self.within("top_p", 0.0, 1.0)?;
        if options.top_p == Some(0.0) {
            return Err(ApiError::parameter(
                "top_p",
                "`top_p` must be above 0; for the likeliest token, set `temperature` to 0",
            ));
        }
        let newer = self.count("max_completion_tokens", u32::MAX)?;
        let older = self.count("max_tokens", u32::MAX)?;
        options.max_tokens = newer.or(older);
        if newer.is_some() && older.is_some() && newer != older {
            let message = "`max_tokens` and `max_completion_tokens` mean the same; give one of them";
            return Err(ApiError::parameter("max_tokens", message));
        }
        options.n = self.count("n", MAX_N)?;
        // OpenAI's seeds may be negative: their bits are kept.
        let seed: Option<Number> = self.take("seed", "a whole number")?;
        options.seed = seed.as_ref().map(bits).transpose()?;
        options.stop = match self.take("stop", "a text or a list of texts")? {
            None => Vec::new(),
            Some(Value::String(text)) => vec![text],
            Some(value) => typed("stop", value, "a text or a list of texts")?,
        };
        if options.stop.iter().any(String::is_empty) {
            return Err(ApiError::parameter("stop", "an empty text in `stop` would stop every answer"));
        }
        // The library knows these as parameters of the model.
        if let Some(top_k) = self.take::<u32>("top_k", "a whole number from 0 up")? {
            options = options.extra("top_k", top_k);
        }
        let logprobs = self.take("logprobs", "true or false")?.unwrap_or(false);
        let top: u64 = self.take("top_logprobs", "a whole number from 0 up")?.unwrap_or(0);
        if top > 0 && !logprobs {
            return Err(ApiError::parameter(
                "top_logprobs",
                "`top_logprobs` goes with `logprobs: true` only",
            ));
        }
        if top > MAX_TOP_LOGPROBS {
            let message = format!("`top_logprobs` must be from 0 to {MAX_TOP_LOGPROBS}, not {top}");
            return Err(ApiError::parameter("top_logprobs", message));
        }
        if logprobs {
            options = options.extra("logprobs", true);
        }
        if top > 0 {
            options = options.extra("top_logprobs", top);
        }
        Ok(options)
    }

    fn format(&mut self, can: Capabilities) -> Result<ResponseFormat> {
        const NAME: &str = "response_format";
        let Some(mut format) = self.take::<Map<String, Value>>(NAME, "an object")? else {
            return Ok(ResponseFormat::Text);
        };
        match format.get("type").and_then(Value::as_str) {
            Some("text") => Ok(ResponseFormat::Text),
            Some("json_object") if can.json_object => Ok(ResponseFormat::JsonObject),
            Some("json_schema") if can.json_schema => {
                let mut given = match format.remove("json_schema") {
                    Some(Value::Object(given)) => given,
                    _ => return Err(missing("response_format.json_schema")),
                };
                let name = given.get("name").and_then(Value::as_str).unwrap_or("answer").to_owned();
                let schema = given.remove("schema");
                let schema = schema.ok_or_else(|| missing("response_format.json_schema.schema"))?;
                Ok(ResponseFormat::JsonSchema { name, schema: schema.into() })
            }
            Some(kind @ ("json_object" | "json_schema")) => {
                Err(unsupported(NAME, &format!("this model cannot be held to `{kind}`")))
            }
            _ => {
                let message = "`response_format.type` must be `text`, `json_object` or `json_schema`";
                Err(ApiError::parameter("response_format.type", message))
            }
        }
    }

    fn tools(&mut self, can: Capabilities) -> Result<Vec<ToolSpec>> {
        let given: Vec<Value> = self.take("tools", "a list of tools")?.unwrap_or_default();
        let choice: Option<Value> = self.take("tool_choice", "a text or an object")?;
        let _parallel: Option<bool> = self.take("parallel_tool_calls", "true or false")?;
        match choice.as_ref().map(|choice| choice.as_str().unwrap_or_default()) {
            None | Some("auto") => {}
            Some("none") => return Ok(Vec::new()),
            Some(_) => return Err(unsupported("tool_choice", "the choice is left to the model (`auto`)")),
        }
        if !given.is_empty() && !can.tools {
            return Err(unsupported("tools", "this model calls no tools"));
        }
        given
            .into_iter()
            .enumerate()
            .map(|(i, mut tool)| {
                let at = format!("tools[{i}].function");
                typed(&at, tool["function"].take(), "a function with its name and parameters")
            })
            .collect()
    }

    /// Whether the usage is to be told at the end of a stream.
    fn stream_options(&mut self, stream: bool) -> Result<bool> {
        const NAME: &str = "stream_options";
        let Some(options) = self.take::<Map<String, Value>>(NAME, "an object")? else { return Ok(false) };
        if !stream {
            return Err(ApiError::parameter(NAME, "`stream_options` goes with `stream: true` only"));
        }
        let mut options = Self(options);
        let include_usage = options.take("include_usage", "true or false")?.unwrap_or(false);
        // Padding against eavesdroppers on the lengths of the pieces: not done here.
        let _: Option<bool> = options.take("include_obfuscation", "true or false")?;
        match options.0.keys().next() {
            Some(name) => Err(unknown(&format!("{NAME}.{name}"))),
            None => Ok(include_usage),
        }
    }

    /// Refuses what was not read.
    fn end(self) -> Result<()> {
        for (name, value) in self.0 {
            if value.is_null() || IGNORED.contains(&&*name) {
                continue;
            }
            match NEUTRAL.iter().find(|(known, _)| *known == name) {
                Some((_, neutral)) if same(&value, &neutral()) => {}
                Some(_) => return Err(unsupported(&name, "leave it out")),
                None => return Err(unknown(&name)),
            }
        }
        Ok(())
    }
}

fn bits(seed: &Number) -> Result<u64> {
    let signed = || seed.as_i64().map(i64::cast_unsigned);
    let message = || format!("`seed` must be a whole number of 64 bits, not {seed}");
    seed.as_u64().or_else(signed).ok_or_else(|| ApiError::parameter("seed", message()))
}

/// Whether two values are equal, numbers whatever their form.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn typed<T: DeserializeOwned>(name: &str, value: Value, expected: &str) -> Result<T> {
    let found = match &value {
        Value::Null => "null".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        Value::String(_) => "a text".into(),
        plain => plain.to_string(),
    };
    serde_json::from_value(value).map_err(|e| {
        let message = format!("`{name}` must be {expected}; found {found} ({e})");
        ApiError::parameter(name, message).code("invalid_type")
    })
}

fn missing(name: &str) -> ApiError {
    ApiError::parameter(name, format!("`{name}` is missing")).code("missing_required_parameter")
}

fn unsupported(name: &str, why: &str) -> ApiError {
    ApiError::parameter(name, format!("`{name}` is not supported here: {why}")).code("unsupported_parameter")
}

fn unknown(name: &str) -> ApiError {
    ApiError::parameter(name, format!("the parameter `{name}` is unknown")).code("unknown_parameter")
}

/// The message number `i`.
fn message(i: usize, entry: Value) -> Result<Message> {
    let at = |field: &str| format!("messages[{i}].{field}");
    let mut fields = Fields(typed(&format!("messages[{i}]"), entry, "an object")?);
    let role = match fields.0.remove("role").as_ref().and_then(Value::as_str) {
        Some("system" | "developer") => Role::System,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("tool") => Role::Tool,
        _ => {
            let message = "the role must be `system`, `developer`, `user`, `assistant` or `tool`";
            return Err(ApiError::parameter(at("role"), message));
        }
    };
    let calls = match fields.0.remove("tool_calls") {
        None | Some(Value::Null) => Vec::new(),
        Some(calls) => typed::<Vec<Value>>(&at("tool_calls"), calls, "a list")?,
    };
    let content = match fields.0.remove("content") {
        None | Some(Value::Null) if role == Role::Assistant => String::new(),
        None | Some(Value::Null) => return Err(missing(&at("content"))),
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => text_of(&at("content"), &parts)?,
        Some(_) => {
            let message = "the content must be a text or a list of parts";
            return Err(ApiError::parameter(at("content"), message).code("invalid_type"));
        }
    };
    let mut message = Message::new(role, content);
    message.tool_call_id = fields.take("tool_call_id", "a text")?;
    message.tool_calls = calls.iter().map(tool_call).collect();
    if role == Role::Tool && message.tool_call_id.is_none() {
        return Err(missing(&at("tool_call_id")));
    }
    Ok(message)
}

/// The texts of a content that is given in parts.
fn text_of(at: &str, parts: &[Value]) -> Result<String> {
    let mut text = String::new();
    for (i, part) in parts.iter().enumerate() {
        match (part["type"].as_str(), part["text"].as_str()) {
            (Some("text"), Some(piece)) => text.push_str(piece),
            (kind, _) => {
                let kind = kind.unwrap_or_default();
                let message = format!("only parts of type `text` with a `text` are taken, not `{kind}`");
                return Err(ApiError::parameter(format!("{at}[{i}]"), message));
            }
        }
    }
    Ok(text)
}

fn tool_call(call: &Value) -> ToolCall {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let function = &call["function"];
    ToolCall::from_text(text(&call["id"]), text(&function["name"]), &text(&function["arguments"]))
}
