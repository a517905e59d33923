//! A signature as plain data.

use proc_macro2::TokenStream;
use syn::{Attribute, Expr, Ident, Type, Visibility};

/// A signature.
pub(crate) struct Model {
    /// The attributes of the record, without the library's own.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    /// The name that models and traces see.
    pub(crate) name: String,
    /// The instruction: an expression of a text.
    pub(crate) instructions: TokenStream,
    pub(crate) fields: Vec<Field>,
    /// Demands on the whole output.
    pub(crate) checks: Vec<Check>,
    /// Types that belong to it.
    pub(crate) items: TokenStream,
}

/// One field.
pub(crate) struct Field {
    /// The attributes of the field, without the library's own.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    /// `None` when the user forgot to say.
    pub(crate) role: Option<Role>,
    /// The name in prompts and in data.
    pub(crate) name: Name,
    /// The description: an expression of a text.
    pub(crate) desc: TokenStream,
    pub(crate) prefix: Option<Expr>,
    pub(crate) default: Option<DefaultValue>,
    pub(crate) checks: Vec<Check>,
}

/// What a field is called.
pub(crate) enum Name {
    /// As in Rust.
    Own(String),
    /// Otherwise.
    Given(syn::LitStr),
}

impl Name {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Own(name) => name.clone(),
            Self::Given(name) => name.value(),
        }
    }
}

/// Whether a field is given or asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Input,
    Output,
}

/// What stands in for a missing field.
pub(crate) enum DefaultValue {
    /// The default of its type.
    OfType,
    /// A value.
    Value(Expr),
}

/// A demand on an output.
pub(crate) struct Check {
    /// Whether an answer that does not meet it is refused.
    pub(crate) fatal: bool,
    pub(crate) test: Expr,
    pub(crate) message: Expr,
}
