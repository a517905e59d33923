//! What a cached answer is found by.

use sha2::{Digest, Sha256};

use super::digest::{Key, messages, number, object, optional, text, value};
use crate::lm::{LanguageModel, Options, Request, ResponseFormat, ToolChoice, private::is_secret_header};

/// Changes whenever what is hashed changes its form, so that no entry is ever read under a key of another meaning.
pub(super) const FORMAT: u64 = 2;

impl Key {
    pub(crate) fn of(model: &dyn LanguageModel, request: &Request) -> Self {
        let mut h = messages(request.prompt.prefix.hasher(), &request.prompt.tail);
        h.update([END]);
        number(&mut h, FORMAT);
        text(&mut h, model.id());
        text(&mut h, model.endpoint());
        text(&mut h, model.variant());
        options(&mut h, &request.options);
        match &request.format {
            ResponseFormat::Text => h.update([0]),
            ResponseFormat::JsonObject => h.update([1]),
            ResponseFormat::JsonSchema { name, schema } => {
                h.update([2]);
                text(&mut h, name);
                value(&mut h, schema);
            }
        }
        number(&mut h, request.tools.len() as u64);
        for tool in &request.tools {
            text(&mut h, &tool.name);
            text(&mut h, &tool.description);
            value(&mut h, &tool.parameters);
        }
        match &request.tool_choice {
            ToolChoice::Auto => h.update([0]),
            ToolChoice::None => h.update([1]),
            ToolChoice::Required => h.update([2]),
            ToolChoice::Tool(name) => {
                h.update([3]);
                text(&mut h, name);
            }
        }
        number(&mut h, request.rollout);
        Self(h.finalize().into())
    }
}

/// How models are reached and asked, as text: what of it decides their answers, and no secret.
pub(crate) fn setups<'a>(models: impl Iterator<Item = (&'a dyn LanguageModel, &'a Options)>) -> String {
    let mut h = Sha256::new();
    for (model, own) in models {
        for part in [model.id(), model.endpoint(), model.variant()] {
            text(&mut h, part);
        }
        options(&mut h, own);
    }
    h.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Marks the end of the messages; no role has this number.
const END: u8 = 0xFF;

fn options(h: &mut Sha256, o: &Options) {
    for float in [o.temperature, o.top_p] {
        // Adding zero makes one of the two zeros, which mean the same.
        optional(h, float.map(|f| (f + 0.0).to_bits()));
    }
    optional(h, o.max_tokens.map(u64::from));
    optional(h, o.seed);
    optional(h, o.n.map(u64::from));
    optional(h, o.reasoning_effort.map(|effort| effort as u64));
    optional(h, o.logprobs.map(u64::from));
    number(h, o.stop.len() as u64);
    for stop in &o.stop {
        text(h, stop);
    }
    object(h, &o.extra);
    let open = || o.headers.iter().filter(|(name, _)| !is_secret_header(name));
    number(h, open().count() as u64);
    for (name, header) in open() {
        text(h, &name.to_ascii_lowercase());
        text(h, header);
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Arc};

    use serde_json::json;

    use super::*;
    use crate::{
        LmError,
        lm::{BoxFuture, Message, Prefix, Prompt, ReasoningEffort, Replay, Response, ToolCall, ToolSpec},
        value::{Content, Part},
    };

    struct Named(&'static str, &'static str);

    impl LanguageModel for Named {
        fn id(&self) -> &str {
            self.0
        }
        fn endpoint(&self) -> &str {
            self.1
        }
        fn generate<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
            Box::pin(async { Ok(Response::text("")) })
        }
    }

    fn key(request: &Request) -> [u8; 32] {
        Key::of(&Named("p/m", "here"), request).0
    }

    fn base() -> Request {
        Request::new(vec![Message::system("be brief"), Message::user("hi")])
    }

    #[test]
    fn the_same_messages_have_one_key_wherever_the_prefix_ends() {
        let all = [Message::system("be brief"), Message::user("hi")];
        for split in 0..=2 {
            let prefix = Arc::new(Prefix::new(all[..split].to_vec()));
            let request = Request::new(Prompt::new(prefix, all[split..].to_vec()));
            assert_eq!(key(&request), key(&base()));
            assert_eq!(key(&request), key(&base()), "the remembered prefix gives the same");
        }
    }

    #[test]
    fn whatever_decides_the_answer_is_in_the_key() {
        let mut variants = vec![base()];
        let mut vary = |change: &dyn Fn(&mut Request)| {
            let mut request = base();
            change(&mut request);
            variants.push(request);
        };
        vary(&|r| r.prompt.tail[1] = Message::user("hi!"));
        vary(&|r| r.prompt.tail[1].role = crate::lm::Role::Assistant);
        vary(&|r| {
            r.prompt.tail.pop();
        });
        vary(&|r| r.prompt.tail[1].tool_calls.push(ToolCall::from_text("1", "f", "{}")));
        vary(&|r| r.prompt.tail[1].tool_call_id = Some(String::new()));
        vary(&|r| {
            let mut content = Content::from("hi");
            content.push_part(Part::new("image", json!({"url": "u"})));
            r.prompt.tail[1].content = content;
        });
        vary(&|r| {
            let mut content = Content::from("");
            content.push_part(Part::new("image", json!({"url": "u"})));
            content.push_str("hi");
            r.prompt.tail[1].content = content;
        });
        vary(&|r| r.options.temperature = Some(1.0));
        vary(&|r| r.options.top_p = Some(1.0));
        vary(&|r| r.options.max_tokens = Some(1));
        vary(&|r| r.options.seed = Some(1));
        vary(&|r| r.options.n = Some(1));
        vary(&|r| r.options.reasoning_effort = Some(ReasoningEffort::Low));
        vary(&|r| r.options.logprobs = Some(0));
        vary(&|r| r.options = Options::new().header("x-a", "1"));
        vary(&|r| r.options = Options::new().header("x-a", "2"));
        vary(&|r| r.tool_choice = ToolChoice::Required);
        vary(&|r| r.tool_choice = ToolChoice::Tool("f".into()));
        vary(&|r| {
            let (wire, json) = ("w".into(), "[1]".into());
            r.prompt.tail[1].replay = Some(Arc::new(Replay { wire, json }));
        });
        vary(&|r| r.options.stop = vec!["a".into(), "b".into()]);
        vary(&|r| r.options.stop = vec!["ab".into()]);
        vary(&|r| {
            r.options.extra.insert("a".into(), json!(1));
        });
        vary(&|r| {
            r.options.extra.insert("a".into(), json!("1"));
        });
        vary(&|r| r.format = ResponseFormat::JsonObject);
        vary(&|r| r.format = ResponseFormat::JsonSchema { name: "s".into(), schema: Arc::new(json!({})) });
        vary(&|r| {
            r.tools.push(ToolSpec { name: "f".into(), description: String::new(), parameters: json!({}) });
        });
        vary(&|r| r.rollout = 1);
        let mut keys: HashSet<_> = variants.iter().map(key).collect();
        assert_eq!(keys.len(), variants.len());
        keys.insert(Key::of(&Named("p/m2", "here"), &base()).0);
        keys.insert(Key::of(&Named("p/m", "there"), &base()).0);
        assert_eq!(keys.len(), variants.len() + 2);
    }

    #[test]
    fn secrets_are_in_no_key() {
        let with = |secret: &str| {
            let mut request = base();
            request.options = Options::new().header("Authorization", secret).header("x-api-key", secret);
            key(&request)
        };
        assert_eq!(with("one"), with("two"));
        assert_eq!(with("one"), key(&base()));
    }

    #[test]
    fn how_an_object_was_put_together_does_not_matter() {
        let with = |names: [&str; 3]| {
            let mut request = base();
            for name in names {
                request.options.extra.insert(name.into(), json!({ "x": 1, "y": name }));
            }
            key(&request)
        };
        assert_eq!(with(["a", "b", "c"]), with(["c", "a", "b"]));
    }
}
