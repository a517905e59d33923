//! One run of one predictor: from the input to requests, from answers to the output.

use std::{sync::Arc, time::Instant};

use super::{
    Predictor,
    drive::{Ask, Log, Reading},
};
use crate::{
    Error, Result,
    adapter::Adapter,
    context::{Context, Recorded, StepOutcome, next_sequence},
    lm::{Message, Prompt},
    signature::{Checks, FieldReader, FieldWriter, Sections, Signature},
    value::{Content, ReadOptions},
};

/// Turns an input into the messages of the first request.
pub(super) fn format<S: Signature>(
    predictor: &Predictor,
    adapter: &Arc<dyn Adapter>,
    input: &S::Input,
) -> Result<Prompt> {
    let spec = predictor.spec();
    let layout = &**adapter;
    let (mut content, mut turns) = (Content::new(), Vec::new());
    S::write_input(input, &mut FieldWriter::new(spec, layout, &mut content, &mut turns))
        .map_err(Error::other)?;
    layout.remind(spec, &mut content);
    let mut tail = if turns.is_empty() { Vec::new() } else { layout.turns(spec, &turns) };
    tail.push(Message::user(content));
    Ok(Prompt { prefix: predictor.prefix(adapter), tail })
}

/// Runs a predictor and records the step.
pub(super) async fn run<S: Signature>(predictor: &Predictor, input: S::Input) -> Result<S::Output> {
    let (started, sequence) = (Instant::now(), next_sequence());
    let context = Context::current();
    let settings = context.settings();
    let lm = predictor.lm_or(&settings)?;
    let adapter = predictor.adapter_or(&settings);
    let spec = predictor.spec();

    let mut output: Option<S::Output> = None;
    let mut read = |sections: &Sections<'_>| {
        let options = ReadOptions::default();
        let mut reader = FieldReader::new(spec, sections, &options);
        output = S::read_output(&mut reader);
        let (errors, coercions) = reader.finish();
        let mut checks = Checks::default();
        if let Some(output) = &output {
            S::check(output, &mut checks);
        }
        Reading { errors, coercions, violations: checks.into_violations() }
    };
    let mut ask = Ask {
        spec,
        lm,
        adapter: adapter.clone(),
        options: settings.options.overlaid(predictor.options()),
        rollout: settings.rollout,
        repairs: predictor.repairs_or(&settings),
        context: &context,
        log: Log::default(),
    };
    let answered = match format::<S>(predictor, &adapter, &input) {
        Ok(prompt) => ask.drive(prompt, &|adapter| format::<S>(predictor, adapter, &input), &mut read).await,
        Err(error) => Err(error),
    };
    let result =
        answered.and_then(|()| output.ok_or_else(|| Error::Task("the signature read no output".into())));

    if let Some(recorder) = context.recorder().filter(|r| r.keeps_steps()) {
        let outcome = match &result {
            Ok(output) => StepOutcome::Done(Arc::new(output.clone()) as Arc<dyn Recorded>),
            Err(error) => StepOutcome::Failed(error.clone()),
        };
        let step = ask.log.into_step(predictor, Arc::new(input), outcome, started.elapsed());
        recorder.keep(sequence, &Arc::new(step));
    }
    result
}
