//! Models of the Llama architecture in this process: loading, generation, training, logits.
//!
//! A model is a directory as Hugging Face writes it (`config.json`, `tokenizer.json`, `*.safetensors`), a directory of
//! a LoRA adapter as PEFT writes it, or a GGUF file. Llama, Mistral, Qwen 2 and Qwen 3, and models of the same shape,
//! are supported.
//!
//! ```no_run
//! use dspy_local::{GenerateOptions, Message, Model};
//!
//! # async fn run() -> dspy_local::Result<()> {
//! let model = Model::open("models/SmolLM2-135M-Instruct")?;
//! let options = GenerateOptions { max_tokens: Some(100), ..GenerateOptions::default() };
//! let generated = model.generate(&[Message::user("Hello!")], &options).await?;
//! println!("{}", generated.answers[0].text);
//! # Ok(()) }
//! ```
//!
//! Requests that arrive at the same time are computed together, and prompts with a common beginning are read once.
//! Equal requests get equal answers: without a seed, one is derived from the prompt. [`Training`] trains all weights or
//! a LoRA adapter.
//!
//! This crate is the engine behind the feature `local` of the crate `dspy`, and knows nothing of it. The futures need
//! no particular runtime.
//!
//! A module of this list uses only those above it.

mod error;
mod files;
mod message;

mod config;
mod kernels;
mod linear;
mod safetensors;

mod lora;

mod weights;

mod attention;

mod decoder;

mod paged;

mod template;

mod vocabulary;

mod sample;

mod open;

mod engine;

mod model;

mod shared;

mod train;

#[cfg(test)]
mod tests;

pub use config::{Architecture, Config};
pub use engine::Finish;
pub use error::{Error, Result};
pub use message::{Conversation, Message};
pub use model::{Answer, Generated, Model, Options};
pub use sample::{GenerateOptions, TokenLogprob};
pub use train::{Lora, Next, Schedule, TrainStep, Trained, Training};
