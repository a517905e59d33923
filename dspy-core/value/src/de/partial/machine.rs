//! JSON as it arrives, in any pieces, and the value that it has so far.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    super::lex::{self, Place, count},
    look::{FARTHEST, Inside, Rest},
    plan::{ANY, Node, NodeId, Plan},
    strings::{Quoted, Step},
    tree::{Frame, Shape, Tree},
    whole, words,
};

/// How many needless objects around values are taken off, and how often text is read that stands in text.
const MOST_WRAPPERS: usize = 8;

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
    /// It counts as a whole only: as a value of this type, if anyone wants it.
    Held(Option<NodeId>, String),
}

/// Reads a value from text that arrives in pieces.
///
/// Each step reads something and goes to the next state, or finds that more of the text decides. Nothing is taken back
/// and read again.
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
    pub(super) tree: Tree,
    wrappers: usize,
    /// How deep in text that stands in text.
    nested: usize,
    max_depth: usize,
}

impl Machine {
    /// A reader of a value of this type. With `prose`, anything may stand before it.
    pub(super) fn new(plan: Arc<Plan>, root: NodeId, prose: bool, max_depth: usize) -> Self {
        let state = if prose { State::Prose(false) } else { State::Value(root, Place::Alone) };
        let (text, tree) = (String::new(), Tree::default());
        let (at, wait, ended, wrappers, nested) = (0, 0, false, 0, 0);
        Self { plan, root, text, at, wait, ended, state, tree, wrappers, nested, max_depth }
    }

    fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes the next piece of the text, and tells `tap` of each piece of it that is read, with the member of the
    /// outermost object that it belonged to before.
    pub(super) fn push(&mut self, chunk: &str, tap: &mut Tap<'_>) {
        count(1);
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
            count(self.text.len() - self.at);
            self.text.drain(..self.at);
            self.at = 0;
        }
    }

    /// The text has ended.
    pub(super) fn finish(&mut self, tap: &mut Tap<'_>) {
        self.ended = true;
        self.run(tap);
        self.state = State::Done;
    }

    fn run(&mut self, tap: &mut Tap<'_>) {
        self.wait = 0;
        while !self.is_done() {
            let (from, member) = (self.at, self.member_at_hand());
            let more = self.step();
            count(self.at - from + 1);
            if let Some(member) = member {
                tap(Some(member), &self.text[from..self.at]);
            }
            let now = self.member_at_hand();
            if now != member {
                tap(now, "");
            }
            if more {
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
        let frames = &self.tree.frames;
        let depth = frames.iter().position(|frame| frame.shape != Shape::Wrapper)?;
        count(depth);
        let frame = frames.get(depth).filter(|frame| frame.shape == Shape::Object)?;
        let inside = !matches!(self.state, State::Between | State::Done) || frames.len() > depth + 1;
        let member = Member { number: frame.count, property: frame.property };
        (inside && !self.is_done() && frame.property.is_some()).then_some(member)
    }

    /// Goes on by one step; whether more of the text is needed for that.
    fn step(&mut self) -> bool {
        let mut state = std::mem::replace(&mut self.state, State::Done);
        let next = match &mut state {
            State::Prose(any) => self.prose(any),
            State::Value(id, place) => self.value(*id, *place),
            State::Text(quoted, target) => self.string(quoted, target),
            State::Between => self.between(),
            State::Done => Some(State::Done),
        };
        let more = next.is_none();
        self.state = next.unwrap_or(state);
        more
    }

    fn rest(&self) -> Rest<'_> {
        Rest { text: &self.text[self.at..], more: !self.ended }
    }

    /// Goes to what is neither white space nor a comment: the next character, or `None` where more of the text
    /// decides. At the end of the text, and at a fence, it is NUL.
    fn head(&mut self, comments: bool) -> Option<char> {
        loop {
            self.at += lex::blank(self.rest().text);
            let Rest { text, more } = self.rest();
            if text.is_empty() {
                return (!more).then_some('\0');
            }
            if more && text.len() < 3 && (text == "/" || "```".starts_with(text)) {
                return None;
            }
            let comment = match comments || text.starts_with('/') {
                true => lex::comment(text),
                false => None,
            };
            count(comment.unwrap_or(0));
            match comment {
                Some(len) if more && len == text.len() && !text.ends_with("*/") => return None,
                Some(len) => self.at += len,
                None if text.starts_with("```") => return Some('\0'),
                None => return text.chars().next(),
            }
        }
    }

    /// Looks for the value in what stands before it.
    fn prose(&mut self, any: &mut bool) -> Option<State> {
        loop {
            count(1);
            self.at += lex::blank(self.rest().text);
            let Rest { text, more } = self.rest();
            let Some(c) = text.chars().next() else { return (!more).then_some(State::Done) };
            // A line that opens a fence is not yet text.
            if text.starts_with(['`', '~']) && !*any {
                let line = text.find(['\n', '{', '[']).or((!more).then_some(text.len()));
                count(line.unwrap_or(text.len()));
                self.at += line?;
                continue;
            }
            if *any && c.is_ascii_alphanumeric() {
                // The rest of a word.
                self.at += text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
                continue;
            }
            if self.begins(c, *any)? {
                return Some(State::Value(self.root, Place::Alone));
            }
            self.at += c.len_utf8();
            *any = true;
        }
    }

    /// Whether the value may begin at this character.
    fn begins(&self, c: char, any: bool) -> Option<bool> {
        let node = self.plan.node(self.root);
        match c {
            '{' | '[' if any => self.rest().opens_json(),
            '{' | '[' | '(' => Some(!any),
            _ if any => Some(false),
            _ if lex::closing(c).is_some() => Some(node.structure() || node.any),
            // Perhaps a constructor of another language.
            'a'..='z' | 'A'..='Z' => self.rest().name().map(|len| self.rest().text[len..].starts_with('(')),
            _ => Some(false),
        }
    }

    /// The beginning of a value: what it is to the type that is expected.
    fn value(&mut self, id: NodeId, place: Place) -> Option<State> {
        let c = self.head(place != Place::Alone)?;
        let plan = self.plan.clone();
        let node = plan.node(id);
        let (list, object) = (node.list.is_some(), node.object.is_some());
        match c {
            '\0' => Some(State::Done),
            ',' | '}' | ']' if place != Place::Alone => {
                if node.null {
                    self.tree.put(Value::Null);
                }
                Some(State::Between)
            }
            '{' if !object && !list && node.words() => self.verbatim(id, place),
            '{' => self.brace(id, node, place),
            '[' if list => self.open(Shape::List, id, ']'),
            '[' if object || !node.words() => self.wrapper(id, 1, ']', Place::List),
            '[' => self.verbatim(id, place),
            '(' if list => self.open(Shape::List, id, ')'),
            '(' if object => self.open(Shape::Object, id, ')'),
            c if lex::closing(c).is_some() => self.open_string(id, place),
            c if c.is_ascii_alphabetic() => self.word(id, place),
            _ => self.bare(id, place),
        }
    }

    /// What begins with a letter: a call, a string with a mark before it, or a word.
    fn word(&mut self, id: NodeId, place: Place) -> Option<State> {
        let rest = self.rest();
        let len = rest.name()?;
        let behind = &rest.text[len..];
        if len == 1 && "rRuUbBfF".contains(&rest.text[..1]) && behind.starts_with(['"', '\'']) {
            return self.open_string(id, place);
        }
        let node = self.plan.node(id);
        if behind.starts_with('(') && (node.list.is_some() || node.object.is_some()) {
            let inside = behind[1..].trim_start();
            count(behind.len() - inside.len());
            return match inside.is_empty() && rest.more {
                true => None,
                false if inside.starts_with(['[', '{', '(']) => self.wrapper(id, len + 1, ')', Place::List),
                false => {
                    self.at += len;
                    Some(State::Value(id, place))
                }
            };
        }
        self.bare(id, place)
    }

    /// An object, or what else a brace may open.
    fn brace(&mut self, id: NodeId, node: &Node, place: Place) -> Option<State> {
        let rest = self.rest();
        if let (Some(object), None) = (&node.object, &node.list)
            && (object.properties.is_empty() || object.begins(rest.near().text))
        {
            return self.open(Shape::Object, id, '}');
        }
        let undecided = rest.near().more;
        let item = node.list.as_ref().map(|list| list.item(0));
        match (rest.inside(), &node.object, item) {
            (None, ..) if undecided => None,
            (Some(Inside::Set), _, Some(_)) => self.open(Shape::List, id, '}'),
            (Some(Inside::Key { key, behind: '{', len }), Some(object), _)
                if object.rest.is_none() && object.property(&key).is_none() && self.may_unwrap() =>
            {
                // Around another object that has a known key, it is a needless one.
                match rest.behind(len).inside() {
                    None if rest.behind(len).near().more => None,
                    Some(Inside::Key { key, .. }) if object.property(&key).is_some() => {
                        self.wrapper(id, len, '}', Place::Object)
                    }
                    _ => self.open(Shape::Object, id, '}'),
                }
            }
            (_, Some(_), _) => self.open(Shape::Object, id, '}'),
            (Some(Inside::Key { key, behind, len }), None, Some(item)) => {
                let known = self.plan.node(item).object.as_ref().and_then(|item| item.property(&key));
                if behind == '[' && known.is_none() && self.may_unwrap() {
                    return self.wrapper(id, len, '}', Place::Object);
                }
                self.tree.put(Value::Array(Vec::new()));
                self.enter(Shape::One, id, '\0', State::Value(item, place))
            }
            (Some(Inside::Key { len, .. }), None, None) => self.wrapper(id, len, '}', Place::Object),
            _ => Some(State::Done),
        }
    }

    fn may_unwrap(&self) -> bool {
        self.wrappers < MOST_WRAPPERS
    }

    /// Opens the list or the object at whose bracket the text is.
    fn open(&mut self, shape: Shape, id: NodeId, close: char) -> Option<State> {
        if self.tree.frames.len() < self.max_depth {
            self.tree.put(if shape == Shape::List { Value::Array(Vec::new()) } else { Map::new().into() });
        }
        self.at += 1;
        self.enter(shape, id, close, State::Between)
    }

    /// Goes `len` bytes into what is needlessly around a value.
    fn wrapper(&mut self, id: NodeId, len: usize, close: char, place: Place) -> Option<State> {
        self.at += len;
        self.wrappers += 1;
        self.enter(Shape::Wrapper, id, close, State::Value(id, place))
    }

    /// Goes into a bracket, if not too deep.
    fn enter(&mut self, shape: Shape, id: NodeId, close: char, next: State) -> Option<State> {
        if self.tree.frames.len() >= self.max_depth {
            return Some(State::Done);
        }
        self.tree.open(shape, id, close);
        Some(next)
    }

    fn open_string(&mut self, id: NodeId, place: Place) -> Option<State> {
        let (quoted, len) = Quoted::open(self.rest(), place)?;
        self.at += len;
        let node = self.plan.node(id);
        let shown = node.any || (node.text && !node.code);
        let target = match self.tree.hidden {
            false if shown => {
                self.tree.put(Value::String(String::new()));
                Target::Shown
            }
            hidden => Target::Held((!hidden).then_some(id), String::new()),
        };
        Some(State::Text(quoted, target))
    }

    fn string(&mut self, quoted: &mut Quoted, target: &mut Target) -> Option<State> {
        let rest = Rest { text: &self.text[self.at..], more: !self.ended };
        let (used, step) = match (&mut *target, self.tree.last()) {
            (Target::Held(_, out), _) | (Target::Shown, Some(Value::String(out))) => quoted.read(rest, out),
            (Target::Shown, _) => return Some(State::Done),
        };
        self.at += used;
        match (step, target) {
            (Step::More, Target::Held(None, out)) => {
                out.clear();
                None
            }
            (Step::More, _) => None,
            (Step::End, Target::Held(Some(id), text)) => {
                let value = self.whole(*id, text, true);
                self.tree.put_or_null(value);
                Some(State::Between)
            }
            (Step::End, _) => Some(State::Between),
            (Step::Key, Target::Held(_, text)) => self.key_behind_list(text),
            (Step::Key, Target::Shown) => self.key_behind_list(""),
        }
    }

    /// Takes back the last item of a list, which was the key behind it.
    fn key_behind_list(&mut self, key: &str) -> Option<State> {
        let mut key = key.to_owned();
        let list = self.tree.frames.pop();
        let member = self.tree.frames.last().is_some_and(|frame| frame.shape == Shape::Object);
        let Some(list) = list.filter(|list| list.shape == Shape::List && member) else {
            return Some(State::Done);
        };
        if let (true, Some(Value::Array(items))) = (list.live, self.tree.last())
            && items.last().is_some_and(Value::is_string)
            && let Some(Value::String(text)) = items.pop()
        {
            key = text;
        }
        let behind = lex::skip_blank(self.rest().text);
        self.at = self.text.len() - behind.len() + behind.chars().next().map_or(0, char::len_utf8);
        self.member(&key)
    }

    /// Text that an object or a list stands in place of.
    fn verbatim(&mut self, id: NodeId, place: Place) -> Option<State> {
        // What has an end has the same one with more text behind it.
        let whole = self.text.len() - self.at;
        self.text.push(' ');
        let len = lex::value_len(self.rest().text, place);
        self.text.pop();
        if len > whole && !self.ended {
            return None;
        }
        let text = &self.rest().text[..len.min(whole)];
        let value = words::structure(self.plan.node(id), text);
        self.at += text.len();
        self.tree.put_or_null(value);
        Some(State::Between)
    }

    /// A value without quotes.
    fn bare(&mut self, id: NodeId, place: Place) -> Option<State> {
        let len = self.rest().bare_len(place)?;
        if len == 0 {
            return Some(State::Done);
        }
        let text = self.rest().text[..len].trim_end();
        let unopened = text.strip_suffix('"').filter(|text| place != Place::Alone && !text.contains('"'));
        let value = self.whole(id, unopened.unwrap_or(text), unopened.is_some());
        self.at += len;
        self.tree.put_or_null(value);
        Some(State::Between)
    }

    /// The value of a scalar that has ended.
    fn whole(&self, id: NodeId, text: &str, quoted: bool) -> Option<Value> {
        count(text.len());
        let node = self.plan.node(id);
        if quoted && node.structure() && text.trim_start().starts_with(['{', '[']) {
            // A structure that was written as text. This may again hold some, each of which is read once more.
            if self.nested == MOST_WRAPPERS {
                return None;
            }
            let depth = self.max_depth.saturating_sub(self.tree.frames.len() + 1);
            let mut inner = Self::new(self.plan.clone(), id, false, depth);
            inner.nested = self.nested + 1;
            inner.push(text, &mut |_, _| {});
            inner.finish(&mut |_, _| {});
            return inner.tree.value;
        }
        if let Some(value) = words::scalar(node, text, quoted) {
            return Some(value);
        }
        // One value in place of a list of them.
        let item = node.list.as_ref().filter(|_| !node.any)?.item(0);
        match text.len() <= FARTHEST && whole::is_nothing(text) {
            true => Some(Value::Array(Vec::new())),
            false if self.plan.node(item).list.is_some() => None,
            false => self.whole(item, text, quoted).map(|one| Value::Array(vec![one])),
        }
    }

    fn between(&mut self) -> Option<State> {
        loop {
            let Some(frame) = self.tree.frames.last() else { return Some(State::Done) };
            let (shape, close) = (frame.shape, frame.close);
            if shape == Shape::One {
                self.tree.close();
                continue;
            }
            match self.head(true)? {
                '\0' => return Some(State::Done),
                c @ (',' | ';' | '，' | '、') => self.at += c.len_utf8(),
                c @ ('}' | ']' | ')') => {
                    self.at += usize::from(close == c);
                    self.tree.close();
                    return Some(State::Between);
                }
                '.' | '…' => {
                    let Rest { text, more } = self.rest();
                    if more && text.len() < 3 && "...".starts_with(text) {
                        return None;
                    }
                    let len = text.len() - text.trim_start_matches(['.', '…']).len();
                    if len < 3 {
                        return self.item();
                    }
                    self.at += len;
                }
                _ => return self.item(),
            }
        }
    }

    /// The next item or member of what is open.
    fn item(&mut self) -> Option<State> {
        let plan = self.plan.clone();
        let depth = self.tree.frames.len().checked_sub(1)?;
        let frame = &mut self.tree.frames[depth];
        self.tree.hidden = !frame.live;
        match frame.shape {
            Shape::List => {
                let item = plan.node(frame.node).list.as_ref().map_or(ANY, |list| list.item(frame.count));
                frame.count += 1;
                Some(State::Value(item, Place::List))
            }
            Shape::Object => match self.rest().key() {
                Some((key, len)) => {
                    self.at += len;
                    self.member(&key)
                }
                None => (!self.rest().near().more).then_some(State::Done),
            },
            // An object that has more members is no wrapper: what was taken for the value was the value of a member that
            // nobody knows.
            Shape::Wrapper if frame.close == '}' && plan.node(frame.node).object.is_some() => {
                frame.shape = Shape::Object;
                if !self.tree.hidden
                    && let Some(value) = self.tree.within(depth)
                {
                    *value = Value::Object(Map::new());
                }
                self.item()
            }
            // One value was there already.
            Shape::Wrapper | Shape::One => Some(State::Done),
        }
    }

    /// Goes on to the value of a member.
    fn member(&mut self, key: &str) -> Option<State> {
        let plan = self.plan.clone();
        let frame: &mut Frame = self.tree.frames.last_mut()?;
        frame.count += 1;
        let known = match &plan.node(frame.node).object {
            None => Some((key, ANY)),
            Some(object) => {
                frame.property = object.property(key);
                let known = frame.property.and_then(|at| object.properties.get(at));
                known.map(|(name, id)| (name.as_str(), *id)).or(object.rest.map(|rest| (key, rest)))
            }
        };
        self.tree.hidden = !frame.live || known.is_none();
        let (name, node) = known.unwrap_or((key, ANY));
        name.clone_into(&mut frame.key);
        Some(State::Value(node, Place::Object))
    }
}
