//! Where a value begins: what stands there, and what that means to the type that is expected.

use serde_json::{Map, Value};

use super::{
    super::lex::{self, Place},
    frames::{Frame, Shape},
    look::{self, Inside},
    machine::{FARTHEST, Flow, MOST_WRAPPERS, Machine, State, Target},
    plan::{Node, NodeId},
    strings::Quoted,
    words,
};

impl Machine {
    pub(super) fn begin(&mut self, id: NodeId, place: Place) -> Flow {
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
    pub(super) fn word(&mut self, id: NodeId, node: &Node, place: Place) -> Flow {
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
    pub(super) fn brace(&mut self, id: NodeId, node: &Node, place: Place) -> Flow {
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

    pub(super) fn open_list(&mut self, id: NodeId, close: char) -> Flow {
        self.at += 1;
        self.open(Shape::List, id, close, Value::Array(Vec::new()));
        Flow::On
    }

    pub(super) fn open_object(&mut self, id: NodeId, close: char) -> Flow {
        self.at += 1;
        self.open(Shape::Object, id, close, Value::Object(Map::new()));
        Flow::On
    }

    /// Goes `len` bytes into what is needlessly around a value.
    pub(super) fn wrapper(&mut self, id: NodeId, len: usize, close: char, place: Place) -> Flow {
        self.at += len;
        self.wrappers += 1;
        let live = self.live;
        self.frames.push(Frame::new(Shape::Wrapper, id, close, live));
        self.next(State::Value(id, place))
    }

    pub(super) fn open(&mut self, shape: Shape, node: NodeId, close: char, empty: Value) {
        if self.frames.len() >= self.max_depth {
            self.state = State::Done;
            return;
        }
        let live = self.live;
        self.put(empty);
        self.frames.push(Frame::new(shape, node, close, live));
        self.state = State::Between;
    }

    pub(super) fn open_string(&mut self, id: NodeId, node: &Node, place: Place) -> Flow {
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

    /// Text that an object or a list stands in place of.
    pub(super) fn verbatim(&mut self, id: NodeId, place: Place) -> Flow {
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
    pub(super) fn bare(&mut self, id: NodeId, place: Place) -> Flow {
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
    pub(super) fn whole(&self, id: NodeId, text: &str, quoted: bool) -> Option<Value> {
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
}
