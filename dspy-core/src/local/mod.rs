//! Models of the Llama family in this process (feature `local`).
//!
//! A model is a directory as Hugging Face writes it (`config.json`, `tokenizer.json`, `*.safetensors`), a directory of
//! a LoRA adapter as PEFT writes it, or a GGUF file. Llama, Mistral, Qwen 2 and Qwen 3 and what has their shape are
//! read. It is named by its path:
//!
//! ```no_run
//! # fn f() -> Result<(), dspy_core::LmError> {
//! use dspy_core::lm::LM;
//!
//! let lm = LM::new("local/models/SmolLM2-135M-Instruct")?;
//! # Ok(()) }
//! ```
//!
//! Requests that come at the same time are answered together, and prompts that begin alike are read once. Equal
//! requests get equal answers: without a seed, one is derived from the prompt and the rollout.

mod attention;
mod config;
mod engine;
mod failure;
mod kernels;
mod linear;
mod lm;
mod lora;
mod model;
mod open;
mod paged;
mod sample;
mod template;
#[cfg(test)]
mod tests;
mod train;
mod tuner;
mod vocabulary;
mod weights;

pub use config::{Architecture, Config};
pub use lm::{LocalModel, LocalOptions};
pub(crate) use open::shared;
pub use train::{Lora, Next, Schedule, TrainStep, Trained, Training};
pub use tuner::LocalFineTuner;
