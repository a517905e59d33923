//! The ways in which a text may be read, the likeliest first.

use super::{
    ask::is_structure,
    find::{self, Found},
    prose,
    scalar::same,
    tree::{Kind, Member, Node},
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
    pub(super) fn fit(self, node: &Node<'_>) -> usize {
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
pub(super) fn ranked(found: &[Found<'_>], want: Want<'_>) -> Vec<usize> {
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
pub(super) enum Way {
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

/// The ways to read a text as a list, the likeliest first.
pub(super) fn list_ways(text: &str, found: &[Found<'_>]) -> Vec<Way> {
    let core = text.trim();
    let lists = |at: &usize| Want::List.fit(&found[*at].node) > 0;
    let begun = core.starts_with(['{', '[', '(']);
    let whole = found.first().filter(|first| !first.around && first.node.complete());
    let ranked = ranked(found, Want::List);
    if whole.is_some_and(|first| Want::List.fit(&first.node) > 0) {
        return ranked.into_iter().map(Way::Found).collect();
    }
    // The usual case.
    if ranked.first().is_some_and(|at| found[*at].fenced && found[*at].node.complete() && lists(at)) {
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
    // A list in a sentence is what that says of it.
    let ranked: Vec<usize> = ranked.into_iter().filter(|at| found[*at].apart || !lists(at)).collect();
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
pub(super) fn object_ways(text: &str, found: &[Found<'_>], want: Want<'_>) -> Vec<Way> {
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
