//! Models in this process: the engine `dspy-local` as a [`LanguageModel`].

use std::{fmt, path::Path, sync::Arc};

use dspy_local::{Config, Error as EngineError, Finish, GenerateOptions, Generated, Model};
use serde_json::Value;

use super::{
    BoxFuture, Capabilities, Choice, Delta, DeltaSink, FinishReason, LanguageModel, Message, Options,
    Request, Response, TokenLogprob, Usage,
};
use crate::{Error, LmError, LmErrorKind};

/// A model of the Llama architecture that runs in this process.
///
/// `LM::new("local/<path>")` opens one with the default options, or shares one that is open already. With other
/// options:
///
/// ```no_run
/// # fn f() -> Result<(), dspy_core::LmError> {
/// use dspy_core::{lm::LM, local::{LocalModel, LocalOptions}};
///
/// let mut options = LocalOptions::default();
/// options.concurrency = 4;
/// let lm = LM::wrap(LocalModel::open_with("models/SmolLM2-135M-Instruct", options)?);
/// # Ok(()) }
/// ```
///
/// Beside the usual options of a request it knows the extra ones `top_k`, `logprobs` (true or false) and
/// `top_logprobs` (how many), which fill [`Choice::logprobs`].
pub struct LocalModel {
    id: String,
    model: Arc<Model>,
}

impl LocalModel {
    /// Opens the model at a path: a directory, or a GGUF file.
    ///
    /// # Errors
    /// [`LmErrorKind::Configuration`], which names the file and what is wrong with it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LmError> {
        Self::open_with(path, dspy_local::Options::default())
    }

    /// Opens the model at a path with options.
    ///
    /// # Errors
    /// As [`LocalModel::open`].
    pub fn open_with(path: impl AsRef<Path>, options: dspy_local::Options) -> Result<Self, LmError> {
        let path = path.as_ref();
        let id = format!("local/{}", path.display());
        let model = Model::open_with(path, options).map_err(|e| lm_error(&id, &e))?;
        Ok(Self { id, model: Arc::new(model) })
    }

    /// The model at a path, whose weights are shared with all who open the same path so.
    ///
    /// # Errors
    /// As [`LocalModel::open`].
    pub(crate) fn shared(path: impl AsRef<Path>) -> Result<Self, LmError> {
        let path = path.as_ref();
        let id = format!("local/{}", path.display());
        let model = Model::shared(path).map_err(|e| lm_error(&id, &e))?;
        Ok(Self { id, model })
    }

    /// Its shape.
    pub fn config(&self) -> &Config {
        self.model.config()
    }

    /// The tokens of a text, none added.
    ///
    /// # Errors
    /// [`LmErrorKind::InvalidRequest`] when the tokenizer fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, LmError> {
        self.model.encode(text).map_err(|e| lm_error(&self.id, &e))
    }

    /// The text of tokens, without special tokens.
    ///
    /// # Errors
    /// [`LmErrorKind::InvalidRequest`] when the tokenizer fails.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, LmError> {
        self.model.decode(tokens).map_err(|e| lm_error(&self.id, &e))
    }

    /// The tokens of a conversation, with those that begin the assistant's answer.
    ///
    /// # Errors
    /// [`LmErrorKind::InvalidRequest`] when the model has no chat template, or when it refuses the messages.
    pub fn chat_tokens(&self, messages: &[Message]) -> Result<Vec<u32>, LmError> {
        let messages = texts(messages).map_err(|why| self.invalid(why))?;
        self.model.chat_tokens(&messages).map_err(|e| lm_error(&self.id, &e))
    }

    /// The logits behind each of these tokens, one row for each, as wide as the vocabulary.
    ///
    /// # Errors
    /// [`LmErrorKind::InvalidRequest`] when there are none, or when one is not in the vocabulary.
    pub fn logits(&self, tokens: &[u32]) -> Result<Vec<Vec<f32>>, LmError> {
        self.model.logits(tokens).map_err(|e| lm_error(&self.id, &e))
    }

    fn invalid(&self, why: impl Into<String>) -> LmError {
        LmError::new(LmErrorKind::InvalidRequest, &self.id, why)
    }

    async fn answer(&self, request: &Request, sink: &mut DeltaSink<'_>) -> Result<Response, LmError> {
        if !request.tools.is_empty() {
            return Err(self.invalid("the model calls no tools natively"));
        }
        let mut options = generate_options(&request.options).map_err(|why| self.invalid(why))?;
        options.rollout = request.rollout;
        let messages = texts(request.prompt.messages()).map_err(|why| self.invalid(why))?;
        let mut pieces = |choice: usize, text: &str| sink(Delta::text(choice, text));
        let generated = self.model.generate_stream(&messages, &options, &mut pieces).await;
        let mut response = response(generated.map_err(|e| lm_error(&self.id, &e))?);
        response.model.clone_from(&self.id);
        Ok(response)
    }
}

impl LanguageModel for LocalModel {
    fn id(&self) -> &str {
        &self.id
    }

    /// The digest of the weights: other weights at the same path give other answers.
    fn endpoint(&self) -> &str {
        self.model.digest()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none().streaming(true)
    }

    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async move { self.answer(request, &mut |_| {}).await })
    }

    fn stream<'a>(
        &'a self,
        request: &'a Request,
        sink: &'a mut DeltaSink<'_>,
    ) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(self.answer(request, sink))
    }
}

impl fmt::Debug for LocalModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalModel")
            .field("id", &self.id)
            .field("config", self.config())
            .finish_non_exhaustive()
    }
}

/// Messages as the engine takes them.
pub(crate) fn texts<'a>(
    messages: impl IntoIterator<Item = &'a Message>,
) -> Result<Vec<dspy_local::Message<'a>>, String> {
    let text = |message: &'a Message| match message.content.parts() {
        [] => Ok(dspy_local::Message::new(message.role.as_str(), message.content.text())),
        _ => Err("the model reads text only, but a message holds other media".to_owned()),
    };
    messages.into_iter().map(text).collect()
}

/// What the options of a request ask for.
fn generate_options(options: &Options) -> Result<GenerateOptions, String> {
    let mut asked = GenerateOptions {
        n: options.n.unwrap_or(1) as usize,
        temperature: options.temperature,
        top_p: options.top_p,
        max_tokens: options.max_tokens.map(|n| n as usize),
        stop: options.stop.clone(),
        seed: options.seed,
        ..GenerateOptions::default()
    };
    let mut top = None;
    for (name, value) in &options.extra {
        let number = || {
            let number = value.as_u64().filter(|n| *n <= 1000).map(|n| n as usize);
            number.ok_or_else(|| format!("`{name}` is {value}, expected a whole number up to 1000"))
        };
        match (name.as_str(), value) {
            ("top_k", _) => asked.top_k = Some(number()?),
            ("logprobs", Value::Bool(yes)) => asked.logprobs = yes.then_some(0),
            ("top_logprobs", _) => top = Some(number()?),
            _ => {
                return Err(format!(
                    "the parameter `{name}` with the value {value} is not known to a local model; known are \
                     top_k, logprobs and top_logprobs"
                ));
            }
        }
    }
    asked.logprobs = top.or(asked.logprobs);
    Ok(asked)
}

fn response(generated: Generated) -> Response {
    let choices = generated.answers.into_iter().map(|answer| Choice {
        text: answer.text,
        finish: match answer.finish {
            Finish::Length => FinishReason::Length,
            _ => FinishReason::Stop,
        },
        logprobs: answer
            .logprobs
            .into_iter()
            .map(|of| TokenLogprob { token: of.token, logprob: of.logprob, top: of.top })
            .collect(),
        ..Choice::default()
    });
    let mut usage = Usage::of_call(generated.prompt_tokens as u64, generated.answer_tokens as u64);
    usage.cached_prompt_tokens = generated.cached_prompt_tokens as u64;
    Response::new(choices.collect()).with_usage(usage)
}

/// An error of the engine as one of the model `id`.
pub(crate) fn lm_error(id: &str, error: &EngineError) -> LmError {
    let kind = match error {
        EngineError::File { .. } => LmErrorKind::Configuration,
        EngineError::ContextWindow { .. } => LmErrorKind::ContextWindow,
        EngineError::Computation(_) | EngineError::Thread(_) => LmErrorKind::Server,
        _ => LmErrorKind::InvalidRequest,
    };
    LmError::new(kind, id, error.to_string())
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Stopped { .. } => Self::Task(error.to_string()),
            error => Self::other(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Content, Part};

    #[test]
    fn options_become_those_of_the_engine() {
        let options = Options::new().temperature(0.5).top_p(0.9).max_tokens(7).seed(3).n(2).stop(["."]);
        let asked = generate_options(&options.extra("top_k", 40).extra("logprobs", true)).unwrap();
        let expected = GenerateOptions {
            n: 2,
            temperature: Some(0.5),
            top_p: Some(0.9),
            top_k: Some(40),
            max_tokens: Some(7),
            stop: vec![".".into()],
            seed: Some(3),
            rollout: 0,
            logprobs: Some(0),
        };
        assert_eq!(asked, expected);
        let asked = generate_options(&Options::new().extra("logprobs", true).extra("top_logprobs", 5));
        assert_eq!(asked.unwrap().logprobs, Some(5));
        let asked = generate_options(&Options::new().extra("logprobs", false)).unwrap();
        assert_eq!(asked, GenerateOptions::default());
    }

    #[test]
    fn options_that_the_engine_lacks_are_refused() {
        let error = |options: &Options| generate_options(options).unwrap_err();
        assert!(error(&Options::new().extra("reasoning_effort", "low")).contains("`reasoning_effort`"));
        assert!(error(&Options::new().extra("top_k", -1)).contains("whole number"));
    }

    #[test]
    fn media_are_refused() {
        let mut content = Content::from("Look: ");
        content.push_part(Part::new("image", serde_json::json!({ "url": "http://127.0.0.1/a.png" })));
        let image = Message::user(content);
        assert!(texts([&image]).unwrap_err().contains("text only"));
        assert_eq!(texts([&Message::tool("1", "9")]).unwrap()[0].role, "tool");
    }

    #[test]
    fn errors_have_the_kind_that_a_program_acts_on() {
        let kind = |error: EngineError| lm_error("local/m", &error).kind;
        assert_eq!(kind(EngineError::ContextWindow { prompt: 9, context: 8 }), LmErrorKind::ContextWindow);
        assert_eq!(kind(EngineError::Request("x".into())), LmErrorKind::InvalidRequest);
        assert_eq!(kind(EngineError::Computation("x".into())), LmErrorKind::Server);
        assert_eq!(Error::from(EngineError::Stopped { step: 1, steps: 2 }).kind(), "task");
    }
}
