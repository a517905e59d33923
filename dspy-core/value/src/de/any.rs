//! What types ask that take a value of any kind.

use std::borrow::Cow;

use super::{
    access::{Entries, Items},
    ask::{Any, Asked, Step},
    coercion::CoercionKind,
    lex,
    place::De,
    prose,
    scalar::{self, is_nothing},
    tree::{Kind, Node},
    ways::{Want, Way, ranked},
};

impl<'n, 'c: 'n> De<'n, 'c> {
    pub(super) fn any(self) -> Asked<'n, Any<'n, 'c>> {
        let again = |step| Ok(step);
        match &self.node.kind {
            Kind::Free(text) => self.free_any(text),
            Kind::List(items) => {
                self.take()?;
                again(Step::Ready(Any::List(Items::new(self, items, None))))
            }
            Kind::Object(members) => {
                self.take()?;
                if let Some(inner) = self.wrapped(members, None) {
                    self.cx.bend(CoercionKind::NeedlessObject);
                    return self.with(inner).any();
                }
                Ok(Step::Ready(Any::Object(Entries::new(self, members, None))))
            }
            Kind::Call(_, inner) => {
                self.take()?;
                self.cx.bend(CoercionKind::Constructor);
                self.with(inner).any()
            }
            Kind::Missing => Err(self.refuse("a value")),
            Kind::Text(text) => {
                self.take()?;
                if self.cx.plan.form(self.kind) > 0
                    && let Some(node) = self.parsed(text)?
                {
                    return Ok(Step::Again(node));
                }
                Ok(Step::Ready(self.quoted_any(text)))
            }
            Kind::Bare(text) => {
                self.take()?;
                Ok(Step::Ready(self.bare_any(text)))
            }
        }
    }

    /// A number as a type takes it that takes any.
    fn any_number(&self, text: &'n str) -> Any<'n, 'c> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if let Ok(value) = digits.parse::<u64>() {
            return Any::Unsigned(value);
        }
        if let Ok(value) = digits.parse::<i64>() {
            return Any::Signed(value);
        }
        // A type that takes any value holds floats; another that asks for any keeps the digits.
        let generic = ["::Value", "::Content", "IgnoredAny"].iter().any(|name| self.kind.contains(name));
        let long = digits.bytes().filter(u8::is_ascii_digit).count() > 15;
        match digits.parse::<f64>() {
            Ok(value) if value.is_finite() && (!long || generic || self.cx.plan.literals) => {
                Any::Float(value)
            }
            _ => Any::Text(Cow::Borrowed(digits)),
        }
    }

    fn quoted_any(&self, text: &'n str) -> Any<'n, 'c> {
        let kept = |number: i128| self.cx.plan.texts.contains(&number);
        if self.cx.plan.literals && !text.parse().is_ok_and(kept) {
            match text {
                "true" | "True" | "false" | "False" => return Any::Bool(matches!(text, "true" | "True")),
                _ if scalar::plain(text) => {
                    self.cx.bend(CoercionKind::NumberInQuotes);
                    return self.any_number(text);
                }
                _ if is_nothing(text) => {
                    self.cx.bend(CoercionKind::Nothing);
                    return Any::Unit;
                }
                _ => {}
            }
        }
        match self.formed(text) {
            Cow::Borrowed(text) => Any::Text(Cow::Borrowed(self.identifier(text))),
            made => Any::Text(made),
        }
    }

    fn bare_any(&self, text: &'n str) -> Any<'n, 'c> {
        if scalar::plain(text) {
            return self.any_number(text);
        }
        let foreign = || self.cx.bend(CoercionKind::ForeignLiteral);
        match text {
            "true" => return Any::Bool(true),
            "false" => return Any::Bool(false),
            "null" => return Any::Unit,
            "True" | "False" => {
                foreign();
                return Any::Bool(text == "True");
            }
            "None" | "undefined" | "nil" => {
                foreign();
                return Any::Unit;
            }
            "NaN" | "Infinity" | "-Infinity" => {
                foreign();
                let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
                return Any::Float(if text == "NaN" { f64::NAN } else { sign * f64::INFINITY });
            }
            _ => {}
        }
        self.cx.bend(CoercionKind::BareText);
        match self.formed(text) {
            Cow::Borrowed(text) => Any::Text(Cow::Borrowed(self.identifier(text))),
            made => Any::Text(made),
        }
    }

    fn free_any(self, text: &'n str) -> Asked<'n, Any<'n, 'c>> {
        let (rest, base) = self.answer(text)?;
        let core = rest.trim();
        let base_of_core = base + (core.as_ptr() as usize - rest.as_ptr() as usize);
        if core.is_empty() {
            return Err(self.refuse("a value"));
        }
        // A text in the notation of JSON, which a text needs that would be something else without quotes.
        if let Some(text) = json_text(core) {
            return Ok(Step::Ready(Any::Text(Cow::Owned(text))));
        }
        let lot = self.lot(rest, base)?;
        let begun = core.starts_with(['{', '[', '`', '(']);
        let quoted = core.chars().next().is_some_and(|c| lex::closing(c).is_some());
        let found = ranked(lot.all(), Want::Any).into_iter().map(Way::Found);
        let mut ways = Vec::new();
        if begun || quoted && lot.all().iter().any(|found| !found.around) {
            ways.extend(found);
            // What begins as a structure is no lines.
            if lot.all().is_empty() {
                ways.push(Way::Word);
            }
        } else if !self.root && prose::is_block(core) {
            // Below a key of YAML.
            ways.push(if prose::marked(core).is_some() { Way::Marked } else { Way::Pairs });
        } else {
            ways.push(Way::Word);
            ways.extend(found);
            if lot.all().is_empty() {
                ways.push(Way::Pairs);
            }
        }
        self.count_rivals(lot.all(), &ways, Want::Any);
        match self.pick(&ways) {
            // An answer that is a structure in quotes is that structure.
            Some(Way::Found(at)) => self.chosen(lot, at, |de| match &de.node.kind {
                Kind::Text(text) => match de.parsed(text)? {
                    Some(node) => Ok(Step::Again(node)),
                    None => de.any(),
                },
                _ => de.any(),
            }),
            Some(Way::Pairs) => self.pairs(core, base_of_core, None).map(Step::Again),
            Some(Way::Marked) => {
                let (items, kind) = prose::marked(core).unwrap_or((Vec::new(), CoercionKind::Bullets));
                let free = |piece: prose::Piece<'n>| Node::free(base_of_core + piece.offset, piece.text);
                let mut node =
                    Node::new(base_of_core, core, Kind::List(items.into_iter().map(free).collect()));
                node.notes.add(kind);
                Ok(Step::Again(node))
            }
            Some(_) if scalar::is_literal(core) || matches!(core, "null" | "None") => {
                Ok(Step::Ready(self.bare_any(core)))
            }
            Some(_) => Ok(Step::Ready(match self.formed(core) {
                Cow::Borrowed(text) => Any::Text(Cow::Borrowed(self.identifier(text))),
                made => Any::Text(made),
            })),
            None => Err(self.refuse("a value")),
        }
    }
}

/// The text that a JSON string stands for, unless it is a structure in quotes.
fn json_text(core: &str) -> Option<String> {
    let text: String = core.starts_with('"').then(|| serde_json::from_str(core).ok())??;
    (!text.trim_start().starts_with(['{', '[', '(', '`'])).then_some(text)
}
