//! How much may be spent, and what has been.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Price, Prompt, Usage, cache::Key, facts};
use crate::{LmError, LmErrorKind};

/// How much a piece of work may spend: calls, tokens, US dollars, time, or several of them.
///
/// ```
/// use std::time::Duration;
/// use dspy_core::lm::Budget;
///
/// let budget = Budget::calls(2_000).and(Budget::time(Duration::from_secs(3600)));
/// assert_eq!(budget.to_string(), "2000 calls, 3600 s");
/// ```
///
/// Requests for answers and for embeddings count alike: of texts to embed, each batch. A request counts once, however often
/// it is repeated, and it counts also when a cache answers it: work that was
/// stopped and is started again ends where it would have ended. A call that is one too many is not sent. Tokens and
/// dollars are known only after the answer: a call is not sent when what it is expected to take (its prompt, and as many
/// tokens of answer as the calls before it took on average) does not fit into what is left.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Budget {
    calls: Option<u64>,
    tokens: Option<u64>,
    usd: Option<f64>,
    time: Option<Duration>,
    prices: BTreeMap<String, Price>,
}

impl Budget {
    /// No limit.
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// So many calls of models. Repetitions of a failed request are not counted.
    pub fn calls(calls: u64) -> Self {
        Self { calls: Some(calls), ..Self::default() }
    }

    /// So many tokens, of prompts and answers together.
    pub fn tokens(tokens: u64) -> Self {
        Self { tokens: Some(tokens), ..Self::default() }
    }

    /// So many US dollars. The price of every model that is asked must be known: from [`facts`], or
    /// from [`price`](Self::price).
    pub fn usd(dollars: f64) -> Self {
        Self { usd: Some(dollars), ..Self::default() }
    }

    /// So much time, from the beginning of the work.
    pub fn time(time: Duration) -> Self {
        Self { time: Some(time), ..Self::default() }
    }

    /// Both limits; of two of the same kind, the lower.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.calls = lower(self.calls, other.calls, u64::min);
        self.tokens = lower(self.tokens, other.tokens, u64::min);
        self.usd = lower(self.usd, other.usd, f64::min);
        self.time = lower(self.time, other.time, Duration::min);
        self.prices.extend(other.prices);
        self
    }

    /// Sets what a model costs, where that is not known or known better, by its identifier (`openai/gpt-4o-mini`).
    #[must_use]
    pub fn price(mut self, model: impl Into<String>, price: Price) -> Self {
        self.prices.insert(model.into(), price);
        self
    }

    /// Whether there is no limit.
    pub fn is_unlimited(&self) -> bool {
        self.calls.is_none() && self.tokens.is_none() && self.usd.is_none() && self.time.is_none()
    }

    /// The limit of calls.
    pub fn max_calls(&self) -> Option<u64> {
        self.calls
    }
}

fn lower<T>(a: Option<T>, b: Option<T>, min: impl FnOnce(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(min(a, b)),
        (a, b) => a.or(b),
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.calls.map(|n| format!("{n} calls")),
            self.tokens.map(|n| format!("{n} tokens")),
            self.usd.map(|usd| format!("${usd}")),
            self.time.map(|time| format!("{} s", time.as_secs())),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "no limit" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// What was spent under a budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Spent {
    /// Different requests.
    pub calls: u64,
    /// Tokens of prompts and answers.
    pub tokens: u64,
    /// US dollars, as far as prices are known.
    pub usd: f64,
}

/// Counts what is spent, and refuses what would be too much: shared by all requests of a piece of work.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Budget,
    started: Instant,
    /// The meter of the work around this one.
    outer: Option<Arc<Meter>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seen: HashSet<Key>,
    spent: Spent,
    answered: u64,
    answer_tokens: u64,
    /// What the requests that have no answer yet are expected to take.
    expected_tokens: u64,
    expected_usd: f64,
    refused: Option<String>,
    prices: BTreeMap<String, Option<Price>>,
}

/// What a request is for, from which it is seen what it may take.
#[derive(Clone, Copy)]
pub(super) enum Asked<'a> {
    /// Answers to a prompt, so many, by so many requests.
    Answer { prompt: &'a Prompt, max_tokens: Option<u32>, answers: u64, requests: u64 },
    /// The vectors of texts of so many bytes.
    Vectors { bytes: usize },
}

/// A request that was let through. Dropped without an answer, it gives back what it was expected to take.
#[must_use]
pub(crate) struct Admitted {
    meter: Arc<Meter>,
    /// As how many calls it counts: none where it was seen before.
    calls: u64,
    /// How many answers it has whose length tells something about others.
    answers: u64,
    tokens: u64,
    usd: f64,
    outer: Option<Box<Admitted>>,
}

impl Admitted {
    /// Counts what the answer took.
    pub(super) fn settle(mut self, model: &str, usage: &Usage) {
        self.count(model, usage);
    }

    fn count(&mut self, model: &str, usage: &Usage) {
        if self.calls > 0 {
            let mut state = self.meter.lock();
            state.answered += self.answers;
            state.answer_tokens += usage.completion_tokens;
            state.spent.tokens += usage.total_tokens();
            let price = self.meter.price(&mut state, model);
            state.spent.usd += price.map_or(0.0, |price| price.of(usage));
        }
        if let Some(outer) = &mut self.outer {
            outer.count(model, usage);
        }
    }

    /// Takes back a request that was let through here and refused elsewhere.
    fn withdraw(mut self, key: Option<&Key>) {
        if self.calls > 0 {
            let mut state = self.meter.lock();
            state.spent.calls -= self.calls;
            if let Some(key) = key {
                state.seen.remove(key);
            }
        }
        if let Some(outer) = self.outer.take() {
            outer.withdraw(key);
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut state = self.meter.lock();
        state.expected_tokens = state.expected_tokens.saturating_sub(self.tokens);
        state.expected_usd -= self.usd;
    }
}

impl Meter {
    pub(crate) fn new(budget: Budget, outer: Option<Arc<Meter>>) -> Arc<Self> {
        Arc::new(Self { budget, started: Instant::now(), outer, state: Mutex::default() })
    }

    pub(crate) fn spent(&self) -> Spent {
        self.lock().spent
    }

    /// Why requests are refused, once one was.
    pub(crate) fn refused(&self) -> Option<String> {
        let own = self.lock().refused.clone();
        own.or_else(|| self.outer.as_ref()?.refused())
    }

    /// Whether requests may be refused, here or around.
    pub(crate) fn is_limited(&self) -> bool {
        !self.budget.is_unlimited() || self.outer.as_ref().is_some_and(|outer| outer.is_limited())
    }

    /// How many calls are left, here and around.
    pub(crate) fn calls_left(&self) -> Option<u64> {
        let own = self.budget.calls.map(|limit| limit.saturating_sub(self.lock().spent.calls));
        lower(own, self.outer.as_ref().and_then(|outer| outer.calls_left()), u64::min)
    }

    /// Lets a request through, which counts if it has not been seen before. Requests without a key always count. One of
    /// the models `priced` answers it.
    pub(super) fn admit(
        self: &Arc<Self>,
        model: &str,
        priced: &[Arc<str>],
        key: Option<&Key>,
        asked: Asked<'_>,
    ) -> Result<Admitted, LmError> {
        let outer = match &self.outer {
            Some(outer) => Some(Box::new(outer.admit(model, priced, key, asked)?)),
            None => None,
        };
        let (answers, requests) = match asked {
            Asked::Answer { answers, requests, .. } => (answers, requests),
            Asked::Vectors { .. } => (0, 1),
        };
        let admitted = |calls, tokens, usd, outer| {
            Ok(Admitted { meter: self.clone(), calls, answers, tokens, usd, outer })
        };
        let why = {
            let mut state = self.lock();
            if key.is_some_and(|key| state.seen.contains(key)) {
                return admitted(0, 0, 0.0, outer);
            }
            match self.fits(&mut state, priced, asked, requests) {
                Ok((tokens, usd)) => {
                    state.seen.extend(key.copied());
                    state.spent.calls += requests;
                    state.expected_tokens += tokens;
                    state.expected_usd += usd;
                    return admitted(requests, tokens, usd, outer);
                }
                Err(why) => {
                    state.refused.get_or_insert_with(|| why.clone());
                    why
                }
            }
        };
        if let Some(outer) = outer {
            outer.withdraw(key);
        }
        Err(LmError::new(LmErrorKind::Budget, model, why))
    }

    /// The tokens and dollars that a request is expected to take, if they fit into what is left.
    fn fits(
        &self,
        state: &mut State,
        priced: &[Arc<str>],
        asked: Asked<'_>,
        requests: u64,
    ) -> Result<(u64, f64), String> {
        let reached = |what: String| Err(format!("the budget of {what} is spent"));
        let budget = &self.budget;
        if let Some(limit) = budget.calls.filter(|limit| state.spent.calls.saturating_add(requests) > *limit)
        {
            return match limit.saturating_sub(state.spent.calls) {
                0 => reached(format!("{limit} calls")),
                left => Err(format!(
                    "of the budget of {limit} calls {left} are left, and {requests} are needed for as many answers (n)"
                )),
            };
        }
        if let Some(limit) = budget.time.filter(|limit| self.started.elapsed() >= *limit) {
            return reached(format!("{} s", limit.as_secs()));
        }
        if budget.tokens.is_none() && budget.usd.is_none() {
            return Ok((0, 0.0));
        }
        let (prompt, answer) = match asked {
            Asked::Vectors { bytes } => (bytes as u64 / 4, 0),
            Asked::Answer { prompt, max_tokens, answers, requests } => {
                let prompt = prompt.messages().map(|m| m.content.text().len() as u64 / 4).sum::<u64>();
                let answer = match state.answered {
                    0 => max_tokens.map_or(256, u64::from),
                    n => state.answer_tokens.div_ceil(n),
                };
                (prompt.saturating_mul(requests), answer.saturating_mul(answers))
            }
        };
        let tokens = prompt + answer;
        if let Some(limit) = budget.tokens
            && state.spent.tokens + state.expected_tokens + tokens > limit
        {
            return reached(format!("{limit} tokens"));
        }
        let Some(limit) = budget.usd else { return Ok((tokens, 0.0)) };
        let mut usd = 0.0_f64;
        for model in priced {
            let Some(price) = self.price(state, model) else {
                return Err(format!(
                    "the budget is in dollars, but what `{model}` costs is not known; give it with `Budget::price` or \
                     in a file of facts (`lm::facts::load`)"
                ));
            };
            // Of several, the dearest may be the one that answers.
            usd = usd.max((prompt as f64 * price.input + answer as f64 * price.output) / 1e6);
        }
        if state.spent.usd + state.expected_usd + usd > limit {
            return reached(format!("${limit}"));
        }
        Ok((tokens, usd))
    }

    /// What a model costs, looked up once.
    fn price(&self, state: &mut State, model: &str) -> Option<Price> {
        if let Some(price) = state.prices.get(model) {
            return *price;
        }
        let price = self.budget.prices.get(model).copied().or_else(|| facts::of(model).price);
        state.prices.insert(model.to_owned(), price);
        price
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::{Message, Request};

    fn request(text: &str) -> Request {
        Request::new(vec![Message::user(text)])
    }

    fn answer(request: &Request) -> Asked<'_> {
        Asked::Answer {
            prompt: &request.prompt,
            max_tokens: request.options.max_tokens,
            answers: 1,
            requests: 1,
        }
    }

    fn admit(
        meter: &Arc<Meter>,
        model: &str,
        key: Option<&Key>,
        asked: &Request,
    ) -> Result<Admitted, LmError> {
        meter.admit(model, &[model.into()], key, answer(asked))
    }

    fn key(n: u8) -> Key {
        Key([n; 32])
    }

    #[test]
    fn equal_requests_count_once_and_the_call_that_is_too_many_is_refused() {
        let meter = Meter::new(Budget::calls(2), None);
        for n in [1, 1, 2, 1] {
            let admitted = admit(&meter, "m", Some(&key(n)), &request("a")).unwrap();
            drop(admitted);
        }
        assert_eq!((meter.spent().calls, meter.calls_left()), (2, Some(0)));
        let error = admit(&meter, "m", Some(&key(3)), &request("a")).map(|_| ()).unwrap_err();
        assert!(error.kind == LmErrorKind::Budget && error.to_string().contains("2 calls"), "{error}");
        let admitted = admit(&meter, "m", Some(&key(2)), &request("a")).unwrap();
        drop(admitted);
    }

    #[test]
    fn an_inner_refusal_leaves_the_outer_meter_as_it_was() {
        let outer = Meter::new(Budget::calls(5), None);
        let inner = Meter::new(Budget::calls(0), Some(outer.clone()));
        assert!(admit(&inner, "m", Some(&key(1)), &request("a")).is_err());
        assert_eq!(outer.spent().calls, 0);
        let inner = Meter::new(Budget::calls(9), Some(outer.clone()));
        let admitted = admit(&inner, "m", Some(&key(1)), &request("a")).unwrap();
        drop(admitted);
        assert_eq!((outer.spent().calls, inner.calls_left()), (1, Some(4)));
    }

    #[test]
    fn tokens_and_dollars_are_counted_by_the_answers() {
        let price = Price::per_million(1.0, 2.0);
        let meter = Meter::new(Budget::tokens(1000).and(Budget::usd(1.0).price("m", price)), None);
        let mut asked = request("four");
        asked.options.max_tokens = Some(100);
        let admitted = admit(&meter, "m", Some(&key(1)), &asked).unwrap();
        let usage = Usage { prompt_tokens: 400, completion_tokens: 590, ..Usage::default() };
        admitted.settle("m", &usage);
        assert_eq!(meter.spent().tokens, 990);
        assert!((meter.spent().usd - 0.00158).abs() < 1e-9);
        assert!(admit(&meter, "m", Some(&key(2)), &asked).is_err());
        assert!(meter.refused().unwrap().contains("1000 tokens"));
        let unknown =
            admit(&Meter::new(Budget::usd(1.0), None), "other", None, &asked).map(|_| ()).unwrap_err();
        assert!(unknown.to_string().contains("Budget::price"), "{unknown}");
    }
}
