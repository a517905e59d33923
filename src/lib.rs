//! Program language models instead of prompting them.
//!
//! A language-model program is ordinary Rust: structs declare the inputs and outputs of each step, modules implement the
//! steps, and optimizers search for the instructions and demonstrations that maximise a metric. The compiled program is a
//! JSON file.
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
//!     let lm = LM::new("openai/gpt-4o-mini")?; // the key is read from OPENAI_API_KEY
//!     configure(|c| c.lm(lm));
//!
//!     let qa = ChainOfThought::<Qa>::new();
//!     let p = qa.call("What is the capital of France?").await?;
//!     println!("{} because {}", p.answer, p.reasoning);
//!     Ok(())
//! }
//! ```
//!
//! # Overview
//!
//! | to | see |
//! |---|---|
//! | declare a step | [`#[signature]`](macro@signature), [`predict!`](macro@predict), [`DynSignature`] |
//! | use structs and enums of your own as fields | [`#[value]`](macro@value), [`value`](mod@value) |
//! | run a step | [`Predict`], [`ChainOfThought`] |
//! | let a model call functions | [`#[tool]`](macro@tool), [`ReAct`], [`tool`](mod@tool) |
//! | let a model write code, and run it | `sandbox`, `ProgramOfThought`, `CodeAct`, `RLM` (feature `sandbox`) |
//! | combine steps | [`#[module]`](macro@module), [`Module`] |
//! | put programs together at run time | [`DynModule`], [`Sequence`], [`DynPredict`] |
//! | demand something of them | [`assert!`](macro@assert), [`suggest!`](macro@suggest) |
//! | make several attempts | [`BestOfN`], [`Refine`], [`MultiChainComparison`], [`draws`], [`majority`], [`Parallel`] |
//! | choose a model and its settings | [`LM`], [`configure`], [`with`] |
//! | read data | [`data`], [`#[derive(Example)]`](macro@Example) |
//! | retrieve passages | [`Retriever`], [`retrieve`] |
//! | embed texts | [`Embedder`], [`EmbeddingModel`], [`lm::embed`] |
//! | evaluate | [`Evaluate`], [`evaluate`] |
//! | compile | [`Optimizer`], [`optimize`] |
//! | train the model itself | [`optimize::finetune`] |
//! | save and load | [`Program::save`], [`Program::load`] |
//! | see the prompts | `render` of every predictor, [`inspect_history`] |
//! | be told of what happens | [`Observer`], [`context::observe`] |
//! | test without a network | [`StubModel`](lm::StubModel) |
//! | change the format of prompts | [`Adapter`], [`adapter`] |
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
//! | `mcp` | no | tools of servers of the Model Context Protocol, and programs as such servers (rmcp) |
//! | `otel` | no | traces by OTLP, for OpenTelemetry collectors, MLflow and the like (opentelemetry) |
//! | `sandbox` | no | code that a model wrote, run in a subset of Python without access to the machine (monty); needs Rust 1.95 |
//! | `parquet` | no | data sets in Parquet (without Arrow) |
//! | `bedrock` | no | models of Amazon Bedrock |
//! | `pgvector` | no | passages in PostgreSQL with the extension pgvector |
//! | `tantivy` | no | passages in an index on disk, found by their words |
//! | `static-embeddings` | no | embedding models in this process: tables of vectors, as model2vec makes them |
//! | `full` | no | all of these but the two for GPUs |
//! | `constraints` | no | bounds, lengths, patterns and formats given by `#[schemars(...)]`, checked on every answer |
//! | `chrono`, `jiff`, `rust_decimal`, `url`, `uuid` | no | the types of these crates as field types |

// Lets the macros name this crate `::dspy` from inside of it, too.
#[allow(unused_extern_crates)]
extern crate self as dspy;

mod assertions;
#[cfg(doctest)]
mod book;

#[doc(hidden)]
pub use dspy_core::__private;
#[cfg(feature = "local")]
pub use dspy_core::local;
#[cfg(feature = "mcp")]
pub use dspy_core::mcp;
#[cfg(feature = "otel")]
pub use dspy_core::otel;
#[cfg(feature = "sandbox")]
pub use dspy_core::predict::{CodeAct, ProgramOfThought, RLM};
#[cfg(feature = "sandbox")]
pub use dspy_core::sandbox;
pub use dspy_core::{
    AssertionError, FieldError, LmError, LmErrorKind, ParseError, ParseErrorKind, RetrievalError, StateError,
    ToolError, ToolErrorKind,
};
pub use dspy_core::{Error, Result};
pub use dspy_core::{
    adapter, context, data, evaluate, lm, module, optimize, predict, retrieve, signature, tool, value,
};
pub use dspy_core::{
    adapter::{Adapter, ChatAdapter, Demo, JsonAdapter},
    configure,
    context::{
        Settings,
        observe::{Event, EventKind, Observer},
    },
    data::Example,
    evaluate::{AsMetric, Evaluate, Metric, metric_with_state},
    lm::{
        Budget, LM, LanguageModel, Options,
        embed::{Embedder, EmbeddingModel},
        inspect_history,
    },
    module::{IntoInput, Module, Prediction, Program},
    optimize::{
        Auto, BootstrapFewShot, BootstrapFewShotWithRandomSearch, BootstrapFinetune, COPRO, Compiled,
        FineTuner, GEPA, InferRules, KNNFewShot, LabeledFewShot, MIPROv2, Optimizer, Portfolio, SIMBA,
    },
    predict::{
        BestOfN, ChainOfThought, DynChainOfThought, DynModule, DynPredict, DynReAct, Ensemble,
        MultiChainComparison, Parallel, Predict, PredictionStream, Predictor, ReAct, ReActBuilder, Refine,
        Rendered, Sequence, Update, draws, majority,
    },
    retrieve::{Passage, Retrieve, Retriever},
    settings,
    signature::{DynSignature, GrammarError, Reasoned, Record, Signature, SignatureSpec, StaticSignature},
    tool::{Approval, Tool, Trajectory},
    with,
};
pub use dspy_macros::{Example, module, predict, signature, tool, value};

/// What most programs use: `use dspy::prelude::*;`.
pub mod prelude {
    pub use std::sync::Arc;

    #[cfg(feature = "sandbox")]
    pub use crate::{CodeAct, ProgramOfThought, RLM};

    pub use crate::{
        Adapter, AsMetric, Auto, BestOfN, BootstrapFewShot, BootstrapFewShotWithRandomSearch,
        BootstrapFinetune, COPRO, ChainOfThought, ChatAdapter, Compiled, Demo, DynSignature, Embedder,
        EmbeddingModel, Ensemble, Error, Evaluate, Example, GEPA, InferRules, JsonAdapter, KNNFewShot, LM,
        LabeledFewShot, MIPROv2, Metric, Module, MultiChainComparison, Optimizer, Options, Parallel, Passage,
        Portfolio, Predict, Prediction, Program, ReAct, Reasoned, Record, Refine, Rendered, Result,
        Retriever, SIMBA, Signature, StaticSignature, Tool, Trajectory, configure, with,
    };
    pub use dspy_macros::{module, predict, signature, tool, value};
}
