//! How many requests begin, and when: shared by all clones of a client.
//!
//! A provider that refuses requests because they are too many tells nobody how many it would take. The limiter finds
//! out: refusals in a row make all requests pause together, and halve the number of requests in flight; answers raise
//! it again step by step (additive increase, multiplicative decrease: Chiu and Jain, *Analysis of the Increase and
//! Decrease Algorithms for Congestion Avoidance in Computer Networks*, 1989). A refusal among many answers concerns
//! only the request that was refused.
//!
//! As long as nothing is refused and no rate is set, a request takes a place and gives it back, and that is all.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    time::Instant,
};

use super::{
    RetryPolicy, Usage,
    allowances::{Allowances, Mark, SLOWEST, is_ample},
    rate::Rate,
    retry::GivenUp,
};
use crate::{LmError, LmErrorKind, error::no_runtime, quota::Quota};

/// So many refusals in a row, without an answer between them, are a limit and no accident.
const SIGN_OF_A_LIMIT: u32 = 3;
/// The same shortly after a pause.
const SIGN_OF_THE_SAME_LIMIT: u32 = 2;
/// After so many answers a pause is no longer "shortly" ago.
const RECOVERED: u32 = 16;
/// In how many rounds of requests the number in flight comes back to where it was refused.
const ROUNDS: f64 = 16.0;
/// Far above what was refused, the limit is forgotten.
const FORGOTTEN: f64 = 8.0;

/// What a user allows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    pub(super) concurrency: Option<usize>,
    pub(super) requests_per_minute: Option<f64>,
    pub(super) tokens_per_minute: Option<f64>,
    /// How long one attempt may take.
    pub(super) timeout: Option<Duration>,
    /// After how long without an answer a request is sent a second time.
    pub(super) hedge: Option<Duration>,
}

pub(super) struct Limiter {
    limits: Limits,
    places: Semaphore,
    /// Held by the request whose turn is next: those behind it wait for it. Nobody's share is taken before its turn, so
    /// that one that is given up while it waits has used nothing.
    turn: tokio::sync::Mutex<()>,
    /// Tells it that it may begin earlier, or never.
    changed: Notify,
    /// How many places are taken away as they become free.
    debt: AtomicUsize,
    /// Whether the state has a say in when requests begin.
    watchful: AtomicBool,
    /// How often the number in flight was lowered.
    epoch: AtomicU64,
    state: Mutex<State>,
}

struct State {
    /// How many may be in flight.
    window: f64,
    /// How many were in flight when the provider refused.
    refused_at: f64,
    refused_in_a_row: u32,
    answered_since_pause: u32,
    /// Pauses since the last answer.
    pauses: u32,
    paused_until: Option<Instant>,
    /// When the first request was refused since the last answer.
    refused_since: Option<Instant>,
    /// Until when requests are not even sent, and why.
    given_up: Option<(Instant, GivenUp)>,
    requests: Option<Rate>,
    tokens: Option<Rate>,
    /// What the provider says is left.
    allowances: Allowances,
    /// Tokens of the last answers, as a moving average.
    usual_tokens: Option<f64>,
}

/// The place of a request in flight.
pub(super) struct Place<'a> {
    limiter: &'a Limiter,
    permit: Option<SemaphorePermit<'a>>,
    epoch: u64,
    /// What it is thought to take.
    tokens: f64,
    /// When it began, where the provider says what is left.
    mark: Option<Mark>,
}

/// What a request that was refused does next.
#[derive(Debug, PartialEq)]
enum Refused {
    /// It waits for a place: all requests pause.
    Paused,
    /// It alone waits.
    Alone,
    /// It is given up.
    GivenUp(Option<GivenUp>),
}

impl Limiter {
    pub(super) fn new(limits: Limits) -> Self {
        let ceiling = ceiling(&limits);
        let rate = |per_minute: Option<f64>| per_minute.map(Rate::per_minute);
        let (requests, tokens) = (rate(limits.requests_per_minute), rate(limits.tokens_per_minute));
        Self {
            limits,
            places: Semaphore::new(ceiling),
            turn: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            debt: AtomicUsize::new(0),
            watchful: AtomicBool::new(requests.is_some() || tokens.is_some()),
            epoch: AtomicU64::new(0),
            state: Mutex::new(State {
                window: ceiling as f64,
                refused_at: 0.0,
                refused_in_a_row: 0,
                answered_since_pause: RECOVERED,
                pauses: 0,
                paused_until: None,
                refused_since: None,
                given_up: None,
                requests,
                tokens,
                allowances: Allowances::default(),
                usual_tokens: None,
            }),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Waits until a request may begin. `prompt_bytes` is asked when its size matters.
    pub(super) async fn place(
        &self,
        model: &str,
        prompt_bytes: impl FnOnce() -> usize,
    ) -> Result<Place<'_>, LmError> {
        let permit = self.places.acquire().await.ok();
        let mut place = Place { limiter: self, permit, epoch: 0, tokens: 0.0, mark: None };
        if self.watchful.load(Ordering::Acquire) {
            let unmeasured = unmeasured_tokens(prompt_bytes());
            // In a box, because most requests do not come here.
            Box::pin(self.turn(model, unmeasured, &mut place)).await?;
        }
        place.epoch = self.epoch.load(Ordering::Relaxed);
        Ok(place)
    }

    /// Waits until it is a request's turn.
    async fn turn(&self, model: &str, unmeasured: f64, place: &mut Place<'_>) -> Result<(), LmError> {
        let _turn = self.turn.lock().await;
        loop {
            let next = {
                let (mut state, now) = (self.lock(), Instant::now());
                if let Some((_, why)) = state.given_up.filter(|(until, _)| *until > now) {
                    return Err(LmError::new(LmErrorKind::RateLimit, model, why.to_string()));
                }
                let next = state.next(now, unmeasured);
                if next <= now {
                    state.take(now, unmeasured, place);
                    return Ok(());
                }
                next
            };
            if tokio::runtime::Handle::try_current().is_err() {
                let message = no_runtime("Limits of requests");
                return Err(LmError::new(LmErrorKind::Configuration, model, message));
            }
            let _ = tokio::time::timeout_at(next, self.changed.notified()).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests have a place.
    fn in_flight(&self, state: &State) -> f64 {
        let places = whole(state.window) + self.debt.load(Ordering::Relaxed);
        places.saturating_sub(self.places.available_permits()) as f64
    }

    /// Sets how many requests may be in flight.
    fn resize(&self, state: &mut State, window: f64) {
        let (old, new) = (whole(state.window), whole(window));
        state.window = window;
        if new > old {
            let mut more = new - old;
            let _ = self.debt.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |debt| {
                let forgiven = debt.min(new - old);
                more = new - old - forgiven;
                Some(debt - forgiven)
            });
            self.places.add_permits(more);
        } else if old > new {
            let free = self.places.forget_permits(old - new);
            self.debt.fetch_add(old - new - free, Ordering::AcqRel);
        }
    }

    /// A further place, if no request has to wait for one.
    pub(super) fn spare_place(&self, prompt_bytes: impl FnOnce() -> usize) -> Option<Place<'_>> {
        let permit = self.places.try_acquire().ok()?;
        let epoch = self.epoch.load(Ordering::Relaxed);
        let mut place = Place { limiter: self, permit: Some(permit), epoch, tokens: 0.0, mark: None };
        if self.watchful.load(Ordering::Acquire) {
            let _turn = self.turn.try_lock().ok()?;
            let (mut state, now) = (self.lock(), Instant::now());
            let unmeasured = unmeasured_tokens(prompt_bytes());
            if state.given_up.is_some_and(|(until, _)| until > now) || state.next(now, unmeasured) > now {
                return None;
            }
            state.take(now, unmeasured, &mut place);
        }
        Some(place)
    }

    /// Whether requests have to wait at present, or are given up.
    pub(super) fn is_paused(&self) -> bool {
        if !self.watchful.load(Ordering::Acquire) {
            return false;
        }
        let (state, now) = (self.lock(), Instant::now());
        let given_up_until = state.given_up.map(|(until, _)| until);
        state.paused_until.max(given_up_until).is_some_and(|until| until > now)
    }

    fn answered(&self, place: &Place<'_>, usage: &Usage, quota: Option<&Quota>) {
        let Place { epoch, tokens: expected, .. } = *place;
        let mut state = self.lock();
        state.refused_in_a_row = 0;
        state.pauses = 0;
        state.answered_since_pause = state.answered_since_pause.saturating_add(1);
        state.refused_since = None;
        state.given_up = None;
        state.used(expected, usage.total_tokens() as f64);
        if let Some(quota) = quota {
            self.hear(&mut state, quota, place);
        }
        let ceiling = ceiling(&self.limits) as f64;
        // Answers to what began before the number was lowered say nothing about the lower one; and a number that is
        // not made use of says nothing either.
        let current = epoch == self.epoch.load(Ordering::Relaxed);
        if state.window < ceiling && current && self.in_flight(&state) * 2.0 >= state.window {
            let step =
                if state.window < state.refused_at { state.refused_at / ROUNDS } else { state.window / 8.0 };
            let window = state.window + step.max(1.0) / state.window;
            let forgotten = window > FORGOTTEN * state.refused_at.max(16.0);
            self.resize(&mut state, if forgotten { ceiling } else { window.min(ceiling) });
        }
        let recovered = state.window >= ceiling && state.answered_since_pause >= RECOVERED;
        if recovered && state.rates().is_none() && state.allowances.is_empty() {
            state.paused_until = None;
            self.watchful.store(false, Ordering::Release);
        }
    }

    /// Takes what the provider says is left, when it answered or refused the request of a place.
    fn hear(&self, state: &mut State, quota: &Quota, place: &Place<'_>) {
        let (others, usual) = (self.in_flight(state) - 1.0, state.usual_tokens.unwrap_or_default());
        state.allowances.hear(quota, place.mark, ceiling(&self.limits), others, usual);
        if !state.allowances.is_empty() {
            self.watchful.store(true, Ordering::Release);
        }
        self.changed.notify_one();
    }

    fn refused(&self, place: &Place<'_>, error: &LmError, policy: &RetryPolicy) -> Refused {
        if policy.max_retries() == 0 {
            return Refused::GivenUp(None);
        }
        self.watchful.store(true, Ordering::Release);
        let mut state = self.lock();
        // What is refused takes no tokens.
        if let Some(rate) = &mut state.tokens {
            rate.correct(-place.tokens);
        }
        let mut retry_after = error.retry_after;
        if let Some(quota) = &error.quota {
            self.hear(&mut state, quota, place);
            let next = || quota.next(place.tokens).filter(|time| *time <= SLOWEST);
            retry_after = retry_after.or_else(next);
        }
        state.refused_in_a_row += 1;
        let recovered = state.answered_since_pause >= RECOVERED;
        let sign = if recovered { SIGN_OF_A_LIMIT } else { SIGN_OF_THE_SAME_LIMIT };
        let now = Instant::now();
        let waited = now - *state.refused_since.get_or_insert(now);
        if let Some(why) = policy.gives_up(waited, retry_after) {
            // Those who wait would have to ask one by one, only to be given up as well.
            state.given_up = Some((now + policy.pause(state.pauses, retry_after), why));
            self.changed.notify_one();
            return Refused::GivenUp(Some(why));
        }
        let paused = state.paused_until.is_some_and(|until| until > now);
        if state.refused_in_a_row < sign && !paused {
            return Refused::Alone;
        }
        // Once for all that were in flight together.
        if place.epoch == self.epoch.load(Ordering::Relaxed) {
            self.epoch.fetch_add(1, Ordering::Relaxed);
            let in_flight = self.in_flight(&state).clamp(1.0, state.window);
            state.refused_at = in_flight;
            self.resize(&mut state, (in_flight / 2.0).floor().max(1.0));
            let pause = policy.pause(state.pauses, retry_after);
            state.pauses = state.pauses.saturating_add(1);
            state.answered_since_pause = 0;
            state.paused_until = Some(state.paused_until.map_or(now + pause, |until| until.max(now + pause)));
        }
        Refused::Paused
    }
}

impl State {
    fn rates(&self) -> Option<&Rate> {
        self.requests.as_ref().or(self.tokens.as_ref())
    }

    /// How many tokens a request is thought to take: as many as is usual, once that was measured.
    fn expected(&self, unmeasured: f64) -> f64 {
        match self.tokens.is_some() || self.allowances.counts_tokens() {
            false => 0.0,
            true => self.usual_tokens.unwrap_or(unmeasured),
        }
    }

    /// When the next request may begin: by the rates that the user set, by what the provider says is left, and after a
    /// pause.
    fn next(&self, now: Instant, unmeasured: f64) -> Instant {
        let by_rates = [&self.requests, &self.tokens].into_iter().flatten().map(|rate| rate.next(now)).max();
        let by_provider = self.allowances.next(now, self.expected(unmeasured));
        by_provider.max(by_rates.unwrap_or(now)).max(self.paused_until.unwrap_or(now))
    }

    /// A request begins: its share is taken.
    fn take(&mut self, now: Instant, unmeasured: f64, place: &mut Place<'_>) {
        place.tokens = self.expected(unmeasured);
        for (rate, units) in [(&mut self.requests, 1.0), (&mut self.tokens, place.tokens)] {
            if let Some(rate) = rate {
                rate.take(now, units);
            }
        }
        place.mark = self.allowances.take(now, place.tokens);
    }

    /// Puts what a request took in the place of what it was thought to take.
    fn used(&mut self, expected: f64, tokens: f64) {
        if let Some(rate) = &mut self.tokens {
            rate.correct(tokens - expected);
        }
        self.usual_tokens = Some(self.usual_tokens.map_or(tokens, |usual| usual + (tokens - usual) / 16.0));
    }
}

impl Place<'_> {
    /// The request was answered, and the provider may have said what is left for others.
    pub(super) fn answered(self, usage: &Usage, quota: Option<&Quota>) {
        let scarce =
            |quota: &Quota| !is_ample(quota, ceiling(&self.limiter.limits), usage.total_tokens() as f64);
        if self.limiter.watchful.load(Ordering::Acquire) || quota.is_some_and(scarce) {
            self.limiter.answered(&self, usage, quota);
        }
    }

    /// How long to wait before the request is sent again, after so many attempts, of which `faults` failed for other
    /// reasons than a rate limit; `None` when it is not to be sent again. Why it is given up is added to the error.
    pub(super) fn failed(
        self,
        error: &mut LmError,
        attempts: u32,
        faults: &mut u32,
        policy: &RetryPolicy,
    ) -> Option<Duration> {
        if error.kind != LmErrorKind::RateLimit {
            *faults += 1;
            return policy.delay(*faults, error);
        }
        match self.limiter.refused(&self, error, policy) {
            Refused::GivenUp(why) => {
                if let Some(why) = why {
                    error.message.push_str(&format!("; {why}"));
                }
                None
            }
            Refused::Paused => Some(Duration::ZERO),
            Refused::Alone => Some(policy.wait(attempts - *faults, error.retry_after)),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let debt = &self.limiter.debt;
        if debt.load(Ordering::Acquire) > 0
            && debt.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
        }
    }
}

fn ceiling(limits: &Limits) -> usize {
    limits.concurrency.map_or(Semaphore::MAX_PERMITS, |n| n.min(Semaphore::MAX_PERMITS))
}

/// How many tokens a request is thought to take, of whose kind none was measured.
fn unmeasured_tokens(prompt_bytes: usize) -> f64 {
    prompt_bytes as f64 / 4.0 + 256.0
}

fn whole(window: f64) -> usize {
    (window as usize).clamp(1, Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(concurrency: usize) -> Limiter {
        Limiter::new(Limits { concurrency: Some(concurrency), ..Limits::default() })
    }

    fn policy() -> RetryPolicy {
        RetryPolicy::new().jitter(|| 1.0)
    }

    async fn take(limiter: &Limiter) -> Place<'_> {
        limiter.place("m", || 400).await.unwrap()
    }

    /// The provider refuses the request.
    fn refuse(place: Place<'_>, retry_after: Option<Duration>) -> Refused {
        let mut error = LmError::new(LmErrorKind::RateLimit, "m", "");
        error.retry_after = retry_after;
        let refused = place.limiter.refused(&place, &error, &policy());
        drop(place);
        refused
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_in_a_row_halve_what_is_in_flight_and_answers_raise_it_again() {
        let limiter = limiter(64);
        let mut places = Vec::new();
        for _ in 0..64 {
            places.push(take(&limiter).await);
        }
        for (i, place) in places.drain(..8).enumerate() {
            let expected = if i < 2 { Refused::Alone } else { Refused::Paused };
            assert_eq!(refuse(place, None), expected, "{i}");
        }
        assert!(limiter.is_paused());
        assert_eq!(whole(limiter.lock().window), 31, "halved once, from the 62 that were in flight");
        drop(places);
        assert_eq!(limiter.places.available_permits(), 31);
        // Each round is one for all places.
        for _ in 0..200 {
            let mut round = Vec::new();
            let window = whole(limiter.lock().window);
            for _ in 0..window {
                round.push(take(&limiter).await);
            }
            round.into_iter().for_each(|place| place.answered(&Usage::default(), None));
        }
        assert_eq!(limiter.places.available_permits(), 64);
        assert_eq!(limiter.debt.load(Ordering::Relaxed), 0);
        assert!(!limiter.watchful.load(Ordering::Relaxed), "nothing is left of it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_among_answers_concerns_one_request() {
        let limiter = limiter(64);
        for i in 0..1000 {
            let place = take(&limiter).await;
            match i % 10 {
                9 => assert_eq!(refuse(place, Some(Duration::from_secs(9))), Refused::Alone),
                _ => place.answered(&Usage::default(), None),
            }
        }
        assert!(!limiter.is_paused());
        assert_eq!(limiter.places.available_permits(), 64);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_and_obey_the_provider() {
        let limiter = limiter(4);
        let mut waited = Vec::new();
        for retry_after in [None, None, None, Some(Duration::from_secs(20)), None, None] {
            let before = Instant::now();
            let place = take(&limiter).await;
            waited.push(before.elapsed().as_millis());
            refuse(place, retry_after);
        }
        assert_eq!(waited[..3], [0, 0, 0]);
        assert!((500..510).contains(&waited[3]), "{waited:?}");
        assert!((20_000..20_600).contains(&waited[4]), "{waited:?}");
        assert!((2_000..2_010).contains(&waited[5]), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_begin_in_a_minute_than_is_allowed() {
        let limits =
            Limits { requests_per_minute: Some(120.0), tokens_per_minute: Some(6000.0), ..Limits::default() };
        let limiter = Limiter::new(limits);
        let start = Instant::now();
        for _ in 0..21 {
            take(&limiter).await.answered(&Usage::of_call(10, 10), None);
        }
        // Two requests a second, of twenty tokens each: the first was thought to take more.
        let seconds = start.elapsed().as_secs_f64();
        assert!((9.0..13.0).contains(&seconds), "{seconds}");
        let start = Instant::now();
        for _ in 0..21 {
            take(&limiter).await.answered(&Usage::of_call(300, 100), None);
        }
        let seconds = start.elapsed().as_secs_f64();
        assert!((60.0..85.0).contains(&seconds), "100 tokens a second: {seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_given_up_is_free_again() {
        let limiter = limiter(2);
        for _ in 0..3 {
            refuse(take(&limiter).await, Some(Duration::from_secs(5)));
        }
        let waiting = tokio::time::timeout(Duration::from_millis(10), limiter.place("m", || 0)).await;
        assert!(waiting.is_err());
        assert_eq!(limiter.places.available_permits(), 1);
    }
}
