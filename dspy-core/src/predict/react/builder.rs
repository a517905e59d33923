//! How an agent is made.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    ReAct,
    signature::{FromSteps, RESERVED, next_step, outputs},
};
use crate::{
    Error,
    adapter::{Adapter, prompt},
    lm::{LM, Options},
    module::{Agent, Predictor},
    predict::ChainOfThought,
    signature::{Signature, SignatureSpec},
    tool::{Approval, FINISH, IntoTool, Tool, ToolSet, is_name},
    value::{ToolCall, ToolSpec},
};

/// Builds a [`ReAct`].
#[must_use = "an agent is made by `build`"]
pub struct ReActBuilder<S> {
    spec: Arc<SignatureSpec>,
    tools: Vec<Tool>,
    max_iters: usize,
    native: Option<bool>,
    approve: Vec<Approve>,
    settings: Vec<Setting>,
    extract: ChainOfThought<FromSteps<S>>,
}

type Approve = Box<dyn Fn(Tool) -> Tool + Send + Sync>;
type Setting = Box<dyn Fn(&mut Predictor) + Send + Sync>;

impl<S: Signature> ReActBuilder<S> {
    pub(super) fn new(spec: Arc<SignatureSpec>) -> Self {
        Self {
            extract: ChainOfThought::with_spec(outputs(&spec)),
            spec,
            tools: Vec::new(),
            max_iters: ReAct::<S>::MAX_ITERS,
            native: None,
            approve: Vec::new(),
            settings: Vec::new(),
        }
    }

    /// Adds a tool: a function with `#[tool]`, or a [`Tool`].
    pub fn tool<K>(mut self, tool: impl IntoTool<K>) -> Self {
        self.tools.push(tool.into_tool());
        self
    }

    /// Adds tools, such as those of a value whose methods have `#[tool]`.
    pub fn tools<T: IntoTool<K>, K>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
        self.tools.extend(tools.into_iter().map(IntoTool::into_tool));
        self
    }

    /// Sets how many steps one call makes at most: 20 unless set.
    pub fn max_iters(mut self, max_iters: usize) -> Self {
        self.max_iters = max_iters;
        self
    }

    /// Sets whether the provider is given the tools and makes the calls, or whether both stand in the text of prompts and
    /// answers. Unless set, the provider is where the model is known to take tools.
    pub fn native_tools(mut self, native: bool) -> Self {
        self.native = Some(native);
        self
    }

    /// Asks before each call of any tool whether it may be made: see [`Tool::approve`].
    pub fn approve<F, Fut>(mut self, decide: F) -> Self
    where
        F: Fn(ToolCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Approval> + Send + 'static,
    {
        let decide = Arc::new(decide);
        self.approve.push(Box::new(move |tool| {
            let decide = decide.clone();
            tool.approve(move |call| decide(call))
        }));
        self
    }

    /// Sets how long a call of each of the tools that were added so far may take.
    pub fn tool_timeout(mut self, timeout: Duration) -> Self {
        self.tools = self.tools.into_iter().map(|tool| tool.timeout(timeout)).collect();
        self
    }

    fn set(mut self, setting: impl Fn(&mut Predictor) + Send + Sync + 'static) -> Self {
        self.settings.push(Box::new(setting));
        self
    }

    /// Sets the model of both predictors.
    pub fn lm(self, lm: impl Into<LM>) -> Self {
        let lm = lm.into();
        self.set(move |predictor| predictor.set_lm(Some(lm.clone())))
    }

    /// Sets the sampling options of both predictors.
    pub fn options(self, options: Options) -> Self {
        self.set(move |predictor| predictor.set_options(options.clone()))
    }

    /// Sets the adapter of both predictors.
    pub fn adapter(self, adapter: impl Adapter) -> Self {
        let adapter: Arc<dyn Adapter> = Arc::new(adapter);
        self.set(move |predictor| predictor.set_adapter(Some(adapter.clone())))
    }

    /// Sets the instructions of both predictors, in place of those of the signature.
    pub fn instructions(self, instructions: impl Into<String>) -> Self {
        let instructions = crate::signature::dedented(&instructions.into());
        self.set(move |predictor| predictor.set_instructions(instructions.as_str()))
    }

    /// The agent.
    ///
    /// When two tools have one name, or the signature has a field that agents add, every call fails with an error that
    /// says so.
    pub fn build(self) -> ReAct<S> {
        let Self { spec, tools, max_iters, native, approve, settings, extract } = self;
        let tools: Vec<Tool> =
            tools.into_iter().map(|tool| approve.iter().fold(tool, |tool, approve| approve(tool))).collect();
        let set = ToolSet::new(tools.iter().map(|tool| tool.spec().clone()).chain([finish(&spec)]));
        let names: Vec<String> = set.names().map(str::to_owned).collect();
        let mut react = Predictor::new(next_step(&spec, &names).into());
        react.set_agent(Some(Agent::new(set, native, outputs(&spec))));
        if let Some(flaw) = flaw(&spec, &names) {
            react.refuse(flaw);
        }
        let mut agent = ReAct { react, extract, tools: tools.into(), max_iters };
        for setting in &settings {
            setting(&mut agent.react);
            setting(agent.extract.predictor_mut());
        }
        agent
    }
}

/// The tool that ends the work.
fn finish(spec: &SignatureSpec) -> Arc<ToolSpec> {
    let description = format!(
        "Ends the work: call it when all that is needed for {} is known.",
        prompt::names(spec.outputs())
    );
    let none = serde_json::json!({ "type": "object", "properties": {} });
    Arc::new(ToolSpec::new(FINISH, description, none))
}

/// Why no call could succeed.
fn flaw(spec: &SignatureSpec, names: &[String]) -> Option<Error> {
    if let Some(field) = spec.fields.iter().find(|field| RESERVED.contains(&field.name.as_str())) {
        return Some(Error::other(format!(
            "`{}` has a field `{}`, which is the name of one that an agent adds; give the field another name",
            spec.name, field.name
        )));
    }
    let own = &names[..names.len().saturating_sub(1)];
    for (i, name) in own.iter().enumerate() {
        let message = match name.as_str() {
            FINISH => format!("a tool is called `{FINISH}`, which is the one that ends the work of an agent"),
            name if !is_name(name) => format!(
                "providers do not take `{name}` as the name of a tool: a name is of ASCII letters, digits, `_` and `-`, \
                 at most 64"
            ),
            name if own[..i].iter().any(|other| other == name) => format!("two tools are called `{name}`"),
            _ => continue,
        };
        return Some(Error::other(format!("{message}; give it another with `Tool::named`")));
    }
    None
}

impl<S> fmt::Debug for ReActBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReActBuilder")
            .field("signature", &self.spec.name)
            .field("tools", &self.tools)
            .field("max_iters", &self.max_iters)
            .finish_non_exhaustive()
    }
}
