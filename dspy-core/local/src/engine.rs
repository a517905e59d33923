//! Answers many requests at once: one thread computes, and every step of it moves all sequences on.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc},
};

use candle_core::Tensor;
use dspy_random::Rng;
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    decoder::{Decoder, Math},
    error::Error,
    paged::{BLOCK, Pool, Sequence, Step},
    sample::{Sampling, TokenLogprob, logprob},
    vocabulary::{Decoding, Vocabulary},
};

/// The most tokens of prompts that one step takes on, so that sequences which are being answered need not wait long.
const CHUNK: usize = 512;

/// How many tokens of an answer are reckoned with.
const EXPECTED: usize = 512;

/// What an engine may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The most sequences at a time.
    pub(crate) sequences: usize,
    /// Bytes for keys and values that no sequence needs any more, in the hope that a further one begins alike.
    pub(crate) cache: usize,
    /// Bytes for keys and values of sequences that are being answered. One sequence is always let in.
    pub(crate) active: usize,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finish {
    /// It is complete, or a stop text was reached.
    #[default]
    Stop,
    /// It is as long as it may be.
    Length,
}

/// One answer that is asked for.
pub(crate) struct Job {
    /// Its index among the answers to the same request.
    pub(crate) index: usize,
    pub(crate) prompt: Arc<[u32]>,
    pub(crate) sampling: Sampling,
    /// Texts at which it ends.
    pub(crate) stop: Arc<[String]>,
    /// Whether the probability of each token is given, and of how many others.
    pub(crate) logprobs: Option<usize>,
    /// The most tokens of the answer.
    pub(crate) room: usize,
    pub(crate) rng: Rng,
    /// Where the answer goes. When nobody listens any more, the work ends.
    pub(crate) to: UnboundedSender<Event>,
}

/// What becomes of a job.
#[derive(Debug)]
pub(crate) enum Event {
    /// A further piece of the answer.
    Text { index: usize, text: String },
    /// The end of the answer.
    Done(Finished),
    /// The computation failed.
    Failed(Error),
}

#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) index: usize,
    pub(crate) finish: Finish,
    /// Tokens that were drawn.
    pub(crate) drawn: usize,
    /// Tokens of the prompt whose keys and values were known.
    pub(crate) reused: usize,
    pub(crate) logprobs: Vec<TokenLogprob>,
}

/// The thread of one model. It ends when nobody can send jobs any more.
pub(crate) struct Engine {
    decoder: Arc<Decoder>,
    vocabulary: Arc<Vocabulary>,
    ends: Vec<u32>,
    limits: Limits,
    pool: Pool,
    waiting: VecDeque<Job>,
    active: Vec<Active>,
}

/// A sequence that is being answered.
struct Active {
    job: Job,
    sequence: Sequence,
    reused: usize,
    /// The token to take on next, when the prompt has been.
    next: Option<u32>,
    drawn: usize,
    writer: Writer,
    logprobs: Vec<TokenLogprob>,
}

impl Engine {
    pub(crate) fn new(
        decoder: Arc<Decoder>,
        vocabulary: Arc<Vocabulary>,
        ends: Vec<u32>,
        limits: Limits,
    ) -> Self {
        let pool = Pool::new(&decoder.config, limits.cache);
        Self { decoder, vocabulary, ends, limits, pool, waiting: VecDeque::new(), active: Vec::new() }
    }

    /// Works until no further job can come.
    pub(crate) fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        loop {
            if self.active.is_empty() && self.waiting.is_empty() {
                match jobs.recv() {
                    Ok(job) => self.waiting.push_back(job),
                    Err(_) => return,
                }
            }
            self.waiting.extend(jobs.try_iter());
            self.waiting.retain(|job| !job.to.is_closed());
            self.active.retain(|active| !active.job.to.is_closed());
            self.admit();
            if let Err(error) = self.step() {
                // All sequences of the step are lost, as none of them can be told to be right.
                let error = Error::from(error);
                for active in self.active.drain(..) {
                    _ = active.job.to.send(Event::Failed(error.clone()));
                }
            }
        }
    }

    /// Lets waiting jobs in, in their order, but for those whose prompt begins as one does that is being read: they
    /// wait, and then need not read it again.
    fn admit(&mut self) {
        let mut later = VecDeque::new();
        while let Some(job) = self.waiting.pop_front() {
            if self.active.len() >= self.limits.sequences || !self.fits(&job) {
                later.push_back(job);
                break;
            }
            let sequence = self.pool.begin(&job.prompt);
            let known = sequence.len();
            let worth_waiting = |other: &Active| {
                other.next.is_none() && alike(&other.job.prompt, &job.prompt) >= known + BLOCK
            };
            if self.active.iter().any(worth_waiting) {
                later.push_back(job);
                continue;
            }
            self.active.push(Active {
                reused: known,
                sequence,
                next: None,
                drawn: 0,
                writer: Writer::new(job.stop.clone()),
                logprobs: Vec::new(),
                job,
            });
        }
        later.append(&mut self.waiting);
        self.waiting = later;
    }

    /// Whether there is room for the keys and values of another sequence. Few answers are as long as they may be, so
    /// the next [`EXPECTED`] tokens of each count, and not all.
    fn fits(&self, job: &Job) -> bool {
        let config = &self.decoder.config;
        let token = config.layers * config.kv_heads * config.head_dim * 2 * size_of::<f32>();
        let ahead = |room: usize| room.min(EXPECTED);
        let used = self.active.iter().map(|active| {
            active.sequence.len().max(active.job.prompt.len()) + ahead(active.job.room - active.drawn)
        });
        let needed = used.sum::<usize>() + job.prompt.len() + ahead(job.room);
        self.active.is_empty() || needed * token <= self.limits.active
    }

    /// Takes on some tokens of every sequence, and draws the next one of those whose prompt is through.
    fn step(&mut self) -> candle_core::Result<()> {
        let mut budget = CHUNK;
        let mut taken = Vec::with_capacity(self.active.len());
        for (i, active) in self.active.iter_mut().enumerate() {
            let new: &[u32] = match &active.next {
                Some(token) => std::slice::from_ref(token),
                None => {
                    let rest = &active.job.prompt[active.sequence.len()..];
                    let chunk = rest.len().min(budget);
                    budget -= chunk;
                    &rest[..chunk]
                }
            };
            if !new.is_empty() {
                let count = new.len();
                active.sequence.extend(new, &self.decoder.config);
                taken.push((i, count));
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        let logits = self.compute(&taken)?;
        let mut drawing = 0;
        for (i, _) in taken {
            let active = &mut self.active[i];
            self.pool.share(&mut active.sequence);
            if active.sequence.len() >= active.job.prompt.len() {
                active.draw(&logits[drawing], &self.vocabulary, &self.ends);
                drawing += 1;
            }
        }
        self.active.retain(|active| !active.writer.ended);
        Ok(())
    }

    /// The logits behind the last token of each sequence whose prompt is through.
    fn compute(&mut self, taken: &[(usize, usize)]) -> candle_core::Result<Vec<Vec<f32>>> {
        let mut sequences = Vec::with_capacity(taken.len());
        let (mut last, mut rows) = (Vec::new(), 0);
        let mut takes = taken.iter().peekable();
        for (i, active) in self.active.iter_mut().enumerate() {
            if let Some((_, count)) = takes.next_if(|(at, _)| *at == i) {
                rows += count;
                if active.sequence.len() >= active.job.prompt.len() {
                    last.push(rows as u32 - 1);
                }
                sequences.push((&mut active.sequence, *count));
            }
        }
        let mut step = Step::new(&self.decoder, sequences);
        let hidden = self.decoder.hidden(&step.tokens(), &mut step, Math::Fast)?;
        if last.is_empty() {
            return Ok(Vec::new());
        }
        let hidden = match last.len() == rows {
            true => hidden,
            false => hidden.index_select(&Tensor::new(last, hidden.device())?, 0)?,
        };
        self.decoder.logits(&hidden, Math::Fast)?.to_vec2()
    }
}

/// How many tokens two prompts have in common at their beginning.
fn alike(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl Active {
    fn draw(&mut self, logits: &[f32], vocabulary: &Vocabulary, ends: &[u32]) {
        let token = self.job.sampling.draw(logits, &mut self.job.rng);
        self.drawn += 1;
        let finish = if ends.contains(&token) {
            self.writer.flush(vocabulary);
            Some(Finish::Stop)
        } else {
            if let Some(top) = self.job.logprobs {
                self.logprobs.push(logprob(logits, token, top, |token| vocabulary.shown(token)));
            }
            self.next = Some(token);
            if self.writer.push(vocabulary, token) {
                Some(Finish::Stop)
            } else if self.drawn >= self.job.room {
                self.writer.flush(vocabulary);
                Some(Finish::Length)
            } else {
                None
            }
        };
        let index = self.job.index;
        let text = std::mem::take(&mut self.writer.ready);
        if !text.is_empty() {
            _ = self.job.to.send(Event::Text { index, text });
        }
        if let Some(finish) = finish {
            self.writer.ended = true;
            let logprobs = std::mem::take(&mut self.logprobs);
            let done = Finished { index, finish, drawn: self.drawn, reused: self.reused, logprobs };
            _ = self.job.to.send(Event::Done(done));
        }
    }
}

/// The text of an answer, up to where it stops.
struct Writer {
    stop: Arc<[String]>,
    decoding: Decoding,
    /// Text that may be the beginning of a stop.
    held: String,
    /// Text that is certain.
    ready: String,
    ended: bool,
}

impl Writer {
    fn new(stop: Arc<[String]>) -> Self {
        Self { stop, decoding: Decoding::default(), held: String::new(), ready: String::new(), ended: false }
    }

    /// Takes a token on. Whether the answer stops here.
    fn push(&mut self, vocabulary: &Vocabulary, token: u32) -> bool {
        // A token that cannot be written is left out, as the tokenizer does with those it does not know.
        let text = self.decoding.push(vocabulary, token).unwrap_or_default();
        self.add(&text)
    }

    fn add(&mut self, text: &str) -> bool {
        self.held.push_str(text);
        if let Some(at) = self.stop.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            self.ready.push_str(&std::mem::take(&mut self.held));
            return true;
        }
        let certain =
            self.held.len() - self.stop.iter().map(|stop| begun(&self.held, stop)).max().unwrap_or(0);
        self.ready.extend(self.held.drain(..certain));
        false
    }

    /// No token follows.
    fn flush(&mut self, vocabulary: &Vocabulary) {
        let rest = self.decoding.rest(vocabulary).unwrap_or_default();
        if !self.add(&rest) {
            self.ready.push_str(&std::mem::take(&mut self.held));
        }
    }
}

/// How many bytes at the end of a text are the beginning of a stop.
fn begun(text: &str, stop: &str) -> usize {
    let longest = stop.len().saturating_sub(1).min(text.len());
    let fits = |n: &usize| text.is_char_boundary(text.len() - n) && stop.starts_with(&text[text.len() - n..]);
    (1..=longest).rev().find(fits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_found_across_pieces() {
        let mut writer = Writer::new(["</end>".to_owned(), "END".to_owned()].into());
        assert!(!writer.add("some text </e"));
        assert_eq!(writer.ready, "some text ");
        assert!(!writer.add("m> and E"));
        assert_eq!(writer.ready, "some text </em> and ");
        assert!(writer.add("ND of it"));
        assert_eq!(writer.ready, "some text </em> and ");
    }

    #[test]
    fn the_beginning_of_a_stop_is_measured() {
        assert_eq!(begun("abc<", "</end>"), 1);
        assert_eq!(begun("abc", "</end>"), 0);
        assert_eq!(begun("ää", "ä!"), 2);
        assert_eq!(begun("aa", "aab"), 2);
    }
}
