//! Programs that are put together at run time.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ChainOfThought, Predict, Predictor, ReAct};
use crate::{
    Error, Result,
    context::Context,
    lm::BoxFuture,
    module::{Module, Path, Program, Walk, run},
    signature::{DynSignature, Record},
    value::read_json,
};

/// A [`Predict`] whose signature is data: `Predict::dynamic(DynSignature::parse("question -> answer")?)`.
pub type DynPredict = Predict<DynSignature>;
/// A [`ChainOfThought`] whose signature is data.
pub type DynChainOfThought = ChainOfThought<DynSignature>;
/// A [`ReAct`] whose signature is data.
pub type DynReAct = ReAct<DynSignature>;

/// A module as a value, whatever its types: it takes and gives a [`Record`].
///
/// Every module is one whose input is read from fields, such as that of a signature. A `Box<dyn DynModule>` is a module
/// again: it can be called, be a field of a program or a value of a map in one, be saved, loaded and compiled.
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::{Module, Program}, predict::{DynModule, DynPredict, Predict}, signature::{DynSignature, Record}};
/// # use dspy_macros::signature;
/// # #[signature] struct Qa { #[input] question: String, #[output] answer: String }
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let lm = StubModel::from_fn(|_: &dspy_core::lm::Request| r#"{"answer": "Paris"}"#);
/// let data = DynPredict::dynamic(DynSignature::parse("question -> answer")?);
/// let mut modules: Vec<Box<dyn DynModule>> = vec![Box::new(data), Box::new(Predict::<Qa>::new())];
/// for module in &mut modules {
///     # module.set_lm(&lm);
///     let p = module.call(Record::from([("question", "What is the capital of France?")])).await?;
///     assert_eq!(p["answer"], "Paris");
/// }
/// # Ok(()) })
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no module that takes and gives records",
    label = "not a module over records",
    note = "a module whose input can be deserialized from the fields of a record, such as that of a signature, and that \
            is `Clone`, is one: `Box::new(module)`"
)]
pub trait DynModule: Program + Send + Sync {
    /// Runs the module on the fields of a record. The fields of its output are the result.
    fn forward_record(&self, input: Record) -> BoxFuture<'_, Result<Record>>;

    /// The fields that it takes, if it refuses others: see [`Module::input_fields`].
    fn record_fields(&self) -> Option<Vec<String>>;

    /// A copy.
    fn boxed(&self) -> Box<dyn DynModule>;
}

#[diagnostic::do_not_recommend]
impl<P> DynModule for P
where
    P: Module<Input: DeserializeOwned> + Clone + 'static,
{
    fn forward_record(&self, input: Record) -> BoxFuture<'_, Result<Record>> {
        Box::pin(async move {
            let input = read_json::<P::Input>(&Value::Object(input.into_fields()));
            let input =
                input.map_err(|e| Error::other(format!("the record is no input of the module: {e}")))?;
            Record::of(&run(Context::current().nested(), input, |input| self.forward(input)).await?)
        })
    }

    fn record_fields(&self) -> Option<Vec<String>> {
        self.input_fields()
    }

    fn boxed(&self) -> Box<dyn DynModule> {
        Box::new(self.clone())
    }
}

impl Module for Box<dyn DynModule> {
    type Input = Record;
    type Output = Record;

    async fn forward(&self, input: Record) -> Result<Record> {
        (**self).forward_record(input).await
    }

    fn input_fields(&self) -> Option<Vec<String>> {
        (**self).record_fields()
    }
}

#[diagnostic::do_not_recommend]
impl Program for Box<dyn DynModule> {}

impl Clone for Box<dyn DynModule> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

impl fmt::Debug for dyn DynModule + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.predictors()).finish()
    }
}

/// Modules one after the other, each under a name. Each takes what it needs of the input and of the outputs of those
/// before it, by the names of the fields; of several values of a name, the last. The output is that of the last module.
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::{Module, Program}, predict::{DynChainOfThought, DynPredict, Sequence}, signature::{DynSignature, Record}};
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let lm = StubModel::scripted([r#"{"query": "emma author"}"#, r#"{"reasoning": "known", "answer": "Austen"}"#]);
/// let mut program = Sequence::new()
///     .then("query", DynPredict::dynamic(DynSignature::parse("question -> query")?))
///     .then("answer", DynChainOfThought::dynamic(DynSignature::parse("question, query -> answer")?));
/// # program.set_lm(lm);
/// let p = program.call(Record::from([("question", "Who wrote Emma?")])).await?;
/// assert_eq!(p["answer"], "Austen");
/// let paths: Vec<String> = program.predictors().into_iter().map(|(path, _)| path).collect();
/// assert_eq!(paths, ["query", "answer.predict"]);
/// # Ok(()) })
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Sequence {
    steps: Vec<(String, Box<dyn DynModule>)>,
}

impl Sequence {
    /// No modules yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a module. The name is its path in saved programs.
    #[must_use]
    pub fn then(mut self, name: impl Into<String>, module: impl DynModule + 'static) -> Self {
        self.steps.push((name.into(), Box::new(module)));
        self
    }

    /// The modules with their names.
    pub fn steps(&self) -> impl Iterator<Item = (&str, &dyn DynModule)> {
        self.steps.iter().map(|(name, step)| (name.as_str(), &**step))
    }
}

impl Module for Sequence {
    type Input = Record;
    type Output = Record;

    async fn forward(&self, mut known: Record) -> Result<Record> {
        let Some(((_, last), before)) = self.steps.split_last() else {
            return Err(Error::other("the sequence has no module; add one with `then`"));
        };
        for (_, step) in before {
            let output = step.forward_record(needed(&**step, &known)).await?;
            for (name, value) in output {
                known.insert(name, value);
            }
        }
        last.forward_record(needed(&**last, &known)).await
    }
}

/// The fields that a module takes.
fn needed(module: &dyn DynModule, known: &Record) -> Record {
    let Some(fields) = module.record_fields() else { return known.clone() };
    fields.into_iter().filter_map(|name| known.value(&name).cloned().map(|value| (name, value))).collect()
}

impl Walk for Sequence {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        for (name, step) in &self.steps {
            path.field(name, |path| step.walk(path, visit));
        }
    }

    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        for (name, step) in &mut self.steps {
            path.field(name, |path| step.walk_mut(path, visit));
        }
    }
}

#[diagnostic::do_not_recommend]
impl Program for Sequence {}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.steps.iter().map(|(name, step)| (name, step))).finish()
    }
}
