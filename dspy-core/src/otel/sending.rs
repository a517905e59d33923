//! Sends batches of spans, and says when that does not work.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};

/// An exporter that says once on standard error that spans are lost.
#[derive(Debug)]
pub(super) struct Sending<E> {
    exporter: E,
    /// The host that they are sent to.
    host: String,
    told: AtomicBool,
}

impl<E> Sending<E> {
    pub(super) fn new(exporter: E, host: impl Into<String>) -> Self {
        Self { exporter, host: host.into(), told: AtomicBool::new(false) }
    }
}

impl<E: SpanExporter> SpanExporter for Sending<E> {
    #[allow(
        clippy::print_stderr,
        reason = "whoever has no subscriber for the log must learn that spans are lost"
    )]
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        if let Err(error) = &result
            && !self.told.swap(true, Ordering::Relaxed)
        {
            eprintln!(
                "dspy: {spans} spans could not be sent to {}, and are lost, as are others until it works: {error}",
                self.host
            );
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
