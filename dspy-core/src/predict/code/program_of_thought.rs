//! Code in the place of an answer.

use std::{fmt, marker::PhantomData, sync::Arc};

use super::{
    kit::{CodeEvent, Kit, Parts, Told, attach, code_options, variables},
    names::flaw,
    signature::{CODE, CodeFor, ERROR, FINAL, FromCode, OUTPUT, PREVIOUS, WithCode, asking, code, text},
    stream::{CodeStream, Streamed, stream},
};
use crate::{
    Error, Result,
    adapter::prompt,
    module::{IntoInput, Module, Path, Predictor, Program, Walk},
    predict::{ChainOfThought, Rendered},
    sandbox::{CodeStep, CodeTrajectory},
    signature::{DynSignature, Signature, SignatureSpec, StaticSignature},
    tool::{Stop, Tool, ToolWords},
};

/// Has a model write code that works the outputs out, runs it, and takes the outputs from what it gave (Chen et al. 2022,
/// "Program of Thoughts Prompting").
///
/// It has the inputs and outputs of its signature, so that it can stand wherever a [`Predict`](crate::predict::Predict) of
/// it does.
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::Module, predict::ProgramOfThought, sandbox::Python};
/// # use dspy_macros::signature;
/// /// Answer the question.
/// #[signature]
/// struct Sum {
///     #[input]
///     question: String,
///     #[output]
///     answer: u64,
/// }
///
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let lm = StubModel::scripted([
/// #     r#"{"reasoning": "A sum.", "generated_code": "```python\nsum(n * n for n in range(1, 101))\n```"}"#,
/// #     r#"{"reasoning": "It is the result.", "answer": 338350}"#,
/// # ]);
/// let solve = ProgramOfThought::<Sum>::new();
/// # let solve = ProgramOfThought::<Sum>::builder().interpreter(Python::in_process()).lm(&lm).build();
/// let p = solve.call("What is the sum of the first hundred squares?").await?;
/// assert_eq!(p.answer, 338_350);
/// for step in p.code().into_iter().flat_map(|code| code.steps()) {
///     println!("{}\n=> {}", step.code, step.output);
/// }
/// # Ok(()) })
/// # }
/// ```
///
/// The program needs one line for the processes in which the code runs: see [`sandbox`](crate::sandbox).
///
/// # Requests
///
/// A call asks the model for the code (`code_generate.predict`) and for the outputs (`generate_output.predict`): twice when
/// the code runs. Each failure costs one request more, in which the model sees its code and the error
/// (`code_regenerate.predict`), until code was written [`max_iters`](ProgramOfThoughtBuilder::max_iters) times, which is 3
/// unless set. When none of it ran, the call fails with the last error. Every attempt has a session of its own, with the
/// inputs as variables.
pub struct ProgramOfThought<S> {
    code_generate: ChainOfThought<CodeFor<S>>,
    code_regenerate: ChainOfThought<CodeFor<S>>,
    generate_output: ChainOfThought<FromCode<S>>,
    kit: Kit,
}

impl<S> ProgramOfThought<S> {
    /// How often code is written at most unless set otherwise.
    pub const MAX_ITERS: usize = 3;

    /// How many characters of what code gave the model is shown unless set otherwise.
    pub const MAX_OUTPUT: usize = 20_000;

    /// A module for this signature, with the settings that hold unless set otherwise.
    pub fn new() -> Self
    where
        S: StaticSignature,
    {
        Self::builder().build()
    }

    /// Begins a module for this signature.
    pub fn builder() -> ProgramOfThoughtBuilder<S>
    where
        S: StaticSignature,
    {
        ProgramOfThoughtBuilder::new(S::spec())
    }

    /// The functions that the code may call.
    pub fn tools(&self) -> &[Tool] {
        &self.kit.tools
    }

    /// The words in which the model is told of the tools when it writes the first code. Each of the two predictors that
    /// write code has words of its own, which are changed with [`Predictor::set_tools`]; code that is written anew may use
    /// the names of both.
    pub fn tool_words(&self) -> &[ToolWords]
    where
        S: Signature,
    {
        self.code_generate.predictor().tools()
    }

    /// The module that writes the first code.
    pub fn code_generate(&self) -> &ChainOfThought<CodeFor<S>> {
        &self.code_generate
    }

    /// The module that writes the first code, mutably.
    pub fn code_generate_mut(&mut self) -> &mut ChainOfThought<CodeFor<S>> {
        &mut self.code_generate
    }

    /// The module that writes code after an error.
    pub fn code_regenerate(&self) -> &ChainOfThought<CodeFor<S>> {
        &self.code_regenerate
    }

    /// The module that writes code after an error, mutably.
    pub fn code_regenerate_mut(&mut self) -> &mut ChainOfThought<CodeFor<S>> {
        &mut self.code_regenerate
    }

    /// The module that takes the outputs from the result.
    pub fn generate_output(&self) -> &ChainOfThought<FromCode<S>> {
        &self.generate_output
    }

    /// The module that takes the outputs from the result, mutably.
    pub fn generate_output_mut(&mut self) -> &mut ChainOfThought<FromCode<S>> {
        &mut self.generate_output
    }
}

impl<S: StaticSignature> Default for ProgramOfThought<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl ProgramOfThought<DynSignature> {
    /// Begins a module for a signature that is data.
    pub fn dynamic(signature: impl Into<DynSignature>) -> ProgramOfThoughtBuilder<DynSignature> {
        let spec: Arc<SignatureSpec> = signature.into().into();
        ProgramOfThoughtBuilder::new(spec)
    }
}

/// Builds a [`ProgramOfThought`].
#[must_use = "a module is made by `build`"]
pub struct ProgramOfThoughtBuilder<S> {
    spec: Arc<SignatureSpec>,
    parts: Parts,
    signature: PhantomData<fn() -> S>,
}

impl<S: Signature> ProgramOfThoughtBuilder<S> {
    fn new(spec: Arc<SignatureSpec>) -> Self {
        let parts = Parts::new(ProgramOfThought::<S>::MAX_ITERS, ProgramOfThought::<S>::MAX_OUTPUT);
        Self { spec, parts, signature: PhantomData }
    }

    code_options!();

    /// The module.
    ///
    /// When a name of an input or a function is none that code can use, or the signature has a field that the module adds,
    /// every call fails with an error that says so.
    pub fn build(self) -> ProgramOfThought<S> {
        let Self { spec, parts, .. } = self;
        let [generate, regenerate, answer] = specs(&spec);
        let mut code_generate = ChainOfThought::with_spec(generate);
        let mut code_regenerate = ChainOfThought::with_spec(regenerate);
        let mut generate_output = ChainOfThought::with_spec(answer);
        let predictors = &mut [
            code_generate.predictor_mut(),
            code_regenerate.predictor_mut(),
            generate_output.predictor_mut(),
        ];
        finish(predictors, &spec, &parts);
        ProgramOfThought { code_generate, code_regenerate, generate_output, kit: parts.kit() }
    }
}

/// The fields that the module adds.
const ADDED: [&str; 5] = [PREVIOUS, ERROR, FINAL, OUTPUT, CODE];

/// The specifications of the three predictors.
fn specs(spec: &SignatureSpec) -> [SignatureSpec; 3] {
    let failed = [text(PREVIOUS, "the code that failed"), text(ERROR, "why it failed"), code()];
    let run = [text(FINAL, "the code that was run"), text(OUTPUT, "what it gave")];
    [
        asking(spec, [code()]),
        asking(spec, failed),
        asking(spec, run.into_iter().chain(spec.outputs().cloned())),
    ]
}

/// Tells the predictors how the work goes, and makes the settings.
fn finish(predictors: &mut [&mut Predictor; 3], spec: &SignatureSpec, parts: &Parts) {
    let outputs = prompt::names(spec.outputs());
    let inputs = match spec.inputs().next() {
        None => String::new(),
        Some(_) => format!(" The code has these variables: {}.", prompt::names(spec.inputs())),
    };
    let means = format!(
        "{inputs} What it prints and the value of its last line are its result; {outputs} will be taken from that \
         afterwards."
    );
    let writing = |work: &str| parts.writing(&format!("{work}{means}"), spec, &[]);
    let protocols = [
        writing("Do not work this out yourself: write code that does, as `generated_code`."),
        writing(
            "Code was written for this, but it failed: `previous_code` is the code and `error` the reason. Write it anew \
             without the fault, whole, as `generated_code`.",
        ),
        parts.taking(&format!(
            "Code was written for this and run: `final_generated_code` is the code and `code_output` its result. Take \
             {outputs} from the result."
        )),
    ];
    let flaw = flaw(spec, &parts.tools, &ADDED, &[]);
    parts.settle(predictors, protocols, flaw.as_ref());
}

impl<S: Signature> ProgramOfThought<S> {
    /// Like [`call`](Module::call), but tells of thoughts, code and outputs while they arrive, of calls, and of each code
    /// when it was run.
    ///
    /// It owns all that it needs. Nothing is done before it is polled, and dropping it stops the work.
    pub fn stream(&self, input: impl Into<S::Input>) -> CodeStream<S::Output> {
        stream(self.same(), input.into())
    }

    /// The exact messages of the first request of a call with this input, without sending them.
    ///
    /// # Errors
    /// As [`Predict::render`](crate::predict::Predict::render).
    pub fn render(&self, input: impl IntoInput<S::Input>) -> Result<Rendered> {
        self.code_generate.render(WithCode::new(input.into_input(), &ADDED, []))
    }

    /// The same module once more: what it records is recorded as of its own.
    fn same(&self) -> Self {
        Self {
            code_generate: self.code_generate.same(),
            code_regenerate: self.code_regenerate.same(),
            generate_output: self.generate_output.same(),
            kit: self.kit.clone(),
        }
    }

    async fn run(&self, input: S::Input, told: Option<&Told>) -> Result<S::Output> {
        let inputs = variables(&input)?;
        let mut trajectory = CodeTrajectory::new();
        let asks = |of: usize| told.map(|told| told.asks(of));
        let asked = WithCode::new(input.clone(), &ADDED, []);
        let mut written = self.code_generate.predict().watched(asked, asks(0)).await?;
        let step = loop {
            let (first, again) = (self.code_generate.predictor(), self.code_regenerate.predictor());
            let mut session = match trajectory.len() {
                0 => self.kit.open(inputs.clone(), first, &[], told).await?,
                _ => self.kit.open(inputs.clone(), again, &[first], told).await?,
            };
            let step = self.kit.step(&mut *session, &written.reasoning, &written.generated_code).await?;
            drop(session);
            if let Some(told) = told {
                told.tell(CodeEvent::Made(step.clone()));
            }
            trajectory.push(step.clone());
            let last = trajectory.len() >= self.kit.max_iters;
            let Some(fault) = fault(&step, last)? else { break step };
            let texts = [(PREVIOUS, step.code.as_str()), (ERROR, fault)];
            let asked = WithCode::new(input.clone(), &ADDED, texts);
            written = self.code_regenerate.predict().watched(asked, asks(1)).await?;
        };
        trajectory.end(Stop::Finished);
        let texts = [(FINAL, step.code.as_str()), (OUTPUT, step.output.as_str())];
        let asked = WithCode::new(input, &ADDED, texts);
        let output = self.generate_output.predict().watched(asked, asks(2)).await?;
        attach(trajectory);
        Ok(output.into_inner())
    }
}

/// What is wrong with code that ran and gave nothing.
const NOTHING: &str = "the code ran, but gave no result: it printed nothing, and its last line has no value";

impl<S: Signature> Module for ProgramOfThought<S> {
    type Input = S::Input;
    type Output = S::Output;

    async fn forward(&self, input: S::Input) -> Result<S::Output> {
        self.run(input, None).await
    }

    fn input_fields(&self) -> Option<Vec<String>> {
        let spec = self.code_generate.predictor().spec();
        Some(spec.inputs().map(|field| field.name.clone()).collect())
    }
}

/// Why the code is to be written anew, if it is.
fn fault(step: &CodeStep, last: bool) -> Result<Option<&str>> {
    match &step.outcome {
        Ok(_) if !step.output.is_empty() || last => Ok(None),
        Ok(_) => Ok(Some(NOTHING)),
        Err(error) if last => Err(Error::other(error.clone())),
        Err(_) => Ok(Some(&step.output)),
    }
}

impl<S: Signature> Streamed for ProgramOfThought<S> {
    fn asked(&self) -> (Vec<&Predictor>, &Predictor) {
        (
            vec![self.code_generate.predictor(), self.code_regenerate.predictor()],
            self.generate_output.predictor(),
        )
    }

    fn work(&self, input: S::Input, told: &Told) -> impl Future<Output = Result<S::Output>> + Send {
        self.run(input, Some(told))
    }
}

impl<S> Walk for ProgramOfThought<S> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        path.field("code_generate", |path| self.code_generate.walk(path, visit));
        path.field("code_regenerate", |path| self.code_regenerate.walk(path, visit));
        path.field("generate_output", |path| self.generate_output.walk(path, visit));
    }

    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        path.field("code_generate", |path| self.code_generate.walk_mut(path, visit));
        path.field("code_regenerate", |path| self.code_regenerate.walk_mut(path, visit));
        path.field("generate_output", |path| self.generate_output.walk_mut(path, visit));
    }
}

#[diagnostic::do_not_recommend]
impl<S> Program for ProgramOfThought<S> {}

impl<S> Clone for ProgramOfThought<S> {
    fn clone(&self) -> Self {
        Self {
            code_generate: self.code_generate.clone(),
            code_regenerate: self.code_regenerate.clone(),
            generate_output: self.generate_output.clone(),
            kit: self.kit.clone(),
        }
    }
}

impl<S> fmt::Debug for ProgramOfThought<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgramOfThought")
            .field("code_generate", &self.code_generate)
            .field("code_regenerate", &self.code_regenerate)
            .field("generate_output", &self.generate_output)
            .field("kit", &self.kit)
            .finish()
    }
}

impl<S> fmt::Debug for ProgramOfThoughtBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgramOfThoughtBuilder")
            .field("signature", &self.spec.name)
            .field("parts", &self.parts)
            .finish()
    }
}
