//! How the graph is built: by many threads, and the same whatever their number.
//!
//! Vectors are inserted in batches. The neighbours of a batch are searched in the graph as it was before the batch, which
//! any number of threads can do at once; then the graph is changed. A batch is a small share of what is there already, so
//! that little is lost by its vectors not seeing each other.

use std::{ops::Range, thread};

use dspy_random::Rng;

use super::{
    graph::Graph,
    options::GraphOptions,
    table::{Table, dot, threads},
    top::Scored,
};

/// A batch has at most this share of the vectors before it.
const SHARE: usize = 32;
/// How many vectors a batch has at most.
const BATCH: usize = 8192;
/// This share of a full list is cleared, so that it is not chosen anew for every vector that comes.
const SPARE: usize = 8;
/// How many vectors one thread inserts at least.
const PER_THREAD: usize = 8;
/// How much products of equal directions may differ.
const ROUNDING: f32 = 1e-6;
/// The highest level there can be.
const TOP_LEVEL: f64 = 24.0;

/// The graph of the vectors of a table.
pub(super) fn build(table: &Table, options: &GraphOptions) -> Graph {
    let links = options.width(1);
    let effort = options.build_effort.max(links);
    let rows = table.len();
    let mut rng = Rng::new(options.seed).fork("levels of the graph");
    let scale = 1.0 / (links as f64).ln();
    let level = |rng: &mut Rng| (-(1.0 - rng.unit()).ln() * scale).min(TOP_LEVEL) as u8;
    let mut graph = Graph::unconnected(table, links, (0..rows).map(|_| level(&mut rng)).collect());
    let mut done = 1;
    while done < rows {
        let batch = done..(done + (done / SHARE).clamp(1, BATCH)).min(rows);
        insert(&mut graph, table, batch.clone(), effort);
        done = batch.end;
    }
    graph
}

fn insert(graph: &mut Graph, table: &Table, batch: Range<usize>, effort: usize) {
    let nodes: Vec<u32> = batch.map(|i| i as u32).filter(|i| !graph.copies.contains(*i)).collect();
    // The neighbours of each, on each of its levels from the ground.
    let chosen = parallel(&nodes, |node| choose(graph, table, *node, effort));
    let mut back: Vec<(usize, u32, Scored)> = Vec::new();
    for (node, levels) in nodes.iter().zip(&chosen) {
        for (level, list) in levels.iter().enumerate() {
            graph.set_neighbours(*node, level, list);
            back.extend(list.iter().map(|to| (level, to.place, Scored { place: *node, ..*to })));
        }
    }
    // The way back, one list at a time.
    back.sort_unstable_by_key(|(level, to, from)| (*level, *to, from.place));
    let groups: Vec<&[(usize, u32, Scored)]> = back.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).collect();
    let lists = parallel(&groups, |group| {
        let Some((level, to, _)) = group.first() else { return Vec::new() };
        let own = table.row(*to);
        table.fetch(graph.neighbours(*to, *level));
        let old = graph.neighbours(*to, *level);
        let old = old.map(|place| Scored { score: dot(own, table.row(place)), place });
        let mut all: Vec<Scored> = old.chain(group.iter().map(|(_, _, from)| *from)).collect();
        let width = graph.width(*level);
        if all.len() > width {
            all.sort_unstable_by(|a, b| b.cmp(a));
            all = spread(table, all, width - width / SPARE);
        }
        all
    });
    for (group, list) in groups.iter().zip(&lists) {
        if let Some((level, to, _)) = group.first() {
            graph.set_neighbours(*to, *level, list);
        }
    }
    for node in nodes {
        if graph.level(node) > graph.level(graph.entry) {
            graph.entry = node;
        }
    }
}

/// The neighbours of a new vector, on each of its levels from the ground.
fn choose(graph: &Graph, table: &Table, node: u32, effort: usize) -> Vec<Vec<Scored>> {
    let (own, entry) = (table.row(node), graph.level(graph.entry));
    let highest = graph.level(node).min(entry);
    let mut levels = vec![Vec::new(); graph.level(node) + 1];
    let mut from = graph.descend(table, own, highest, highest, effort);
    for level in (0..=highest).rev() {
        if level < highest {
            from = graph.search_level(table, own, &from, level, effort);
        }
        if let Some(list) = levels.get_mut(level) {
            *list = spread(table, from.clone(), graph.links);
        }
    }
    levels
}

/// Of candidates, the best first, at most `n` that lie in different directions (the paper's algorithm 4): one that is
/// nearer to a chosen one than to the vector itself is reached by way of that one. What is then free goes to the best of
/// the others.
///
/// All but equal vectors come last, too: many of one would else be connected with each other alone.
fn spread(table: &Table, candidates: Vec<Scored>, n: usize) -> Vec<Scored> {
    let mut chosen: Vec<Scored> = Vec::with_capacity(n);
    let mut others = Vec::new();
    for candidate in candidates {
        if chosen.len() >= n {
            break;
        }
        let own = table.row(candidate.place);
        let apart = chosen.iter().all(|c| {
            let score = dot(own, table.row(c.place));
            score <= candidate.score + ROUNDING && score < 1.0 - ROUNDING
        });
        if apart { chosen.push(candidate) } else { others.push(candidate) }
    }
    let free = n.saturating_sub(chosen.len());
    chosen.extend(others.into_iter().take(free));
    chosen
}

/// What a function makes of each item, in the order of the items, by as many threads as are worth it.
fn parallel<T: Sync, R: Send>(items: &[T], function: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = threads().min(items.len() / PER_THREAD).max(1);
    if threads == 1 {
        return items.iter().map(function).collect();
    }
    let function = &function;
    thread::scope(|scope| {
        let parts: Vec<_> = items
            .chunks(items.len().div_ceil(threads))
            .map(|part| (part, scope.spawn(move || part.iter().map(function).collect::<Vec<R>>())))
            .collect();
        let done = parts.into_iter().flat_map(|(part, thread)| {
            // A thread that could not do its work leaves it to this one.
            thread.join().unwrap_or_else(|_| part.iter().map(function).collect())
        });
        done.collect()
    })
}
