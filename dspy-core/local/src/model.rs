//! An open model, to generate with.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    sync::{Arc, mpsc},
};

use candle_core::Device;
use dspy_random::Rng;
use tokio::sync::mpsc::unbounded_channel;

use crate::{
    config::Config,
    decoder::Decoder,
    engine::{Engine, Event, Finish, Finished, Job, Limits},
    error::{Error, Result},
    message::Message,
    open::{Opened, open},
    sample::{Defaults, GenerateOptions, Sampling, TokenLogprob},
    vocabulary::Vocabulary,
};

/// How a model is run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Where the linear layers are computed.
    pub device: Device,
    /// The most answers that are generated at a time; further ones wait.
    pub concurrency: usize,
    /// Bytes for keys and values of prompts that were answered, for further prompts that begin like them.
    pub cache_bytes: usize,
    /// Bytes for keys and values of what is being answered. One answer is always generated.
    pub active_bytes: usize,
}

impl Default for Options {
    /// On the processor, or on the GPU that the features `cuda` and `metal` stand for if there is one; 32 answers at a
    /// time, 1 GiB of keys and values kept, and 2 GiB in use.
    fn default() -> Self {
        Self { device: device(), concurrency: 32, cache_bytes: 1 << 30, active_bytes: 2 << 30 }
    }
}

fn device() -> Device {
    let gpu = if cfg!(feature = "cuda") {
        Device::new_cuda(0)
    } else if cfg!(feature = "metal") {
        Device::new_metal(0)
    } else {
        return Device::Cpu;
    };
    gpu.unwrap_or_else(|error| {
        tracing::warn!(%error, "there is no GPU that can be used: the model runs on the processor");
        Device::Cpu
    })
}

/// What was generated for one prompt.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Generated {
    /// The answers, as many as were asked for.
    pub answers: Vec<Answer>,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens of the prompt whose keys and values were in the cache.
    pub cached_prompt_tokens: usize,
    /// Tokens of all answers together.
    pub answer_tokens: usize,
}

/// One answer.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// How likely each token was, where that was asked for.
    pub logprobs: Vec<TokenLogprob>,
}

/// A model in this process. One thread computes all requests to it together.
pub struct Model {
    digest: String,
    decoder: Arc<Decoder>,
    vocabulary: Arc<Vocabulary>,
    defaults: Defaults,
    jobs: mpsc::Sender<Job>,
}

impl Model {
    /// Opens the model at a path: a directory, or a GGUF file.
    ///
    /// # Errors
    /// [`Error::File`], which names the file and what is wrong with it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, Options::default())
    }

    /// Opens the model at a path with options.
    ///
    /// # Errors
    /// As [`Model::open`].
    #[allow(clippy::needless_pass_by_value)] // Options are made for one call.
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        let Opened { decoder, vocabulary, defaults, digest } = open(path.as_ref(), &options.device, None)?;
        let (decoder, vocabulary) = (Arc::new(decoder.merged()?), Arc::new(vocabulary));
        let limits = Limits {
            sequences: options.concurrency.max(1),
            cache: options.cache_bytes,
            active: options.active_bytes,
        };
        let ends = decoder.config.eos.clone();
        let engine = Engine::new(decoder.clone(), vocabulary.clone(), ends, limits);
        let (jobs, receiver) = mpsc::channel();
        std::thread::Builder::new()
            .name("dspy-local".into())
            .spawn(move || engine.run(&receiver))
            .map_err(|e| Error::Thread(format!("no thread can be started: {e}")))?;
        Ok(Self { digest, decoder, vocabulary, defaults, jobs })
    }

    /// Its shape.
    pub fn config(&self) -> &Config {
        &self.decoder.config
    }

    /// A digest of the weights, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The tokens of a text, none added.
    ///
    /// # Errors
    /// [`Error::Request`] when the tokenizer fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.vocabulary.encode(text).map_err(Error::Request)
    }

    /// The text of tokens, without special tokens.
    ///
    /// # Errors
    /// [`Error::Request`] when the tokenizer fails.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        self.vocabulary.decode(tokens).map_err(Error::Request)
    }

    /// The tokens of a conversation, with those that begin the assistant's answer. Special tokens that a message spells
    /// are broken up: its text is never more than text.
    ///
    /// # Errors
    /// [`Error::Request`] when the model has no chat template, or when it refuses the messages.
    pub fn chat_tokens(&self, messages: &[Message<'_>]) -> Result<Vec<u32>> {
        self.vocabulary.chat(messages).map_err(Error::Request)
    }

    /// The logits behind each of these tokens, one row for each, as wide as the vocabulary. This neither uses nor fills
    /// the cache of prompts.
    ///
    /// # Errors
    /// [`Error::Request`] when there are none, or when one is not in the vocabulary.
    pub fn logits(&self, tokens: &[u32]) -> Result<Vec<Vec<f32>>> {
        let size = self.config().vocab_size;
        if tokens.is_empty() || tokens.iter().any(|token| *token as usize >= size) {
            return Err(Error::Request(format!("expected at least one token, and all below {size}")));
        }
        Ok(self.decoder.logits_of(tokens).and_then(|t| t.to_vec2())?)
    }

    /// Answers a conversation.
    ///
    /// # Errors
    /// [`Error::ContextWindow`] when the prompt leaves no room for an answer, [`Error::Request`] when the options or the
    /// messages make no sense, and [`Error::Computation`] and [`Error::Thread`].
    pub async fn generate(&self, messages: &[Message<'_>], options: &GenerateOptions) -> Result<Generated> {
        self.generate_stream(messages, options, &mut |_, _| {}).await
    }

    /// Answers a conversation, and hands each piece of text to `sink` as it is generated, with the index of its answer.
    /// Dropping the future ends the work.
    ///
    /// # Errors
    /// As [`Model::generate`].
    pub async fn generate_stream(
        &self,
        messages: &[Message<'_>],
        options: &GenerateOptions,
        sink: &mut (dyn FnMut(usize, &str) + Send),
    ) -> Result<Generated> {
        let sampling = Sampling::new(options, self.defaults)?;
        let prompt: Arc<[u32]> = self.chat_tokens(messages)?.into();
        let context = self.config().context;
        if prompt.is_empty() || prompt.len() >= context {
            return Err(Error::ContextWindow { prompt: prompt.len(), context });
        }
        let room = options.max_tokens.map_or(usize::MAX, |n| n.max(1)).min(context - prompt.len());
        let stop: Arc<[String]> = options.stop.iter().filter(|s| !s.is_empty()).cloned().collect();
        let rng = Rng::new(options.seed.unwrap_or_else(|| derived_seed(&prompt, options.rollout)));
        let n = options.n.max(1);
        let (to, mut events) = unbounded_channel();
        for index in 0..n {
            let job = Job {
                index,
                prompt: prompt.clone(),
                sampling: sampling.clone(),
                stop: stop.clone(),
                logprobs: options.logprobs,
                room,
                rng: rng.fork_index(index as u64),
                to: to.clone(),
            };
            self.jobs.send(job).map_err(|_| ended())?;
        }
        drop(to);
        let mut generated = Generated {
            answers: vec![Answer::default(); n],
            prompt_tokens: prompt.len(),
            ..Generated::default()
        };
        let mut open = n;
        while open > 0 {
            match events.recv().await.ok_or_else(ended)? {
                Event::Text { index, text } => {
                    sink(index, &text);
                    generated.answers[index].text.push_str(&text);
                }
                Event::Done(Finished { index, finish, drawn, reused, logprobs }) => {
                    open -= 1;
                    generated.answer_tokens += drawn;
                    if index == 0 {
                        generated.cached_prompt_tokens = reused;
                    }
                    generated.answers[index].finish = finish;
                    generated.answers[index].logprobs = logprobs;
                }
                Event::Failed(error) => return Err(error),
            }
        }
        Ok(generated)
    }
}

fn ended() -> Error {
    Error::Thread("the thread of the model has ended; its panic was printed".into())
}

/// Equal prompts of equal rollouts draw alike.
fn derived_seed(prompt: &[u32], rollout: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (prompt, rollout).hash(&mut hasher);
    hasher.finish()
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("config", self.config()).finish_non_exhaustive()
    }
}
