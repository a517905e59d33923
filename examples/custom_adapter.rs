//! An adapter of your own: each field follows a Markdown heading, `## name`.
//!
//! ```text
//! cargo run -p dspy-examples --bin custom_adapter
//! cargo run -p dspy-examples --features tls --bin custom_adapter -- --model openai/gpt-4o-mini
//! ```
//!
//! Without `--model`, a stub answers, so that the example runs without a network.

#![allow(clippy::print_stdout)]

use std::borrow::Cow;

use dspy::{
    FieldError,
    adapter::{
        NoStructure,
        prompt::{self, DemoFormat},
    },
    lm::{Choice, Message, StubModel},
    prelude::*,
    signature::{Field, FieldRole, Layout, Section, Sections, SignatureSpec},
    value::{Content, Turn},
};

/// Sets each field off by a heading, `## name`.
///
/// A line of a value that looks like such a heading gets a backslash, which is taken off again when an answer is read.
/// Headings of other levels and lines in code blocks are text.
#[derive(Debug, Clone, Default)]
pub struct MarkdownAdapter;

/// How a field is set off, in prompts, in demonstrations and in answers.
impl Layout for MarkdownAdapter {
    fn open(&self, out: &mut Content, field: &Field) {
        if !out.is_empty() {
            out.push_str("\n\n");
        }
        out.push_str(&format!("## {}\n\n", field.name));
    }

    fn close(&self, _: &mut Content, _: &Field) {}

    fn guard<'a>(&self, _: &Field, text: &'a str) -> Cow<'a, str> {
        map_lines(text, |line, fenced| {
            let marked = heading(line.trim_start_matches('\\')).is_some() && !fenced;
            marked.then(|| format!("\\{line}"))
        })
    }
}

/// Demonstrations are written as the layout says.
impl DemoFormat for MarkdownAdapter {}

impl Adapter for MarkdownAdapter {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn prefix(&self, spec: &SignatureSpec, demos: &[Demo]) -> Vec<Message> {
        let mut layout = String::from("Each field follows a heading with its name:");
        for field in &spec.fields {
            layout.push_str(&format!("\n\n## {0}\n\n{{{0}}}", field.name));
        }
        let mut messages = vec![Message::system(prompt::describe(spec, &layout))];
        messages.extend(prompt::demo_messages(self, spec, demos));
        messages
    }

    fn turns(&self, spec: &SignatureSpec, turns: &[Turn]) -> Vec<Message> {
        prompt::turn_messages(self, spec, turns)
    }

    fn reminder(&self, spec: &SignatureSpec) -> String {
        let headings: Vec<String> =
            spec.outputs().map(|field| format!("`## {}`{}", field.name, prompt::short_hint(field))).collect();
        format!("Now write, each below its heading: {}.", headings.join(", "))
    }

    fn parse<'a>(&self, spec: &SignatureSpec, choice: &'a Choice) -> Result<Sections<'a>, NoStructure> {
        let text = choice.text.as_str();
        // The headings of outputs: where each begins, and where its value does.
        let mut found: Vec<(usize, usize, usize)> = Vec::new();
        for (start, line, fenced) in lines(text) {
            if let Some(field) = heading(line).filter(|_| !fenced).and_then(|name| output(spec, name)) {
                found.push((field, start, start + line.len()));
            }
        }
        let mut sections = Sections::new();
        for (i, (field, _, begin)) in found.iter().enumerate() {
            let end = found.get(i + 1).map_or(text.len(), |(_, start, _)| *start);
            sections.insert(*field, Section::text(unguard(text[*begin..end].trim())));
        }
        if sections.is_empty() { Err(NoStructure) } else { Ok(sections) }
    }

    fn ask_again(&self, wanted: &SignatureSpec, errors: &[FieldError], out: &mut Content) {
        out.push_str("These fields of your answer could not be read:\n");
        out.push_str(&prompt::complaints(errors));
        out.push_str(&format!("\nWrite only {} again.\n\n", prompt::names(wanted.outputs())));
        out.push_str(&self.reminder(wanted));
    }

    fn fallback(&self) -> Option<Arc<dyn Adapter>> {
        Some(Arc::new(JsonAdapter::default()))
    }
}

/// The text of a second-level heading.
fn heading(line: &str) -> Option<&str> {
    line.strip_prefix("## ").map(|name| name.trim_matches(|c: char| c.is_whitespace() || "#*:`".contains(c)))
}

/// The output of this name, whatever its case and separators.
fn output(spec: &SignatureSpec, name: &str) -> Option<usize> {
    let letters = |name: &str| name.to_lowercase().replace([' ', '-', '_'], "");
    let named = |field: &Field| field.role == FieldRole::Output && letters(&field.name) == letters(name);
    spec.fields.iter().position(named)
}

/// Takes off the backslashes of [`Layout::guard`].
fn unguard(text: &str) -> Cow<'_, str> {
    map_lines(text, |line, fenced| {
        let rest = line.strip_prefix('\\').filter(|_| !fenced)?;
        heading(rest.trim_start_matches('\\')).map(|_| rest.to_owned())
    })
}

/// The lines of a text, each with its position, and whether it is in a code block.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str, bool)> {
    let (mut at, mut fenced) = (0, false);
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (start, line.trim_end_matches(['\n', '\r']), fenced || fence)
    })
}

/// Replaces lines, and copies nothing where there is nothing to replace.
fn map_lines(text: &str, replace: impl Fn(&str, bool) -> Option<String>) -> Cow<'_, str> {
    let mut out: Option<String> = None;
    let mut copied = 0;
    for (start, line, fenced) in lines(text) {
        if let Some(new) = replace(line, fenced) {
            let out = out.get_or_insert_default();
            out.push_str(&text[copied..start]);
            out.push_str(&new);
            copied = start + line.len();
        }
    }
    match out {
        Some(out) => (out + &text[copied..]).into(),
        None => text.into(),
    }
}

/// Review the recipe.
#[signature]
struct Review {
    #[input]
    recipe: String,
    /// what is good and what is not, as Markdown
    #[output]
    review: String,
    /// the ingredients that are missing
    #[output]
    missing: Vec<String>,
    /// from 1 to 5
    #[output]
    stars: u8,
}

const RECIPE: &str = "# Pancakes\n\nMix the flour and the milk. Fry.";

/// An answer with a heading of another level in a field, and a heading in a code block.
const ANSWER: &str = "\
## Review

### Good
It is short.

```text
## stars
not a field: it is in a code block
```

## Missing
- eggs
- salt

## Stars
**3**
";

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let lm = match args.as_slice() {
        [option, model] if option == "--model" => LM::new(model.as_str())?,
        _ => StubModel::scripted([ANSWER]).into(),
    };
    let shown = Review {
        recipe: "Boil the pasta.".into(),
        // Written with a backslash, and read without it.
        review: "Too short:\n\n## For how long?".into(),
        missing: vec!["salt".into()],
        stars: 2,
    };
    let program = Predict::<Review>::new().lm(lm).adapter(MarkdownAdapter).demos([shown]);
    println!("{}\n", program.render(RECIPE)?);

    let p = program.call(RECIPE).await?;
    println!("{}\n\nmissing: {:?}, stars: {}", p.review, p.missing, p.stars);
    Ok(())
}
