//! How many suggestions are not met.

/// Counts suggestions that are not met.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Violations {
    violations: usize,
    rows: usize,
}

impl Violations {
    /// Those of some rows, each with so many.
    pub(super) fn of(rows: impl IntoIterator<Item = u32>) -> Self {
        let mut all = Self::default();
        rows.into_iter().for_each(|violations| all.add(violations));
        all
    }

    pub(super) fn add(&mut self, violations: u32) {
        self.violations += violations as usize;
        self.rows += usize::from(violations > 0);
    }

    /// How many there are.
    pub(super) fn all(self) -> usize {
        self.violations
    }

    /// In words, if there are any.
    pub(super) fn said(self) -> Option<String> {
        let Self { violations, rows } = self;
        (violations > 0).then(|| format!("suggestions not met: {violations} in {rows} rows"))
    }
}
