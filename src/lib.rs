//! Program language models instead of prompting them.

// Lets the macros name this crate `::dspy` from inside of it, too.
#[allow(unused_extern_crates)]
extern crate self as dspy;

#[cfg(doctest)]
mod book;

#[doc(hidden)]
pub use dspy_core::__private;
pub use dspy_core::{Error, Result};
pub use dspy_core::{LmError, LmErrorKind, ParseError, ParseErrorKind, StateError};
pub use dspy_core::{adapter, context, data, evaluate, lm, module, optimize, predict, signature, value};
pub use dspy_core::{
    adapter::{Adapter, ChatAdapter, Demo, JsonAdapter},
    configure,
    context::Settings,
    data::Example,
    evaluate::{Evaluate, Metric},
    lm::{LM, LanguageModel, Options},
    module::{Module, Prediction, Program},
    optimize::{BootstrapFewShot, BootstrapFewShotWithRandomSearch, Compiled, LabeledFewShot, Optimizer},
    predict::{ChainOfThought, Predict, Predictor},
    settings,
    signature::{GrammarError, Signature, SignatureSpec, StaticSignature},
    with,
};
pub use dspy_macros::{Example, module, signature, value};

/// What most programs use: `use dspy::prelude::*;`.
pub mod prelude {
    pub use std::sync::Arc;

    pub use crate::signature::Reasoned;
    pub use crate::{
        Adapter, BootstrapFewShot, BootstrapFewShotWithRandomSearch, ChainOfThought, ChatAdapter, Compiled,
        Demo, Error, Evaluate, Example, JsonAdapter, LM, LabeledFewShot, Metric, Module, Optimizer, Options,
        Predict, Prediction, Program, Result, Signature, StaticSignature, configure, with,
    };
    pub use dspy_macros::{module, signature, value};
}
