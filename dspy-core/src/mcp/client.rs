//! Tools and resources of a server.

use std::{ffi::OsStr, fmt, sync::Arc, time::Duration};

use rmcp::{
    RoleClient,
    model::{
        CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ContentBlock,
        Implementation, ReadResourceRequestParams, ResourceContents,
    },
    service::{RunningService, ServiceExt as _},
    transport::{
        IntoTransport, StreamableHttpClientTransport, TokioChildProcess,
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::Value;
use tokio::process::Command;

use crate::{
    Error, Result,
    lm::{Timeouts, http_client},
    tool::{Tool, name_for_providers},
};

/// A connection to an MCP server. Cheap to clone; it ends, and with it the process of a server that was started, when the
/// last clone and the last of its tools are dropped.
///
/// ```no_run
/// # use dspy_core::{mcp::McpClient, predict::ReAct, signature::DynSignature};
/// # async fn f() -> dspy_core::Result<()> {
/// let files = McpClient::command("npx", ["-y", "@modelcontextprotocol/server-filesystem", "/data"]).await?;
/// let signature = DynSignature::parse("question -> answer")?;
/// let agent = ReAct::dynamic(signature).tools(files.tools().await?).build();
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct McpClient {
    service: Arc<RunningService<RoleClient, ClientConfig>>,
    /// The server in words, for errors.
    server: Arc<str>,
}

/// What a server tells of one of its resources.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct McpResource {
    /// By which it is read: [`McpClient::read`].
    pub uri: String,
    /// Its name.
    pub name: String,
    /// What it holds; empty when the server does not say.
    pub description: String,
    /// Its media type, if the server says.
    pub mime_type: Option<String>,
}

impl McpClient {
    /// Starts a server as a process of this machine and speaks to it over its standard input and output.
    ///
    /// Of the environment it is given what programs need to find their way (`PATH`, `HOME`, the language and the like),
    /// and no keys. [`process`](Self::process) gives it more.
    ///
    /// # Errors
    /// [`Error::Other`] when it cannot be started, does not speak the protocol, or says nothing for five minutes.
    pub async fn command<A: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).env_clear();
        command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        Self::process(command).await
    }

    /// Like [`command`](Self::command), with the environment and the folder of the command, which is the environment of
    /// this process, with all keys in it, unless the command says otherwise. What the server writes to its
    /// standard error goes to that of this process unless the command says otherwise.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub async fn process(mut command: Command) -> Result<Self> {
        let server = command.as_std().get_program().to_string_lossy().into_owned();
        command.kill_on_drop(true);
        let process = TokioChildProcess::new(command)
            .map_err(|e| failed(&server, &format!("it cannot be started: {e}")))?;
        Self::connect(&server, process).await
    }

    /// Connects to a server over streamable HTTP.
    ///
    /// # Errors
    /// [`Error::Other`] when it cannot be reached or does not speak the protocol.
    pub async fn http(url: &str) -> Result<Self> {
        Self::http_config(StreamableHttpClientTransportConfig::with_uri(url)).await
    }

    /// Like [`http`](Self::http), with a bearer token.
    ///
    /// # Errors
    /// As [`http`](Self::http).
    pub async fn http_with_token(url: &str, token: impl Into<String>) -> Result<Self> {
        Self::http_config(StreamableHttpClientTransportConfig::with_uri(url).auth_header(token)).await
    }

    async fn http_config(config: StreamableHttpClientTransportConfig) -> Result<Self> {
        let server = config.uri.to_string();
        let url = reqwest::Url::parse(&server).map_err(|e| failed(&server, &format!("no URL: {e}")))?;
        // A stream of the server is silent for as long as it has nothing to say; calls have timeouts of their own.
        let timeouts = Timeouts { read: Duration::from_secs(24 * 60 * 60), ..Timeouts::default() };
        let client = http_client(&url, &timeouts, true).map_err(|e| failed(&server, &e))?;
        Self::connect(&server, StreamableHttpClientTransport::with_client(client, config)).await
    }

    /// Connects over any transport of [`rmcp`]. `server` names the server in errors.
    ///
    /// # Errors
    /// [`Error::Other`] when the server does not speak the protocol.
    pub async fn connect<T, E, A>(server: &str, transport: T) -> Result<Self>
    where
        T: IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let about = Implementation::new("dspy", env!("CARGO_PKG_VERSION"));
        let client = ClientConfig::new(ClientCapabilities::default(), about);
        let service = answered(server, CONNECT, client.serve(transport)).await?;
        Ok(Self { service: Arc::new(service), server: server.into() })
    }

    /// What the server says of how to use it.
    pub fn instructions(&self) -> Option<String> {
        self.service.peer_info().and_then(|info| info.instructions.clone())
    }

    /// Its tools, for an agent. A name that providers do not take for a tool is shown with `_` for what they do not take.
    ///
    /// Where tools of several servers have one name, give them others: [`Tool::named`].
    ///
    /// # Errors
    /// [`Error::Other`] when the server does not answer.
    pub async fn tools(&self) -> Result<Vec<Tool>> {
        let tools = answered(&self.server, ANSWER, self.service.list_all_tools()).await?;
        Ok(tools.into_iter().map(|tool| self.tool(&tool)).collect())
    }

    fn tool(&self, tool: &rmcp::model::Tool) -> Tool {
        let schema = Value::Object((*tool.input_schema).clone());
        let (client, name) = (self.clone(), tool.name.clone());
        let description = tool.description.clone().unwrap_or_default().into_owned();
        let shown = name_for_providers(&tool.name);
        Tool::new(shown, description, schema, move |arguments| {
            let (client, request) =
                (client.clone(), CallToolRequestParams::new(name.clone()).with_arguments(arguments));
            async move {
                let result = client.service.call_tool(request).await.map_err(|e| e.to_string())?;
                match result.is_error {
                    Some(true) => Err(text(&result)),
                    _ => Ok(text(&result)),
                }
            }
        })
    }

    /// Its resources.
    ///
    /// # Errors
    /// [`Error::Other`] when the server does not answer, or has none.
    pub async fn resources(&self) -> Result<Vec<McpResource>> {
        let resources = answered(&self.server, ANSWER, self.service.list_all_resources()).await?;
        let resource = |r: rmcp::model::Resource| McpResource {
            uri: r.uri,
            name: r.name,
            description: r.description.unwrap_or_default(),
            mime_type: r.mime_type,
        };
        Ok(resources.into_iter().map(resource).collect())
    }

    /// A resource as text, as context for a signature's input. Of what is not text, its kind and size are told.
    ///
    /// # Errors
    /// [`Error::Other`] when there is no such resource.
    pub async fn read(&self, uri: &str) -> Result<String> {
        let read = self.service.read_resource(ReadResourceRequestParams::new(uri));
        let read = async { read.await.map_err(|e| format!("`{uri}` cannot be read: {e}")) };
        let read = answered(&self.server, ANSWER, read).await?;
        Ok(read.contents.iter().map(contents).collect::<Vec<_>>().join("\n"))
    }
}

/// What a server that is started is given of the environment, on any system.
const ENVIRONMENT: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "HOMEDRIVE",
    "HOMEPATH",
    "USERPROFILE",
    "USERNAME",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "WINDIR",
    "PATHEXT",
    "COMSPEC",
    "PROCESSOR_ARCHITECTURE",
];

/// How long a server may take to answer at all: one that `npx` and its like install first takes a while.
const CONNECT: Duration = Duration::from_secs(300);
/// How long it may take to tell what it has, or to give a resource. Calls of tools have timeouts of their own.
const ANSWER: Duration = Duration::from_secs(60);

/// What a server answers in time.
async fn answered<T, E: fmt::Display>(
    server: &str,
    limit: Duration,
    request: impl Future<Output = Result<T, E>>,
) -> Result<T> {
    match tokio::time::timeout(limit, request).await {
        Ok(answer) => answer.map_err(|e| failed(server, &e)),
        Err(_) => Err(failed(server, &format!("it gave no answer within {limit:?}"))),
    }
}

fn failed(server: &str, error: &dyn fmt::Display) -> Error {
    Error::other(format!("the MCP server {server}: {error}"))
}

/// A result as text.
fn text(result: &CallToolResult) -> String {
    let parts: Vec<String> = result.content.iter().map(block).collect();
    match (&parts[..], &result.structured_content) {
        ([], Some(value)) => value.to_string(),
        (parts, _) => parts.join("\n"),
    }
}

fn block(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => binary(&image.mime_type, &image.data),
        ContentBlock::Audio(audio) => binary(&audio.mime_type, &audio.data),
        ContentBlock::Resource(resource) => contents(&resource.resource),
        ContentBlock::ResourceLink(resource) => format!("[{}: {}]", resource.name, resource.uri),
        _ => UNKNOWN.into(),
    }
}

fn contents(contents: &ResourceContents) -> String {
    match contents {
        ResourceContents::TextResourceContents { text, .. } => text.clone(),
        ResourceContents::BlobResourceContents { mime_type, blob, .. } => {
            binary(mime_type.as_deref().unwrap_or("application/octet-stream"), blob)
        }
        _ => UNKNOWN.into(),
    }
}

const UNKNOWN: &str = "[content of a kind that is not known]";

fn binary(mime_type: &str, base64: &str) -> String {
    format!("[{mime_type}, {} bytes]", base64.trim_end_matches('=').len() * 3 / 4)
}

impl fmt::Debug for McpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpClient").field("server", &self.server).finish_non_exhaustive()
    }
}
