//! The SQLite file that holds answers.

use std::{
    cell::Cell,
    fmt,
    fs::{self, OpenOptions},
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

use super::{
    alive::{Alive, has_ended},
    digest::Key,
    salvage::{checksum, salvage},
};
use crate::lm::Response;

const NAME: &str = "lm.sqlite3";
/// The form of the tables, in the file's `user_version`.
const VERSION: i64 = 1;
/// How long another process is waited for in a transaction.
pub(super) const BUSY: Duration = Duration::from_secs(10);
/// How long the claim of a process on a request holds if the process does not renew it. Processes renew theirs in time.
/// That a process was killed is seen by its lock; where the file system has none, its claims end with this.
pub(super) const LEASE: Duration = Duration::from_secs(15);
const LEASE_MS: i64 = LEASE.as_millis() as i64;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS answers (
        id INTEGER PRIMARY KEY,         -- grows: the order of age
        key BLOB NOT NULL UNIQUE,
        body BLOB NOT NULL,             -- the response as JSON
        sum BLOB NOT NULL               -- the first bytes of the body's SHA-256
    ) STRICT;";

/// Requests that processes have sent. Files of earlier versions have no such table, hence apart.
const CLAIMS: &str = "
    CREATE TABLE IF NOT EXISTS claims (
        key BLOB NOT NULL PRIMARY KEY,
        owner INTEGER NOT NULL,         -- the number of the process
        until INTEGER NOT NULL          -- milliseconds since 1970
    ) STRICT, WITHOUT ROWID;";

/// An open file.
pub(super) struct File {
    db: Connection,
    path: PathBuf,
    limit: u64,
    /// This process, among those that use the file.
    alive: Alive,
    /// What tells the file from another one at the same place.
    identity: Option<(u64, u64)>,
    /// Bytes written since the size was last looked at.
    unchecked: u64,
    /// Whether it can only be read.
    only_read: bool,
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

impl Fault {
    /// Whether the file may be read although it cannot be written.
    pub(super) fn is_of_writing(&self) -> bool {
        match self {
            Self::Io(error) => {
                matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
            }
            Self::Database(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied)
            ),
            Self::Damaged(_) | Self::Newer(_) => false,
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
    /// Opens the file in `folder`; a damaged one is set aside under the name `*.corrupt`, and a new one begun with those
    /// of its answers that can still be read. `suspect` has the whole file checked.
    pub(super) fn open_or_replace(
        folder: &Path,
        limit: u64,
        patience: Duration,
        suspect: bool,
    ) -> Result<Self, Fault> {
        match Self::open_checked(folder, limit, patience, suspect) {
            Err(Fault::Damaged(_)) => {}
            opened => return opened,
        }
        // One process at a time, so that none sets aside what another has just begun anew.
        let lock = open_private(&folder.join(format!("{NAME}.lock")))?;
        lock.lock()?;
        match Self::open_checked(folder, limit, patience, suspect) {
            Err(Fault::Damaged(what)) => Self::replace(folder, limit, patience, &what),
            opened => opened,
        }
    }

    fn replace(folder: &Path, limit: u64, patience: Duration, what: &str) -> Result<Self, Fault> {
        let path = folder.join(NAME);
        let aside = folder.join(format!("{NAME}.corrupt"));
        let answers = salvage(&path, &format!("{SCHEMA}{CLAIMS}"), open_private);
        fs::rename(&path, &aside)?;
        // The journal belongs to the damaged file and must not be played into the new one.
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(folder.join(format!("{NAME}{suffix}")));
        }
        let mut file = Self::open(folder, limit, patience)?;
        for group in answers.chunks(1024) {
            file.change(|tx| group.iter().try_for_each(|(key, body)| tx.put(key, body)))?;
        }
        tracing::warn!(file = %path.display(), set_aside = %aside.display(), what, saved = answers.len(),
            "the cache on disk is damaged; it is set aside, and a new one begun with the answers that are whole");
        Ok(file)
    }

    fn open_checked(folder: &Path, limit: u64, patience: Duration, suspect: bool) -> Result<Self, Fault> {
        let file = Self::open(folder, limit, patience)?;
        if suspect {
            let verdict: String = file.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if verdict != "ok" {
                return Err(Fault::Damaged(verdict));
            }
        }
        Ok(file)
    }

    /// Opens the file in `folder`, or makes it. Another process that writes is waited for with `patience`.
    pub(super) fn open(folder: &Path, limit: u64, patience: Duration) -> Result<Self, Fault> {
        make_private(folder)?;
        let path = folder.join(NAME);
        // Made here, because SQLite would let others read it; its journal has the permissions of the file.
        drop(open_private(&path)?);
        let mut db = Connection::open(&path)?;
        db.busy_timeout(patience)?;
        let deadline = Instant::now() + patience;
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
        // The journal counts under the limit, so it may not become large beside a small file.
        let journal = (limit / 16).clamp(256 << 10, 4 << 20);
        db.query_row(&format!("PRAGMA journal_size_limit = {journal}"), [], |_| Ok(()))?;
        db.query_row(&format!("PRAGMA wal_autocheckpoint = {}", journal / 4096), [], |_| Ok(()))?;
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match tx.query_row("PRAGMA user_version", [], |row| row.get(0))? {
            0 => {
                tx.execute_batch(SCHEMA)?;
                tx.pragma_update(None, "user_version", VERSION)?;
            }
            VERSION => {}
            newer => return Err(Fault::Newer(newer)),
        }
        tx.execute_batch(CLAIMS)?;
        tx.execute("DELETE FROM claims WHERE until < ?1", [now()])?;
        tx.commit()?;
        let _: Option<i64> = db.query_row("SELECT max(id) FROM answers", [], |row| row.get(0))?;
        db.busy_timeout(BUSY)?;
        let alive = Alive::new(folder, open_private);
        let identity = identity(&path);
        // The limit may have been lowered: the first write looks at the size.
        Ok(Self { db, path, limit, alive, identity, unchecked: u64::MAX, only_read: false })
    }

    /// Opens the file in `folder` where nothing can be written: a folder that belongs to others, a medium that is only
    /// read.
    pub(super) fn open_to_read(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join(NAME);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let checked = |db: Connection| {
            let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            let _: Option<i64> = db.query_row("SELECT max(id) FROM answers", [], |row| row.get(0))?;
            if version == VERSION { Ok(db) } else { Err(Fault::Newer(version)) }
        };
        let opened = Connection::open_with_flags(&path, flags).map_err(Fault::from).and_then(checked);
        let db = match opened {
            // Where not even the index of the journal can be made, the file is read as it is, without the journal.
            Err(Fault::Database(_)) => {
                let name = path.to_string_lossy();
                let name = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
                let flags = flags | OpenFlags::SQLITE_OPEN_URI;
                checked(Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)?)?
            }
            opened => opened?,
        };
        let identity = identity(&path);
        let alive = Alive::reading();
        Ok(Self { db, path, limit: u64::MAX, alive, identity, unchecked: 0, only_read: true })
    }

    /// Whether the file is still the one at its place.
    pub(super) fn is_in_place(&self) -> bool {
        self.path.exists() && identity(&self.path) == self.identity
    }

    pub(super) fn set_limit(&mut self, limit: u64) {
        if limit != self.limit {
            (self.limit, self.unchecked) = (limit, u64::MAX);
        }
    }

    /// The answer of `key`. One that cannot be read counts as missing: it is asked for again and replaced.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Response>, Fault> {
        let found = match answer_of(&self.db, key) {
            // It cannot be replaced by one that is whole.
            Err(Fault::Damaged(_)) if self.only_read => None,
            found => found?,
        };
        if matches!(found, Some(None)) {
            tracing::warn!(file = %self.path.display(), "a broken entry of the cache is asked for anew");
        }
        Ok(found.flatten())
    }

    /// Changes the file in one transaction.
    pub(super) fn change(
        &mut self,
        change: impl FnOnce(&Change<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let written = {
            let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let folder = self.path.parent().unwrap_or(Path::new(""));
            let changes = Change { tx, folder, owner: self.alive.number(), written: Cell::new(0) };
            change(&changes)?;
            let Change { tx, written, .. } = changes;
            tx.commit()?;
            written.get()
        };
        self.unchecked = self.unchecked.saturating_add(written);
        if self.unchecked > self.limit / 64 {
            self.unchecked = 0;
            self.evict()?;
        }
        Ok(())
    }

    /// Keeps the claims of this process for another while.
    pub(super) fn renew_claims(&self) -> Result<(), Fault> {
        self.db.execute(
            "UPDATE claims SET until = ?1 WHERE owner = ?2",
            (now() + LEASE_MS, self.alive.number()),
        )?;
        Ok(())
    }

    /// Gives back the claims of this process.
    pub(super) fn end_claims(&self) -> Result<(), Fault> {
        self.db.execute("DELETE FROM claims WHERE owner = ?1", [self.alive.number()])?;
        Ok(())
    }

    /// How many answers there are.
    pub(super) fn entries(&self) -> Result<u64, Fault> {
        let count: i64 = self.db.query_row("SELECT count(*) FROM answers", [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Hands over all answers, the oldest first: as the JSON that is in the file.
    pub(super) fn each(&self, mut take: impl FnMut(&Key, &[u8]) -> std::io::Result<()>) -> Result<(), Fault> {
        let mut query = self.db.prepare("SELECT key, body, sum FROM answers ORDER BY id")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (key, body, sum): ([u8; 32], Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if sum == checksum(&body) {
                take(&Key(key), &body)?;
            }
        }
        Ok(())
    }

    /// Forgets the oldest answers until a tenth of the bound is free; their pages are used again.
    fn evict(&mut self) -> Result<(), Fault> {
        if self.used()? <= self.limit {
            return Ok(());
        }
        while self.pages()? > self.limit / 10 * 9 {
            let (oldest, newest): (Option<i64>, Option<i64>) =
                self.db.query_row("SELECT min(id), max(id) FROM answers", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            let (Some(oldest), Some(newest)) = (oldest, newest) else { break };
            let upto = oldest + (newest - oldest) / 16;
            self.db.execute("DELETE FROM answers WHERE id <= ?1", [upto])?;
        }
        self.shorten_journal();
        Ok(())
    }

    /// Writes the journal into the file and cuts it, as far as no one reads from it.
    fn shorten_journal(&self) {
        let _ = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    /// Bytes of the pages in use, and of the journal.
    pub(super) fn used(&self) -> Result<u64, Fault> {
        let journal = fs::metadata(self.path.with_extension("sqlite3-wal")).map_or(0, |file| file.len());
        Ok(self.pages()? + journal)
    }

    /// Bytes of the pages in use.
    fn pages(&self) -> Result<u64, Fault> {
        let pragma = |name: &str| {
            self.db
                .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
                .map(i64::unsigned_abs)
        };
        Ok(pragma("page_count")?.saturating_sub(pragma("freelist_count")?) * pragma("page_size")?)
    }
}

/// Whether a request may be sent.
pub(super) enum Claimed {
    /// It need not be: there is an answer by now.
    Answered(Response),
    /// By this process.
    Ours,
    /// Another process has sent it.
    Theirs,
}

/// A transaction.
pub(super) struct Change<'a> {
    tx: Transaction<'a>,
    folder: &'a Path,
    owner: i64,
    /// Bytes of bodies.
    written: Cell<u64>,
}

impl Change<'_> {
    /// Writes an answer, and ends the claim on its request.
    pub(super) fn put(&self, key: &Key, body: &[u8]) -> Result<(), Fault> {
        let insert = "INSERT OR REPLACE INTO answers (key, body, sum) VALUES (?1, ?2, ?3)";
        self.tx.prepare_cached(insert)?.execute((&key.0[..], body, &checksum(body)[..]))?;
        self.written.set(self.written.get() + body.len() as u64);
        self.tx.prepare_cached("DELETE FROM claims WHERE key = ?1")?.execute([&key.0[..]])?;
        Ok(())
    }

    /// Claims the right to send a request.
    pub(super) fn claim(&self, key: &Key) -> Result<Claimed, Fault> {
        if let Some(response) = answer_of(&self.tx, key)?.flatten() {
            return Ok(Claimed::Answered(response));
        }
        let claim = "INSERT INTO claims (key, owner, until) VALUES (?1, ?2, ?3)
            ON CONFLICT (key) DO UPDATE SET owner = ?2, until = ?3 WHERE until < ?4 OR owner = ?2";
        let now = now();
        let claimed =
            self.tx.prepare_cached(claim)?.execute((&key.0[..], self.owner, now + LEASE_MS, now))?;
        if claimed > 0 {
            return Ok(Claimed::Ours);
        }
        let owner = "SELECT owner FROM claims WHERE key = ?1";
        let owner: i64 = self.tx.prepare_cached(owner)?.query_row([&key.0[..]], |row| row.get(0))?;
        if !has_ended(self.folder, owner) {
            return Ok(Claimed::Theirs);
        }
        // Nothing that a process that has ended has claimed is waited for.
        self.tx.execute("DELETE FROM claims WHERE owner = ?1", [owner])?;
        self.tx.prepare_cached(claim)?.execute((&key.0[..], self.owner, now + LEASE_MS, now))?;
        Ok(Claimed::Ours)
    }

    /// Gives a claim back.
    pub(super) fn release(&self, key: &Key) -> Result<(), Fault> {
        let release = "DELETE FROM claims WHERE key = ?1 AND owner = ?2";
        self.tx.prepare_cached(release)?.execute((&key.0[..], self.owner))?;
        Ok(())
    }
}

/// The answer of `key`; `Some(None)` for one that cannot be read.
fn answer_of(db: &Connection, key: &Key) -> Result<Option<Option<Response>>, Fault> {
    let mut query = db.prepare_cached("SELECT body, sum FROM answers WHERE key = ?1")?;
    let read = |row: &rusqlite::Row<'_>| {
        let (body, sum) = (row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
        let whole = sum == checksum(body);
        Ok(if whole { serde_json::from_slice::<Response>(body).ok() } else { None })
    };
    Ok(query.query_row([&key.0[..]], read).optional()?)
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Option<(u64, u64)> {
    None
}

/// Makes the folder, for its owner alone: answers can be as private as the questions.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens a file, or makes it, for its owner alone.
fn open_private(path: &Path) -> std::io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata()?.permissions().mode();
        // One that was made by an earlier version.
        if mode & 0o077 != 0 {
            let _ = file.set_permissions(fs::Permissions::from_mode(mode & 0o700));
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn key(n: u64) -> Key {
        Key(Sha256::digest(n.to_le_bytes()).into())
    }

    fn body(text: &str) -> Vec<u8> {
        serde_json::to_vec(&Response::text(text)).unwrap()
    }

    fn open(folder: &Path, limit: u64) -> Result<File, Fault> {
        File::open(folder, limit, BUSY)
    }

    #[test]
    fn the_oldest_answers_go_when_the_file_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let limit = 1 << 20;
        let mut file = open(folder.path(), limit).unwrap();
        for group in 0..100 {
            let numbers = group * 20..(group + 1) * 20;
            let each = |n| (key(n), body(&"x".repeat(2000)));
            file.change(|tx| numbers.map(each).try_for_each(|(key, body)| tx.put(&key, &body))).unwrap();
        }
        assert!(file.used().unwrap() <= limit + limit / 8, "{}", file.used().unwrap());
        assert!(file.get(&key(1999)).unwrap().is_some());
        assert!(file.get(&key(0)).unwrap().is_none());
        let length = |name: &str| fs::metadata(folder.path().join(name)).map_or(0, |file| file.len());
        let both = length(NAME) + length("lm.sqlite3-wal");
        assert!(both <= limit + limit / 4, "freed pages are used again, and the journal is short: {both}");
    }

    #[test]
    fn a_broken_entry_counts_as_missing_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = open(folder.path(), 1 << 30).unwrap();
        file.change(|tx| tx.put(&key(1), &body("one"))).unwrap();
        file.db.execute("UPDATE answers SET body = CAST('{\"choices\":[]}' AS BLOB)", []).unwrap();
        assert!(file.get(&key(1)).unwrap().is_none());
        file.change(|tx| tx.put(&key(1), &body("anew"))).unwrap();
        assert_eq!(file.get(&key(1)).unwrap().unwrap().choices[0].text, "anew");
    }

    #[test]
    fn a_file_of_a_newer_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path(), 1 << 30).unwrap());
        let db = Connection::open(folder.path().join(NAME)).unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        drop(db);
        let opened = File::open_or_replace(folder.path(), 1 << 30, BUSY, false);
        assert!(matches!(opened, Err(Fault::Newer(99))));
        assert!(!folder.path().join(format!("{NAME}.corrupt")).exists());
    }

    #[test]
    fn a_request_is_claimed_until_it_is_answered_given_back_or_the_lease_ends() {
        let folder = tempfile::tempdir().unwrap();
        let claim = |file: &mut File| {
            let mut claimed = Claimed::Theirs;
            let ask = |tx: &Change<'_>| {
                claimed = tx.claim(&key(1))?;
                Ok(())
            };
            file.change(ask).unwrap();
            match claimed {
                Claimed::Ours => "ours",
                Claimed::Theirs => "theirs",
                Claimed::Answered(_) => "answered",
            }
        };
        let (mut a, mut b) = (open(folder.path(), 1 << 30).unwrap(), open(folder.path(), 1 << 30).unwrap());
        assert_eq!((claim(&mut a), claim(&mut b), claim(&mut a)), ("ours", "theirs", "ours"));
        b.change(|tx| tx.release(&key(1))).unwrap();
        assert_eq!(claim(&mut b), "theirs", "only the owner gives it back");
        a.change(|tx| tx.release(&key(1))).unwrap();
        assert_eq!((claim(&mut b), claim(&mut a)), ("ours", "theirs"));
        // The owner was killed a while ago.
        a.db.execute("UPDATE claims SET until = until - 60000", []).unwrap();
        assert_eq!((claim(&mut a), claim(&mut b)), ("ours", "theirs"));
        // It is killed at once.
        drop(a);
        assert_eq!(claim(&mut b), "ours");
        b.change(|tx| tx.put(&key(1), &body("one"))).unwrap();
        assert_eq!(claim(&mut b), "answered");
    }

    #[test]
    fn of_a_damaged_file_all_is_kept_but_what_stood_on_the_damaged_page() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let mut file = open(folder.path(), 1 << 30).unwrap();
        file.change(|tx| (0..2000).try_for_each(|n| tx.put(&key(n), &body(&"x".repeat(300))))).unwrap();
        file.shorten_journal();
        drop(file);
        let whole = fs::read(&path).unwrap();
        let pages = whole.len() / 4096;
        // The first page is the one without which no other can be found.
        for page in [0, 3, pages / 3, pages / 2, pages - 2] {
            let mut bytes = whole.clone();
            bytes[page * 4096..][..4096].fill(0xA5);
            fs::write(&path, bytes).unwrap();
            let file = File::open_or_replace(folder.path(), 1 << 30, BUSY, true).unwrap();
            let found = (0..2000).filter(|n| file.get(&key(*n)).unwrap().is_some()).count();
            assert!(found >= 1900, "page {page} of {pages}: {found} are left");
        }
    }
}
