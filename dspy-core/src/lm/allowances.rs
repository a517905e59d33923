//! What a provider says is left of an account's limits, and what follows from it for the requests to come.
//!
//! Providers count with token buckets: a limit that is refilled evenly. The answer to a request says what was left when
//! the provider took it. With what has begun since, and what was refilled since, that is what is left now: a copy of
//! the provider's bucket, which holds requests back before the provider would refuse them.

use std::time::Duration;

use tokio::time::Instant;

use crate::quota::{Left, Quota};

/// A limit that lets through less than one request in this time is no rate: that of a day, or one that is misread.
pub(super) const SLOWEST: Duration = Duration::from_secs(60);
/// As long as so many times what may be in flight are left, nothing needs to be counted; and from the second on again.
const AMPLE: (f64, f64) = (2.0, 4.0);
/// The part of a limit that is not used up.
const MARGIN: f64 = 0.05;

/// Copies of the provider's buckets.
#[derive(Debug, Default)]
pub(super) struct Allowances {
    requests: Option<Allowance>,
    tokens: Option<Allowance>,
    /// Requests and tokens that have begun since these copies are kept.
    begun: (f64, f64),
    /// How many had begun when the request began whose answer was the newest.
    newest: f64,
    /// Which copies these are.
    era: u32,
}

/// A bucket.
#[derive(Debug)]
struct Allowance {
    limit: f64,
    per_second: f64,
    left: f64,
    at: Instant,
}

/// When a request began, by what had begun before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    era: u32,
    begun: (f64, f64),
    at: Instant,
}

/// Whether there is so much left that it need not be watched, as long as it is not.
pub(super) fn is_ample(quota: &Quota, places: usize, tokens: f64) -> bool {
    quota.leaves(AMPLE.0 * places as f64, tokens)
}

impl Allowances {
    /// Whether nothing is counted.
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_none() && self.tokens.is_none()
    }

    pub(super) fn counts_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// When the next request may begin, of so many tokens.
    pub(super) fn next(&self, now: Instant, tokens: f64) -> Instant {
        let by_requests = self.requests.as_ref().map_or(now, |bucket| bucket.next(now, 1.0));
        let by_tokens = self.tokens.as_ref().map_or(now, |bucket| bucket.next(now, tokens));
        by_requests.max(by_tokens)
    }

    /// A request of so many tokens begins.
    pub(super) fn take(&mut self, now: Instant, tokens: f64) -> Option<Mark> {
        if self.is_empty() {
            return None;
        }
        for (bucket, units) in [(&mut self.requests, 1.0), (&mut self.tokens, tokens)] {
            if let Some(bucket) = bucket {
                (bucket.left, bucket.at) = (bucket.after(now, units), now);
            }
        }
        self.begun = (self.begun.0 + 1.0, self.begun.1 + tokens);
        Some(Mark { era: self.era, begun: self.begun, at: now })
    }

    /// Takes what the answer to a request says. `in_flight` requests may have begun besides, of `tokens` each.
    pub(super) fn hear(
        &mut self,
        quota: &Quota,
        mark: Option<Mark>,
        places: usize,
        in_flight: f64,
        tokens: f64,
    ) {
        let now = Instant::now();
        let mark = mark.filter(|mark| mark.era == self.era);
        let (since, elapsed) = match mark {
            Some(mark) if mark.begun.0 < self.newest => return,
            Some(mark) => {
                self.newest = mark.begun.0;
                ((self.begun.0 - mark.begun.0, self.begun.1 - mark.begun.1), now - mark.at)
            }
            // Nobody counted yet when it began. Once somebody does, others tell more.
            None if !self.is_empty() => return,
            None => ((in_flight, in_flight * tokens), Duration::ZERO),
        };
        if quota.leaves(AMPLE.1 * places as f64, tokens) {
            if !self.is_empty() {
                *self = Self { era: self.era.wrapping_add(1), ..Self::default() };
            }
            return;
        }
        let heard = |told: Option<Left>, old: Option<Allowance>, since: f64, unit: f64| {
            told.and_then(|told| Allowance::heard(&told, old, since, elapsed, unit, now))
        };
        self.requests = heard(quota.requests, self.requests.take(), since.0, 1.0);
        self.tokens = heard(quota.tokens, self.tokens.take(), since.1, tokens);
    }
}

impl Allowance {
    /// The bucket as it is now; `None` if it is not known how fast it fills.
    fn heard(
        told: &Left,
        old: Option<Self>,
        since: f64,
        elapsed: Duration,
        unit: f64,
        now: Instant,
    ) -> Option<Self> {
        let per_second = match told.per_second() {
            Some(per_second) => per_second,
            // A time that is rounded to nothing.
            None => old?.per_second,
        };
        if per_second * SLOWEST.as_secs_f64() < unit.min(told.limit) {
            return None;
        }
        // A part is left alone: the time at which the provider took the request is not known that well, and keeping clear
        // of the bottom costs nothing, because it fills as fast.
        let limit = told.limit - (told.limit * MARGIN).max(unit).min(told.limit / 4.0);
        let left = told.left - (told.limit - limit) + elapsed.as_secs_f64() * per_second - since;
        Some(Self { limit, per_second, left: left.min(limit), at: now })
    }

    /// What will be left when so many units are taken.
    fn after(&self, now: Instant, units: f64) -> f64 {
        let refilled = (now - self.at).as_secs_f64() * self.per_second;
        // What is more than the limit would never be there.
        (self.left + refilled).min(self.limit) - units.min(self.limit)
    }

    fn next(&self, now: Instant, units: f64) -> Instant {
        let missing = -self.after(now, units);
        match missing > 0.0 {
            true => now + Duration::try_from_secs_f64(missing / self.per_second).unwrap_or(SLOWEST),
            false => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn quota(limit: f64, left: f64, reset: f64) -> Quota {
        let told = Left { limit, left, reset: Duration::from_secs_f64(reset) };
        Quota { requests: Some(told), tokens: None }
    }

    /// How many milliseconds requests of so many tokens have to wait, each for its turn.
    async fn waits(allowances: &mut Allowances, n: usize, tokens: f64) -> Vec<u128> {
        let mut waits = Vec::new();
        for _ in 0..n {
            let (began, next) = (Instant::now(), allowances.next(Instant::now(), tokens));
            tokio::time::sleep_until(next).await;
            allowances.take(Instant::now(), tokens);
            waits.push(began.elapsed().as_millis());
        }
        waits
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_of_the_bucket_says_when_the_next_request_may_begin() {
        let mut allowances = Allowances::default();
        assert!(allowances.take(Instant::now(), 0.0).is_none());
        // Ten a second, of which five are left; three may not have been counted yet, and one is left alone.
        allowances.hear(&quota(10.0, 5.0, 0.5), None, 8, 3.0, 0.0);
        let waits = waits(&mut allowances, 4, 0.0).await;
        assert!(waits[0] == 0 && waits[1..].iter().all(|wait| (99..=101).contains(wait)), "{waits:?}");
        tokio::time::advance(S).await;
        assert_eq!(allowances.next(Instant::now(), 0.0), Instant::now(), "it was refilled");
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_begun_and_what_was_refilled_since_count() {
        let mut allowances = Allowances::default();
        allowances.hear(&quota(60.0, 8.0, 52.0), None, 8, 0.0, 0.0);
        let mark = allowances.take(Instant::now(), 0.0);
        for _ in 0..4 {
            allowances.take(Instant::now(), 0.0);
        }
        tokio::time::advance(3 * S).await;
        allowances.take(Instant::now(), 0.0);
        // Seven were left when it was taken, less three to be left alone; five have begun since, and three were refilled.
        allowances.hear(&quota(60.0, 7.0, 53.0), mark, 8, 6.0, 0.0);
        let left = allowances.requests.as_ref().unwrap().left;
        assert!((1.9..2.1).contains(&left), "{left}");
        // What an older answer says is not news.
        let old = Mark { era: 0, begun: (0.0, 0.0), at: Instant::now() };
        allowances.hear(&quota(60.0, 60.0, 0.0), Some(old), 8, 6.0, 0.0);
        assert_eq!(allowances.requests.as_ref().unwrap().left, left);
        // Ample: nothing is counted any more.
        let mark = allowances.take(Instant::now(), 0.0);
        allowances.hear(&quota(600.0, 500.0, 10.0), mark, 8, 6.0, 0.0);
        assert!(allowances.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_a_limit_of_their_own_and_that_of_a_day_is_none() {
        let tokens = Left { limit: 6000.0, left: 500.0, reset: 55 * S };
        let both = Quota { tokens: Some(tokens), ..quota(1000.0, 900.0, 3600.0 * 24.0) };
        let mut allowances = Allowances::default();
        allowances.hear(&both, None, 8, 0.0, 200.0);
        assert!(allowances.requests.is_none() && allowances.counts_tokens());
        // 300 are left alone.
        let waits = waits(&mut allowances, 4, 200.0).await;
        assert!(waits[0] == 0 && waits[1..].iter().all(|wait| (1999..=2002).contains(wait)), "{waits:?}");
    }
}
