//! Which processes that use a cache on disk are alive.
//!
//! Each keeps a lock on a small file of its own for as long as it lives: the operating system takes the lock from a
//! process that is killed, so that nobody waits for it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    time::SystemTime,
};

const PREFIX: &str = "lm.alive-";

/// The number of this process among those that use the cache, and the lock that goes with it.
pub(super) struct Alive {
    number: i64,
    lock: Option<(PathBuf, File)>,
}

impl Alive {
    /// Takes a number, and a lock where the file system has locks. `private` opens a file for its owner alone.
    pub(super) fn new(folder: &Path, private: impl Fn(&Path) -> std::io::Result<File>) -> Self {
        remove_left_over(folder);
        let draw = || RandomState::new().hash_one((std::process::id(), SystemTime::now())) as i64;
        for _ in 0..8 {
            let number = draw() | 1;
            let path = path(folder, number);
            let Ok(file) = private(&path) else { break };
            if file.try_lock().is_err() {
                let _ = fs::remove_file(&path);
                break;
            }
            // Whoever clears up may have taken it for left over before it was locked.
            if path.exists() {
                return Self { number, lock: Some((path, file)) };
            }
        }
        Self { number: draw() & !1, lock: None }
    }

    /// A process that claims nothing.
    pub(super) fn reading() -> Self {
        Self { number: 0, lock: None }
    }

    /// The number; odd with a lock, and even without.
    pub(super) fn number(&self) -> i64 {
        self.number
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.lock {
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether the process with this number has ended for sure.
pub(super) fn has_ended(folder: &Path, number: i64) -> bool {
    number & 1 == 1
        && match OpenOptions::new().write(true).open(path(folder, number)) {
            Ok(file) => file.try_lock().is_ok(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
}

fn path(folder: &Path, number: i64) -> PathBuf {
    folder.join(format!("{PREFIX}{number:016x}"))
}

/// Removes the files of processes that were killed.
fn remove_left_over(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { continue };
        match file.try_lock() {
            Ok(()) => {
                let _ = fs::remove_file(entry.path());
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_hold_their_lock_are_alive() {
        let folder = tempfile::tempdir().unwrap();
        let new = || Alive::new(folder.path(), |path| File::create(path));
        let (one, two) = (new(), new());
        assert!(one.number() & 1 == 1 && one.number() != two.number());
        assert!(!has_ended(folder.path(), one.number()));
        let number = one.number();
        drop(one);
        assert!(has_ended(folder.path(), number) && !has_ended(folder.path(), two.number()));
        // A process that was killed leaves its file, without a lock.
        fs::write(path(folder.path(), 5), "").unwrap();
        assert!(has_ended(folder.path(), 5));
        let _three = new();
        assert!(!path(folder.path(), 5).exists() && !has_ended(folder.path(), two.number()));
        // Without locks, nobody is known to have ended.
        assert!(!has_ended(folder.path(), 4));
    }
}
