//! Search by words in an index on disk.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ::tantivy::{
    Index, IndexReader, IndexWriter, TantivyDocument, TantivyError, Term,
    collector::TopDocs,
    directory::MmapDirectory,
    query::{BooleanQuery, Occur, Query, TermQuery},
    schema::{Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value as _},
    tokenizer::{PreTokenizedString, Token},
};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::{Passage, Retriever, embedded::blocking, words::words};
use crate::{Error, Result, RetrievalError, lm::BoxFuture};

/// What one write may hold in memory before it goes to disk, in bytes.
const MEMORY: usize = 128 << 20;

/// Passages in a folder on disk, found by the words of the query: Okapi BM25 by [Tantivy](https://docs.rs/tantivy)
/// (feature `tantivy`).
///
/// For more passages than a program wants to hold in memory, or to read at each start; in memory there is
/// [`Bm25`](super::Bm25), whose words these are, too. A query is words and nothing else: no character in it is an operator.
/// Cheap to clone.
///
/// ```no_run
/// # use dspy_core::{Result, retrieve::{Passage, Retriever, Tantivy}};
/// # async fn run() -> Result<()> {
/// let index = Tantivy::open("wiki.tantivy")?;
/// index.upsert([Passage::new("The Danube flows through Vienna.").id("danube")]).await?;
/// let found = index.search("Which river flows through Vienna?", 3).await?;
/// # let _ = found; Ok(()) }
/// ```
///
/// Several processes may search one folder, and one at a time may write to it. What was written is found at once by the
/// process that wrote it, and after a moment by others. A process that is killed while it writes leaves the index as it was
/// before.
#[derive(Clone)]
pub struct Tantivy {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    index: Index,
    reader: IndexReader,
    fields: Fields,
    /// A folder has one writer at a time.
    writing: Mutex<()>,
}

#[derive(Clone, Copy)]
struct Fields {
    id: Field,
    words: Field,
    /// The passage as JSON.
    passage: Field,
}

impl Fields {
    fn schema() -> (Schema, Self) {
        let mut schema = Schema::builder();
        let indexed = TextFieldIndexing::default().set_index_option(IndexRecordOption::WithFreqs);
        let fields = Self {
            id: schema.add_text_field("id", STRING),
            words: schema.add_text_field("words", TextOptions::default().set_indexing_options(indexed)),
            passage: schema.add_text_field("passage", STORED),
        };
        (schema.build(), fields)
    }

    fn document(self, passage: &Passage) -> Result<TantivyDocument> {
        let mut document = TantivyDocument::default();
        document.add_text(self.id, &passage.id);
        let token = |(position, text)| Token { position, text, position_length: 1, ..Token::default() };
        let tokens = words(&passage.text).into_iter().enumerate().map(token).collect();
        document.add_pre_tokenized_text(self.words, PreTokenizedString { text: String::new(), tokens });
        document.add_text(self.passage, serde_json::to_string(passage).map_err(Error::other)?);
        Ok(document)
    }
}

impl Tantivy {
    /// The index in a folder, which is made if there is none.
    ///
    /// # Errors
    /// [`Error::Retrieval`] when the folder cannot be read or made, or holds an index that something else has made.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref().to_path_buf();
        let opened = || -> Result<_, TantivyError> {
            std::fs::create_dir_all(&folder)?;
            let (schema, fields) = Fields::schema();
            let index = Index::open_or_create(MmapDirectory::open(&folder)?, schema)?;
            let reader = index.reader()?;
            Ok((index, reader, fields))
        };
        let (index, reader, fields) = opened().map_err(|e| error(&folder, &e))?;
        Ok(Self { inner: Arc::new(Inner { folder, index, reader, fields, writing: Mutex::default() }) })
    }

    /// Adds passages; those of an id that there is already are replaced. One without an id gets one that is made of its
    /// text, so that equal texts are one passage.
    ///
    /// # Errors
    /// [`Error::Retrieval`] when the folder cannot be written; [retryable](RetrievalError::retryable) while another process
    /// writes. Nothing is added then.
    pub async fn upsert<P: Into<Passage>>(&self, passages: impl IntoIterator<Item = P>) -> Result<()> {
        let passages: Vec<Passage> = passages.into_iter().map(|passage| identified(passage.into())).collect();
        self.write(move |writer, fields| {
            for passage in &passages {
                writer.delete_term(Term::from_field_text(fields.id, &passage.id));
                writer.add_document(fields.document(passage)?).map_err(Error::other)?;
            }
            Ok(())
        })
        .await
    }

    /// Removes the passages with these ids, as far as there are such.
    ///
    /// # Errors
    /// Those of [`upsert`](Self::upsert).
    pub async fn delete<S: Into<String>>(&self, ids: impl IntoIterator<Item = S>) -> Result<()> {
        let ids: Vec<String> = ids.into_iter().map(Into::into).collect();
        self.write(move |writer, fields| {
            for id in &ids {
                writer.delete_term(Term::from_field_text(fields.id, id));
            }
            Ok(())
        })
        .await
    }

    /// How many passages there are.
    pub fn len(&self) -> u64 {
        self.inner.reader.searcher().num_docs()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    async fn write(
        &self,
        change: impl FnOnce(&IndexWriter, Fields) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let _one = self.inner.writing.lock().await;
        let inner = self.inner.clone();
        blocking(move || {
            let wrong = |e: TantivyError| error(&inner.folder, &e);
            // Of equally good passages those that were added first are found, which several threads would leave to chance.
            let mut writer: IndexWriter = inner.index.writer_with_num_threads(1, MEMORY).map_err(wrong)?;
            change(&writer, inner.fields)?;
            writer.commit().map_err(wrong)?;
            writer.wait_merging_threads().map_err(wrong)?;
            inner.reader.reload().map_err(wrong)
        })
        .await?
    }
}

impl Inner {
    fn find(&self, query: &str, k: usize) -> Result<Vec<Passage>, TantivyError> {
        let asked = words(query).into_iter().map(|word| {
            let term = Term::from_field_text(self.fields.words, &word);
            let query: Box<dyn Query> = Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs));
            (Occur::Should, query)
        });
        let query = BooleanQuery::new(asked.collect());
        if k == 0 {
            return Ok(Vec::new());
        }
        let searcher = self.reader.searcher();
        let found = searcher.search(&query, &TopDocs::with_limit(k).order_by_score())?;
        let passage = |(score, address)| -> Result<Passage, TantivyError> {
            let document: TantivyDocument = searcher.doc(address)?;
            let stored = document.get_first(self.fields.passage).and_then(|value| value.as_str());
            let passage: Passage = serde_json::from_str(stored.unwrap_or_default())
                .map_err(|e| TantivyError::SchemaError(format!("a passage cannot be read: {e}")))?;
            Ok(passage.score(score))
        };
        found.into_iter().map(passage).collect()
    }
}

impl Retriever for Tantivy {
    fn search<'a>(&'a self, query: &'a str, k: usize) -> BoxFuture<'a, Result<Vec<Passage>>> {
        let (inner, query) = (self.inner.clone(), query.to_owned());
        Box::pin(async move {
            // The pages of the index may have to come from the disk.
            blocking(move || inner.find(&query, k).map_err(|e| error(&inner.folder, &e))).await?
        })
    }
}

fn identified(passage: Passage) -> Passage {
    if !passage.id.is_empty() {
        return passage;
    }
    let digest = Sha256::digest(&passage.text);
    let id: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    passage.id(id)
}

fn error(folder: &Path, error: &TantivyError) -> Error {
    let message = match error {
        TantivyError::LockFailure(..) => "another process is writing to it; write again later".into(),
        TantivyError::SchemaError(why) => {
            format!(
                "it was not made by this version of the library ({why}); make it again in an empty folder"
            )
        }
        other => other.to_string(),
    };
    let busy = matches!(error, TantivyError::LockFailure(..));
    RetrievalError::new(format!("index `{}`", folder.display()), message).retryable(busy).into()
}

impl fmt::Debug for Tantivy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tantivy").field("folder", &self.inner.folder).field("passages", &self.len()).finish()
    }
}
