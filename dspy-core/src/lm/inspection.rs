//! Requests and answers as a person reads them.

use std::{fmt, sync::Arc};

use super::{FinishReason, HistoryEntry, Message, Response, Role, ToolCall, history, time::format_utc};

/// The last `n` prompts and answers of this process, formatted for reading.
///
/// ```no_run
/// println!("{}", dspy_core::lm::inspect_history(1));
/// ```
pub fn inspect_history(n: usize) -> Inspection {
    Inspection::new(history::recent(n))
}

/// Requests with their answers to print, the oldest first; see [`inspect_history`].
///
/// Each shows its time, model, duration, tokens and cost, the messages by role, and the answers with their reasoning and
/// tool calls. `to_string` gives it as a text.
#[derive(Debug, Clone)]
pub struct Inspection {
    entries: Vec<Arc<HistoryEntry>>,
    colours: bool,
}

impl Inspection {
    pub(super) fn new(entries: Vec<Arc<HistoryEntry>>) -> Self {
        Self { entries, colours: false }
    }

    /// Sets whether headings are in colour, by the escape codes of terminals; they are not unless it is set.
    ///
    /// ```no_run
    /// use std::io::{IsTerminal, stdout};
    ///
    /// println!("{}", dspy_core::lm::inspect_history(3).colours(stdout().is_terminal()));
    /// ```
    #[must_use]
    pub fn colours(mut self, on: bool) -> Self {
        self.colours = on;
        self
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entries.is_empty() {
            return f.write_str("no request has been made\n");
        }
        let mut page = Page { out: f, colours: self.colours };
        self.entries.iter().try_for_each(|entry| page.entry(entry))
    }
}

impl fmt::Display for HistoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Page { out: f, colours: false }.entry(self)
    }
}

/// What a heading stands over.
#[derive(Clone, Copy)]
enum Tone {
    Title,
    Given,
    Answered,
    Wrong,
    Aside,
}

impl Tone {
    /// The parameters of its escape code.
    fn code(self) -> &'static str {
        match self {
            Self::Title => "1",
            Self::Given => "1;34",
            Self::Answered => "1;32",
            Self::Wrong => "1;31",
            Self::Aside => "2",
        }
    }
}

struct Page<'p, 'f> {
    out: &'p mut fmt::Formatter<'f>,
    colours: bool,
}

impl Page<'_, '_> {
    fn toned(&mut self, tone: Tone, text: &str) -> fmt::Result {
        match self.colours {
            true => write!(self.out, "\u{1b}[{}m{text}\u{1b}[0m", tone.code()),
            false => self.out.write_str(text),
        }
    }

    fn entry(&mut self, entry: &HistoryEntry) -> fmt::Result {
        self.toned(Tone::Title, &title(entry))?;
        self.out.write_str("\n")?;
        entry.prompt.messages().try_for_each(|message| self.message(message))?;
        match &entry.outcome {
            Ok(response) => self.response(response)?,
            Err(error) => {
                self.heading(Tone::Wrong, "[error]")?;
                writeln!(self.out, "{error}")?;
            }
        }
        self.out.write_str("\n")
    }

    fn heading(&mut self, tone: Tone, text: &str) -> fmt::Result {
        self.out.write_str("\n")?;
        self.toned(tone, text)?;
        self.out.write_str("\n")
    }

    fn message(&mut self, message: &Message) -> fmt::Result {
        let tone = if message.role == Role::Assistant { Tone::Answered } else { Tone::Given };
        match &message.tool_call_id {
            Some(id) => self.heading(tone, &format!("[{} {id}]", message.role))?,
            None => self.heading(tone, &format!("[{}]", message.role))?,
        }
        let text = message.content.text();
        let mut done = 0;
        for (at, part) in message.content.parts() {
            self.out.write_str(text.get(done..*at).unwrap_or_default())?;
            done = *at;
            let mut shown = format!("<{}", part.kind);
            for name in ["url", "filename", "title", "format", "media_type"] {
                if let Some(value) = part.get(name) {
                    shown.push(' ');
                    shown.push_str(&crate::error::shorten(value, 60));
                }
            }
            shown.push('>');
            self.toned(Tone::Aside, &shown)?;
        }
        let rest = text.get(done..).unwrap_or_default();
        if !text.is_empty() || !message.content.parts().is_empty() {
            writeln!(self.out, "{rest}")?;
        }
        self.calls(&message.tool_calls)
    }

    fn response(&mut self, response: &Response) -> fmt::Result {
        let several = response.choices.len() > 1;
        for (i, choice) in response.choices.iter().enumerate() {
            let number = if several { format!(" {}", i + 1) } else { String::new() };
            self.heading(Tone::Answered, &format!("[answer{number}]"))?;
            if let Some(reasoning) = &choice.reasoning {
                self.toned(Tone::Aside, "(reasoning) ")?;
                writeln!(self.out, "{reasoning}")?;
            }
            if !choice.text.is_empty() {
                writeln!(self.out, "{}", choice.text)?;
            }
            self.calls(&choice.tool_calls)?;
            if let Some(why) = cut_short(&choice.finish) {
                self.toned(Tone::Wrong, &format!("({why})"))?;
                self.out.write_str("\n")?;
            }
        }
        Ok(())
    }

    fn calls(&mut self, calls: &[ToolCall]) -> fmt::Result {
        calls.iter().try_for_each(|call| {
            self.toned(Tone::Aside, "(calls) ")?;
            writeln!(self.out, "{}({})", call.name, serde_json::to_string(&call.args).unwrap_or_default())
        })
    }
}

/// Time, model, duration, tokens, cost.
fn title(entry: &HistoryEntry) -> String {
    let mut title =
        format!("──── {}  {}  {:.3} s", format_utc(entry.time), entry.model, entry.duration.as_secs_f64());
    if entry.cached {
        title.push_str("  cached");
    }
    if let Ok(response) = &entry.outcome {
        let usage = &response.usage;
        if usage.total_tokens() > 0 {
            title.push_str(&format!("  {} + {} tokens", usage.prompt_tokens, usage.completion_tokens));
        }
        if let Some(usd) = entry.usd().filter(|usd| *usd > 0.0) {
            title.push_str(&format!("  ${usd:.6}"));
        }
    }
    title.push_str(" ────");
    title
}

/// Why an answer ended before its end.
fn cut_short(finish: &FinishReason) -> Option<&str> {
    match finish {
        FinishReason::Stop | FinishReason::ToolCalls => None,
        FinishReason::Length => Some("cut off by the token limit"),
        FinishReason::ContentFilter => Some("withheld by the provider's filter"),
        FinishReason::Refusal => Some("declined"),
        FinishReason::Other(reason) => Some(reason),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde_json::json;

    use super::*;
    use crate::{
        LmError, LmErrorKind,
        lm::{Choice, Usage},
        value::{Content, Part},
    };

    fn entry(outcome: Result<Response, LmError>) -> HistoryEntry {
        let mut content = Content::new();
        content.push_str("Look at ");
        content.push_part(Part::new("image", json!({"url": "https://example.org/a.png"})));
        content.push_str(" and tell.");
        let call = ToolCall::new("find", [("city".to_owned(), json!("Tartu"))].into_iter().collect());
        HistoryEntry {
            time: SystemTime::UNIX_EPOCH,
            model: "openai/gpt-4o-mini".into(),
            prompt: vec![
                Message::system("Be brief."),
                Message::user(content),
                Message { tool_calls: vec![call], ..Message::assistant("") },
                Message::tool("c1", "nothing"),
            ]
            .into(),
            outcome: outcome.map(Arc::new),
            cached: false,
            duration: Duration::from_millis(1250),
        }
    }

    #[test]
    fn a_request_reads_like_a_conversation() {
        let mut choice = Choice::text("It is a cat");
        choice.reasoning = Some("fur, whiskers".into());
        choice.finish = FinishReason::Length;
        let response = Response::new(vec![choice]).with_usage(Usage::of_call(1_000_000, 1_000_000));
        let mut entry = entry(Ok(response));
        let usd = entry.usd().unwrap();
        let expected = format!(
            "──── 1970-01-01 00:00:00Z  openai/gpt-4o-mini  1.250 s  1000000 + 1000000 tokens  ${usd:.6} ────\n\
             \n[system]\nBe brief.\n\
             \n[user]\nLook at <image https://example.org/a.png> and tell.\n\
             \n[assistant]\n(calls) find({{\"city\":\"Tartu\"}})\n\
             \n[tool c1]\nnothing\n\
             \n[answer]\n(reasoning) fur, whiskers\nIt is a cat\n(cut off by the token limit)\n\n"
        );
        assert_eq!(entry.to_string(), expected);
        entry.cached = true;
        assert_eq!(entry.usd(), Some(0.0));
        assert!(entry.to_string().contains("  cached  1000000 + 1000000 tokens ────"));
    }

    #[test]
    fn colours_change_nothing_but_the_headings() {
        let failed = LmError::new(LmErrorKind::Auth, "openai/gpt-4o-mini", "a wrong key");
        let entries = vec![Arc::new(entry(Err(failed)))];
        let plain = Inspection::new(entries.clone()).to_string();
        let coloured = Inspection::new(entries).colours(true).to_string();
        assert!(!plain.contains('\u{1b}') && plain.contains("\n[error]\n") && plain.contains("a wrong key"));
        assert!(coloured.contains("\u{1b}[1;31m[error]\u{1b}[0m"));
        let codes = ["1", "1;34", "1;32", "1;31", "2", "0"];
        let stripped = codes.iter().fold(coloured, |text, code| text.replace(&format!("\u{1b}[{code}m"), ""));
        assert_eq!(stripped, plain);
    }
}
