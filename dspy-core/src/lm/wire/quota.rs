//! The headers in which providers say what is left of an account's limits.
//!
//! Sources: OpenAI, *Rate limits*, "Rate limits in headers" (Groq, Cerebras and Azure have the same); Anthropic, *Rate
//! limits*, "Response headers". The names end in what is limited; both give the limit, what is left of it, and when
//! nothing of it is missing any more.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap};

use crate::{
    lm::time::{parse_http_date, parse_rfc3339},
    quota::{Left, Quota},
};

/// What the headers of an answer say.
pub(super) fn read(headers: &HeaderMap) -> Option<Quota> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name: &str| text(name)?.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
    let openai = |what: &str| {
        Some(Left {
            limit: number(&format!("x-ratelimit-limit-{what}"))?,
            left: number(&format!("x-ratelimit-remaining-{what}"))?,
            reset: span(text(&format!("x-ratelimit-reset-{what}"))?)?,
        })
    };
    let anthropic = |what: &str| {
        // By the server's clock, which need not be this one.
        let now = text(DATE.as_str()).and_then(parse_http_date).unwrap_or_else(SystemTime::now);
        let at = parse_rfc3339(text(&format!("anthropic-ratelimit-{what}-reset"))?)?;
        Some(Left {
            limit: number(&format!("anthropic-ratelimit-{what}-limit"))?,
            left: number(&format!("anthropic-ratelimit-{what}-remaining"))?,
            reset: at.duration_since(now).unwrap_or_default(),
        })
    };
    let quota = if headers.contains_key("x-ratelimit-remaining-requests")
        || headers.contains_key("x-ratelimit-remaining-tokens")
    {
        Quota { requests: openai("requests"), tokens: openai("tokens") }
    } else if headers.contains_key("anthropic-ratelimit-requests-remaining") {
        Quota { requests: anthropic("requests"), tokens: anthropic("tokens") }
    } else {
        return None;
    };
    (quota != Quota::default()).then_some(quota)
}

/// A span of time as these headers write it: `17ms`, `1s`, `6m0s`, `1h2m3.5s`; a bare number is seconds.
fn span(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| at + digits);
        seconds += number
            * match &rest[digits..unit_end] {
                "d" => 86_400.0,
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn both_families_of_headers_are_read() {
        let openai = headers(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-limit-tokens", "150000"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ]);
        let left = |limit, left, reset| Some(Left { limit, left, reset: Duration::from_secs(reset) });
        let both = Quota { requests: left(60.0, 59.0, 1), tokens: left(150_000.0, 149_984.0, 360) };
        assert_eq!(read(&openai), Some(both));
        let anthropic = headers(&[
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "1994-11-06T08:50:37Z"),
            ("anthropic-ratelimit-tokens-limit", "x"),
        ]);
        assert_eq!(read(&anthropic), Some(Quota { requests: left(50.0, 0.0, 60), tokens: None }));
        assert_eq!(read(&headers(&[])), None);
        assert_eq!(read(&headers(&[("x-ratelimit-remaining-requests", "5")])), None, "without a limit");
    }

    #[test]
    fn spans_of_time_are_read() {
        for (text, millis) in
            [("17ms", 17), ("1s", 1000), ("6m0s", 360_000), ("1h2m3.5s", 3_723_500), ("2.5", 2500), ("0s", 0)]
        {
            assert_eq!(span(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["soon", "1x", "s", "-1s", "1..2s", "-1"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }
}
