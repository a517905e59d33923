//! Answers as a file that travels: lines of JSON.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Cache, digest::Key, key::FORMAT};
use crate::{Error, Result, files, lm::Response};

/// The first line: in which form the keys are.
#[derive(Serialize, Deserialize)]
struct Header {
    dspy_cache: u32,
    keys: u64,
}

#[derive(Serialize)]
struct Line {
    key: String,
    response: Value,
}

#[derive(Deserialize)]
struct Entry {
    key: String,
    response: Response,
}

/// How many entries are written at once.
#[cfg(feature = "disk-cache")]
const GROUP: usize = 1024;

impl Cache {
    /// Writes all answers to a file, a line of JSON for each, and gives their number. The file holds no prompts, only
    /// their hashes, and no keys. It is written whole or not at all.
    ///
    /// With [`import`](Self::import) a colleague, or a run of tests, has the answers of a compile without a request:
    /// see [`replay`](Self::replay).
    ///
    /// # Errors
    /// [`Error::Other`] when the cache is off or cannot be read, or the file cannot be written.
    pub fn export(&self, path: impl AsRef<Path>) -> Result<u64> {
        let path = path.as_ref();
        let store = self.store().ok_or_else(is_off)?;
        let mut count = 0;
        files::write_atomically(path, |out| {
            serde_json::to_writer(&mut *out, &Header { dspy_cache: 1, keys: FORMAT })?;
            out.write_all(b"\n")?;
            let mut line = |key: &Key, body: &[u8]| {
                let response = serde_json::from_slice(body)?;
                serde_json::to_writer(&mut *out, &Line { key: hex(key), response })?;
                count += 1;
                out.write_all(b"\n")
            };
            #[cfg(feature = "disk-cache")]
            if let Some(disk) = &store.disk {
                return disk
                    .file()
                    .and_then(|file| file.each(&mut line))
                    .map_err(|e| io::Error::other(e.to_string()));
            }
            store.memory.each(|key, response| line(key, &serde_json::to_vec(response)?))
        })
        .map_err(|e| Error::other(format!("{}: {}", path.display(), files::not_written(path, &e))))?;
        Ok(count)
    }

    /// Takes the answers of a file that [`export`](Self::export) has written, and gives their number. Those that are
    /// here already are replaced.
    ///
    /// # Errors
    /// [`Error::Dataset`] when the file cannot be read, or an answer not be kept; what came before it is kept.
    pub fn import(&self, path: impl AsRef<Path>) -> Result<u64> {
        let path = path.as_ref();
        let store = self.store().ok_or_else(is_off)?;
        let wrong =
            |line: Option<usize>, message: String| Error::Dataset { path: path.into(), line, message };
        let file = File::open(path).map_err(|e| wrong(None, e.to_string()))?;
        let mut lines = BufReader::new(file).lines().enumerate();
        let header: Option<Header> = match lines.next() {
            Some((_, Ok(first))) => serde_json::from_str(&first).ok(),
            _ => None,
        };
        match header {
            Some(Header { dspy_cache: 1, keys: FORMAT }) => {}
            Some(_) => {
                let message = "the file is from another version of dspy, whose requests have other hashes";
                return Err(wrong(Some(1), message.into()));
            }
            None => return Err(wrong(Some(1), "this is no file that `Cache::export` has written".into())),
        }
        let mut read = lines.map(|(i, line)| {
            let entry = line.map_err(|e| e.to_string()).and_then(|line| {
                let Entry { key, response } = serde_json::from_str(&line).map_err(|e| e.to_string())?;
                Ok((unhex(&key).ok_or("the key is no hash")?, response))
            });
            entry.map_err(|message| wrong(Some(i + 1), message))
        });
        let mut count = 0;
        #[cfg(feature = "disk-cache")]
        if let Some(disk) = &store.disk {
            let failed = |e: super::file::Fault| wrong(None, format!("the answers cannot be kept: {e}"));
            let mut file = disk.file().map_err(failed)?;
            loop {
                let group: Vec<(Key, Response)> = read.by_ref().take(GROUP).collect::<Result<_>>()?;
                if group.is_empty() {
                    store.memory.clear();
                    return Ok(count);
                }
                file.change(|tx| {
                    group.iter().try_for_each(|(key, response)| {
                        tx.put(key, &serde_json::to_vec(response).map_err(io::Error::from)?)
                    })
                })
                .map_err(failed)?;
                count += group.len() as u64;
            }
        }
        read.try_for_each(|entry| {
            let (key, response) = entry?;
            store.memory.put(&key, Arc::new(response));
            count += 1;
            Ok::<(), Error>(())
        })?;
        Ok(count)
    }
}

fn is_off() -> Error {
    Error::other("the cache is off: there are no answers to export, and no place for imported ones")
}

fn hex(key: &Key) -> String {
    key.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Key> {
    let mut key = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (i, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(Key(key))
}
