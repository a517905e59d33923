//! The requests of one run: the first one, the further attempt in another format, the question for missing fields.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{
    observed::PredictorWork,
    refused,
    run::{Opening, Reading, Run},
    sides::no_output,
    watch::{Event, Watch},
};
use crate::{
    Error, FieldError, LmError, LmErrorKind, ParseError, ParseErrorKind, Result,
    adapter::{Adapter, Extraction, NoStructure},
    context::{Recorded, Recorder, Settings, Step, StepOutcome},
    lm::{
        Answer, Choice, FinishReason, LM, Message, Options, Request, Response, ResponseFormat, ToolCall,
        Usage,
    },
    module::Predictor,
    signature::{FieldRole, Section, Sections, SignatureSpec, Violation},
    value::{Coercion, Content, Kind},
};

/// What happened on the way, for the trace.
#[derive(Default)]
pub(super) struct Log {
    usage: Usage,
    response: Option<Arc<Response>>,
    several: Vec<StepOutcome>,
    model: Option<Arc<str>>,
    retries: Vec<String>,
    coercions: Vec<Coercion>,
    pub(super) warnings: Vec<Violation>,
}

impl Log {
    pub(super) fn into_step(
        self,
        predictor: &Predictor,
        input: Arc<dyn Recorded>,
        outcome: StepOutcome,
        duration: Duration,
    ) -> Step {
        Step {
            predictor: predictor.id(),
            signature: predictor.name().clone(),
            input,
            outcome,
            usage: self.usage,
            response: self.response,
            several: self.several,
            model: self.model.unwrap_or_else(|| "".into()),
            retries: self.retries,
            coercions: self.coercions,
            warnings: self.warnings,
            duration,
        }
    }
}

/// One run of one predictor.
pub(super) struct Ask<'a> {
    pub(super) spec: &'a SignatureSpec,
    pub(super) lm: LM,
    pub(super) adapter: Arc<dyn Adapter>,
    pub(super) settings: &'a Settings,
    /// The predictor's sampling options, which are laid over those of the settings.
    pub(super) own_options: &'a Options,
    /// Whether the outputs are drawn from a free answer.
    pub(super) extracting: bool,
    /// Further requests that may be sent.
    pub(super) repairs: u32,
    /// Who counts what the requests cost.
    pub(super) recorder: Option<&'a Arc<Recorder>>,
    /// The constraints that the output that was read last does not meet.
    pub(super) unmet: Vec<Violation>,
    pub(super) log: Log,
    /// Who sees answers while they arrive.
    pub(super) watch: Option<Watch>,
    /// Who is told of prompts and of what is read.
    pub(super) work: Option<&'a PredictorWork>,
}

impl Ask<'_> {
    /// Asks until an output is read, whatever it does not meet, or no further request is allowed.
    pub(super) async fn drive(&mut self, run: &mut Run<'_>) -> Result<()> {
        let mut answer = self.request(self.spec, run.open(&self.adapter)?).await?;
        let mut free = None;
        let native = run.predictor.native_agent(self.lm.capabilities()).is_some();
        if let Some(extraction) = self.adapter.extraction().cloned().filter(|_| !native) {
            let choice = answer.first();
            if choice.finish == FinishReason::Length {
                return Err(self.parse_error(ParseErrorKind::Truncated, Vec::new(), choice));
            }
            free = Some(choice.text.clone());
            (self.lm, self.adapter) = (extraction.lm, extraction.adapter);
            self.extracting = true;
            answer = self.request(self.spec, self.opening(run, free.as_deref())?).await?;
        }
        let (reading, found) = loop {
            match self.best(&answer, run) {
                Ok((reading, _)) if reading.errors.is_empty() => {
                    self.take(reading);
                    self.log.several = self.several(&answer, run);
                    return Ok(());
                }
                Ok((reading, sections)) => break (reading, sections.into_owned()),
                Err(kind) => {
                    let error = self.parse_error(kind, Vec::new(), answer.first());
                    self.unread(&error);
                    // An answer that was cut off would be cut off again.
                    let further = kind != ParseErrorKind::Truncated && self.repairs > 0;
                    let Some(fallback) = self.adapter.fallback().filter(|_| further) else {
                        return Err(error);
                    };
                    self.again(format!("asked again through the {} adapter: {error}", fallback.name()));
                    self.adapter = fallback;
                    answer = self.request(self.spec, self.opening(run, free.as_deref())?).await?;
                }
            }
        };
        // In a box, because it is rare and would make every call larger.
        Box::pin(self.repair(run, free, answer, reading, found)).await
    }

    /// Asks again for the outputs that could not be read, until they can be or no further request is allowed.
    async fn repair(
        &mut self,
        run: &mut Run<'_>,
        free: Option<String>,
        mut answer: Answered,
        mut reading: Reading,
        mut found: Sections<'static>,
    ) -> Result<()> {
        let mut turns = Vec::new();
        while !reading.errors.is_empty() {
            let choice = answer.first();
            let error = self.parse_error(kind_of(choice, &reading.errors), reading.errors.clone(), choice);
            self.unread(&error);
            if choice.finish == FinishReason::Length || self.repairs == 0 {
                return Err(error);
            }
            let wanted = self.narrowed(&reading.errors);
            let names: Vec<&str> = wanted.outputs().map(|f| f.name.as_str()).collect();
            self.again(format!("asked again for {}: {error}", names.join(", ")));
            let mut question = Content::new();
            self.adapter.ask_again(&wanted, &reading.errors, &mut question);
            turns.push(Message::assistant(choice.text.as_str()));
            turns.push(Message::user(question));
            // The first request is made anew rather than kept through every call.
            let mut opening = self.opening(run, free.as_deref())?;
            opening.prompt.tail.extend(turns.iter().cloned());
            opening.response_format = self.response_format(&wanted);
            answer = self.request(&wanted, opening).await?;
            let choice = answer.first();
            let mut again = self.adapter.parse(&wanted, choice).unwrap_or_default();
            self.add_native(&wanted, choice, &mut again);
            // Only what was asked for is taken: the fields that were read stay.
            for (index, section) in again.into_owned() {
                if let Some(at) = self.spec.position(&wanted.fields[index].name) {
                    found.replace(at, section);
                }
            }
            reading = run.read(&found);
        }
        self.take(reading);
        Ok(())
    }

    /// The first request in the adapter's format: for the input, or for the free answer that the outputs are drawn
    /// from.
    fn opening(&self, run: &Run<'_>, free: Option<&str>) -> Result<Opening> {
        let Some(text) = free else { return run.open(&self.adapter) };
        let extraction = Extraction::new(self.lm.clone(), self.adapter.clone());
        Ok(Opening {
            prompt: extraction.prompt(self.spec, text),
            response_format: self.response_format(self.spec),
            tools: Vec::new(),
        })
    }

    /// Reads the first of the answers that meets everything; otherwise the first that can be read whole; otherwise what
    /// there is of the first.
    fn best<'r>(
        &self,
        answer: &'r Answered,
        run: &mut Run<'_>,
    ) -> std::result::Result<(Reading, Sections<'r>), ParseErrorKind> {
        let choices = &answer.0.response.choices;
        let mut whole = None;
        for (i, choice) in choices.iter().enumerate() {
            let read = self.sections(choice, run);
            let met = match &read {
                Ok((reading, _)) if reading.errors.is_empty() => {
                    whole = whole.or(Some(i));
                    reading.violations.is_empty()
                }
                _ => false,
            };
            if met || choices.len() == 1 {
                return read;
            }
        }
        // Read again, because what is read last stands.
        self.sections(&choices[whole.unwrap_or_default()], run)
    }

    /// What each of several answers says, where it is kept. The output that was read stays.
    fn several(&self, answer: &Answered, run: &mut Run<'_>) -> Vec<StepOutcome> {
        let choices = &answer.0.response.choices;
        if choices.len() < 2 || !self.recorder.is_some_and(|recorder| recorder.keeps_steps()) {
            return Vec::new();
        }
        let Some(output) = run.sides.recorded_output() else { return Vec::new() };
        let mut read = |choice: &Choice| match self.sections(choice, run) {
            Err(kind) => Err(self.parse_error(kind, Vec::new(), choice)),
            Ok((reading, _)) if !reading.errors.is_empty() => {
                Err(self.parse_error(kind_of(choice, &reading.errors), reading.errors, choice))
            }
            Ok((reading, _)) => match self.broken(&reading.violations) {
                Some(error) => Err(error),
                None => run.sides.recorded_output().ok_or_else(no_output),
            },
        };
        let outcome = |read: Result<_>| read.map_or_else(StepOutcome::Failed, StepOutcome::Done);
        let all = choices.iter().map(|choice| outcome(read(choice))).collect();
        run.sides.replay(&*output);
        all
    }

    /// The error that broken assertions of the signature are.
    pub(super) fn broken(&self, violations: &[Violation]) -> Option<Error> {
        let fatal: Vec<&Violation> = violations.iter().filter(|violation| violation.fatal).collect();
        let messages: Vec<&str> = fatal.iter().map(|violation| violation.message.as_str()).collect();
        Some(Error::Constraint {
            signature: self.spec.name.clone(),
            field: fatal.first()?.field.clone(),
            message: messages.join("; "),
        })
    }

    /// Finds the fields in an answer and reads them.
    fn sections<'r>(
        &self,
        choice: &'r Choice,
        run: &mut Run<'_>,
    ) -> std::result::Result<(Reading, Sections<'r>), ParseErrorKind> {
        let absent = || match choice {
            c if c.finish == FinishReason::Length => ParseErrorKind::Truncated,
            c if c.text.trim().is_empty() => ParseErrorKind::Empty,
            _ => ParseErrorKind::Structure,
        };
        let native = run.predictor.native_agent(self.lm.capabilities());
        let parsed = match native {
            Some(_) if choice.finish == FinishReason::Length && choice.tool_calls.is_empty() => {
                return Err(ParseErrorKind::Truncated);
            }
            Some(agent) => Ok(agent.sections(&*self.adapter, self.spec, choice)),
            None => self.adapter.parse(self.spec, choice),
        };
        let mut sections = match parsed {
            Ok(sections) => sections,
            Err(NoStructure) if !choice.tool_calls.is_empty() => Sections::new(),
            Err(NoStructure) => return Err(absent()),
        };
        self.add_native(self.spec, choice, &mut sections);
        let reading = run.read(&sections);
        if native.is_some() {
            run.sides.answered(choice);
        }
        // Taking the whole answer for the only field was a guess, and it was wrong.
        if sections.guessed && !reading.errors.is_empty() {
            return Err(absent());
        }
        // The last value may lack its end although it can be read: half a sentence, a number without its last digits.
        if reading.errors.is_empty() && choice.finish == FinishReason::Length && !sections.ended {
            return Err(ParseErrorKind::Truncated);
        }
        Ok((reading, sections))
    }

    /// Adds what the provider gave apart from the text: reasoning, citations and tool calls.
    fn add_native<'r>(&self, spec: &SignatureSpec, choice: &'r Choice, sections: &mut Sections<'r>) {
        if let Some(at) = spec.reasoning_output() {
            // A model that thinks on its own was not asked to write its thinking down.
            let unasked = self.lm.capabilities().reasoning && *spec.fields[at].kind() == Kind::Reasoning;
            if let Some(reasoning) = choice.reasoning.as_deref().or(unasked.then_some("")) {
                sections.insert(at, Section::text(reasoning));
            }
        }
        if let Some(at) = spec.citations_output()
            && (!choice.citations.is_empty() || self.cites())
            && let Ok(citations) = serde_json::to_string(&choice.citations)
        {
            sections.replace(at, Section::json(citations));
        }
        if let Some((_, at)) = spec.tool_fields().filter(|_| !choice.tool_calls.is_empty()) {
            let calls: Vec<_> = choice.tool_calls.iter().map(written).collect();
            sections.replace(at, Section::json(Value::Array(calls).to_string()));
        }
    }

    fn unread(&self, error: &Error) {
        if let Some(work) = self.work {
            work.parsed(self.adapter.name(), Err(error));
        }
    }

    /// Keeps what came with an output that was read whole.
    fn take(&mut self, reading: Reading) {
        if let Some(work) = self.work {
            work.parsed(self.adapter.name(), Ok(&reading.coercions));
        }
        self.log.coercions = reading.coercions;
        self.log.several.clear();
        self.unmet = reading.violations;
    }

    /// Whether the model names the places of documents apart from its answer.
    fn cites(&self) -> bool {
        self.lm.capabilities().citations && self.spec.cited_output().is_some()
    }

    fn response_format(&self, spec: &SignatureSpec) -> ResponseFormat {
        let capabilities = self.lm.capabilities();
        // Providers do not cite in answers whose form they enforce.
        let capabilities = if self.cites() { capabilities.json_schema(false) } else { capabilities };
        self.adapter.response_format(spec, capabilities)
    }

    /// The sampling options. Those of the program are meant for the model that answers, not for the one that copies.
    fn options(&self) -> Options {
        if self.extracting { Options::default() } else { self.settings.options.overlaid(self.own_options) }
    }

    /// Sends a request for the outputs of `wanted`.
    async fn request(&mut self, wanted: &SignatureSpec, opening: Opening) -> Result<Answered> {
        let Opening { prompt, response_format, tools } = opening;
        if let Some(work) = self.work {
            work.formatted(self.adapter.name(), &prompt);
        }
        let mut request = Request {
            options: self.options(),
            rollout: self.settings.rollout,
            meter: self.settings.meter.clone(),
            format: response_format,
            tools,
            ..Request::new(prompt)
        };
        let model = self.lm.shared_id().clone();
        self.log.model.get_or_insert_with(|| model.clone());
        if refused::is_refused(&self.lm, &request.format) {
            request.format = refused::without_schema(self.lm.capabilities());
        }
        let again = matches!(request.format, ResponseFormat::JsonSchema { .. }).then(|| request.clone());
        let answer = match (self.send(request, wanted).await, again) {
            (Err(error), Some(again)) if refused::says_so(&error) => {
                // In a box, because it is rare and would make every call larger.
                Box::pin(self.send_without_schema(again, wanted, error)).await?
            }
            (answer, _) => answer?,
        };
        let usage = answer.usage();
        self.log.usage += usage;
        self.log.response = Some(answer.response.clone());
        if let Some(recorder) = self.recorder {
            recorder.count(self.lm.answered_by(&answer), usage);
        }
        // It was paid, hence only now.
        let answer = answer.checked(&model)?;
        if answer.response.choices.is_empty() {
            return Err(
                LmError::new(LmErrorKind::InvalidResponse, &*model, "a response without answers").into()
            );
        }
        Ok(Answered(answer))
    }

    async fn send(&self, request: Request, wanted: &SignatureSpec) -> std::result::Result<Answer, LmError> {
        match &self.watch {
            // Two boxes of middle size are had from an allocator sooner than a large one.
            None => Box::pin(self.lm.ask(request, false)).await,
            Some(watch) => Box::pin(watch.generate(&self.lm, request, &*self.adapter, wanted)).await,
        }
    }

    /// Sends a request whose schema the provider does not take; it is not sent again to this model.
    async fn send_without_schema(
        &mut self,
        mut request: Request,
        wanted: &SignatureSpec,
        error: LmError,
    ) -> std::result::Result<Answer, LmError> {
        self.told_again(format!("asked again without the schema, which the provider does not take: {error}"));
        let schema = request.format;
        request.format = refused::without_schema(self.lm.capabilities());
        let answer = self.send(request, wanted).await?;
        // Only now is it known that it was the schema.
        refused::remember(&self.lm, &schema);
        Ok(answer)
    }

    fn again(&mut self, why: String) {
        self.repairs -= 1;
        self.told_again(why);
    }

    /// Tells whoever watches that another answer is asked for.
    pub(super) fn told_again(&mut self, why: String) {
        tracing::debug!(signature = self.spec.name, "{why}");
        if let Some(watch) = &self.watch {
            watch.tell(Event::Again(why.clone()));
        }
        if let Some(work) = self.work {
            work.again(&why);
        }
        self.log.retries.push(why);
    }

    /// The signature with only those outputs that could not be read.
    fn narrowed(&self, errors: &[FieldError]) -> SignatureSpec {
        let mut spec = self.spec.clone();
        spec.fields.retain(|f| f.role == FieldRole::Input || errors.iter().any(|e| e.field == f.name));
        spec
    }

    fn parse_error(&self, kind: ParseErrorKind, fields: Vec<FieldError>, choice: &Choice) -> Error {
        ParseError {
            kind,
            signature: self.spec.name.clone(),
            adapter: self.adapter.name(),
            fields,
            response: choice.text.clone(),
        }
        .into()
    }
}

/// An answer that is known to hold at least one choice.
struct Answered(Answer);

impl Answered {
    fn first(&self) -> &Choice {
        &self.0.response.choices[0]
    }
}

/// A call as the model wrote it: arguments that are no object stand as a list of their text, which is refused when it is
/// read, with the tool's name and the text.
fn written(call: &ToolCall) -> Value {
    let args = call.unparsed().map_or_else(|| call.args.clone().into(), |text| json!([text]));
    json!({"id": call.id, "name": call.name, "args": args})
}

fn kind_of(choice: &Choice, errors: &[FieldError]) -> ParseErrorKind {
    match errors {
        _ if choice.finish == FinishReason::Length => ParseErrorKind::Truncated,
        errors if errors.iter().all(|e| e.cause.is_none()) => ParseErrorKind::Missing,
        _ => ParseErrorKind::Value,
    }
}
