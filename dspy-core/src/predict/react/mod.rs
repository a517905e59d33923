//! Agents that call tools.

mod builder;
mod signature;
mod steps;
mod stream;

use std::{fmt, sync::Arc};

pub use builder::ReActBuilder;
pub use signature::{FromSteps, NextStepFor, WithSteps};
pub use stream::{AgentStream, AgentUpdate};

use self::steps::{AgentEvent, OUTPUTS, Work, reopened};
use super::{
    ChainOfThought, Predictor, Rendered,
    fitted::{fitted, taken},
    progress::Events,
    run,
    sides::SidesOf,
};
use crate::{
    Result,
    context::{Attached, Context, Guidance, Recorder},
    module::{self, IntoInput, Module, Path, Paths, Prediction, Program, Walk},
    signature::{DynSignature, Reasoned, Signature, SignatureSpec, StaticSignature, WithReasoning},
    tool::{TRAJECTORY, Tool, ToolWords, Trajectory},
};

/// An agent: it thinks, calls a tool, sees what the tool gave, and so on, until it knows enough; then the outputs are taken
/// from what it found (Yao et al. 2022, "ReAct: Synergizing Reasoning and Acting in Language Models").
///
/// It has the inputs and outputs of its signature, so that it can stand wherever a [`Predict`](super::Predict) of it does.
///
/// ```
/// # use dspy_core::{Result, lm::{Capabilities, StubModel}, module::Module, predict::ReAct};
/// # use dspy_macros::{signature, tool};
/// /// Answer the question.
/// #[signature]
/// struct Qa {
///     #[input]
///     question: String,
///     #[output]
///     answer: String,
/// }
///
/// /// Look up a town in the gazetteer.
/// #[tool]
/// async fn look_up(town: String) -> String {
///     format!("{town}: 31,000 inhabitants")
/// }
///
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let lm = StubModel::scripted([
/// #     r#"{"next_thought": "I look it up.", "next_tool_name": "look_up", "next_tool_args": {"town": "Tartu"}}"#,
/// #     r#"{"next_thought": "Now I know.", "next_tool_name": "finish", "next_tool_args": {}}"#,
/// #     r#"{"reasoning": "It says so.", "answer": "31,000"}"#,
/// # ]).capabilities(Capabilities::none());
/// let agent = ReAct::<Qa>::builder().tool(look_up).max_iters(8).lm(&lm).build();
/// let p = agent.call("How many people live in Tartu?").await?;
/// assert_eq!(p.answer, "31,000");
/// for action in p.trajectory().into_iter().flat_map(|trajectory| trajectory.actions()) {
///     println!("{}: {}", action.tool, action.observation);
/// }
/// # Ok(()) })
/// # }
/// ```
///
/// # Requests
///
/// A call asks the model once for each step and once more for the outputs. The steps are asked of the predictor `react`
/// and the outputs of `extract.predict`; optimizers change the instructions and demonstrations of both, and the words in
/// which the tools are described ([`Predictor::set_tools`]).
///
/// A model that is known to call tools natively ([`Capabilities::tools`](crate::lm::Capabilities::tools)) is given them
/// by the interface of its provider, and may call several at once; for any other the tools are listed in the prompt, and
/// the next step is three outputs, `next_thought`, `next_tool_name` and `next_tool_args`.
/// [`ReActBuilder::native_tools`] chooses.
///
/// # What goes wrong
///
/// Wrong names and arguments, errors, panics and timeouts of tools, and calls that were not allowed, are told to the model,
/// which goes on. When the steps do not fit into the context window, the oldest are left out of the prompt. A step that
/// cannot be read, and the last of [`max_iters`](ReActBuilder::max_iters) steps, end the work, and the outputs are taken
/// from the steps that were made; [`Trajectory::stop`] says why. Other failures of the model are errors of the call.
pub struct ReAct<S> {
    react: Predictor,
    extract: ChainOfThought<FromSteps<S>>,
    tools: Arc<[Tool]>,
    max_iters: usize,
}

impl<S> ReAct<S> {
    /// How many steps a call makes at most unless set otherwise.
    pub const MAX_ITERS: usize = 20;

    /// Begins an agent for this signature.
    pub fn builder() -> ReActBuilder<S>
    where
        S: StaticSignature,
    {
        ReActBuilder::new(S::spec())
    }

    /// Its tools.
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// The words in which the model is told of the tools; the last is the one that ends the work. They are changed with
    /// [`Predictor::set_tools`] of [`react_mut`](Self::react_mut).
    pub fn tool_words(&self) -> &[ToolWords] {
        self.react.tools()
    }

    /// The predictor of the next step.
    pub fn react(&self) -> &Predictor {
        &self.react
    }

    /// The predictor of the next step, mutably.
    pub fn react_mut(&mut self) -> &mut Predictor {
        &mut self.react
    }

    /// The module that takes the outputs from the steps.
    pub fn extract(&self) -> &ChainOfThought<FromSteps<S>> {
        &self.extract
    }

    /// The module that takes the outputs from the steps, mutably.
    pub fn extract_mut(&mut self) -> &mut ChainOfThought<FromSteps<S>> {
        &mut self.extract
    }
}

impl ReAct<DynSignature> {
    /// Begins an agent for a signature that is data.
    pub fn dynamic(signature: impl Into<DynSignature>) -> ReActBuilder<DynSignature> {
        let spec: Arc<SignatureSpec> = signature.into().into();
        ReActBuilder::new(spec)
    }
}

impl<S: Signature> ReAct<S> {
    /// Continues earlier work on an input: with up to [`max_iters`](ReActBuilder::max_iters) further steps after those of
    /// `trajectory`, which may come from another process. If the work had ended, it is taken up again.
    ///
    /// # Errors
    /// As [`call`](Module::call).
    pub async fn resume(
        &self,
        input: impl IntoInput<S::Input>,
        trajectory: Trajectory,
    ) -> Result<Prediction<S::Output>> {
        let context = Context::current();
        let recorder = Recorder::new(context.recorder().cloned(), context.settings().trace);
        let input = input.into_input();
        let (context, observed) = module::begin(self, context.recording(recorder.clone()), &input);
        let work = context.scope(self.run(input, reopened(&self.react, trajectory), None));
        let output = module::end(observed, work).await?;
        Ok(Prediction::new(output, recorder.take(), &|| Paths::of(self)))
    }

    /// Like [`call`](Module::call), but tells of thoughts, calls and steps while they are made, and of the outputs while
    /// they arrive.
    ///
    /// ```no_run
    /// # use dspy_core::{predict::{ReAct, react::AgentUpdate}, signature::{DynSignature, Record}};
    /// # async fn f(agent: ReAct<DynSignature>) -> dspy_core::Result<()> {
    /// let mut stream = agent.stream(Record::from([("question", "Why is the sky blue?")]));
    /// while let Some(update) = stream.next().await {
    ///     match update? {
    ///         AgentUpdate::Thought(text) => print!("{text}"),
    ///         AgentUpdate::Call(call) => println!("calling {}", call.name),
    ///         AgentUpdate::Step(step) => println!("{}", step.actions[0].observation),
    ///         AgentUpdate::Done(prediction) => println!("{}", prediction["answer"]),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// It owns all that it needs. Nothing is done before it is polled, and dropping it stops the work.
    pub fn stream(&self, input: impl Into<S::Input>) -> AgentStream<S::Output> {
        let (agent, paths, input) = (self.same(), Paths::of(self), input.into());
        let (context, events) = (Context::current(), Events::new());
        let told = events.clone();
        let work = async move {
            let recorder = Recorder::new(context.recorder().cloned(), context.settings().trace);
            let (context, observed) = module::begin(&agent, context.recording(recorder.clone()), &input);
            let work = context.scope(agent.run(input, Trajectory::new(), Some(&told)));
            let output = module::end(observed, work).await?;
            Ok(Prediction::new(output, recorder.take(), &move || paths.clone()))
        };
        AgentStream::new(&self.react, self.extract.predictor(), events, Box::pin(work))
    }

    /// The exact messages of the first request of a call with this input, without sending them.
    ///
    /// # Errors
    /// As [`Predict::render`](super::Predict::render).
    pub fn render(&self, input: impl IntoInput<S::Input>) -> Result<Rendered> {
        let settings = Context::current().settings();
        let adapter = self.react.adapter_or(&settings);
        let capabilities = self.react.lm_or(&settings).map(|lm| lm.capabilities()).unwrap_or_default();
        let input = WithSteps { input: input.into_input(), trajectory: Trajectory::new() };
        let opening = run::format(
            &self.react,
            &adapter,
            capabilities,
            &SidesOf::<NextStepFor<S>>::new(input),
            &Guidance::default(),
        )?;
        Ok(Rendered(opening.prompt.messages().cloned().collect()))
    }

    /// The same agent once more: what it records is recorded as of its own.
    fn same(&self) -> Self {
        Self {
            react: self.react.same(),
            extract: self.extract.same(),
            tools: self.tools.clone(),
            max_iters: self.max_iters,
        }
    }

    async fn run(
        &self,
        input: S::Input,
        trajectory: Trajectory,
        events: Option<&Events<AgentEvent>>,
    ) -> Result<S::Output> {
        let with = |trajectory| WithSteps { input: input.clone(), trajectory };
        let work = Work { react: &self.react, tools: &self.tools, max_iters: self.max_iters, events };
        let next = |trajectory| -> Box<dyn super::sides::Sides> {
            Box::new(SidesOf::<NextStepFor<S>>::new(with(trajectory)))
        };
        let mut trajectory = work.run(&next, trajectory).await?;
        let outputs = |trajectory| -> Box<dyn super::sides::Sides> {
            Box::new(SidesOf::<WithReasoning<FromSteps<S>>>::new(with(trajectory)))
        };
        let watch = || events.map(|events| events.asks(OUTPUTS));
        let sides = fitted(self.extract.predictor(), &outputs, &mut trajectory, watch).await?;
        if let Some(recorder) = Context::current().recorder() {
            let attached: Attached = Arc::new(trajectory);
            recorder.attach(&attached);
        }
        Ok(taken::<Reasoned<S::Output>>(&*sides)?.into_inner())
    }
}

impl<S: Signature> Module for ReAct<S> {
    type Input = S::Input;
    type Output = S::Output;

    async fn forward(&self, input: S::Input) -> Result<S::Output> {
        self.run(input, Trajectory::new(), None).await
    }

    fn is_agent(&self) -> bool {
        true
    }

    fn input_fields(&self) -> Option<Vec<String>> {
        let inputs = self.extract.predictor().spec().inputs().filter(|field| field.name != TRAJECTORY);
        Some(inputs.map(|field| field.name.clone()).collect())
    }
}

impl<S> Walk for ReAct<S> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        path.field("react", |path| visit(path, &self.react));
        path.field("extract", |path| self.extract.walk(path, visit));
    }

    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        path.field("react", |path| visit(path, &mut self.react));
        path.field("extract", |path| self.extract.walk_mut(path, visit));
    }
}

#[diagnostic::do_not_recommend]
impl<S> Program for ReAct<S> {}

impl<S> Clone for ReAct<S> {
    fn clone(&self) -> Self {
        Self {
            react: self.react.clone(),
            extract: self.extract.clone(),
            tools: self.tools.clone(),
            max_iters: self.max_iters,
        }
    }
}

impl<S> fmt::Debug for ReAct<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.tools.iter().map(Tool::name).collect();
        f.debug_struct("ReAct")
            .field("react", &self.react)
            .field("extract", &self.extract)
            .field("tools", &names)
            .field("max_iters", &self.max_iters)
            .finish()
    }
}

impl<S> fmt::Display for ReAct<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "react: {}\nextract.{}", self.react, format_args!("predict: {}", self.extract))
    }
}
