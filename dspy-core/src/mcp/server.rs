//! Tools and programs for other applications.

use std::sync::Arc;

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
    },
    service::{RequestContext, ServiceExt as _},
    transport::IntoTransport,
};
use serde_json::{Map, Value};

use crate::{
    Error, Result, ToolErrorKind,
    tool::{IntoTool, Tool},
};

/// An MCP server that offers tools.
///
/// ```no_run
/// # use dspy_core::{mcp::McpServer, predict::Predict, tool::Tool};
/// # use dspy_macros::signature;
/// # #[signature] struct Qa { #[input] question: String, #[output] answer: String }
/// # use dspy_core::module::Program;
/// # async fn f() -> dspy_core::Result<()> {
/// let program = Predict::<Qa>::new().load("qa.json")?;
/// let answer = Tool::from_program("answer", "Answers questions on geography.", program);
/// McpServer::new("geography", "1.0.0").tool(answer).serve_stdio().await?;
/// # Ok(()) }
/// ```
///
/// Over HTTP it is a service of [`rmcp`], `rmcp::transport::StreamableHttpService` with rmcp's feature
/// `transport-streamable-http-server`, for it implements [`ServerHandler`].
#[derive(Debug, Clone)]
pub struct McpServer {
    name: String,
    version: String,
    instructions: Option<String>,
    tools: Arc<Vec<Tool>>,
}

impl McpServer {
    /// A server of this name and version, without tools.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into(), instructions: None, tools: Arc::default() }
    }

    /// Adds a tool: a function with `#[tool]`, a [`Tool`], or a program through [`Tool::from_program`].
    #[must_use]
    pub fn tool<K>(mut self, tool: impl IntoTool<K>) -> Self {
        Arc::make_mut(&mut self.tools).push(tool.into_tool());
        self
    }

    /// Sets what applications are told of how to use the server.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Serves over standard input and output until the other side ends the connection. Nothing else may write to standard
    /// output meanwhile.
    ///
    /// # Errors
    /// [`Error::Other`] when the other side does not speak the protocol.
    pub async fn serve_stdio(self) -> Result<()> {
        self.serve_over(rmcp::transport::stdio()).await
    }

    /// Serves over any transport of [`rmcp`] until the other side ends the connection.
    ///
    /// # Errors
    /// As [`serve_stdio`](Self::serve_stdio).
    pub async fn serve_over<T, E, A>(self, transport: T) -> Result<()>
    where
        T: IntoTransport<RoleServer, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let service = self.serve(transport).await.map_err(Error::other)?;
        service.waiting().await.map(drop).map_err(Error::other)
    }
}

impl ServerHandler for McpServer {
    fn get_info(&self) -> ServerConfig {
        let config = ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(self.name.clone(), self.version.clone()));
        match &self.instructions {
            Some(instructions) => config.with_instructions(instructions.clone()),
            None => config,
        }
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.iter().map(told).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = self.tools.iter().find(|tool| tool.name() == request.name) else {
            let message = format!("there is no tool `{}`", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        let result = match tool.call(request.arguments.unwrap_or_default()).await {
            Ok(Value::String(text)) => CallToolResult::success(vec![ContentBlock::text(text)]),
            // The protocol knows objects only.
            Ok(value @ Value::Object(_)) => CallToolResult::structured(value),
            Ok(value) => CallToolResult::success(vec![ContentBlock::text(value.to_string())]),
            Err(error) if error.kind == ToolErrorKind::Unknown => {
                return Err(ErrorData::invalid_params(error.message, None));
            }
            Err(error) => CallToolResult::error(vec![ContentBlock::text(error.message)]),
        };
        Ok(result.into())
    }
}

fn told(tool: &Tool) -> rmcp::model::Tool {
    let spec = tool.spec();
    let schema: Map<String, Value> = match &spec.parameters {
        Value::Object(schema) => schema.clone(),
        _ => Map::from_iter([("type".to_owned(), "object".into())]),
    };
    rmcp::model::Tool::new(spec.name.clone(), spec.description.clone(), schema)
}
