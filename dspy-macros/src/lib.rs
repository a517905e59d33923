//! The procedural macros of the `dspy` crate.
//!
//! Each macro has a folder: `parse` turns syntax into a plain model, `check` looks for what does not fit together,
//! `expand` writes the code and never looks at syntax. The generated code calls into `dspy::__private`.

mod constraints;
mod derives;
mod errors;
mod example;
mod facade;
mod field_type;
mod inline;
mod module;
mod predict;
mod read;
mod signature;
mod text;
mod tool;
mod value;

use proc_macro::TokenStream;

/// Makes a struct a signature: what one step takes and gives.
///
/// Mark every field with `#[input]` or `#[output]`. The documentation of the struct is the instruction to the model,
/// the documentation of a field its description.
///
/// ```
/// use dspy::prelude::*;
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
///
/// let program = Predict::<Answer>::new();
/// let input = AnswerInput { context: vec!["Austen wrote Emma.".into()], question: "Who wrote Emma?".into() };
/// println!("{}", program.render(input)?);
/// # Ok::<(), dspy::Error>(())
/// ```
///
/// The struct stays as it is: a value of it is a complete record, the row of a data set or a demonstration. Besides
/// it there are
///
/// - `AnswerInput` and `AnswerOutput`, with the fields of one side, the same visibility and the same derives;
/// - `Signature`, `StaticSignature` and `Example` for `Answer`;
/// - `From<Answer>` and `From<&Answer>` for both sides, and `From<(AnswerInput, AnswerOutput)>` for `Answer`;
/// - `From<T>` for an input with a single field of type `T`, and `From<(A, B, ...)>` for one with up to twelve: their
///   values in order, or what converts into them, so that `program.call((context, "Who wrote Emma?"))` does.
///
/// All three structs are `Debug`, `Clone`, `Serialize`, `Deserialize` and `JsonSchema`; what else the struct derives,
/// the sides derive too. Write further attributes below `#[signature]`.
///
/// # Types of fields
///
/// Whatever is `Debug + Clone + Serialize + Deserialize + JsonSchema`, owns its values and can go to another thread:
/// texts, numbers, `bool`, `Option`, `Vec`, maps, tuples, structs and enums marked with `#[value]`, and the types of
/// `dspy::value` such as `Image`, `History` or `Code`. An output that is an `Option` may be missing in an answer.
///
/// # Options of a field
///
/// | option | meaning |
/// |---|---|
/// | `desc = "..."` | the description, in place of the documentation |
/// | `name = "..."` | the name in prompts and in data, in place of the field's own |
/// | `prefix = "..."` | the label of older prompt styles, which saved programs carry |
/// | `default`, `default = value` | the value of the field if data or an answer lack it |
/// | `assert(\|value: &T\| condition, "what is demanded")` | outputs only: an answer that breaks it is asked for again, and an error at last |
/// | `suggest(\|value: &T\| condition, "what is wished")` | outputs only: an answer that breaks it is asked for again, and noted in the trace at last |
///
/// `assert` and `suggest` may be repeated. A closure that names no type gets a reference to the field; one that
/// does gets what the field dereferences to, such as `&str` or `&[T]`. The path of a function does as well.
///
/// ```
/// # use dspy::prelude::*;
/// /// Sort the message.
/// #[signature]
/// struct Sort {
///     #[input(name = "type", desc = "where the message came from", default = "mail")]
///     kind: String,
///     #[input]
///     message: String,
///     #[output(prefix = "How sure from 0 to 1:", default = 0.5, assert(|p| (0.0..=1.0).contains(p), "from 0 to 1"))]
///     confidence: f64,
///     #[output(suggest(|tags: &[String]| tags.len() <= 3, "at most three tags"), assert(not_empty, "some tag"))]
///     tags: Vec<String>,
/// }
///
/// fn not_empty(tags: &[String]) -> bool {
///     !tags.is_empty()
/// }
///
/// let spec = Sort::spec();
/// assert_eq!(spec.fields[0].name, "type");
/// ```
///
/// Bounds, lengths and patterns of `#[schemars(...)]` on a field are shown to the model and checked on every
/// answer; they need the feature `constraints` and do not compile without it.
///
/// ```
/// # use dspy::prelude::*;
/// #[signature]
/// struct Order {
///     #[input]
///     text: String,
///     #[output]
///     #[schemars(range(min = 1, max = 99))]
///     count: u8,
/// }
/// # assert_eq!(Order::spec().fields[1].schema().to_value()["maximum"], 99);
/// ```
///
/// # Options of the struct
///
/// | option | meaning |
/// |---|---|
/// | `name = "..."` | the name in errors, traces and saved programs, in place of the struct's own |
/// | `instructions = "..."` | the instruction, in place of the documentation |
/// | `assert(\|output: &AnswerOutput\| condition, "...")` | a demand on the whole output; repeatable |
/// | `suggest(\|output: &AnswerOutput\| condition, "...")` | a wish for the whole output; repeatable |
///
/// ```
/// # use dspy::prelude::*;
/// #[signature(
///     name = "Range",
///     instructions = "Find the smallest and the largest number in the text.",
///     assert(|o: &FindOutput| o.smallest <= o.largest, "the smallest is not above the largest"),
/// )]
/// struct Find {
///     #[input]
///     text: String,
///     #[output]
///     smallest: f64,
///     #[output]
///     largest: f64,
/// }
/// ```
///
/// # A signature as a text
///
/// On a struct without fields, the first option may be the whole signature in DSPy's inline form. The fields, their
/// types and everything above come from it, and a mistake in it is shown at its character.
///
/// ```
/// # use dspy::prelude::*;
/// /// How the customer feels.
/// #[signature("message, history: list[str] -> mood: Literal['happy', 'angry'], score: float = 0.5")]
/// pub struct Mood;
///
/// let input = MoodInput { message: "It broke again!".into(), history: vec![] };
/// let output = MoodOutput { mood: MoodMood::Angry, score: 0.9 };
/// assert_eq!(output.mood, "angry");
/// ```
///
/// A field is `name`, `name: type` or `name: type = constant`; without a type it is a `String`. Types are those of
/// DSPy (`str`, `int`, `float`, `bool`, `list[T]`, `set[T]`, `dict[K, V]`, `tuple[T, U]`, `Optional[T]`, `T | None`,
/// `Literal['a', 'b']`, `Any`, `dspy.Image` and its like), those of Rust (`String`, `u8`, `Vec<T>`, `Option<T>`), and
/// every other path, which means what it means in the code around: `Person`, `people::Person`, `Page<Person>`. Sets and
/// maps are `BTreeSet` and `BTreeMap`, so that prompts are the same in every run. A `Literal` makes an enum named after
/// the struct and the field, with `as_str`, `ALL` and comparison with texts.
///
/// # Names
///
/// The only name that no field can have is `completed`, which marks the end of an answer.
#[proc_macro_attribute]
pub fn signature(options: TokenStream, item: TokenStream) -> TokenStream {
    signature::expand(options.into(), item.into()).into()
}

/// Makes a struct a module: a program of predictors and other modules.
///
/// ```
/// use dspy::prelude::*;
///
/// #[signature("question -> query")]
/// struct Ask;
///
/// #[signature("question, context: list[str] -> answer")]
/// struct Answer;
///
/// /// Answers a question from what a search finds.
/// #[module]
/// struct Rag {
///     ask: ChainOfThought<Ask>,
///     answer: Predict<Answer>,
///     passages: usize,
///     #[module(skip)]
///     started: std::time::Instant,
/// }
///
/// #[module]
/// impl Module for Rag {
///     type Input = AskInput;
///     type Output = AnswerOutput;
///
///     async fn forward(&self, input: AskInput) -> Result<AnswerOutput> {
///         let asked = self.ask.call(input.clone()).await?;
///         let context = vec![format!("what was found for {}", asked.query)];
///         Ok(self.answer.call(AnswerInput { question: input.question, context }).await?.into_inner())
///     }
/// }
///
/// let program = Rag {
///     ask: ChainOfThought::new(),
///     answer: Predict::new(),
///     passages: 3,
///     started: std::time::Instant::now(),
/// };
/// let paths: Vec<String> = program.predictors().into_iter().map(|(path, _)| path).collect();
/// assert_eq!(paths, ["ask.predict", "answer"]);
/// ```
///
/// On the struct it implements
///
/// - `Program`: the predictors by the path of their fields (`answer`, `subs[0]`, `parts['a']`, `a.b`), saving and
///   loading, and
/// - `Clone` and `Debug`, unless the struct derives them, and `Display`.
///
/// Fields that hold no predictors, such as numbers, texts and `Arc<dyn Trait>`, need no mark. Of any other type the
/// compiler asks either `#[module]` on the type, where it is yours, or `#[module(skip)]` on the field: it is then
/// cloned with the program and not looked into.
///
/// On the `impl Module for ...` block it adds `Module::source`: the text of the struct and of the block, for optimizers
/// that read the program to propose instructions. It may be left out there.
#[proc_macro_attribute]
pub fn module(options: TokenStream, item: TokenStream) -> TokenStream {
    module::expand(&options.into(), item.into()).into()
}

/// Makes a function a tool, which a model may call.
///
/// ```
/// use dspy::prelude::*;
///
/// /// Search the encyclopedia.
/// #[tool]
/// async fn search(
///     /// what to look for
///     query: String,
///     #[arg(default = 3)] k: usize,
/// ) -> Result<Vec<String>> {
///     Ok(vec![format!("one of {k} articles on {query}")])
/// }
///
/// # #[signature("question -> answer")] struct Qa;
/// let agent = ReAct::<Qa>::builder().tool(search).build();
///
/// // It can be called as before.
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// assert_eq!(search("tides".into(), 1).await?, ["one of 1 articles on tides"]);
/// # Ok::<(), dspy::Error>(()) })?;
/// # Ok::<(), dspy::Error>(())
/// ```
///
/// The documentation of the function tells the model what the tool does and when to use it, the documentation of an
/// argument what to pass. Arguments are whatever is `Deserialize + JsonSchema` and owns its values; one that is an
/// `Option` may be missing. They are read as tolerantly as the outputs of a signature; a call with wrong arguments is
/// answered with what is wrong and what is expected. The function returns what is `Serialize`, or a `Result` of that (a
/// type whose name ends in `Result`) with an error that is `Display`. It may be `async`; a plain function runs on a thread
/// of its own, on which it may block.
///
/// An async function stays a function, whose future is boxed: variables may have its name, and shadow it. A plain function
/// becomes a value of its name, a unit struct that dereferences to the function, because the type of a function that
/// returns a user's own type does not tell which function it is: it is called as before, and `*add` is the function where
/// one is passed on. So no variable in the same module can have the name of a
/// plain function, as it cannot have that of a constant; where that is in the way, put the function into a module of its
/// own and name it by its path: `.tool(tools::search)`.
///
/// # Methods
///
/// State such as a database or a client is a type whose methods are tools. Mark the `impl` block and, in it, the methods;
/// the block gets a method `tools`:
///
/// ```
/// use dspy::prelude::*;
///
/// struct Library { titles: Vec<String> }
///
/// #[tool]
/// impl Library {
///     /// Find the titles with a word.
///     #[tool]
///     fn find(&self, word: String) -> Vec<String> {
///         self.titles.iter().filter(|title| title.contains(&word)).cloned().collect()
///     }
///
///     /// Count the titles.
///     #[tool(name = "count_titles")]
///     fn count(&self) -> usize {
///         self.titles.len()
///     }
/// }
///
/// # #[signature("question -> answer")] struct Qa;
/// let library = Arc::new(Library { titles: vec!["Emma".into()] });
/// let agent = ReAct::<Qa>::builder().tools(library.tools()).build();
/// ```
///
/// # Options
///
/// | option of the tool | meaning |
/// |---|---|
/// | `name = "..."` | the name that the model calls, in place of the function's |
/// | `desc = "..."` | what the model is told, in place of the documentation |
/// | `timeout = Duration::from_secs(5)` | how long a call may take; 60 seconds unless set |
/// | `max_output = 2000` | how many characters of a result the model is shown; 20,000 unless set |
/// | `parallel = false` | that calls of one step must not run at the same time |
///
/// | option of an argument, `#[arg(...)]` | meaning |
/// |---|---|
/// | `desc = "..."` | what the model is told, in place of the documentation |
/// | `name = "..."` | the name, in place of the argument's own |
/// | `default`, `default = value` | the value when the model passes none |
#[proc_macro_attribute]
pub fn tool(options: TokenStream, item: TokenStream) -> TokenStream {
    tool::expand(options.into(), item.into()).into()
}

/// Makes a struct or an enum a value that a field of a signature can hold: derives `Debug`, `Clone`, `Serialize`,
/// `Deserialize` and `JsonSchema`, except those that it derives already.
///
/// ```
/// use dspy::value;
///
/// /// How urgent it is.
/// #[value]
/// #[derive(Copy, PartialEq)]
/// enum Severity {
///     /// Can wait.
///     Low,
///     /// Someone must look now.
///     High,
/// }
///
/// #[value]
/// struct Ticket {
///     /// in a few words
///     title: String,
///     severity: Severity,
///     #[serde(default)]
///     tags: Vec<String>,
/// }
/// ```
///
/// The documentation of fields and variants is shown to the model. Attributes of serde and schemars work as ever and
/// need no dependency on these crates; write them, and further derives, below `#[value]`.
#[proc_macro_attribute]
pub fn value(options: TokenStream, item: TokenStream) -> TokenStream {
    value::expand(&options.into(), &item.into()).into()
}

/// Makes a struct the row of a data set: says which of its fields are the input of a program. What else it has is for
/// the metric.
///
/// ```
/// use dspy::prelude::*;
///
/// #[signature("question -> answer")]
/// struct Qa;
///
/// #[value]
/// #[derive(Example)]
/// #[example(input = QaInput)]
/// struct Row {
///     #[input]
///     question: String,
///     /// Every one of them is right.
///     answers: Vec<String>,
/// }
///
/// let row = Row { question: "Who wrote Emma?".into(), answers: vec!["Austen".into(), "Jane Austen".into()] };
/// assert_eq!(row.input().question, "Who wrote Emma?");
/// ```
///
/// Name the input type with `#[example(input = ...)]` and mark with `#[input]` the fields that it is made of; they have
/// the same names there. The row must be `Clone` and `Serialize`.
#[proc_macro_derive(Example, attributes(example, input))]
pub fn example(item: TokenStream) -> TokenStream {
    example::expand(item.into()).into()
}

/// A predictor of a signature that is written as text.
///
/// ```
/// use dspy::prelude::*;
///
/// # async fn run() -> Result<()> {
/// let classify = predict!("sentence -> sentiment: bool");
/// let p = classify.call("a charming and often affecting journey").await?;
/// assert!(p.sentiment);
/// # Ok(()) }
/// ```
///
/// The text is that of [`#[signature("...")]`](macro@signature), checked by the compiler, and the output is a struct
/// with its fields. A text in second place is the instruction. A single input is given as it is, several as a tuple in
/// the order of the text, each converted with `Into`:
///
/// ```
/// # use dspy::predict;
/// let answer = predict!("question, context: list[str] -> answer", "Answer from the context, in one word.");
/// let prompt = answer.render(("Who wrote Emma?", vec!["Austen wrote Emma.".to_owned()]))?;
/// # Ok::<(), dspy::Error>(())
/// ```
///
/// The value is a `dspy::Predict` with all its methods. Its signature has no name that other code could use: where one
/// is needed, as in the field of a struct, write `#[signature("...")] struct Name;`.
#[proc_macro]
pub fn predict(input: TokenStream) -> TokenStream {
    predict::expand(input.into()).into()
}
