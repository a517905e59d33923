//! What sets off a field in the chat format, and what only speaks of it.

use dspy::{Update, prelude::*};

use super::model::{Model, run};

/// Answer with a reason.
#[signature]
#[derive(PartialEq)]
struct Explain {
    #[input]
    question: String,
    #[output]
    why: String,
    #[output]
    final_answer: String,
}

/// Answer.
#[signature]
#[derive(PartialEq)]
struct Short {
    #[input]
    question: String,
    #[output]
    answer: String,
}

/// Report.
#[signature]
#[derive(PartialEq)]
struct Report {
    #[input]
    topic: String,
    #[output]
    report: String,
    #[output]
    summary: Option<String>,
}

async fn output<S>(answer: &str) -> Result<S::Output>
where
    S: StaticSignature,
    S::Input: From<String>,
{
    let model = Model::script(&[answer]).await;
    let chat = ChatAdapter::new().without_fallback();
    let program = Predict::<S>::new().lm(model.lm.clone()).adapter(chat).repairs(0);
    program.forward("Which format is it?".to_owned().into()).await
}

/// What a stream shows of an answer, the deltas of each field put together.
async fn streamed(answer: &str) -> (String, String) {
    let model = Model::script(&[answer]).await;
    let chat = ChatAdapter::new().without_fallback();
    let program = Predict::<Explain>::new().lm(model.lm.clone()).adapter(chat).repairs(0);
    let mut stream = program.stream("Which format is it?".to_owned());
    let (mut why, mut last) = (String::new(), String::new());
    while let Some(update) = stream.next().await {
        if let Update::Delta { field, text } = update.unwrap() {
            if &*field == "why" { why.push_str(&text) } else { last.push_str(&text) }
        }
    }
    (why, last)
}

#[test]
fn a_header_in_a_line_is_text() {
    run(async {
        for text in [
            "Put it under [[ ## final_answer ## ]] as asked.",
            "Put it under \"[[ ## final_answer ## ]]\".",
            "Unter `[[ ## final_answer ## ]]` steht die Antwort.",
            "答案写在「[[ ## final_answer ## ]]」之下。",
            "- `[[ ## why ## ]]` holds the reason\n- `[[ ## final_answer ## ]]` the answer",
            "It ends with [[ ## completed ## ]], always.\nAnd then nothing.",
            "> [[ ## final_answer ## ]]\n> Paris",
            "An example:\n```\n[[ ## final_answer ## ]]\nParis\n\n[[ ## completed ## ]]\n```\nThat is all.",
            "~~~text\n[[ ## why ## ]]\nno\n~~~",
            "A matrix [[1, 2], [3, 4]], a [[wiki link]], [[final_answer]] and a [x] box.",
            "## Final\nnothing\n## Answer\nnothing",
        ] {
            let answer = format!(
                "[[ ## why ## ]]\n{text}\n\n[[ ## final_answer ## ]]\nParis\n\n[[ ## completed ## ]]"
            );
            let read = output::<Explain>(&answer).await.unwrap_or_else(|e| panic!("{answer}: {e}"));
            assert_eq!(read, ExplainOutput { why: text.into(), final_answer: "Paris".into() }, "{answer}");
            assert_eq!(streamed(&answer).await, (text.to_owned(), "Paris".to_owned()), "{answer}");
        }
    });
}

#[test]
fn a_header_has_a_line_of_its_own_with_marks_around_it() {
    run(async {
        let markers: [fn(&str) -> String; 9] = [
            |name| format!("[[ ## {name} ## ]]"),
            |name| format!("  **[[ ## {name} ## ]]**  "),
            |name| format!("### [[ ## {name} ## ]]"),
            |name| format!("- [[ ## {name} ## ]]:"),
            |name| format!("1. __[[ ## {name} ## ]]__"),
            |name| format!("`[[ ## {name} ## ]]`"),
            |name| format!("[[ {name} ]]"),
            |name| format!("[[{}]]", name.to_uppercase()),
            |name| format!("**[[{}]]**", name.replace('_', " ")),
        ];
        for marker in markers {
            let (why, last, end) = (marker("why"), marker("final_answer"), marker("completed"));
            let answer = format!("Sure.\n\n{why}\nBecause\nit is.\n\n{last}\nParis\n\n{end}\n");
            let read = output::<Explain>(&answer).await.unwrap_or_else(|e| panic!("{answer}: {e}"));
            assert_eq!(read.why, "Because\nit is.", "{answer}");
            assert_eq!(read.final_answer, "Paris", "{answer}");
            assert_eq!(
                streamed(&answer).await,
                ("Because\nit is.".to_owned(), "Paris".to_owned()),
                "{answer}"
            );
        }
    });
}

#[test]
fn headings_stand_for_headers_that_are_missing() {
    run(async {
        let headings: [fn(&str) -> String; 7] = [
            |name| format!("## {name}"),
            |name| format!("### {}:", name.to_lowercase()),
            |name| format!("**{name}**"),
            |name| format!("**{name}:**"),
            |name| format!("__{}__", name.replace(' ', "_")),
            |name| format!("# **{}**", name.to_uppercase()),
            |name| format!("2. **{name}**："),
        ];
        for heading in headings {
            let (why, last) = (heading("Why"), heading("Final answer"));
            for answer in [
                format!("{why}\n\nBecause.\n## Evidence\nit is.\n\n{last}\n\nParis"),
                format!(
                    "Sure!\n\n{why}\nBecause.\n## Evidence\nit is.\n{last}\nParis\n\n[[ ## completed ## ]]"
                ),
                format!(
                    "[[ ## why ## ]]\nBecause.\n## Evidence\nit is.\n\n{last}\nParis\n\n[[ ## completed ## ]]"
                ),
                format!("{why}\nBecause.\n## Evidence\nit is.\n\n[[ ## final_answer ## ]]\nParis"),
            ] {
                let read = output::<Explain>(&answer).await.unwrap_or_else(|e| panic!("{answer}: {e}"));
                assert_eq!(read.why, "Because.\n## Evidence\nit is.", "{answer}");
                assert_eq!(read.final_answer, "Paris", "{answer}");
                let shown = streamed(&answer).await;
                assert_eq!(shown, (read.why, read.final_answer), "{answer}");
            }
        }
    });
}

#[test]
fn headings_of_a_text_are_text() {
    run(async {
        let report =
            "# Report\n\n## Summary\nShort.\n\n## Answer\n**Final answer**\nLong.\n\n## Report\nEnd.";
        for end in ["", "\n\n[[ ## completed ## ]]"] {
            let answer = format!("[[ ## report ## ]]\n{report}{end}");
            let read = output::<Report>(&answer).await.unwrap();
            assert_eq!(read, ReportOutput { report: report.into(), summary: None }, "{answer}");
            let answer = format!("[[ ## report ## ]]\n{report}\n\n[[ ## summary ## ]]\nIn short.{end}");
            let read = output::<Report>(&answer).await.unwrap();
            assert_eq!(read, ReportOutput { report: report.into(), summary: Some("In short.".into()) });
        }
        // Which of two is meant is not to be told.
        let answer = "## Why\na\n## Final answer\nb\n## Final answer\nc";
        assert!(output::<Explain>(answer).await.is_err());
    });
}

#[test]
fn the_only_output_may_stand_before_the_end_marker() {
    run(async {
        for (answer, text) in [
            ("Paris\n[[ ## completed ## ]]", "Paris"),
            ("Paris\n\n**[[ ## completed ## ]]**\n", "Paris"),
            ("Paris [[ ## completed ## ]]", "Paris"),
            ("Paris\n\n[[completed]]", "Paris"),
            (
                "Roses are red,\nviolets are blue.\n\n[[ ## completed ## ]]",
                "Roses are red,\nviolets are blue.",
            ),
            ("## Answer\nParis\n\n[[ ## completed ## ]]", "Paris"),
            ("[[ ## answer ## ]] Paris [[ ## completed ## ]]", "Paris"),
        ] {
            assert_eq!(
                output::<Short>(answer).await.unwrap_or_else(|e| panic!("{e}")).answer,
                text,
                "{answer}"
            );
        }
        // Of two, neither is told from the other.
        assert!(output::<Explain>("Paris\n[[ ## completed ## ]]").await.is_err());
        assert!(output::<Short>("[[ ## completed ## ]]").await.is_err());
    });
}

#[test]
fn an_answer_in_one_line_is_read() {
    run(async {
        for answer in [
            "[[ ## why ## ]] Because. [[ ## final_answer ## ]] Paris [[ ## completed ## ]]",
            "[[ ## why ## ]] Because. [[ ## final_answer ## ]] Paris",
        ] {
            let read = output::<Explain>(answer).await.unwrap();
            assert_eq!((read.why.as_str(), read.final_answer.as_str()), ("Because.", "Paris"));
            assert_eq!(streamed(answer).await, ("Because.".to_owned(), "Paris".to_owned()));
        }
    });
}

#[test]
fn a_block_that_was_not_closed_hides_no_header() {
    run(async {
        for answer in [
            "[[ ## why ## ]]\n```python\nx = 1\n\n[[ ## final_answer ## ]]\nParis\n\n[[ ## completed ## ]]",
            "[[ ## why ## ]]\n```python\nx = 1\n\n[[ ## final_answer ## ]]\n```\nParis\n```\n\n[[ ## completed ## ]]",
            "```\n[[ ## why ## ]]\nx = 1\n\n[[ ## final_answer ## ]]\nParis\n\n[[ ## completed ## ]]\n```",
        ] {
            let read = output::<Explain>(answer).await.unwrap_or_else(|e| panic!("{answer}: {e}"));
            assert!(read.why.ends_with("x = 1") && read.final_answer.contains("Paris"), "{answer}: {read:?}");
        }
    });
}

#[test]
fn what_follows_the_end_is_left_out() {
    run(async {
        for behind in [
            "\n\n[[ ## completed ## ]]\n\n[[ ## question ## ]]\nAnd then?\n\n[[ ## why ## ]]\nno",
            " [[ ## completed ## ]]\n\n[[ ## question ## ]]\nAnd then?\n\n[[ ## why ## ]]\nno",
            " [[ ## completed ## ]]\n[[ ## why ## ]]\nno",
            " [[ ## completed ## ]]\n",
            "\n[[ ## Completed ## ]] That is all.",
            "\r\n\r\n[[ ## completed ## ]]\r\n",
        ] {
            let answer = format!("[[ ## why ## ]]\nBecause.\r\n\r\n[[ ## final_answer ## ]]\nParis{behind}");
            let read = output::<Explain>(&answer).await.unwrap_or_else(|e| panic!("{answer}: {e}"));
            assert_eq!(
                read,
                ExplainOutput { why: "Because.".into(), final_answer: "Paris".into() },
                "{answer}"
            );
            assert_eq!(streamed(&answer).await, ("Because.".to_owned(), "Paris".to_owned()), "{answer}");
        }
    });
}

#[test]
fn of_a_field_that_comes_twice_the_first_text_counts() {
    run(async {
        let answer = "[[ ## why ## ]]\n\n[[ ## why ## ]]\na\n\n[[ ## final_answer ## ]]\nParis\n\n[[ ## why ## ]]\nb\n\n[[ ## final_answer ## ]]\nRome\n\n[[ ## completed ## ]]";
        let read = output::<Explain>(answer).await.unwrap();
        assert_eq!(read, ExplainOutput { why: "a".into(), final_answer: "Paris".into() });
        assert_eq!(streamed(answer).await, ("a".to_owned(), "Paris".to_owned()));
    });
}
