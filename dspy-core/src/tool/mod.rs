//! Tools: functions that a model may call.
//!
//! A [`Tool`] is made by `#[tool]` on a function or on the methods of a type, from a closure with a typed argument
//! ([`Tool::typed`]), or from a name, a description and a JSON Schema that arrive at run time ([`Tool::new`]).
//!
//! A call that goes wrong does not end the agent that made it: the model is told what happened.

mod arguments;
mod call;
mod function;
mod next;
#[cfg(feature = "sandbox")]
mod python;
mod schema;
mod set;
mod steps;
mod trajectory;
mod written;

use std::{
    fmt::{self, Display},
    future::Future,
    sync::Arc,
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

#[doc(hidden)]
pub use arguments::{Arguments, ToolArg, ToolFailure};
pub use arguments::{ToolArgument, ToolFault, ToolOutput, ToolOwner};
pub(crate) use arguments::{failed, parameters, to_json};
#[doc(hidden)]
pub use call::blocking;
#[doc(hidden)]
pub use function::ToolFunction;
pub use function::{IntoTool, ToolFuture};
pub use next::NextStep;
pub(crate) use next::{ARGUMENTS, THOUGHT, TOOL, TRAJECTORY, tool_names};
#[cfg(feature = "sandbox")]
pub(crate) use python::{functions, is_name as is_code_name};
pub use set::ToolWords;
pub(crate) use set::{FINISH, ToolSet, is_name, name_for_providers};
pub use steps::{Steps, Stop};
pub use trajectory::{Action, AgentStep, Observation, Trajectory};
pub(crate) use written::written_calls;

use crate::{
    lm::BoxFuture,
    signature::dedented,
    value::{ToolCall, ToolSpec},
};

/// A function that a model may call: what the model is told of it, and the function. Cheap to clone.
///
/// ```
/// # use dspy_core::{Result, tool::Tool};
/// # use dspy_macros::tool;
/// /// Look a word up in the dictionary.
/// #[tool]
/// fn look_up(
///     /// the word in its basic form
///     word: String,
///     languages: Option<Vec<String>>,
/// ) -> Result<String> {
///     Ok(format!("{word} in {}", languages.unwrap_or_default().join(", ")))
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let tool = Tool::from_fn(look_up);
/// assert_eq!((tool.name(), tool.description()), ("look_up", "Look a word up in the dictionary."));
/// let arguments = serde_json::json!({ "word": "saudade", "languages": "['pt']" });
/// assert_eq!(tool.call(arguments.as_object().cloned().unwrap_or_default()).await?, "saudade in pt");
///
/// let wrong = tool.observe(Default::default()).await;
/// assert!(wrong.text.contains("`word` is missing"));
/// # Ok::<(), dspy_core::Error>(()) })?; Ok::<(), dspy_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Tool {
    spec: Arc<ToolSpec>,
    /// The name that it has in the program, where the model knows it by another one.
    own_name: Option<Arc<str>>,
    body: Arc<Body>,
    approve: Vec<Arc<Approve>>,
    timeout: Option<Duration>,
    max_output: Option<usize>,
    parallel: bool,
}

type Body = dyn Fn(Arguments) -> BoxFuture<'static, Result<Value, ToolFailure>> + Send + Sync;
type Approve = dyn Fn(ToolCall) -> BoxFuture<'static, Approval> + Send + Sync;

/// What is decided about a call before it is made: see [`Tool::approve`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Approval {
    /// It is made.
    Allow,
    /// It is not made; the model is told why.
    Deny(String),
    /// It is made with these arguments.
    Edit(Map<String, Value>),
}

impl Approval {
    /// It is not made; the model is told why.
    pub fn deny(reason: impl Into<String>) -> Self {
        Self::Deny(reason.into())
    }
}

impl Tool {
    /// How long a call may take unless set otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(60);

    /// How many characters of a result are shown unless set otherwise.
    pub const MAX_OUTPUT: usize = 20_000;

    /// A tool that is made at run time: its name, what it does and when to use it, the JSON Schema of its arguments (an
    /// object with `properties`), and the function.
    ///
    /// Arguments are checked against the types in the schema, and those that are written otherwise (a number as text) are
    /// brought into them.
    ///
    /// ```
    /// # use dspy_core::tool::Tool;
    /// # use serde_json::json;
    /// let schema = json!({
    ///     "type": "object",
    ///     "properties": { "city": { "type": "string" }, "days": { "type": "integer" } },
    ///     "required": ["city"],
    /// });
    /// let weather = Tool::new("weather", "Tells the weather.", schema, |arguments| async move {
    ///     Ok::<_, std::io::Error>(format!("It rains in {}.", arguments["city"]))
    /// });
    /// ```
    pub fn new<F, Fut, T, E>(
        name: impl Into<String>,
        description: impl Into<String>,
        parameters: Value,
        function: F,
    ) -> Self
    where
        F: Fn(Map<String, Value>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize,
        E: Display,
    {
        let shape = schema::Shape::new(&parameters);
        Self::of(ToolSpec::new(name, dedented(&description.into()), parameters), move |arguments| {
            let arguments = shape.read(arguments);
            let future = arguments.map(&function);
            Box::pin(async move { arguments::outcome(future?.await) })
        })
    }

    /// A tool from a closure with one typed argument, a struct whose fields are the arguments of the tool. The
    /// documentation of its fields describes them.
    ///
    /// ```
    /// # use dspy_core::tool::Tool;
    /// # use dspy_macros::value;
    /// #[value]
    /// struct Search {
    ///     /// what to look for
    ///     query: String,
    ///     k: Option<usize>,
    /// }
    ///
    /// let index = std::sync::Arc::new(vec!["Austen wrote Emma."]);
    /// let search = Tool::typed("search", "Search the passages.", move |search: Search| {
    ///     let index = index.clone();
    ///     async move {
    ///         let found = index.iter().filter(|text| text.contains(&search.query));
    ///         Ok::<_, std::convert::Infallible>(found.take(search.k.unwrap_or(3)).copied().collect::<Vec<_>>())
    ///     }
    /// });
    /// assert_eq!(search.spec().parameters["required"], serde_json::json!(["query"]));
    /// ```
    pub fn typed<A, F, Fut, T, E>(
        name: impl Into<String>,
        description: impl Into<String>,
        function: F,
    ) -> Self
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize,
        E: Display,
    {
        let parameters = arguments::struct_parameters::<A>();
        Self::of(ToolSpec::new(name, dedented(&description.into()), parameters), move |arguments| {
            let future = arguments.whole::<A>().map(&function);
            Box::pin(async move { arguments::outcome(future?.await) })
        })
    }

    /// The tool of a function with `#[tool]`, to set what its attribute does not say.
    ///
    /// ```
    /// # use dspy_core::tool::Tool;
    /// # use dspy_macros::tool;
    /// /// Forget everything.
    /// #[tool]
    /// async fn forget() {}
    ///
    /// let forget = Tool::from_fn(forget).named("clear_memory").parallel(false);
    /// assert_eq!(forget.name(), "clear_memory");
    /// ```
    pub fn from_fn<K>(function: impl IntoTool<K>) -> Self {
        function.into_tool()
    }

    /// A tool whose function reads its arguments itself.
    #[doc(hidden)]
    pub fn of(
        spec: ToolSpec,
        body: impl Fn(Arguments) -> BoxFuture<'static, Result<Value, ToolFailure>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            spec: Arc::new(spec),
            own_name: None,
            body: Arc::new(body),
            approve: Vec::new(),
            timeout: Some(Self::TIMEOUT),
            max_output: Some(Self::MAX_OUTPUT),
            parallel: true,
        }
    }

    /// Sets the name under which the model calls it.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.spec).name = name.into();
        self
    }

    /// Sets what the model is told of it.
    #[must_use]
    pub fn described(mut self, description: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.spec).description = dedented(&description.into());
        self
    }

    /// Sets how long a call may take; after that the model is told that there was no result. A call to which that
    /// happens is dropped. Of a plain function, which runs on a thread of its own, only the result is: the thread ends
    /// when the function does, or with the program, which does not wait for it.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets a call take as long as it takes.
    #[must_use]
    pub fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }

    /// Sets how many characters of a result the model is shown. What is left out is marked.
    #[must_use]
    pub fn max_output(mut self, characters: usize) -> Self {
        self.max_output = Some(characters);
        self
    }

    /// Sets whether several calls that the model makes in one step may run at the same time, which they may. When one of
    /// them may not, all of the step run one after the other, in the order of the model.
    #[must_use]
    pub fn parallel(mut self, parallel: bool) -> Self {
        self.parallel = parallel;
        self
    }

    /// Asks before each call whether it may be made: a person, a rule, another model. The time that takes does not count
    /// for the timeout. Of several that decide, each is asked in turn, and all must allow the call.
    ///
    /// ```
    /// # use dspy_core::tool::{Approval, Tool};
    /// # fn f(delete: Tool) {
    /// let guarded = delete.approve(|call| async move {
    ///     match call.args.get("path").and_then(|path| path.as_str()) {
    ///         Some(path) if path.starts_with("/tmp/") => Approval::Allow,
    ///         _ => Approval::deny("only files in /tmp may be deleted"),
    ///     }
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn approve<F, Fut>(mut self, decide: F) -> Self
    where
        F: Fn(ToolCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Approval> + Send + 'static,
    {
        self.approve.push(Arc::new(move |call| Box::pin(decide(call))));
        self
    }

    /// What the model is told of it.
    pub fn spec(&self) -> &Arc<ToolSpec> {
        &self.spec
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// What it does and when to use it.
    pub fn description(&self) -> &str {
        &self.spec.description
    }

    /// The same tool in the words in which a model is told of it. Whoever approves its calls knows it by its own name.
    pub(crate) fn told_as(&self, told: &ToolSpec) -> Self {
        if *self.spec == *told {
            return self.clone();
        }
        let own_name = Some(self.own_name().into());
        Self { spec: Arc::new(told.clone()), own_name, ..self.clone() }
    }

    /// The name that it has in the program.
    fn own_name(&self) -> &str {
        self.own_name.as_deref().unwrap_or(&self.spec.name)
    }

    /// How many characters of a result are shown.
    #[cfg(feature = "sandbox")]
    pub(crate) fn most_output(&self) -> Option<usize> {
        self.max_output
    }

    /// Whether several calls in one step may run at the same time.
    pub fn is_parallel(&self) -> bool {
        self.parallel
    }
}

impl From<&Tool> for Tool {
    fn from(tool: &Tool) -> Self {
        tool.clone()
    }
}

/// What the model is told of it, so that tools can be given to a signature's field.
impl From<&Tool> for ToolSpec {
    fn from(tool: &Tool) -> Self {
        (*tool.spec).clone()
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool")
            .field("name", &self.spec.name)
            .field("description", &self.spec.description)
            .field("parameters", &self.spec.parameters)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
