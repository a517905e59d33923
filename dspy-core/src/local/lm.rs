//! A local model as a language model that answers requests.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    sync::{Arc, mpsc},
};

use candle_core::Device;
use tokio::sync::mpsc::unbounded_channel;

use super::{
    config::Config,
    engine::{Engine, Event, Finished, Job, Limits},
    failure::arithmetic,
    model::Decoder,
    open::{Opened, open},
    sample::{Defaults, Sampling},
    vocabulary::Vocabulary,
};
use crate::{
    LmError, LmErrorKind,
    data::Rng,
    lm::{
        BoxFuture, Capabilities, Choice, Delta, DeltaSink, LanguageModel, Message, Request, Response, Usage,
    },
};

/// How a local model is run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LocalOptions {
    /// Where it computes.
    pub device: Device,
    /// The most answers that are generated at a time; further ones wait.
    pub concurrency: usize,
    /// Bytes for keys and values of prompts that were answered, for further prompts that begin like them.
    pub cache_bytes: usize,
    /// Bytes for keys and values of what is being answered. One answer is always generated.
    pub active_bytes: usize,
}

impl Default for LocalOptions {
    /// On the processor, or on the GPU that the features `local-cuda` and `local-metal` stand for if there is one; 32
    /// answers at a time, 1 GiB of keys and values kept, and 2 GiB in use.
    fn default() -> Self {
        Self { device: device(), concurrency: 32, cache_bytes: 1 << 30, active_bytes: 2 << 30 }
    }
}

fn device() -> Device {
    let gpu = if cfg!(feature = "local-cuda") {
        Device::new_cuda(0)
    } else if cfg!(feature = "local-metal") {
        Device::new_metal(0)
    } else {
        return Device::Cpu;
    };
    gpu.unwrap_or_else(|error| {
        tracing::warn!(%error, "there is no GPU that can be used: the model runs on the processor");
        Device::Cpu
    })
}

/// A model of the Llama family that runs in this process.
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
    digest: String,
    decoder: Arc<Decoder>,
    vocabulary: Arc<Vocabulary>,
    defaults: Defaults,
    jobs: mpsc::Sender<Job>,
}

impl LocalModel {
    /// Opens the model at a path: a directory, or a GGUF file.
    ///
    /// # Errors
    /// [`LmErrorKind::Configuration`], which names the file and what is wrong with it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LmError> {
        Self::open_with(path, LocalOptions::default())
    }

    /// Opens the model at a path with options.
    ///
    /// # Errors
    /// As [`LocalModel::open`].
    #[allow(clippy::needless_pass_by_value)] // Options are made for one call.
    pub fn open_with(path: impl AsRef<Path>, options: LocalOptions) -> Result<Self, LmError> {
        let path = path.as_ref();
        Self::open_as(&format!("local/{}", path.display()), path, &options)
    }

    pub(crate) fn open_as(id: &str, path: &Path, options: &LocalOptions) -> Result<Self, LmError> {
        let Opened { decoder, vocabulary, defaults, digest } =
            open(path, &options.device, None).map_err(|failure| failure.of(id))?;
        let decoder = decoder.merged().map_err(|e| arithmetic(id, &e))?;
        let (decoder, vocabulary) = (Arc::new(decoder), Arc::new(vocabulary));
        let limits = Limits {
            sequences: options.concurrency.max(1),
            cache: options.cache_bytes,
            active: options.active_bytes,
        };
        let ends = decoder.config.eos.clone();
        let engine = Engine::new(decoder.clone(), vocabulary.clone(), ends, limits);
        let (jobs, receiver) = mpsc::channel();
        std::thread::Builder::new().name("dspy-local".into()).spawn(move || engine.run(&receiver)).map_err(
            |e| LmError::new(LmErrorKind::Configuration, id, format!("no thread can be started: {e}")),
        )?;
        Ok(Self { id: id.to_owned(), digest, decoder, vocabulary, defaults, jobs })
    }

    /// Its shape.
    pub fn config(&self) -> &Config {
        &self.decoder.config
    }

    /// The tokens of a text, none added.
    ///
    /// # Errors
    /// [`LmErrorKind::InvalidRequest`] when the tokenizer fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, LmError> {
        self.vocabulary.encode(text).map_err(|why| self.error(LmErrorKind::InvalidRequest, why))
    }

    /// The text of tokens, without those that have a meaning of their own.
    ///
    /// # Errors
    /// [`LmErrorKind::InvalidRequest`] when the tokenizer fails.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, LmError> {
        self.vocabulary.decode(tokens).map_err(|why| self.error(LmErrorKind::InvalidRequest, why))
    }

    /// The tokens of a conversation, with those that begin the assistant's answer.
    ///
    /// # Errors
    /// [`LmErrorKind::InvalidRequest`] when the model has no chat template, or when it refuses the messages.
    pub fn chat_tokens(&self, messages: &[Message]) -> Result<Vec<u32>, LmError> {
        self.vocabulary.chat(messages.iter()).map_err(|why| self.error(LmErrorKind::InvalidRequest, why))
    }

    /// The logits behind each of these tokens, one row for each, as wide as the vocabulary. This neither uses nor fills
    /// the cache of prompts.
    ///
    /// # Errors
    /// [`LmErrorKind::InvalidRequest`] when there are none, or when one is not in the vocabulary.
    pub fn logits(&self, tokens: &[u32]) -> Result<Vec<Vec<f32>>, LmError> {
        let size = self.config().vocab_size;
        if tokens.is_empty() || tokens.iter().any(|token| *token as usize >= size) {
            let why = format!("expected at least one token, and all below {size}");
            return Err(self.error(LmErrorKind::InvalidRequest, why));
        }
        self.decoder.logits_of(tokens).and_then(|t| t.to_vec2()).map_err(|e| arithmetic(&self.id, &e))
    }

    /// Whether this is the name by which it was opened.
    pub(crate) fn answers_to(&self, id: &str) -> bool {
        self.id == id
    }

    fn error(&self, kind: LmErrorKind, why: impl Into<String>) -> LmError {
        LmError::new(kind, &self.id, why)
    }

    async fn answer(&self, request: &Request, sink: &mut DeltaSink<'_>) -> Result<Response, LmError> {
        let invalid = |why: String| self.error(LmErrorKind::InvalidRequest, why);
        if !request.tools.is_empty() {
            return Err(invalid("the model calls no tools natively".into()));
        }
        let options = &request.options;
        let sampling = Arc::new(Sampling::new(options, self.defaults).map_err(invalid)?);
        let prompt: Arc<[u32]> = self.vocabulary.chat(request.prompt.messages()).map_err(invalid)?.into();
        let context = self.config().context;
        if prompt.is_empty() || prompt.len() >= context {
            let why = format!("the prompt has {} tokens, but the context is {context}", prompt.len());
            return Err(self.error(LmErrorKind::ContextWindow, why));
        }
        let room = sampling.max_tokens.map_or(usize::MAX, |n| n.max(1) as usize).min(context - prompt.len());
        let n = options.n.unwrap_or(1).max(1) as usize;
        let rng = Rng::new(options.seed.unwrap_or_else(|| derived_seed(&prompt, request.rollout)));
        let (to, mut events) = unbounded_channel();
        for choice in 0..n {
            let job = Job {
                choice,
                prompt: prompt.clone(),
                sampling: sampling.clone(),
                room,
                rng: rng.fork_index(choice as u64),
                to: to.clone(),
            };
            self.jobs.send(job).map_err(|_| self.stopped())?;
        }
        drop(to);
        let mut choices = vec![Choice::default(); n];
        let mut usage = Usage { calls: 1, prompt_tokens: prompt.len() as u64, ..Usage::default() };
        let mut open = n;
        while open > 0 {
            match events.recv().await.ok_or_else(|| self.stopped())? {
                Event::Text { choice, text } => {
                    choices[choice].text.push_str(&text);
                    sink(Delta::text(choice, text));
                }
                Event::Done(Finished { choice, finish, drawn, reused, logprobs }) => {
                    open -= 1;
                    usage.completion_tokens += drawn as u64;
                    if choice == 0 {
                        usage.cached_prompt_tokens = reused as u64;
                    }
                    choices[choice].finish = finish;
                    choices[choice].logprobs = logprobs;
                }
                Event::Failed(error) => return Err(arithmetic(&self.id, &error)),
            }
        }
        let mut response = Response::new(choices).with_usage(usage);
        response.model.clone_from(&self.id);
        Ok(response)
    }

    fn stopped(&self) -> LmError {
        self.error(LmErrorKind::Server, "the thread of the model has ended; its panic was printed")
    }
}

/// Equal prompts of equal rollouts draw alike.
fn derived_seed(prompt: &[u32], rollout: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (prompt, rollout).hash(&mut hasher);
    hasher.finish()
}

impl LanguageModel for LocalModel {
    fn id(&self) -> &str {
        &self.id
    }

    /// What the weights hold: other weights at the same path have other answers.
    fn endpoint(&self) -> &str {
        &self.digest
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
