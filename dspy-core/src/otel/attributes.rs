//! Attributes of spans, by OpenTelemetry's semantic conventions for generative AI.

use opentelemetry::{Array, KeyValue, StringValue, Value};

use crate::lm::{HistoryEntry, Options, Request, ResponseFormat, Usage, genai};

/// Attributes that are collected one after the other.
#[derive(Default)]
pub(super) struct Attributes(Vec<KeyValue>);

impl Attributes {
    pub(super) fn add(&mut self, name: &'static str, value: impl Into<Value>) -> &mut Self {
        self.0.push(KeyValue::new(name, value));
        self
    }

    /// Adds what there is.
    pub(super) fn some<V: Into<Value>>(&mut self, name: &'static str, value: Option<V>) -> &mut Self {
        if let Some(value) = value {
            self.add(name, value);
        }
        self
    }

    pub(super) fn text(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.add(name, text.to_owned())
    }

    pub(super) fn texts<'t>(
        &mut self,
        name: &'static str,
        texts: impl Iterator<Item = &'t str>,
    ) -> &mut Self {
        let texts = texts.map(|text| StringValue::from(text.to_owned())).collect();
        self.add(name, Value::Array(Array::String(texts)))
    }

    pub(super) fn number(&mut self, name: &'static str, n: u64) -> &mut Self {
        self.add(name, i64::try_from(n).unwrap_or(i64::MAX))
    }

    /// The kind of work in the words of OpenInference, which many servers of traces know besides.
    pub(super) fn kind(&mut self, kind: &'static str) -> &mut Self {
        self.add("openinference.span.kind", kind)
    }

    pub(super) fn operation(&mut self, operation: &'static str) -> &mut Self {
        self.add("gen_ai.operation.name", operation)
    }

    pub(super) fn model(&mut self, model: &str) -> &mut Self {
        let (provider, name) = genai::provider_and_model(model);
        self.some("gen_ai.provider.name", provider.map(str::to_owned)).text("gen_ai.request.model", name)
    }

    pub(super) fn request(&mut self, request: &Request) -> &mut Self {
        let Options { temperature, top_p, max_tokens, seed, n, stop, .. } = &request.options;
        self.some("gen_ai.request.temperature", *temperature)
            .some("gen_ai.request.top_p", *top_p)
            .some("gen_ai.request.max_tokens", max_tokens.map(i64::from))
            .some("gen_ai.request.seed", seed.and_then(|seed| i64::try_from(seed).ok()))
            .some("gen_ai.request.choice.count", n.filter(|n| *n > 1).map(i64::from));
        if !stop.is_empty() {
            self.texts("gen_ai.request.stop_sequences", stop.iter().map(String::as_str));
        }
        if request.format != ResponseFormat::Text {
            self.add("gen_ai.output.type", "json");
        }
        self
    }

    pub(super) fn answer(&mut self, entry: &HistoryEntry) -> &mut Self {
        let Ok(response) = &entry.outcome else { return self };
        let reasons = response.choices.iter().map(|choice| genai::finish_reason(&choice.finish));
        if !response.id.is_empty() {
            self.text("gen_ai.response.id", &response.id);
        }
        if !response.model.is_empty() {
            self.text("gen_ai.response.model", &response.model);
        }
        self.texts("gen_ai.response.finish_reasons", reasons).add("dspy.cached", entry.cached);
        // What a cache answers is not paid for again.
        if !entry.cached {
            self.usage(&response.usage).some("dspy.usd", entry.usd());
        }
        self
    }

    pub(super) fn usage(&mut self, usage: &Usage) -> &mut Self {
        self.number("gen_ai.usage.input_tokens", usage.prompt_tokens)
            .number("gen_ai.usage.output_tokens", usage.completion_tokens);
        for (name, tokens) in [
            ("gen_ai.usage.cache_read.input_tokens", usage.cached_prompt_tokens),
            ("gen_ai.usage.cache_creation.input_tokens", usage.cache_write_tokens),
            ("gen_ai.usage.reasoning.output_tokens", usage.reasoning_tokens),
        ] {
            if tokens > 0 {
                self.number(name, tokens);
            }
        }
        self
    }

    pub(super) fn take(&mut self) -> Vec<KeyValue> {
        std::mem::take(&mut self.0)
    }
}
