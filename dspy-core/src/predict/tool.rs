//! Programs as tools.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{module::Module, tool::Tool};

impl Tool {
    /// A tool that calls a program: its arguments are the fields of the program's input, its result is the output. So an
    /// agent can call another one. It has no timeout; what the program uses counts for the call around it.
    ///
    /// ```
    /// # use dspy_core::{predict::Predict, tool::Tool};
    /// # use dspy_macros::signature;
    /// /// Summarize the text.
    /// #[signature]
    /// struct Summarize {
    ///     #[input]
    ///     text: String,
    ///     #[output]
    ///     summary: String,
    /// }
    ///
    /// let tool = Tool::from_program("summarize", "Summarizes a long text.", Predict::<Summarize>::new());
    /// assert_eq!(tool.spec().parameters["required"], serde_json::json!(["text"]));
    /// ```
    pub fn from_program<P>(name: impl Into<String>, description: impl Into<String>, program: P) -> Self
    where
        P: Module<Input: DeserializeOwned + JsonSchema> + 'static,
    {
        let program = Arc::new(program);
        let tool = Self::typed(name, description, move |input: P::Input| {
            let program = program.clone();
            async move { program.call(input).await.map(crate::module::Prediction::into_inner) }
        });
        tool.no_timeout()
    }
}
