//! What types ask of lists, objects, variants and values of any kind.

use std::borrow::Cow;

use super::{
    access::{Chosen, Entries, Items, object_with},
    ask::{Any, Asked, Step, is_structure},
    coercion::CoercionKind,
    fail::{Cure, Fail},
    find::{self, Found},
    lex,
    place::De,
    prose,
    scalar::{self, Choice, choose, is_nothing, loosely, nearest, occurring, same},
    tree::{self, Kind, Member, Node},
};

/// What the structures of a text are wanted for, which tells the likelier ones.
#[derive(Clone, Copy)]
pub(super) enum Want<'w> {
    Fields(&'w [&'static str]),
    Variants(&'w [&'static str]),
    Object,
    List,
    Any,
}

impl Want<'_> {
    /// How well a structure fits, by its outside.
    fn fit(self, node: &Node<'_>) -> usize {
        let objects = |inner: &Node<'_>| matches!(inner.kind, Kind::Object(_) | Kind::Call(..));
        match (self, &node.kind) {
            (_, Kind::Text(text)) => usize::from(is_structure(text)),
            (Self::Fields(fields), Kind::Object(members)) => {
                let known =
                    members.iter().filter(|member| fields.iter().any(|field| same(field, &member.key)));
                match known.count() {
                    // A needless wrapper.
                    0 if members.len() <= 2 => {
                        members.iter().map(|member| self.fit(&member.value)).max().unwrap_or(0)
                    }
                    known => known,
                }
            }
            (Self::Fields(_), _) => node.only().map_or(0, |only| self.fit(only)),
            (Self::Variants(variants), Kind::Object(members)) => {
                let names = |text: &str| variants.iter().any(|variant| same(variant, text));
                let named = |member: &Member<'_>| {
                    names(&member.key) || matches!(&member.value.kind, Kind::Text(text) if names(text))
                };
                usize::from(members.iter().any(named))
            }
            (Self::Variants(variants), Kind::Call(name, _)) => {
                let last = name.rsplit([':', '.']).next().unwrap_or(name);
                usize::from(variants.iter().any(|variant| same(variant, last)))
            }
            (Self::Variants(_), _) => node.only().map_or(0, |only| self.fit(only)),
            (Self::List, Kind::List(_)) => 2,
            (Self::List, _) => {
                usize::from(node.only().is_some_and(|only| matches!(only.kind, Kind::List(_))))
            }
            (Self::Object, _) if objects(node) => 2,
            (Self::Object, _) => usize::from(node.only().is_some_and(objects)),
            (Self::Any, _) => 1,
        }
    }
}

/// How many structures of one text are likely: the last ones.
const MOST_RANKED: usize = 256;

/// Places of structures, the likeliest first: what fits, what is complete, what fits best, what stands alone, and then
/// the last.
fn ranked(found: &[Found<'_>], want: Want<'_>) -> Vec<usize> {
    let mut places: Vec<usize> = (found.len().saturating_sub(MOST_RANKED)..found.len()).collect();
    if let [_] = found {
        return places;
    }
    let full = |node: &Node<'_>| match &node.kind {
        Kind::Object(members) => !members.is_empty(),
        Kind::List(items) => !items.is_empty(),
        _ => true,
    };
    let complete = places.iter().map(|at| &found[*at].node).filter(|node| node.complete());
    let most = complete.map(|node| want.fit(node)).max().unwrap_or(0);
    places.sort_by_cached_key(|at| {
        let Found { node, fenced, around, .. } = &found[*at];
        let fit = match (want, want.fit(node)) {
            // Which has more of what is asked for says little: a draft may have more than the answer.
            (Want::Fields(_) | Want::Variants(_), fit) => fit.min(1),
            (_, fit) => fit,
        };
        // An empty pair of brackets in prose is likelier a word of it.
        let apart = full(node) || *fenced || !around;
        // An answer that is cut off, behind a draft of it that is not.
        let whole = node.complete() || matches!(want, Want::Fields(_)) && most > 1 && want.fit(node) >= most;
        std::cmp::Reverse((fit > 0, apart, whole, fit, found[*at].apart, *at))
    });
    places
}

/// A way to read a text.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// As the scalar or the text that it is.
    Word,
    /// As a structure that stands in it.
    Found(usize),
    /// As a list of the objects that stand in it.
    Objects,
    /// As what stands between brackets, without these.
    Inside,
    /// As a list whose items are marked as such.
    Marked,
    /// As lines, or what stands between commas.
    Prose,
    /// As `key: value` lines, elements or a table of one row.
    Pairs,
}

/// The structures of a text.
enum Lot<'n> {
    Kept(&'n [Found<'n>]),
    Made(Vec<Found<'n>>),
}

impl<'n> Lot<'n> {
    fn all(&self) -> &[Found<'n>] {
        match self {
            Self::Kept(found) => found,
            Self::Made(found) => found,
        }
    }
}

impl<'n, 'c: 'n> De<'n, 'c> {
    /// The structures of free text, those of the whole answer from attempt to attempt the same.
    fn lot(&self, text: &'n str, base: usize) -> Result<Lot<'n>, Fail> {
        let depth = self.cx.options.max_depth;
        match self.root && matches!(self.node.kind, Kind::Free(_)) {
            true => self.cx.answer.structures(depth).map(Lot::Kept),
            false if !self.cx.spend(text.len()) => Ok(Lot::Made(Vec::new())),
            false => find::structures(text, base, depth).map(Lot::Made),
        }
        .map_err(|deep| Fail::too_deep(deep, depth))
    }

    /// Tries the structures of a text for a scalar, the likeliest first.
    pub(super) fn in_structures<T>(
        self,
        text: &'n str,
        read: &dyn Fn(De<'_, 'c>) -> Result<T, Fail>,
    ) -> Result<Option<Result<T, Fail>>, Fail> {
        let mut failure = None;
        let (text, base) = self.answer(text)?;
        let lot = self.lot(text, base)?;
        for at in ranked(lot.all(), Want::Any) {
            let Found { node, around, fenced, .. } = &lot.all()[at];
            // `[1]` in prose is no value.
            let cited = *around && !fenced && matches!(node.kind, Kind::List(_));
            if cited || matches!(&node.kind, Kind::Text(inner) if inner.len() >= text.trim().len()) {
                continue;
            }
            let mark = self.cx.mark();
            if *around {
                self.cx.bend(CoercionKind::Around);
            }
            match read(self.with(node)) {
                Ok(value) => return Ok(Some(Ok(value))),
                Err(fail) => {
                    self.cx.rewind(mark);
                    failure.get_or_insert(fail);
                }
            }
        }
        Ok(failure.map(Err))
    }

    /// The way that is tried: of the whole answer each in its turn, else the first.
    fn pick(&self, ways: &[Way]) -> Option<Way> {
        if !self.root {
            return ways.first().copied();
        }
        self.cx.candidates.set(ways.len().max(1));
        ways.get(self.cx.chosen).copied()
    }

    /// Counts the structures that are as likely as the one that is tried, where all stand within sentences: which of them
    /// is meant, the sentences say.
    fn count_rivals(&self, found: &[Found<'_>], ways: &[Way], want: Want<'_>) {
        let mut tried = ways.iter().skip(self.cx.chosen).map_while(|way| match way {
            Way::Found(at) => Some(&found[*at]),
            _ => None,
        });
        let within = |found: &Found<'_>| !found.apart && found.node.complete();
        let Some(first) = tried.next().filter(|first| self.root && within(first)) else { return };
        let rival = |other: &&Found<'_>| within(other) && want.fit(&other.node) == want.fit(&first.node);
        let rivals = tried.take_while(rival).filter(|other| other.node.source != first.node.source);
        self.cx.rivals.set(rivals.count());
    }

    /// One of the structures of a text.
    fn chosen<T>(
        self,
        lot: Lot<'n>,
        at: usize,
        ask: impl FnOnce(De<'n, 'c>) -> Asked<'n, T>,
    ) -> Asked<'n, T> {
        let around = lot.all()[at].around;
        match lot {
            Lot::Kept(found) => {
                if around {
                    self.cx.bend(CoercionKind::Around);
                }
                ask(self.with(&found[at].node))
            }
            Lot::Made(mut found) => {
                let mut node = found.swap_remove(at).node;
                if around {
                    node.notes.add(CoercionKind::Around);
                }
                Ok(Step::Again(node))
            }
        }
    }

    // Lists.

    pub(super) fn list(self, len: Option<usize>) -> Asked<'n, Items<'n, 'c>> {
        let one = len.is_none_or(|n| n == 1);
        match &self.node.kind {
            Kind::Free(text) => self.free_list(text, len),
            Kind::List(items) => {
                self.take()?;
                Ok(Step::Ready(Items::new(self, items, len)))
            }
            Kind::Call(_, inner) => {
                self.take()?;
                self.cx.bend(CoercionKind::Constructor);
                // `set([1, 2])`
                let double = inner.only().filter(|only| matches!(only.kind, Kind::List(_) | Kind::Call(..)));
                let double = double.filter(|_| matches!(inner.kind, Kind::List(_)));
                self.with(double.unwrap_or(inner)).list(len)
            }
            Kind::Object(members) => {
                let wraps = matches!(&members[..], [only] if matches!(only.value.kind, Kind::List(_)));
                if wraps && !(one && self.cx.plan.otherwise) {
                    self.cx.doubtful.set(one || self.cx.doubtful.get());
                    self.take()?;
                    self.cx.bend(CoercionKind::NeedlessObject);
                    return self.with(&members[0].value).list(len);
                }
                self.single(one, len)
            }
            Kind::Missing => Err(self.refuse("a list")),
            Kind::Text(text) => match self.parsed(text)? {
                Some(node) => Ok(Step::Again(node)),
                None if len.is_none() && is_nothing(text) => self.no_items(),
                // "Rust, Python"
                None => match prose::listed(text).filter(|(items, _)| items.len() > 1) {
                    Some((pieces, kind)) => {
                        let item =
                            |piece: prose::Piece<'n>| Node::new(self.node.at, "", Kind::Text(piece.text));
                        let items = pieces.into_iter().map(item).collect();
                        let mut node = Node::new(self.node.at, self.node.source, Kind::List(items));
                        node.notes = self.node.notes;
                        node.notes.add(kind);
                        Ok(Step::Again(node))
                    }
                    None => self.single(one, len),
                },
            },
            Kind::Bare(text) if len.is_none() && is_nothing(text) => self.no_items(),
            Kind::Bare(_) => self.single(one, len),
        }
    }

    /// A list of this one value.
    fn single(self, one: bool, len: Option<usize>) -> Asked<'n, Items<'n, 'c>> {
        if !one {
            return Err(self.refuse("a list").with(Cure::None));
        }
        self.cx.bend(CoercionKind::OneInPlaceOfList);
        Ok(Step::Ready(Items::new(self, std::slice::from_ref(self.node), len)))
    }

    fn no_items(self) -> Asked<'n, Items<'n, 'c>> {
        self.cx.bend(CoercionKind::NothingForList);
        Ok(Step::Ready(Items::new(self, &[], None)))
    }

    fn free_list(self, text: &'n str, len: Option<usize>) -> Asked<'n, Items<'n, 'c>> {
        if len.is_none() && is_nothing(find::unfenced(text)) {
            return self.no_items();
        }
        let (text, base) = self.answer(text)?;
        let core = text.trim();
        let base_of_core = base + (core.as_ptr() as usize - text.as_ptr() as usize);
        let lot = self.lot(text, base)?;
        let ways = list_ways(text, lot.all());
        self.count_rivals(lot.all(), &ways, Want::List);
        let nodes = |(items, kind)| {
            let mut list = Node::new(base_of_core, core, Kind::List(items));
            list.notes.add(kind);
            Step::Again(list)
        };
        match self.pick(&ways) {
            Some(Way::Found(at)) => self.chosen(lot, at, |de| de.list(len)),
            Some(Way::Objects) => {
                let objects = lot.all().iter().filter(|found| found.node.complete());
                let objects = objects.map(|found| found.node.clone()).collect();
                Ok(nodes((objects, CoercionKind::MissingBrackets)))
            }
            Some(Way::Inside) => self.inside(text, base, false),
            Some(way) => {
                let inner = find::only_fence(core);
                let base_of_core = base_of_core + (inner.as_ptr() as usize - core.as_ptr() as usize);
                let pieces = if way == Way::Marked { prose::marked(inner) } else { prose::listed(inner) };
                let pieces = pieces.filter(|(pieces, _)| len.is_none_or(|len| len == pieces.len()));
                let Some((pieces, kind)) = pieces else {
                    let items = len.map_or_else(String::new, |len| format!(" of {len} items"));
                    return Err(self.refuse(format!("a list{items}")).with(Cure::None));
                };
                let free = |piece: prose::Piece<'n>| Node::free(base_of_core + piece.offset, piece.text);
                Ok(nodes((pieces.into_iter().map(free).collect(), kind)))
            }
            None => Err(self.refuse("a list")),
        }
    }

    /// What stands between brackets of which the opening one, or both, are missing.
    fn inside<T>(self, text: &'n str, base: usize, object: bool) -> Asked<'n, T> {
        let core = text.trim();
        let whole = (core.as_ptr() as usize - text.as_ptr() as usize, core);
        let (at, inner) = find::unopened(text, if object { '}' } else { ']' }).unwrap_or(whole);
        let depth = self.cx.options.max_depth;
        let node = tree::inside(inner, base + at, depth, object);
        Ok(Step::Again(node.map_err(|deep| Fail::too_deep(deep, depth))?))
    }

    // Objects.

    pub(super) fn object(self, fields: Option<&'static [&'static str]>) -> Asked<'n, Entries<'n, 'c>> {
        let missing = || self.refuse(object_with(fields.unwrap_or_default()));
        match &self.node.kind {
            Kind::Free(text) => self.free_object(text, fields),
            Kind::Object(members) => {
                self.take()?;
                if let Some(inner) = self.wrapped(members, fields) {
                    self.cx.bend(CoercionKind::NeedlessObject);
                    return self.with(inner).object(fields);
                }
                if let Some(key) = self.misplaced(members, fields) {
                    let what = format!("a closing bracket before `{key}` or behind it, not one too few");
                    return Err(self.refuse(what).with(Cure::None));
                }
                Ok(Step::Ready(Entries::new(self, members, fields)))
            }
            Kind::List(_) => {
                self.take()?;
                let Some(only) = self.node.only() else {
                    return Err(self.refuse("one value, not several"));
                };
                self.cx.bend(CoercionKind::NeedlessList);
                self.with(only).object(fields)
            }
            Kind::Call(_, inner) => {
                self.take()?;
                self.cx.bend(CoercionKind::Constructor);
                self.with(inner).object(fields)
            }
            Kind::Text(text) => match self.parsed(text)? {
                Some(node) => {
                    self.take()?;
                    Ok(Step::Again(node))
                }
                None => Err(missing()),
            },
            Kind::Bare(_) | Kind::Missing => Err(missing()),
        }
    }

    /// The object that is asked for, when this one is a needless wrapper around it. Of a type whose fields are not
    /// known, that is tried only when nothing else helped.
    fn wrapped(&self, members: &'n [Member<'n>], fields: Option<&[&str]>) -> Option<&'n Node<'n>> {
        let object = |node: &Node<'_>| {
            matches!(node.kind, Kind::Object(_) | Kind::Call(..))
                || matches!(&node.kind, Kind::Text(text) if members.len() == 1 && is_structure(text))
        };
        match fields {
            Some([]) => None,
            Some(fields) => {
                // The usual case, at no cost: the first key is a field.
                let known = |member: &Member<'_>| fields.iter().any(|field| same(field, &member.key));
                if members.iter().any(known) {
                    return None;
                }
                let holds = |node: &Node<'_>| {
                    object(node) || members.len() == 1 && matches!(node.kind, Kind::List(_))
                };
                let mut inner = members.iter().filter(|member| holds(&member.value));
                inner.next().filter(|_| inner.next().is_none()).map(|member| &member.value)
            }
            None => {
                let [Member { value, .. }] = members else { return None };
                let inner = object(value).then_some(value)?;
                self.cx.doubtful.set(true);
                self.cx.plan.otherwise.then_some(inner)
            }
        }
    }

    /// The field that stands in the last member of an object that lacks its closing bracket: that may be missing before
    /// it as well as at the end.
    fn misplaced(&self, members: &'n [Member<'n>], fields: Option<&[&str]>) -> Option<&'n str> {
        let cut = self.node.notes.has(CoercionKind::CutOff) && self.node.source.ends_with('}');
        let Kind::Object(inner) = &members.last().filter(|_| cut)?.value.kind else { return None };
        let missing = |key: &str| {
            fields.is_some_and(|fields| fields.contains(&key))
                && !members.iter().any(|member| member.key == key)
        };
        inner.iter().map(|member| member.key.as_ref()).find(|key| missing(key))
    }

    fn free_object(
        self,
        text: &'n str,
        fields: Option<&'static [&'static str]>,
    ) -> Asked<'n, Entries<'n, 'c>> {
        let (text, base) = self.answer(text)?;
        let core = text.trim();
        let base_of_core = base + (core.as_ptr() as usize - text.as_ptr() as usize);
        let lot = self.lot(text, base)?;
        let want = fields.map_or(Want::Object, Want::Fields);
        let ways = object_ways(text, lot.all(), want);
        self.count_rivals(lot.all(), &ways, want);
        match self.pick(&ways) {
            Some(Way::Found(at)) => self.chosen(lot, at, |de| de.object(fields)),
            Some(Way::Inside) => self.inside(text, base, true),
            Some(_) => self.pairs(core, base_of_core, fields).map(Step::Again),
            None => Err(self.refuse(object_with(fields.unwrap_or_default()))),
        }
    }

    /// The object that a text has as `key: value` lines, as elements or as a table of one row.
    fn pairs(
        &self,
        core: &'n str,
        base: usize,
        fields: Option<&'static [&'static str]>,
    ) -> Result<Node<'n>, Fail> {
        let name = |key: &str| match fields {
            // A colon in a sentence makes no key.
            None if key.contains([',', '.', '!', '?', ';']) || key.split_whitespace().count() > 4 => None,
            None => Some(Cow::Owned(key.to_owned())),
            Some(fields) => match fields.iter().find(|f| **f == key) {
                Some(name) => Some(Cow::Borrowed(*name)),
                None => loosely(key, fields).map(Cow::Borrowed),
            },
        };
        let known = |key: &str| name(key).is_some();
        let inner = find::only_fence(core);
        let base = base + (inner.as_ptr() as usize - core.as_ptr() as usize);
        let (rows, kind) = prose::rows(inner, &known, fields.is_some());
        let named = |(key, value, offset): (Cow<'n, str>, Cow<'n, str>, usize)| {
            let key: Cow<'n, str> = name(&key)?;
            Some(Member { at: base + offset, key, value: Node::free(base + offset, value) })
        };
        let members: Vec<Member<'n>> = match kind {
            CoercionKind::Table if fields.is_none() => {
                let member = |(key, value, offset): prose::Row<'n>| Member {
                    at: base + offset,
                    key,
                    value: Node::free(base + offset, value),
                };
                rows.into_iter().map(member).collect()
            }
            _ => rows.into_iter().filter_map(named).collect(),
        };
        if members.is_empty() {
            return Err(self.refuse(object_with(fields.unwrap_or_default())));
        }
        let mut node = Node::new(base, core, Kind::Object(members));
        node.notes.add(kind);
        Ok(node)
    }

    // Variants.

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

    // Values of any kind.

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

/// The ways to read a text as a list, the likeliest first.
fn list_ways(text: &str, found: &[Found<'_>]) -> Vec<Way> {
    let core = text.trim();
    let lists = |at: &usize| Want::List.fit(&found[*at].node) > 0;
    let begun = core.starts_with(['{', '[', '(']);
    let whole = found.first().filter(|first| !first.around && first.node.complete());
    let ranked = ranked(found, Want::List);
    if whole.is_some_and(|first| Want::List.fit(&first.node) > 0) {
        return ranked.into_iter().map(Way::Found).collect();
    }
    if find::unopened(text, ']').is_some() {
        return vec![Way::Inside];
    }
    // Items that are no structures stand beside them.
    let open_ended = |found: &Found<'_>| {
        let (before, behind) = (text[..found.range.start].trim_end(), text[found.range.end..].trim_start());
        before.ends_with(',') || behind.starts_with([',', ']'])
    };
    let ends = [found.first(), found.last()];
    let between =
        || found.windows(2).map(|pair| text.get(pair[0].range.end..pair[1].range.start).unwrap_or("\""));
    let outside =
        ends.iter().flatten().any(|found| open_ended(found)) || between().any(|gap| gap.contains('"'));
    if outside && found.len() > 1 && !begun
        || ends.iter().flatten().any(|f| f.around && !f.fenced && open_ended(f)) && found.len() == 1
    {
        return Vec::new();
    }
    let mut ways = Vec::new();
    if !begun
        && prose::marked(find::only_fence(core)).is_some_and(|(items, _)| found.is_empty() || items.len() > 1)
    {
        ways.push(Way::Marked);
        // What stands in the items is no list of them.
        let fenced = ranked.iter().filter(|at| found[**at].fenced);
        ways.extend(fenced.copied().map(Way::Found));
        return ways;
    }
    let (complete, cut): (Vec<usize>, Vec<usize>) =
        ranked.into_iter().partition(|at| found[*at].node.complete());
    ways.extend(complete.iter().filter(|at| lists(at)).copied().map(Way::Found));
    let objects = found.iter().filter(|found| matches!(found.node.kind, Kind::Object(_)));
    let all = complete.len() > 1 && found.iter().all(|found| found.node.complete());
    if begun && all && !complete.iter().any(|at| matches!(found[*at].node.kind, Kind::Object(_))) {
        ways.clear();
        ways.push(Way::Inside);
    }
    match objects.clone().count() {
        // All of them, or none.
        2.. if all && complete.iter().all(|at| !lists(at)) => ways.push(Way::Objects),
        2.. => {}
        _ => ways.extend(complete.iter().filter(|at| !lists(at)).copied().map(Way::Found)),
    }
    ways.extend(cut.into_iter().map(Way::Found));
    if found.is_empty() {
        if core.starts_with(['"', '“']) && core.contains(',') {
            ways.push(Way::Inside);
        }
        ways.push(Way::Prose);
    } else if !begun && found.iter().all(|found| matches!(found.node.kind, Kind::Text(_))) {
        ways.push(Way::Prose);
    }
    ways
}

/// The ways to read a text as an object, the likeliest first.
fn object_ways(text: &str, found: &[Found<'_>], want: Want<'_>) -> Vec<Way> {
    let fits = |at: &usize| want.fit(&found[*at].node) > 0;
    let core = text.trim();
    let ranked = ranked(found, want);
    let mut ways: Vec<Way> = ranked.iter().filter(|at| fits(at)).copied().map(Way::Found).collect();
    // Several in a row, of which one is asked for.
    if let [first, second, ..] = ranked[..] {
        let (early, late) = if first < second { (first, second) } else { (second, first) };
        let between = text.get(found[early].range.end..found[late].range.start).unwrap_or("-");
        let alike = want.fit(&found[first].node) == want.fit(&found[second].node);
        let same = found[first].node.source == found[second].node.source;
        if alike
            && !same
            && fits(&first)
            && between.chars().all(|c| c.is_whitespace() || matches!(c, ',' | ';'))
        {
            return Vec::new();
        }
    }
    if ways.is_empty() {
        if find::unopened(text, '}').is_some() {
            ways.push(Way::Inside);
        } else if !core.starts_with(['{', '[']) {
            ways.push(Way::Pairs);
        }
    }
    ways.extend(ranked.into_iter().filter(|at| !fits(at)).map(Way::Found));
    ways
}
