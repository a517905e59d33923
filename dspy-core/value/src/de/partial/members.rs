//! The members of an object that arrives in pieces, as the texts they are.

use std::sync::Arc;

use super::{
    machine::{Machine, Member, Tap},
    max_depth,
    plan::Plan,
};

/// What becomes of a member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MemberPiece<'t> {
    /// The member of this name, by its position, begins.
    Begin(usize),
    /// Further text of its value.
    Text(&'t str),
    /// It has ended.
    End,
}

/// Splits the first object of a text that has members of these names.
#[derive(Debug)]
pub struct MemberReader {
    machine: Machine,
    open: Option<Member>,
}

impl MemberReader {
    /// A reader of the members of these names, which are told by their positions.
    pub fn new<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let (plan, root) = Plan::members(names);
        Self { machine: Machine::new(Arc::new(plan), root, true, max_depth()), open: None }
    }

    /// Takes the next chunk of the text.
    pub fn push(&mut self, text: &str, out: &mut dyn FnMut(MemberPiece<'_>)) {
        self.machine.push_with(text, &mut tell(&mut self.open, out));
    }

    /// Takes the text as ended.
    pub fn finish(&mut self, out: &mut dyn FnMut(MemberPiece<'_>)) {
        self.machine.finish_with(&mut tell(&mut self.open, out));
        if self.open.take().is_some() {
            out(MemberPiece::End);
        }
    }
}

fn tell<'f>(open: &'f mut Option<Member>, out: &'f mut dyn FnMut(MemberPiece<'_>)) -> Box<Tap<'f>> {
    Box::new(move |member, text| {
        if *open != member {
            if open.is_some() {
                out(MemberPiece::End);
            }
            *open = member;
            if let Some(at) = member.and_then(|member| member.property) {
                out(MemberPiece::Begin(at));
            }
        }
        if member.is_some() && !text.is_empty() {
            out(MemberPiece::Text(text));
        }
    })
}
