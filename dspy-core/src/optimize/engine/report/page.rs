//! The report as a page.

use std::path::Path;

use super::Report;
use crate::{Error, Result, files};

/// The page without the report.
const PAGE: &str = include_str!("page.html");
const PLACE: &str = "/*REPORT*/";

impl Report {
    /// The report as one HTML page that needs nothing else: score over calls, the candidates by descent, what changed
    /// in each predictor, rows won and lost.
    ///
    /// # Errors
    /// [`Error::Other`] when the report cannot be turned into JSON.
    pub fn to_html(&self) -> Result<String> {
        // Within a script element, only its end tag and comments have a meaning.
        let json = serde_json::to_string(self)?.replace('<', "\\u003c");
        Ok(PAGE.replacen(PLACE, &json, 1))
    }

    /// Saves the report as one HTML page; see [`to_html`](Self::to_html).
    ///
    /// # Errors
    /// [`Error::Other`] when the file cannot be written.
    pub fn save_html(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let written = files::write_all_atomically(path, self.to_html()?.as_bytes());
        written.map_err(|e| Error::other(format!("{}: {}", path.display(), files::not_written(path, &e))))
    }
}
