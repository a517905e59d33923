//! Attention over sequences that grow, in the main memory: keys and values are kept in blocks, and sequences that begin
//! alike share theirs (Kwon et al. 2023, "Efficient Memory Management for Large Language Model Serving with
//! PagedAttention").

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use candle_core::{DType, Device, Result, Tensor};
use pulp::Arch;
use rayon::prelude::*;

use crate::{
    attention::Attend,
    config::Config,
    decoder::Decoder,
    kernels::{Rows, add_scaled, cpu, dot, softmax},
};

/// How many tokens a block holds.
pub(crate) const BLOCK: usize = 16;

/// The keys and values of some tokens that follow each other, for all layers.
struct Block {
    layers: Vec<Kv>,
}

/// Those of one layer, (key-value head, token, head width) each.
struct Kv {
    keys: Box<[f32]>,
    values: Box<[f32]>,
}

impl Block {
    fn new(config: &Config) -> Self {
        let numbers = || vec![0.0; config.kv_heads * BLOCK * config.head_dim].into();
        Self { layers: (0..config.layers).map(|_| Kv { keys: numbers(), values: numbers() }).collect() }
    }
}

/// A sequence of tokens with their keys and values.
#[derive(Default)]
pub(crate) struct Sequence {
    tokens: Vec<u32>,
    /// Full ones, which others may share.
    shared: Vec<Arc<Block>>,
    /// Those behind them.
    own: Vec<Block>,
    /// What stands before the first of `own`, as [`Pool`] calls it.
    chain: u64,
}

impl Sequence {
    /// How many tokens it has.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    fn block(&self, i: usize) -> &Block {
        match self.shared.get(i) {
            Some(block) => block,
            None => &self.own[i - self.shared.len()],
        }
    }

    /// Makes room for tokens whose keys and values come next.
    pub(crate) fn extend(&mut self, tokens: &[u32], config: &Config) {
        self.tokens.extend_from_slice(tokens);
        while (self.shared.len() + self.own.len()) * BLOCK < self.tokens.len() {
            self.own.push(Block::new(config));
        }
    }
}

/// Full blocks of earlier sequences, by what they hold and what stands before them.
pub(crate) struct Pool {
    blocks: HashMap<u64, Kept>,
    /// The most blocks that are kept when no sequence needs them any more.
    capacity: usize,
    /// Counts up with each use.
    clock: u64,
}

struct Kept {
    block: Arc<Block>,
    before: u64,
    tokens: [u32; BLOCK],
    used: u64,
}

fn link(before: u64, tokens: &[u32; BLOCK]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (before, tokens).hash(&mut hasher);
    hasher.finish()
}

impl Pool {
    /// A pool that keeps about this many bytes.
    pub(crate) fn new(config: &Config, bytes: usize) -> Self {
        let block = config.layers * config.kv_heads * BLOCK * config.head_dim * 2 * size_of::<f32>();
        Self { blocks: HashMap::new(), capacity: bytes / block.max(1), clock: 0 }
    }

    /// A sequence that begins as `prompt` does, as far as that is known, but for its last token, whose state is needed.
    pub(crate) fn begin(&mut self, prompt: &[u32]) -> Sequence {
        let mut sequence = Sequence::default();
        self.clock += 1;
        let (known, _) = prompt[..prompt.len().saturating_sub(1)].as_chunks::<BLOCK>();
        for tokens in known {
            let name = link(sequence.chain, tokens);
            let Some(kept) = self.blocks.get_mut(&name) else { break };
            if kept.before != sequence.chain || kept.tokens != *tokens {
                break;
            }
            kept.used = self.clock;
            sequence.shared.push(kept.block.clone());
            sequence.tokens.extend_from_slice(tokens);
            sequence.chain = name;
        }
        sequence
    }

    /// Keeps the blocks of a sequence that have become full since the last time.
    pub(crate) fn share(&mut self, sequence: &mut Sequence) {
        while !sequence.own.is_empty() && (sequence.shared.len() + 1) * BLOCK <= sequence.tokens.len() {
            let at = sequence.shared.len() * BLOCK;
            let Some(tokens) = sequence.tokens[at..].first_chunk::<BLOCK>() else { return };
            let block = Arc::new(sequence.own.remove(0));
            let before = sequence.chain;
            sequence.chain = link(before, tokens);
            self.clock += 1;
            // Another sequence may have made the same block at the same time.
            let kept = self.blocks.entry(sequence.chain).or_insert_with(|| Kept {
                block: block.clone(),
                before,
                tokens: *tokens,
                used: 0,
            });
            kept.used = self.clock;
            sequence.shared.push(block);
        }
        if self.blocks.len() > self.capacity + self.capacity / 8 + 8 {
            self.forget();
        }
    }

    /// Lets those go that were not used for longest.
    fn forget(&mut self) {
        let mut free: Vec<(u64, u64)> = self
            .blocks
            .iter()
            .filter(|(_, kept)| Arc::strong_count(&kept.block) == 1)
            .map(|(name, kept)| (kept.used, *name))
            .collect();
        free.sort_unstable();
        for (_, name) in free.iter().take(self.blocks.len().saturating_sub(self.capacity)) {
            self.blocks.remove(name);
        }
    }

    /// How many blocks are kept.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }
}

/// One computation over several sequences, each with some new tokens: its last ones.
pub(crate) struct Step<'a> {
    sequences: Vec<&'a mut Sequence>,
    /// For each row, its sequence and its position there.
    rows: Vec<(usize, usize)>,
    /// (cos, sin) of each row and pair of dimensions.
    turns: Vec<(f32, f32)>,
    config: &'a Config,
}

impl<'a> Step<'a> {
    /// The sequences, each with the number of its new tokens.
    pub(crate) fn new(decoder: &'a Decoder, sequences: Vec<(&'a mut Sequence, usize)>) -> Self {
        let mut rows = Vec::new();
        for (i, (sequence, new)) in sequences.iter().enumerate() {
            rows.extend((sequence.len() - new..sequence.len()).map(|position| (i, position)));
        }
        let turns = rows
            .iter()
            .flat_map(|(_, position)| decoder.frequencies.iter().map(move |f| *position as f32 * f))
            .map(|angle| (angle.cos(), angle.sin()))
            .collect();
        let sequences = sequences.into_iter().map(|(sequence, _)| sequence).collect();
        Self { sequences, rows, turns, config: &decoder.config }
    }

    /// The new tokens of all sequences, in the order of the rows.
    pub(crate) fn tokens(&self) -> Vec<u32> {
        self.rows.iter().map(|&(i, position)| self.sequences[i].tokens[position]).collect()
    }

    fn store(&mut self, layer: usize, keys: &Rows<'_>, values: &Rows<'_>) {
        let Config { head_dim, .. } = *self.config;
        let half = head_dim / 2;
        for (row, &(i, position)) in self.rows.iter().enumerate() {
            let turns = &self.turns[row * half..][..half];
            let sequence = &mut *self.sequences[i];
            let kv = &mut sequence.own[position / BLOCK - sequence.shared.len()].layers[layer];
            let heads = keys.row(row).chunks_exact(head_dim).zip(values.row(row).chunks_exact(head_dim));
            for (head, (key, value)) in heads.enumerate() {
                let at = (head * BLOCK + position % BLOCK) * head_dim;
                rotate(key, turns, &mut kv.keys[at..at + head_dim]);
                kv.values[at..at + head_dim].copy_from_slice(value);
            }
        }
    }

    /// The output of the query heads that read key-value head `kv_head`, for one row.
    #[inline(always)]
    fn attend_row(
        &self,
        layer: usize,
        row: usize,
        kv_head: usize,
        queries: &[f32],
        scratch: &mut Scratch,
        output: &mut [f32],
    ) {
        let Config { head_dim, .. } = *self.config;
        let (i, position) = self.rows[row];
        let sequence = &*self.sequences[i];
        let turns = &self.turns[row * head_dim / 2..][..head_dim / 2];
        let first = self.config.windows[layer].map_or(0, |window| (position + 1).saturating_sub(window));
        let scale = (head_dim as f32).powf(-0.5);
        for (query, output) in queries.chunks_exact(head_dim).zip(output.chunks_exact_mut(head_dim)) {
            scratch.query.resize(head_dim, 0.0);
            rotate(query, turns, &mut scratch.query);
            for number in &mut scratch.query {
                *number *= scale;
            }
            scratch.scores.clear();
            for block in first / BLOCK..=position / BLOCK {
                let keys = &sequence.block(block).layers[layer].keys[kv_head * BLOCK * head_dim..];
                let (from, to) = within(block, first, position);
                let keys = keys[from * head_dim..to * head_dim].chunks_exact(head_dim);
                scratch.scores.extend(keys.map(|key| dot(&scratch.query, key)));
            }
            softmax(&mut scratch.scores);
            output.fill(0.0);
            let mut weights = scratch.scores.as_slice();
            for block in first / BLOCK..=position / BLOCK {
                let values = &sequence.block(block).layers[layer].values[kv_head * BLOCK * head_dim..];
                let (from, to) = within(block, first, position);
                let values = values[from * head_dim..to * head_dim].chunks_exact(head_dim);
                let (here, rest) = weights.split_at(to - from);
                for (weight, value) in here.iter().zip(values) {
                    add_scaled(output, *weight, value);
                }
                weights = rest;
            }
        }
    }
}

/// The tokens of a block that lie between two positions, the last included.
#[inline(always)]
fn within(block: usize, first: usize, last: usize) -> (usize, usize) {
    (first.saturating_sub(block * BLOCK), (last + 1 - block * BLOCK).min(BLOCK))
}

/// Turns the two halves of a head by the angles of its position.
#[inline(always)]
fn rotate(x: &[f32], turns: &[(f32, f32)], turned: &mut [f32]) {
    let (a, b) = x.split_at(turns.len());
    let (turned_a, turned_b) = turned.split_at_mut(turns.len());
    for (i, (cos, sin)) in turns.iter().enumerate() {
        turned_a[i] = a[i] * cos - b[i] * sin;
        turned_b[i] = a[i] * sin + b[i] * cos;
    }
}

#[derive(Default)]
struct Scratch {
    query: Vec<f32>,
    scores: Vec<f32>,
}

/// Below this many products, other threads are not asked for help.
const WORTH_SHARING: usize = 1 << 16;

impl Attend for Step<'_> {
    fn attend(&mut self, layer: usize, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
        // Keys and values stay in the main memory, whatever computes the linear layers.
        let here = |x: &Tensor| x.to_device(&Device::Cpu)?.to_dtype(DType::F32);
        let output = match q.device() {
            Device::Cpu => self.output(layer, q, k, v)?,
            _ => self.output(layer, &here(q)?, &here(k)?, &here(v)?)?,
        };
        let Config { heads, head_dim, .. } = *self.config;
        Tensor::from_vec(output, (self.rows.len(), heads * head_dim), q.device())?.to_dtype(q.dtype())
    }
}

impl Step<'_> {
    fn output(&mut self, layer: usize, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Vec<f32>> {
        let Config { heads, kv_heads, head_dim, .. } = *self.config;
        let (k_storage, k_layout) = k.storage_and_layout();
        let (v_storage, v_layout) = v.storage_and_layout();
        self.store(layer, &Rows::new(cpu(&k_storage)?, k_layout)?, &Rows::new(cpu(&v_storage)?, v_layout)?);
        let (q_storage, q_layout) = q.storage_and_layout();
        let queries = Rows::new(cpu(&q_storage)?, q_layout)?;
        let arch = Arch::new();
        let group = heads / kv_heads * head_dim;
        let mut output = vec![0.0; self.rows.len() * heads * head_dim];
        let one = |scratch: &mut Scratch, (i, output): (usize, &mut [f32])| {
            let (row, kv_head) = (i / kv_heads, i % kv_heads);
            let queries = &queries.row(row)[kv_head * group..(kv_head + 1) * group];
            arch.dispatch(
                #[inline(always)]
                || self.attend_row(layer, row, kv_head, queries, scratch, output),
            );
        };
        let products: usize = self.rows.iter().map(|(_, position)| position * heads * head_dim).sum();
        if products < WORTH_SHARING {
            let mut scratch = Scratch::default();
            output.chunks_mut(group).enumerate().for_each(|part| one(&mut scratch, part));
        } else {
            output.par_chunks_mut(group).enumerate().for_each_init(Scratch::default, one);
        }
        Ok(output)
    }
}
