//! What types ask of lists and objects, and of the text in which they stand.

use std::borrow::Cow;

use super::{
    access::{Entries, Items, object_with},
    ask::{Asked, Step, is_structure},
    coercion::CoercionKind,
    fail::{Cure, Fail},
    find::{self, Found},
    place::De,
    prose,
    scalar::{is_nothing, loosely, same},
    tree::{self, Kind, Member, Node},
    ways::{Want, Way, list_ways, object_ways, ranked},
};

/// The structures of a text.
pub(super) enum Lot<'n> {
    Kept(&'n [Found<'n>]),
    Made(Vec<Found<'n>>),
}

impl<'n> Lot<'n> {
    pub(super) fn all(&self) -> &[Found<'n>] {
        match self {
            Self::Kept(found) => found,
            Self::Made(found) => found,
        }
    }
}

impl<'n, 'c: 'n> De<'n, 'c> {
    /// The structures of free text, those of the whole answer from attempt to attempt the same.
    pub(super) fn lot(&self, text: &'n str, base: usize) -> Result<Lot<'n>, Fail> {
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
    pub(super) fn pick(&self, ways: &[Way]) -> Option<Way> {
        if !self.root {
            return ways.first().copied();
        }
        self.cx.candidates.set(ways.len().max(1));
        ways.get(self.cx.chosen).copied()
    }

    /// Counts the structures that are as likely as the one that is tried, where all stand within sentences: which of them
    /// is meant, the sentences say.
    pub(super) fn count_rivals(&self, found: &[Found<'_>], ways: &[Way], want: Want<'_>) {
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
    pub(super) fn chosen<T>(
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
    pub(super) fn wrapped(&self, members: &'n [Member<'n>], fields: Option<&[&str]>) -> Option<&'n Node<'n>> {
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
    pub(super) fn pairs(
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
}
