//! An answer in pieces: the tokens of a value with what stands around them.

use serde_json::Value;

use crate::{random::Random, types::Type};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Role {
    Open,
    Close,
    Comma,
    Colon,
    Key,
    Text,
    Number,
    Word,
    Space,
}

/// Where a token stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Alone,
    Object,
    List,
}

/// A token of JSON.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) role: Role,
    pub(crate) place: Place,
    /// As it is written.
    pub(crate) text: String,
    /// Of a key: that it is the name of a field. Of a number: that only a number is asked here.
    pub(crate) typed: bool,
}

impl Token {
    pub(crate) fn new(role: Role, place: Place, text: impl Into<String>) -> Self {
        Self { role, place, text: text.into(), typed: false }
    }

    /// The text that this key or text stands for, if it is written as JSON still.
    pub(crate) fn content(&self) -> Option<String> {
        let is_text = matches!(self.role, Role::Key | Role::Text);
        is_text.then(|| serde_json::from_str(&self.text).ok()).flatten()
    }

    /// Whether a line begins here.
    pub(crate) fn breaks(&self) -> bool {
        self.role == Role::Space && self.text.contains('\n')
    }
}

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Layout {
    Tight,
    Spaced,
    Lines,
}

/// An answer, as a model would write it, and then as it was damaged.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) tokens: Vec<Token>,
    /// What stands directly before and behind the value.
    pub(crate) wrapper: (String, String),
    /// The value as text, when tokens cannot tell it.
    pub(crate) body: Option<String>,
    pub(crate) before: String,
    pub(crate) fence: (String, String),
    pub(crate) after: String,
    /// That the answer ends with the tokens.
    pub(crate) cut: bool,
}

impl Answer {
    /// A correct answer.
    pub(crate) fn new(ty: &Type, value: &Value, random: &mut Random) -> Self {
        let layout = random.pick(&[Layout::Tight, Layout::Spaced, Layout::Lines, Layout::Lines]);
        let mut writer = Writer { ty, layout, depth: 0, tokens: Vec::new() };
        writer.value(value, Place::Alone, true, false);
        let before = random.pick(&[
            "Here is the JSON you asked for:\n\n",
            "Sure! I went through the text, and this is what it says:\n",
            "**Answer**\n\n",
        ]);
        let after = random.pick(&["\n\nLet me know if you need anything else!", "\n", ""]);
        let mut answer = Self {
            tokens: writer.tokens,
            wrapper: Default::default(),
            body: None,
            before: before.to_owned(),
            fence: ("```json\n".to_owned(), "\n```".to_owned()),
            after: after.to_owned(),
            cut: false,
        };
        let bare = random.below(8);
        if bare < 2 {
            answer.fence = Default::default();
        }
        if bare == 0 {
            (answer.before, answer.after) = Default::default();
        }
        answer
    }

    /// The value without what is around it.
    pub(crate) fn body(&self) -> String {
        let written = || self.tokens.iter().map(|token| token.text.as_str()).collect();
        let body = self.body.clone().unwrap_or_else(written);
        let end = if self.cut { "" } else { &self.wrapper.1 };
        format!("{}{body}{end}", self.wrapper.0)
    }

    /// The whole text.
    pub(crate) fn text(&self) -> String {
        let (before, body) = (&self.before, self.body());
        let (open, close) = &self.fence;
        match self.cut {
            true => format!("{before}{open}{body}"),
            false => format!("{before}{open}{body}{close}{}", self.after),
        }
    }

    /// The places of the tokens that `is` holds for.
    pub(crate) fn places(&self, is: impl Fn(usize, &Token) -> bool) -> Vec<usize> {
        (0..self.tokens.len()).filter(|i| is(*i, &self.tokens[*i])).collect()
    }

    /// The last token before `at` that is no space.
    pub(crate) fn previous(&self, at: usize) -> Option<usize> {
        (0..at).rev().find(|i| self.tokens[*i].role != Role::Space)
    }

    /// The first token behind `at` that is no space.
    pub(crate) fn next(&self, at: usize) -> Option<usize> {
        (at + 1..self.tokens.len()).find(|i| self.tokens[*i].role != Role::Space)
    }
}

struct Writer<'a> {
    ty: &'a Type,
    layout: Layout,
    depth: usize,
    tokens: Vec<Token>,
}

impl Writer<'_> {
    fn push(&mut self, role: Role, place: Place, text: impl Into<String>, typed: bool) {
        self.tokens.push(Token { typed, ..Token::new(role, place, text) });
    }

    fn space(&mut self, place: Place, after_colon: bool, after_comma: bool) {
        match self.layout {
            Layout::Lines if !after_colon => {
                self.push(Role::Space, place, format!("\n{}", "  ".repeat(self.depth)), false);
            }
            Layout::Tight => {}
            _ if after_colon || after_comma => self.push(Role::Space, place, " ", false),
            _ => {}
        }
    }

    /// `typed` says that only a number can be meant by a number in quotes; `free` that every key is data.
    fn value(&mut self, value: &Value, place: Place, typed: bool, free: bool) {
        match value {
            Value::Null | Value::Bool(_) => self.push(Role::Word, place, value.to_string(), typed),
            Value::Number(_) => self.push(Role::Number, place, value.to_string(), typed),
            Value::String(_) => self.push(Role::Text, place, value.to_string(), typed),
            Value::Array(items) => {
                self.push(Role::Open, place, "[", typed);
                self.depth += 1;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        self.push(Role::Comma, Place::List, ",", typed);
                    }
                    self.space(Place::List, false, i > 0);
                    self.value(item, Place::List, typed, free);
                }
                self.depth -= 1;
                if !items.is_empty() {
                    self.space(Place::List, false, false);
                }
                self.push(Role::Close, place, "]", typed);
            }
            Value::Object(members) => {
                self.push(Role::Open, place, "{", typed);
                self.depth += 1;
                for (i, (key, member)) in members.iter().enumerate() {
                    if i > 0 {
                        self.push(Role::Comma, Place::Object, ",", typed);
                    }
                    self.space(Place::Object, false, i > 0);
                    let is = |names: &[&str]| !free && names.contains(&key.as_str());
                    let (field, within_free) = (is(self.ty.fields), free || is(self.ty.free));
                    self.push(Role::Key, Place::Object, Value::from(key.as_str()).to_string(), field);
                    self.push(Role::Colon, Place::Object, ":", typed);
                    self.space(Place::Object, true, false);
                    let typed = typed && !within_free && !is(self.ty.loose);
                    self.value(member, Place::Object, typed, within_free);
                }
                self.depth -= 1;
                if !members.is_empty() {
                    self.space(Place::Object, false, false);
                }
                self.push(Role::Close, place, "}", typed);
            }
        }
    }
}
