//! The proposer: a model reads what went wrong and rewrites a text of the program.

use std::{collections::BTreeMap, fmt::Write, sync::Arc};

use dspy_macros::{module, signature};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Component, words::Words};
use crate::{
    Result,
    data::Rng,
    error::shorten,
    module::Module,
    optimize::{Rollout, RolloutStep},
    predict::Predict,
    signature::{Field, SignatureSpec},
    tool::ToolWords,
};

/// How many characters of one value a reflection shows.
const SHOWN: usize = 4_000;

/// Rewrite the instruction of one step of a program so that the step makes fewer mistakes.
///
/// Each example shows what the step was given, what it answered, and what a reviewer said of the outcome. Find out which
/// rules, facts and conventions the step did not know or did not follow, and state each of them in the new instruction:
/// in general words, but so exactly that somebody who sees neither the examples nor the review gets such cases right.
/// Where the review says how a kind of case is to be handled, take that over completely. Keep what the present
/// instruction says unless an example contradicts it. The step will see other inputs than these: do not list the
/// examples or their answers.
#[signature]
pub struct ReviseInstruction {
    /// what the step takes and gives
    #[input]
    step: String,
    /// what the step is told now
    #[input]
    current_instruction: String,
    /// runs of the step with their review
    #[input]
    examples: String,
    /// the whole new instruction, ready for use, without comments on the changes
    #[output]
    revised_instruction: String,
}

/// Rewrite the description of one field of a step so that the step makes fewer mistakes.
///
/// The description tells the model what is in the field or what to write into it. Each example shows what the step was
/// given, what it answered, and what a reviewer said of the outcome. Say in the new description what has to be known
/// about this field: what it holds, its form, its limits, and what it is often confused with. Leave out what concerns
/// other fields, and do not list the examples or their answers.
#[signature]
pub struct ReviseDescription {
    /// what the step takes and gives
    #[input]
    step: String,
    /// what the step is told now
    #[input]
    instruction: String,
    /// the field
    #[input]
    field: String,
    /// what is said of the field now
    #[input]
    current_description: String,
    /// runs of the step with their review
    #[input]
    examples: String,
    /// the whole new description: at most a few sentences
    #[output]
    revised_description: String,
}

/// Rewrite what an agent is told of one of its tools so that the agent makes fewer mistakes.
///
/// The agent works in steps, and chooses in each of them a tool and its arguments by what it is told of the tools. Each
/// example shows the state of the work, what the agent did, and what a reviewer said of the outcome. Find out where the
/// tool was used wrongly, was passed over, or was used although another one was called for, and say what has to be known
/// to do better: what the tool gives, when to use it and when not, what its arguments hold and in which form. Say of the
/// tool only what the examples and the present words bear out, and do not list the examples or their answers.
#[signature]
pub struct ReviseTool {
    /// what the agent takes and gives in a step
    #[input]
    step: String,
    /// what the agent is told to do
    #[input]
    instruction: String,
    /// all tools of the agent
    #[input]
    tools: String,
    /// the tool
    #[input]
    tool: String,
    /// what is said of the tool now
    #[input]
    current_words: String,
    /// steps of the agent with their review
    #[input]
    examples: String,
    /// the name under which the agent calls it: the present one, unless it misleads
    #[output]
    name: String,
    /// the whole new description
    #[output]
    description: String,
    /// the new description of each argument, by the name of the argument
    #[output]
    arguments: BTreeMap<String, String>,
}

/// What a proposer of [`GEPA`](super::GEPA) is given: a text, and runs that show what is wrong with it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Reflection {
    /// The text that is to be improved.
    pub component: Component,
    /// The text as it is now.
    pub current: String,
    /// The predictor's instruction as it is now.
    pub instructions: String,
    /// The words of the predictor's tools as they are now; empty for one without tools.
    pub tools: Vec<ToolWords>,
    /// The predictor's signature.
    #[serde(skip)]
    pub spec: Arc<SignatureSpec>,
    /// What the predictor did on some rows, most of which went wrong.
    pub examples: Vec<ReflectionExample>,
}

/// What a predictor did on one row.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ReflectionExample {
    /// The row of the task.
    pub row: usize,
    /// What it was given, by field.
    pub inputs: Map<String, Value>,
    /// What it answered, by field; `None` when the answer could not be read.
    pub outputs: Option<Map<String, Value>>,
    /// The answer as the model gave it, when it could not be read.
    pub raw: Option<String>,
    /// What the run scored.
    pub score: f64,
    /// What the metric says of the predictor's part, or what was wrong with the answer.
    pub feedback: String,
}

/// Which of several steps of a predictor is an example.
#[derive(Clone, Copy)]
pub(super) enum Pick<'r> {
    /// One by chance.
    Drawn(&'r Rng),
    Last,
}

impl ReflectionExample {
    /// The example of a predictor in a run; `None` when the predictor did nothing in it. A step that failed is taken
    /// before others.
    pub(super) fn of(
        path: &str,
        spec: &SignatureSpec,
        row: usize,
        rollout: &Rollout,
        pick: Pick<'_>,
    ) -> Option<Self> {
        let steps: Vec<&RolloutStep> = rollout.trace.iter().filter(|step| *step.path == *path).collect();
        let failed = steps.iter().find(|step| step.outputs.is_none()).copied();
        let step = failed.or_else(|| match pick {
            Pick::Drawn(rng) => rng.fork_index(row as u64).choose(&steps).copied(),
            Pick::Last => steps.last().copied(),
        })?;
        let score = rollout.score()?;
        let said = match (&step.error, &rollout.outcome) {
            (Some(error), _) => format!("{error}\nThe answer must have these fields:\n{}", outputs_of(spec)),
            (None, Ok(own)) => {
                own.said_of(path).map_or_else(|| format!("The run scored {score}."), str::to_owned)
            }
            (None, Err(failure)) => format!("The run failed after this step: {failure}"),
        };
        Some(Self {
            row,
            inputs: step.inputs.clone(),
            outputs: step.outputs.clone(),
            raw: step.raw.clone(),
            score,
            feedback: said,
        })
    }
}

fn outputs_of(spec: &SignatureSpec) -> String {
    let line = |field: &Field| {
        let hint = crate::value::hint(&field.schema());
        format!("- {}: {}", field.name, if hint.is_empty() { "text" } else { hint.as_str() })
    };
    spec.outputs().map(line).collect::<Vec<_>>().join("\n")
}

impl Reflection {
    /// The predictor's fields: `question, context -> answer`.
    pub fn step(&self) -> String {
        let names = |fields: &mut dyn Iterator<Item = &Field>| {
            fields.map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        format!(
            "{}: {} -> {}",
            self.component.path(),
            names(&mut self.spec.inputs()),
            names(&mut self.spec.outputs())
        )
    }

    /// The names and descriptions of the tools, one a line.
    pub fn tools_text(&self) -> String {
        let line = |words: &ToolWords| {
            let description = words.description.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("- {}: {description}", words.name)
        };
        self.tools.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The examples as text. Long values are shortened.
    pub fn examples_text(&self) -> String {
        let mut text = String::new();
        for (i, example) in self.examples.iter().enumerate() {
            let _ = writeln!(text, "{}## Example {}", if i == 0 { "" } else { "\n" }, i + 1);
            fields(&mut text, &example.inputs);
            match (&example.outputs, &example.raw) {
                (Some(outputs), _) => {
                    text.push_str("-> answered\n");
                    fields(&mut text, outputs);
                }
                (None, Some(raw)) => {
                    let _ = writeln!(
                        text,
                        "-> answered, but not in the form that was asked for\n{}",
                        shorten(raw, SHOWN)
                    );
                }
                (None, None) => text.push_str("-> gave no answer\n"),
            }
            let _ = writeln!(text, "-> review\n{}", shorten(&example.feedback, SHOWN));
        }
        text
    }
}

fn fields(text: &mut String, fields: &Map<String, Value>) {
    for (name, value) in fields {
        let _ = match value {
            Value::String(value) => writeln!(text, "{name}: {}", shorten(value, SHOWN)),
            value => writeln!(text, "{name}: {}", shorten(&value.to_string(), SHOWN)),
        };
    }
}

/// The proposer of [`GEPA`](super::GEPA) unless it is given another: reads runs and rewrites a text.
///
/// An ordinary module: its instructions can be changed, and it can be compiled and saved like any other.
#[module]
#[derive(Debug, Clone, Default)]
pub struct ReflectiveProposer {
    /// Rewrites instructions.
    pub instruction: Predict<ReviseInstruction>,
    /// Rewrites descriptions of fields.
    pub description: Predict<ReviseDescription>,
    /// Rewrites the words of tools.
    pub tool: Predict<ReviseTool>,
}

#[module]
impl Module for ReflectiveProposer {
    type Input = Reflection;
    type Output = String;

    async fn forward(&self, reflection: Reflection) -> Result<String> {
        let (step, examples) = (reflection.step(), reflection.examples_text());
        let text = match reflection.component.clone() {
            Component::Instructions { .. } => {
                let current_instruction = reflection.current;
                let input = ReviseInstructionInput { step, current_instruction, examples };
                self.instruction.call(input).await?.into_inner().revised_instruction
            }
            Component::Description { field, .. } => {
                let (instruction, current_description) = (reflection.instructions, reflection.current);
                let input =
                    ReviseDescriptionInput { step, instruction, field, current_description, examples };
                self.description.call(input).await?.into_inner().revised_description
            }
            Component::Tool { tool, .. } => {
                let tools = reflection.tools_text();
                let (instruction, current_words) = (reflection.instructions, reflection.current);
                let input = ReviseToolInput { step, instruction, tools, tool, current_words, examples };
                let ReviseToolOutput { name, description, arguments } =
                    self.tool.call(input).await?.into_inner();
                Words { name: Some(name), description: Some(description), arguments }.to_text()
            }
        };
        Ok(text)
    }
}
