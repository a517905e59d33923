//! When and how long to wait before a request is sent again.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use super::time::parse_http_date;
use crate::LmError;

/// How failed requests are retried: exponential backoff with full jitter, and never sooner than the provider asks.
///
/// The delay before retry number *k* (from 0) is uniform from 0 to `min(cap, base * 2^k)`, the "full
/// jitter" of Brooker, *Exponential Backoff and Jitter* (AWS Architecture Blog, 2015). A `Retry-After` of the provider
/// comes first, up to [`RetryPolicy::max_retry_after`].
///
/// Transport errors, timeouts, 408, 409, 5xx and unreadable answers are retried so many times; other 4xx, an overflow
/// of the context window and an exhausted account are not.
///
/// A rate limit (429) is no fault, but a request to slow down. All clones of a client slow down together, and a request
/// that was refused is sent again until it is answered: it is given up only when the provider has answered no request of
/// the client for as long as [`RetryPolicy::rate_limit_timeout`] says.
#[derive(Clone)]
pub struct RetryPolicy {
    retries: u32,
    base: Duration,
    cap: Duration,
    max_retry_after: Duration,
    rate_limit_timeout: Duration,
    jitter: Option<Arc<dyn Fn() -> f64 + Send + Sync>>,
}

impl Default for RetryPolicy {
    /// 4 retries, base 0.5 s, cap 30 s, at most 60 s for a `Retry-After`, 10 minutes for a rate limit.
    fn default() -> Self {
        Self {
            retries: 4,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            max_retry_after: Duration::from_secs(60),
            rate_limit_timeout: Duration::from_secs(600),
            jitter: None,
        }
    }
}

impl RetryPolicy {
    /// The default policy.
    pub fn new() -> Self {
        Self::default()
    }

    /// No retries, also of what a rate limit refused.
    pub fn none() -> Self {
        Self::default().retries(0)
    }

    /// Sets the number of retries. With 0, what a rate limit refused is not sent again either.
    #[must_use]
    pub fn retries(mut self, n: u32) -> Self {
        self.retries = n;
        self
    }

    /// Sets the maximum delay before the first retry; it doubles with each.
    #[must_use]
    pub fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// Sets the maximum delay before any retry.
    #[must_use]
    pub fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Sets the maximum time to wait for a `Retry-After`.
    #[must_use]
    pub fn max_retry_after(mut self, max: Duration) -> Self {
        self.max_retry_after = max;
        self
    }

    /// Sets for how long a rate limit is put up with (10 minutes): when all requests of the client were refused for so
    /// long, and none was answered, they are given up. As long as a provider answers one now and then, every request is
    /// answered in the end.
    #[must_use]
    pub fn rate_limit_timeout(mut self, timeout: Duration) -> Self {
        self.rate_limit_timeout = timeout;
        self
    }

    /// Sets the source of randomness: a function that returns numbers from 0 to 1.
    #[must_use]
    pub fn jitter(mut self, jitter: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.jitter = Some(Arc::new(jitter));
        self
    }

    /// The number of retries.
    pub fn max_retries(&self) -> u32 {
        self.retries
    }

    /// The wait before the next attempt after `attempts` (from 1) of them, the last of which failed with `error`;
    /// `None` when there is to be none.
    pub fn delay(&self, attempts: u32, error: &LmError) -> Option<Duration> {
        if attempts > self.retries || !error.retryable() {
            return None;
        }
        Some(self.wait(attempts, error.retry_after))
    }

    /// The wait of one request after so many attempts (from 1).
    pub(super) fn wait(&self, attempts: u32, retry_after: Option<Duration>) -> Duration {
        let backoff = self.ceiling(attempts.saturating_sub(1)).mul_f64(self.share());
        // Where the provider names a time, the jitter only spreads those who were all told the same.
        retry_after.map_or(backoff, |t| t.min(self.max_retry_after).saturating_add(backoff.min(self.base)))
    }

    /// The pause of all requests of a client, after so many pauses without an answer between them.
    pub(super) fn pause(&self, pauses: u32, retry_after: Option<Duration>) -> Duration {
        let backoff = self.ceiling(pauses);
        // Between the half and the whole, so that processes with the same limit do not go on in step.
        let backoff = backoff.mul_f64(0.5 + self.share() / 2.0);
        match retry_after.map(|t| t.min(self.max_retry_after)) {
            None => backoff,
            // A provider that again and again names a time that is too short is not believed.
            Some(t) if pauses > 0 => t.max(backoff),
            Some(t) => t.saturating_add(t.min(self.base).mul_f64(self.share() / 10.0)),
        }
    }

    /// Why a request that was refused is given up, if it is: `waited` is how long no answer came.
    pub(super) fn gives_up(&self, waited: Duration, retry_after: Option<Duration>) -> Option<GivenUp> {
        let limit = self.rate_limit_timeout;
        // A provider that names a time that is too late will not answer before.
        let told = retry_after.filter(|t| *t > limit).map(|t| GivenUp::Told(t, limit));
        told.or_else(|| (waited >= limit).then_some(GivenUp::Unanswered(waited)))
    }

    fn ceiling(&self, doublings: u32) -> Duration {
        self.base.saturating_mul(1 << doublings.min(31)).min(self.cap)
    }

    fn share(&self) -> f64 {
        let share = self.jitter.as_ref().map_or_else(random, |jitter| jitter());
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 1.0 }
    }
}

/// Why requests are given up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum GivenUp {
    /// None was answered for so long.
    Unanswered(Duration),
    /// The provider says that it answers none for so long, which is longer than the second time.
    Told(Duration, Duration),
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered(time) => {
                write!(f, "no request was answered for {} s, because there are too many", time.as_secs())
            }
            Self::Told(time, limit) => write!(
                f,
                "the provider says to come again in {} s, and a rate limit is put up with for {} s \
                 (`RetryPolicy::rate_limit_timeout`)",
                time.as_secs(),
                limit.as_secs()
            ),
        }
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("retries", &self.retries)
            .field("base", &self.base)
            .field("cap", &self.cap)
            .field("max_retry_after", &self.max_retry_after)
            .field("rate_limit_timeout", &self.rate_limit_timeout)
            .finish_non_exhaustive()
    }
}

/// An even number from 0 to 1 (splitmix64), seeded anew in each process so that processes do not wait in step.
fn random() -> f64 {
    static STATE: LazyLock<AtomicU64> = LazyLock::new(|| {
        AtomicU64::new(RandomState::new().hash_one((std::process::id(), SystemTime::now())))
    });
    let mut z = STATE.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Reads a `Retry-After` header: seconds or a date (RFC 9110, 10.2.3). Fractions of seconds, which some providers
/// send, are taken too.
pub(crate) fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = parse_http_date(value)?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// Reads a `retry-after-ms` header: milliseconds, of which some providers send fractions.
pub(crate) fn parse_retry_after_ms(value: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(value.trim().parse::<f64>().ok()? / 1000.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LmErrorKind;

    fn error(kind: LmErrorKind) -> LmError {
        LmError::new(kind, "m", "")
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let policy = RetryPolicy::new().retries(9).jitter(|| 1.0).cap(Duration::from_secs(3));
        let waits: Vec<_> = (1..=5)
            .filter_map(|k| policy.delay(k, &error(LmErrorKind::Server)))
            .map(|d| d.as_millis())
            .collect();
        assert_eq!(waits, [500, 1000, 2000, 3000, 3000]);
    }

    #[test]
    fn the_provider_is_obeyed_up_to_a_limit() {
        let policy = RetryPolicy::new().jitter(|| 0.0);
        let mut e = error(LmErrorKind::RateLimit);
        e.retry_after = Some(Duration::from_secs(7));
        assert_eq!(policy.delay(1, &e), Some(Duration::from_secs(7)));
        e.retry_after = Some(Duration::from_secs(7000));
        assert_eq!(policy.delay(1, &e), Some(Duration::from_secs(60)));
    }

    #[test]
    fn what_cannot_be_cured_is_not_repeated() {
        let policy = RetryPolicy::new();
        for kind in [
            LmErrorKind::Auth,
            LmErrorKind::NotFound,
            LmErrorKind::InvalidRequest,
            LmErrorKind::ContextWindow,
            LmErrorKind::Quota,
            LmErrorKind::Configuration,
        ] {
            assert_eq!(policy.delay(1, &error(kind)), None, "{kind}");
        }
        assert_eq!(policy.delay(5, &error(LmErrorKind::Server)), None);
    }

    #[test]
    fn random_numbers_lie_in_the_unit_interval_and_differ() {
        let drawn: Vec<f64> = (0..1000).map(|_| random()).collect();
        assert!(drawn.iter().all(|x| (0.0..1.0).contains(x)));
        let mean = drawn.iter().sum::<f64>() / 1000.0;
        assert!((0.4..0.6).contains(&mean), "{mean}");
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        assert_eq!(parse_retry_after("20", now), Some(Duration::from_secs(20)));
        assert_eq!(parse_retry_after("0.25", now), Some(Duration::from_millis(250)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(7)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1970 08:49:37 GMT", now), Some(Duration::ZERO));
        assert_eq!(parse_retry_after("soon", now), None);
        assert_eq!(parse_retry_after("-3", now), None);
        assert_eq!(parse_retry_after_ms("1500.5"), Some(Duration::from_micros(1_500_500)));
        for wrong in ["", "soon", "-1", "NaN", "1e300"] {
            assert_eq!(parse_retry_after_ms(wrong), None, "{wrong}");
        }
    }
}
