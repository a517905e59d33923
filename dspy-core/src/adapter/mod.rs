//! Adapters: the formats of prompts and answers.

mod chat;
mod demo;
mod elements;
mod extraction;
mod header_splitter;
mod headers;
mod json;
mod lines;
mod loose;
mod markup;
mod names;
mod object;
pub mod prompt;
mod splitter;
#[cfg(test)]
mod splitting_tests;
mod tags;
mod two_step;
mod xml;

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

pub use chat::ChatAdapter;
pub(crate) use demo::given;
pub use demo::{Coverage, Demo};
pub use extraction::Extraction;
pub use json::JsonAdapter;
pub use splitter::{Piece, Splitter};
pub use two_step::TwoStepAdapter;
pub use xml::XmlAdapter;

use crate::{
    FieldError,
    lm::{Capabilities, Choice, Message, ResponseFormat},
    signature::{Layout, Sections, SignatureSpec},
    value::Content,
};

/// A format of prompts and answers.
///
/// An adapter knows the structure only: where each field begins and ends. The value of a field is written and read by
/// the field's own type.
///
/// An adapter of your own implements [`Layout`], [`DemoFormat`](prompt::DemoFormat) and `Adapter`; the functions of
/// [`prompt`] write the parts that all adapters share:
///
/// ```
/// # use dspy_core::{FieldError, lm::{Choice, Message}, value::{Content, Turn}};
/// # use dspy_core::adapter::{Adapter, Demo, NoStructure, prompt::{self, DemoFormat}};
/// # use dspy_core::signature::{Field, FieldRole, Layout, Section, Sections, SignatureSpec};
/// /// One line for each field: `name = value`.
/// #[derive(Debug)]
/// struct LineAdapter;
///
/// impl Layout for LineAdapter {
///     fn open(&self, out: &mut Content, field: &Field) {
///         out.push_str(&format!("{} = ", field.name));
///     }
///
///     fn close(&self, out: &mut Content, _: &Field) {
///         out.push_str("\n");
///     }
/// }
///
/// impl DemoFormat for LineAdapter {}
///
/// impl Adapter for LineAdapter {
///     fn name(&self) -> &'static str {
///         "line"
///     }
///
///     fn prefix(&self, spec: &SignatureSpec, demos: &[Demo]) -> Vec<Message> {
///         let mut messages = vec![Message::system(prompt::describe(spec, "One line for each field: `name = value`."))];
///         messages.extend(prompt::demo_messages(self, spec, demos));
///         messages
///     }
///
///     fn turns(&self, spec: &SignatureSpec, turns: &[Turn]) -> Vec<Message> {
///         prompt::turn_messages(self, spec, turns)
///     }
///
///     fn reminder(&self, spec: &SignatureSpec) -> String {
///         format!("Now write a line for each of {}.", prompt::names(spec.outputs()))
///     }
///
///     fn parse<'a>(&self, spec: &SignatureSpec, choice: &'a Choice) -> Result<Sections<'a>, NoStructure> {
///         let mut sections = Sections::new();
///         for (name, value) in choice.text.lines().filter_map(|line| line.split_once('=')) {
///             let field = spec.position(name.trim());
///             if let Some(field) = field.filter(|at| spec.fields[*at].role == FieldRole::Output) {
///                 sections.insert(field, Section::text(value.trim()));
///             }
///         }
///         if sections.is_empty() { Err(NoStructure) } else { Ok(sections) }
///     }
///
///     fn ask_again(&self, wanted: &SignatureSpec, errors: &[FieldError], out: &mut Content) {
///         out.push_str(&format!("These could not be read:\n{}", prompt::complaints(errors)));
///         out.push_str(&self.reminder(wanted));
///     }
/// }
/// # use dspy_core::{lm::StubModel, module::Module, predict::Predict, signature::{DynSignature, Record}};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let program = Predict::<DynSignature>::with_spec(DynSignature::parse("word -> letters: int, first")?);
/// # let program = program.adapter(LineAdapter).lm(StubModel::scripted(["letters = 4\nfirst = w"]));
/// # let p = program.call(Record::from([("word", "wolf")])).await?;
/// # assert_eq!((&p["letters"], &p["first"]), (&4.into(), &"w".into()));
/// # Ok::<(), dspy_core::Error>(()) })?; Ok::<(), dspy_core::Error>(())
/// ```
pub trait Adapter: Layout + fmt::Debug + Send + Sync + 'static {
    /// The adapter's name, for errors and traces.
    fn name(&self) -> &'static str;

    /// The messages that do not change from call to call: the system message and the demonstrations.
    fn prefix(&self, spec: &SignatureSpec, demos: &[Demo]) -> Vec<Message>;

    /// The messages of earlier turns of a conversation, each a map of field values.
    fn turns(&self, spec: &SignatureSpec, turns: &[Map<String, Value>]) -> Vec<Message>;

    /// The text after the last input field of the user message.
    fn reminder(&self, spec: &SignatureSpec) -> String;

    /// The form of the answer that the provider is asked to enforce.
    fn response_format(&self, _spec: &SignatureSpec, _capabilities: Capabilities) -> ResponseFormat {
        ResponseFormat::Text
    }

    /// Finds the output fields in an answer.
    ///
    /// # Errors
    /// [`NoStructure`] when nothing of the adapter's format is there; an answer that has some of the fields is
    /// returned with those.
    fn parse<'a>(&self, spec: &SignatureSpec, choice: &'a Choice) -> Result<Sections<'a>, NoStructure>;

    /// Finds the output fields while an answer arrives. Without it, which is the default, a stream has nothing to show
    /// of an answer before its end.
    fn splitter(&self, _spec: &SignatureSpec) -> Option<Box<dyn Splitter>> {
        None
    }

    /// Writes the user message that asks again for the fields that could not be read, and for nothing else.
    fn ask_again(&self, spec: &SignatureSpec, errors: &[FieldError], out: &mut Content);

    /// The format that is tried once when nothing of this one was found in an answer.
    fn fallback(&self) -> Option<Arc<dyn Adapter>> {
        None
    }

    /// How the outputs are extracted from a free answer by a second request.
    fn extraction(&self) -> Option<&Extraction> {
        None
    }
}

/// Nothing of an adapter's format was found in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoStructure;
