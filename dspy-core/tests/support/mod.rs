//! A small HTTP/1.1 server for tests, on a free port of this machine: real sockets, scripted answers.
//!
//! ```ignore
//! let server = Server::start(|call| Reply::completion(&format!("answer {}", call.number))).await;
//! let lm = LM::builder("openai/m").api_base(server.api_base()).build()?;
//! ```
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// One request as the server got it.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// How many requests came before, over all connections.
    pub number: usize,
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// An ordinary answer.
    Full { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// An answer in chunks, each sent apart (`Transfer-Encoding: chunked`).
    Chunks { headers: Vec<(String, String)>, chunks: Vec<Vec<u8>>, ending: Ending },
    /// The connection is closed without a word.
    Reset,
    /// Half of the body is sent, then the connection is closed.
    HalfBody(Vec<u8>),
    /// Another reply after a while.
    After(Duration, Box<Reply>),
    /// Nothing, for ever.
    Never,
}

/// How an answer in chunks ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ending {
    Proper,
    /// The connection is closed before the last chunk.
    Broken,
    /// It stays open and silent.
    Open,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, &body.to_string())
    }

    pub fn text(status: u16, body: &str) -> Self {
        let headers = vec![("content-type".into(), "application/json".into())];
        Self::Full { status, headers, body: body.into() }
    }

    /// A chat completion of one answer.
    pub fn completion(text: &str) -> Self {
        Self::json(200, &completion(text))
    }

    /// An error object as OpenAI sends it.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, &json!({"error": {"message": message, "type": "t", "code": null}}))
    }

    /// An event stream, cut into these chunks.
    pub fn events(chunks: &[&str], ending: Ending) -> Self {
        Self::Chunks {
            headers: vec![("content-type".into(), "text/event-stream".into())],
            chunks: chunks.iter().map(|c| c.as_bytes().to_vec()).collect(),
            ending,
        }
    }

    /// A stream of another type, cut into these chunks.
    pub fn stream(content_type: &str, chunks: Vec<Vec<u8>>) -> Self {
        let headers = vec![("content-type".into(), content_type.into())];
        Self::Chunks { headers, chunks, ending: Ending::Proper }
    }

    pub fn with_header(self, name: &str, value: &str) -> Self {
        match self {
            Self::Full { status, mut headers, body } => {
                headers.push((name.into(), value.into()));
                Self::Full { status, headers, body }
            }
            Self::Chunks { mut headers, chunks, ending } => {
                headers.push((name.into(), value.into()));
                Self::Chunks { headers, chunks, ending }
            }
            other => other,
        }
    }

    pub fn after(self, delay: Duration) -> Self {
        Self::After(delay, Box::new(self))
    }
}

/// The body of a chat completion of one answer.
pub fn completion(text: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": "m-2025",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    })
}

type Handler = dyn Fn(&Call) -> Reply + Send + Sync;

/// A running server, which ends with the test's runtime.
pub struct Server {
    port: u16,
    count: Arc<AtomicUsize>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Server {
    /// Starts a server that answers each request as `handler` says.
    pub async fn start(handler: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let count = Arc::new(AtomicUsize::new(0));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (handler, shared, log): (Arc<Handler>, _, _) = (Arc::new(handler), count.clone(), calls.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let _ = socket.set_nodelay(true);
                tokio::spawn(serve(socket, handler.clone(), shared.clone(), log.clone()));
            }
        });
        Self { port, count, calls }
    }

    /// Starts a server that gives these replies in turn, the last one again and again.
    pub async fn replying(replies: Vec<Reply>) -> Self {
        Self::start(move |call| replies[call.number.min(replies.len() - 1)].clone()).await
    }

    /// What to set as `api_base`.
    pub fn api_base(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// How many requests have come.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// The requests that have come.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub fn last(&self) -> Call {
        self.calls().pop().expect("a request has come")
    }
}

async fn serve(
    mut socket: TcpStream,
    handler: Arc<Handler>,
    count: Arc<AtomicUsize>,
    log: Arc<Mutex<Vec<Call>>>,
) {
    let mut buffer = Vec::new();
    while let Some(mut call) = read(&mut socket, &mut buffer).await {
        call.number = count.fetch_add(1, Ordering::SeqCst);
        let mut reply = handler(&call);
        log.lock().unwrap().push(call);
        while let Reply::After(delay, then) = reply {
            tokio::time::sleep(delay).await;
            reply = *then;
        }
        let sent = match reply {
            Reply::Full { status, headers, body } => {
                let mut out = head(status, &headers);
                out.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
                out.extend_from_slice(&body);
                socket.write_all(&out).await.is_ok()
            }
            Reply::Chunks { headers, chunks, ending } => {
                chunked(&mut socket, &headers, &chunks, ending).await && ending == Ending::Proper
            }
            Reply::Reset => false,
            Reply::HalfBody(body) => {
                let mut out = head(200, &[]);
                out.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
                out.extend_from_slice(&body[..body.len() / 2]);
                let _ = socket.write_all(&out).await;
                false
            }
            Reply::Never => std::future::pending().await,
            Reply::After(..) => unreachable!("unwound above"),
        };
        if !sent {
            return;
        }
    }
}

async fn chunked(
    socket: &mut TcpStream,
    headers: &[(String, String)],
    chunks: &[Vec<u8>],
    ending: Ending,
) -> bool {
    let mut out = head(200, headers);
    out.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    let mut fine = socket.write_all(&out).await.is_ok();
    for chunk in chunks {
        let mut out = format!("{:x}\r\n", chunk.len()).into_bytes();
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
        fine &= socket.write_all(&out).await.is_ok();
        // So that the chunks reach the client apart.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    match ending {
        Ending::Proper => fine && socket.write_all(b"0\r\n\r\n").await.is_ok(),
        Ending::Broken => false,
        Ending::Open => std::future::pending().await,
    }
}

fn head(status: u16, headers: &[(String, String)]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status} X\r\n");
    for (name, value) in headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    out.into_bytes()
}

/// Reads one request; `None` when the client is gone.
async fn read(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Call> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(buffer[..end].to_vec()).ok()?;
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(n, _)| n == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
    while buffer.len() < end + 4 + length {
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = buffer[end + 4..end + 4 + length].to_vec();
    buffer.drain(..end + 4 + length);
    Some(Call { method, path, headers, body, number: 0 })
}
