//! One run of one predictor: from the input to requests, from answers to the output.

use std::{sync::Arc, time::Instant};

use super::{
    Predictor,
    drive::{Ask, Log, Opening, Reading},
    watch::Watch,
};
use crate::{
    Error, Result,
    adapter::Adapter,
    context::{Context, Record, Recorded, Recorder, StepOutcome, next_sequence},
    lm::{BoxFuture, Capabilities, Message, Prompt},
    signature::{Beside, Checks, FieldReader, FieldWriter, Sections, Signature},
    value::{Content, ReadOptions, WriteError},
};

/// The input and the output of a run, whatever their types: what is made for each signature is this and no more.
pub(super) trait Sides: Send + Sync {
    fn write(&self, writer: &mut FieldWriter<'_>) -> std::result::Result<(), WriteError>;
    /// Reads the output, keeps it and checks it; nothing of an earlier one stays.
    fn read(&mut self, reader: &mut FieldReader<'_>);
    fn check(&self, checks: &mut Checks);
    fn output(&self) -> Option<&dyn Recorded>;
    /// A copy of the output for the trace.
    fn recorded_output(&self) -> Option<Arc<dyn Recorded>>;
    /// The input for the trace: it is taken.
    fn recorded_input(&mut self) -> Option<Arc<dyn Recorded>>;
}

/// The input and the output of a signature.
pub(super) struct SidesOf<S: Signature> {
    input: Option<S::Input>,
    output: Option<S::Output>,
}

impl<S: Signature> SidesOf<S> {
    pub(super) fn new(input: S::Input) -> Self {
        Self { input: Some(input), output: None }
    }

    /// The output of a run that did not fail.
    pub(super) fn into_output(self) -> Result<S::Output> {
        match self.output {
            Some(output) => Ok(output),
            None => Err(no_output()),
        }
    }
}

fn no_output() -> Error {
    Error::Task("the signature read no output".into())
}

impl<S: Signature> Sides for SidesOf<S> {
    fn write(&self, writer: &mut FieldWriter<'_>) -> std::result::Result<(), WriteError> {
        match &self.input {
            Some(input) => S::write_input(input, writer),
            None => Ok(()),
        }
    }

    fn read(&mut self, reader: &mut FieldReader<'_>) {
        self.output = S::read_output(reader);
    }

    fn check(&self, checks: &mut Checks) {
        if let Some(output) = &self.output {
            S::check(output, checks);
        }
    }

    fn output(&self) -> Option<&dyn Recorded> {
        match &self.output {
            Some(output) => Some(output),
            None => None,
        }
    }

    fn recorded_output(&self) -> Option<Arc<dyn Recorded>> {
        match &self.output {
            Some(output) => Some(Arc::new(output.clone())),
            None => None,
        }
    }

    fn recorded_input(&mut self) -> Option<Arc<dyn Recorded>> {
        match self.input.take() {
            Some(input) => Some(Arc::new(input)),
            None => None,
        }
    }
}

/// A run that has begun: what turns its input into requests and answers into its output.
pub(super) struct Run<'a> {
    predictor: &'a Predictor,
    capabilities: Capabilities,
    reading: &'a ReadOptions,
    sides: &'a mut dyn Sides,
}

impl Run<'_> {
    /// Turns the input into the first request in a format.
    pub(super) fn open(&self, adapter: &Arc<dyn Adapter>) -> Result<Opening> {
        format(self.predictor, adapter, self.capabilities, self.sides)
    }

    /// Reads the output from sections.
    pub(super) fn read(&mut self, sections: &Sections<'_>) -> Reading {
        let mut reader = FieldReader::new(self.predictor.spec(), sections, self.reading);
        self.sides.read(&mut reader);
        let (errors, coercions) = reader.finish();
        let mut checks = Checks::default();
        self.sides.check(&mut checks);
        let mut violations = checks.into_violations();
        if let Some(output) = self.sides.output() {
            violations.extend(self.predictor.validate(output));
        }
        Reading { errors, coercions, violations }
    }
}

/// Turns an input into the first request.
pub(super) fn format(
    predictor: &Predictor,
    adapter: &Arc<dyn Adapter>,
    capabilities: Capabilities,
    sides: &dyn Sides,
) -> Result<Opening> {
    predictor.usable()?;
    let (spec, frame) = (predictor.spec(), predictor.frame(adapter, capabilities));
    let layout = &**adapter;
    let (mut content, mut beside) = (Content::new(), Beside::default());
    let mut writer = FieldWriter::new(spec, layout, frame.native_tools, &mut content, &mut beside);
    sides.write(&mut writer).map_err(Error::other)?;
    if !content.is_empty() {
        content.push_str("\n\n");
    }
    content.push_str(&frame.reminder);
    let mut tail = if beside.turns.is_empty() { Vec::new() } else { layout.turns(spec, &beside.turns) };
    tail.push(Message::user(content));
    Ok(Opening {
        prompt: Prompt { prefix: frame.prefix.clone(), tail },
        response_format: frame.response_format.clone(),
        tools: beside.tools,
    })
}

/// Runs a predictor and records the step. With `watch`, answers are told of while they arrive.
///
/// In a box, so that it is compiled once.
pub(super) fn run<'a>(
    predictor: &'a Predictor,
    sides: &'a mut dyn Sides,
    watch: Option<Watch>,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(run_once(predictor, sides, watch))
}

/// Runs a predictor and gives what was recorded.
pub(super) fn call<'a>(
    predictor: &'a Predictor,
    sides: &'a mut dyn Sides,
    watch: Option<Watch>,
) -> BoxFuture<'a, Result<Record>> {
    Box::pin(async move {
        let context = Context::current();
        let recorder = Recorder::new(context.recorder().cloned(), context.settings().trace);
        context.recording(recorder.clone()).scope(run_once(predictor, sides, watch)).await?;
        Ok(recorder.take())
    })
}

async fn run_once(predictor: &Predictor, sides: &mut dyn Sides, watch: Option<Watch>) -> Result<()> {
    let (started, sequence) = (Instant::now(), next_sequence());
    let context = Context::current();
    let settings = context.settings();
    let lm = predictor.lm_or(&settings)?;
    let adapter = predictor.adapter_or(&settings);
    let capabilities = lm.capabilities();
    let mut ask = Ask {
        spec: predictor.spec(),
        lm,
        adapter,
        options: settings.options.overlaid(predictor.options()),
        rollout: settings.rollout,
        repairs: predictor.repairs_or(&settings),
        context: &context,
        log: Log::default(),
        watch,
    };
    let mut run = Run { predictor, capabilities, reading: &settings.reading, sides };
    let mut result = ask.drive(&mut run).await;
    if result.is_ok() && run.sides.output().is_none() {
        result = Err(no_output());
    }
    if let Some(recorder) = context.recorder().filter(|r| r.keeps_steps()) {
        let outcome = match &result {
            Ok(()) => run.sides.recorded_output().ok_or_else(no_output),
            Err(error) => Err(error.clone()),
        };
        let outcome = outcome.map_or_else(StepOutcome::Failed, StepOutcome::Done);
        if let Some(input) = run.sides.recorded_input() {
            let step = ask.log.into_step(predictor, input, outcome, started.elapsed());
            recorder.keep(sequence, &Arc::new(step));
        }
    }
    result
}
