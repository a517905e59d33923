//! From an input to the first request, and from the sections of an answer to the output.

use std::sync::Arc;

use super::{guide, sides::Sides};
use crate::{
    Error, FieldError, Result,
    adapter::Adapter,
    context::Guidance,
    lm::{Capabilities, Message, Prompt, ResponseFormat, ToolSpec},
    module::{Agent, Predictor},
    signature::{Beside, Checks, FieldReader, FieldWriter, Sections, Violation},
    value::{Coercion, Content, ReadOptions},
};

/// What reading an answer's sections gave, besides the output itself.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) errors: Vec<FieldError>,
    pub(super) coercions: Vec<Coercion>,
    pub(super) violations: Vec<Violation>,
}

/// The first request in a format.
pub(super) struct Opening {
    pub(super) prompt: Prompt,
    pub(super) response_format: ResponseFormat,
    /// Tools that the provider takes apart from the prompt.
    pub(super) tools: Vec<ToolSpec>,
}

/// A run that has begun: what turns its input into requests and answers into its output.
pub(super) struct Run<'a> {
    pub(super) predictor: &'a Predictor,
    pub(super) capabilities: Capabilities,
    pub(super) reading: &'a ReadOptions,
    /// What the model is told beyond the input.
    pub(super) guidance: Guidance,
    pub(super) sides: &'a mut dyn Sides,
}

impl Run<'_> {
    /// Turns the input into the first request in a format.
    pub(super) fn open(&self, adapter: &Arc<dyn Adapter>) -> Result<Opening> {
        format(self.predictor, adapter, self.capabilities, self.sides, &self.guidance)
    }

    /// Reads the output from sections.
    pub(super) fn read(&mut self, sections: &Sections<'_>) -> Reading {
        read(self.predictor, self.reading, self.sides, sections)
    }
}

/// Reads the output of a predictor from sections, and checks it.
pub(super) fn read(
    predictor: &Predictor,
    options: &ReadOptions,
    sides: &mut dyn Sides,
    sections: &Sections<'_>,
) -> Reading {
    let mut reader = FieldReader::new(predictor.spec(), sections, options);
    sides.read(&mut reader);
    let (errors, coercions) = reader.finish();
    let mut checks = Checks::default();
    sides.check(&mut checks);
    let mut violations = checks.into_violations();
    if let Some(output) = sides.output() {
        violations.extend(predictor.validate(output));
    }
    Reading { errors, coercions, violations }
}

/// Turns an input into the first request.
pub(super) fn format(
    predictor: &Predictor,
    adapter: &Arc<dyn Adapter>,
    capabilities: Capabilities,
    sides: &dyn Sides,
    guidance: &Guidance,
) -> Result<Opening> {
    predictor.usable()?;
    let (spec, frame) = (predictor.spec(), predictor.frame(adapter, capabilities));
    let layout = &**adapter;
    let mut content = Content::with_capacity(ROOM + frame.reminder.len());
    let mut beside = Beside::default();
    let mut writer = FieldWriter::new(spec, layout, frame.native_tools, &mut content, &mut beside);
    sides.write(&mut writer).map_err(Error::other)?;
    let chosen = match (&guidance.chosen, predictor.nearest_demos()) {
        (None, Some(nearest)) => Some(nearest.choose(content.text())?),
        (chosen, _) => chosen.clone(),
    };
    let prefix = predictor.prefix(&frame, chosen);
    if let Some(hint) = &guidance.hint {
        guide::advise(layout, spec, hint, &mut content);
    }
    if !content.is_empty() && !frame.reminder.is_empty() {
        content.push_str("\n\n");
    }
    content.push_str(&frame.reminder);
    let question = Message::user(content);
    let Beside { turns, mut tools, steps } = beside;
    let agent = predictor.agent();
    let mut tail = match agent.filter(|_| frame.native_tools) {
        Some(agent) => {
            tools.extend_from_slice(agent.tools().told());
            agent.native_tail(layout, &turns, question, steps.as_ref())?
        }
        None if turns.is_empty() => vec![question],
        None => {
            let mut tail = layout.turns(agent.map_or(spec, Agent::turns), &turns);
            tail.push(question);
            tail
        }
    };
    if !guidance.corrections.is_empty() {
        // Calls of tools stand in the text here, because nothing answers them.
        let shown = predictor.shown(Capabilities { tools: false, ..capabilities });
        tail.extend(guide::corrected(layout, &shown, &guidance.corrections, &frame.reminder));
    }
    Ok(Opening { prompt: Prompt { prefix, tail }, response_format: frame.response_format.clone(), tools })
}

/// The room that is made for inputs at first, in bytes.
const ROOM: usize = 192;
