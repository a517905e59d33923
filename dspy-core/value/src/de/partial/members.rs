//! The members of an object that arrives in pieces, as the texts they are.

use std::sync::Arc;

use super::{
    machine::{Machine, Member},
    plan::Plan,
    whole,
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
        Self { machine: Machine::new(Arc::new(plan), root, true, whole::max_depth()), open: None }
    }

    /// Takes the next chunk of the text.
    pub fn push(&mut self, text: &str, out: &mut dyn FnMut(MemberPiece<'_>)) {
        self.machine.push(text, &mut |member, text| tell(&mut self.open, member, text, out));
    }

    /// Takes the text as ended.
    pub fn finish(&mut self, out: &mut dyn FnMut(MemberPiece<'_>)) {
        self.machine.finish(&mut |member, text| tell(&mut self.open, member, text, out));
        tell(&mut self.open, None, "", out);
    }
}

fn tell(open: &mut Option<Member>, member: Option<Member>, text: &str, out: &mut dyn FnMut(MemberPiece<'_>)) {
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
}
