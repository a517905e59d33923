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

/// Find reports.
#[tool]
pub async fn find(
    /// where they came from
    origin: String,
    #[arg(default = 3)] most: usize,
) -> Result<Vec<String>> {
    Ok(vec![origin; most])
}

/// Count words.
#[tool]
#[deprecated(note = "count them yourself")]
pub fn words(text: String) -> usize {
    text.split_whitespace().count()
}

/// A shelf of reports.
#[derive(Debug)]
pub struct Shelf {
    reports: Vec<String>,
}

#[tool]
impl Shelf {
    /// How many there are.
    #[tool]
    pub fn size(&self) -> usize {
        self.reports.len()
    }

    /// One of them.
    #[tool(name = "report")]
    pub async fn get(&self, number: usize) -> Result<String, String> {
        self.reports.get(number).cloned().ok_or_else(|| format!("there are {}", self.reports.len()))
    }
}

#[tokio::test]
async fn tools_work_under_another_name() {
    let shelf = Arc::new(Shelf { reports: vec!["smoke".into()] });
    #[expect(deprecated)]
    let agent = ReAct::<Judge>::builder().tool(find).tool(words).tools(shelf.tools()).build();
    let names: Vec<&str> = agent.tools().iter().map(Tool::name).collect();
    assert_eq!(names, ["find", "words", "size", "report"]);
    assert_eq!(find("kitchen".into(), 1).await.unwrap_or_default(), ["kitchen"]);
    for (tool, said) in agent.tools()[2..].iter().zip(["1", "`report` was not called: `number` is missing"]) {
        let seen = tool.observe(Default::default()).await.text;
        assert!(seen.starts_with(said), "{seen}");
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
