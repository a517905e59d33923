//! The procedural macros of the `dspy` crate.
//!
//! Each macro has a folder: `parse` turns syntax into a plain model, `check` looks for what does not fit together,
//! `expand` writes the code and never looks at syntax. The generated code calls into `dspy::__private`.

mod derives;
mod errors;
mod example;
mod facade;
mod inline;
mod module;
mod signature;
mod text;
mod value;

use proc_macro::TokenStream;

/// Makes a struct a signature: what one step takes and gives.
///
/// Mark every field with `#[input]` or `#[output]`. The documentation of the struct is the instruction to the model,
/// the documentation of a field its description.
///
/// ```
/// use dspy_macros::signature;
///
/// /// Answer the question from the passages.
/// #[signature]
/// struct Answer {
///     /// passages that may hold the answer
///     #[input]
///     context: Vec<String>,
///     #[input]
///     question: String,
///     /// between one and five words
///     #[output(assert(|a: &str| a.split_whitespace().count() <= 5, "at most five words"))]
///     answer: String,
/// }
/// ```
///
/// The struct stays as it is: a value of it is a complete record, the row of a data set or a demonstration. Besides
/// it there are
///
/// - `AnswerInput` and `AnswerOutput`, with the fields of one side, the same visibility and the same derives;
/// - `Signature`, `StaticSignature` and `Example` for `Answer`;
/// - `From<Answer>` and `From<&Answer>` for both sides, and `From<(AnswerInput, AnswerOutput)>` for `Answer`;
/// - `From<T>` for an input with a single field of type `T`.
///
/// All three structs are `Debug`, `Clone`, `Serialize`, `Deserialize` and `JsonSchema`; what else the struct derives,
/// the sides derive too. Write further attributes below `#[signature]`.
///
/// # Options of a field
///
/// - `desc = "..."`: the description, in place of the documentation.
/// - `name = "..."`: the name in prompts and in data, in place of the field's own.
/// - `prefix = "..."`: the label of older prompt styles.
/// - `default`, `default = value`: what stands in for the field where data or an answer lack it.
/// - `assert(|value: &T| condition, "what is demanded")`, outputs only: an answer that breaks it is refused. Repeatable.
/// - `suggest(|value: &T| condition, "what is wished")`, outputs only: an answer that breaks it is noted. Repeatable.
///
/// # Options of the struct
///
/// - `#[signature(name = "...")]`: the name, in place of the struct's own.
/// - `#[signature(instructions = "...")]`: the instruction, in place of the documentation.
/// - `#[signature(assert(|output: &AnswerOutput| condition, "what is demanded"))]`, and `suggest`: demands on the whole
///   output.
#[proc_macro_attribute]
pub fn signature(options: TokenStream, item: TokenStream) -> TokenStream {
    signature::expand(options.into(), item.into()).into()
}

/// Makes a struct a module: a program of predictors and other modules.
///
/// ```
/// use dspy_macros::module;
///
/// #[module]
/// struct Settings {
///     hops: usize,
///     #[module(skip)]
///     started: std::time::Instant,
/// }
/// ```
///
/// It implements `Program`, which finds the predictors by the path of their fields, `Clone`, `Debug` and `Display`.
/// Fields that hold no predictors, such as numbers, texts and `Arc<dyn Trait>`, need no mark; of a type of your own the
/// compiler asks either `#[module]` on the type or `#[module(skip)]` on the field.
///
/// Put it on the `impl Module for ...` block, too, to let optimizers read the source of the program.
#[proc_macro_attribute]
pub fn module(options: TokenStream, item: TokenStream) -> TokenStream {
    module::expand(&options.into(), item.into()).into()
}

/// Makes a struct or an enum a value that a field of a signature can hold: derives `Debug`, `Clone`, `Serialize`,
/// `Deserialize` and `JsonSchema`, except those that it derives already.
///
/// ```
/// use dspy_macros::value;
///
/// #[value]
/// #[derive(PartialEq)]
/// enum Severity {
///     Low,
///     High,
/// }
/// ```
#[proc_macro_attribute]
pub fn value(options: TokenStream, item: TokenStream) -> TokenStream {
    value::expand(&options.into(), item.into()).into()
}

/// Makes a struct the row of a data set: says which of its fields are the input of a program.
///
/// Name the input type with `#[example(input = ...)]` and mark the fields that it is made of with `#[input]`; they have
/// the same names there. The struct must be `Clone` and `Serialize`.
#[proc_macro_derive(Example, attributes(example, input))]
pub fn example(item: TokenStream) -> TokenStream {
    example::expand(item.into()).into()
}

/// A predictor of a signature that stands in a text.
///
/// ```
/// # mod dspy { pub use dspy_core::*; }
/// use dspy_macros::predict;
///
/// let classify = predict!("sentence -> sentiment: bool");
/// let prompt = classify.render("a charming and often affecting journey")?;
///
/// // Several inputs are given as a tuple, in their order.
/// let answer = predict!("question, context: list[str] -> answer", "Answer from the context, in one word.");
/// let prompt = answer.render(("Who wrote it?", vec!["Austen wrote it.".to_owned()]))?;
/// # Ok::<(), dspy_core::Error>(())
/// ```
#[proc_macro]
pub fn predict(input: TokenStream) -> TokenStream {
    inline::predict(input.into()).into()
}
