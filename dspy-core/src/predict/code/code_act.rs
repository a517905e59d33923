//! Agents that act by code.

use std::{fmt, marker::PhantomData, sync::Arc};

use super::{
    kit::{CodeEvent, Kit, Parts, Told, attach, code_options, variables},
    names::flaw,
    signature::{CODE, FINISHED, FromCode, NextCode, NextCodeFor, TRAJECTORY, WithCode, asking, code, text},
    stream::{CodeStream, Streamed, stream},
};
use crate::{
    Result,
    adapter::prompt,
    module::{IntoInput, Module, Path, Predictor, Program, Walk},
    predict::{
        ChainOfThought, Predict, Rendered,
        fitted::{MakeSides, fitted, next, taken},
        sides::{Sides, SidesOf},
    },
    sandbox::{CodeSession, CodeStep, CodeTrajectory},
    signature::{DynSignature, Field, Reasoned, Signature, SignatureSpec, StaticSignature, WithReasoning},
    tool::{Stop, Tool, ToolWords},
    value::TypeInfo,
};

/// An agent that acts by code: it writes code, which may call tools, sees what the code gave, writes further code, and so
/// on, until it knows enough; then the outputs are taken from what it found (Wang et al. 2024, "Executable Code Actions
/// Elicit Better LLM Agents").
///
/// It has the inputs and outputs of its signature, so that it can stand wherever a [`Predict`] of it does. Variables stay
/// from one code to the next.
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::Module, predict::CodeAct, sandbox::Python};
/// # use dspy_macros::{signature, tool};
/// /// Answer the question about towns.
/// #[signature]
/// struct Qa {
///     #[input]
///     question: String,
///     #[output]
///     answer: u64,
/// }
///
/// /// The number of inhabitants of a town.
/// #[tool]
/// async fn inhabitants(town: String) -> u64 {
///     town.len() as u64 * 10_000
/// }
///
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let lm = StubModel::scripted([
/// #     r#"{"generated_code": "sum(inhabitants(town) for town in ['Tartu', 'Narva'])", "finished": true}"#,
/// #     r#"{"reasoning": "It is the sum.", "answer": 100000}"#,
/// # ]);
/// let agent = CodeAct::<Qa>::builder().tool(inhabitants).build();
/// # let agent = CodeAct::<Qa>::builder().tool(inhabitants).interpreter(Python::in_process()).lm(&lm).build();
/// let p = agent.call("How many people live in Tartu and Narva?").await?;
/// assert_eq!(p.answer, 100_000);
/// assert_eq!(p.code().map_or(0, |code| code.len()), 1);
/// # Ok(()) })
/// # }
/// ```
///
/// The program needs one line for the processes in which the code runs: see [`sandbox`](crate::sandbox).
///
/// # Requests
///
/// A call asks the model once for each code (`codeact`) and once more for the outputs (`extractor.predict`). The work ends
/// with code that ran and that the model marked as the last, or when code was written
/// [`max_iters`](CodeActBuilder::max_iters) times, which is 5 unless set.
///
/// # What goes wrong
///
/// Errors of code, and of tools that it calls, are told to the model. When the steps do not fit into the context window, the
/// oldest are left out of the prompt. An answer that cannot be read ends the work, and the outputs are taken from the steps
/// that were made; [`CodeTrajectory::stop`] says why. Other failures of the model are errors of the call.
pub struct CodeAct<S> {
    codeact: Predict<NextCodeFor<S>>,
    extractor: ChainOfThought<FromCode<S>>,
    kit: Kit,
}

impl<S> CodeAct<S> {
    /// How often code is written at most unless set otherwise.
    pub const MAX_ITERS: usize = 5;

    /// How many characters of what code gave the model is shown unless set otherwise.
    pub const MAX_OUTPUT: usize = 20_000;

    /// An agent for this signature, without tools and with the settings that hold unless set otherwise.
    pub fn new() -> Self
    where
        S: StaticSignature,
    {
        Self::builder().build()
    }

    /// Begins an agent for this signature.
    pub fn builder() -> CodeActBuilder<S>
    where
        S: StaticSignature,
    {
        CodeActBuilder::new(S::spec())
    }

    /// Its tools.
    pub fn tools(&self) -> &[Tool] {
        &self.kit.tools
    }

    /// The words in which the model is told of the tools. They are changed with
    /// [`Predictor::set_tools`](crate::predict::Predictor::set_tools) of the predictor of [`codeact_mut`](Self::codeact_mut).
    pub fn tool_words(&self) -> &[ToolWords]
    where
        S: Signature,
    {
        self.codeact.predictor().tools()
    }

    /// The module that writes code.
    pub fn codeact(&self) -> &Predict<NextCodeFor<S>> {
        &self.codeact
    }

    /// The module that writes code, mutably.
    pub fn codeact_mut(&mut self) -> &mut Predict<NextCodeFor<S>> {
        &mut self.codeact
    }

    /// The module that takes the outputs from the steps.
    pub fn extractor(&self) -> &ChainOfThought<FromCode<S>> {
        &self.extractor
    }

    /// The module that takes the outputs from the steps, mutably.
    pub fn extractor_mut(&mut self) -> &mut ChainOfThought<FromCode<S>> {
        &mut self.extractor
    }
}

impl<S: StaticSignature> Default for CodeAct<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl CodeAct<DynSignature> {
    /// Begins an agent for a signature that is data.
    pub fn dynamic(signature: impl Into<DynSignature>) -> CodeActBuilder<DynSignature> {
        let spec: Arc<SignatureSpec> = signature.into().into();
        CodeActBuilder::new(spec)
    }
}

/// Builds a [`CodeAct`].
#[must_use = "an agent is made by `build`"]
pub struct CodeActBuilder<S> {
    spec: Arc<SignatureSpec>,
    parts: Parts,
    signature: PhantomData<fn() -> S>,
}

/// The fields that the module adds.
const ADDED: [&str; 3] = [TRAJECTORY, CODE, FINISHED];

impl<S: Signature> CodeActBuilder<S> {
    fn new(spec: Arc<SignatureSpec>) -> Self {
        let parts = Parts::new(CodeAct::<S>::MAX_ITERS, CodeAct::<S>::MAX_OUTPUT);
        Self { spec, parts, signature: PhantomData }
    }

    code_options!();

    /// The agent.
    ///
    /// When a name of an input or a tool is none that code can use, or the signature has a field that the agent adds, every
    /// call fails with an error that says so.
    pub fn build(self) -> CodeAct<S> {
        let Self { spec, parts, .. } = self;
        let [next, outputs] = specs(&spec);
        let mut codeact = Predict::with_spec(next);
        let mut extractor = ChainOfThought::with_spec(outputs);
        finish(&mut [codeact.predictor_mut(), extractor.predictor_mut()], &spec, &parts);
        CodeAct { codeact, extractor, kit: parts.kit() }
    }
}

/// The specifications of the two predictors.
fn specs(spec: &SignatureSpec) -> [SignatureSpec; 2] {
    let steps = || text(TRAJECTORY, "the code so far and what it gave");
    let finished = Field::output(FINISHED, TypeInfo::of::<bool>()).desc("whether this is the last code");
    [
        asking(spec, [steps(), code(), finished]),
        asking(spec, [steps()].into_iter().chain(spec.outputs().cloned())),
    ]
}

/// Tells the predictors how the work goes, and makes the settings.
fn finish(predictors: &mut [&mut Predictor; 2], spec: &SignatureSpec, parts: &Parts) {
    let outputs = prompt::names(spec.outputs());
    let variables = match spec.inputs().next() {
        None => String::new(),
        Some(_) => format!(" The code has these variables: {}.", prompt::names(spec.inputs())),
    };
    let protocols = [
        parts.writing(&format!(
            "Work on this in steps, by code. `trajectory` holds the code so far and what it gave. Each time, write the \
             next code (`generated_code`): it is run, and what it prints and the value of its last line are added to \
             `trajectory`.{variables} Variables and functions of earlier code are still there. When `trajectory` will have \
             all that is needed for {outputs} once this code has run, set `finished` to true; {outputs} will be asked for \
             afterwards."
        ), spec, &[]),
        parts.taking(&format!(
            "This was worked on by code: `trajectory` holds the code and what it gave. Take {outputs} from that."
        )),
    ];
    let flaw = flaw(spec, &parts.tools, &ADDED, &[]);
    parts.settle(predictors, protocols, flaw.as_ref());
}

impl<S: Signature> CodeAct<S> {
    /// Like [`call`](Module::call), but tells of the code and the outputs while they arrive, of calls, and of each step
    /// when it is made.
    ///
    /// It owns all that it needs. Nothing is done before it is polled, and dropping it stops the work.
    pub fn stream(&self, input: impl Into<S::Input>) -> CodeStream<S::Output> {
        stream(self.same(), input.into())
    }

    /// The exact messages of the first request of a call with this input, without sending them.
    ///
    /// # Errors
    /// As [`Predict::render`].
    pub fn render(&self, input: impl IntoInput<S::Input>) -> Result<Rendered> {
        let none = CodeTrajectory::new().to_string();
        self.codeact.render(WithCode::new(input.into_input(), &ADDED, [(TRAJECTORY, none.as_str())]))
    }

    /// The same agent once more: what it records is recorded as of its own.
    fn same(&self) -> Self {
        Self { codeact: self.codeact.same(), extractor: self.extractor.same(), kit: self.kit.clone() }
    }

    async fn run(&self, input: S::Input, told: Option<&Told>) -> Result<S::Output> {
        let with = |steps: &CodeTrajectory| {
            WithCode::new(input.clone(), &ADDED, [(TRAJECTORY, steps.to_string().as_str())])
        };
        let next = |steps| -> Box<dyn Sides> { Box::new(SidesOf::<NextCodeFor<S>>::new(with(&steps))) };
        let session = self.kit.open(variables(&input)?, self.codeact.predictor(), &[], told).await?;
        let mut steps = work(&self.kit, self.codeact.predictor(), session, &next, told).await?;
        let outputs =
            |steps| -> Box<dyn Sides> { Box::new(SidesOf::<WithReasoning<FromCode<S>>>::new(with(&steps))) };
        let sides =
            fitted(self.extractor.predictor(), &outputs, &mut steps, || told.map(|told| told.asks(1)))
                .await?;
        attach(steps);
        Ok(taken::<Reasoned<S::Output>>(&*sides)?.into_inner())
    }
}

/// Has code written and run until it is the last, or no further code is allowed.
async fn work(
    kit: &Kit,
    predictor: &Predictor,
    mut session: Box<dyn CodeSession>,
    sides: &MakeSides<'_, CodeStep>,
    told: Option<&Told>,
) -> Result<CodeTrajectory> {
    let mut steps = CodeTrajectory::new();
    for _ in 0..kit.max_iters {
        let Some(next) =
            next::<NextCode, _>(predictor, sides, &mut steps, || told.map(|told| told.asks(0))).await?
        else {
            return Ok(steps);
        };
        let step = kit.step(&mut *session, "", &next.generated_code).await?;
        if let Some(told) = told {
            told.tell(CodeEvent::Made(step.clone()));
        }
        let ran = step.outcome.is_ok();
        steps.push(step);
        if ran && next.finished {
            steps.end(Stop::Finished);
            return Ok(steps);
        }
    }
    steps.end(Stop::MaxIters);
    Ok(steps)
}

impl<S: Signature> Module for CodeAct<S> {
    type Input = S::Input;
    type Output = S::Output;

    async fn forward(&self, input: S::Input) -> Result<S::Output> {
        self.run(input, None).await
    }

    fn is_agent(&self) -> bool {
        true
    }

    fn input_fields(&self) -> Option<Vec<String>> {
        let inputs = self.codeact.predictor().spec().inputs().filter(|field| field.name != TRAJECTORY);
        Some(inputs.map(|field| field.name.clone()).collect())
    }
}

impl<S: Signature> Streamed for CodeAct<S> {
    fn asked(&self) -> (Vec<&Predictor>, &Predictor) {
        (vec![self.codeact.predictor()], self.extractor.predictor())
    }

    fn work(&self, input: S::Input, told: &Told) -> impl Future<Output = Result<S::Output>> + Send {
        self.run(input, Some(told))
    }
}

impl<S> Walk for CodeAct<S> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        path.field("codeact", |path| self.codeact.walk(path, visit));
        path.field("extractor", |path| self.extractor.walk(path, visit));
    }

    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        path.field("codeact", |path| self.codeact.walk_mut(path, visit));
        path.field("extractor", |path| self.extractor.walk_mut(path, visit));
    }
}

#[diagnostic::do_not_recommend]
impl<S> Program for CodeAct<S> {}

impl<S> Clone for CodeAct<S> {
    fn clone(&self) -> Self {
        Self { codeact: self.codeact.clone(), extractor: self.extractor.clone(), kit: self.kit.clone() }
    }
}

impl<S> fmt::Debug for CodeAct<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeAct")
            .field("codeact", &self.codeact)
            .field("extractor", &self.extractor)
            .field("kit", &self.kit)
            .finish()
    }
}

impl<S> fmt::Debug for CodeActBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeActBuilder")
            .field("signature", &self.spec.name)
            .field("parts", &self.parts)
            .finish()
    }
}
