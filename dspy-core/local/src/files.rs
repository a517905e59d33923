//! Names of files that are written on the way to others.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// A path in the same folder, named after this one.
pub(crate) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(|| OsString::from("model"), OsString::from);
    name.push(format!(".{what}"));
    path.with_file_name(name)
}
