//! PostgreSQL with the extension pgvector.

use std::{collections::HashSet, fmt, sync::Arc};

use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, NoTls};

use super::{Passage, Retriever, observed, passage::numbered};
use crate::{
    Error, Result, RetrievalError,
    lm::{
        BoxFuture,
        embed::{Embedder, InputType},
    },
};

/// How many passages are embedded, and how many are written by one statement.
const CHUNK: usize = 4096;
const BATCH: usize = 500;
/// How many passages pgvector's graph looks at unless it is told, and at most (`hnsw.ef_search`). It finds no more.
const IN_VIEW: (usize, usize) = (40, 1000);

/// Passages in a table of PostgreSQL with the extension [pgvector](https://github.com/pgvector/pgvector) (0.5 or later).
/// Cheap to clone; clones share a connection, which is opened at the first use and again when it is lost.
///
/// The table has the columns `id` (text, the key), `text`, `metadata` (jsonb) and `embedding` (vector). A score is the
/// cosine of the angle between passage and query. pgvector's graph finds at most 1,000 passages at once.
///
/// ```no_run
/// # async fn run(passages: Vec<dspy_core::retrieve::Passage>) -> dspy_core::Result<()> {
/// use dspy_core::{lm::embed::EmbeddingModel, retrieve::{PgVector, Retriever}};
///
/// let model = EmbeddingModel::new("openai/text-embedding-3-small")?;
/// let table = PgVector::new("host=localhost user=postgres dbname=wiki", "passages", model)?;
/// table.create().await?;
/// table.upsert(passages).await?;
/// let best = table.search("Which river flows through Vienna?", 3).await?;
/// # let _ = best; Ok(()) }
/// ```
#[derive(Clone)]
pub struct PgVector {
    inner: Arc<Inner>,
}

struct Inner {
    /// Without one, the client was given and is not replaced.
    config: Option<Config>,
    session: Mutex<Option<Arc<Session>>>,
    /// As it was named, and as SQL writes it.
    name: String,
    table: String,
    embedder: Arc<dyn Embedder>,
}

/// A connection, with how many passages its searches look at.
struct Session {
    client: Client,
    in_view: Mutex<usize>,
}

impl Session {
    fn new(client: Client) -> Arc<Self> {
        Arc::new(Self { client, in_view: Mutex::new(IN_VIEW.0) })
    }

    /// Has searches look at twice as many passages as are wanted: some may be versions that were replaced.
    async fn look_at(&self, wanted: usize) -> Result<(), tokio_postgres::Error> {
        let needed = wanted.saturating_mul(2).min(IN_VIEW.1);
        let mut in_view = self.in_view.lock().await;
        if needed > *in_view {
            self.client.batch_execute(&format!("SET hnsw.ef_search = {needed}")).await?;
            *in_view = needed;
        }
        Ok(())
    }
}

impl PgVector {
    /// A table, named `passages` or `schema.passages`, of the database that a connection string names
    /// (`host=localhost user=.. password=.. dbname=..`, or a `postgresql://` URL). The connection is not encrypted; for
    /// one that is, see [`with_client`](Self::with_client). Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Retrieval`] when the connection string makes no sense.
    pub fn new(connection: &str, table: impl Into<String>, embedder: impl Embedder) -> Result<Self> {
        let table = table.into();
        let config: Config = connection.parse().map_err(|e: tokio_postgres::Error| {
            // What the error quotes could be the password.
            let kind =
                if e.to_string().contains("connection string") { "cannot be read" } else { "is wrong" };
            let cure = "write it as `host=localhost user=me dbname=wiki` or `postgresql://me@localhost/wiki`";
            Error::from(RetrievalError::new(shown(&table), format!("the connection string {kind}; {cure}")))
        })?;
        Ok(Self::assemble(Some(config), None, table, embedder))
    }

    /// A table that is reached by a client of your own, such as one over TLS. Its connection must be driven elsewhere, and
    /// is not opened again when it is lost. A search for more than 20 passages sets `hnsw.ef_search` of its session.
    pub fn with_client(client: Client, table: impl Into<String>, embedder: impl Embedder) -> Self {
        Self::assemble(None, Some(Session::new(client)), table.into(), embedder)
    }

    fn assemble(
        config: Option<Config>,
        session: Option<Arc<Session>>,
        name: String,
        embedder: impl Embedder,
    ) -> Self {
        let quoted = |part: &str| format!("\"{}\"", part.replace('"', "\"\""));
        let table = name.split('.').map(quoted).collect::<Vec<_>>().join(".");
        let (session, embedder) = (Mutex::new(session), Arc::new(embedder));
        Self { inner: Arc::new(Inner { config, session, name, table, embedder }) }
    }

    /// Makes the extension, the table for the vectors of the embedder, and a graph of near neighbours (HNSW), unless they
    /// exist. Vectors of more than 2,000 numbers get no graph, because pgvector has none for them.
    ///
    /// # Errors
    /// [`Error::Retrieval`] when the database refuses or cannot be reached, [`Error::Lm`] when the embedder fails.
    pub async fn create(&self) -> Result<()> {
        let Inner { table, embedder, .. } = &*self.inner;
        let dimension = embedder.embed_query("dimension").await?.len();
        let mut sql = format!(
            "CREATE EXTENSION IF NOT EXISTS vector;\n\
             CREATE TABLE IF NOT EXISTS {table} (id text PRIMARY KEY, text text NOT NULL, \
             metadata jsonb NOT NULL DEFAULT '{{}}', embedding vector({dimension}) NOT NULL);\n"
        );
        if dimension <= 2000 {
            let index = format!("{}_embedding_idx", self.inner.name.rsplit('.').next().unwrap_or_default());
            let index = index.replace('"', "\"\"");
            sql.push_str(&format!(
                "CREATE INDEX IF NOT EXISTS \"{index}\" ON {table} USING hnsw (embedding vector_cosine_ops);\n"
            ));
        }
        self.inner.session().await?.client.batch_execute(&sql).await.map_err(|e| self.inner.failed(&e))
    }

    /// Embeds passages and writes them, in batches; those of the same id are replaced. The passages before a batch that
    /// fails are in the table.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn upsert<P: Into<Passage>>(&self, passages: impl IntoIterator<Item = P>) -> Result<()> {
        self.inner.upsert(&numbered(passages)).await
    }
}

impl Inner {
    async fn upsert(&self, passages: &[Passage]) -> Result<()> {
        let sql = format!(
            "INSERT INTO {} (id, text, metadata, embedding) \
             SELECT id, text, metadata::jsonb, embedding::vector \
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS new (id, text, metadata, embedding) \
             ON CONFLICT (id) DO UPDATE \
             SET text = excluded.text, metadata = excluded.metadata, embedding = excluded.embedding",
            self.table
        );
        for chunk in passages.chunks(CHUNK.min(self.embedder.max_batch()).max(1)) {
            let texts: Vec<&str> = chunk.iter().map(|p| p.text.as_str()).collect();
            let vectors = self.embedder.embed(&texts, InputType::Document).await?.vectors;
            if vectors.len() != chunk.len() {
                let (got, wanted) = (vectors.len(), chunk.len());
                let message = format!("the embedder returned {got} vectors for {wanted} texts");
                return Err(RetrievalError::new(shown(&self.name), message).into());
            }
            for (passages, vectors) in chunk.chunks(BATCH).zip(vectors.chunks(BATCH)) {
                // A statement cannot write a row twice: of one id, the last counts.
                let mut met = HashSet::new();
                let rows: Vec<(&Passage, &Vec<f32>)> =
                    passages.iter().zip(vectors).rev().filter(|(p, _)| met.insert(p.id.as_str())).collect();
                let ids: Vec<&str> = rows.iter().map(|(p, _)| p.id.as_str()).collect();
                let texts: Vec<&str> = rows.iter().map(|(p, _)| p.text.as_str()).collect();
                let metadata: Vec<String> = rows
                    .iter()
                    .map(|(p, _)| serde_json::Value::from(p.metadata.clone()).to_string())
                    .collect();
                let embeddings: Vec<String> = rows.iter().map(|(_, vector)| literal(vector)).collect();
                let session = self.session().await?;
                let written = session.client.execute(&sql, &[&ids, &texts, &metadata, &embeddings]).await;
                written.map_err(|e| self.failed(&e))?;
            }
        }
        Ok(())
    }

    /// The connection, which is opened if there is none.
    async fn session(&self) -> Result<Arc<Session>> {
        let mut held = self.session.lock().await;
        if let Some(session) = held.as_ref().filter(|s| !s.client.is_closed() || self.config.is_none()) {
            return Ok(session.clone());
        }
        let Some(config) = &self.config else {
            return Err(RetrievalError::new(shown(&self.name), "there is no connection").into());
        };
        let (client, connection) = config.connect(NoTls).await.map_err(|e| self.failed(&e))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to PostgreSQL ended");
            }
        });
        Ok(held.insert(Session::new(client)).clone())
    }

    fn failed(&self, error: &tokio_postgres::Error) -> Error {
        let (message, retryable) = match error.as_db_error() {
            Some(refusal) => {
                let hint = refusal.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
                let code = refusal.code().code();
                let cure = match code {
                    "42P01" => "; `create` makes the table",
                    _ => "",
                };
                // Connection faults, lack of resources, a server that shuts down, and conflicts of transactions.
                let passing = ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class));
                (format!("{} ({code}){hint}{cure}", refusal.message()), passing)
            }
            None => {
                let cause =
                    std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
                (format!("{error}{cause}"), true)
            }
        };
        RetrievalError::new(shown(&self.name), message).retryable(retryable).into()
    }
}

fn shown(table: &str) -> String {
    format!("PostgreSQL table `{table}`")
}

/// A vector as pgvector reads it.
fn literal(vector: &[f32]) -> String {
    let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
    format!("[{}]", numbers.join(","))
}

impl Retriever for PgVector {
    fn search<'a>(&'a self, query: &'a str, k: usize) -> BoxFuture<'a, Result<Vec<Passage>>> {
        observed::search(
            "PgVector",
            query,
            k,
            Box::pin(async move {
                let inner = &*self.inner;
                let vector = literal(&inner.embedder.embed_query(query).await?);
                let sql = format!(
                    "SELECT id, text, metadata::text, 1 - (embedding <=> $1::text::vector) FROM {} \
                 ORDER BY embedding <=> $1::text::vector LIMIT $2",
                    inner.table
                );
                let limit = i64::try_from(k).unwrap_or(i64::MAX);
                let session = inner.session().await?;
                session.look_at(k).await.map_err(|e| inner.failed(&e))?;
                let rows = session.client.query(&sql, &[&vector, &limit]).await;
                let rows = rows.map_err(|e| inner.failed(&e))?;
                let passage = |row: &tokio_postgres::Row| {
                    let read = |e: tokio_postgres::Error| inner.failed(&e);
                    let (id, text): (String, String) =
                        (row.try_get(0).map_err(read)?, row.try_get(1).map_err(read)?);
                    let (metadata, score): (String, f64) =
                        (row.try_get(2).map_err(read)?, row.try_get(3).map_err(read)?);
                    let mut passage = Passage::new(text).id(id).score(score as f32);
                    passage.metadata = serde_json::from_str(&metadata)?;
                    Ok(passage)
                };
                rows.iter().map(passage).collect()
            }),
        )
    }
}

impl fmt::Debug for PgVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgVector")
            .field("table", &self.inner.name)
            .field("embedder", &self.inner.embedder.id())
            .finish_non_exhaustive()
    }
}
