//! JSON as it arrives, in any pieces, and the value that it has so far.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    super::lex::{self, Place},
    ahead,
    frames::{self, Frame, Shape},
    look::{self, Inside},
    plan::{ANY, Node, NodeId, Plan},
    strings::{Quoted, Step},
    words,
};

/// How many needless wrappers are taken off.
const MOST_WRAPPERS: usize = 8;

/// How far is looked ahead for a key.
const FARTHEST: usize = 1024;

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
enum Flow {
    /// Something was read.
    On,
    /// More of the text is needed.
    More,
}

#[derive(Debug)]
enum State {
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
enum Target {
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
    plan: Arc<Plan>,
    root: NodeId,
    /// The text that is not read yet, from `at`.
    text: String,
    at: usize,
    /// How long that must be before it is worth another look.
    wait: usize,
    ended: bool,
    state: State,
    frames: Vec<Frame>,
    wrappers: usize,
    max_depth: usize,
    /// Whether the value at hand becomes part of the result.
    live: bool,
    value: Option<Value>,
    scratch: String,
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

    fn run(&mut self, tap: &mut Tap<'_>) {
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
    fn member_at_hand(&self) -> Option<Member> {
        let depth = self.frames.iter().position(|frame| frame.shape != Shape::Wrapper)?;
        let frame = self.frames.get(depth).filter(|frame| frame.shape == Shape::Object)?;
        let inside = !matches!(self.state, State::Between | State::Done) || self.frames.len() > depth + 1;
        let member = Member { number: frame.count, property: frame.property };
        (inside && !self.is_done() && frame.property.is_some()).then_some(member)
    }

    fn step(&mut self) -> Flow {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Prose(any) => self.prose(any),
            State::Value(node, place) => self.begin(node, place),
            State::Text(quoted, target) => self.string(quoted, target),
            State::Between => self.between(),
            State::Done => self.stop(),
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn more(&mut self, state: State) -> Flow {
        self.state = state;
        Flow::More
    }

    fn next(&mut self, state: State) -> Flow {
        self.state = state;
        Flow::On
    }

    fn stop(&mut self) -> Flow {
        self.state = State::Done;
        Flow::On
    }

    /// Goes to what is neither white space nor a comment: the next character, or `None` where more of the text
    /// decides. At the end of the text, and at a fence, it is NUL.
    fn head(&mut self, comments: bool) -> Option<char> {
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
    fn prose(&mut self, mut any: bool) -> Flow {
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
    fn begins(&self, c: char, any: bool) -> Option<bool> {
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

    fn begin(&mut self, id: NodeId, place: Place) -> Flow {
        let again = State::Value(id, place);
        let Some(c) = self.head(place != Place::Alone) else { return self.more(again) };
        let plan = self.plan.clone();
        let node = plan.node(id);
        match c {
            '\0' => self.stop(),
            ',' | '}' | ']' if place != Place::Alone => {
                if node.null {
                    self.put(Value::Null);
                }
                self.next(State::Between)
            }
            '{' => self.brace(id, node, place),
            '[' if node.list.is_some() => self.open_list(id, ']'),
            '[' if node.object.is_some() || !node.words() => self.wrapper(id, 1, ']', Place::List),
            '[' => self.verbatim(id, place),
            '(' if node.list.is_some() => self.open_list(id, ')'),
            '(' if node.object.is_some() => self.open_object(id, ')'),
            c if lex::closing(c).is_some() => self.open_string(id, node, place),
            c if c.is_ascii_alphabetic() => self.word(id, node, place),
            _ => self.bare(id, place),
        }
    }

    /// What begins with a letter: a call, a string with a mark before it, or a word.
    fn word(&mut self, id: NodeId, node: &Node, place: Place) -> Flow {
        let Some(len) = look::name(self.rest()).or(self.ended.then_some(0)) else {
            return self.more(State::Value(id, place));
        };
        let behind = &self.rest()[len..];
        if len == 1 && "rRuUbBfF".contains(&self.rest()[..1]) && behind.starts_with(['"', '\'']) {
            return self.open_string(id, node, place);
        }
        if behind.starts_with('(') && (node.list.is_some() || node.object.is_some()) {
            let inside = behind[1..].trim_start();
            if inside.is_empty() && !self.ended {
                return self.more(State::Value(id, place));
            }
            if inside.starts_with(['[', '{', '(']) {
                return self.wrapper(id, len + 1, ')', Place::List);
            }
            self.at += len;
            return self.next(State::Value(id, place));
        }
        self.bare(id, place)
    }

    /// An object, or what else a brace may open.
    fn brace(&mut self, id: NodeId, node: &Node, place: Place) -> Flow {
        if node.object.is_none() && node.list.is_none() && node.words() {
            return self.verbatim(id, place);
        }
        if let Some(object) = &node.object
            && node.list.is_none()
            && (look::first_key_is(self.rest(), object) || object.properties.is_empty())
        {
            return self.open_object(id, '}');
        }
        let inside = look::inside(&self.text[self.at..], !self.ended);
        let (key, behind, len) = match inside {
            None if self.rest().len() < FARTHEST && !self.ended => return self.more(State::Value(id, place)),
            None => return if node.object.is_some() { self.open_object(id, '}') } else { self.stop() },
            Some(Inside::Set) if node.list.is_some() => return self.open_list(id, '}'),
            Some(Inside::Key { key, behind, len }) => (key, behind, len),
            Some(_) if node.object.is_some() => return self.open_object(id, '}'),
            Some(_) => return self.stop(),
        };
        let wrappers = self.wrappers < MOST_WRAPPERS;
        match (&node.object, &node.list) {
            (Some(object), _) => {
                let unknown = object.rest.is_none() && !look::is_property(object, &key);
                if unknown && wrappers && behind == '{' {
                    // Around another object that has a known key, it is a needless one.
                    return match look::inside(&self.rest()[len..], !self.ended) {
                        None if self.rest().len() < FARTHEST && !self.ended => {
                            self.more(State::Value(id, place))
                        }
                        Some(Inside::Key { key, .. }) if look::is_property(object, &key) => {
                            self.wrapper(id, len, '}', Place::Object)
                        }
                        _ => self.open_object(id, '}'),
                    };
                }
                self.open_object(id, '}')
            }
            (None, Some(list)) => {
                let item = self.plan.node(list.item(0)).object.as_ref();
                let known = item.is_some_and(|item| look::is_property(item, &key));
                if behind == '[' && !known && wrappers {
                    return self.wrapper(id, len, '}', Place::Object);
                }
                let item = list.item(0);
                self.open(Shape::One, id, '\0', Value::Array(Vec::new()));
                self.next(State::Value(item, place))
            }
            (None, None) => self.wrapper(id, len, '}', Place::Object),
        }
    }

    fn open_list(&mut self, id: NodeId, close: char) -> Flow {
        self.at += 1;
        self.open(Shape::List, id, close, Value::Array(Vec::new()));
        Flow::On
    }

    fn open_object(&mut self, id: NodeId, close: char) -> Flow {
        self.at += 1;
        self.open(Shape::Object, id, close, Value::Object(Map::new()));
        Flow::On
    }

    /// Goes `len` bytes into what is needlessly around a value.
    fn wrapper(&mut self, id: NodeId, len: usize, close: char, place: Place) -> Flow {
        self.at += len;
        self.wrappers += 1;
        let live = self.live;
        self.frames.push(Frame::new(Shape::Wrapper, id, close, live));
        self.next(State::Value(id, place))
    }

    fn open(&mut self, shape: Shape, node: NodeId, close: char, empty: Value) {
        if self.frames.len() >= self.max_depth {
            self.state = State::Done;
            return;
        }
        let live = self.live;
        self.put(empty);
        self.frames.push(Frame::new(shape, node, close, live));
        self.state = State::Between;
    }

    fn open_string(&mut self, id: NodeId, node: &Node, place: Place) -> Flow {
        let Some((quoted, len)) = Quoted::open(self.rest(), place, !self.ended) else {
            return self.more(State::Value(id, place));
        };
        self.at += len;
        let grows = node.any || (node.text && !node.code);
        let target = if !self.live {
            Target::Nowhere(String::new())
        } else if grows {
            self.put(Value::String(String::new()));
            Target::Shown
        } else {
            Target::Held(id, String::new())
        };
        self.next(State::Text(quoted, target))
    }

    fn string(&mut self, mut quoted: Quoted, mut target: Target) -> Flow {
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
    fn key_behind_list(&mut self, target: Target) -> Flow {
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

    /// Text that an object or a list stands in place of.
    fn verbatim(&mut self, id: NodeId, place: Place) -> Flow {
        let len = lex::value_len(self.rest(), place);
        if len == self.rest().len() && !self.ended && !self.rest().ends_with(['}', ']', ')']) {
            return self.more(State::Value(id, place));
        }
        let value = words::structure(self.plan.node(id), &self.rest()[..len]);
        self.at += len;
        self.put_or_null(value);
        self.next(State::Between)
    }

    /// A value without quotes.
    fn bare(&mut self, id: NodeId, place: Place) -> Flow {
        let Some(len) = look::bare_len(self.rest(), place, !self.ended) else {
            return self.more(State::Value(id, place));
        };
        let text = self.rest()[..len].trim_end();
        let value = match text.strip_suffix('"').filter(|text| place != Place::Alone && !text.contains('"')) {
            Some(text) => self.whole(id, text, true),
            None => self.whole(id, text, false),
        };
        if len == 0 {
            return self.stop();
        }
        self.at += len;
        self.put_or_null(value);
        self.next(State::Between)
    }

    /// The value of a scalar that has ended.
    fn whole(&self, id: NodeId, text: &str, quoted: bool) -> Option<Value> {
        let node = self.plan.node(id);
        if quoted && node.structure() && text.trim_start().starts_with(['{', '[']) {
            // A structure that was written as text.
            let depth = self.max_depth.saturating_sub(self.frames.len() + 1);
            let mut inner = Self::new(self.plan.clone(), id, false, depth);
            inner.push(text);
            inner.finish();
            return inner.into_value();
        }
        if let Some(value) = words::scalar(node, text, quoted) {
            return Some(value);
        }
        // One value in place of a list of them.
        let item = node.list.as_ref().filter(|_| !node.any)?.item(0);
        match words::nothing(text) {
            true => Some(Value::Array(Vec::new())),
            false if self.plan.node(item).list.is_some() => None,
            false => self.whole(item, text, quoted).map(|one| Value::Array(vec![one])),
        }
    }

    fn between(&mut self) -> Flow {
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

    fn close(&mut self) {
        if let Some(frame) = self.frames.pop() {
            self.live = frame.live;
        }
    }

    /// The next item or member of what is open.
    fn item(&mut self) -> Flow {
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
            // One value was there already.
            Shape::Wrapper | Shape::One => self.stop(),
        }
    }

    /// Goes on to the value of a member.
    fn member(&mut self, key: &str) -> Flow {
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
    fn put(&mut self, value: Value) {
        if self.live {
            frames::put(&mut self.value, &mut self.frames, value);
        }
    }

    /// Puts a value that may be unreadable: then a list keeps its place.
    fn put_or_null(&mut self, value: Option<Value>) {
        match value {
            Some(value) => self.put(value),
            None if frames::innermost(&self.frames).is_some_and(|frame| frame.shape == Shape::List) => {
                self.put(Value::Null);
            }
            None => {}
        }
    }

    /// The value that was put last, in what is open.
    fn slot(&mut self) -> Option<&mut Value> {
        frames::descend(&mut self.value, &self.frames)
    }
}
