//! Models of the Llama architecture in this process (feature `local`).
//!
//! A model is a directory as Hugging Face writes it (`config.json`, `tokenizer.json`, `*.safetensors`), a directory of
//! a LoRA adapter as PEFT writes it, or a GGUF file. Llama, Mistral, Qwen 2 and Qwen 3, and models of the same shape,
//! are supported. A model is named by its path:
//!
//! ```no_run
//! # fn f() -> Result<(), dspy_core::LmError> {
//! use dspy_core::lm::LM;
//!
//! let lm = LM::new("local/models/SmolLM2-135M-Instruct")?;
//! # Ok(()) }
//! ```
//!
//! Requests that arrive at the same time are computed together, and prompts with a common beginning are read once.
//! Equal requests get equal answers: without a seed, one is derived from the prompt and the rollout.
//!
//! The engine is a crate of its own, `dspy-local`; here are its types, and what connects them with the library.

pub use dspy_local::{
    Architecture, Config, Conversation, Error, Lora, Next, Options as LocalOptions, Schedule, TrainStep,
    Trained, Training,
};

pub use crate::{lm::LocalModel, optimize::finetune::LocalFineTuner};
