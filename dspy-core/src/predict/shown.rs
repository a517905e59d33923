//! The outputs of an answer that has not ended.

use std::{ops::Index, sync::Arc};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

use super::watch::Event;
use crate::{
    adapter::{Piece, Splitter},
    lm::Delta,
    signature::{FieldRole, Record, SignatureSpec},
    value::{Form, Kind, PartialReader, TypeInfo},
};

/// The outputs so far: see [`PredictionStream::partial`](super::PredictionStream::partial).
#[derive(Debug, Clone, Copy)]
pub struct Partial<'a>(&'a [Output]);

impl<'a> Partial<'a> {
    /// The value of an output so far; `None` while nothing of it is known.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.iter().find(|output| &*output.name == name)?.value()
    }

    /// The text of an output so far, if it is text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    /// The outputs that have a value, in the order of the signature.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        self.0.iter().filter_map(|output| Some((&*output.name, output.value()?)))
    }

    /// A copy of the outputs so far.
    pub fn to_record(&self) -> Record {
        self.iter().map(|(name, value)| (name, value.clone())).collect()
    }
}

/// The value of an output so far; null while nothing of it is known.
impl Index<&str> for Partial<'_> {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Value::Null)
    }
}

impl Serialize for Partial<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// One output.
#[derive(Debug)]
struct Output {
    name: Arc<str>,
    ty: TypeInfo,
    /// Whether its text is its value.
    text: bool,
    so_far: SoFar,
    /// How much of its text was told.
    told: usize,
}

#[derive(Debug)]
enum SoFar {
    Nothing,
    Read(Box<PartialReader>),
    Whole(Value),
}

impl Output {
    fn value(&self) -> Option<&Value> {
        match &self.so_far {
            SoFar::Nothing => None,
            SoFar::Read(reader) => reader.value(),
            SoFar::Whole(value) => Some(value),
        }
    }

    /// The text of the value that was not told yet.
    fn untold(&mut self) -> String {
        let text = self.value().and_then(Value::as_str).unwrap_or_default();
        let untold = text.get(self.told..).unwrap_or_default().to_owned();
        self.told += untold.len();
        untold
    }
}

/// What an answer has shown so far.
#[derive(Debug)]
pub(super) struct Shown {
    outputs: Vec<Output>,
    /// The output that holds the reasoning which a provider gives apart from the text.
    reasoning: Option<usize>,
    splitter: Option<Box<dyn Splitter>>,
    /// Which output each field is that the splitter knows.
    fields: Vec<Option<usize>>,
    /// The output at hand.
    open: Option<usize>,
    /// Why it is asked again.
    again: Option<String>,
}

/// What is new.
#[derive(Debug, PartialEq)]
pub(super) enum News {
    Delta { field: Arc<str>, text: String },
    Retry { fields: Vec<Arc<str>>, reason: String },
}

impl Shown {
    pub(super) fn new(spec: &SignatureSpec) -> Self {
        let output = |field: &crate::signature::Field| Output {
            name: field.name.as_str().into(),
            ty: field.ty.clone(),
            text: matches!(field.kind(), Kind::Text | Kind::Reasoning | Kind::Code(_)),
            so_far: SoFar::Nothing,
            told: 0,
        };
        Self {
            outputs: spec.outputs().map(output).collect(),
            reasoning: spec.outputs().position(|field| *field.kind() == Kind::Reasoning),
            splitter: None,
            fields: Vec::new(),
            open: None,
            again: None,
        }
    }

    pub(super) fn partial(&self) -> Partial<'_> {
        Partial(&self.outputs)
    }

    /// Takes what a run tells, and hands over what is new.
    pub(super) fn take(&mut self, event: Event, news: &mut dyn FnMut(News)) {
        match event {
            Event::Again(reason) => {
                self.finish(news);
                self.again = Some(reason);
            }
            Event::Asked(splitter, fields) => self.asked(splitter, &fields, news),
            Event::Piece(Delta { text, reasoning, .. }) => {
                if let Some(at) = self.reasoning.filter(|_| !reasoning.is_empty()) {
                    if self.open != Some(at) {
                        self.piece(Piece::End, news);
                        self.begin(at, Form::Text);
                    }
                    self.piece(Piece::Text(&reasoning), news);
                }
                self.split(|splitter, out| splitter.push(&text, out), news);
            }
        }
    }

    fn asked(
        &mut self,
        splitter: Option<Box<dyn Splitter>>,
        fields: &[(FieldRole, String)],
        news: &mut dyn FnMut(News),
    ) {
        let output = |(role, name): &(FieldRole, String)| match role {
            FieldRole::Output => self.outputs.iter().position(|output| *output.name == **name),
            FieldRole::Input => None,
        };
        self.fields = fields.iter().map(output).collect();
        self.splitter = splitter;
        self.open = None;
        let wanted: Vec<usize> = self.fields.iter().copied().flatten().collect();
        for at in &wanted {
            self.outputs[*at].so_far = SoFar::Nothing;
            self.outputs[*at].told = 0;
        }
        if let Some(reason) = self.again.take() {
            let fields = wanted.iter().map(|at| self.outputs[*at].name.clone()).collect();
            news(News::Retry { fields, reason });
        }
    }

    fn split(
        &mut self,
        with: impl FnOnce(&mut dyn Splitter, &mut dyn FnMut(Piece<'_>)),
        news: &mut dyn FnMut(News),
    ) {
        let Some(mut splitter) = self.splitter.take() else { return };
        with(&mut *splitter, &mut |piece| self.piece(piece, news));
        self.splitter = Some(splitter);
    }

    fn begin(&mut self, at: usize, form: Form) {
        self.open = Some(at);
        let output = &mut self.outputs[at];
        output.so_far = SoFar::Read(Box::new(PartialReader::new(&output.ty, form)));
        output.told = 0;
    }

    fn piece(&mut self, piece: Piece<'_>, news: &mut dyn FnMut(News)) {
        let (text, end) = match piece {
            Piece::Begin(field, form) => {
                self.piece(Piece::End, news);
                if let Some(at) = self.fields.get(field).copied().flatten() {
                    self.begin(at, form);
                }
                return;
            }
            Piece::Text(text) => (text, false),
            Piece::End => ("", true),
        };
        let Some(at) = self.open else { return };
        let output = &mut self.outputs[at];
        let SoFar::Read(reader) = &mut output.so_far else { return };
        if end {
            reader.finish();
            self.open = None;
        } else {
            reader.push(text);
        }
        let text = if output.text {
            output.untold()
        } else {
            // Space before a value is none of it.
            let text = if output.told == 0 { text.trim_start() } else { text };
            output.told += text.len();
            text.to_owned()
        };
        if !text.is_empty() {
            news(News::Delta { field: output.name.clone(), text });
        }
    }

    /// The answer has ended.
    fn finish(&mut self, news: &mut dyn FnMut(News)) {
        self.split(|splitter, out| splitter.finish(out), news);
        self.piece(Piece::End, news);
        self.splitter = None;
    }

    /// Takes the outputs as they are: what was never shown is told whole.
    pub(super) fn settle(&mut self, mut whole: Map<String, Value>, news: &mut dyn FnMut(News)) {
        self.finish(news);
        for output in &mut self.outputs {
            let Some(value) = whole.remove(&*output.name) else { continue };
            let text = match &value {
                Value::String(text) if output.text => text.get(output.told..).unwrap_or_default().to_owned(),
                Value::Null => String::new(),
                value if output.told == 0 => value.to_string(),
                _ => String::new(),
            };
            // What was told cannot be taken back.
            let begins = output.told == 0
                || output
                    .value()
                    .and_then(Value::as_str)
                    .is_some_and(|told| value.as_str().is_some_and(|text| text.starts_with(told)));
            output.so_far = SoFar::Whole(value);
            if begins && !text.is_empty() {
                output.told += text.len();
                news(News::Delta { field: output.name.clone(), text });
            }
        }
    }
}
