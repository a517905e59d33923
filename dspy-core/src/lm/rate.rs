//! So much in a minute.

use std::time::Duration;

use tokio::time::Instant;

/// Spreads what is used evenly over time: the generic cell rate algorithm (ITU-T I.371), which is a token bucket that
/// needs no timer. What a second allows may come at once.
#[derive(Debug)]
pub(super) struct Rate {
    /// Seconds for each unit.
    interval: f64,
    origin: Instant,
    /// When all that was taken is used up at this rate, in seconds from the origin.
    used_until: f64,
}

/// Seconds whose share may be used at once.
const BURST: f64 = 1.0;
/// Nothing waits for longer than this, in seconds: a wrong rate must not overflow a clock.
const LATEST: f64 = 30.0 * 86_400.0;

impl Rate {
    pub(super) fn per_minute(units: f64) -> Self {
        Self { interval: 60.0 / units.max(f64::MIN_POSITIVE), origin: Instant::now(), used_until: 0.0 }
    }

    /// When the next units may be taken.
    pub(super) fn next(&self, now: Instant) -> Instant {
        let latest = now.duration_since(self.origin).as_secs_f64() + LATEST;
        now.max(self.origin + Duration::from_secs_f64(self.used_until.clamp(0.0, latest)))
    }

    /// Takes so many units.
    pub(super) fn take(&mut self, now: Instant, units: f64) {
        let now = now.duration_since(self.origin).as_secs_f64();
        // Whatever was not used is lost, but for a burst; and a single unit never waits for itself.
        let start = self.used_until.max(now - (BURST - self.interval).max(0.0));
        self.used_until = start + units * self.interval;
    }

    /// So many units more, or fewer, were used than had been reserved.
    pub(super) fn correct(&mut self, units: f64) {
        self.used_until += units * self.interval;
    }
}
