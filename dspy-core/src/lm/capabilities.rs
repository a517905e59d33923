//! What a model can do.

/// What a model can do natively.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// Answers that are one JSON object (`response_format: json_object`).
    pub json_object: bool,
    /// Answers constrained by a JSON Schema.
    pub json_schema: bool,
    /// Native tool calls.
    pub tools: bool,
    /// Reasoning content apart from the answer.
    pub reasoning: bool,
    /// Partial answers as they are generated.
    pub streaming: bool,
    /// Images in messages.
    pub images: bool,
    /// Sound in messages.
    pub audio: bool,
    /// Files such as PDFs in messages.
    pub files: bool,
    /// The log probabilities of tokens.
    pub logprobs: bool,
    /// The places of documents of the input that an answer rests on, apart from the answer.
    pub citations: bool,
}

impl Capabilities {
    /// Nothing but text in, text out.
    pub const fn none() -> Self {
        Self::every(false)
    }

    /// All capabilities.
    pub const fn all() -> Self {
        Self::every(true)
    }

    const fn every(yes: bool) -> Self {
        Self {
            json_object: yes,
            json_schema: yes,
            tools: yes,
            reasoning: yes,
            streaming: yes,
            images: yes,
            audio: yes,
            files: yes,
            logprobs: yes,
            citations: yes,
        }
    }

    /// What two models can do both.
    pub(crate) const fn both(self, other: Self) -> Self {
        Self {
            json_object: self.json_object && other.json_object,
            json_schema: self.json_schema && other.json_schema,
            tools: self.tools && other.tools,
            reasoning: self.reasoning && other.reasoning,
            streaming: self.streaming && other.streaming,
            images: self.images && other.images,
            audio: self.audio && other.audio,
            files: self.files && other.files,
            logprobs: self.logprobs && other.logprobs,
            citations: self.citations && other.citations,
        }
    }

    /// Sets whether answers can be forced to be one JSON object.
    #[must_use]
    pub const fn json_object(mut self, yes: bool) -> Self {
        self.json_object = yes;
        self
    }

    /// Sets whether answers can be constrained by a JSON Schema.
    #[must_use]
    pub const fn json_schema(mut self, yes: bool) -> Self {
        self.json_schema = yes;
        self
    }

    /// Sets whether tools can be called natively.
    #[must_use]
    pub const fn tools(mut self, yes: bool) -> Self {
        self.tools = yes;
        self
    }

    /// Sets whether reasoning arrives apart from the answer.
    #[must_use]
    pub const fn reasoning(mut self, yes: bool) -> Self {
        self.reasoning = yes;
        self
    }

    /// Sets whether partial answers arrive as they are generated.
    #[must_use]
    pub const fn streaming(mut self, yes: bool) -> Self {
        self.streaming = yes;
        self
    }

    /// Sets whether messages may hold images.
    #[must_use]
    pub const fn images(mut self, yes: bool) -> Self {
        self.images = yes;
        self
    }

    /// Sets whether messages may hold sound.
    #[must_use]
    pub const fn audio(mut self, yes: bool) -> Self {
        self.audio = yes;
        self
    }

    /// Sets whether messages may hold files.
    #[must_use]
    pub const fn files(mut self, yes: bool) -> Self {
        self.files = yes;
        self
    }

    /// Sets whether the log probabilities of tokens can be had.
    #[must_use]
    pub const fn logprobs(mut self, yes: bool) -> Self {
        self.logprobs = yes;
        self
    }

    /// Sets whether the places of documents arrive that an answer rests on.
    #[must_use]
    pub const fn citations(mut self, yes: bool) -> Self {
        self.citations = yes;
        self
    }
}
