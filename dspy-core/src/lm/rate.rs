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
    /// When all that was reserved is used up at this rate, in seconds from the origin.
    used_until: f64,
}

/// Seconds whose share may be used at once.
const BURST: f64 = 1.0;
/// No reservation is made for later than this, in seconds: a wrong rate must not overflow a clock.
const LATEST: f64 = 30.0 * 86_400.0;

impl Rate {
    pub(super) fn per_minute(units: f64) -> Self {
        Self { interval: 60.0 / units.max(f64::MIN_POSITIVE), origin: Instant::now(), used_until: 0.0 }
    }

    /// When so many units may be used.
    pub(super) fn reserve(&mut self, now: Instant, units: f64) -> Instant {
        let now = now.duration_since(self.origin).as_secs_f64();
        // Whatever was not used is lost, but for a burst; and a single unit never waits for itself.
        let start = self.used_until.max(now - (BURST - self.interval).max(0.0));
        self.used_until = start + units * self.interval;
        self.origin + Duration::from_secs_f64(start.clamp(0.0, now + LATEST))
    }

    /// So many units more, or fewer, were used than had been reserved.
    pub(super) fn correct(&mut self, units: f64) {
        self.used_until += units * self.interval;
    }
}
