//! OpenAI's files and fine-tuning jobs.
//!
//! Source: the API reference of OpenAI, *Files* and *Fine-tuning*.

use std::collections::BTreeMap;

use reqwest::{Method, header::HeaderValue};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::endpoint::Endpoint;
use crate::{LmError, LmErrorKind};

/// How many jobs or events are asked for at a time.
const PAGE: &str = "100";
/// How many pages of jobs are looked through, against servers that never end.
const PAGES: usize = 50;

/// Where a model is trained.
pub(crate) struct TuningApi {
    endpoint: Endpoint,
    model: String,
}

/// A job as the server describes it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RemoteJob {
    pub(crate) id: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) fine_tuned_model: Option<String>,
    #[serde(default)]
    pub(crate) error: Option<JobFault>,
    #[serde(default)]
    pub(crate) trained_tokens: Option<u64>,
    #[serde(default)]
    pub(crate) training_file: Option<String>,
    #[serde(default)]
    pub(crate) validation_file: Option<String>,
    #[serde(default)]
    pub(crate) metadata: Option<BTreeMap<String, Value>>,
}

/// Why a job failed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JobFault {
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) param: Option<String>,
}

/// Something that happened in a job.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TuningEvent {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) created_at: u64,
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// What was measured: `step`, `total_steps`, `train_loss`, `valid_loss`, `full_valid_loss`.
    #[serde(default)]
    pub(crate) data: Option<Value>,
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize)]
struct UploadedFile {
    id: String,
}

impl TuningApi {
    /// The API at the place of a model that is called `model` there.
    pub(crate) fn new(place: &Endpoint, model: &str) -> Self {
        Self { endpoint: place.clone(), model: model.to_owned() }
    }

    /// The model as the server calls it.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// The place.
    pub(crate) fn api_base(&self) -> &str {
        self.endpoint.api_base()
    }

    /// Uploads a file to train on, and gives its identifier.
    pub(crate) async fn upload(&self, name: &str, content: &[u8]) -> Result<String, LmError> {
        let (kind, body) = multipart(name, content);
        let kind = HeaderValue::try_from(kind).map_err(|e| self.endpoint.unreadable(e))?;
        let file: UploadedFile =
            self.call("uploading the rows", Method::POST, "files", &[], Some((kind, body))).await?;
        Ok(file.id)
    }

    /// Deletes a file.
    pub(crate) async fn delete_file(&self, id: &str) -> Result<(), LmError> {
        let path = format!("files/{}", self.segment(id)?);
        self.call::<Value>("deleting a file", Method::DELETE, &path, &[], None).await.map(drop)
    }

    /// Creates a job.
    pub(crate) async fn create(&self, body: &Value) -> Result<RemoteJob, LmError> {
        let body = (HeaderValue::from_static("application/json"), body.to_string().into_bytes());
        self.call("creating the job", Method::POST, "fine_tuning/jobs", &[], Some(body)).await
    }

    /// How a job is.
    pub(crate) async fn job(&self, id: &str) -> Result<RemoteJob, LmError> {
        let path = format!("fine_tuning/jobs/{}", self.segment(id)?);
        self.call(&format!("asking after the job {id}"), Method::GET, &path, &[], None).await
    }

    /// Stops a job.
    pub(crate) async fn cancel(&self, id: &str) -> Result<RemoteJob, LmError> {
        let path = format!("fine_tuning/jobs/{}/cancel", self.segment(id)?);
        self.call(&format!("cancelling the job {id}"), Method::POST, &path, &[], None).await
    }

    /// What happened in a job since it was last asked, in the order in which it did. `is_new` tells the events that
    /// were not seen yet.
    pub(crate) async fn events(
        &self,
        id: &str,
        is_new: impl Fn(&TuningEvent) -> bool,
    ) -> Result<Vec<TuningEvent>, LmError> {
        let path = format!("fine_tuning/jobs/{}/events", self.segment(id)?);
        let mut events: Vec<TuningEvent> = Vec::new();
        // They come newest first, so that a page with known ones is the last that is needed.
        for _ in 0..PAGES {
            let after = events.last().map(|event| event.id.clone());
            let what = format!("reading the events of the job {id}");
            let page: Page<TuningEvent> = self.page(&what, &path, &[], after.as_deref()).await?;
            let (found, before) = (page.data.len(), events.len());
            events.extend(page.data.into_iter().filter(&is_new));
            if !page.has_more || found == 0 || events.len() - before < found {
                break;
            }
        }
        events.reverse();
        events.sort_by_key(|event| event.created_at);
        Ok(events)
    }

    /// The jobs that were created with this entry in their metadata, the newest first.
    pub(crate) async fn jobs_with(&self, key: &str, value: &str) -> Result<Vec<RemoteJob>, LmError> {
        let filter = format!("metadata[{key}]");
        let (mut jobs, mut after): (Vec<RemoteJob>, Option<String>) = (Vec::new(), None);
        for _ in 0..PAGES {
            let query = [(filter.as_str(), value)];
            let page: Page<RemoteJob> =
                self.page("looking for earlier jobs", "fine_tuning/jobs", &query, after.as_deref()).await?;
            after = page.data.last().map(|job| job.id.clone());
            // Servers that do not know the filter list all jobs.
            let has = |job: &RemoteJob| {
                job.metadata.as_ref().and_then(|m| m.get(key)?.as_str()).is_some_and(|found| found == value)
            };
            jobs.extend(page.data.into_iter().filter(has));
            if !page.has_more || after.is_none() {
                break;
            }
        }
        Ok(jobs)
    }

    /// Whether there is a model of this name.
    pub(crate) async fn has_model(&self, name: &str) -> Result<bool, LmError> {
        let path = format!("models/{}", self.segment(name)?);
        match self.call::<Value>("looking for the tuned model", Method::GET, &path, &[], None).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == LmErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An answer that holds something else than it should.
    pub(crate) fn unreadable(&self, what: impl std::fmt::Display) -> LmError {
        self.endpoint.unreadable(what)
    }

    async fn page<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        query: &[(&str, &str)],
        after: Option<&str>,
    ) -> Result<Page<T>, LmError> {
        let mut query = query.to_vec();
        query.push(("limit", PAGE));
        query.extend(after.map(|id| ("after", id)));
        self.call(what, Method::GET, path, &query, None).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        what: &str,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<(HeaderValue, Vec<u8>)>,
    ) -> Result<T, LmError> {
        let answer = self.endpoint.exchange(method, path, query, body).await;
        let read = answer.and_then(|a| serde_json::from_slice(&a).map_err(|e| self.endpoint.unreadable(e)));
        read.map_err(|mut error| {
            error.message = format!("{what}: {}", error.message);
            error
        })
    }

    /// A part of a path that a server gave.
    fn segment<'s>(&self, id: &'s str) -> Result<&'s str, LmError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_:.".contains(c);
        match !id.is_empty() && id.chars().all(plain) && !id.starts_with('.') {
            true => Ok(id),
            false => Err(self.endpoint.unreadable(format!("`{id}` is no identifier"))),
        }
    }
}

/// A form of one file (RFC 7578): its type, and its bytes.
fn multipart(name: &str, content: &[u8]) -> (String, Vec<u8>) {
    // A line with the digest of the content cannot stand in it.
    let digest = Sha256::digest(content);
    let boundary: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let boundary = format!("dspy-{boundary}");
    let mut body = Vec::with_capacity(content.len() + 512);
    let disposition = "Content-Disposition: form-data; name=";
    body.extend_from_slice(
        format!("--{boundary}\r\n{disposition}\"purpose\"\r\n\r\nfine-tune\r\n").as_bytes(),
    );
    body.extend_from_slice(
        format!(
            "--{boundary}\r\n{disposition}\"file\"; filename=\"{name}\"\r\nContent-Type: application/jsonl\r\n\r\n"
        )
        .as_bytes(),
    );
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_holds_its_file() {
        let (kind, body) = multipart("rows.jsonl", b"{\"a\":1}\n");
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let text = String::from_utf8(body).unwrap();
        let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
        assert_eq!(parts.len(), 4);
        assert_eq!(parts[1], "\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nfine-tune\r\n");
        assert!(parts[2].ends_with("Content-Type: application/jsonl\r\n\r\n{\"a\":1}\n\r\n"));
        assert_eq!(parts[3], "--\r\n");
    }
}
