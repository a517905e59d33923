//! One run of one predictor: from the input to requests, from answers to the output.

use std::{sync::Arc, time::Instant};

use super::{
    Predictor,
    drive::{Ask, Log, Opening, Reading},
};
use crate::{
    Error, Result,
    adapter::Adapter,
    context::{Context, Recorded, StepOutcome, next_sequence},
    lm::{Capabilities, Message, Prompt},
    signature::{Beside, Checks, FieldReader, FieldWriter, Sections, Signature},
    value::Content,
};

/// Turns an input into the first request.
pub(super) fn format<S: Signature>(
    predictor: &Predictor,
    adapter: &Arc<dyn Adapter>,
    capabilities: Capabilities,
    input: &S::Input,
) -> Result<Opening> {
    let (spec, frame) = (predictor.spec(), predictor.frame(adapter, capabilities));
    let layout = &**adapter;
    let (mut content, mut beside) = (Content::new(), Beside::default());
    let mut writer = FieldWriter::new(spec, layout, frame.native_tools, &mut content, &mut beside);
    S::write_input(input, &mut writer).map_err(Error::other)?;
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

/// Runs a predictor and records the step.
pub(super) async fn run<S: Signature>(predictor: &Predictor, input: S::Input) -> Result<S::Output> {
    let (started, sequence) = (Instant::now(), next_sequence());
    let context = Context::current();
    let settings = context.settings();
    let lm = predictor.lm_or(&settings)?;
    predictor.require_checkable()?;
    let adapter = predictor.adapter_or(&settings);
    let spec = predictor.spec();

    let mut output: Option<S::Output> = None;
    let mut read = |sections: &Sections<'_>| {
        let mut reader = FieldReader::new(spec, sections, &settings.reading);
        output = S::read_output(&mut reader);
        let (errors, coercions) = reader.finish();
        let mut checks = Checks::default();
        if let Some(output) = &output {
            S::check(output, &mut checks);
        }
        let mut violations = checks.into_violations();
        violations.extend(output.iter().flat_map(|output| predictor.validate(output)));
        Reading { errors, coercions, violations }
    };
    let mut ask = Ask {
        spec,
        lm,
        adapter,
        options: settings.options.overlaid(predictor.options()),
        rollout: settings.rollout,
        repairs: predictor.repairs_or(&settings),
        context: &context,
        log: Log::default(),
    };
    let capabilities = ask.lm.capabilities();
    let open = |adapter: &Arc<dyn Adapter>| format::<S>(predictor, adapter, capabilities, &input);
    let answered = ask.drive(&open, &mut read).await;
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
