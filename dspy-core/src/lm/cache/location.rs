//! Where a platform wants caches to lie.

use std::{ffi::OsString, path::PathBuf};

/// The folder for the cache: `$DSPY_CACHE_DIR`, else `dspy` in the platform's folder for caches.
pub(crate) fn default_folder(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(own) = folder("DSPY_CACHE_DIR") {
        return Some(own);
    }
    let platform = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library").join("Caches"))
    } else {
        // The XDG Base Directory specification has relative paths ignored.
        folder("XDG_CACHE_HOME")
            .filter(|p| p.is_absolute())
            .or_else(|| folder("HOME").map(|h| h.join(".cache")))
    };
    platform.map(|p| p.join("dspy"))
}

/// A directory by its one name: absolute and without links, as far as it exists.
pub(super) fn real(path: PathBuf) -> PathBuf {
    let path = std::path::absolute(&path).unwrap_or(path);
    let found = path.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    match found.and_then(|(part, real)| Some((real, path.strip_prefix(part).ok()?))) {
        Some((real, rest)) if rest.as_os_str().is_empty() => real,
        Some((real, rest)) => real.join(rest),
        None => path,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn with(vars: &[(&str, &str)]) -> Option<PathBuf> {
        default_folder(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()))
    }

    #[test]
    fn the_own_variable_comes_first_then_the_platform() {
        let all = [("DSPY_CACHE_DIR", "/a"), ("XDG_CACHE_HOME", "/b"), ("HOME", "/c")];
        assert_eq!(with(&all), Some("/a".into()));
        assert_eq!(with(&all[1..]), Some("/b/dspy".into()));
        assert_eq!(with(&all[2..]), Some("/c/.cache/dspy".into()));
        assert_eq!(with(&[("XDG_CACHE_HOME", "rel"), ("HOME", "/c")]), Some("/c/.cache/dspy".into()));
        assert_eq!(with(&[]), None);
    }
}
