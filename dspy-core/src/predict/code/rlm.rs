//! Long inputs that a model explores by code.

use std::{fmt, marker::PhantomData, sync::Arc};

use serde_json::{Map, Value};

use super::{
    kit::{CodeEvent, Kit, Parts, Told, attach, code_options, heard, variables},
    names::flaw,
    preview::described,
    query::{BATCHED, Budget, QUERY, queries},
    repl::{FromRepl, HISTORY, INFO, NextAction, ReplAction, ReplState, specs},
    stream::{CodeStream, Streamed, stream},
};
use crate::{
    Error, Result,
    adapter::prompt,
    context::Context,
    lm::{LM, Options},
    module::{IntoInput, Module, Path, Predictor, Program, Walk},
    predict::{
        Predict, Rendered,
        fitted::{fitted, next, taken},
        run::{Reading, read},
        sides::{Sides, SidesOf},
    },
    sandbox::{CodeError, CodeErrorKind, CodeStep, CodeTrajectory, Setup},
    signature::{DynSignature, Section, Sections, Signature, SignatureSpec, StaticSignature},
    tool::{Stop, Tool, ToolWords},
};

/// A recursive language model: its inputs stay in an interpreter as variables, however long they are. The model is told of
/// their sizes and how they begin and end; it explores them by code, asks models about parts of them by calling
/// `llm_query`, and submits the outputs, which are read and checked by their types (Zhang, Kraska and Khattab 2025,
/// "Recursive Language Models").
///
/// It has the inputs and outputs of its signature, so that it can stand wherever a [`Predict`] of it does.
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::Module, predict::RLM, sandbox::Python};
/// # use dspy_macros::signature;
/// /// Answer the question from the report.
/// #[signature]
/// struct Ask {
///     #[input]
///     report: String,
///     #[input]
///     question: String,
///     #[output]
///     answer: u64,
/// }
///
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let lm = StubModel::scripted([
/// #     r#"{"reasoning": "I look for it.", "code": "```python\nimport re\nfound = re.findall(r'cost (\\d+)', report)\nprint(found)\n```"}"#,
/// #     r#"{"reasoning": "I add them.", "code": "```python\nsubmit(answer=sum(int(n) for n in found))\n```"}"#,
/// # ]);
/// # let report = "The ferry cost 12. ".repeat(10_000);
/// let ask = RLM::<Ask>::new();
/// # let ask = RLM::<Ask>::builder().interpreter(Python::in_process()).lm(&lm).build();
/// let p = ask.call((report, "What did the ferries cost together?")).await?;
/// assert_eq!(p.answer, 120_000);
/// # Ok(()) })
/// # }
/// ```
///
/// The program needs one line for the processes in which the code runs: see [`sandbox`](crate::sandbox).
///
/// # Requests
///
/// A call asks the model once for each code (`generate_action`), at most [`max_iters`](RlmBuilder::max_iters) times, which
/// is 20 unless set. The code may ask a model at most [`max_llm_calls`](RlmBuilder::max_llm_calls) times in the whole call,
/// 50 unless set: the one of [`sub_lm`](RlmBuilder::sub_lm), otherwise the same one. Outputs that are submitted cost no
/// further request; when none were in the end, one more takes them from the steps (`extract`).
///
/// # What goes wrong
///
/// Errors of code, of questions and of outputs that do not fit their types are told to the model. When the steps do not fit
/// into the context window, the oldest are left out of the prompt. An answer that cannot be read ends the work, and the
/// outputs are taken from the steps that were made; [`CodeTrajectory::stop`] says why. Other failures of the model are
/// errors of the call.
pub struct RLM<S> {
    generate_action: Predict<NextAction>,
    extract: Predict<FromRepl<S>>,
    kit: Kit,
    spec: Arc<SignatureSpec>,
    sub_lm: Option<LM>,
    sub_options: Options,
    max_llm_calls: usize,
}

impl<S> RLM<S> {
    /// How often code is written at most unless set otherwise.
    pub const MAX_ITERS: usize = 20;

    /// How often code may ask a model unless set otherwise.
    pub const MAX_LLM_CALLS: usize = 50;

    /// How many characters of what code gave the model is shown unless set otherwise.
    pub const MAX_OUTPUT: usize = 10_000;

    /// A module for this signature, with the settings that hold unless set otherwise.
    pub fn new() -> Self
    where
        S: StaticSignature,
    {
        Self::builder().build()
    }

    /// Begins a module for this signature.
    pub fn builder() -> RlmBuilder<S>
    where
        S: StaticSignature,
    {
        RlmBuilder::new(S::spec())
    }

    /// The functions that the code may call, apart from those that ask a model.
    pub fn tools(&self) -> &[Tool] {
        &self.kit.tools
    }

    /// The words in which the model is told of these functions. They are changed with
    /// [`Predictor::set_tools`](crate::predict::Predictor::set_tools) of the predictor of
    /// [`generate_action_mut`](Self::generate_action_mut).
    pub fn tool_words(&self) -> &[ToolWords] {
        self.generate_action.predictor().tools()
    }

    /// The module that writes code.
    pub fn generate_action(&self) -> &Predict<NextAction> {
        &self.generate_action
    }

    /// The module that writes code, mutably.
    pub fn generate_action_mut(&mut self) -> &mut Predict<NextAction> {
        &mut self.generate_action
    }

    /// The module that takes the outputs from the steps when none were submitted.
    pub fn extract(&self) -> &Predict<FromRepl<S>> {
        &self.extract
    }

    /// The module that takes the outputs from the steps when none were submitted, mutably.
    pub fn extract_mut(&mut self) -> &mut Predict<FromRepl<S>> {
        &mut self.extract
    }
}

impl<S: StaticSignature> Default for RLM<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl RLM<DynSignature> {
    /// Begins a module for a signature that is data.
    pub fn dynamic(signature: impl Into<DynSignature>) -> RlmBuilder<DynSignature> {
        let spec: Arc<SignatureSpec> = signature.into().into();
        RlmBuilder::new(spec)
    }
}

const SUBMIT: &str = "submit";

/// Builds an [`RLM`].
#[must_use = "a module is made by `build`"]
pub struct RlmBuilder<S> {
    spec: Arc<SignatureSpec>,
    parts: Parts,
    sub_lm: Option<LM>,
    sub_options: Options,
    max_llm_calls: usize,
    signature: PhantomData<fn() -> S>,
}

impl<S: Signature> RlmBuilder<S> {
    fn new(spec: Arc<SignatureSpec>) -> Self {
        let parts = Parts::new(RLM::<S>::MAX_ITERS, RLM::<S>::MAX_OUTPUT);
        let max_llm_calls = RLM::<S>::MAX_LLM_CALLS;
        Self { spec, parts, sub_lm: None, sub_options: Options::new(), max_llm_calls, signature: PhantomData }
    }

    code_options!();

    /// Sets the model that code asks: that of `generate_action` unless set.
    pub fn sub_lm(mut self, lm: impl Into<LM>) -> Self {
        self.sub_lm = Some(lm.into());
        self
    }

    /// Sets the sampling options of what code asks. Those that are not set are those of the settings, then of the model.
    pub fn sub_options(mut self, options: Options) -> Self {
        self.sub_options = options;
        self
    }

    /// Sets how often code may ask a model in one call. A list of questions counts as many as it has, and what another
    /// `RLM` asks that is called as a tool counts as well.
    pub fn max_llm_calls(mut self, calls: usize) -> Self {
        self.max_llm_calls = calls;
        self
    }

    /// The module.
    ///
    /// When a name of an input, an output or a function is none that code can use, or one of the module's own functions,
    /// every call fails with an error that says so.
    pub fn build(self) -> RLM<S> {
        let Self { spec, parts, sub_lm, sub_options, max_llm_calls, .. } = self;
        let [action, outputs] = specs(&spec);
        let mut generate_action = Predict::with_spec(action);
        let mut extract = Predict::with_spec(outputs);
        let predictors = &mut [generate_action.predictor_mut(), extract.predictor_mut()];
        finish(predictors, &spec, &parts, max_llm_calls);
        RLM { generate_action, extract, kit: parts.kit(), spec, sub_lm, sub_options, max_llm_calls }
    }
}

/// Tells the predictors how the work goes, and makes the settings.
fn finish(predictors: &mut [&mut Predictor; 2], spec: &SignatureSpec, parts: &Parts, questions: usize) {
    let (inputs, outputs) = (prompt::names(spec.inputs()), prompt::names(spec.outputs()));
    let wanted: Vec<String> = spec
        .outputs()
        .map(|field| {
            let hint = crate::value::hint(&field.schema());
            let kind = if hint.is_empty() { "text" } else { &hint };
            match field.desc.as_str() {
                "" => format!("- `{}` ({kind})", field.name),
                desc => format!("- `{}` ({kind}): {desc}", field.name),
            }
        })
        .collect();
    let arguments: Vec<String> = spec.outputs().map(|field| format!("{0}={0}", field.name)).collect();
    let own = [QUERY, BATCHED, SUBMIT, "print"];
    let protocols = [
        parts.writing(&format!(
            "Work on this by code, in steps. {inputs} are variables of the code; they may be too long to be shown, so \
             `variables_info` has their sizes and how they begin and end. `repl_history` holds the code so far and what it \
             printed. Each time, write the next code: look at parts of the variables, search, split and count them, and \
             print what you must see. What is printed is cut when it is long. Variables and functions of earlier code are \
             still there.\n\n\
             For what takes understanding rather than searching, the code may ask a model about texts that it passes to it:\n\
             - `{QUERY}(prompt)`: the model's answer to one prompt, as a text. The model sees nothing but the prompt.\n\
             - `{BATCHED}(prompts)`: the answers to a list of prompts, which are asked at the same time; `None` for one \
             that failed.\n\
             At most {questions} prompts may be asked in all.\n\n\
             When you have seen that the results are right, end the work with `submit({})`. Values that \
             the code has are best passed on as variables. What is wanted:\n{}",
            arguments.join(", "),
            wanted.join("\n"),
        ), spec, &own),
        parts.taking(&format!(
            "This was worked on by code, and nothing was submitted: `repl_history` holds the code and what it printed, \
             `variables_info` the variables that it worked on. Give {outputs} as well as can be known from that."
        )),
    ];
    let clash = [INFO, HISTORY];
    let outputs = spec.outputs().find(|field| clash.contains(&field.name.as_str()));
    let flaw = flaw(spec, &parts.tools, &[], &own).or_else(|| {
        outputs.map(|field| {
            Error::other(format!(
                "`{}` has an output `{}`, which is the name of an input that the module adds; give the field another name",
                spec.name, field.name
            ))
        })
    });
    parts.settle(predictors, protocols, flaw.as_ref());
}

impl<S: Signature> RLM<S> {
    /// Like [`call`](Module::call), but tells of thoughts, code and outputs while they arrive, of calls, and of each step
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
        let variables = variables(&input.into_input())?;
        self.generate_action.render(ReplState {
            variables_info: described(&self.spec, &variables),
            repl_history: CodeTrajectory::new().to_string(),
            iteration: Some(format!("1 of {}", self.kit.max_iters)),
        })
    }

    /// The same module once more: what it records is recorded as of its own.
    fn same(&self) -> Self {
        Self { generate_action: self.generate_action.same(), extract: self.extract.same(), ..self.clone() }
    }

    async fn run(&self, input: S::Input, told: Option<&Told>) -> Result<S::Output> {
        self.generate_action.predictor().usable()?;
        let variables = variables(&input)?;
        let info = described(&self.spec, &variables);
        let mut found = None;
        let mut submit = |arguments: &Map<String, Value>| {
            let mut sides = SidesOf::<S>::new(input.clone());
            let read = read_submitted(self.extract.predictor(), &mut sides, arguments);
            read.and_then(|()| sides.into_output().map_err(|e| e.to_string()))
                .map(|output| found = Some(output))
        };
        let mut steps = self.work(variables, &info, &mut submit, told).await?;
        if let Some(output) = found {
            attach(steps);
            return Ok(output);
        }
        let state = |steps: CodeTrajectory| -> Box<dyn Sides> {
            let state =
                ReplState { variables_info: info.clone(), repl_history: steps.to_string(), iteration: None };
            Box::new(SidesOf::<FromRepl<S>>::new(state))
        };
        let sides =
            fitted(self.extract.predictor(), &state, &mut steps, || told.map(|told| told.asks(1))).await?;
        attach(steps);
        taken::<S::Output>(&*sides)
    }
}

impl<S> RLM<S> {
    /// Has code written and run until it submits outputs, or no further code is allowed.
    async fn work(
        &self,
        variables: Map<String, Value>,
        info: &str,
        submit: &mut Submit<'_>,
        told: Option<&Told>,
    ) -> Result<CodeTrajectory> {
        let settings = Context::current().settings();
        let predictor = self.generate_action.predictor();
        let asked = match &self.sub_lm {
            Some(lm) => lm.clone(),
            None => predictor.lm_or(&settings)?,
        };
        let budget = Budget::new(self.max_llm_calls);
        let queries = queries(asked, &self.sub_options, settings, budget.clone());
        let functions = self.kit.functions(predictor, &[]).into_iter().chain(queries);
        let setup = Setup::new()
            .inputs(variables)
            .tools(functions.map(|function| heard(function, told)))
            .submit(self.spec.outputs().map(|field| field.name.clone()));
        let mut session = self.kit.interpreter.open(setup).await?;
        let mut steps = CodeTrajectory::new();
        for number in 1..=self.kit.max_iters {
            let state = |steps: CodeTrajectory| -> Box<dyn Sides> {
                Box::new(SidesOf::<NextAction>::new(ReplState {
                    variables_info: info.to_owned(),
                    repl_history: steps.to_string(),
                    iteration: Some(format!("{number} of {}", self.kit.max_iters)),
                }))
            };
            let Some(action) =
                next::<ReplAction, _>(predictor, &state, &mut steps, || told.map(|told| told.asks(0)))
                    .await?
            else {
                return Ok(steps);
            };
            let mut step = budget.hold(self.kit.step(&mut *session, &action.reasoning, &action.code)).await?;
            let submitted =
                step.outcome.as_ref().ok().and_then(|ran| ran.submitted.as_ref()).map(&mut *submit);
            if let Some(Err(message)) = &submitted {
                step = refused(&step, message, self.kit.max_output);
            }
            if let Some(told) = told {
                told.tell(CodeEvent::Made(step.clone()));
            }
            steps.push(step);
            if let Some(Ok(())) = submitted {
                steps.end(Stop::Finished);
                return Ok(steps);
            }
        }
        steps.end(Stop::MaxIters);
        Ok(steps)
    }
}

/// Takes outputs that were submitted, or says what is wrong with them.
type Submit<'a> = dyn FnMut(&Map<String, Value>) -> Result<(), String> + Send + 'a;

/// A step whose outputs were not taken.
fn refused(step: &CodeStep, message: &str, most: usize) -> Arc<CodeStep> {
    let printed = step.outcome.as_ref().map(|ran| ran.printed.clone()).unwrap_or_default();
    let calls = step.outcome.as_ref().map(|ran| ran.calls.clone()).unwrap_or_default();
    let message = format!("what was submitted was not taken: {message}");
    let error = CodeError { printed, calls, ..CodeError::new(CodeErrorKind::Raised, message) };
    CodeStep::new(step.thought.as_str(), step.code.as_str(), Err(error), most).into()
}

/// Reads outputs that were submitted by their types, and checks them.
fn read_submitted(
    predictor: &Predictor,
    sides: &mut dyn Sides,
    arguments: &Map<String, Value>,
) -> Result<(), String> {
    let mut sections = Sections::new();
    for (name, value) in arguments {
        if let Some(at) = predictor.spec().position(name) {
            sections.insert(at, Section::json(value.to_string()));
        }
    }
    let settings = Context::current().settings();
    let Reading { errors, violations, .. } = read(predictor, &settings.reading, sides, &sections);
    if !errors.is_empty() {
        return Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
    }
    let fatal: Vec<&str> = violations.iter().filter(|v| v.fatal).map(|v| v.message.as_str()).collect();
    if fatal.is_empty() { Ok(()) } else { Err(fatal.join("; ")) }
}

impl<S: Signature> Module for RLM<S> {
    type Input = S::Input;
    type Output = S::Output;

    async fn forward(&self, input: S::Input) -> Result<S::Output> {
        self.run(input, None).await
    }

    fn is_agent(&self) -> bool {
        true
    }

    fn input_fields(&self) -> Option<Vec<String>> {
        Some(self.spec.inputs().map(|field| field.name.clone()).collect())
    }
}

impl<S: Signature> Streamed for RLM<S> {
    fn asked(&self) -> (Vec<&Predictor>, &Predictor) {
        (vec![self.generate_action.predictor()], self.extract.predictor())
    }

    fn work(&self, input: S::Input, told: &Told) -> impl Future<Output = Result<S::Output>> + Send {
        self.run(input, Some(told))
    }
}

impl<S> Walk for RLM<S> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        path.field("generate_action", |path| self.generate_action.walk(path, visit));
        path.field("extract", |path| self.extract.walk(path, visit));
    }

    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        path.field("generate_action", |path| self.generate_action.walk_mut(path, visit));
        path.field("extract", |path| self.extract.walk_mut(path, visit));
    }
}

#[diagnostic::do_not_recommend]
impl<S> Program for RLM<S> {}

impl<S> Clone for RLM<S> {
    fn clone(&self) -> Self {
        Self {
            generate_action: self.generate_action.clone(),
            extract: self.extract.clone(),
            kit: self.kit.clone(),
            spec: self.spec.clone(),
            sub_lm: self.sub_lm.clone(),
            sub_options: self.sub_options.clone(),
            max_llm_calls: self.max_llm_calls,
        }
    }
}

impl<S> fmt::Debug for RLM<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RLM")
            .field("generate_action", &self.generate_action)
            .field("extract", &self.extract)
            .field("kit", &self.kit)
            .field("max_llm_calls", &self.max_llm_calls)
            .finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for RlmBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RlmBuilder")
            .field("signature", &self.spec.name)
            .field("parts", &self.parts)
            .field("max_llm_calls", &self.max_llm_calls)
            .finish_non_exhaustive()
    }
}
