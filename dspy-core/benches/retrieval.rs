//! Recall, latency and memory of the vector index, and latency of the search by words.
//!
//! ```text
//! cargo bench -p dspy-core --no-default-features --bench retrieval -- [vectors] [dimension] [effort in building]
//! ```
//!
//! Vectors in clusters, as embeddings are, and, of up to 200,000, vectors without any order, which are the hard case. Where
//! the system tells it, times are of processors, so that other work on the machine disturbs them less.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use dspy_core::{
    data::Rng,
    retrieve::{Bm25, GraphOptions, VectorIndex},
};

const QUERIES: usize = 500;
const K: usize = 10;

/// Points around centres, with a hundred points to a centre, or around none.
struct Source {
    centres: Vec<Vec<f32>>,
    dimension: usize,
    rng: Rng,
}

impl Source {
    fn new(centres: usize, dimension: usize) -> Self {
        let mut rng = Rng::new(7);
        let centres = (0..centres).map(|_| (0..dimension).map(|_| normal(&mut rng)).collect()).collect();
        Self { centres, dimension, rng }
    }

    /// As far from its centre as the centres are from each other, or nearer.
    fn point(&mut self) -> Vec<f32> {
        if self.centres.is_empty() {
            return (0..self.dimension).map(|_| normal(&mut self.rng)).collect();
        }
        let centre = self.rng.below(self.centres.len());
        let spread = 0.4 + 0.6 * self.rng.unit() as f32;
        self.centres[centre].iter().map(|x| x + spread * normal(&mut self.rng)).collect()
    }
}

/// About normally distributed.
fn normal(rng: &mut Rng) -> f32 {
    (rng.unit() + rng.unit() + rng.unit() + rng.unit() - 2.0) as f32 * 1.732
}

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let (n, dimension) = (*numbers.first().unwrap_or(&100_000), *numbers.get(1).unwrap_or(&384));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{n} vectors of {dimension} numbers, {QUERIES} queries, {K} nearest, {threads} processors");
    let options =
        numbers.get(2).map_or(GraphOptions::default(), |n| GraphOptions::default().build_effort(*n));
    println!("in clusters");
    vectors(n, Source::new((n / 100).max(1), dimension), options);
    if n <= 200_000 {
        println!("without order");
        vectors(n, Source::new(0, dimension), options);
    }
    words(n.min(200_000));
}

fn vectors(n: usize, mut source: Source, options: GraphOptions) {
    let index = VectorIndex::new((0..n).map(|_| source.point())).unwrap();
    let queries: Vec<Vec<f32>> = (0..QUERIES).map(|_| source.point()).collect();

    let (truth, took) = timed(|| all(&index, &queries).0);
    let each = took.as_secs_f64() * 1000.0 / QUERIES as f64;
    println!("  exact: {each:.2} ms a query; the process holds {} MB", resident());

    let (before, process, began) = (resident(), processor(Whose::Process), Instant::now());
    let mut graph = index.with_graph(options);
    let (took, more) = (began.elapsed().as_secs_f64(), resident().saturating_sub(before));
    println!("  {options:?}: built in {took:.1} s, {more} MB beside the vectors");
    if let (Some(now), Some(then)) = (processor(Whose::Process), process) {
        println!("  processors worked for {:.1} s", (now - then).as_secs_f64());
    }
    for effort in [16, 32, 64, 128, 256, 512] {
        graph = graph.with_effort(effort);
        let (found, mut times) = all(&graph, &queries);
        times.sort_unstable();
        let hits: usize =
            truth.iter().zip(&found).map(|(t, f)| t.iter().filter(|p| f.contains(p)).count()).sum();
        let recall = hits as f64 / (QUERIES * K) as f64;
        let at = |share: usize| times[QUERIES * share / 100].as_secs_f64() * 1e6;
        let (half, most) = (at(50), at(99));
        println!("  effort {effort:3}: recall {recall:.4}, p50 {half:.0} µs, p99 {most:.0} µs");
    }
}

fn words(n: usize) {
    let mut rng = Rng::new(11);
    // A vocabulary in which few words are frequent (Zipf).
    let vocabulary = 50_000.0_f64;
    let mut word = || format!("w{}", vocabulary.powf(rng.unit()) as u32);
    let passages: Vec<String> =
        (0..n).map(|_| (0..60).map(|_| word()).collect::<Vec<_>>().join(" ")).collect();
    let queries: Vec<String> =
        (0..QUERIES).map(|_| (0..8).map(|_| word()).collect::<Vec<_>>().join(" ")).collect();
    let (index, took) = timed(|| Bm25::new(passages));
    println!("BM25, {n} passages of 60 words: built in {:.1} s", took.as_secs_f64());
    let (_, took) = timed(|| queries.iter().for_each(|q| drop(black_box(index.find(q, K)))));
    println!("  {:.3} ms a query of 8 words", per_query(took));
}

/// What each query finds, and how long it takes.
fn all(index: &VectorIndex, queries: &[Vec<f32>]) -> (Vec<Vec<usize>>, Vec<Duration>) {
    let one = |query: &Vec<f32>| {
        let (thread, began) = (processor(Whose::Thread), Instant::now());
        let found = index.nearest(query, K).unwrap();
        let took = began.elapsed();
        (
            found.iter().map(|n| n.place).collect(),
            processor(Whose::Thread).map_or(took, |now| now - thread.unwrap()),
        )
    };
    queries.iter().map(one).unzip()
}

#[derive(Clone, Copy)]
enum Whose {
    Thread,
    Process,
}

/// How long this thread or process has had a processor, where the system tells it.
#[cfg(unix)]
fn processor(whose: Whose) -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let clock = match whose {
        Whose::Thread => ClockId::ThreadCPUTime,
        Whose::Process => ClockId::ProcessCPUTime,
    };
    Duration::try_from(clock_gettime(clock)).ok()
}

#[cfg(not(unix))]
fn processor(_: Whose) -> Option<Duration> {
    None
}

/// What the process holds in memory, in MB; 0 where that is not known.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let result = work();
    (result, began.elapsed())
}

fn per_query(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0 / QUERIES as f64
}
