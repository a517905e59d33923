//! What types ask of variants.

use super::{
    access::Chosen,
    ask::{Asked, Step},
    coercion::CoercionKind,
    fail::{Cure, Fail},
    place::De,
    scalar::{Choice, choose, loosely, nearest, occurring, same},
    tree::{Kind, Member, Node},
    ways::{Want, Way, ranked},
};

impl<'n, 'c: 'n> De<'n, 'c> {
    pub(super) fn variant(self, variants: &'static [&'static str]) -> Asked<'n, Chosen<'n, 'c>> {
        let expected = || format!("one of {}", variants.join(", "));
        let ready = |name: &'n str, content| Ok(Step::Ready(Chosen { de: self, name, content }));
        match &self.node.kind {
            Kind::Free(text) => self.free_variant(text, variants),
            Kind::Bare(text) => self.named(text, variants),
            Kind::Text(text) => match self.parsed(text)? {
                Some(node) => Ok(Step::Again(node)),
                None => self.named(text, variants),
            },
            Kind::Missing => Err(self.refuse(expected())),
            Kind::Call(name, inner) => {
                self.take()?;
                let last = name.rsplit([':', '.']).next().unwrap_or(name);
                let Some(variant) = find_name(last, variants) else {
                    return Err(self.refuse(expected()).with(Cure::None));
                };
                self.cx.bend(CoercionKind::NamedBeside);
                ready(variant, Some(inner))
            }
            Kind::List(_) => {
                self.take()?;
                let Some(only) = self.node.only() else { return Err(self.refuse("one value, not several")) };
                self.cx.bend(CoercionKind::NeedlessList);
                self.with(only).variant(variants)
            }
            Kind::Object(members) => {
                self.take()?;
                if let [Member { key, value, .. }] = &members[..]
                    && let Some(variant) = find_name(key, variants)
                {
                    if variant != key {
                        self.cx.bend(CoercionKind::LooseName);
                    }
                    return ready(variant, Some(value));
                }
                if let Some((variant, content)) = beside(members, variants) {
                    self.cx.bend(CoercionKind::NamedBeside);
                    return ready(variant, Some(content.unwrap_or(self.node)));
                }
                // `{"label": "negative", "score": 0.93}`
                let name = |member: &&Member<'_>| {
                    matches!(&member.value.kind, Kind::Text(text)
                    if matches!(choose(text, variants, self.cx.options), Choice::One(..)))
                };
                let mut names = members.iter().filter(name);
                let named = names.next().filter(|_| names.next().is_none()).map(|member| &member.value);
                let Some(only) = self.node.only().or(named) else {
                    return Err(self.refuse(format!("{}, as the only key of an object", expected())));
                };
                self.cx.bend(CoercionKind::NeedlessObject);
                let near = nearest(&members[0].key, variants);
                if !near.is_empty() {
                    return Err(Fail::new(expected(), &members[0].key).nearest(near).at(self.node.at, ""));
                }
                self.with(only).variant(variants)
            }
        }
    }

    /// The variant that a text names.
    fn named(self, text: &'n str, variants: &'static [&'static str]) -> Asked<'n, Chosen<'n, 'c>> {
        self.take()?;
        let chosen = |name| Ok(Step::Ready(Chosen { de: self, name, content: None }));
        match choose(text, variants, self.cx.options) {
            Choice::One(index, kind) => {
                self.cx.bend_all(kind);
                chosen(variants[index])
            }
            Choice::Nothing if text.len() < 64 && occurring(text, variants).is_empty() => {
                // The type decides, which may know other names.
                chosen(text)
            }
            _ => {
                let fail = self.refuse(format!("one of {}", variants.join(", "))).with(Cure::None);
                Err(fail.nearest(occurring(text, variants)))
            }
        }
    }

    fn free_variant(self, text: &'n str, variants: &'static [&'static str]) -> Asked<'n, Chosen<'n, 'c>> {
        let (rest, base) = self.answer(text)?;
        let lot = self.lot(rest, base)?;
        let fits = |at: &usize| Want::Variants(variants).fit(&lot.all()[*at].node) > 0;
        let found = ranked(lot.all(), Want::Variants(variants));
        let begun = rest.trim().starts_with(['{', '[']);
        let fitting = found.iter().filter(|at| fits(at)).copied().map(Way::Found);
        let word = (!begun).then_some(Way::Word);
        // A name that stands alone is one; of a longer text, what fits is likelier.
        let alone = matches!(choose(rest.trim(), variants, self.cx.options), Choice::One(..));
        let mut ways: Vec<Way> = word.filter(|_| alone).into_iter().chain(fitting).collect();
        let others = found.iter().filter(|at| begun && !fits(at)).copied().map(Way::Found);
        ways.extend(others);
        ways.extend(word.filter(|_| !alone));
        self.count_rivals(lot.all(), &ways, Want::Variants(variants));
        match self.pick(&ways) {
            Some(Way::Found(at)) => self.chosen(lot, at, |de| de.variant(variants)),
            Some(_) => self.named(rest.trim(), variants),
            None => Err(self.refuse(format!("one of {}", variants.join(", ")))),
        }
    }
}

/// The variant of a name.
fn find_name<'v>(name: &str, variants: &[&'v str]) -> Option<&'v str> {
    variants.iter().copied().find(|variant| *variant == name).or_else(|| loosely(name, variants))
}

/// The variant that is named among its fields, as in `{"type": "circle", "radius": 2}`, and what holds its fields, if
/// that is a member of its own.
fn beside<'n>(
    members: &'n [Member<'n>],
    variants: &'static [&'static str],
) -> Option<(&'static str, Option<&'n Node<'n>>)> {
    const TAGS: [&str; 5] = ["type", "kind", "variant", "tag", "name"];
    const CONTENTS: [&str; 4] = ["data", "value", "content", "arguments"];
    let keyed =
        |names: &[&str]| members.iter().find(|member| names.iter().any(|name| same(name, &member.key)));
    let Kind::Text(name) = &keyed(&TAGS)?.value.kind else { return None };
    Some((find_name(name, variants)?, keyed(&CONTENTS).map(|member| &member.value)))
}
