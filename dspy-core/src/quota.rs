//! What a provider says is left of an account's limits.

use std::time::Duration;

/// What was left when a request was taken, or refused.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Quota {
    pub(crate) requests: Option<Left>,
    pub(crate) tokens: Option<Left>,
}

/// What was left of one limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Left {
    pub(crate) limit: f64,
    pub(crate) left: f64,
    /// How long it takes until nothing is missing.
    pub(crate) reset: Duration,
}

impl Quota {
    /// Whether enough is left for so many requests of so many tokens.
    pub(crate) fn leaves(&self, requests: f64, tokens: f64) -> bool {
        self.requests.is_none_or(|told| told.left >= requests)
            && self.tokens.is_none_or(|told| told.left >= requests * tokens)
    }

    /// When there is enough for one more request of so many tokens, if that is known.
    pub(crate) fn next(&self, tokens: f64) -> Option<Duration> {
        let by_requests = self.requests.and_then(|told| told.until(1.0));
        by_requests.max(self.tokens.and_then(|told| told.until(tokens)))
    }
}

impl Left {
    /// How many units come back in a second, where that can be told.
    pub(crate) fn per_second(&self) -> Option<f64> {
        let (missing, reset) = (self.limit - self.left, self.reset.as_secs_f64());
        (missing > 0.0 && reset > 0.0).then(|| missing / reset)
    }

    fn until(&self, units: f64) -> Option<Duration> {
        let missing = units.min(self.limit) - self.left;
        let seconds = if missing > 0.0 { missing / self.per_second()? } else { 0.0 };
        Duration::try_from_secs_f64(seconds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_comes_back_evenly() {
        let told = |limit, left, reset| Some(Left { limit, left, reset: Duration::from_secs(reset) });
        let quota = Quota { requests: told(60.0, 0.0, 60), tokens: told(6000.0, 500.0, 55) };
        assert_eq!(quota.next(100.0), Some(Duration::from_secs(1)));
        assert_eq!(quota.next(700.0), Some(Duration::from_secs(2)));
        assert_eq!(Quota::default().next(100.0), None);
        let unknown = Quota { requests: told(60.0, 0.0, 0), tokens: None };
        assert_eq!(unknown.next(100.0), None);
    }
}
