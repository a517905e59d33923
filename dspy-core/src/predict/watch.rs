//! Answers as they arrive, on their way from the requests of a run to its stream.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    LmError, LmErrorKind,
    adapter::{Adapter, Splitter},
    lm::{Answer, Delta, LM, Request, StreamEvent},
    signature::{FieldRole, SignatureSpec},
};

/// What a run tells of.
#[derive(Debug)]
pub(super) enum Event {
    /// It will ask again, and why.
    Again(String),
    /// It asks for these fields.
    Asked(Option<Box<dyn Splitter>>, Vec<(FieldRole, String)>),
    /// A piece of the answer.
    Piece(Delta),
}

/// The events that were not looked at yet: shared by a run and its stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch(Arc<Mutex<VecDeque<Event>>>);

impl Watch {
    pub(super) fn tell(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
    }

    pub(super) fn next(&self) -> Option<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Asks a model for `wanted`, and tells of the answer while it arrives.
    pub(super) async fn generate(
        &self,
        lm: &LM,
        request: Request,
        adapter: &dyn Adapter,
        wanted: &SignatureSpec,
    ) -> Result<Answer, LmError> {
        // The first step of two asks for nothing that has fields.
        let splitter = adapter.extraction().is_none().then(|| adapter.splitter(wanted)).flatten();
        let fields = wanted.fields.iter().map(|field| (field.role, field.name.clone()));
        self.tell(Event::Asked(splitter, fields.collect()));
        let mut stream = lm.ask_streamed(request, false);
        while let Some(event) = stream.next().await {
            match event? {
                StreamEvent::Delta(delta) if delta.choice == 0 => self.tell(Event::Piece(delta)),
                StreamEvent::Delta(_) => {}
                StreamEvent::Done(answer) => return Ok(answer),
            }
        }
        Err(LmError::new(LmErrorKind::Transport, lm.id(), "the stream ended without an answer"))
    }
}
