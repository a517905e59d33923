//! Tools as plain data.

use proc_macro2::{Ident, TokenStream};
use syn::{Attribute, Expr, ItemFn, ItemImpl, Signature, Type, Visibility};

/// A function that becomes a tool.
pub(super) struct Function {
    /// It, without the attributes of the library.
    pub(super) item: ItemFn,
    pub(super) tool: Tool,
}

/// The methods of a block that become tools.
pub(super) struct Block {
    /// It, without the attributes of the library.
    pub(super) item: ItemImpl,
    pub(super) tools: Vec<Tool>,
    /// Who may have the tools: whoever may call the most visible of the methods.
    pub(super) vis: Visibility,
}

/// What is needed to make a tool of a function.
pub(super) struct Tool {
    pub(super) signature: Signature,
    pub(super) conditions: Vec<Attribute>,
    /// The name that the model calls.
    pub(super) name: String,
    /// What the model is told, an expression of a text.
    pub(super) docs: TokenStream,
    pub(super) arguments: Vec<Argument>,
    /// Whether it has a `&self`.
    pub(super) method: bool,
    /// Whether it returns a `Result`.
    pub(super) fallible: bool,
    pub(super) options: Options,
}

/// One argument.
pub(super) struct Argument {
    pub(super) ident: Ident,
    pub(super) ty: Type,
    pub(super) name: String,
    /// What the model is told, an expression of a text.
    pub(super) docs: TokenStream,
    pub(super) default: Option<Default>,
}

/// What stands for an argument that is missing.
pub(super) enum Default {
    OfType,
    Value(Box<Expr>),
}

/// The options that hold for every call.
#[derive(Default)]
pub(super) struct Options {
    pub(super) timeout: Option<Expr>,
    pub(super) max_output: Option<Expr>,
    pub(super) parallel: Option<Expr>,
}
