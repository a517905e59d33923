//! Constraints of a signature on its outputs.

/// A constraint that an output violates.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The output field, or `self` for a constraint on the whole output. Of an assertion of a program, its place in the
    /// source: `src/main.rs:31`.
    pub field: String,
    /// What the constraint requires.
    pub message: String,
    /// Whether the violation is an error, or only a warning.
    pub fatal: bool,
}

impl Violation {
    /// A demand that must be met.
    pub fn fatal(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), fatal: true }
    }

    /// A demand that should be met.
    pub fn wish(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), fatal: false }
    }
}

/// Collects the violations of an output.
#[derive(Debug, Default)]
pub struct Checks {
    violations: Vec<Violation>,
}

impl Checks {
    /// Demands that must be met.
    pub fn assert(&mut self, field: &str, met: bool, message: &str) {
        self.note(field, met, message, true);
    }

    /// Demands that should be met.
    pub fn suggest(&mut self, field: &str, met: bool, message: &str) {
        self.note(field, met, message, false);
    }

    fn note(&mut self, field: &str, met: bool, message: &str, fatal: bool) {
        if !met {
            self.violations.push(Violation { field: field.into(), message: message.into(), fatal });
        }
    }

    /// What is not met.
    pub fn into_violations(self) -> Vec<Violation> {
        self.violations
    }
}
