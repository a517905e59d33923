//! How large a search is, when no numbers are given.

/// How large a search is. What it means in numbers stands with each optimizer that takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auto {
    /// For a first look, and for short searches: six options for each part of the program.
    Light,
    /// Twice as many options, and about three times as many runs of the program.
    Medium,
    /// Three times as many options, and about six times as many runs of the program.
    Heavy,
}

impl Auto {
    /// How many options there are for each part of a program.
    pub(super) fn options(self) -> usize {
        match self {
            Self::Light => 6,
            Self::Medium => 12,
            Self::Heavy => 18,
        }
    }
}
