//! What is repeated, how often, and what is not.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use dspy_core::{
    LmErrorKind,
    lm::{Cache, LM, Message, Request, RetryPolicy},
};
use support::{Reply, Server};

fn lm(server: &Server) -> LM {
    let policy = RetryPolicy::new().base(Duration::from_millis(1)).max_retry_after(Duration::from_millis(5));
    let builder = LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off());
    builder.retry(policy.retries(3)).read_timeout(Duration::from_millis(200)).build().unwrap()
}

fn hello() -> Request {
    Request::new(vec![Message::user("hi")])
}

#[tokio::test]
async fn what_passes_is_repeated_until_it_has_passed() {
    for fault in [
        Reply::error(408, "m"),
        Reply::error(409, "m"),
        Reply::error(429, "m"),
        Reply::error(500, "m"),
        Reply::error(503, "m").with_header("retry-after", "1000"),
        Reply::error(429, "m").with_header("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
        Reply::text(200, "{\"choices\":"),
        Reply::error(200, "overloaded"),
        Reply::HalfBody(support::completion("late").to_string().into_bytes()),
        Reply::Reset,
        Reply::Never,
    ] {
        let server = Server::replying(vec![fault.clone(), fault.clone(), Reply::completion("at last")]).await;
        let answer = lm(&server).generate(hello()).await.unwrap_or_else(|e| panic!("{fault:?}: {e}"));
        assert_eq!(answer.response.choices[0].text, "at last");
        assert!(server.count() >= 3, "{fault:?}");
    }
}

#[tokio::test]
async fn the_last_error_says_how_often_it_was_tried() {
    let server = Server::replying(vec![Reply::error(503, "busy")]).await;
    let error = lm(&server).generate(hello()).await.unwrap_err();
    assert_eq!((error.attempts, server.count()), (4, 4));
    assert_eq!(error.to_string(), "openai/m: server (HTTP 503): busy (after 4 attempts)");
}

#[tokio::test]
async fn what_does_not_pass_is_sent_once() {
    for (reply, kind) in [
        (Reply::error(400, "m"), LmErrorKind::InvalidRequest),
        (Reply::error(401, "m"), LmErrorKind::Auth),
        (Reply::error(403, "m"), LmErrorKind::Auth),
        (Reply::error(404, "m"), LmErrorKind::NotFound),
        (Reply::error(422, "m"), LmErrorKind::InvalidRequest),
        (Reply::error(400, "maximum context length"), LmErrorKind::ContextWindow),
        (Reply::text(429, r#"{"error":{"code":"insufficient_quota","message":"m"}}"#), LmErrorKind::Quota),
    ] {
        let server = Server::replying(vec![reply]).await;
        let error = lm(&server).generate(hello()).await.unwrap_err();
        assert_eq!((error.kind, error.attempts, server.count()), (kind, 1, 1));
    }
}

#[tokio::test]
async fn a_silent_server_is_a_timeout() {
    let server = Server::replying(vec![Reply::Never]).await;
    let builder = LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off()).retries(0);
    for lm in [
        builder.read_timeout(Duration::from_millis(20)).build().unwrap(),
        LM::builder("openai/m")
            .api_base(server.api_base())
            .cache(Cache::off())
            .retries(0)
            .timeout(Duration::from_millis(20))
            .build()
            .unwrap(),
    ] {
        assert_eq!(lm.generate(hello()).await.unwrap_err().kind, LmErrorKind::Timeout);
    }
}

/// The clock is stopped: sleeping moves it, so it shows how long was waited, and nothing else does.
#[tokio::test(start_paused = true)]
async fn the_provider_is_given_the_time_it_asks_for() {
    use dspy_core::{
        LmError,
        lm::{BoxFuture, LanguageModel, Response},
    };

    struct Busy(std::sync::atomic::AtomicU32);
    impl LanguageModel for Busy {
        fn id(&self) -> &str {
            "own/busy"
        }
        fn generate<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
            Box::pin(async {
                if self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
                    return Ok(Response::text("free"));
                }
                let mut error = LmError::new(LmErrorKind::RateLimit, self.id(), "slow down");
                error.retry_after = Some(Duration::from_secs(20));
                Err(error)
            })
        }
    }
    let policy = RetryPolicy::new().jitter(|| 0.0);
    let lm = LM::wrap(Busy(Default::default())).retry(policy).cache(Cache::off()).build().unwrap();
    let start = tokio::time::Instant::now();
    lm.generate(hello()).await.unwrap();
    let waited = start.elapsed();
    assert!((20_000..20_100).contains(&waited.as_millis()), "{waited:?}");
}

#[tokio::test]
async fn no_more_requests_are_in_flight_than_allowed() {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use dspy_core::{
        LmError,
        lm::{BoxFuture, LanguageModel, Response},
    };

    #[derive(Default)]
    struct Counting {
        now: AtomicUsize,
        most: Arc<AtomicUsize>,
    }
    impl LanguageModel for Counting {
        fn id(&self) -> &str {
            "own/counting"
        }
        fn generate<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
            Box::pin(async {
                let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(now, Ordering::SeqCst);
                tokio::task::yield_now().await;
                self.now.fetch_sub(1, Ordering::SeqCst);
                Ok(Response::text("x"))
            })
        }
    }
    let model = Counting::default();
    let most = model.most.clone();
    let lm = LM::wrap(model).concurrency(3).cache(Cache::off()).build().unwrap();
    futures_util::future::join_all((0..50).map(|_| lm.generate(hello()))).await;
    assert_eq!(most.load(Ordering::SeqCst), 3);
    assert_eq!(lm.usage().calls, 50);
}

/// An answer without text, whose first choice has these members besides.
fn withheld(choice: &serde_json::Value) -> Reply {
    let mut body = support::completion("");
    let first = body["choices"][0].as_object_mut().unwrap();
    for (name, value) in choice.as_object().unwrap() {
        first.insert(name.clone(), value.clone());
    }
    Reply::json(200, &body)
}

#[tokio::test]
async fn what_is_withheld_is_an_error_that_is_neither_repeated_nor_kept() {
    let refusal =
        serde_json::json!({"message": {"role": "assistant", "content": null, "refusal": "I can't help."}});
    let filtered = serde_json::json!({"finish_reason": "content_filter"});
    for (reply, kind, message, paid) in [
        (withheld(&refusal), LmErrorKind::Refusal, "I can't help.", 1),
        (withheld(&filtered), LmErrorKind::ContentFilter, "withheld", 1),
        (
            Reply::text(
                400,
                r#"{"error":{"code":"content_filter","message":"filtered: content management policy"}}"#,
            ),
            LmErrorKind::ContentFilter,
            "filtered",
            0,
        ),
    ] {
        let server = Server::replying(vec![reply]).await;
        let lm =
            LM::builder("openai/m").api_base(server.api_base()).cache(Cache::memory(10)).build().unwrap();
        for n in 1..3 {
            let error = lm.generate(hello()).await.unwrap_err();
            assert!(error.kind == kind && error.message.contains(message) && !error.retryable(), "{error}");
            assert_eq!(server.count(), n, "neither repeated nor kept");
        }
        assert_eq!(lm.usage().calls, 2 * paid, "an answer is paid, also one that is withheld");
    }
    let events = [
        "data: {\"choices\":[{\"delta\":{\"refusal\":\"I can't\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"refusal\":\" help.\"},\"finish_reason\":\"stop\"}]}\n\n",
        "data: [DONE]\n\n",
    ];
    let server = Server::replying(vec![Reply::events(&events, support::Ending::Proper)]).await;
    let error = lm(&server).stream(hello()).finish().await.unwrap_err();
    assert!(error.kind == LmErrorKind::Refusal && error.message.contains("I can't help."), "{error}");
}

#[tokio::test]
async fn a_time_that_cannot_be_read_does_not_hide_one_that_can() {
    for (millis, seconds, expected) in [
        ("1500.5", "7", Some(Duration::from_micros(1_500_500))),
        ("soon", "0.25", Some(Duration::from_millis(250))),
        ("", "Sun, 06 Nov 1994 08:49:37 GMT", Some(Duration::ZERO)),
        ("-1", "later", None),
    ] {
        let refusal = Reply::error(429, "m").with_header("retry-after-ms", millis);
        let server = Server::replying(vec![refusal.with_header("retry-after", seconds)]).await;
        let builder = LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off());
        let error = builder.retry(RetryPolicy::none()).build().unwrap().generate(hello()).await.unwrap_err();
        assert_eq!((error.kind, error.retry_after), (LmErrorKind::RateLimit, expected), "{millis} {seconds}");
    }
}

/// A client whose clock is wrong by years is not told to wait for years.
#[tokio::test]
async fn a_date_is_read_by_the_clock_of_the_server() {
    for (date, retry_after, expected) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:40 GMT", Some(3)),
        ("Sun, 06 Nov 2094 08:49:37 GMT", "Sun, 06 Nov 2094 08:49:40 GMT", Some(3)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
        ("a date", "Sun, 06 Nov 1994 08:49:40 GMT", Some(0)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", "NaN", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", "inf", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", "", None),
    ] {
        let refusal =
            Reply::error(429, "m").with_header("date", date).with_header("retry-after", retry_after);
        let server = Server::replying(vec![refusal]).await;
        let builder = LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off());
        let lm = builder.retry(RetryPolicy::none()).build().unwrap();
        for error in [lm.generate(hello()).await.unwrap_err(), lm.stream(hello()).finish().await.unwrap_err()]
        {
            assert_eq!(error.retry_after.map(|time| time.as_secs()), expected, "{date}, {retry_after}");
        }
    }
}

/// Ten years are not waited for, and whoever asks later is told why nothing is sent.
#[tokio::test]
async fn a_time_that_is_too_late_is_said() {
    let refusal = Reply::error(429, "slow down").with_header("retry-after", "315360000");
    let server = Server::replying(vec![refusal, Reply::completion("never")]).await;
    let builder = LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off());
    let lm = builder.build().unwrap();
    for sent in [1, 1] {
        let error = lm.generate(hello()).await.unwrap_err();
        assert_eq!(server.count(), sent);
        let message = "come again in 315360000 s, and a rate limit is put up with for 600 s";
        assert!(error.kind == LmErrorKind::RateLimit && error.message.contains(message), "{error}");
    }
}

#[tokio::test]
async fn what_is_longer_than_any_answer_is_not_held() {
    let megabytes = |n: usize| vec![vec![b' '; 1 << 20]; n];
    let mut event = vec![b"data: ".to_vec()];
    event.extend(megabytes(17));
    let chunks = |chunks| Reply::Chunks { headers: Vec::new(), chunks, ending: support::Ending::Proper };
    for (reply, streamed, message) in [
        (Reply::text(200, &" ".repeat(65 << 20)), false, "longer than 64 MiB"),
        (chunks(megabytes(65)), false, "longer than 64 MiB"),
        (chunks(event), true, "an event of the stream is longer than 16 MiB"),
    ] {
        let server = Server::replying(vec![reply]).await;
        let builder = LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off()).retries(0);
        let lm = builder.build().unwrap();
        let outcome = match streamed {
            false => lm.generate(hello()).await,
            true => lm.stream(hello()).finish().await,
        };
        let error = outcome.unwrap_err();
        assert!(error.kind == LmErrorKind::InvalidResponse && error.message.contains(message), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_answer_of_the_api_is_named() {
    let page = "<!DOCTYPE html><html><head><title>Sign in to Wi-Fi</title></head><body>...</body></html>";
    let html = |status| Reply::Full {
        status,
        headers: vec![("content-type".into(), "text/html; charset=utf-8".into())],
        body: page.into(),
    };
    let moved = |to: &str| Reply::text(301, "").with_header("location", to);
    for (reply, kind, message) in [
        (html(200), LmErrorKind::InvalidResponse, "a page of HTML (Sign in to Wi-Fi)"),
        (html(502), LmErrorKind::Server, "a page of HTML: Sign in to Wi-Fi"),
        (
            moved("http://elsewhere.example/v1"),
            LmErrorKind::Configuration,
            "redirects to http://elsewhere.example/v1",
        ),
    ] {
        let server = Server::replying(vec![reply]).await;
        let lm = LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off()).retries(0);
        let lm = lm.build().unwrap();
        for error in [lm.generate(hello()).await.unwrap_err(), lm.stream(hello()).finish().await.unwrap_err()]
        {
            assert!(error.kind == kind && error.message.contains(message), "{error}");
        }
    }
}
