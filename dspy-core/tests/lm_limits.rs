//! Providers that take only so many requests, and providers on which everything goes wrong at times.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use dspy_core::{
    LmError, LmErrorKind,
    lm::{Answer, Cache, LM, LMBuilder, Message, Request, RetryPolicy},
};
use futures_util::{StreamExt, stream};
use support::{Ending, Reply, Server, completion};

fn ask(n: usize) -> Request {
    Request::new(vec![Message::user(format!("number {n}"))])
}

fn builder(server: &Server) -> LMBuilder {
    LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off())
}

fn quick() -> RetryPolicy {
    RetryPolicy::new().base(Duration::from_millis(10)).cap(Duration::from_millis(200))
}

/// Answers of `n` requests, so many at a time, each from another clone.
async fn all(lm: &LM, n: usize, at_a_time: usize) -> Vec<Result<Answer, LmError>> {
    let each = (0..n).map(|i| {
        let lm = lm.clone();
        async move { lm.generate(ask(i)).await }
    });
    stream::iter(each).buffered(at_a_time).collect().await
}

/// A token bucket: so many requests a second, as many as `burst` at once.
struct Bucket {
    rate: f64,
    burst: f64,
    state: Mutex<(f64, Instant)>,
    refused: AtomicUsize,
}

impl Bucket {
    fn new(rate: f64, burst: f64) -> Arc<Self> {
        let state = Mutex::new((burst, Instant::now()));
        Arc::new(Self { rate, burst, state, refused: AtomicUsize::new(0) })
    }

    /// What is left, and in how many seconds nothing is missing.
    fn left(&self) -> (f64, f64) {
        let tokens = self.state.lock().unwrap().0;
        (tokens, (self.burst - tokens) / self.rate)
    }

    fn takes(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        let now = Instant::now();
        let tokens = (state.0 + (now - state.1).as_secs_f64() * self.rate).min(self.burst);
        let taken = tokens >= 1.0;
        *state = (if taken { tokens - 1.0 } else { tokens }, now);
        if !taken {
            self.refused.fetch_add(1, Ordering::SeqCst);
        }
        taken
    }
}

/// A server with this limit, which tells those it refuses what `header` says.
async fn limited(bucket: Arc<Bucket>, header: Option<(&'static str, &'static str)>) -> Server {
    Server::start(move |call| {
        if bucket.takes() {
            return Reply::completion(call.json()["messages"][0]["content"].as_str().unwrap());
        }
        let refusal = Reply::error(429, "slow down");
        header.into_iter().fold(refusal, |reply, (name, value)| reply.with_header(name, value))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_rate_limit_no_request_is_lost_and_none_is_answered_twice() {
    for (rate, burst, n, header) in [
        (1500.0, 200.0, 2000, Some(("retry-after-ms", "100"))),
        (1500.0, 200.0, 2000, Some(("retry-after", "0.05"))),
        (1500.0, 200.0, 2000, None),
        (80.0, 8.0, 80, Some(("retry-after-ms", "100"))),
        (80.0, 8.0, 80, None),
        // The provider names a time that is always too short.
        (80.0, 8.0, 80, Some(("retry-after", "0"))),
    ] {
        let bucket = Bucket::new(rate, burst);
        let server = limited(bucket.clone(), header).await;
        let lm = builder(&server).retry(quick()).build().unwrap();
        let answers = all(&lm, n, 256).await;
        for (i, answer) in answers.iter().enumerate() {
            let answer = answer.as_ref().unwrap_or_else(|e| panic!("{rate} a second, {header:?}: {e}"));
            assert_eq!(answer.response.choices[0].text, format!("number {i}"));
        }
        let refused = bucket.refused.load(Ordering::SeqCst);
        assert_eq!(server.count() - refused, n, "each was answered once");
        assert_eq!(lm.usage().calls, n as u64);
        // Most of what begins is answered, once the limit is known; the first burst is not.
        assert!(
            refused < 512 + n,
            "{refused} of {} were refused: {rate} a second, {header:?}",
            server.count()
        );
    }
}

/// As [`limited`], and every answer says in the provider's way what is left.
async fn telling(bucket: Arc<Bucket>, family: &'static str) -> Server {
    Server::start(move |call| {
        if !bucket.takes() {
            return Reply::error(429, "slow down");
        }
        let (left, reset) = bucket.left();
        let limit = bucket.burst.to_string();
        let answer = Reply::completion(call.json()["messages"][0]["content"].as_str().unwrap());
        match family {
            "openai" => answer
                .with_header("x-ratelimit-limit-requests", &limit)
                .with_header("x-ratelimit-remaining-requests", &left.floor().to_string())
                .with_header("x-ratelimit-reset-requests", &format!("{}ms", (1000.0 * reset).round())),
            "none" => answer,
            _ => answer
                .with_header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
                .with_header("anthropic-ratelimit-requests-limit", &limit)
                .with_header("anthropic-ratelimit-requests-remaining", &left.floor().to_string())
                .with_header(
                    "anthropic-ratelimit-requests-reset",
                    &format!("1994-11-06T08:49:{:06.3}Z", 37.0 + reset),
                ),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_provider_says_is_left_slows_down_before_it_refuses() {
    let mut without = 0;
    for family in ["none", "openai", "anthropic"] {
        let bucket = Bucket::new(300.0, 100.0);
        let server = telling(bucket.clone(), family).await;
        let lm = builder(&server).concurrency(48).retry(quick()).build().unwrap();
        let answers = all(&lm, 500, 256).await;
        assert!(answers.iter().all(Result::is_ok));
        let refused = bucket.refused.load(Ordering::SeqCst);
        match family {
            "none" => without = refused,
            _ => assert!(
                refused * 4 < without,
                "{family}: {refused} were refused, and {without} without the headers"
            ),
        }
        assert_eq!(server.count(), 500 + refused);
    }
}

/// A rate limit is given up by time: the clock is stopped, and moved by what sleeps.
#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_put_up_with_for_a_time_and_not_for_a_number_of_attempts() {
    use dspy_core::lm::{BoxFuture, LanguageModel, Response};

    /// Refuses everything until so much time has passed.
    struct Busy(tokio::time::Instant, Duration, AtomicUsize, Option<Duration>);
    impl LanguageModel for Busy {
        fn id(&self) -> &str {
            "own/busy"
        }
        fn generate<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
            Box::pin(async {
                if self.0.elapsed() >= self.1 {
                    return Ok(Response::text("free"));
                }
                self.2.fetch_add(1, Ordering::SeqCst);
                let mut error = LmError::new(LmErrorKind::RateLimit, self.id(), "slow down");
                error.retry_after = self.3;
                Err(error)
            })
        }
    }
    let busy = |seconds, retry_after| {
        Arc::new(Busy(
            tokio::time::Instant::now(),
            Duration::from_secs(seconds),
            AtomicUsize::new(0),
            retry_after,
        ))
    };
    let client = |model: &Arc<Busy>, policy| {
        LM::wrap(model.clone()).cache(Cache::off()).retry(policy).concurrency(8).build().unwrap()
    };
    // Ten minutes are put up with by default, and five attempts would have been over after 15 seconds.
    let model = busy(500, None);
    let lm = client(&model, RetryPolicy::new());
    assert!(all(&lm, 20, 20).await.iter().all(Result::is_ok));
    let refused = model.2.load(Ordering::SeqCst);
    assert!(refused < 100, "the clones pause together: {refused}");
    // No longer.
    let model = busy(100_000, None);
    let lm = client(&model, RetryPolicy::new().rate_limit_timeout(Duration::from_secs(60)));
    for answer in all(&lm, 20, 20).await {
        let error = answer.unwrap_err();
        assert_eq!(error.kind, LmErrorKind::RateLimit);
    }
    let waited = model.0.elapsed().as_secs();
    assert!((60..100).contains(&waited), "{waited}");
    // What the provider says itself to be in vain is not waited for.
    let model = busy(100_000, Some(Duration::from_secs(86_400)));
    let lm = client(&model, RetryPolicy::new());
    assert!(all(&lm, 3, 1).await.iter().all(Result::is_err));
    assert_eq!(model.0.elapsed(), Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_fifth_of_mixed_faults_nothing_is_lost_and_nothing_is_doubled() {
    const CALLS: usize = 4000;
    let answered = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let log = answered.clone();
    let server = Server::start(move |call| {
        let text = call.json()["messages"][0]["content"].as_str().unwrap().to_owned();
        let good = || completion(&text).to_string().into_bytes();
        // Spread like chance, and the same on every run.
        let mix = (call.number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        match mix % 65 {
            0 => Reply::error(429, "slow down").with_header("retry-after", "0.02"),
            1 => Reply::error(429, "slow down").with_header("retry-after-ms", "15.5"),
            2 => Reply::error(429, "slow down"),
            3 => Reply::error(429, "slow down").with_header("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
            4 => Reply::error(500, "out of order"),
            5 => Reply::error(503, "overloaded").with_header("retry-after", "0"),
            6 => Reply::Reset,
            7 => Reply::HalfBody(good()),
            8 => Reply::text(200, "{\"choi"),
            9 => Reply::Full {
                status: 200,
                headers: vec![("content-type".into(), "text/html".into())],
                body: b"<!doctype html><title>Bad gateway</title>".to_vec(),
            },
            10 => Reply::error(200, "overloaded"),
            11 => Reply::Chunks { headers: Vec::new(), chunks: vec![good()], ending: Ending::Broken },
            12 if mix.is_multiple_of(10) => Reply::Never,
            _ => {
                *log.lock().unwrap().entry(text.clone()).or_default() += 1;
                Reply::completion(&text)
            }
        }
    })
    .await;
    let lm = builder(&server).retry(quick().retries(12)).read_timeout(Duration::from_secs(2));
    let lm = lm.build().unwrap();
    let answers = all(&lm, CALLS, 256).await;
    for (i, answer) in answers.iter().enumerate() {
        let answer = answer.as_ref().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(answer.response.choices[0].text, format!("number {i}"));
    }
    let answered = answered.lock().unwrap();
    assert_eq!(answered.len(), CALLS);
    assert!(answered.values().all(|n| *n == 1), "none is paid twice");
    let usage = lm.usage();
    assert_eq!((usage.calls, usage.prompt_tokens), (CALLS as u64, 7 * CALLS as u64));
}

#[tokio::test(start_paused = true)]
async fn clones_share_the_rates_that_a_user_sets() {
    use dspy_core::lm::StubModel;

    let lm =
        StubModel::from_fn(|_| "x").builder().cache(Cache::off()).requests_per_minute(60).build().unwrap();
    let start = tokio::time::Instant::now();
    assert!(all(&lm, 61, 61).await.iter().all(Result::is_ok));
    let seconds = start.elapsed().as_secs_f64();
    assert!((58.0..62.0).contains(&seconds), "{seconds}");
}

#[test]
fn a_rate_of_nothing_is_refused() {
    for (name, builder) in [
        ("requests_per_minute", LM::builder("ollama/m").requests_per_minute(0)),
        ("tokens_per_minute", LM::builder("ollama/m").tokens_per_minute(0)),
        ("concurrency", LM::builder("ollama/m").concurrency(0)),
    ] {
        let error = builder.build().unwrap_err();
        assert!(error.kind == LmErrorKind::Configuration && error.message.contains(name), "{error}");
    }
}

/// Answers with its name after so long, from its `n`th request on; until then it fails as it is told.
struct Sometimes {
    name: &'static str,
    after: Duration,
    from: usize,
    kind: LmErrorKind,
    asked: AtomicUsize,
    answered: AtomicUsize,
}

impl Sometimes {
    fn new(name: &'static str, after: u64, from: usize, kind: LmErrorKind) -> Arc<Self> {
        let (asked, answered) = Default::default();
        Arc::new(Self { name, after: Duration::from_millis(after), from, kind, asked, answered })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl dspy_core::lm::LanguageModel for Sometimes {
    fn id(&self) -> &str {
        self.name
    }

    fn generate<'a>(
        &'a self,
        _: &'a Request,
    ) -> dspy_core::lm::BoxFuture<'a, Result<dspy_core::lm::Response, LmError>> {
        Box::pin(async {
            let number = self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(self.after).await;
            if number < self.from {
                return Err(LmError::new(self.kind, self.name, "not now"));
            }
            self.answered.fetch_add(1, Ordering::SeqCst);
            Ok(dspy_core::lm::Response::text(self.name))
        })
    }
}

fn once(model: &Arc<Sometimes>) -> LM {
    LM::wrap(model.clone()).cache(Cache::off()).retries(0).build().unwrap()
}

fn said(answer: &Answer) -> &str {
    &answer.response.choices[0].text
}

#[tokio::test(start_paused = true)]
async fn a_deadline_covers_everything_that_a_call_waits_for() {
    let start = tokio::time::Instant::now();
    let busy = Sometimes::new("own/busy", 10, usize::MAX, LmErrorKind::RateLimit);
    let slow = Sometimes::new("own/slow", 100_000, 0, LmErrorKind::Server);
    for model in [&busy, &slow] {
        let lm =
            LM::wrap(model.clone()).cache(Cache::off()).deadline(Duration::from_secs(2)).build().unwrap();
        for error in [lm.generate(ask(0)).await.unwrap_err(), lm.stream(ask(1)).finish().await.unwrap_err()] {
            assert!(
                error.kind == LmErrorKind::Timeout && error.message.contains("deadline of 2 s"),
                "{error}"
            );
        }
    }
    assert_eq!(start.elapsed().as_secs(), 8);
    let lm = once(&slow).with_deadline(Duration::from_secs(2)).with_deadline(None);
    assert!(lm.generate(ask(0)).await.is_ok(), "a deadline can be taken away");
    // Whoever waits for an equal request is bound by its own.
    let lm = LM::wrap(slow.clone()).build().unwrap();
    let hasty = lm.with_deadline(Duration::from_secs(3));
    let (patient, hasty) = tokio::join!(lm.generate(ask(2)), hasty.generate(ask(2)));
    assert!(patient.is_ok() && hasty.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_stops_its_request() {
    let slow = Sometimes::new("own/slow", 1000, 0, LmErrorKind::Server);
    let lm = LM::wrap(slow.clone()).cache(Cache::off()).concurrency(1).build().unwrap();
    for n in 0..3 {
        assert!(tokio::time::timeout(Duration::from_millis(500), lm.generate(ask(n))).await.is_err());
    }
    assert!(lm.generate(ask(3)).await.is_ok(), "its place is free again");
    assert_eq!((slow.asked(), slow.answered.load(Ordering::SeqCst)), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_sent_a_second_time() {
    /// The first request of two takes ten seconds.
    struct Lame(AtomicUsize);
    impl dspy_core::lm::LanguageModel for Lame {
        fn id(&self) -> &str {
            "own/lame"
        }
        fn generate<'a>(
            &'a self,
            _: &'a Request,
        ) -> dspy_core::lm::BoxFuture<'a, Result<dspy_core::lm::Response, LmError>> {
            Box::pin(async {
                let number = self.0.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(if number.is_multiple_of(2) { 10 } else { 1 })).await;
                Ok(dspy_core::lm::Response::text(format!("{number}")))
            })
        }
    }
    let lame = Arc::new(Lame(AtomicUsize::new(0)));
    let hedged = |places| {
        let builder = LM::wrap(lame.clone()).cache(Cache::off()).concurrency(places);
        builder.hedge_after(Duration::from_secs(2)).build().unwrap()
    };
    let start = tokio::time::Instant::now();
    assert_eq!(said(&hedged(2).generate(ask(0)).await.unwrap()), "1");
    assert_eq!((start.elapsed().as_secs(), lame.0.load(Ordering::SeqCst)), (3, 2));
    assert_eq!(said(&hedged(1).generate(ask(0)).await.unwrap()), "2", "there is no place for a second one");
    assert_eq!(said(&hedged(2).generate(ask(0)).await.unwrap()), "3", "answered before it was too late");
    assert_eq!(lame.0.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn models_stand_in_for_each_other() {
    let first = Sometimes::new("own/first", 1, 2, LmErrorKind::Server);
    let second = Sometimes::new("own/second", 1, 1, LmErrorKind::Auth);
    let lm = LM::fallback([once(&first), once(&second)]).unwrap();
    assert_eq!(lm.id(), "fallback(own/first, own/second)");
    let error = lm.generate(ask(0)).await.unwrap_err();
    assert_eq!(error.kind, LmErrorKind::Auth);
    assert!(error.message.contains("before that, own/first: server"), "{error}");
    assert_eq!(said(&lm.generate(ask(0)).await.unwrap()), "own/second");
    assert_eq!(said(&lm.generate(ask(0)).await.unwrap()), "own/first");
    let streamed = lm.stream(ask(0)).finish().await.unwrap();
    assert_eq!(said(&streamed), "own/first");
    assert_eq!((first.asked(), second.asked()), (4, 2));
    assert_eq!(lm.usage().calls, 3);
    assert!(LM::fallback([]).is_err());
    // What was answered by one is in the cache for both.
    let cached = LM::wrap(first.clone()).build().unwrap();
    let lm = LM::fallback([cached, once(&second)]).unwrap();
    assert!(!lm.generate(ask(0)).await.unwrap().cached && lm.generate(ask(0)).await.unwrap().cached);
}

#[tokio::test(start_paused = true)]
async fn models_take_turns_and_one_that_pauses_is_passed_over() {
    let a = Sometimes::new("own/a", 1, 0, LmErrorKind::Server);
    let b = Sometimes::new("own/b", 1, usize::MAX, LmErrorKind::RateLimit);
    let c = Sometimes::new("own/c", 1, 0, LmErrorKind::Server);
    let limited = |model: &Arc<Sometimes>| {
        let policy = RetryPolicy::new().retries(1).rate_limit_timeout(Duration::from_secs(3));
        LM::wrap(model.clone()).cache(Cache::off()).retry(policy).build().unwrap()
    };
    let lm = LM::round_robin([limited(&a), limited(&b), limited(&c)]).unwrap();
    assert!(all(&lm, 300, 10).await.iter().all(Result::is_ok));
    let [a, b, c] = [a.asked(), b.asked(), c.asked()];
    assert!(a + c == 300 && a.abs_diff(c) < 60 && b < 20, "{a} {b} {c}");
}

/// Calls that are given up while they wait for their turn have not used it.
#[tokio::test(start_paused = true)]
async fn who_is_given_up_before_its_turn_leaves_it_to_others() {
    let model = Sometimes::new("own/quick", 1, 0, LmErrorKind::Server);
    let builder = LM::wrap(model.clone()).cache(Cache::off()).deadline(Duration::from_secs(2));
    let lm = builder.requests_per_minute(60).build().unwrap();
    let mut answered = 0;
    for _ in 0..10 {
        answered += all(&lm, 100, 100).await.iter().filter(|answer| answer.is_ok()).count();
    }
    // Every other one is reached by its deadline on the way.
    assert!(answered >= 10 && (19..=22).contains(&model.asked()), "{answered} of {}", model.asked());
    let start = tokio::time::Instant::now();
    assert!(lm.with_deadline(None).generate(ask(0)).await.is_ok());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

/// A refusal says itself what is left, and nothing else does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_refusal_says_is_left_is_heeded() {
    let mut without = 0;
    for tells in [false, true] {
        let bucket = Bucket::new(100.0, 20.0);
        let own = bucket.clone();
        let server = Server::start(move |call| {
            if own.takes() {
                return Reply::completion(call.json()["messages"][0]["content"].as_str().unwrap());
            }
            let refusal = Reply::error(429, "slow down");
            if !tells {
                return refusal;
            }
            let (left, reset) = own.left();
            refusal
                .with_header("x-ratelimit-limit-requests", "20")
                .with_header("x-ratelimit-remaining-requests", &left.floor().to_string())
                .with_header("x-ratelimit-reset-requests", &format!("{}ms", (1000.0 * reset).round()))
        })
        .await;
        let lm = builder(&server).concurrency(48).retry(quick()).build().unwrap();
        assert!(all(&lm, 200, 200).await.iter().all(Result::is_ok));
        let refused = bucket.refused.load(Ordering::SeqCst);
        match tells {
            false => without = refused,
            true => {
                assert!(refused * 2 < without, "{refused} were refused, and {without} without the headers");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_can_answer_nothing_comes_last_for_a_while() {
    for kind in [LmErrorKind::Quota, LmErrorKind::Auth, LmErrorKind::Transport] {
        for turns in [false, true] {
            let dead = Sometimes::new("own/dead", 1, 2, kind);
            let spare = Sometimes::new("own/spare", 1, 0, LmErrorKind::Server);
            let models = [once(&dead), once(&spare)];
            let lm = if turns { LM::round_robin(models) } else { LM::fallback(models) }.unwrap();
            assert!(all(&lm, 100, 1).await.iter().all(Result::is_ok));
            assert_eq!((dead.asked(), spare.asked()), (1, 100), "{kind}, {turns}");
            // One request finds out whether it is there again: not yet, and then it is.
            tokio::time::advance(Duration::from_secs(31)).await;
            assert!(all(&lm, 100, 100).await.iter().all(Result::is_ok));
            assert_eq!((dead.asked(), spare.asked()), (2, 200), "{kind}, {turns}");
            tokio::time::advance(Duration::from_secs(31)).await;
            assert!(all(&lm, 100, 1).await.iter().all(Result::is_ok));
            assert!(dead.asked() >= 50, "{kind}, {turns}: {}", dead.asked());
        }
    }
}

/// Several models share their cached answers only with those that are reached and asked alike.
#[tokio::test]
async fn what_several_models_are_asked_with_tells_their_answers_apart() {
    use dspy_core::lm::Options;

    let server = Server::start(|call| Reply::completion(&call.number.to_string())).await;
    let cache = Cache::memory(100);
    let over = |header: &str, key: &str, options: Options| {
        let lm = LM::builder("openai/m").api_base(server.api_base()).header("x-variant", header).api_key(key);
        LM::fallback([lm.cache(cache.clone()).options(options).build().unwrap()]).unwrap()
    };
    let plain = Options::new;
    for (lm, answer) in [
        (over("a", "key-one", plain()), "0"),
        (over("b", "key-one", plain()), "1"),
        (over("a", "key-one", plain().temperature(0.5)), "2"),
        (over("a", "key-one", plain().header("x-b", "1")), "3"),
        // Another key, or whatever else is secret, asks for nothing anew.
        (over("a", "key-two", plain()), "0"),
        (over("a", "key-one", plain().header("Authorization", "Bearer other")), "0"),
    ] {
        assert_eq!(said(&lm.generate(ask(0)).await.unwrap()), answer);
    }
}
