//! Files that are written whole or not at all.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// Writes a file so that its readers see the old content or the new one, never a part: into a temporary file of
/// the same folder, which takes the place of the old one once it is on the disk.
///
/// The new file has the permissions of the old one. Where the path is a symbolic link, the file that it points to is
/// replaced. A temporary file that a killed process has left is used again, so at most one is ever left.
pub(crate) fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let path = &target(path);
    let (temporary, file) = temporary_beside(path)?;
    let result = (|| {
        // First, so that nobody reads what only the owner may.
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        // Before the lock on it ends: until then no one else takes the temporary file for a left one.
        fs::rename(&temporary, path)
    })();
    match result {
        Ok(()) => {
            sync_folder(path);
            Ok(())
        }
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// Why a file could not be written, for people.
pub(crate) fn not_written(path: &Path, error: &io::Error) -> String {
    match path.parent().filter(|folder| error.kind() == io::ErrorKind::NotFound && !folder.exists()) {
        Some(folder) => format!("the file cannot be written: there is no folder {}", folder.display()),
        None => format!("the file cannot be written: {error}"),
    }
}

/// As [`write_atomically`], for content that is at hand.
pub(crate) fn write_all_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    write_atomically(path, |out| out.write_all(content))
}

/// The file that a path names, through links.
fn target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // Links may form a circle; the file then cannot be written, which is said when it is tried.
    for _ in 0..40 {
        let Ok(to) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(to);
    }
    path
}

/// A new file beside `path`, with a lock that ends with it.
fn temporary_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path does not name a file"))?;
    let mut number = 0_u32;
    loop {
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(if number == 0 { ".tmp".to_owned() } else { format!(".{number}.tmp") });
        let temporary = path.with_file_name(temporary);
        if fs::symlink_metadata(&temporary).is_ok_and(|data| !data.is_file()) {
            // A link or a folder that somebody has put there.
            number += 1;
            continue;
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&temporary)?;
        match file.try_lock() {
            Ok(()) if is_at(&file, &temporary) => {
                // One that was left by a process that was killed.
                file.set_len(0)?;
                return Ok((temporary, file));
            }
            // It took the place of its target in the meantime.
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => number += 1,
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Whether an open file is the one at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |data: fs::Metadata| (data.dev(), data.ino());
    file.metadata().ok().map(identity) == fs::symlink_metadata(path).ok().map(identity)
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Puts the rename itself on the disk, where the system can do that. The content is safe either way.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_the_temporary_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a.json"), folder.path().join("other"));
        fs::write(&other, "kept").unwrap();
        std::os::unix::fs::symlink(&other, folder.path().join(".a.json.tmp")).unwrap();
        write_all_atomically(&path, b"new").unwrap();
        assert_eq!(
            (fs::read(&path).unwrap(), fs::read(&other).unwrap()),
            (b"new".to_vec(), b"kept".to_vec())
        );
        assert!(!fs::symlink_metadata(&path).unwrap().is_symlink());
    }

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_failed_write_leaves_the_old_content_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        write_all_atomically(&path, b"old").unwrap();
        let error = write_atomically(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        });
        assert!(error.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(entries(folder.path()), 1);
        let nowhere = folder.path().join("none").join("state.json");
        let error = write_all_atomically(&nowhere, b"new").unwrap_err();
        assert!(not_written(&nowhere, &error).ends_with("none"), "{}", not_written(&nowhere, &error));
        write_all_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn what_a_killed_process_has_left_is_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        fs::write(folder.path().join(".state.json.tmp"), "half of something long").unwrap();
        write_all_atomically(&path, b"whole").unwrap();
        assert_eq!((fs::read(&path).unwrap(), entries(folder.path())), (b"whole".to_vec(), 1));
    }

    #[test]
    fn several_may_write_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = &folder.path().join("state.json");
        std::thread::scope(|scope| {
            for writer in 0..8_u8 {
                scope.spawn(move || {
                    for _ in 0..20 {
                        write_all_atomically(path, &[writer; 10_000]).unwrap();
                    }
                });
            }
        });
        let content = fs::read(path).unwrap();
        assert!(content.len() == 10_000 && content.iter().all(|byte| *byte == content[0]));
        assert_eq!(entries(folder.path()), 1);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay_and_links_are_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("state.json"), folder.path().join("link.json"));
        write_all_atomically(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        symlink("state.json", &link).unwrap();
        write_all_atomically(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // A link to a file that is not there yet.
        symlink("later.json", folder.path().join("early.json")).unwrap();
        write_all_atomically(&folder.path().join("early.json"), b"x").unwrap();
        assert_eq!(fs::read(folder.path().join("later.json")).unwrap(), b"x");
    }
}
