//! Access tokens that are renewed.

use std::{
    future::ready,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use dspy_core::lm::{AccessToken, TokenError, TokenSource};

use super::*;

const MODELS: [&str; 5] =
    ["vertex_ai/gemini-2.5-flash", "azure/gpt-4o", "databricks/m", "anthropic/claude-haiku-4-5", "openai/m"];

fn answer(model: &str) -> Value {
    match model.split('/').next() {
        Some("vertex_ai") => gemini::provider().plain,
        Some("anthropic") => anthropic::provider().plain,
        _ => {
            json!({"id": "r1", "model": "m", "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]})
        }
    }
}

/// A server that takes only the tokens from this number on, and repeats what it refuses.
async fn server(model: &str, good: usize) -> Server {
    let answer = answer(model);
    Server::start(move |call| {
        let sent = call.header("authorization").unwrap_or_default().to_owned();
        let number = sent.strip_prefix("Bearer token-number-").and_then(|n| n.parse::<usize>().ok());
        match number.is_some_and(|n| n >= good) {
            true => Reply::json(200, &answer),
            false => Reply::error(401, &format!("expired: {sent}")),
        }
    })
    .await
}

/// Gives `token-number-0`, `token-number-1` and so on.
fn counting(given: &Arc<AtomicUsize>, lifetime: Option<Duration>) -> impl TokenSource + use<> {
    let given = given.clone();
    move || {
        let token = AccessToken::new(format!("token-number-{}", given.fetch_add(1, Ordering::SeqCst)));
        ready(Ok::<_, TokenError>(match lifetime {
            Some(lifetime) => token.expires_in(lifetime),
            None => token,
        }))
    }
}

fn at(model: &str, server: &Server, source: impl TokenSource) -> LM {
    let builder = LM::builder(model).api_base(server.api_base()).token_source(source);
    builder.cache(Cache::off()).retry(RetryPolicy::none()).build().unwrap()
}

fn asking(n: u64) -> Request {
    Request::new(vec![Message::user(format!("number {n}"))])
}

#[tokio::test]
async fn a_token_is_sent_by_every_protocol_and_kept_while_it_is_good() {
    for model in MODELS {
        let (server, given) = (server(model, 0).await, Arc::default());
        let lm = at(model, &server, counting(&given, Some(Duration::from_secs(3600))));
        for n in 0..3 {
            lm.clone().generate(asking(n)).await.unwrap();
        }
        let mut stream = lm.stream(asking(9));
        while let Some(event) = stream.next().await {
            event.unwrap();
        }
        assert_eq!((given.load(Ordering::SeqCst), server.count()), (1, 4), "{model}");
        let call = server.last();
        assert!(call.header("api-key").is_none() && call.header("x-api-key").is_none(), "{model}");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    for model in MODELS {
        // Many requests with an old token at once: one of them has it replaced for all.
        let (server, given) = (server(model, 1).await, Arc::default());
        let lm = at(model, &server, counting(&given, None));
        let all = (0..20).map(|n| {
            let lm = lm.clone();
            tokio::spawn(async move { lm.generate(asking(n)).await.map(|_| ()) })
        });
        for task in all.collect::<Vec<_>>() {
            task.await.unwrap().unwrap();
        }
        assert_eq!(given.load(Ordering::SeqCst), 2, "{model}");
        let mut stream = lm.stream(asking(99));
        assert!(stream.next().await.unwrap().is_ok());
    }
    // One that is never good is asked for twice, and not shown.
    let (server, given) = (server("openai/m", 1000).await, Arc::default());
    let lm = at("openai/m", &server, counting(&given, None));
    let error = lm.generate(hello()).await.unwrap_err();
    assert_eq!((error.kind, given.load(Ordering::SeqCst), server.count()), (LmErrorKind::Auth, 2, 2));
    let shown = format!("{error} {error:?} {lm:?} {} {}", lm.state(), lm.inspect_history(9));
    assert!(shown.contains("[redacted]") && !shown.contains("token-number"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_replaced_before_it_expires_and_used_till_then_if_there_is_no_other() {
    let given: Arc<AtomicUsize> = Arc::default();
    let source = {
        let given = given.clone();
        move || {
            let n = given.fetch_add(1, Ordering::SeqCst);
            // The second and third time, nobody answers.
            ready(match n {
                1 | 2 => Err("the metadata server is away"),
                n => Ok(AccessToken::new(format!("token-number-{n}")).expires_in(Duration::from_secs(1000))),
            })
        }
    };
    let server = server("openai/m", 0).await;
    let lm = at("openai/m", &server, source);
    let sent = async || {
        lm.generate(asking(given.load(Ordering::SeqCst) as u64)).await.map(|_| ())?;
        Ok::<_, LmError>(server.last().header("authorization").unwrap().to_owned())
    };
    assert_eq!(sent().await.unwrap(), "Bearer token-number-0");
    tokio::time::advance(Duration::from_secs(880)).await;
    assert_eq!((sent().await.unwrap(), given.load(Ordering::SeqCst)), ("Bearer token-number-0".into(), 1));
    // A tenth of its life is left.
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!((sent().await.unwrap(), given.load(Ordering::SeqCst)), ("Bearer token-number-0".into(), 2));
    tokio::time::advance(Duration::from_secs(100)).await;
    let error = sent().await.unwrap_err();
    assert!(
        error.kind == LmErrorKind::Transport && error.message.contains("metadata server is away"),
        "{error}"
    );
    assert_eq!(sent().await.unwrap(), "Bearer token-number-3");
}

#[tokio::test]
async fn a_source_says_what_is_wrong() {
    let server = server("openai/m", 0).await;
    let auth = || ready(Err::<AccessToken, _>(LmError::new(LmErrorKind::Auth, "m", "nobody is logged in")));
    let error = at("openai/m", &server, auth).generate(hello()).await.unwrap_err();
    assert!(error.kind == LmErrorKind::Auth && error.message.contains("nobody is logged in"), "{error}");
    let odd = || ready(Ok::<_, TokenError>("two\nlines"));
    let error = at("openai/m", &server, odd).generate(hello()).await.unwrap_err();
    assert!(error.kind == LmErrorKind::Configuration && !error.message.contains("lines"), "{error}");
    assert_eq!(server.count(), 0);
    let both = LM::builder("openai/m").api_key("k").token_source(odd).build().unwrap_err();
    assert!(both.message.contains("either api_key or token_source"), "{both}");
    // A blip is tried again like any other.
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let source = move || {
        let n = count.fetch_add(1, Ordering::SeqCst);
        ready(if n == 0 { Err("away") } else { Ok("token-number-1") })
    };
    let lm = LM::builder("openai/m").api_base(server.api_base()).token_source(source).cache(Cache::off());
    let lm = lm.retry(RetryPolicy::new().base(Duration::ZERO)).build().unwrap();
    lm.generate(hello()).await.unwrap();
}
