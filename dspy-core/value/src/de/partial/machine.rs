//! JSON as it arrives, in any pieces, and the value that it has so far.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    super::lex::{self, Place},
    ahead,
    frames::{self, Frame, Shape},
    look,
    plan::{ANY, NodeId, Plan},
    strings::{Quoted, Step},
};

/// How many needless wrappers are taken off.
pub(super) const MOST_WRAPPERS: usize = 8;

/// How far is looked ahead for a key.
pub(super) const FARTHEST: usize = 1024;

/// A member of the outermost object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Member {
    /// How many came before it.
    number: usize,
    /// Its place among the properties.
    pub(super) property: Option<usize>,
}

/// Told of the text of members.
pub(super) type Tap<'t> = dyn FnMut(Option<Member>, &str) + 't;

/// What a step came to.
pub(super) enum Flow {
    /// Something was read.
    On,
    /// More of the text is needed.
    More,
}

#[derive(Debug)]
pub(super) enum State {
    /// Before the value, in text of any sort; `true` once there was any.
    Prose(bool),
    /// A value of this type is next.
    Value(NodeId, Place),
    /// In a string.
    Text(Quoted, Target),
    /// Behind a value.
    Between,
    /// Behind everything.
    Done,
}

/// Where a string goes.
#[derive(Debug)]
pub(super) enum Target {
    /// It is shown as it grows.
    Shown,
    /// It counts as a whole only: as a value of this type.
    Held(NodeId, String),
    /// Nobody wants it.
    Nowhere(String),
}

/// Reads a value from text that arrives in pieces.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) plan: Arc<Plan>,
    pub(super) root: NodeId,
    /// The text that is not read yet, from `at`.
    pub(super) text: String,
    pub(super) at: usize,
    /// How long that must be before it is worth another look.
    pub(super) wait: usize,
    pub(super) ended: bool,
    pub(super) state: State,
    pub(super) frames: Vec<Frame>,
    pub(super) wrappers: usize,
    pub(super) max_depth: usize,
    /// Whether the value at hand becomes part of the result.
    pub(super) live: bool,
    pub(super) value: Option<Value>,
    pub(super) scratch: String,
}

impl Machine {
    /// A reader of a value of this type. With `prose`, anything may stand before it.
    pub(super) fn new(plan: Arc<Plan>, root: NodeId, prose: bool, max_depth: usize) -> Self {
        let state = if prose { State::Prose(false) } else { State::Value(root, Place::Alone) };
        Self {
            plan,
            root,
            text: String::new(),
            at: 0,
            wait: 0,
            ended: false,
            state,
            frames: Vec::new(),
            wrappers: 0,
            max_depth,
            live: true,
            value: None,
            scratch: String::new(),
        }
    }

    pub(super) fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    pub(super) fn into_value(self) -> Option<Value> {
        self.value
    }

    /// Whether the value has ended.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(super) fn push(&mut self, chunk: &str) {
        self.push_with(chunk, &mut |_, _| {});
    }

    /// Takes the next piece of the text, and tells `tap` of each piece of it that is read, with the member of the
    /// outermost object that it belonged to before.
    pub(super) fn push_with(&mut self, chunk: &str, tap: &mut Tap<'_>) {
        if self.is_done() {
            return;
        }
        self.text.push_str(chunk);
        if self.text.len() - self.at < self.wait {
            return;
        }
        self.run(tap);
        // What was read is dropped now and then, so that this costs little.
        if self.at == self.text.len() {
            self.text.clear();
            self.at = 0;
        } else if self.at > 4096 && self.at * 2 > self.text.len() {
            self.text.drain(..self.at);
            self.at = 0;
        }
    }

    /// The text has ended.
    pub(super) fn finish(&mut self) {
        self.finish_with(&mut |_, _| {});
    }

    pub(super) fn finish_with(&mut self, tap: &mut Tap<'_>) {
        self.ended = true;
        self.run(tap);
        self.state = State::Done;
    }

    pub(super) fn run(&mut self, tap: &mut Tap<'_>) {
        self.wait = 0;
        while !self.is_done() {
            let (from, member) = (self.at, self.member_at_hand());
            let flow = self.step();
            if let Some(member) = member {
                tap(Some(member), &self.text[from..self.at]);
            }
            let now = self.member_at_hand();
            if now != member {
                tap(now, "");
            }
            if let Flow::More = flow {
                // What decides may be far: it is looked for again when the text has grown by a part of itself, so
                // that all looks together take linear time.
                let pending = self.text.len() - self.at;
                self.wait = pending + pending / 8 + 1;
                return;
            }
        }
    }

    /// The member of the outermost object whose value is being read: its number, and its property.
    pub(super) fn member_at_hand(&self) -> Option<Member> {
        let depth = self.frames.iter().position(|frame| frame.shape != Shape::Wrapper)?;
        let frame = self.frames.get(depth).filter(|frame| frame.shape == Shape::Object)?;
        let inside = !matches!(self.state, State::Between | State::Done) || self.frames.len() > depth + 1;
        let member = Member { number: frame.count, property: frame.property };
        (inside && !self.is_done() && frame.property.is_some()).then_some(member)
    }

    pub(super) fn step(&mut self) -> Flow {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Prose(any) => self.prose(any),
            State::Value(node, place) => self.begin(node, place),
            State::Text(quoted, target) => self.string(quoted, target),
            State::Between => self.between(),
            State::Done => self.stop(),
        }
    }

    pub(super) fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    pub(super) fn more(&mut self, state: State) -> Flow {
        self.state = state;
        Flow::More
    }

    pub(super) fn next(&mut self, state: State) -> Flow {
        self.state = state;
        Flow::On
    }

    pub(super) fn stop(&mut self) -> Flow {
        self.state = State::Done;
        Flow::On
    }

    /// Goes to what is neither white space nor a comment: the next character, or `None` where more of the text
    /// decides. At the end of the text, and at a fence, it is NUL.
    pub(super) fn head(&mut self, comments: bool) -> Option<char> {
        loop {
            self.at += lex::blank(self.rest());
            let rest = self.rest();
            if rest.is_empty() {
                return self.ended.then_some('\0');
            }
            if !self.ended && rest.len() < 3 && (rest == "/" || "```".starts_with(rest)) {
                return None;
            }
            let comment = lex::comment(rest).filter(|_| comments || rest.starts_with('/'));
            match comment {
                Some(len) if len == rest.len() && !self.ended && !rest.ends_with("*/") => return None,
                Some(len) => self.at += len,
                None if rest.starts_with("```") => return Some('\0'),
                None => return rest.chars().next(),
            }
        }
    }

    /// Looks for the value in what stands before it.
    pub(super) fn prose(&mut self, mut any: bool) -> Flow {
        loop {
            self.at += lex::blank(self.rest());
            let rest = self.rest();
            let Some(c) = rest.chars().next() else { return self.more(State::Prose(any)) };
            // A line that opens a fence is not yet text.
            if rest.starts_with(['`', '~']) && !any {
                match rest.find(['\n', '{', '[']) {
                    Some(len) => self.at += len,
                    None if self.ended => return self.stop(),
                    None => return self.more(State::Prose(any)),
                }
                continue;
            }
            if any && c.is_ascii_alphanumeric() {
                // The rest of a word.
                let len = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                self.at += len;
                continue;
            }
            match self.begins(c, any) {
                None => return self.more(State::Prose(any)),
                Some(true) => return self.next(State::Value(self.root, Place::Alone)),
                Some(false) => self.at += c.len_utf8(),
            }
            any = true;
        }
    }

    /// Whether the value may begin at this character.
    pub(super) fn begins(&self, c: char, any: bool) -> Option<bool> {
        let node = self.plan.node(self.root);
        match c {
            '{' | '[' if !any => Some(true),
            '{' | '[' => {
                let inside = lex::skip_blank(&self.rest()[1..]);
                let known = match c {
                    '{' => ahead::key_follows(inside, ""),
                    _ => !inside.is_empty(),
                };
                if !known && !self.ended {
                    return None;
                }
                Some(lex::opens_json(self.rest()))
            }
            '(' if !any => Some(true),
            _ if any => Some(false),
            _ if lex::closing(c).is_some() => Some(node.structure() || node.any),
            // Perhaps a constructor of another language.
            'a'..='z' | 'A'..='Z' => match look::name(self.rest()) {
                None => self.ended.then_some(false),
                Some(len) => Some(self.rest()[len..].starts_with('(')),
            },
            _ => Some(false),
        }
    }

    pub(super) fn string(&mut self, mut quoted: Quoted, mut target: Target) -> Flow {
        let mut scratch = std::mem::take(&mut self.scratch);
        let out = match &mut target {
            Target::Shown => &mut scratch,
            Target::Held(_, text) => text,
            Target::Nowhere(text) => {
                text.clear();
                text
            }
        };
        let (used, step) = quoted.read(&self.text[self.at..], !self.ended, out);
        self.at += used;
        if let (Target::Shown, Some(Value::String(text))) = (&target, self.slot()) {
            text.push_str(&scratch);
        }
        scratch.clear();
        self.scratch = scratch;
        match step {
            Step::More => self.more(State::Text(quoted, target)),
            Step::End => {
                if let Target::Held(id, text) = target {
                    let value = self.whole(id, &text, true);
                    self.put_or_null(value);
                }
                self.next(State::Between)
            }
            Step::Key => self.key_behind_list(target),
        }
    }

    /// Takes back the last item of a list, which was the key behind it.
    pub(super) fn key_behind_list(&mut self, target: Target) -> Flow {
        let mut name = match target {
            Target::Held(_, text) | Target::Nowhere(text) => text,
            Target::Shown => String::new(),
        };
        let list = self.frames.pop();
        let member = self.frames.last().is_some_and(|frame| frame.shape == Shape::Object);
        let Some(list) = list.filter(|list| list.shape == Shape::List && member) else { return self.stop() };
        if let (true, Some(Value::Array(items))) = (list.live, self.slot())
            && items.last().is_some_and(Value::is_string)
            && let Some(Value::String(text)) = items.pop()
        {
            name = text;
        }
        self.at += lex::blank(self.rest()) + 1;
        self.member(&name)
    }

    pub(super) fn between(&mut self) -> Flow {
        loop {
            let Some(frame) = self.frames.last() else { return self.stop() };
            if frame.shape == Shape::One {
                self.close();
                continue;
            }
            let Some(c) = self.head(true) else { return self.more(State::Between) };
            match c {
                '\0' => return self.stop(),
                ',' | ';' | '，' | '、' => self.at += c.len_utf8(),
                '}' | ']' | ')' => {
                    let Some(frame) = self.frames.last() else { return self.stop() };
                    self.at += usize::from(frame.close == c);
                    self.close();
                    return self.next(State::Between);
                }
                '.' | '…' => {
                    let rest = self.rest();
                    if !self.ended && rest.len() < 3 && "...".starts_with(rest) {
                        return self.more(State::Between);
                    }
                    let len = rest.len() - rest.trim_start_matches(['.', '…']).len();
                    if rest.starts_with('…') || len > 2 {
                        self.at += len;
                        continue;
                    }
                    return self.item();
                }
                _ => return self.item(),
            }
        }
    }

    pub(super) fn close(&mut self) {
        if let Some(frame) = self.frames.pop() {
            self.live = frame.live;
        }
    }

    /// The next item or member of what is open.
    pub(super) fn item(&mut self) -> Flow {
        let plan = self.plan.clone();
        let Some(frame) = self.frames.last_mut() else { return self.stop() };
        self.live = frame.live;
        match frame.shape {
            Shape::List => {
                let item = plan.node(frame.node).list.as_ref().map_or(ANY, |list| list.item(frame.count));
                frame.count += 1;
                self.next(State::Value(item, Place::List))
            }
            Shape::Object => match look::key(&self.text[self.at..], !self.ended) {
                Some((key, len)) => {
                    self.at += len;
                    self.member(&key)
                }
                None if !self.ended && self.rest().len() < FARTHEST => self.more(State::Between),
                None => self.stop(),
            },
            // An object that has more members is no wrapper: what was taken for the value was the value of a member that
            // nobody knows.
            Shape::Wrapper if frame.close == '}' && plan.node(frame.node).object.is_some() => {
                frame.shape = Shape::Object;
                if self.live {
                    let frames = self.frames.len() - 1;
                    if let Some(value) = frames::descend(&mut self.value, &self.frames[..frames]) {
                        *value = Value::Object(Map::new());
                    }
                }
                self.item()
            }
            // One value was there already.
            Shape::Wrapper | Shape::One => self.stop(),
        }
    }

    /// Goes on to the value of a member.
    pub(super) fn member(&mut self, key: &str) -> Flow {
        let plan = self.plan.clone();
        let Some(frame) = self.frames.last_mut() else { return self.stop() };
        let node = match &plan.node(frame.node).object {
            None => Some((key, ANY)),
            Some(object) => {
                frame.property = look::property_at(object, key);
                let known = frame.property.and_then(|at| object.properties.get(at));
                let known = known.map(|(name, id)| (name.as_str(), *id));
                known.or(object.rest.map(|rest| (key, rest)))
            }
        };
        frame.count += 1;
        self.live = frame.live && node.is_some();
        let (name, node) = node.unwrap_or((key, ANY));
        name.clone_into(&mut frame.key);
        self.next(State::Value(node, Place::Object))
    }

    /// Puts a value where the next one belongs.
    pub(super) fn put(&mut self, value: Value) {
        if self.live {
            frames::put(&mut self.value, &mut self.frames, value);
        }
    }

    /// Puts a value that may be unreadable: then a list keeps its place.
    pub(super) fn put_or_null(&mut self, value: Option<Value>) {
        match value {
            Some(value) => self.put(value),
            None if frames::innermost(&self.frames).is_some_and(|frame| frame.shape == Shape::List) => {
                self.put(Value::Null);
            }
            None => {}
        }
    }

    /// The value that was put last, in what is open.
    pub(super) fn slot(&mut self) -> Option<&mut Value> {
        frames::descend(&mut self.value, &self.frames)
    }
}
