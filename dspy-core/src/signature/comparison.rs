//! A signature with earlier attempts at it.

use std::marker::PhantomData;

use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::{Map, Value};

use super::{
    Checks, Field, FieldReader, FieldWriter, Reasoned, Signature, SignatureSpec,
    reasoning::{REASONING, WithReasoning},
};
use crate::value::{TypeInfo, WriteError, write_json};

/// The signature `S` with the inputs `reasoning_attempt_1`, `reasoning_attempt_2` and so on, which hold earlier attempts
/// at it, and with reasoning.
#[derive(Debug)]
pub struct WithAttempts<S>(PhantomData<fn() -> S>);

/// An input with earlier attempts at it: made from the pair of both.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Comparison<I, O> {
    /// The input of the attempts.
    pub input: I,
    /// What they came to.
    pub attempts: Vec<Reasoned<O>>,
}

impl<T: Into<I>, I, O> From<(T, Vec<Reasoned<O>>)> for Comparison<I, O> {
    fn from((input, attempts): (T, Vec<Reasoned<O>>)) -> Self {
        Self { input: input.into(), attempts }
    }
}

/// The input of the `number`th attempt, counted from 0.
fn name(number: usize) -> String {
    format!("reasoning_attempt_{}", number + 1)
}

/// An attempt as text: its reasoning, then a line for each output.
fn text<O: Serialize>(attempt: &Reasoned<O>) -> Result<String, WriteError> {
    let fields = match write_json(attempt)? {
        Value::Object(fields) => fields,
        other => Map::from_iter([("output".to_owned(), other)]),
    };
    let mut text = attempt.reasoning.trim().to_owned();
    for (name, value) in fields.iter().filter(|(name, _)| *name != REASONING) {
        if !text.is_empty() {
            text.push('\n');
        }
        match value {
            Value::String(value) => text.push_str(&format!("{name}: {value}")),
            value => text.push_str(&format!("{name}: {value}")),
        }
    }
    Ok(text)
}

impl<I, O: Serialize> Comparison<I, O> {
    fn texts(&self) -> Result<Vec<(String, String)>, WriteError> {
        self.attempts.iter().enumerate().map(|(i, attempt)| Ok((name(i), text(attempt)?))).collect()
    }
}

/// A map by field name, as every input of a signature.
impl<I: Serialize, O: Serialize> Serialize for Comparison<I, O> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        #[derive(Serialize)]
        struct Fields<'a, I> {
            #[serde(flatten)]
            input: &'a I,
            #[serde(flatten)]
            attempts: Map<String, Value>,
        }
        let texts = self.texts().map_err(T::Error::custom)?;
        let attempts = texts.into_iter().map(|(name, text)| (name, text.into())).collect();
        Fields { input: &self.input, attempts }.serialize(serializer)
    }
}

impl<S: Signature> WithAttempts<S> {
    /// A specification with so many attempts among the inputs, and with reasoning.
    pub fn extend(spec: &SignatureSpec, attempts: usize) -> SignatureSpec {
        let mut spec = WithReasoning::<S>::extend(spec);
        let at = spec.inputs().count();
        let field = |i: usize| {
            let desc = "an attempt at this task; it may be wrong";
            Field::input(name(i), TypeInfo::of::<String>()).desc(desc).prefix(format!("Attempt {}:", i + 1))
        };
        spec.fields.splice(at..at, (0..attempts).map(field));
        spec
    }

    /// How many attempts a specification has.
    pub(crate) fn count(spec: &SignatureSpec) -> usize {
        (0..).take_while(|i| spec.field(&name(*i)).is_some()).count()
    }
}

impl<S: Signature> Signature for WithAttempts<S> {
    type Input = Comparison<S::Input, S::Output>;
    type Output = Reasoned<S::Output>;

    fn write_input(input: &Self::Input, writer: &mut FieldWriter<'_>) -> Result<(), WriteError> {
        let wanted = Self::count(writer.spec());
        if wanted != input.attempts.len() {
            return Err(WriteError::custom(format!(
                "{wanted} attempts are compared, and {} were given; say how many with `attempts`",
                input.attempts.len()
            )));
        }
        S::write_input(&input.input, writer)?;
        input.texts()?.iter().try_for_each(|(name, text)| writer.field(name, text))
    }

    fn read_output(reader: &mut FieldReader<'_>) -> Option<Self::Output> {
        WithReasoning::<S>::read_output(reader)
    }

    fn check(output: &Self::Output, checks: &mut Checks) {
        WithReasoning::<S>::check(output, checks);
    }
}
