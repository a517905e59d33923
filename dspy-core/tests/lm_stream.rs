//! Answers as they are generated, and the history of requests.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::time::Duration;

use dspy_core::{
    LmError, LmErrorKind,
    lm::{
        Answer, Cache, Delta, FinishReason, LM, Message, Request, ResponseStream, RetryPolicy, StreamEvent,
        history,
    },
};
use support::{Ending, Reply, Server};

fn lm(server: &Server) -> LM {
    LM::builder("openai/m")
        .api_base(server.api_base())
        .cache(Cache::memory(10))
        .retry(RetryPolicy::new().base(Duration::from_millis(1)))
        .build()
        .unwrap()
}

fn ask(text: &str) -> Request {
    Request::new(vec![Message::user(text)])
}

async fn collect(mut stream: ResponseStream) -> (Vec<Delta>, Result<Answer, LmError>) {
    let mut deltas = Vec::new();
    loop {
        match stream.next().await {
            Some(Ok(StreamEvent::Delta(delta))) => deltas.push(delta),
            Some(Ok(StreamEvent::Done(answer))) => {
                assert!(stream.next().await.is_none());
                return (deltas, Ok(answer));
            }
            Some(Ok(other)) => panic!("{other:?}"),
            Some(Err(e)) => return (deltas, Err(e)),
            None => panic!("the stream ended without an end"),
        }
    }
}

const STREAM: [&str; 7] = [
    ": a comment\r\n\r\ndata: {\"id\":\"s1\",\"model\":\"m-2025\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\nda",
    "ta: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n",
    "\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\",\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\"\"}}]}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1,}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n",
    "data: [DONE]\n\n",
];

#[tokio::test]
async fn pieces_arrive_and_make_the_whole() {
    let server = Server::replying(vec![Reply::events(&STREAM, Ending::Open)]).await;
    let lm = lm(&server);
    let (deltas, answer) = collect(lm.stream(ask("a"))).await;
    let answer = answer.unwrap();
    let texts: Vec<_> = deltas.iter().map(|d| &*d.text).filter(|t| !t.is_empty()).collect();
    assert_eq!(texts, ["Hel", "lo"]);
    assert_eq!(deltas[0].reasoning, "hm");
    let choice = &answer.response.choices[0];
    assert_eq!(
        (&*choice.text, choice.reasoning.as_deref(), &choice.finish),
        ("Hello", Some("hm"), &FinishReason::ToolCalls)
    );
    assert_eq!(choice.tool_calls[0].args["a"], 1);
    assert_eq!(
        (answer.usage().prompt_tokens, answer.usage().completion_tokens, &*answer.response.id),
        (7, 3, "s1")
    );
    let body = server.last().json();
    assert_eq!(body["stream"], true);
    assert_eq!(body["stream_options"]["include_usage"], true);

    let (replayed, again) = collect(lm.stream(ask("a"))).await;
    assert!(again.unwrap().cached);
    assert_eq!((replayed.len(), &*replayed[0].text), (1, "Hello"));
    assert!(lm.generate(ask("a")).await.unwrap().cached, "streamed or not, it is the same answer");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error_and_not_kept() {
    let server = Server::replying(vec![
        Reply::events(&STREAM[..4], Ending::Broken),
        Reply::events(&STREAM[..4], Ending::Proper),
        Reply::events(&STREAM, Ending::Proper),
    ])
    .await;
    let lm = lm(&server);
    for _ in 0..2 {
        let (deltas, answer) = collect(lm.stream(ask("a"))).await;
        assert_eq!(answer.unwrap_err().kind, LmErrorKind::Transport);
        assert!(!deltas.is_empty(), "what was handed over cannot be taken back, so it is not tried again");
    }
    assert!(!collect(lm.stream(ask("a"))).await.1.unwrap().cached);
}

#[tokio::test]
async fn failures_before_the_first_piece_are_repeated() {
    let server = Server::replying(vec![
        Reply::error(503, "busy"),
        Reply::events(&["data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n"], Ending::Proper),
        Reply::events(&STREAM, Ending::Proper),
    ])
    .await;
    assert_eq!(lm(&server).stream(ask("a")).finish().await.unwrap().response.choices[0].text, "Hello");
    assert_eq!(server.count(), 3);
    let server = Server::replying(vec![Reply::error(401, "no")]).await;
    assert_eq!(lm(&server).stream(ask("a")).finish().await.unwrap_err().kind, LmErrorKind::Auth);
}

#[tokio::test]
async fn a_dropped_stream_is_not_kept() {
    let server = Server::start(|call| match call.number {
        0 => Reply::events(&STREAM[..3], Ending::Open),
        _ => Reply::completion("whole"),
    })
    .await;
    let lm = lm(&server);
    let mut stream = lm.stream(ask("a"));
    assert!(matches!(stream.next().await, Some(Ok(StreamEvent::Delta(_)))));
    drop(stream);
    let (deltas, answer) = collect(lm.stream(ask("a"))).await;
    assert!(!answer.unwrap().cached);
    assert_eq!(deltas, [Delta::text(0, "whole")], "a server that does not stream is read as well");
}

#[tokio::test]
async fn the_history_shows_what_was_asked_and_answered() {
    let server = Server::start(|call| match call.number {
        1 => Reply::error(400, "not like this"),
        _ => Reply::completion("the answer is 4"),
    })
    .await;
    let lm = LM::builder("openai/history-model")
        .api_base(server.api_base())
        .cache(Cache::memory(10))
        .build()
        .unwrap();
    assert_eq!(lm.inspect_history(5).to_string(), "no request has been made\n");
    lm.generate(ask("2+2?")).await.unwrap();
    lm.generate(ask("2+2!")).await.unwrap_err();
    lm.generate(ask("2+2?")).await.unwrap();
    let shown = lm.inspect_history(3).to_string();
    for part in [
        "openai/history-model",
        "[user]\n2+2?\n",
        "[answer]\nthe answer is 4\n",
        "7 + 3 tokens",
        "not like this",
        "cached",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let entries: Vec<_> =
        history::recent(100).into_iter().filter(|e| &*e.model == "openai/history-model").collect();
    assert_eq!(entries.iter().map(|e| e.cached).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(entries.iter().map(|e| e.usage().calls).sum::<u64>(), 1);
}

#[tokio::test]
async fn an_event_without_an_end_is_given_up() {
    let chunks = std::iter::once(b"data: {\"choices\":[{\"delta\":{\"content\":\"".to_vec())
        .chain((0..40).map(|_| vec![b'x'; 1 << 20]))
        .collect();
    let headers = vec![("content-type".into(), "text/event-stream".into())];
    let server = Server::replying(vec![Reply::Chunks { headers, chunks, ending: Ending::Open }]).await;
    let lm =
        LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off()).retries(0).build().unwrap();
    let error = lm.stream(ask("a")).finish().await.unwrap_err();
    assert_eq!((error.kind, error.model.as_str()), (LmErrorKind::InvalidResponse, "openai/m"));
    assert!(error.message.contains("16 MiB"), "{error}");
}
