//! One run of one predictor, with its step in the trace.

use std::{sync::Arc, time::Instant};

use super::{
    drive::{Ask, Log},
    observed::PredictorWork,
    run::Run,
    sides::{Sides, no_output},
    watch::Watch,
};
use crate::{
    Result,
    context::{Context, Guidance, Logged, Recall, Recorder, Recording, Settings, StepOutcome, next_sequence},
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
    let mut guidance = Guidance { hint: hint(predictor, context), ..Guidance::default() };
    match recalled(predictor, sides, context) {
        Some(Recall::Replay(logged)) => return replay(logged, sides, context, sequence),
        Some(Recall::Correct(corrections)) => guidance.corrections = corrections,
        None => {}
    }
    if let (Some(nearest), Some(input)) = (predictor.nearest_demos(), sides.input())
        && nearest.embedder_id().is_some()
    {
        guidance.chosen = nearest.choose_by_meaning(&input.to_json()).await?;
    }
    let lm = predictor.lm_or(settings)?;
    let work = match context.is_observed() {
        true => sides.input().and_then(|input| PredictorWork::begin(context, predictor, input)),
        false => None,
    };
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
        unmet: Vec::new(),
        log: Log::default(),
        watch,
        work: work.as_deref(),
    };
    let mut run = Run { predictor, capabilities, reading: &settings.reading, guidance, sides };
    // Each in its place, because a future that is moved is copied.
    let mut result = match &work {
        None => ask.answer(&mut run).await,
        Some(work) => work.watch(context, Box::pin(ask.answer(&mut run))).await,
    };
    if result.is_ok() && run.sides.output().is_none() {
        result = Err(no_output());
    }
    for warning in &ask.log.warnings {
        context.note(warning.clone());
    }
    let recorder = context.recorder().filter(|r| r.keeps_steps());
    if recorder.is_some() || context.attempt().is_some() || work.is_some() {
        let outcome = match &result {
            Ok(()) => run.sides.recorded_output().ok_or_else(no_output),
            Err(error) => Err(error.clone()),
        };
        let outcome = outcome.map_or_else(StepOutcome::Failed, StepOutcome::Done);
        if let Some(input) = run.sides.recorded_input() {
            let step = Arc::new(ask.log.into_step(predictor, input, outcome, started.elapsed()));
            if let Some(recorder) = recorder {
                recorder.keep(sequence, &step);
            }
            if let Some(work) = work {
                work.end(&step);
            }
            if let Some(attempt) = context.attempt() {
                attempt.log(Logged::new(sequence, step, run.guidance.corrections));
            }
        }
    }
    result
}

/// What the predictor is told for as long as the context lasts.
fn hint(predictor: &Predictor, context: &Context) -> Option<String> {
    context.hints()?.of(predictor.id()).map(str::to_owned)
}

/// What an earlier run of the same call of a program did here.
fn recalled(predictor: &Predictor, sides: &dyn Sides, context: &Context) -> Option<Recall> {
    context.attempt()?.recall(predictor.id(), sides.input()?)
}

/// Does once more what an earlier run did.
fn replay(logged: Logged, sides: &mut dyn Sides, context: &Context, sequence: u64) -> Result<()> {
    let step = logged.step.clone();
    if let Some(recorder) = context.recorder().filter(|r| r.keeps_steps()) {
        recorder.keep(sequence, &step);
    }
    for warning in &step.warnings {
        context.note(warning.clone());
    }
    if let Some(attempt) = context.attempt() {
        attempt.log(logged.at(sequence));
    }
    match &step.outcome {
        StepOutcome::Done(output) if sides.replay(&**output) => Ok(()),
        StepOutcome::Done(_) => Err(no_output()),
        StepOutcome::Failed(error) => Err(error.clone()),
    }
}
