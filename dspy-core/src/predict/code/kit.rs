//! What modules that have code run are made of: an interpreter, functions, limits, and settings of their predictors.

use std::{fmt, sync::Arc};

use serde::Serialize;
use serde_json::{Map, Value};

use super::super::progress::Events;
use crate::{
    Error, Result,
    adapter::Adapter,
    context::{Attached, Context},
    lm::{LM, Options},
    module::{Predictor, Protocol},
    sandbox::{CodeErrorKind, CodeInterpreter, CodeSession, CodeStep, CodeTrajectory, Python, Setup},
    signature::{SignatureSpec, dedented},
    tool::{Approval, Tool, ToolSet},
    value::{ToolCall, write_json},
};

type Approve = Box<dyn Fn(Tool) -> Tool + Send + Sync>;
type Setting = Box<dyn Fn(&mut Predictor) + Send + Sync>;

/// What such a module is built from.
pub(super) struct Parts {
    pub(super) interpreter: Arc<dyn CodeInterpreter>,
    pub(super) tools: Vec<Tool>,
    pub(super) approve: Vec<Approve>,
    settings: Vec<Setting>,
    pub(super) max_iters: usize,
    pub(super) max_output: usize,
}

impl Parts {
    pub(super) fn new(max_iters: usize, max_output: usize) -> Self {
        Self {
            interpreter: Arc::new(Python::new()),
            tools: Vec::new(),
            approve: Vec::new(),
            settings: Vec::new(),
            max_iters,
            max_output,
        }
    }

    /// Has all predictors changed at the end.
    pub(super) fn set(&mut self, setting: impl Fn(&mut Predictor) + Send + Sync + 'static) {
        self.settings.push(Box::new(setting));
    }

    /// How the work of a predictor goes that writes code, which may call the functions. `reserved` are names that mean
    /// something else in the code, beside those of its variables.
    pub(super) fn writing(&self, work: &str, spec: &SignatureSpec, reserved: &[&str]) -> Protocol {
        let variables = spec.inputs().map(|field| field.name.clone());
        let taken = variables.chain(reserved.iter().map(|&name| name.to_owned())).collect();
        let tools = self.tools.iter().map(|tool| tool.spec().clone());
        Protocol::new(&format!("{work}\n\n{}", self.interpreter.rules()), ToolSet::in_code(tools, taken))
    }

    /// How the work of a predictor goes that takes outputs from what code gave.
    pub(super) fn taking(&self, work: &str) -> Protocol {
        Protocol::new(work, ToolSet::in_code([], Vec::new()))
    }

    /// Tells each predictor how the work goes, and makes the settings. With a flaw, every call of them fails with it.
    pub(super) fn settle<const N: usize>(
        &self,
        predictors: &mut [&mut Predictor; N],
        protocols: [Protocol; N],
        flaw: Option<&Error>,
    ) {
        for (predictor, protocol) in predictors.iter_mut().zip(protocols) {
            predictor.set_protocol(protocol);
            if let Some(flaw) = flaw {
                predictor.refuse(flaw.clone());
            }
            self.settings.iter().for_each(|setting| setting(predictor));
        }
    }

    pub(super) fn kit(self) -> Kit {
        let approved = |tool| self.approve.iter().fold(tool, |tool: Tool, approve: &Approve| approve(tool));
        Kit {
            tools: self.tools.into_iter().map(approved).collect(),
            interpreter: self.interpreter,
            max_iters: self.max_iters,
            max_output: self.max_output,
        }
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("interpreter", &self.interpreter)
            .field("tools", &self.tools)
            .field("max_iters", &self.max_iters)
            .finish_non_exhaustive()
    }
}

pub(super) fn lm_setting(lm: LM) -> impl Fn(&mut Predictor) + Send + Sync {
    move |predictor| predictor.set_lm(Some(lm.clone()))
}

pub(super) fn options_setting(options: Options) -> impl Fn(&mut Predictor) + Send + Sync {
    move |predictor| predictor.set_options(options.clone())
}

pub(super) fn adapter_setting(adapter: impl Adapter) -> impl Fn(&mut Predictor) + Send + Sync {
    let adapter: Arc<dyn Adapter> = Arc::new(adapter);
    move |predictor| predictor.set_adapter(Some(adapter.clone()))
}

pub(super) fn instructions_setting(instructions: &str) -> impl Fn(&mut Predictor) + Send + Sync + use<> {
    let instructions = dedented(instructions);
    move |predictor| predictor.set_instructions(instructions.as_str())
}

/// What such a module does beside asking.
pub(in crate::predict) enum CodeEvent {
    /// Code calls a function.
    Calls(ToolCall),
    /// Code was run.
    Made(Arc<CodeStep>),
}

/// Where it is told what such a module does.
pub(super) type Told = Events<CodeEvent>;

/// The same function, whose calls are told of once they are approved.
pub(super) fn heard(function: Tool, told: Option<&Told>) -> Tool {
    let Some(told) = told.cloned() else { return function };
    let name = function.name().to_owned();
    function.approve(move |call| {
        told.tell(CodeEvent::Calls(ToolCall::new(name.as_str(), call.args)));
        async { Approval::Allow }
    })
}

/// What such a module has code run with.
#[derive(Debug, Clone)]
pub(super) struct Kit {
    pub(super) interpreter: Arc<dyn CodeInterpreter>,
    pub(super) tools: Arc<[Tool]>,
    pub(super) max_iters: usize,
    pub(super) max_output: usize,
}

impl Kit {
    /// A session with these variables, for code that a predictor writes. It may have read code of `earlier` ones.
    pub(super) async fn open(
        &self,
        inputs: Map<String, Value>,
        writer: &Predictor,
        earlier: &[&Predictor],
        told: Option<&Told>,
    ) -> Result<Box<dyn CodeSession>> {
        let functions = self.functions(writer, earlier).into_iter().map(|function| heard(function, told));
        let setup = Setup::new().inputs(inputs).tools(functions);
        Ok(self.interpreter.open(setup).await?)
    }

    /// The functions under the names that the writer of the code knows, then under those that are known from earlier code.
    pub(super) fn functions(&self, writer: &Predictor, earlier: &[&Predictor]) -> Vec<Tool> {
        let mut functions: Vec<Tool> = Vec::with_capacity(self.tools.len());
        for predictor in [writer].iter().chain(earlier) {
            let told = predictor.tool_set().map_or(&[][..], ToolSet::told);
            for (tool, told) in self.tools.iter().zip(told) {
                if !functions.iter().any(|function| function.name() == told.name) {
                    functions.push(tool.told_as(told));
                }
            }
        }
        functions
    }

    /// Runs code. What is wrong with the code is part of the step; that there is no interpreter is an error.
    pub(super) async fn step(
        &self,
        session: &mut dyn CodeSession,
        thought: &str,
        code: &str,
    ) -> Result<Arc<CodeStep>> {
        let outcome = session.run(code).await;
        if let Err(error) = &outcome {
            if error.kind == CodeErrorKind::Unavailable {
                return Err(Error::other(error.clone()));
            }
            tracing::debug!("code failed: {error}");
        }
        Ok(CodeStep::new(thought, code, outcome, self.max_output).into())
    }
}

/// The fields of an input by name, as variables of code.
pub(super) fn variables(input: &(impl Serialize + Sync)) -> Result<Map<String, Value>> {
    match write_json(input).map_err(Error::other)? {
        Value::Object(fields) => Ok(fields),
        other => Err(Error::other(format!("an input must consist of fields, and this is `{other}`"))),
    }
}

/// Makes the steps part of the prediction.
pub(super) fn attach(trajectory: CodeTrajectory) {
    if let Some(recorder) = Context::current().recorder() {
        let attached: Attached = Arc::new(trajectory);
        recorder.attach(&attached);
    }
}

/// The methods that all builders of such modules share, on a struct with a field `parts`.
macro_rules! code_options {
    () => {
        /// Adds a function that the code may call: a function with `#[tool]`, or a [`Tool`](crate::tool::Tool).
        pub fn tool<K>(mut self, tool: impl $crate::tool::IntoTool<K>) -> Self {
            self.parts.tools.push(tool.into_tool());
            self
        }

        /// Adds functions that the code may call, such as those of a value whose methods have `#[tool]`.
        pub fn tools<T: $crate::tool::IntoTool<K>, K>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
            self.parts.tools.extend(tools.into_iter().map($crate::tool::IntoTool::into_tool));
            self
        }

        /// Asks before each call of any of these functions whether it may be made: see
        /// [`Tool::approve`](crate::tool::Tool::approve).
        pub fn approve<F, Fut>(mut self, decide: F) -> Self
        where
            F: Fn($crate::value::ToolCall) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = $crate::tool::Approval> + Send + 'static,
        {
            let decide = std::sync::Arc::new(decide);
            self.parts.approve.push(Box::new(move |tool| {
                let decide = decide.clone();
                tool.approve(move |call| decide(call))
            }));
            self
        }

        /// Sets what runs the code: [`Python::new`](crate::sandbox::Python::new) unless set.
        pub fn interpreter(mut self, interpreter: impl $crate::sandbox::CodeInterpreter) -> Self {
            self.parts.interpreter = std::sync::Arc::new(interpreter);
            self
        }

        /// Sets how often the model writes code at most.
        pub fn max_iters(mut self, max_iters: usize) -> Self {
            self.parts.max_iters = max_iters;
            self
        }

        /// Sets how many characters of what code gave the model is shown.
        pub fn max_output(mut self, characters: usize) -> Self {
            self.parts.max_output = characters;
            self
        }

        /// Sets the model of all predictors.
        pub fn lm(mut self, lm: impl Into<$crate::lm::LM>) -> Self {
            self.parts.set($crate::predict::code::kit::lm_setting(lm.into()));
            self
        }

        /// Sets the sampling options of all predictors.
        pub fn options(mut self, options: $crate::lm::Options) -> Self {
            self.parts.set($crate::predict::code::kit::options_setting(options));
            self
        }

        /// Sets the adapter of all predictors.
        pub fn adapter(mut self, adapter: impl $crate::adapter::Adapter) -> Self {
            self.parts.set($crate::predict::code::kit::adapter_setting(adapter));
            self
        }

        /// Sets the instructions of all predictors, in place of those of the signature.
        pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
            self.parts.set($crate::predict::code::kit::instructions_setting(&instructions.into()));
            self
        }
    };
}
pub(super) use code_options;
