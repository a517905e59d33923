//! Models that several users share.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::SystemTime,
};

use crate::{
    error::{Error, in_file},
    model::{Model, Options},
};

/// Open models by their path, with the time of their files' last change.
type Open = HashMap<PathBuf, (SystemTime, Weak<Model>)>;

impl Model {
    /// The model at a path with the default options, shared by all who ask for the same one. Files that have changed
    /// since it was opened are read again.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn shared(path: impl AsRef<Path>) -> Result<Arc<Self>, Error> {
        static OPEN: Mutex<Option<Open>> = Mutex::new(None);
        let path = path.as_ref();
        let key = std::fs::canonicalize(path).map_err(|e| in_file(path, format!("cannot be opened: {e}")))?;
        let changed = last_change(&key);
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.get_or_insert_default();
        if let Some((at, model)) = open.get(&key)
            && *at == changed
            && let Some(model) = model.upgrade()
        {
            return Ok(model);
        }
        let model = Arc::new(Self::open_with(path, Options::default())?);
        open.retain(|_, (_, model)| model.strong_count() > 0);
        open.insert(key, (changed, Arc::downgrade(&model)));
        Ok(model)
    }
}

/// When a file, or one of a directory, was changed last.
fn last_change(path: &Path) -> SystemTime {
    let of =
        |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let inside = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| of(&entry.path()));
    inside.fold(of(path), SystemTime::max)
}
