//! The modules of the library.

mod advice;
mod ask;
mod best_of_n;
mod chain_of_thought;
#[cfg(feature = "sandbox")]
pub mod code;
mod conversation;
mod correct;
mod demo_of;
mod drive;
mod dyn_module;
mod ensemble;
mod fitted;
mod guide;
mod majority;
mod multi_chain_comparison;
mod observed;
mod parallel;
mod progress;
pub mod react;
mod refine;
mod refused;
mod reward;
mod run;
mod settings;
mod shown;
mod sides;
mod stream;
mod tool;
mod watch;
mod with_violations;

use std::{fmt, marker::PhantomData, sync::Arc};

use self::sides::SidesOf;
pub use crate::module::Predictor;
pub use best_of_n::BestOfN;
pub use chain_of_thought::ChainOfThought;
#[cfg(feature = "sandbox")]
pub use code::{CodeAct, CodeActBuilder, ProgramOfThought, ProgramOfThoughtBuilder, RLM, RlmBuilder};
pub(crate) use conversation::Conversation;
pub use demo_of::DemoOf;
pub use dyn_module::{DynChainOfThought, DynModule, DynPredict, DynReAct, Sequence};
pub use ensemble::Ensemble;
pub use majority::majority;
pub use multi_chain_comparison::MultiChainComparison;
pub use parallel::{Parallel, draws};
pub use react::{ReAct, ReActBuilder};
pub use refine::Refine;
pub use shown::Partial;
pub use stream::{PredictionStream, Update};
pub use with_violations::{Checked, WithViolations};

use crate::{
    Result,
    adapter::{Adapter, Demo},
    context::{Context, Guidance, Recording, show_messages},
    lm::{BoxFuture, LM, Message, Options},
    module::{IntoInput, Module, Path, Paths, Prediction, Program, Walk},
    signature::{DynSignature, Signature, SignatureSpec, StaticSignature, dedented},
};

/// Asks a model to fill in the outputs of a signature.
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::Module, predict::Predict};
/// # use dspy_macros::signature;
/// /// How warm is the review?
/// #[signature]
/// struct Rate {
///     #[input]
///     review: String,
///     /// from 0 to 1
///     #[output]
///     warmth: f64,
/// }
///
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let lm = StubModel::scripted([r#"{"warmth": 0.9}"#]);
/// let rate = Predict::<Rate>::new().lm(&lm);
/// let p = rate.call("A charming and often affecting journey.").await?;
/// assert_eq!((p.warmth, p.usage().total().calls), (0.9, 1));
/// # Ok(()) })
/// # }
/// ```
///
/// A call is one request, and one more for each repair of an answer that cannot be read ([`repairs`](Self::repairs)) and
/// each correction of one that does not meet a constraint. Its predictor has the path `self`, or that of its field.
pub struct Predict<S> {
    predictor: Predictor,
    signature: PhantomData<fn() -> S>,
}

// The condition stands at the function, where the compiler says what is missing in words of this library.
impl<S> Predict<S> {
    /// A predictor of this signature.
    pub fn new() -> Self
    where
        S: StaticSignature,
    {
        Self::with_spec(S::spec())
    }
}

impl<S: StaticSignature> Default for Predict<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl Predict<DynSignature> {
    /// A predictor of a signature that is data.
    ///
    /// ```
    /// # use dspy_core::{predict::Predict, signature::{DynSignature, Record}};
    /// let classify = Predict::dynamic(DynSignature::parse("text -> label: Literal['spam', 'ham']")?);
    /// let prompt = classify.render(Record::from([("text", "You have won!")]))?;
    /// # Ok::<(), dspy_core::Error>(())
    /// ```
    pub fn dynamic(signature: impl Into<DynSignature>) -> Self {
        Self::with_spec(signature.into())
    }
}

impl<S: Signature> Predict<S> {
    /// A predictor of a signature whose fields are given as data.
    pub fn with_spec(spec: impl Into<Arc<SignatureSpec>>) -> Self {
        Self { predictor: Predictor::new(spec.into()), signature: PhantomData }
    }

    /// Sets its model.
    #[must_use]
    pub fn lm(mut self, lm: impl Into<LM>) -> Self {
        self.predictor.set_lm(Some(lm.into()));
        self
    }

    /// Sets its sampling options.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.predictor.set_options(options);
        self
    }

    /// Sets its adapter.
    #[must_use]
    pub fn adapter(mut self, adapter: impl Adapter) -> Self {
        self.predictor.set_adapter(Some(Arc::new(adapter)));
        self
    }

    /// Sets its instructions, without the indentation that their lines share.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.predictor.set_instructions(dedented(&instructions.into()));
        self
    }

    /// Sets its demonstrations: records of the signature. For other rows there is [`try_demos`](Self::try_demos).
    ///
    /// A record cannot fail to be a demonstration, unless a type of the program refuses to be serialised; every call
    /// fails with its error then.
    #[must_use]
    pub fn demos(mut self, rows: impl IntoIterator<Item: DemoOf<S>>) -> Self {
        let demos = rows.into_iter().map(|row| row.demo()).collect();
        self.predictor.try_set_demos(demos);
        self
    }

    /// Sets its demonstrations: rows with fields of the signature, possibly not all of them.
    ///
    /// # Errors
    /// [`Error::Other`](crate::Error::Other) when a row cannot be turned into fields.
    pub fn try_demos<D: serde::Serialize>(mut self, rows: impl IntoIterator<Item = D>) -> Result<Self> {
        let demos: Result<Vec<_>> = rows.into_iter().map(|row| Demo::from_row(&row)).collect();
        self.predictor.set_demos(demos?);
        Ok(self)
    }

    /// Sets how many further requests one call may send to repair an answer that could not be parsed.
    #[must_use]
    pub fn repairs(mut self, requests: u32) -> Self {
        self.predictor.set_repairs(Some(requests));
        self
    }

    /// Its learnable parameters and its settings.
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// Its learnable parameters and its settings, mutably.
    pub fn predictor_mut(&mut self) -> &mut Predictor {
        &mut self.predictor
    }

    /// Like [`call`](Module::call), but returns the answer while it arrives.
    ///
    /// ```no_run
    /// # use dspy_core::{lm::LM, predict::{Predict, Update}, signature::{DynSignature, Record}};
    /// # async fn f() -> dspy_core::Result<()> {
    /// let qa = Predict::dynamic(DynSignature::parse("question -> answer, sources: list[str]")?);
    /// let mut stream = qa.stream(Record::from([("question", "Why is the sky blue?")]));
    /// while let Some(update) = stream.next().await {
    ///     match update? {
    ///         Update::Delta { field, text } if &*field == "answer" => print!("{text}"),
    ///         Update::Done(prediction) => println!("\n{}", prediction["sources"]),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// It is a [`Stream`](futures_util::Stream), too. It owns all that it needs. Nothing is sent before it is polled, and dropping it stops the request.
    pub fn stream(&self, input: impl Into<S::Input>) -> PredictionStream<S::Output> {
        self.stream_in(Paths::of(self), input.into())
    }

    fn same(&self) -> Self {
        Self { predictor: self.predictor.same(), signature: PhantomData }
    }

    fn stream_in(&self, paths: Paths, input: S::Input) -> PredictionStream<S::Output> {
        PredictionStream::new::<S>(self.predictor.same(), paths, input)
    }

    /// Asks, and has the answer told of while it arrives.
    async fn watched(&self, input: S::Input, watch: Option<watch::Watch>) -> Result<S::Output> {
        let mut sides = SidesOf::<S>::new(input);
        ask::run(&self.predictor, &mut sides, watch).await?;
        sides.into_output()
    }

    /// Asks, and gives what was recorded besides.
    async fn recorded(&self, input: S::Input) -> Result<(S::Output, Recording)> {
        let mut sides = SidesOf::<S>::new(input);
        let record = ask::call(&self.predictor, &mut sides, None).await?;
        Ok((sides.into_output()?, record))
    }

    /// The exact messages that a call with this input would send, without sending them.
    ///
    /// # Errors
    /// [`Error::Other`](crate::Error::Other) when a value cannot be written into the prompt.
    pub fn render(&self, input: impl IntoInput<S::Input>) -> Result<Rendered> {
        let settings = Context::current().settings();
        let adapter = self.predictor.adapter_or(&settings);
        let capabilities = self.predictor.lm_or(&settings).map(|lm| lm.capabilities()).unwrap_or_default();
        let sides = SidesOf::<S>::new(input.into_input());
        let opening = run::format(&self.predictor, &adapter, capabilities, &sides, &Guidance::default())?;
        Ok(Rendered(opening.prompt.messages().cloned().collect()))
    }
}

/// The messages of a request. `Display` formats them for reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered(pub Vec<Message>);

impl std::ops::Deref for Rendered {
    type Target = [Message];

    fn deref(&self) -> &[Message] {
        &self.0
    }
}

impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show_messages(&self.0))
    }
}

impl<S: Signature> Module for Predict<S> {
    type Input = S::Input;
    type Output = S::Output;

    async fn forward(&self, input: S::Input) -> Result<S::Output> {
        self.watched(input, None).await
    }

    fn input_fields(&self) -> Option<Vec<String>> {
        Some(self.predictor().spec().inputs().map(|field| field.name.clone()).collect())
    }

    // As every module's, but compiled once for all signatures.
    fn call(&self, input: impl IntoInput<S::Input>) -> BoxFuture<'_, Result<Prediction<S::Output>>> {
        let mut sides = SidesOf::<S>::new(input.into_input());
        Box::pin(async move {
            let record = match ask::call(&self.predictor, &mut sides, None).await {
                Ok(record) => record,
                Err(error) => return Err(error),
            };
            match sides.into_output() {
                Ok(output) => Ok(Prediction::of_one(output, record, &self.predictor)),
                Err(error) => Err(error),
            }
        })
    }
}

impl<S> Walk for Predict<S> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        visit(path, &self.predictor);
    }

    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        visit(path, &mut self.predictor);
    }
}

#[diagnostic::do_not_recommend]
impl<S> Program for Predict<S> {}

impl<S> Clone for Predict<S> {
    fn clone(&self) -> Self {
        Self { predictor: self.predictor.clone(), signature: PhantomData }
    }
}

impl<S> fmt::Debug for Predict<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.predictor.debug("Predict", f)
    }
}

impl<S> fmt::Display for Predict<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.predictor, f)
    }
}
