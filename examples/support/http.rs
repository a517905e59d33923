//! A small HTTP/1.1 server on 127.0.0.1, for demonstrations, tests and measurements.
#![allow(dead_code, unreachable_pub)]

use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, thread, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

/// One request.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub body: Vec<u8>,
}

/// What is sent back.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A whole JSON answer.
    Json(u16, Vec<u8>),
    /// An answer that breaks off after half of its body.
    Half(Vec<u8>),
    /// The connection is closed without an answer.
    Reset,
    /// Another reply after a while.
    After(Duration, Box<Reply>),
}

impl Reply {
    /// A JSON answer with status 200.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Json(200, body.into())
    }
}

type Handler = dyn Fn(Request) -> Reply + Send + Sync;

/// A running server. It ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Starts a server on a free port, in a thread of its own.
    pub fn start(handler: impl Fn(Request) -> Reply + Send + Sync + 'static) -> io::Result<Self> {
        Self::start_at(0, handler)
    }

    /// Starts a server on this port.
    pub fn start_at(
        port: u16,
        handler: impl Fn(Request) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let handler: Arc<Handler> = Arc::new(handler);
        let thread = thread::spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(listener, handler) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// The base address of the API, such as `http://127.0.0.1:4000/v1`.
    pub fn api_base(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, handler: Arc<Handler>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let handler = handler.clone();
                tokio::spawn(async move {
                    // A client that goes away is none of the server's business.
                    let _ = converse(stream, &*handler).await;
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn converse(mut stream: TcpStream, handler: &Handler) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(request) = receive(&mut stream, &mut buffer).await? {
        if !send(&mut stream, handler(request)).await? {
            break;
        }
    }
    Ok(())
}

/// Reads one request; `None` when the client has closed the connection.
async fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (first.next().unwrap_or_default().into(), first.next().unwrap_or_default().into());
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0usize);
    while buffer.len() < head_end + length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let body = buffer[head_end..head_end + length].to_vec();
    buffer.drain(..head_end + length);
    Ok(Some(Request { method, path, body }))
}

/// Sends a reply; whether the connection stays open.
fn send(stream: &mut TcpStream, reply: Reply) -> Pin<Box<dyn Future<Output = io::Result<bool>> + Send + '_>> {
    Box::pin(async move {
        match reply {
            Reply::After(wait, reply) => {
                tokio::time::sleep(wait).await;
                send(stream, *reply).await
            }
            Reply::Reset => Ok(false),
            Reply::Json(status, body) => {
                let mut bytes = head(status, body.len()).into_bytes();
                bytes.extend_from_slice(&body);
                stream.write_all(&bytes).await?;
                Ok(true)
            }
            Reply::Half(body) => {
                let mut bytes = head(200, body.len()).into_bytes();
                bytes.extend_from_slice(&body[..body.len() / 2]);
                stream.write_all(&bytes).await?;
                Ok(false)
            }
        }
    })
}

fn head(status: u16, length: usize) -> String {
    let retry = if status == 429 { "retry-after: 0\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\n{retry}content-length: {length}\r\n\r\n"
    )
}
