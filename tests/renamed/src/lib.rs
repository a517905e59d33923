//! A user's crate that depends on nothing but the library, under another name, and on tokio.
#![deny(warnings, missing_docs, unreachable_pub)]

use llm::prelude::*;

/// Judge the report.
#[signature]
#[derive(PartialEq)]
pub struct Judge {
    /// The report.
    #[input]
    pub report: String,
    /// How bad it is.
    #[output(default = Severity::Low)]
    pub severity: Severity,
}

/// How bad something is.
#[value]
#[derive(PartialEq)]
pub enum Severity {
    /// Not at all.
    Low,
    /// Very.
    High,
}

/// A report and where it came from.
#[value]
#[derive(Example)]
#[example(input = JudgeInput)]
pub struct Report {
    /// The report.
    #[input]
    pub report: String,
    /// Where it came from.
    pub origin: String,
}

/// Judges reports.
#[module]
#[derive(Default)]
pub struct Judges {
    judge: ChainOfThought<Judge>,
}

#[module]
impl Module for Judges {
    type Input = JudgeInput;
    type Output = JudgeOutput;

    async fn forward(&self, input: JudgeInput) -> Result<JudgeOutput> {
        Ok(self.judge.call(input).await?.into_inner().into_inner())
    }
}

#[tokio::test]
async fn works_under_another_name() {
    let program = Judges::default();
    assert_eq!(program.predictors()[0].0, "judge.predict");
    assert!(Judges::source().is_some_and(|s| s.contains("async fn forward")));
    let report = Report { report: "smoke".into(), origin: "kitchen".into() };
    assert_eq!(report.input().report, "smoke");
    // No model is configured.
    let error = program.call(report.input()).await.map(|p| p.severity.clone()).unwrap_err();
    assert_eq!(error.kind(), "context");
}
