//! Finding the output fields of an answer while it arrives.

use std::fmt;

use super::object;
use crate::{
    signature::{FieldRole, SignatureSpec},
    value::{Form, MemberPiece, MemberReader},
};

/// What a [`Splitter`] finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece<'a> {
    /// The text of the field at this position of the specification begins.
    Begin(usize, Form),
    /// Further text of the field that began last.
    Text(&'a str),
    /// Its text has ended.
    End,
}

/// Finds the output fields of an answer that arrives in pieces of any size, as [`Adapter::parse`](super::Adapter::parse)
/// finds them in the whole answer.
pub trait Splitter: fmt::Debug + Send {
    /// Takes the next piece of the answer.
    fn push(&mut self, text: &str, out: &mut dyn FnMut(Piece<'_>));

    /// Tells that the answer has ended.
    fn finish(&mut self, out: &mut dyn FnMut(Piece<'_>));
}

/// Finds the members of one JSON object. Of one that stands within another, it tells at the end.
#[derive(Debug)]
pub(super) struct ObjectSplitter {
    spec: SignatureSpec,
    /// The positions of the outputs.
    outputs: Vec<usize>,
    members: MemberReader,
    /// The answer so far, while none of the outputs is found.
    text: Option<String>,
}

impl ObjectSplitter {
    pub(super) fn new(spec: &SignatureSpec) -> Self {
        let is_output = |at: &usize| spec.fields[*at].role == FieldRole::Output;
        let outputs = (0..spec.fields.len()).filter(is_output).collect();
        let members = MemberReader::new(spec.outputs().map(|field| field.name.as_str()));
        Self { spec: spec.clone(), outputs, members, text: Some(String::new()) }
    }

    fn pass(
        &mut self,
        with: impl FnOnce(&mut MemberReader, &mut dyn FnMut(MemberPiece<'_>)),
        out: &mut dyn FnMut(Piece<'_>),
    ) {
        let Self { outputs, members, text, .. } = self;
        with(members, &mut |piece| {
            *text = None;
            pass(outputs, piece, out);
        });
    }
}

/// Passes on what becomes of a member.
fn pass(outputs: &[usize], piece: MemberPiece<'_>, out: &mut dyn FnMut(Piece<'_>)) {
    match piece {
        MemberPiece::Begin(at) => {
            if let Some(field) = outputs.get(at) {
                out(Piece::Begin(*field, Form::Json));
            }
        }
        MemberPiece::Text(text) => out(Piece::Text(text)),
        MemberPiece::End => out(Piece::End),
    }
}

impl Splitter for ObjectSplitter {
    fn push(&mut self, text: &str, out: &mut dyn FnMut(Piece<'_>)) {
        self.text.iter_mut().for_each(|so_far| so_far.push_str(text));
        self.pass(|members, found| members.push(text, found), out);
    }

    fn finish(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        self.pass(|members, found| members.finish(found), out);
        let text = self.text.take().unwrap_or_default();
        for (field, section) in object::split(&self.spec, &text).into_iter().flatten() {
            out(Piece::Begin(field, section.form));
            out(Piece::Text(&section.text));
            out(Piece::End);
        }
    }
}
