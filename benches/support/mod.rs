//! What the measurements share: a server in a process of its own, so that its work is not counted.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

pub mod clients;

#[path = "../../examples/support/http.rs"]
mod http;

use http::{Reply, Server};

const SERVE: &str = "DSPY_BENCH_SERVE";

/// In the process of the server: serves until its input is closed. Call it first in `main`.
pub fn serve_if_asked() {
    let Ok(latency) = std::env::var(SERVE) else { return };
    let latency = Duration::from_millis(latency.parse().unwrap_or(0));
    let content = "[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]";
    let body = serde_json::json!({
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": content },
            "finish_reason": "stop",
        }],
        "usage": { "prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110 },
    });
    let body = body.to_string().into_bytes();
    let server = Server::start(move |_| match latency {
        Duration::ZERO => Reply::ok(body.clone()),
        latency => Reply::After(latency, Box::new(Reply::ok(body.clone()))),
    });
    let Ok(server) = server else { std::process::exit(1) };
    println!("{}", server.api_base());
    // The parent closes this pipe when it ends.
    let _ = std::io::stdin().lines().count();
    std::process::exit(0);
}

/// A server process that answers every request after `latency`.
pub struct Remote {
    child: Child,
    pub api_base: String,
}

impl Remote {
    pub fn start(latency: Duration) -> std::io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(SERVE, latency.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut api_base = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut api_base)?;
        }
        Ok(Self { child, api_base: api_base.trim().into() })
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
