//! Traces by OTLP: what programs do, sent to an OpenTelemetry collector, to MLflow or to another server of traces
//! (feature `otel`).
//!
//! ```no_run
//! # fn main() -> dspy_core::Result<()> {
//! // To the place that the environment names; the rest is sent when the guard is dropped.
//! let _otel = dspy_core::otel::Otlp::new().install()?;
//! # Ok(()) }
//! ```
//!
//! The spans are made of the events that an [`Observer`](crate::context::observe::Observer) is told of, with the names of
//! OpenTelemetry's semantic conventions for generative AI (1.41). They are part of the current OpenTelemetry span, if there
//! is one.

mod attributes;
mod exporter;
mod sending;
mod spans;

pub use exporter::{Exporter, Guard, Otlp};
