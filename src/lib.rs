//! Program language models instead of prompting them.
//!
//! A language-model program is ordinary Rust: structs declare *what* each step takes and gives, modules say *how* a step
//! is carried out, and optimizers search for the instructions and demonstrations that maximise a metric. The compiled
//! program is a JSON file.
//!
//! # A program
//!
//! ```no_run
//! use dspy::prelude::*;
//!
//! /// Answer the question in one to five words.
//! #[signature]
//! struct Qa {
//!     #[input]
//!     question: String,
//!     /// between one and five words
//!     #[output(assert(|a: &str| a.split_whitespace().count() <= 5, "at most five words"))]
//!     answer: String,
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<()> {
//!     let lm = LM::new("openai/gpt-4o-mini")?; // the key stands in OPENAI_API_KEY
//!     configure(|c| c.lm(lm));
//!
//!     let qa = ChainOfThought::<Qa>::new();
//!     let p = qa.call("What is the capital of France?").await?;
//!     println!("{} because {}", p.answer, p.reasoning);
//!     Ok(())
//! }
//! ```
//!
//! # What to look for where
//!
//! | to | see |
//! |---|---|
//! | say what a step takes and gives | [`#[signature]`](macro@signature), [`predict!`](macro@predict), [`DynSignature`] |
//! | make types of your own fields | [`#[value]`](macro@value) |
//! | put steps together | [`#[module]`](macro@module), [`Module`] |
//! | choose how a step is carried out | [`Predict`], [`ChainOfThought`] |
//! | choose a model and its settings | [`LM`], [`configure`], [`with`] |
//! | measure | [`Evaluate`], [`evaluate`] |
//! | make it better | [`optimize`] |
//! | train the model itself | [`optimize::finetune`] |
//! | see what was asked | `render` of every predictor, [`inspect_history`] |
//! | compile | [`Optimizer`], [`optimize`] |
//! | read data | [`data`], [`#[derive(Example)]`](macro@Example) |
//! | save and load | [`Program::save`], [`Program::load`] |
//!
//! # Features
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `tls` | yes | HTTPS through rustls with the platform's root certificates |
//! | `disk-cache` | yes | the cache of model answers on disk (SQLite, bundled) |
//! | `local` | no | models of the Llama family in this process, for inference and training (candle) |
//! | `local-cuda` | no | `local` on NVIDIA GPUs; needs the CUDA toolkit to build |
//! | `local-metal` | no | `local` on Apple GPUs |
//! | `full` | no | all of these but the two for GPUs |
//! | `constraints` | no | bounds, lengths, patterns and formats given by `#[schemars(...)]`, checked on every answer |

// Lets the macros name this crate `::dspy` from inside of it, too.
#[allow(unused_extern_crates)]
extern crate self as dspy;

#[cfg(doctest)]
mod book;

#[doc(hidden)]
pub use dspy_core::__private;
#[cfg(feature = "local")]
pub use dspy_core::local;
pub use dspy_core::{Error, Result};
pub use dspy_core::{LmError, LmErrorKind, ParseError, ParseErrorKind, StateError};
pub use dspy_core::{adapter, context, data, evaluate, lm, module, optimize, predict, signature, value};
pub use dspy_core::{
    adapter::{Adapter, ChatAdapter, Demo, JsonAdapter},
    configure,
    context::Settings,
    data::Example,
    evaluate::{Evaluate, Metric},
    lm::{Budget, LM, LanguageModel, Options, inspect_history},
    module::{IntoInput, Module, Prediction, Program},
    optimize::{
        Auto, BootstrapFewShot, BootstrapFewShotWithRandomSearch, BootstrapFinetune, Compiled, FineTuner,
        LabeledFewShot, MIPROv2, Optimizer,
    },
    predict::{ChainOfThought, Predict, PredictionStream, Predictor, Rendered, Update},
    settings,
    signature::{DynSignature, GrammarError, Reasoned, Record, Signature, SignatureSpec, StaticSignature},
    with,
};
pub use dspy_macros::{Example, module, predict, signature, value};

/// What most programs use: `use dspy::prelude::*;`.
pub mod prelude {
    pub use std::sync::Arc;

    pub use crate::{
        Adapter, Auto, BootstrapFewShot, BootstrapFewShotWithRandomSearch, BootstrapFinetune, ChainOfThought,
        ChatAdapter, Compiled, Demo, DynSignature, Error, Evaluate, Example, JsonAdapter, LM, LabeledFewShot,
        MIPROv2, Metric, Module, Optimizer, Options, Predict, Prediction, Program, Reasoned, Record,
        Rendered, Result, Signature, StaticSignature, configure, with,
    };
    pub use dspy_macros::{module, predict, signature, value};
}
