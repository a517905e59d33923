//! Search by words.

use std::{collections::HashMap, fmt, sync::Arc};

use super::{
    Passage, Retriever, observed,
    passage::numbered,
    vectors::{Scored, Top},
    words::words,
};
use crate::{Result, lm::BoxFuture};

/// Passages in memory, found by the words of the query: Okapi BM25 (Robertson and Zaragoza, "The Probabilistic Relevance
/// Framework: BM25 and Beyond", 2009).
///
/// A passage scores for each word that it shares with the query: the more, the rarer the word is among the passages, the
/// more often it stands in this one, and the shorter this one is. Passages that share no word are not found.
///
/// Words are compared without case and accents, in any script; [`tokenizer`](Bm25Builder::tokenizer) takes a function of
/// your own, such as one that reduces words to their stems. Cheap to clone.
///
/// ```
/// # use dspy_core::retrieve::{Bm25, Retriever};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let index = Bm25::new(["The Danube flows through Vienna.", "The Seine flows through Paris."]);
/// assert_eq!(index.texts("Which river flows through Paris?", 1).await?, ["The Seine flows through Paris."]);
/// # dspy_core::Result::<()>::Ok(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Bm25 {
    inner: Arc<Inner>,
}

type Tokenizer = dyn Fn(&str) -> Vec<String> + Send + Sync;

struct Inner {
    passages: Vec<Passage>,
    tokenizer: Box<Tokenizer>,
    /// The number of each word.
    terms: HashMap<Box<str>, u32>,
    /// Where the passages of each word begin, and the end.
    from: Vec<usize>,
    /// For each word, the passages that have it, with what it adds to their scores.
    postings: Vec<(u32, f32)>,
}

/// Sets up a [`Bm25`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct Bm25Builder {
    k1: f32,
    b: f32,
    tokenizer: Box<Tokenizer>,
}

impl Bm25 {
    /// An index of passages with the usual constants.
    pub fn new<P: Into<Passage>>(passages: impl IntoIterator<Item = P>) -> Self {
        Self::builder().build(passages)
    }

    /// Sets up an index.
    pub fn builder() -> Bm25Builder {
        Bm25Builder { k1: 1.2, b: 0.75, tokenizer: Box::new(words) }
    }

    /// The passages.
    pub fn passages(&self) -> &[Passage] {
        &self.inner.passages
    }

    /// The `k` best passages for a query, with their scores; of equal ones, the first of the index. It takes no more than
    /// computing, and waits for nothing.
    pub fn find(&self, query: &str, k: usize) -> Vec<Passage> {
        let inner = &*self.inner;
        let mut asked: Vec<u32> = (inner.tokenizer)(query)
            .iter()
            .filter_map(|word| inner.terms.get(word.as_str()).copied())
            .collect();
        // A word counts as often as it is asked for; in this order the sums are the same each time.
        asked.sort_unstable();
        let mut scores = vec![0.0_f32; inner.passages.len()];
        for term in asked {
            for (passage, part) in inner.postings_of(term as usize) {
                if let Some(score) = scores.get_mut(*passage as usize) {
                    *score += part;
                }
            }
        }
        let mut top = Top::new(k);
        for (place, score) in scores.into_iter().enumerate().filter(|(_, score)| *score > 0.0) {
            top.offer(Scored { score, place: place as u32 });
        }
        let found = top.into_sorted().into_iter();
        found.filter_map(|s| Some(inner.passages.get(s.place as usize)?.clone().score(s.score))).collect()
    }
}

impl Inner {
    fn postings_of(&self, term: usize) -> &[(u32, f32)] {
        match (self.from.get(term), self.from.get(term + 1)) {
            (Some(from), Some(to)) => self.postings.get(*from..*to).unwrap_or_default(),
            _ => &[],
        }
    }
}

impl Bm25Builder {
    /// Sets how much further occurrences of a word add (*k1*): 1.2 unless set. With 0 only the first counts.
    pub fn k1(mut self, k1: f32) -> Self {
        self.k1 = k1.max(0.0);
        self
    }

    /// Sets how much long passages are marked down (*b*), from 0 to 1: 0.75 unless set.
    pub fn b(mut self, b: f32) -> Self {
        self.b = b.clamp(0.0, 1.0);
        self
    }

    /// Sets what the words of a text are.
    pub fn tokenizer(mut self, words: impl Fn(&str) -> Vec<String> + Send + Sync + 'static) -> Self {
        self.tokenizer = Box::new(words);
        self
    }

    /// The index of passages.
    pub fn build<P: Into<Passage>>(self, passages: impl IntoIterator<Item = P>) -> Bm25 {
        let passages = numbered(passages);
        let mut terms: HashMap<Box<str>, u32> = HashMap::new();
        // Passage, word, how often; in the order of the passages.
        let mut counts: Vec<(u32, u32, u32)> = Vec::new();
        let mut lengths: Vec<u32> = Vec::with_capacity(passages.len());
        let mut own: Vec<u32> = Vec::new();
        for (place, passage) in passages.iter().enumerate() {
            own.clear();
            for word in (self.tokenizer)(&passage.text) {
                let next = terms.len() as u32;
                own.push(*terms.entry(word.into_boxed_str()).or_insert(next));
            }
            lengths.push(own.len() as u32);
            own.sort_unstable();
            counts.extend(
                own.chunk_by(|a, b| a == b).filter_map(|c| Some((place as u32, *c.first()?, c.len() as u32))),
            );
        }
        // Counting sort by word.
        let mut from = vec![0_usize; terms.len() + 1];
        for (_, term, _) in &counts {
            if let Some(n) = from.get_mut(*term as usize + 1) {
                *n += 1;
            }
        }
        let with: Vec<usize> = from.get(1..).unwrap_or_default().to_vec();
        let mut sum = 0;
        for n in &mut from {
            sum += *n;
            *n = sum;
        }
        let total: f64 = lengths.iter().map(|n| f64::from(*n)).sum();
        let mean = (total / passages.len().max(1) as f64).max(f64::MIN_POSITIVE) as f32;
        let mut next = from.clone();
        let mut postings = vec![(0, 0.0); counts.len()];
        for (place, term, count) in counts {
            let (Some(with), Some(at), Some(length)) =
                (with.get(term as usize), next.get_mut(term as usize), lengths.get(place as usize))
            else {
                continue;
            };
            let rarity = rarity(passages.len(), *with);
            let count = count as f32;
            let weight =
                count * (self.k1 + 1.0) / (count + self.k1 * (1.0 - self.b + self.b * *length as f32 / mean));
            if let Some(slot) = postings.get_mut(*at) {
                *slot = (place, rarity * weight);
            }
            *at += 1;
        }
        Bm25 { inner: Arc::new(Inner { passages, tokenizer: self.tokenizer, terms, from, postings }) }
    }
}

/// How telling a word is that so many of the passages have; always more than 0 (as in Lucene).
fn rarity(passages: usize, with: usize) -> f32 {
    (1.0 + (passages as f64 - with as f64 + 0.5) / (with as f64 + 0.5)).ln() as f32
}

impl Retriever for Bm25 {
    fn search<'a>(&'a self, query: &'a str, k: usize) -> BoxFuture<'a, Result<Vec<Passage>>> {
        observed::search("Bm25", query, k, Box::pin(async move { Ok(self.find(query, k)) }))
    }
}

impl fmt::Debug for Bm25 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { passages, terms, .. } = &*self.inner;
        f.debug_struct("Bm25").field("passages", &passages.len()).field("words", &terms.len()).finish()
    }
}

impl fmt::Debug for Bm25Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bm25Builder").field("k1", &self.k1).field("b", &self.b).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formula, word by word.
    fn plain(passages: &[&str], query: &str) -> Vec<f32> {
        let all: Vec<Vec<String>> = passages.iter().map(|p| words(p)).collect();
        let mean = all.iter().map(Vec::len).sum::<usize>() as f32 / all.len() as f32;
        let score = |own: &Vec<String>| {
            let part = |word: &String| {
                let with = all.iter().filter(|other| other.contains(word)).count();
                let count = own.iter().filter(|w| *w == word).count() as f32;
                let norm = 1.2 * (0.25 + 0.75 * own.len() as f32 / mean);
                rarity(all.len(), with) * count * 2.2 / (count + norm)
            };
            words(query).iter().map(part).sum()
        };
        all.iter().map(score).collect()
    }

    #[test]
    fn scores_are_those_of_the_formula() {
        let passages =
            ["a b c a", "b d", "a long passage that has a word or two more than the others", "c", "e e e"];
        let index = Bm25::new(passages);
        for query in ["a", "a b", "e passage c", "a a b", "nothing known"] {
            let expected = plain(&passages, query);
            let found = index.find(query, 10);
            assert_eq!(found.len(), expected.iter().filter(|s| **s > 0.0).count(), "{query}");
            for passage in &found {
                let at: usize = passage.id.parse().unwrap();
                assert!((passage.score - expected[at]).abs() < 1e-5, "{query}: {passage:?}");
            }
            assert!(found.windows(2).all(|w| w[0].score >= w[1].score));
        }
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        assert!(Bm25::new(Vec::<String>::new()).find("x", 3).is_empty());
        assert!(Bm25::new(["", " "]).find("x", 3).is_empty());
        assert!(Bm25::new(["x"]).find("", 3).is_empty());
    }

    #[test]
    fn words_are_what_the_tokenizer_says() {
        let stems = |text: &str| words(text).into_iter().map(|w| w.chars().take(4).collect()).collect();
        let index = Bm25::builder().tokenizer(stems).build(["retrieval of passages", "sailing"]);
        assert_eq!(index.find("retrieved", 1)[0].id, "0");
    }
}
