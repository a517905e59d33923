//! The Model Context Protocol: tools and resources of servers, and programs as servers.
//!
//! [`McpClient`] connects to a server and gives its tools as [`Tool`](crate::tool::Tool)s for agents, and its resources as
//! text. [`McpServer`] offers tools, and with [`Tool::from_program`](crate::tool::Tool::from_program) whole programs, to
//! other applications. The protocol itself is that of the crate [`rmcp`].

mod client;
mod server;

pub use client::{McpClient, McpResource};
pub use rmcp;
pub use server::McpServer;
