//! A ColBERTv2 server.

use std::{fmt, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Passage, Retriever, observed,
    store::service::{Service, Setup},
};
use crate::{
    Result, RetrievalError,
    lm::{BoxFuture, RetryPolicy},
};

/// A server of ColBERTv2 (Santhanam et al. 2022): `GET api/search?query=..&k=..`, which answers with the best passages and
/// their scores. Cheap to clone.
///
/// ```no_run
/// # async fn run() -> dspy_core::Result<()> {
/// use dspy_core::retrieve::{Colbert, Retriever};
///
/// let wiki = Colbert::new("http://localhost:8893/api/search")?;
/// let best = wiki.search("Which river flows through Vienna?", 3).await?;
/// # let _ = best; Ok(()) }
/// ```
#[derive(Clone)]
pub struct Colbert {
    inner: Arc<Inner>,
}

struct Inner {
    service: Service,
    path: String,
}

/// Sets up a [`Colbert`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ColbertBuilder {
    url: String,
    timeout: Option<Duration>,
    retry: RetryPolicy,
}

#[derive(Deserialize)]
struct Found {
    topk: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    text: String,
    #[serde(default)]
    pid: Value,
    #[serde(default)]
    score: Option<f32>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Colbert {
    /// The server at this address, as in `http://localhost:8893/api/search`.
    ///
    /// # Errors
    /// [`Error::Retrieval`](crate::Error::Retrieval) when the address makes no sense.
    pub fn new(url: impl Into<String>) -> Result<Self> {
        Self::builder(url).build()
    }

    /// Sets up the server at this address.
    pub fn builder(url: impl Into<String>) -> ColbertBuilder {
        ColbertBuilder { url: url.into(), timeout: None, retry: RetryPolicy::default() }
    }
}

impl ColbertBuilder {
    /// Sets how long one request may take: 60 s unless set.
    pub fn timeout(mut self, t: Duration) -> Self {
        self.timeout = Some(t);
        self
    }

    /// Sets how requests are sent again when the server cannot be reached or fails.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The server. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Retrieval`](crate::Error::Retrieval) when the address makes no sense.
    pub fn build(self) -> Result<Colbert> {
        let url = self.url.trim_end_matches('/');
        let name = format!("ColBERT server {url}");
        let Some((base, path)) = url.rsplit_once('/').filter(|(base, _)| !base.ends_with('/')) else {
            let message =
                "the address needs the path of the search, as in `http://localhost:8893/api/search`";
            return Err(RetrievalError::new(name, message).into());
        };
        let service = Service::new(Setup {
            name,
            url: base.to_owned(),
            key: None,
            key_header: ("authorization", ""),
            headers: Vec::new(),
            timeout: self.timeout,
            retry: self.retry,
        })?;
        Ok(Colbert { inner: Arc::new(Inner { service, path: path.to_owned() }) })
    }
}

impl Retriever for Colbert {
    fn search<'a>(&'a self, query: &'a str, k: usize) -> BoxFuture<'a, Result<Vec<Passage>>> {
        observed::search(
            "Colbert",
            query,
            k,
            Box::pin(async move {
                let Inner { service, path } = &*self.inner;
                let found = service.find(path, &[("query", query), ("k", &k.to_string())]).await?;
                let found =
                    found.ok_or_else(|| RetrievalError::new(service.name(), "there is no such path"))?;
                let Found { topk } = serde_json::from_value(found).map_err(|e| service.unreadable(e))?;
                // Servers return their own number of passages whatever was asked for.
                Ok(topk.into_iter().take(k).map(passage).collect())
            }),
        )
    }
}

fn passage(row: Row) -> Passage {
    let id = match row.pid {
        Value::String(id) => id,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let mut passage = Passage::new(row.text).id(id).score(row.score.unwrap_or_default());
    passage.metadata = row.others;
    passage
}

impl fmt::Debug for Colbert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Colbert").field("name", &self.inner.service.name()).finish_non_exhaustive()
    }
}
