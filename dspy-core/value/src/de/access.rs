//! The items of lists, the entries of objects and the variants of enums, as a type takes them.

use std::borrow::Cow;

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
        value::StrDeserializer,
    },
};

use super::{
    coercion::CoercionKind,
    fail::{Cure, Fail, Seg},
    place::{At, De, Key},
    scalar::{loosely, same},
    tree::{Kind, Member, Node},
};

/// The items of a list.
pub(super) struct Items<'n, 'c> {
    /// The list itself.
    de: De<'n, 'c>,
    nodes: &'n [Node<'n>],
    index: usize,
    /// How many there must be.
    len: Option<usize>,
}

impl<'n, 'c> Items<'n, 'c> {
    pub(super) fn new(de: De<'n, 'c>, nodes: &'n [Node<'n>], len: Option<usize>) -> Self {
        Self { de, nodes, index: 0, len }
    }

    pub(super) fn give<'de, V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Fail>
    where
        'c: 'n,
    {
        match visitor.visit_seq(&mut self) {
            Ok(value) => match self.end() {
                Ok(()) => Ok(value),
                Err(fail) => Err(fail),
            },
            Err(fail) => Err(self.de.here(fail)),
        }
    }

    fn next(&mut self) -> Option<(De<'n, 'c>, At<'static>)> {
        let node = self.nodes.get(self.index)?;
        self.index += 1;
        Some((self.de.with(node), At::Index(self.index - 1)))
    }

    fn end(&self) -> Result<(), Fail> {
        let Some(more) = self.nodes.get(self.index) else { return Ok(()) };
        let what = self.len.map_or("fewer items".to_owned(), |n| format!("a list of {n} items, not more"));
        Err(self.de.with(more).refuse(what).with(Cure::None))
    }
}

impl<'de, 'n, 'c: 'n> SeqAccess<'de> for Items<'n, 'c> {
    type Error = Fail;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fail> {
        let Some((item, step)) = self.next() else { return Ok(None) };
        match item.placed(seed, step) {
            Ok(value) => Ok(Some(value)),
            Err(fail) => Err(fail),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.nodes.len() - self.index)
    }
}

/// The entries of an object.
pub(super) struct Entries<'n, 'c> {
    /// The object itself.
    de: De<'n, 'c>,
    members: &'n [Member<'n>],
    index: usize,
    fields: Option<&'static [&'static str]>,
    /// How many of the keys are fields.
    known: usize,
    /// The name of the entry whose value is next.
    name: Cow<'n, str>,
    /// Whether a field that is known to be missed stands here in another spelling: then others may, too.
    respelt: bool,
}

/// How the key of a field is spelt.
#[derive(PartialEq)]
enum Spelling {
    Exact,
    Loose,
    Unknown,
}

impl<'n, 'c: 'n> Entries<'n, 'c> {
    pub(super) fn new(
        de: De<'n, 'c>,
        members: &'n [Member<'n>],
        fields: Option<&'static [&'static str]>,
    ) -> Self {
        let learnt = &de.cx.plan.fields;
        let loose = |member: &Member<'_>| {
            !learnt.contains(&member.key.as_ref()) && loosely(&member.key, learnt).is_some()
        };
        let respelt = fields.is_none() && !learnt.is_empty() && members.iter().any(loose);
        Self { de, members, index: 0, fields, known: 0, name: Cow::Borrowed(""), respelt }
    }

    pub(super) fn give<'de, V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Fail> {
        match visitor.visit_map(&mut self) {
            Ok(value) => match self.end() {
                Ok(()) => Ok(value),
                Err(fail) => Err(fail),
            },
            Err(fail) => Err(self.de.here(fail)),
        }
    }

    /// An object that has nothing of what is asked for is not it, though all of that be optional.
    fn end(&self) -> Result<(), Fail> {
        let cut = self.members.is_empty() && !self.de.node.complete();
        match self.fields {
            Some(fields) if !fields.is_empty() && self.known == 0 && (!self.members.is_empty() || cut) => {
                Err(self.de.refuse(format!("at least one of the fields {}", fields.join(", "))))
            }
            _ => Ok(()),
        }
    }

    /// The name that a key stands for.
    fn resolve(&self, key: &'n Cow<'n, str>, at: usize) -> (Cow<'n, str>, Spelling) {
        let plan = &self.de.cx.plan;
        let exact = |names: &[&str]| names.iter().any(|name| name == key);
        let known = match self.fields {
            Some(fields) if fields.get(at).is_some_and(|name| name == key) || exact(fields) => {
                return (Cow::Borrowed(key), Spelling::Exact);
            }
            Some(fields) => loosely(key, fields),
            None if exact(&plan.fields) => return (Cow::Borrowed(key), Spelling::Exact),
            None => loosely(key, &plan.fields),
        };
        match known {
            // An exact spelling further on means that field; this key is another one.
            Some(name) if self.members.iter().any(|member| member.key == name) => {
                (Cow::Borrowed(key), Spelling::Unknown)
            }
            Some(name) => (Cow::Borrowed(name), Spelling::Loose),
            None if self.respelt && key.contains(char::is_uppercase) => {
                (snake_case(key).into(), Spelling::Loose)
            }
            None => (Cow::Borrowed(key), Spelling::Unknown),
        }
    }

    fn value(&self) -> Result<De<'n, 'c>, Fail> {
        match self.index.checked_sub(1).and_then(|at| self.members.get(at)) {
            Some(member) => Ok(self.de.with(&member.value)),
            None => Err(Fail::new("a key before its value", "")),
        }
    }

    /// The next entry that counts: of equal keys the last, where that is learnt.
    fn next(&mut self) -> Option<&'n Member<'n>> {
        loop {
            let member = self.members.get(self.index)?;
            let (name, spelling) = self.resolve(&member.key, self.index);
            self.index += 1;
            let again = |other: &Member<'_>| {
                other.key == member.key || spelling != Spelling::Unknown && same(&other.key, &name)
            };
            if self.de.cx.plan.dedupe && self.members[self.index..].iter().any(again) {
                self.de.cx.bend(CoercionKind::RepeatedKey);
                continue;
            }
            match spelling {
                Spelling::Exact => self.known += 1,
                Spelling::Loose => {
                    self.known += 1;
                    self.de.cx.bend(CoercionKind::LooseKey);
                }
                Spelling::Unknown => {}
            }
            self.name = name;
            return Some(member);
        }
    }
}

impl<'de, 'n, 'c: 'n> MapAccess<'de> for Entries<'n, 'c> {
    type Error = Fail;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fail> {
        let Some(member) = self.next() else { return Ok(None) };
        let name: &str = &self.name;
        let node = Node::new(member.at, "", Kind::Bare(name));
        match seed.deserialize(Key(self.de.with(&node))) {
            Ok(key) => Ok(Some(key)),
            Err(fail) => Err(fail.at(member.at, name).inside(Seg::Key(name.into()))),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fail> {
        match self.value() {
            Ok(value) => value.placed(seed, At::Key(&self.name)),
            Err(fail) => Err(fail),
        }
    }
}

/// A name as Rust spells fields: `meanScore`, `Mean Score` and `MEAN_SCORE` are `mean_score`.
fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut small = false;
    for c in name.chars() {
        if matches!(c, ' ' | '-' | '_') {
            out.push('_');
            small = false;
            continue;
        }
        if c.is_uppercase() && small {
            out.push('_');
        }
        small = c.is_lowercase() || c.is_ascii_digit();
        out.extend(c.to_lowercase());
    }
    out
}

/// A variant, with what it holds.
pub(super) struct Chosen<'n, 'c> {
    pub(super) de: De<'n, 'c>,
    pub(super) name: &'n str,
    pub(super) content: Option<&'n Node<'n>>,
}

impl<'n, 'c> Chosen<'n, 'c> {
    fn inside<T>(self, read: impl FnOnce(De<'n, 'c>) -> Result<T, Fail>, missing: String) -> Result<T, Fail> {
        match self.content {
            Some(node) => read(self.de.with(node)).map_err(|fail| fail.inside(Seg::Key(self.name.into()))),
            None => Err(Fail::new(missing, self.name)),
        }
    }
}

impl<'de, 'n, 'c: 'n> EnumAccess<'de> for Chosen<'n, 'c> {
    type Error = Fail;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fail> {
        let name: StrDeserializer<'_, Fail> = self.name.into_deserializer();
        match seed.deserialize(name) {
            Ok(variant) => Ok((variant, self)),
            Err(fail) => Err(fail),
        }
    }
}

impl<'de, 'n, 'c: 'n> VariantAccess<'de> for Chosen<'n, 'c> {
    type Error = Fail;

    fn unit_variant(self) -> Result<(), Fail> {
        let Some(content) = self.content else { return Ok(()) };
        // `{"spam": false}` says another thing.
        let nothing = match &content.kind {
            Kind::Bare(text) => matches!(*text, "null" | "true" | "None" | "True"),
            Kind::Object(members) => members.is_empty() || std::ptr::eq(content, self.de.node),
            Kind::List(items) => items.is_empty(),
            Kind::Text(text) => text.is_empty(),
            _ => false,
        };
        if !nothing {
            return Err(Fail::new(format!("`{}` without a value", self.name), content.source));
        }
        self.de.cx.bend(CoercionKind::ObjectAroundName);
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fail> {
        let missing = format!("the value of `{}` beside its name", self.name);
        // A variant around an `Option` or a struct of defaults may do without a value.
        let nothing = Node::new(self.de.node.at, "null", Kind::Bare("null"));
        match self.content {
            None => seed.deserialize(self.de.with(&nothing)).map_err(|_| Fail::new(missing, self.name)),
            // `Square(4)`
            Some(node) => {
                let one = match &node.kind {
                    Kind::List(items) if items.len() == 1 && node.source.starts_with('(') => &items[0],
                    _ => node,
                };
                self.de.with(one).placed(seed, At::Key(self.name))
            }
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fail> {
        let missing = format!("the {len} values of `{}` beside its name", self.name);
        self.inside(|de| de.deserialize_tuple(len, visitor), missing)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fail> {
        let missing = format!("{} for `{}`", object_with(fields), self.name);
        self.inside(|de| de.deserialize_struct("", fields, visitor), missing)
    }
}

/// What is said where an object is missed.
pub(super) fn object_with(fields: &[&str]) -> String {
    match fields {
        [] => "an object".to_owned(),
        _ => format!("an object with {}", fields.join(", ")),
    }
}
