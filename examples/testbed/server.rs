//! What the server of the simulated model says of itself.

use dspy::{Error, Result};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// The server behind an address of the API.
pub struct Server {
    address: String,
}

/// What was asked since the last reset.
#[derive(Deserialize)]
pub struct Stats {
    pub task: Counts,
    pub proposer: Counts,
    pub total: Counts,
    pub dollars: f64,
}

/// Calls are counted by answers: a request for nine is nine.
#[derive(Deserialize)]
pub struct Counts {
    pub choices: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
}

impl Server {
    pub fn new(api_base: &str) -> Result<Self> {
        let address = api_base.trim_end_matches('/').trim_end_matches("/v1").strip_prefix("http://");
        let wrong = || Error::other(format!("{api_base} is not the address of a server of the testbed"));
        Ok(Self { address: address.ok_or_else(wrong)?.to_owned() })
    }

    pub async fn reset(&self) -> Result<()> {
        self.get("/reset").await.map(|_: Value| ())
    }

    pub async fn stats(&self) -> Result<Stats> {
        self.get("/stats").await
    }

    /// A page of the server, which has no TLS and sends the length of every answer.
    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let read = async {
            let mut stream = BufReader::new(TcpStream::connect(&self.address).await?);
            let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
            stream.write_all(request.as_bytes()).await?;
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await?;
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().unwrap_or(0);
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            std::io::Result::Ok(body)
        };
        let body = read.await.map_err(|e| Error::other(format!("http://{}{path}: {e}", self.address)))?;
        Ok(serde_json::from_slice(&body)?)
    }
}
