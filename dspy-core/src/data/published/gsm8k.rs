use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    Result,
    data::{Example, load},
};

/// A row of GSM8K, grade-school problems in arithmetic (Cobbe et al. 2021, "Training Verifiers to Solve Math Word
/// Problems"). As an example, its input is the question.
///
/// ```no_run
/// use dspy_core::data::Gsm8k;
/// let rows = Gsm8k::load("gsm8k/train.jsonl")?;
/// let metric = |gold: &Gsm8k, pred: &String| gold.is_right(pred);
/// # let _ = (rows, metric);
/// # Ok::<(), dspy_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
#[non_exhaustive]
pub struct Gsm8k {
    /// The problem.
    pub question: String,
    /// The solution step by step, without the marks of the calculator (`<<48/2=24>>`).
    pub reasoning: String,
    /// The number that is asked for, without separators of thousands.
    pub answer: String,
}

impl Gsm8k {
    /// Reads a published file: the JSON lines of the authors, or the Parquet file of the copy on Hugging Face.
    ///
    /// # Errors
    /// [`Error::Dataset`](crate::Error::Dataset) naming the file and the line.
    pub fn load(path: impl AsRef<Path>) -> Result<Vec<Self>> {
        load(path)
    }

    /// Whether the last number in a text is the answer. Signs of currencies, separators of thousands and what follows
    /// the number do not matter.
    ///
    /// ```
    /// # use dspy_core::data::Gsm8k;
    /// let row: Gsm8k = serde_json::from_str(r#"{"question": "?", "answer": "600 * 2 = 1200\n#### 1,200"}"#)?;
    /// assert!(row.is_right("She earns $1,200.00 in 2 weeks, so 1200 dollars."));
    /// assert!(!row.is_right("1200 in 2 weeks"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn is_right(&self, answer: &str) -> bool {
        match (last_number(&self.answer), last_number(answer)) {
            (Some(wanted), Some(given)) => (wanted - given).abs() <= 1e-9 * wanted.abs().max(1.0),
            _ => self.answer.trim() == answer.trim(),
        }
    }
}

impl Example for Gsm8k {
    type Input = String;

    fn input(&self) -> String {
        self.question.clone()
    }
}

/// The published form, whose answer ends in `#### 42`, and that of this type.
#[derive(Deserialize)]
struct Stored {
    question: String,
    answer: String,
    reasoning: Option<String>,
}

impl TryFrom<Stored> for Gsm8k {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, &'static str> {
        let (reasoning, answer) = match stored.reasoning {
            Some(reasoning) => (reasoning, stored.answer),
            None => {
                let (steps, number) = stored.answer.rsplit_once("####").ok_or(
                    "the `answer` of a row of GSM8K ends in `#### ` and a number, but this one does not",
                )?;
                (without_calculator(steps).trim().to_owned(), number.trim().replace(',', ""))
            }
        };
        Ok(Self { question: stored.question, reasoning, answer })
    }
}

fn without_calculator(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<<") {
        // A mark that does not end stays, as it is none.
        let Some((_, after)) = after.split_once(">>") else { break };
        out.push_str(before);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn last_number(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let last = (0..bytes.len()).rfind(|i| digit(*i))?;
    let within =
        |i: usize| digit(i) || matches!(bytes[i], b',' | b'.') && i > 0 && digit(i - 1) && digit(i + 1);
    let mut start = last;
    while start > 0 && within(start - 1) {
        start -= 1;
    }
    // `.5` has no digit before its point.
    if start > 0 && bytes[start - 1] == b'.' && digit(start) && !bytes[start..=last].contains(&b'.') {
        start -= 1;
    }
    let number: f64 = text.get(start..=last)?.replace(',', "").parse().ok()?;
    let before =
        text[..start].trim_end_matches(|c: char| !c.is_alphanumeric() && c != '-' && !c.is_whitespace());
    // A sign stands before the number; between numbers it is a dash.
    let negative = before.strip_suffix('-').is_some_and(|b| !b.ends_with(|c: char| c.is_alphanumeric()));
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(answer: &str) -> Result<Gsm8k, serde_json::Error> {
        serde_json::from_value(serde_json::json!({ "question": "How many?", "answer": answer }))
    }

    #[test]
    fn the_published_form_is_taken_apart() {
        let gold = row("He has 3*4 = <<3*4=12>>12 pens.\nSo $<<12*100=1200>>1200.\n#### 1,200").unwrap();
        assert_eq!(gold.reasoning, "He has 3*4 = 12 pens.\nSo $1200.");
        assert_eq!(gold.answer, "1200");
        let again: Gsm8k = serde_json::from_str(&serde_json::to_string(&gold).unwrap()).unwrap();
        assert_eq!(again, gold);
        assert_eq!(row("a << b\n#### 5").unwrap().reasoning, "a << b");
        assert!(row("12").unwrap_err().to_string().contains("ends in `#### `"));
        assert_eq!((gold.input(), gold.record().unwrap().len()), ("How many?".to_owned(), 3));
    }

    #[test]
    fn the_last_number_counts() {
        for (text, number) in [
            ("42", Some(42.0)),
            ("42.", Some(42.0)),
            ("$1,200.50 a week", Some(1200.5)),
            ("from 10-15", Some(15.0)),
            ("it is -5 degrees", Some(-5.0)),
            ("-$5", Some(-5.0)),
            ("a loss of $-5.", Some(-5.0)),
            ("3, 4", Some(4.0)),
            ("x = .5", Some(0.5)),
            ("1.2.3", None),
            ("50%", Some(50.0)),
            ("**18**", Some(18.0)),
            ("none", None),
            ("—7", Some(7.0)),
            ("٣", None),
        ] {
            assert_eq!(last_number(text), number, "{text}");
        }
        assert!(row("#### 5").unwrap().is_right("5.0 apples"));
        assert!(!row("#### 5").unwrap().is_right("five"));
    }
}
