//! What the server of the simulated model says of itself.

use dspy::{Error, Result};
use serde::Deserialize;

/// The server behind an address of the API.
pub struct Server {
    root: String,
    client: reqwest::Client,
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
        let root = api_base.trim_end_matches('/').trim_end_matches("/v1").to_owned();
        let client = reqwest::Client::builder().build().map_err(Error::other)?;
        Ok(Self { root, client })
    }

    pub async fn reset(&self) -> Result<()> {
        self.get("reset").await.map(|_| ())
    }

    pub async fn stats(&self) -> Result<Stats> {
        Ok(serde_json::from_str(&self.get("stats").await?)?)
    }

    async fn get(&self, path: &str) -> Result<String> {
        let sent = self.client.get(format!("{}/{path}", self.root)).send().await;
        let answer = sent.and_then(reqwest::Response::error_for_status).map_err(Error::other)?;
        answer.text().await.map_err(Error::other)
    }
}
