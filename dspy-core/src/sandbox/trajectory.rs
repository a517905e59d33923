//! What a module did that writes code and runs it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CodeError, Ran};
use crate::tool::Steps;

/// The code that a module had run for one call, oldest first.
pub type CodeTrajectory = Steps<CodeStep>;

/// Code that was run, and what it gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CodeStep {
    /// What the model thought before it wrote the code.
    pub thought: String,
    /// The code.
    pub code: String,
    /// What it gave, or why it gave nothing.
    pub outcome: Result<Ran, CodeError>,
    /// What the model is told of that.
    pub output: String,
}

impl CodeStep {
    /// A step, of whose outcome the model is told at most so many characters.
    pub fn new(
        thought: impl Into<String>,
        code: impl Into<String>,
        outcome: Result<Ran, CodeError>,
        most: usize,
    ) -> Self {
        let output = match &outcome {
            Ok(Ran { submitted: Some(_), printed, .. }) if printed.is_empty() => "(submitted)".to_owned(),
            Ok(ran) => ran.text(),
            Err(error) => match error.printed.trim_end() {
                "" => error.to_string(),
                printed => format!("{printed}\n{error}"),
            },
        };
        let output = shortened(output, most);
        Self { thought: thought.into(), code: code.into(), outcome, output }
    }
}

/// The beginning and the end of a long text, with a mark between them that tells of the rest.
fn shortened(text: String, most: usize) -> String {
    let all = text.chars().count();
    if all <= most {
        return text;
    }
    let (head, tail) = (most - most / 4, most / 4);
    let at = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    let mark = format!("\n[{} of {all} characters are left out]\n", all - most);
    [&text[..at(head)], &mark, &text[at(all - tail)..]].concat()
}

/// As a model is shown it behind its number.
impl fmt::Display for CodeStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.thought.is_empty() {
            write!(f, "\nthought: {}", self.thought)?;
        }
        write!(f, "\n```python\n{}\n```\n", self.code.trim_end())?;
        match (&self.outcome, self.output.as_str()) {
            (Ok(_), "") => f.write_str("output: (nothing)"),
            (Ok(_), output) => write!(f, "output: {output}"),
            (Err(_), output) => write!(f, "error: {output}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::CodeErrorKind, *};
    use crate::tool::Stop;

    fn trajectory(steps: usize) -> CodeTrajectory {
        let mut trajectory = CodeTrajectory::new();
        for n in 1..=steps {
            let ran = Ran::new(n).printed("so\n");
            trajectory.push(CodeStep::new("count", format!("print('so')\n{n}\n"), Ok(ran), 100));
        }
        trajectory
    }

    #[test]
    fn it_is_read_from_what_it_is_written_as() {
        let mut full = trajectory(2);
        let error = CodeError::new(CodeErrorKind::Raised, "ValueError: no").at(3);
        full.push(CodeStep::new("", "raise ValueError('no')", Err(error), 100));
        full.end(Stop::MaxIters);
        full.hide(1);
        let text = serde_json::to_string(&full).unwrap();
        assert_eq!(serde_json::from_str::<CodeTrajectory>(&text).unwrap(), full);
    }

    #[test]
    fn it_is_shown_with_code_and_output() {
        let mut full = trajectory(3);
        assert!(full.hide(1) && full.hide(2) && !full.hide(4));
        let expected = "(the first 2 steps are left out)\n\nStep 3\nthought: count\n```python\nprint('so')\n3\n```\noutput: so\n3";
        assert_eq!(full.to_string(), expected);
    }

    #[test]
    fn of_long_outputs_the_middle_is_left_out() {
        assert_eq!(shortened("äbcdefgh".into(), 4), "äbc\n[4 of 8 characters are left out]\nh");
        assert_eq!(shortened("äbcd".into(), 4), "äbcd");
    }
}
