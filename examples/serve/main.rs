//! A model behind an endpoint that speaks OpenAI's protocol, so that any client can use it.
//!
//! ```text
//! cargo run --release -p dspy-examples --features serve --bin serve -- --model local/path/to/model
//!
//! curl http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' \
//!     -d '{"model": "model", "messages": [{"role": "user", "content": "Hello"}]}'
//! ```
//!
//! | option | means |
//! |---|---|
//! | `--model` | the model: `local/` and a folder or a GGUF file, or `provider/name` as everywhere |
//! | `--name` | the name under which clients ask for it; without it, the last part of `--model` |
//! | `--bind` | address and port, `127.0.0.1:8080`; with port 0, any free one, which is printed |
//! | `--api-key` | the key that clients must show; `SERVE_API_KEY` in the environment does the same unseen by others |
//! | `--api-base` | the endpoint of a model of a provider |
//!
//! Served are `POST /v1/chat/completions`, `GET /v1/models`, `GET /v1/models/NAME` and `GET /health`. Of the parameters
//! of a chat completion `messages`, `temperature`, `top_p`, `top_k`, `max_tokens` or `max_completion_tokens`, `stop`,
//! `seed`, `n`, `logprobs`, `top_logprobs`, `stream` and `stream_options` are taken, `response_format` and `tools` where
//! the model can do it. Others are refused with status 400 and their name, unless they hold the value that asks for
//! nothing (`"presence_penalty": 0`).
//!
//! A model of this library reaches it as `openai/NAME`. One that cannot be held to JSON, as those of `local/`, is told so:
//!
//! ```text
//! let can = Capabilities::none().streaming(true);
//! let lm = LM::builder("openai/model").api_base("http://127.0.0.1:8080/v1").capabilities(can).build()?;
//! ```
//!
//! A client that hangs up stops its answer. Ctrl-C finishes the answers under way, a second Ctrl-C does not.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod api;

use api::Service;
use dspy::{Error, LM, Result};
use tokio::net::TcpListener;

const OPTIONS: &[&str] = &["--model", "--name", "--bind", "--api-key", "--api-base"];

#[tokio::main]
async fn main() -> Result<()> {
    let options = options()?;
    let option = |name: &str| options.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let Some(model) = option("--model") else { return Err(usage("--model is missing")) };
    let mut lm = LM::builder(model);
    if let Some(base) = option("--api-base") {
        lm = lm.api_base(base);
    }
    let mut service = Service::new(lm.build()?);
    if let Some(name) = option("--name") {
        service = service.name(name);
    }
    let from_env = || std::env::var("SERVE_API_KEY").ok().filter(|key| !key.is_empty());
    let key = option("--api-key").or_else(from_env);
    let open = key.is_none();
    if let Some(key) = key {
        service = service.key(key);
    }

    let bind = option("--bind").unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(&bind)
        .await
        .map_err(|e| Error::other(format!("--bind {bind}: {e}; write it as 127.0.0.1:8080")))?;
    let address = listener.local_addr()?;
    if open && !address.ip().is_loopback() {
        eprintln!("Whoever reaches {address} can use the model: set --api-key.");
    }
    println!("Serving the model `{}` at http://{address}/v1", service.served_name());
    let serving = service.run(listener, async {
        stopped().await;
        println!("Finishing the answers under way.");
    });
    tokio::select! {
        ended = serving => ended?,
        () = async { stopped().await; stopped().await } => {}
    }
    Ok(())
}

/// Waits for Ctrl-C or, where there is one, the signal to terminate.
async fn stopped() {
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => _ = terminate.recv().await,
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}

/// The command line as options and their values.
fn options() -> Result<Vec<(String, String)>> {
    let mut options = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (arg, None),
        };
        if !OPTIONS.contains(&&*name) {
            return Err(usage(&format!("the option {name} is unknown")));
        }
        let value = value.or_else(|| args.next()).ok_or_else(|| usage(&format!("{name} needs a value")))?;
        options.push((name, value));
    }
    Ok(options)
}

fn usage(wrong: &str) -> Error {
    Error::other(format!("{wrong}\noptions: {}", OPTIONS.join(", ")))
}
