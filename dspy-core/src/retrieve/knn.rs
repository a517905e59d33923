//! The nearest rows of data.

use std::{fmt, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use super::embedded::Embedded;
use crate::{
    Error, Result,
    data::Example,
    lm::embed::{Embedder, InputType},
    value::write_json,
};

/// Rows of data, of which those are found whose inputs mean what another input means. Cheap to clone.
///
/// To show a program the nearest rows as demonstrations, [`KNNFewShot`](crate::optimize::KNNFewShot) compiles it so.
///
/// ```
/// # use dspy_core::{Result, data::Example, lm::embed::{Embedder, from_fn}, retrieve::Knn};
/// # #[derive(serde::Serialize, Clone)] struct Qa { question: String, answer: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run(trainset: Vec<Qa>, embedder: impl Embedder) -> Result<()> {
/// let rows = Knn::build(trainset, embedder).await?;
/// for row in rows.nearest(&"Who wrote Emma?".to_owned(), 3).await? {
///     println!("{}", row.answer);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Knn<E> {
    rows: Arc<Vec<E>>,
    embedded: Arc<Embedded>,
}

impl<E: Example> Knn<E>
where
    E::Input: Serialize,
{
    /// Embeds the inputs of rows.
    ///
    /// # Errors
    /// [`Error::Lm`] when they cannot be embedded, [`Error::Other`] when an input does not serialise.
    pub async fn build(rows: impl IntoIterator<Item = E>, embedder: impl Embedder) -> Result<Self> {
        let rows: Vec<E> = rows.into_iter().collect();
        let texts = rows.iter().map(|row| text(write_json(&row.input()))).collect::<Result<Vec<_>>>()?;
        let embedded = Arc::new(embed(Arc::new(embedder), texts).await?);
        Ok(Self { rows: Arc::new(rows), embedded })
    }

    /// The `k` rows whose inputs are nearest to this one, the nearest first.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub async fn nearest(&self, input: &E::Input, k: usize) -> Result<Vec<&E>> {
        let text = text(write_json(input));
        let nearest = self.embedded.nearest(&text?, k).await?;
        Ok(nearest.into_iter().filter_map(|n| self.rows.get(n.place)).collect())
    }

    /// The rows.
    pub fn rows(&self) -> &[E] {
        &self.rows
    }
}

/// Inputs are compared with inputs, so all are embedded as queries.
async fn embed(embedder: Arc<dyn Embedder>, texts: Vec<String>) -> Result<Embedded> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Embedded::build(embedder, &texts, InputType::Query, None).await
}

/// An input as a text: the values of its fields, one below the other.
fn text(input: Result<Value, crate::value::WriteError>) -> Result<String> {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Ok(match &input.map_err(Error::from)? {
        Value::Object(fields) => fields.values().map(plain).collect::<Vec<_>>().join("\n"),
        value => plain(value),
    })
}

impl<E> fmt::Debug for Knn<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Knn").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}
