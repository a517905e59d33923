//! One row of an evaluation.

use std::{fmt, sync::Arc, time::Duration};

use crate::{Error, LmErrorKind, module::Prediction};

/// Why a row has no score of its own.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Failure {
    /// The program gave no output.
    Program(Error),
    /// The program gave an output, but the metric could not judge it.
    Metric(Error),
}

impl Failure {
    /// The error.
    pub fn error(&self) -> &Error {
        match self {
            Self::Program(error) | Self::Metric(error) => error,
        }
    }

    /// The error.
    pub fn into_error(self) -> Error {
        match self {
            Self::Program(error) | Self::Metric(error) => error,
        }
    }

    /// Whether the fault lies outside the program: the model could not be reached, or refused to work. Such a
    /// failure says nothing about how good the program is. A prompt that is too long, or that a model refuses to answer,
    /// is the program's own fault.
    pub fn is_infrastructure(&self) -> bool {
        match self.error() {
            Error::Lm(e) => !matches!(
                e.kind,
                LmErrorKind::ContextWindow
                    | LmErrorKind::InvalidRequest
                    | LmErrorKind::ContentFilter
                    | LmErrorKind::Refusal
            ),
            Error::Context(_) | Error::Limit(_) => true,
            _ => false,
        }
    }

    /// Whether the failure says nothing about how good the program is: the fault lies outside of it, or the metric
    /// could not judge its output.
    pub fn is_no_fault_of_the_program(&self) -> bool {
        self.is_infrastructure() || matches!(self, Self::Metric(_))
    }

    /// Whether every other row must fail in the same way.
    pub(crate) fn is_hopeless(&self) -> bool {
        match self.error() {
            Error::Lm(e) => {
                matches!(e.kind, LmErrorKind::NotFound | LmErrorKind::Configuration)
                    || self.is_without_access()
            }
            Error::Context(_) => true,
            _ => false,
        }
    }

    /// Whether the account may ask nothing, or nothing more: also where it could before.
    pub(crate) fn is_without_access(&self) -> bool {
        matches!(self.error(), Error::Lm(e) if matches!(e.kind, LmErrorKind::Auth | LmErrorKind::Quota))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(error) => write!(f, "{error}"),
            Self::Metric(error) => write!(f, "the metric failed: {error}"),
        }
    }
}

/// One row with what the program made of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Row<E, O> {
    /// Its place in the data.
    pub index: usize,
    /// The row.
    pub example: Arc<E>,
    /// What the program gave; `None` when it failed.
    pub prediction: Option<Prediction<O>>,
    /// What the metric says, or what a failure counts.
    pub score: f64,
    /// What the metric says in words.
    pub feedback: Option<String>,
    /// Why there is no score.
    pub failure: Option<Failure>,
    /// How long program and metric took.
    pub duration: Duration,
}
