//! What can be read of a damaged file.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use sha2::{Digest, Sha256};

use super::digest::Key;

/// After so many entries in a row that cannot be read, the rest is given up: more than hang on one inner page of the tree.
const HOLE: i64 = 20_000;

/// The size of pages, as the files are made.
const PAGE: usize = 4096;

/// A key and the body of its answer.
type Entry = (Key, Vec<u8>);

/// The entries of a damaged file that are whole, the oldest first. A page that cannot be read costs the entries on it:
/// each entry has a checksum, so what is taken is what was written.
///
/// Without the first page, which says where everything else is, nothing can be found. All files are made alike, so that of
/// any other one will do: `schema` makes the tables of a file.
pub(super) fn salvage(
    path: &Path,
    schema: &str,
    private: impl Fn(&Path) -> std::io::Result<File>,
) -> Vec<Entry> {
    let found = read_file(path);
    if !found.is_empty() {
        return found;
    }
    let copy = Copy(path.with_extension("salvage"));
    match copy.make(path, schema, private) {
        Ok(()) => read_file(&copy.0),
        Err(error) => {
            tracing::debug!(%error, "the first page of the cache cannot be replaced");
            found
        }
    }
}

fn read_file(path: &Path) -> Vec<Entry> {
    let mut found = Vec::new();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if let Ok(db) = Connection::open_with_flags(path, flags) {
        // An error here is one more thing that cannot be read.
        let _ = read_all(&db, &mut found);
    }
    found
}

/// A copy of a damaged file, with another first page. It is removed when it has been read.
struct Copy(PathBuf);

impl Copy {
    fn make(
        &self,
        path: &Path,
        schema: &str,
        private: impl Fn(&Path) -> std::io::Result<File>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        private(&self.0)?.set_len(0)?;
        let new = Connection::open(&self.0)?;
        new.pragma_update(None, "page_size", PAGE as i64)?;
        new.execute_batch(schema)?;
        drop(new);
        let mut first = [0; PAGE];
        File::open(&self.0)?.read_exact(&mut first)?;
        let mut damaged = File::open(path)?;
        let mut copy = fs::OpenOptions::new().write(true).truncate(true).open(&self.0)?;
        let pages = u32::try_from(damaged.metadata()?.len() / PAGE as u64)?;
        // The header of the file: that it has a journal, its size in pages, and no list of free ones.
        first[18..20].fill(2);
        first[28..32].copy_from_slice(&pages.to_be_bytes());
        first[32..40].fill(0);
        copy.write_all(&first)?;
        damaged.seek(SeekFrom::Start(PAGE as u64))?;
        std::io::copy(&mut damaged, &mut copy)?;
        if let Ok(mut journal) = File::open(beside(path, "-wal")) {
            std::io::copy(&mut journal, &mut private(&beside(&self.0, "-wal"))?)?;
        }
        Ok(())
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(beside(&self.0, suffix));
        }
    }
}

/// A file that belongs to the one at this place.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn read_all(db: &Connection, found: &mut Vec<Entry>) -> rusqlite::Result<()> {
    let newest: Option<i64> =
        db.query_row("SELECT max(id) FROM answers", [], |row| row.get(0)).unwrap_or(None);
    let mut after = db.prepare("SELECT id, key, body, sum FROM answers WHERE id > ?1 ORDER BY id")?;
    let mut single = db.prepare("SELECT id, key, body, sum FROM answers WHERE id = ?1")?;
    let mut last = 0;
    loop {
        // As far as it goes, page by page.
        let mut rows = after.query([last])?;
        loop {
            match rows.next() {
                Ok(Some(row)) => match take(row) {
                    Ok((id, entry)) => {
                        last = id;
                        found.extend(entry);
                    }
                    Err(_) => break,
                },
                // The end, unless it is known that there is more.
                Ok(None) if newest.is_none_or(|newest| last >= newest) => return Ok(()),
                Ok(None) | Err(_) => break,
            }
        }
        drop(rows);
        // Then one by one, until an entry is found behind the hole.
        let end = newest.unwrap_or(i64::MAX).min(last.saturating_add(HOLE));
        let beyond = (last + 1..=end).find_map(|id| {
            let entry = single.query_row([id], take).optional().ok().flatten();
            entry.map(|(_, entry)| (id, entry))
        });
        let Some((id, entry)) = beyond else { return Ok(()) };
        last = id;
        found.extend(entry);
    }
}

/// What an entry is checked by.
pub(super) fn checksum(body: &[u8]) -> [u8; 8] {
    let digest: [u8; 32] = Sha256::digest(body).into();
    digest.first_chunk().copied().unwrap_or_default()
}

/// An entry with its number, if it is whole.
fn take(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Option<Entry>)> {
    let id = row.get(0)?;
    let (key, body, sum): (Vec<u8>, Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let whole = sum == checksum(&body);
    let key: Option<[u8; 32]> = key.try_into().ok();
    Ok((id, key.filter(|_| whole).map(|key| (Key(key), body))))
}
