//! One run of one predictor, with its step in the trace.

use std::{sync::Arc, time::Instant};

use super::{
    drive::{Ask, Log},
    run::Run,
    sides::{Sides, no_output},
    watch::Watch,
};
use crate::{
    Result,
    context::{Context, Recorder, Recording, Settings, StepOutcome, next_sequence},
    lm::BoxFuture,
    module::Predictor,
};

/// Runs a predictor and records the step. With `watch`, answers are told of while they arrive.
///
/// In a box, so that it is compiled once.
pub(super) fn run<'a>(
    predictor: &'a Predictor,
    sides: &'a mut dyn Sides,
    watch: Option<Watch>,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(async move {
        let context = Context::current();
        let settings = context.settings();
        run_once(predictor, sides, watch, &context, &settings).await
    })
}

/// Runs a predictor and gives what was recorded.
pub(super) fn call<'a>(
    predictor: &'a Predictor,
    sides: &'a mut dyn Sides,
    watch: Option<Watch>,
) -> BoxFuture<'a, Result<Recording>> {
    Box::pin(async move {
        let outer = Context::current();
        let settings = outer.settings();
        let recorder = Recorder::new(outer.recorder().cloned(), settings.trace);
        let context = outer.recording(recorder.clone());
        context.clone().scope(run_once(predictor, sides, watch, &context, &settings)).await?;
        Ok(recorder.take())
    })
}

async fn run_once(
    predictor: &Predictor,
    sides: &mut dyn Sides,
    watch: Option<Watch>,
    context: &Context,
    settings: &Settings,
) -> Result<()> {
    let (started, sequence) = (Instant::now(), next_sequence());
    let lm = predictor.lm_or(settings)?;
    let adapter = predictor.adapter_or(settings);
    let capabilities = lm.capabilities();
    let mut ask = Ask {
        spec: predictor.spec(),
        lm,
        adapter,
        settings,
        own_options: predictor.options(),
        extracting: false,
        repairs: predictor.repairs_or(settings),
        recorder: context.recorder(),
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
