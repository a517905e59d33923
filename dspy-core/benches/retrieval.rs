//! Recall, latency and memory of the vector index, and latency of the search by words.
//!
//! ```text
//! cargo bench -p dspy-core --no-default-features --bench retrieval -- [vectors] [dimension]
//! ```
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

/// Points around centres, with a hundred points to a centre.
struct Clusters {
    centres: Vec<Vec<f32>>,
    rng: Rng,
}

impl Clusters {
    fn new(centres: usize, dimension: usize) -> Self {
        let mut rng = Rng::new(7);
        let centres = (0..centres).map(|_| (0..dimension).map(|_| normal(&mut rng)).collect()).collect();
        Self { centres, rng }
    }

    /// As far from its centre as the centres are from each other, or nearer.
    fn point(&mut self) -> Vec<f32> {
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
    vectors(n, dimension);
    words(n.min(200_000));
}

fn vectors(n: usize, dimension: usize) {
    let mut clusters = Clusters::new((n / 100).max(1), dimension);
    let vectors: Vec<Vec<f32>> = (0..n).map(|_| clusters.point()).collect();
    let queries: Vec<Vec<f32>> = (0..QUERIES).map(|_| clusters.point()).collect();
    let index = VectorIndex::new(&vectors).unwrap();
    drop(vectors);

    let (truth, took) = timed(|| all(&index, &queries));
    println!("exact: {:.2} ms a query; the process holds {} MB", per_query(took), resident());

    let more = GraphOptions::default().links(32).build_effort(256);
    let all_options = [GraphOptions::default(), more];
    // The larger graph of many vectors takes longer than one cares to wait.
    for options in all_options.into_iter().take(if n > 200_000 { 1 } else { 2 }) {
        let copy = rebuilt(&index);
        let before = resident();
        let began = Instant::now();
        let mut graph = copy.with_graph(options);
        let (took, more) = (began.elapsed().as_secs_f64(), resident().saturating_sub(before));
        println!("{options:?}: built in {took:.1} s, {more} MB beside the vectors");
        for effort in [16, 32, 64, 128, 256, 512] {
            graph = graph.with_effort(effort);
            let (found, took) = timed(|| all(&graph, &queries));
            let hits: usize =
                truth.iter().zip(&found).map(|(t, f)| t.iter().filter(|p| f.contains(p)).count()).sum();
            let recall = hits as f64 / (QUERIES * K) as f64;
            println!("  effort {effort:3}: {:.3} ms a query, recall {recall:.4}", per_query(took));
        }
    }
}

/// The same vectors without a graph.
fn rebuilt(index: &VectorIndex) -> VectorIndex {
    VectorIndex::new((0..index.len()).filter_map(|place| index.vector(place))).unwrap()
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

fn all(index: &VectorIndex, queries: &[Vec<f32>]) -> Vec<Vec<usize>> {
    let places = |query: &Vec<f32>| index.nearest(query, K).unwrap().iter().map(|n| n.place).collect();
    queries.iter().map(places).collect()
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
