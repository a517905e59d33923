//! What the types ask of a value, answered without knowing the type: what is generic stays thin.

use std::{borrow::Cow, str::FromStr};

use super::{
    access::{Entries, Items},
    coercion::CoercionKind,
    fail::{Cure, Fail},
    find::{self, Found, without_thoughts},
    lex,
    place::De,
    scalar::{
        self, Choice, Unsaid, announces, choose, forms, is_literal, is_nothing, is_nothing_for_scalar, turns,
    },
    tree::{self, Kind, Node},
};
use crate::types::CODE_TOKEN;

/// What there is to give, or another value to ask in place of this one.
pub(super) enum Step<'n, T> {
    Ready(T),
    Again(Node<'n>),
}

/// A value for a type that takes any.
pub(super) enum Any<'n, 'c> {
    Unit,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(Cow<'n, str>),
    List(Items<'n, 'c>),
    Object(Entries<'n, 'c>),
}

/// What makes a scalar of a text.
type Reads<'r, T> = &'r dyn Fn(&str) -> Result<(T, Option<CoercionKind>), Unsaid>;

pub(super) type Asked<'n, T> = Result<Step<'n, T>, Fail>;

impl<'n, 'c: 'n> De<'n, 'c> {
    fn source(&self) -> &'n str {
        match &self.node.kind {
            Kind::Free(text) => text,
            Kind::Text(text) if self.node.source.is_empty() => text,
            _ => self.node.source,
        }
    }

    pub(super) fn refuse(&self, expected: impl Into<String>) -> Fail {
        let text = self.source().trim();
        let found = match &self.node.kind {
            _ if !text.is_empty() => text.lines().next().unwrap_or_default(),
            Kind::Missing => "the end",
            _ => "an empty text",
        };
        Fail::new(expected, found).at(self.node.at, "")
    }

    /// Says where a failure happened that does not know it.
    pub(super) fn here(&self, fail: Fail) -> Fail {
        fail.at(self.node.at, self.source())
    }

    /// The key that this is.
    pub(super) fn key(&self) -> &'n str {
        match self.node.kind {
            Kind::Bare(text) => text,
            _ => "",
        }
    }

    /// Notes what had to be bent for the value itself.
    pub(super) fn take(&self) -> Result<(), Fail> {
        self.cx.bend_all(self.node.notes.iter());
        match &self.node.fault {
            Some(fault) => Err(Fail::from(&**fault)),
            None => Ok(()),
        }
    }

    /// Adds to a failure what another attempt could do about it.
    pub(super) fn learn(&self, fail: Fail) -> Fail {
        let fail = self.here(fail);
        let (text, quoted): (&str, bool) = match &self.node.kind {
            Kind::Text(text) => (text, true),
            Kind::Free(text) => (text, true),
            Kind::Bare(text) => (text, false),
            _ => return fail,
        };
        if !fail.is_here() {
            return fail;
        }
        let turn = self.cx.plan.form(self.kind);
        let inside = turn == 0 && quoted && is_structure(text);
        match fail.cure() {
            Cure::Unknown if inside || self.forms(text).len() > turn => fail.with(Cure::Form(self.kind)),
            _ => fail,
        }
    }

    /// Adds to the failure of what an option holds that the text may say that there is nothing.
    pub(super) fn or_nothing(&self, fail: Fail) -> Fail {
        let (Kind::Text(text) | Kind::Free(text)) = &self.node.kind else { return fail };
        let nothing = fail.is_here() && says_nothing(find::unfenced(text));
        match nothing && !self.cx.plan.nothing.contains(&self.kind) {
            true => fail.with(Cure::NothingFor(self.kind)),
            false => fail,
        }
    }

    /// The other forms that a text may have.
    fn forms<'t>(&self, text: &'t str) -> Vec<Cow<'t, str>> {
        let mut out = forms(text, self.cx.options);
        if self.root
            && matches!(self.node.kind, Kind::Free(_))
            && let Ok(found) = self.cx.answer.structures(self.cx.options.max_depth)
        {
            let only = |found: &Found<'_>| match found.node.only().map_or(&found.node.kind, |only| &only.kind)
            {
                Kind::Text(text) => Some(Cow::Owned(text.clone().into_owned())),
                Kind::Bare(text) => Some(Cow::Owned((*text).to_owned())),
                _ => None,
            };
            out.splice(0..0, found.iter().rev().filter_map(only));
        }
        out
    }

    /// The text, or the form of it that is this type's turn.
    pub(super) fn formed(&self, text: &'n str) -> Cow<'n, str> {
        let turn = self.cx.plan.form(self.kind);
        let form = turn.checked_sub(1).and_then(|turn| {
            let mut forms = self.forms(text);
            (!forms.is_empty()).then(|| forms.swap_remove(turn.min(forms.len() - 1)))
        });
        if form.is_some() {
            self.cx.bend(CoercionKind::OtherNotation);
        }
        form.unwrap_or(Cow::Borrowed(text))
    }

    /// The structure that a text is.
    pub(super) fn parsed(&self, text: &'n str) -> Result<Option<Node<'n>>, Fail> {
        if !is_structure(text) || !self.cx.spend(text.len()) {
            return Ok(None);
        }
        let depth = self.cx.options.max_depth;
        match tree::whole(text.trim(), self.node.at, depth).map_err(|deep| Fail::too_deep(deep, depth))? {
            Ok(mut node) => {
                node.notes.add(CoercionKind::TextInside);
                Ok(Some(node))
            }
            Err(_) => Ok(None),
        }
    }

    // Scalars.

    /// The scalar that is this value, or the only one in it.
    fn word(self) -> Result<(Self, &'n str, bool), Fail> {
        let mut this = self;
        loop {
            this.take()?;
            match &this.node.kind {
                Kind::Bare(text) => return Ok((this, text, false)),
                Kind::Text(text) | Kind::Free(text) => return Ok((this, text, true)),
                Kind::Missing => return Err(this.refuse("a value")),
                Kind::List(_) => this.cx.bend(CoercionKind::NeedlessList),
                // The needless object may be the one around this.
                Kind::Object(_) if this.cx.doubtful.get() && !this.cx.plan.otherwise => {
                    return Err(this.refuse("one value, not an object"));
                }
                Kind::Object(_) => this.cx.bend(CoercionKind::NeedlessObject),
                Kind::Call(..) => this.cx.bend(CoercionKind::Constructor),
            }
            let announced = match &this.node.kind {
                Kind::Object(members) => {
                    let mut named = members.iter().filter(|member| announces(&member.key));
                    named.next().filter(|_| named.next().is_none()).map(|member| &member.value)
                }
                _ => None,
            };
            // `{"not": true}`
            if let Kind::Object(members) = &this.node.kind
                && members.iter().any(|member| turns(&member.key))
            {
                return Err(this.refuse("one value, not an object").with(Cure::None));
            }
            let Some(only) = this.node.only().or(announced) else {
                let what = if matches!(this.node.kind, Kind::List(_)) { "several" } else { "an object" };
                return Err(this.refuse(format!("one value, not {what}")).with(Cure::None));
            };
            this = this.with(only);
        }
    }

    /// Reads a scalar with what `read` makes of its text.
    fn scalar<T>(self, expected: &str, in_quotes: CoercionKind, read: Reads<'_, T>) -> Result<T, Fail> {
        let (this, text, quoted) = self.word()?;
        let free = matches!(this.node.kind, Kind::Free(_));
        let said = if free && is_structure(text) { Err(Unsaid::Nothing) } else { read(text) };
        let why = match said {
            Ok((value, kind)) => {
                let kind = kind.or((quoted && !free).then_some(in_quotes));
                this.cx.bend_all(kind);
                return Ok(value);
            }
            Err(why) => why,
        };
        if !free
            && quoted
            && why == Unsaid::Nothing
            && let Some(node) = this.parsed(text)?
        {
            return this.with(&node).scalar(expected, in_quotes, read);
        }
        if free && why == Unsaid::Nothing {
            let inside = |de: De<'_, 'c>| de.scalar(expected, in_quotes, read);
            match this.in_structures(text, &inside)? {
                Some(Ok(value)) => return Ok(value),
                Some(Err(fail)) if is_structure(text) => return Err(fail),
                _ => {}
            }
        }
        let why = match why {
            Unsaid::Nothing => "",
            Unsaid::Several if in_quotes == CoercionKind::BooleanInQuotes => " (the answer says both)",
            Unsaid::Several => " (the answer has several)",
            Unsaid::Thinking => " (the answer stops amid its thoughts)",
        };
        Err(this.refuse(format!("{expected}{why}")).with(Cure::None))
    }

    pub(super) fn boolean(self) -> Result<bool, Fail> {
        let read = |text: &str| scalar::boolean(text, self.cx.options);
        self.scalar("a boolean, and a clear one", CoercionKind::BooleanInQuotes, &read)
    }

    fn number(self, expected: &str) -> Result<scalar::Number, Fail> {
        let read = |text: &str| scalar::number(text, self.cx.options);
        self.scalar(expected, CoercionKind::NumberInQuotes, &read)
    }

    pub(super) fn integer<T: FromStr>(self, min: i128, max: u128) -> Result<T, Fail> {
        if let Kind::Bare(text) = self.node.kind
            && json_integer(text)
            && let Ok(value) = text.parse()
        {
            self.take()?;
            return Ok(value);
        }
        let digits = self.digits(min, max)?;
        digits.parse().map_err(|_| {
            self.refuse(format!("an integer from {min} to {max}, not {digits}")).with(Cure::None)
        })
    }

    /// The digits of an integer.
    fn digits(self, min: i128, max: u128) -> Result<String, Fail> {
        let number = self.number("a whole number")?;
        let fraction = || self.refuse(format!("an integer, not {}", number.digits)).with(Cure::None);
        // `12.000` is twelve here and twelve thousand there; as a group, `1,234` leaves no doubt.
        if number.ratio || number.doubtful && number.digits.contains('.') {
            return Err(fraction());
        }
        let whole = whole(&number.digits).ok_or_else(fraction)?;
        // `1,000` in a list, of which the comma was taken for one between items.
        let bare = matches!(self.node.kind, Kind::Bare(_));
        if bare && whole.len() == 3 && whole.starts_with('0') {
            return Err(self.refuse("a whole number without zeros before it").with(Cure::None));
        }
        if whole.starts_with('+') {
            self.cx.bend(CoercionKind::LooseNumber);
        }
        if whole != number.digits {
            self.cx.bend(CoercionKind::WholeFraction);
        }
        let fits = match whole.parse::<i128>() {
            Ok(value) => value >= min && u128::try_from(value).map_or(true, |value| value <= max),
            Err(_) => whole.parse::<u128>().is_ok_and(|value| value <= max),
        };
        if fits {
            return Ok(whole);
        }
        Err(self.refuse(format!("an integer from {min} to {max}, not {whole}")).with(Cure::None))
    }

    /// The digits of a number that may have a fraction.
    fn decimal(self) -> Result<String, Fail> {
        let number = self.number("a number")?;
        let json = matches!(&self.node.kind, Kind::Bare(text) if scalar::plain(text))
            || matches!(&self.node.kind, Kind::Text(text) | Kind::Free(text) if scalar::plain(text.trim()));
        if number.doubtful && !json {
            let what = format!(
                "a number, and not one whose mark may be of thousands or of decimals ({})",
                number.digits
            );
            return Err(self.refuse(what).with(Cure::None));
        }
        Ok(number.digits)
    }

    pub(super) fn float(self) -> Result<f64, Fail> {
        if let Kind::Bare(text) = self.node.kind
            && text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
            && let Ok(value) = text.parse::<f64>()
            && value.is_finite()
        {
            self.take()?;
            return Ok(value);
        }
        let digits = self.decimal()?;
        match digits.parse::<f64>() {
            Ok(value) if value.is_finite() || digits.contains("inf") || digits == "NaN" => Ok(value),
            _ => Err(self.refuse("a number that a 64-bit float can hold").with(Cure::None)),
        }
    }

    pub(super) fn narrow_float(self) -> Result<f32, Fail> {
        let digits = self.decimal()?;
        // The nearest `f32` of the decimal, not of the nearest `f64`.
        match digits.parse::<f32>() {
            Ok(value) if value.is_finite() || digits.contains("inf") || digits == "NaN" => Ok(value),
            _ => Err(self.refuse("a number that a 32-bit float can hold").with(Cure::None)),
        }
    }

    pub(super) fn character(self) -> Result<char, Fail> {
        let (this, text, _) = self.word()?;
        let only = |text: &str| {
            let mut chars = text.chars();
            chars.next().filter(|_| chars.next().is_none())
        };
        if let Some(c) = only(text) {
            return Ok(c);
        }
        let inner = text.rsplit_once([':', '：']).filter(|(label, _)| !label.contains('\n') && !turns(label));
        let inner = inner.map_or(text, |(_, inner)| inner);
        let c = only(inner.trim_matches(|c: char| !c.is_alphanumeric()));
        self.cx.bend(CoercionKind::Marks);
        c.ok_or_else(|| this.refuse("one character").with(Cure::None))
    }

    pub(super) fn unit(self) -> Result<(), Fail> {
        if let Kind::Object(members) = &self.node.kind
            && members.is_empty()
        {
            self.cx.bend(CoercionKind::EmptyForNull);
            return self.take();
        }
        let (this, text, _) = self.word()?;
        match text {
            "null" => Ok(()),
            _ if is_nothing(text) => {
                self.cx.bend(CoercionKind::Nothing);
                Ok(())
            }
            _ => Err(this.refuse("null").with(Cure::None)),
        }
    }

    /// Whether nothing is there; what says so is noted.
    pub(super) fn is_none(self) -> bool {
        let learnt = self.cx.plan.nothing.contains(&self.kind);
        let kind = match &self.node.kind {
            Kind::Missing => Some(CoercionKind::MissingValue),
            Kind::Bare(text) => match *text {
                "null" => None,
                text if is_nothing(text) => Some(CoercionKind::Nothing),
                _ => return false,
            },
            Kind::Text(text) if learnt && is_nothing_for_scalar(text) => Some(CoercionKind::Nothing),
            Kind::Free(text) => {
                let inner = find::unfenced(text).trim();
                let nothing = is_nothing(inner) || learnt && says_nothing(inner);
                match text.trim() {
                    "" | "null" => None,
                    _ if nothing => Some(CoercionKind::Nothing),
                    _ => return false,
                }
            }
            _ => return false,
        };
        self.cx.bend_all(kind);
        true
    }

    // Texts.

    pub(super) fn text(self) -> Result<Cow<'n, str>, Fail> {
        self.take()?;
        let cx = self.cx;
        match &self.node.kind {
            Kind::Text(text) => Ok(self.formed(text)),
            Kind::Bare("null" | "None") => Err(self.refuse("text, not null").with(Cure::None)),
            Kind::Bare(text) => {
                cx.bend(if is_literal(text) { CoercionKind::LiteralAsText } else { CoercionKind::BareText });
                Ok(self.formed(text))
            }
            Kind::Missing => Err(self.refuse("a value")),
            Kind::Free(text) => Ok(self.free_text(text)),
            Kind::List(items) if matches!(&items[..], [Node { kind: Kind::Text(_), .. }]) => {
                cx.bend(CoercionKind::NeedlessList);
                self.with(&items[0]).text()
            }
            // Python joins texts that stand side by side.
            Kind::List(items)
                if self.node.source.starts_with('(')
                    && self.node.notes.has(CoercionKind::MissingComma)
                    && items.iter().all(|item| matches!(item.kind, Kind::Text(_))) =>
            {
                let text = |item: &Node<'_>| match &item.kind {
                    Kind::Text(text) => text.clone().into_owned(),
                    _ => String::new(),
                };
                Ok(Cow::Owned(items.iter().map(text).collect()))
            }
            Kind::Object(members) if matches!(&members[..], [only] if matches!(only.value.kind, Kind::Text(_))) =>
            {
                cx.bend(CoercionKind::NeedlessObject);
                self.with(&members[0].value).text()
            }
            _ => {
                let source = self.node.source;
                let inside = source.get(1..).unwrap_or_default().trim_start();
                if source.is_empty() || inside.starts_with("\"type\"") {
                    return Err(self.refuse("text, not the schema of it").with(Cure::None));
                }
                let call = matches!(self.node.kind, Kind::Call(..));
                cx.bend(if call { CoercionKind::BareText } else { CoercionKind::StructureAsText });
                Ok(Cow::Borrowed(source))
            }
        }
    }

    fn free_text(self, text: &'n str) -> Cow<'n, str> {
        if self.cx.plan.form(self.kind) > 0 {
            return self.formed(text.trim());
        }
        // Indentation belongs to a text of several lines.
        let end = text.trim_end();
        let core = &end[lex::blank(end).min(end.len())..];
        Cow::Borrowed(match core.contains('\n') {
            true => {
                let before = end.len() - core.len();
                &end[end[..before].rfind('\n').map_or(0, |at| at + 1)..]
            }
            false => core,
        })
    }

    /// The name that a text is where the plan knows names for it.
    pub(super) fn identifier<'t>(&self, text: &'t str) -> &'t str {
        let known = &self.cx.plan.variants;
        if known.is_empty() || known.iter().any(|names| names.contains(&text)) {
            return text;
        }
        for names in known {
            if let Choice::One(index, kind) = choose(text, names, self.cx.options) {
                self.cx.bend_all(kind);
                return names[index];
            }
        }
        text
    }

    /// The value inside of a newtype.
    pub(super) fn newtype(self, name: &'static str) -> Result<Self, Fail> {
        if self.cx.absent {
            return Err(self.refuse("a value"));
        }
        // Code is asked for twice: as such, and then in its language.
        let kind = if name == CODE_TOKEN { CODE_TOKEN } else { self.kind };
        Ok(Self { kind, ..self })
    }

    /// Program text: what stands in the fence, if there is one.
    pub(super) fn code(self, language: &str) -> Result<Cow<'n, str>, Fail> {
        let text: &'n str = match &self.node.kind {
            Kind::Free(text) => self.answer(text)?.0,
            Kind::Text(text) if text.trim_start().starts_with("```") && !self.cx.options.written => {
                self.take()?;
                text
            }
            _ => return self.text(),
        };
        let fences = find::fences(text);
        let named = |fence: &&find::Fence<'_>| {
            let info = fence.info.split([' ', ',', '{']).next().unwrap_or_default();
            !language.is_empty() && crate::lang::is_named(language, info)
        };
        let plain =
            |fence: &&find::Fence<'_>| matches!(fence.info, "" | "text" | "txt" | "plaintext" | "code");
        let chosen = fences.iter().find(named).or_else(|| fences.iter().find(plain));
        // What is in another language is not it, if that can be told.
        let chosen = chosen.or(fences.first().filter(|_| language.is_empty()));
        if chosen.is_none() && !fences.is_empty() {
            return Err(self.refuse(format!("a code block in {language}")));
        }
        let Some(fence) = chosen else {
            // A sentence is no program.
            let core = text.trim();
            let prose = core.ends_with(['.', '!', '?', '。']) && core.split_whitespace().count() > 4;
            return match prose && !core.contains(['(', '=', '{', ';', '<', '\n']) {
                true => Err(self.refuse("program text")),
                false => Ok(self.free_text(text)),
            };
        };
        if !fence.closed {
            self.cx.bend(CoercionKind::OpenFence);
        }
        Ok(Cow::Borrowed(fence.text))
    }

    /// What stands behind the thoughts of a model, and where that begins. Thoughts without an end hold no answer.
    pub(super) fn answer(&self, text: &'n str) -> Result<(&'n str, usize), Fail> {
        match without_thoughts(text) {
            Some(rest) => Ok((rest, self.node.at + (text.len() - rest.len()))),
            None => Err(self.refuse("an answer behind the thoughts").with(Cure::None)),
        }
    }
}

/// Whether a text begins and ends as a structure does.
pub(super) fn is_structure(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(['{', '[']) && (text.ends_with(['}', ']']) || lex::opens_json(text))
}

/// Whether a text says that there is no such scalar, with a reason in a paragraph of its own perhaps.
fn says_nothing(text: &str) -> bool {
    let first = text.trim().split_once("\n\n").map_or("", |(first, _)| first);
    is_nothing_for_scalar(text)
        || !first.is_empty() && is_nothing(first) && !text.contains(|c: char| c.is_ascii_digit())
}

/// Whether this is an integer as JSON writes it, without a plus or leading zeros.
fn json_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits == "0" || digits.starts_with(|c: char| matches!(c, '1'..='9'))
}

/// The digits of a number that is whole, if it is.
fn whole(digits: &str) -> Option<String> {
    let exponent = digits.contains(['e', 'E']);
    if let Some((whole, fraction)) = digits.split_once('.').filter(|_| !exponent) {
        return fraction.bytes().all(|b| b == b'0').then(|| whole.to_owned());
    }
    if !exponent {
        let number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '-') && !digits.contains("inf");
        return number.then(|| digits.to_owned());
    }
    let value: f64 = digits.parse().ok()?;
    // Beyond this, a float does not know its last digits.
    (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0).then(|| format!("{value:.0}"))
}
