//! What a refusal means.

use std::{borrow::Cow, time::Duration};

use serde_json::Value;

use crate::{LmError, LmErrorKind, error::shorten};

/// An answer that is not a completion.
pub(super) struct Reply<'a> {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: &'a [u8],
}

/// How servers word that prompt and answer are too long for the model, in lower case; all parts of one entry must occur.
///
/// OpenAI and vLLM: "maximum context length"; SGLang: "is longer than the model's context length"; llama.cpp: "exceeds
/// the available context size" and the type `exceed_context_size_error`; Ollama: "exceeds the context length"; others as
/// they are named.
const OVERFLOW: &[&[&str]] = &[
    &["context_length_exceeded"],
    &["maximum context length"],
    &["maximum model length"],
    &["model's context length"],
    &["exceed_context_size"],
    &["exceeds", "context size"],
    &["exceed", "context length"],
    &["exceed", "context window"],
    &["context window", "too long"],
    &["longer than", "context"],
    &["prompt is too long"],
    &["input is too long"],
    &["too many tokens"],
    &["token count", "exceeds the maximum"],
];

/// The error that a refusal is. Its message is still as the server wrote it.
pub(super) fn classify(model: &str, reply: &Reply<'_>) -> LmError {
    let text = String::from_utf8_lossy(reply.body);
    let parsed: Option<Value> = serde_json::from_str(&text).ok();
    // The error object, wherever a server puts it: OpenAI under "error", others bare or in a list.
    let error = parsed.as_ref().map(|v| v.get(0).unwrap_or(v)).map(|v| v.get("error").unwrap_or(v));
    let message = match error {
        Some(Value::String(message)) => Cow::Borrowed(message.as_str()),
        Some(e) => match ["message", "detail", "msg", "error"].iter().find_map(|name| e.get(name)) {
            Some(Value::String(message)) => Cow::Borrowed(message.as_str()),
            Some(other) => Cow::Owned(other.to_string()),
            None => Cow::Owned(e.to_string()),
        },
        None => Cow::Borrowed(text.trim()),
    };
    let message = match message {
        _ if is_page(reply.body) => {
            Cow::Owned(format!("the server sent a page of HTML: {}", page_title(&text)))
        }
        message if message.is_empty() => Cow::Borrowed("the server gave no reason"),
        message => message,
    };
    let word = |name: &str| error.and_then(|e| e.get(name)).and_then(Value::as_str).unwrap_or_default();
    // Some gateways answer 200 and put the status into the error's code.
    let status = match reply.status {
        200..300 => error.and_then(|e| status_in(e.get("code").or(e.get("status"))?)),
        status => Some(status),
    };
    let kind = kind(status, &format!("{} {} {message}", word("code"), word("type")).to_lowercase());
    let mut lm_error = LmError::new(kind, model, message);
    lm_error.status = Some(reply.status);
    lm_error.retry_after = reply.retry_after;
    lm_error
}

fn status_in(code: &Value) -> Option<u16> {
    let status = match code {
        Value::Number(n) => n.as_u64()?.try_into().ok()?,
        Value::String(s) => s.parse().ok()?,
        _ => return None,
    };
    (400..600).contains(&status).then_some(status)
}

/// `words` are the error's code, type and message in lower case.
fn kind(status: Option<u16>, words: &str) -> LmErrorKind {
    let overflow = || OVERFLOW.iter().any(|parts| parts.iter().all(|part| words.contains(part)));
    match status {
        // Overflows are reported as 400, 413, 422 and, by some servers, 500.
        Some(400 | 413 | 422 | 500) | None if overflow() => LmErrorKind::ContextWindow,
        Some(400 | 403 | 429) if no_credit(words) => LmErrorKind::Quota,
        Some(400 | 403 | 422) if withheld(words) => LmErrorKind::ContentFilter,
        Some(401 | 403) => LmErrorKind::Auth,
        Some(404) => LmErrorKind::NotFound,
        Some(402) => LmErrorKind::Quota,
        // No redirect is followed: see the client.
        Some(300..400) => LmErrorKind::Configuration,
        Some(429) => LmErrorKind::RateLimit,
        Some(408 | 409) | Some(500..) => LmErrorKind::Server,
        Some(_) => LmErrorKind::InvalidRequest,
        // A success that holds an error without a status.
        None if no_credit(words) => LmErrorKind::Quota,
        None if withheld(words) => LmErrorKind::ContentFilter,
        None if words.contains("rate_limit") || words.contains("rate limit") => LmErrorKind::RateLimit,
        None if words.contains("authentication") || words.contains("invalid_api_key") => LmErrorKind::Auth,
        None if words.contains("invalid_request") => LmErrorKind::InvalidRequest,
        None => LmErrorKind::Server,
    }
}

/// Whether a body is a page for people, as proxies and wrong addresses send it.
pub(super) fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

/// What a page says it is: its title, else how it begins.
pub(super) fn page_title(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let title = lower.find("<title>").map(|at| at + 7).and_then(|from| {
        let to = lower[from..].find("</title>")? + from;
        Some(page[from..to].trim())
    });
    shorten(title.filter(|t| !t.is_empty()).unwrap_or(page.trim()), 100).into_owned()
}

/// Whether the account has no credit: waiting does not help.
fn no_credit(words: &str) -> bool {
    ["insufficient_quota", "billing_hard_limit", "billing_not_active", "credit balance is too low"]
        .iter()
        .any(|sign| words.contains(sign))
}

/// Whether a filter refused the prompt.
fn withheld(words: &str) -> bool {
    [
        "content_filter",
        "content_policy_violation",
        "responsibleaipolicyviolation",
        "content management policy",
    ]
    .iter()
    .any(|sign| words.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> LmError {
        classify("p/m", &Reply { status, retry_after: None, body: body.as_bytes() })
    }

    #[test]
    fn overflows_are_recognised_in_every_dialect() {
        for (status, body) in [
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens","type":"BadRequestError","code":400}"#,
            ),
            (
                400,
                r#"{"error":{"message":"The decoder prompt (length 9000) is longer than the maximum model length of 4096."}}"#,
            ),
            (
                400,
                r#"{"object":"error","message":"The input (5000 tokens) is longer than the model's context length (4096 tokens)."}"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error"}}"#,
            ),
            (500, r#"{"error":{"message":"input exceeds the context length of the model"}}"#),
            (200, r#"{"error":{"message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#),
        ] {
            let error = of(status, body);
            assert_eq!(error.kind, LmErrorKind::ContextWindow, "{body}");
            assert!(!error.retryable());
        }
    }

    #[test]
    fn statuses_have_their_kinds() {
        use LmErrorKind::*;
        for (status, kind) in [
            (400, InvalidRequest),
            (401, Auth),
            (402, Quota),
            (403, Auth),
            (404, NotFound),
            (408, Server),
            (409, Server),
            (422, InvalidRequest),
            (429, RateLimit),
            (500, Server),
            (503, Server),
            (529, Server),
            (302, Configuration),
        ] {
            assert_eq!(of(status, "").kind, kind, "{status}");
        }
        assert_eq!(of(429, r#"{"error":{"code":"insufficient_quota","message":"m"}}"#).kind, Quota);
        assert_eq!(
            of(400, r#"{"error":{"message":"Your credit balance is too low to access the API","type":"t"}}"#)
                .kind,
            Quota
        );
        for body in [
            r#"{"error":{"message":"The response was filtered","code":"content_filter"}}"#,
            r#"{"error":{"message":"Your request was rejected","code":"content_policy_violation"}}"#,
        ] {
            assert_eq!(of(400, body).kind, ContentFilter);
        }
        assert_eq!(of(200, r#"{"error":{"code":429,"message":"m"}}"#).kind, RateLimit);
        assert_eq!(of(200, r#"{"error":{"code":"502","message":"m"}}"#).kind, Server);
        assert_eq!(of(200, r#"{"error":"overloaded"}"#).kind, Server);
    }

    #[test]
    fn the_message_is_found_wherever_it_is() {
        for body in [
            r#"{"error":{"message":"boom"}}"#,
            r#"{"error":"boom"}"#,
            r#"{"message":"boom"}"#,
            r#"{"detail":"boom"}"#,
            r#"[{"error":{"message":"boom"}}]"#,
            "boom\n",
        ] {
            assert_eq!(of(500, body).message, "boom", "{body}");
        }
    }
}
