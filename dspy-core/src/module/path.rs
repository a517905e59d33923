//! The path of a predictor in a program.

use std::fmt;

/// The path of a predictor in a program, such as `hops[0].query` or `experts['law']`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path {
    text: String,
}

impl Path {
    /// The program itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path as text; empty for the program itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Runs `f` with the path of a field.
    pub fn field(&mut self, name: &str, f: impl FnOnce(&mut Self)) {
        self.within(f, |text| {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(name);
        });
    }

    /// Runs `f` with the path of an element.
    pub fn index(&mut self, index: usize, f: impl FnOnce(&mut Self)) {
        self.within(f, |text| text.push_str(&format!("[{index}]")));
    }

    /// Runs `f` with the path of a map's entry.
    pub fn key(&mut self, key: &dyn fmt::Display, f: impl FnOnce(&mut Self)) {
        // The key stands as it is, because that is how DSPy names the entries of dictionaries in its files.
        self.within(f, |text| text.push_str(&format!("['{key}']")));
    }

    fn within(&mut self, f: impl FnOnce(&mut Self), enter: impl FnOnce(&mut String)) {
        let len = self.text.len();
        enter(&mut self.text);
        f(self);
        self.text.truncate(len);
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text.is_empty() { "self" } else { &self.text })
    }
}
