//! Text to tokens and back.

use std::{borrow::Cow, collections::HashMap, path::Path};

use candle_core::quantized::{
    gguf_file::{Content, Value as GgufValue},
    tokenizer::TokenizerFromGguf,
};
use serde::Deserialize;
use serde_json::Value;
use tokenizers::{AddedToken, Tokenizer};

use crate::{
    error::{Error, in_file},
    message::Message,
    template::Template,
};

/// A tokenizer with the chat template that goes with it.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    tokenizer: Tokenizer,
    template: Option<Template>,
    /// Texts that stand for one token with a meaning of its own.
    specials: Vec<String>,
    /// The token that ends a text.
    pub(crate) eos: Option<u32>,
}

/// `tokenizer_config.json`, as far as it matters here.
#[derive(Default, Deserialize)]
struct TokenizerConfig {
    chat_template: Option<Value>,
    bos_token: Option<Value>,
    eos_token: Option<Value>,
}

/// A token is written as its text, or as an object that describes it.
fn token_text(value: Option<&Value>) -> String {
    let value = match value {
        Some(Value::Object(entries)) => entries.get("content"),
        other => other,
    };
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A template is one text, or several with names.
fn template_text(value: &Value) -> Option<&str> {
    match value {
        Value::Array(several) => several
            .iter()
            .find(|t| t.get("name").is_some_and(|name| name == "default"))
            .or(several.first())?
            .get("template")?
            .as_str(),
        one => one.as_str(),
    }
}

/// The tokens of a GGUF file that are never cut but are text like any other, as Qwen's `<think>`. In the types of the
/// tokens, they and those that are not used become normal ones, so that they are not taken for tokens with a meaning
/// of their own.
fn plain_tokens(metadata: &mut HashMap<String, GgufValue>) -> Vec<AddedToken> {
    const NORMAL: i32 = 1;
    const USER_DEFINED: i64 = 4;
    const UNUSED: i64 = 5;
    let Some(GgufValue::Array(mut types)) = metadata.remove("tokenizer.ggml.token_type") else {
        return Vec::new();
    };
    let mut plain = Vec::new();
    for (i, kind) in types.iter_mut().enumerate() {
        let number =
            kind.to_i32().map(i64::from).or_else(|_| kind.to_u32().map(i64::from)).unwrap_or_default();
        if number != USER_DEFINED && number != UNUSED {
            continue;
        }
        if number == USER_DEFINED
            && let Some(GgufValue::Array(tokens)) = metadata.get("tokenizer.ggml.tokens")
            && let Some(token) = tokens.get(i).and_then(|token| token.to_string().ok())
        {
            plain.push(AddedToken::from(token.clone(), false).normalized(false));
        }
        *kind = GgufValue::I32(NORMAL);
    }
    metadata.insert("tokenizer.ggml.token_type".into(), GgufValue::Array(types));
    plain
}

impl Vocabulary {
    /// `tokenizer.json`, with the template of `chat_template.jinja` or `tokenizer_config.json`.
    pub(crate) fn of_directory(place: &Path) -> Result<Self, Error> {
        let path = place.join("tokenizer.json");
        if !path.exists() {
            let sentencepiece = place.join("tokenizer.model").exists();
            let more = if sentencepiece { " (a tokenizer.model cannot be read: convert it)" } else { "" };
            return Err(in_file(place, format!("holds no tokenizer.json{more}")));
        }
        let text = std::fs::read_to_string(&path).map_err(|e| in_file(&path, e))?;
        // Unlike `from_file`, which is generic, this is compiled once, with its own crate.
        let tokenizer: Tokenizer =
            text.parse().map_err(|e| in_file(&path, format!("is no tokenizer: {e}")))?;
        let path = place.join("tokenizer_config.json");
        let config: TokenizerConfig = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|e| in_file(&path, e))?,
            Err(_) => TokenizerConfig::default(),
        };
        let file = place.join("chat_template.jinja");
        let source = match std::fs::read_to_string(&file) {
            Ok(source) => Some((file, source)),
            Err(_) => config.chat_template.as_ref().and_then(template_text).map(|t| (path, t.to_owned())),
        };
        let [bos, eos] = [&config.bos_token, &config.eos_token].map(|token| token_text(token.as_ref()));
        let eos_id = tokenizer.token_to_id(&eos);
        let template = source
            .map(|(path, source)| {
                Template::new(&source, bos, eos)
                    .map_err(|e| in_file(&path, format!("the chat template is broken: {e}")))
            })
            .transpose()?;
        Ok(Self::new(tokenizer, template, eos_id))
    }

    /// What the metadata of a GGUF file say. Files beside it, as of a directory, come first.
    pub(crate) fn of_gguf(path: &Path, content: &Content) -> Result<Self, Error> {
        if let Some(place) = path.parent()
            && place.join("tokenizer.json").exists()
        {
            return Self::of_directory(place);
        }
        let text = |name: &str| content.metadata.get(name).and_then(|v| v.to_string().ok());
        let cure = "put the model's tokenizer.json beside the file";
        match text("tokenizer.ggml.model").map(String::as_str) {
            Some("gpt2") => {}
            Some(other) => {
                return Err(in_file(path, format!("has a tokenizer of the kind {other}; {cure}")));
            }
            None => return Err(in_file(path, format!("holds no tokenizer; {cure}"))),
        }
        // How text is cut before merging goes by names that llama.cpp gives.
        let pre = text("tokenizer.ggml.pre").map_or("default", String::as_str);
        let known = match pre {
            "default" | "gpt-2" | "gpt2" => "gpt2",
            "llama-bpe" | "llama3" | "llama-v3" | "smaug-bpe" => "llama3",
            "qwen2" => "qwen2",
            "smollm" => "smollm",
            other => {
                return Err(in_file(
                    path,
                    format!("cuts text in the way of {other}, which is unknown; {cure}"),
                ));
            }
        };
        let mut metadata = content.metadata.clone();
        metadata.insert("tokenizer.ggml.pre".into(), GgufValue::String(known.into()));
        // Llama 3 takes a piece that is a token as that token, even where no merges lead to it. No file says so.
        metadata.entry("tokenizer.ggml.ignore_merges".into()).or_insert(GgufValue::Bool(known == "llama3"));
        let plain = plain_tokens(&mut metadata);
        let renamed = Content {
            magic: content.magic,
            metadata,
            tensor_infos: Default::default(),
            tensor_data_offset: content.tensor_data_offset,
        };
        let mut tokenizer = Tokenizer::from_gguf(&renamed)
            .map_err(|e| in_file(path, format!("the tokenizer: {e}; {cure}")))?;
        use tokenizers::pre_tokenizers::{byte_level::ByteLevel, digits::Digits, sequence::Sequence};
        let words = ByteLevel::new(false, true, true);
        match known {
            "smollm" => {
                tokenizer
                    .with_pre_tokenizer(Some(Sequence::new(vec![Digits::new(true).into(), words.into()])));
            }
            // Without the space that would be put before the text.
            "gpt2" => {
                tokenizer.with_pre_tokenizer(Some(words));
            }
            _ => {}
        }
        tokenizer.add_tokens(plain).map_err(|e| in_file(path, format!("the tokenizer: {e}; {cure}")))?;
        let token = |name: &str| {
            let id = content.metadata.get(name).and_then(|v| v.to_u32().ok())?;
            Some((id, tokenizer.id_to_token(id)?))
        };
        let bos = token("tokenizer.ggml.bos_token_id").map(|(_, text)| text).unwrap_or_default();
        let (eos_id, eos) = token("tokenizer.ggml.eos_token_id").unzip();
        let template = text("tokenizer.chat_template")
            .map(|source| {
                Template::new(source, bos, eos.unwrap_or_default())
                    .map_err(|e| in_file(path, format!("the chat template is broken: {e}")))
            })
            .transpose()?;
        Ok(Self::new(tokenizer, template, eos_id))
    }

    fn new(tokenizer: Tokenizer, template: Option<Template>, eos: Option<u32>) -> Self {
        let mut specials: Vec<String> = tokenizer
            .get_added_tokens_decoder()
            .into_values()
            .filter(|token| token.special && token.content.chars().count() > 1)
            .map(|token| token.content)
            .collect();
        specials.sort();
        Self { tokenizer, template, specials, eos }
    }

    /// How many tokens there are.
    pub(crate) fn size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// The tokens of a text, none added.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let failed = |e| format!("the tokenizer fails: {e}");
        let encoding = self.tokenizer.encode_fast(text, false).map_err(failed)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of tokens, without those that have a meaning of their own.
    pub(crate) fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        self.tokenizer.decode(tokens, true).map_err(|e| e.to_string())
    }

    /// One token as it is shown by itself.
    pub(crate) fn shown(&self, token: u32) -> String {
        let text = self.tokenizer.decode(&[token], false);
        text.unwrap_or_else(|_| format!("<{token}>"))
    }

    /// The tokens of a conversation, and of the beginning of the assistant's answer.
    ///
    /// What messages say can never become a token with a meaning of its own: such texts are broken up.
    pub(crate) fn chat(&self, messages: &[Message<'_>]) -> Result<Vec<u32>, String> {
        self.encode(&self.text(messages, true)?)
    }

    /// The tokens of a conversation that ends with the assistant's message: those before an answer, as
    /// [`Vocabulary::chat`] gives them, and those of the answer with what the template puts behind it. With `every`,
    /// such a turn for each answer, which together are the conversation; else one for the last.
    pub(crate) fn turns(&self, messages: &[Message<'_>], every: bool) -> Result<Vec<Turn>, String> {
        let Some((last, given)) = messages.split_last() else { return Err("it has no messages".into()) };
        if !every {
            let prompt = self.text(given, true)?;
            let whole = self.text(messages, false)?;
            // Some templates put something into the beginning of an answer that they leave out of an earlier one.
            let answer = match whole.strip_prefix(&prompt) {
                Some(answer) => Cow::Borrowed(answer),
                None => self.harmless(last.content),
            };
            return Ok(vec![Turn { given: self.encode(&prompt)?, answer: self.encode(&answer)? }]);
        }
        let (mut turns, mut done) = (Vec::new(), String::new());
        for (i, _) in messages.iter().enumerate().filter(|(_, m)| m.is_answer()) {
            let prompt = self.text(&messages[..i], true)?;
            let whole = self.text(&messages[..=i], false)?;
            let (Some(given), Some(answer)) = (prompt.strip_prefix(&done), whole.strip_prefix(&prompt))
            else {
                return Err(
                    "the chat template changes earlier messages, so only the last answer can be learnt"
                        .into(),
                );
            };
            turns.push(Turn { given: self.encode(given)?, answer: self.encode(answer)? });
            done = whole;
        }
        Ok(turns)
    }

    fn text(&self, messages: &[Message<'_>], open: bool) -> Result<String, String> {
        let Some(template) = &self.template else {
            return Err(
                "the model has no chat template: put one into chat_template.jinja beside its files".into()
            );
        };
        let contents: Vec<_> = messages.iter().map(|message| self.harmless(message.content)).collect();
        let safe = messages.iter().zip(&contents).map(|(message, content)| Message { content, ..*message });
        template.render(safe, open).map_err(|e| format!("the chat template refuses the messages: {e}"))
    }

    fn harmless<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for special in &self.specials {
            if text.contains(special) {
                let mut broken = special.clone();
                let first = special.chars().next().map_or(0, char::len_utf8);
                broken.insert(first, '\u{200b}');
                text = text.replace(special, &broken).into();
            }
        }
        text
    }
}

/// The tokens before an answer, and those of the answer.
pub(crate) struct Turn {
    pub(crate) given: Vec<u32>,
    pub(crate) answer: Vec<u32>,
}

/// Text that grows token by token. A character of several tokens is given once it is whole.
#[derive(Debug, Default)]
pub(crate) struct Decoding {
    tokens: Vec<u32>,
    /// Where the part begins that was decoded together last.
    from: usize,
    /// How many tokens have become text.
    done: usize,
}

impl Decoding {
    /// What a further token adds to the text.
    pub(crate) fn push(&mut self, vocabulary: &Vocabulary, token: u32) -> Result<String, String> {
        self.tokens.push(token);
        let before = vocabulary.decode(&self.tokens[self.from..self.done])?;
        let after = vocabulary.decode(&self.tokens[self.from..])?;
        if after.ends_with('\u{fffd}') || after.len() <= before.len() {
            return Ok(String::new());
        }
        let Some(new) = after.strip_prefix(&before) else { return Ok(String::new()) };
        self.from = self.done;
        self.done = self.tokens.len();
        Ok(new.to_owned())
    }

    /// What is left when no token follows.
    pub(crate) fn rest(&self, vocabulary: &Vocabulary) -> Result<String, String> {
        let before = vocabulary.decode(&self.tokens[self.from..self.done])?;
        let after = vocabulary.decode(&self.tokens[self.from..])?;
        Ok(after.strip_prefix(&before).unwrap_or_default().to_owned())
    }
}
