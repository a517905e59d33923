//! The SQLite file that holds answers.

use std::{
    fmt,
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior};
use sha2::{Digest, Sha256};

use super::digest::Key;
use crate::lm::Response;

const NAME: &str = "lm.sqlite3";
/// The form of the tables, in the file's `user_version`.
const VERSION: i64 = 1;
/// How long another process is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS answers (
        id INTEGER PRIMARY KEY,         -- grows: the order of age
        key BLOB NOT NULL UNIQUE,
        body BLOB NOT NULL,             -- the response as JSON
        sum BLOB NOT NULL               -- the first bytes of the body's SHA-256
    ) STRICT;";

/// An open file.
pub(super) struct File {
    db: Connection,
    path: PathBuf,
    limit: u64,
    /// Bytes written since the size was last looked at.
    unchecked: u64,
}

/// Why a file cannot be used.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is not a database, or a broken one.
    Damaged(String),
    /// A newer version of this library wrote it.
    Newer(i64),
    /// Another failure of the database.
    Database(rusqlite::Error),
    /// A failure of the file system.
    Io(std::io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(what) => write!(f, "the file is damaged: {what}"),
            Self::Newer(version) => write!(f, "a newer version of dspy wrote the file (format {version})"),
            Self::Database(e) => e.fmt(f),
            Self::Io(e) => e.fmt(f),
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(e: std::io::Error) -> Self {
        Self::Io(e)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(e: rusqlite::Error) -> Self {
        match e.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(e.to_string()),
            _ => Self::Database(e),
        }
    }
}

impl File {
    /// Opens the file in `folder`; a damaged one is set aside under the name `*.corrupt`, and a new one begun.
    /// `suspect` has the whole file checked.
    pub(super) fn open_or_replace(folder: &Path, limit: u64, suspect: bool) -> Result<Self, Fault> {
        match Self::open_checked(folder, limit, suspect) {
            Err(Fault::Damaged(_)) => {}
            opened => return opened,
        }
        // One process at a time, so that none sets aside what another has just begun anew.
        let lock = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(folder.join(format!("{NAME}.lock")))?;
        lock.lock()?;
        match Self::open_checked(folder, limit, suspect) {
            Err(Fault::Damaged(what)) => {
                let path = folder.join(NAME);
                let aside = folder.join(format!("{NAME}.corrupt"));
                tracing::warn!(file = %path.display(), set_aside = %aside.display(), what,
                    "the cache on disk is damaged; it is set aside and a new one begun");
                fs::rename(&path, &aside)?;
                // The journal belongs to the damaged file and must not be played into the new one.
                for suffix in ["-wal", "-shm"] {
                    let _ = fs::remove_file(folder.join(format!("{NAME}{suffix}")));
                }
                Self::open(folder, limit)
            }
            opened => opened,
        }
    }

    fn open_checked(folder: &Path, limit: u64, suspect: bool) -> Result<Self, Fault> {
        let file = Self::open(folder, limit)?;
        if suspect {
            let verdict: String = file.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if verdict != "ok" {
                return Err(Fault::Damaged(verdict));
            }
        }
        Ok(file)
    }

    /// Opens the file in `folder`, or makes it.
    pub(super) fn open(folder: &Path, limit: u64) -> Result<Self, Fault> {
        make_private(folder)?;
        let path = folder.join(NAME);
        let mut db = Connection::open(&path)?;
        db.busy_timeout(PATIENCE)?;
        let deadline = Instant::now() + PATIENCE;
        // Processes that switch a new file to write-ahead logging at the same time are told "busy" at once.
        loop {
            match db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
                Err(e)
                    if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                        && Instant::now() < deadline =>
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
                done => break done?,
            }
        }
        // A commit is handed to the operating system: it outlives the process, and a power cut cannot damage the file.
        db.pragma_update(None, "synchronous", "NORMAL")?;
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match tx.query_row("PRAGMA user_version", [], |row| row.get(0))? {
            0 => {
                tx.execute_batch(SCHEMA)?;
                tx.pragma_update(None, "user_version", VERSION)?;
            }
            VERSION => {}
            newer => return Err(Fault::Newer(newer)),
        }
        tx.commit()?;
        let _: Option<i64> = db.query_row("SELECT max(id) FROM answers", [], |row| row.get(0))?;
        // The limit may have been lowered: the first write looks at the size.
        Ok(Self { db, path, limit, unchecked: u64::MAX })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The answer of `key`. One that cannot be read counts as missing: it is asked for again and replaced.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Response>, Fault> {
        let mut query = self.db.prepare_cached("SELECT body, sum FROM answers WHERE key = ?1")?;
        let read = |row: &rusqlite::Row<'_>| {
            let (body, sum) = (row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
            let whole = sum == checksum(body);
            Ok(if whole { serde_json::from_slice::<Response>(body).ok() } else { None })
        };
        let found = query.query_row([&key.0[..]], read).optional()?;
        if matches!(found, Some(None)) {
            tracing::warn!(file = %self.path.display(), "a broken entry of the cache is asked for anew");
        }
        Ok(found.flatten())
    }

    /// Writes answers in one transaction.
    pub(super) fn put<'a>(
        &mut self,
        answers: impl Iterator<Item = (&'a Key, &'a [u8])>,
    ) -> Result<(), Fault> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert =
                tx.prepare_cached("INSERT OR REPLACE INTO answers (key, body, sum) VALUES (?1, ?2, ?3)")?;
            for (key, body) in answers {
                insert.execute((&key.0[..], body, &checksum(body)[..]))?;
                self.unchecked = self.unchecked.saturating_add(body.len() as u64);
            }
        }
        tx.commit()?;
        if self.unchecked > self.limit / 64 {
            self.unchecked = 0;
            self.evict()?;
        }
        Ok(())
    }

    /// Forgets the oldest answers until a tenth of the bound is free; their pages are used again.
    fn evict(&mut self) -> Result<(), Fault> {
        if self.used()? <= self.limit {
            return Ok(());
        }
        while self.used()? > self.limit / 10 * 9 {
            let (oldest, newest): (Option<i64>, Option<i64>) =
                self.db.query_row("SELECT min(id), max(id) FROM answers", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            let (Some(oldest), Some(newest)) = (oldest, newest) else { break };
            let upto = oldest + (newest - oldest) / 16;
            self.db.execute("DELETE FROM answers WHERE id <= ?1", [upto])?;
        }
        Ok(())
    }

    /// Bytes of the pages in use.
    fn used(&self) -> Result<u64, Fault> {
        let pragma = |name: &str| {
            self.db
                .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
                .map(i64::unsigned_abs)
        };
        Ok(pragma("page_count")?.saturating_sub(pragma("freelist_count")?) * pragma("page_size")?)
    }
}

fn checksum(body: &[u8]) -> [u8; 8] {
    let digest: [u8; 32] = Sha256::digest(body).into();
    digest.first_chunk().copied().unwrap_or_default()
}

/// Makes the folder, for its owner alone: answers can be as private as the questions.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> Key {
        Key(Sha256::digest(n.to_le_bytes()).into())
    }

    fn body(text: &str) -> Vec<u8> {
        serde_json::to_vec(&Response::text(text)).unwrap()
    }

    #[test]
    fn the_oldest_answers_go_when_the_file_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let limit = 1 << 20;
        let mut file = File::open(folder.path(), limit).unwrap();
        for n in 0..2000 {
            file.put([(&key(n), &*body(&"x".repeat(2000)))].into_iter()).unwrap();
        }
        assert!(file.used().unwrap() <= limit + limit / 16, "{}", file.used().unwrap());
        assert!(file.get(&key(1999)).unwrap().is_some());
        assert!(file.get(&key(0)).unwrap().is_none());
        assert!(fs::metadata(file.path()).unwrap().len() < 2 * limit, "freed pages are used again");
    }

    #[test]
    fn a_broken_entry_counts_as_missing_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = File::open(folder.path(), 1 << 30).unwrap();
        file.put([(&key(1), &*body("one"))].into_iter()).unwrap();
        file.db.execute("UPDATE answers SET body = CAST('{\"choices\":[]}' AS BLOB)", []).unwrap();
        assert!(file.get(&key(1)).unwrap().is_none());
        file.put([(&key(1), &*body("anew"))].into_iter()).unwrap();
        assert_eq!(file.get(&key(1)).unwrap().unwrap().choices[0].text, "anew");
    }

    #[test]
    fn a_file_of_a_newer_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        drop(File::open(folder.path(), 1 << 30).unwrap());
        let db = Connection::open(folder.path().join(NAME)).unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        drop(db);
        let opened = File::open_or_replace(folder.path(), 1 << 30, false);
        assert!(matches!(opened, Err(Fault::Newer(99))));
        assert!(!folder.path().join(format!("{NAME}.corrupt")).exists());
    }
}
