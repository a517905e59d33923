//! What all parts of the code of a signature are made from.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;

use super::model::{Field, Model, Role};
use crate::{facade::Facade, field_type::is_standard};

/// Names that the user's own code in closures and defaults cannot see.
pub(super) fn hidden(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// The model of a signature with what is used throughout its code.
pub(super) struct Expander<'a> {
    pub(super) model: &'a Model,
    pub(super) facade: &'a Facade,
    /// The path of the hidden module.
    pub(super) private: TokenStream,
    pub(super) input: Ident,
    pub(super) output: Ident,
    /// What every implementation demands of the types of the fields.
    pub(super) bounds: Vec<TokenStream>,
}

impl Expander<'_> {
    pub(super) fn fields(&self, role: Role) -> impl Iterator<Item = &Field> {
        self.model.fields.iter().filter(move |f| f.role == Some(role))
    }
}

/// The name of the function that makes a field's default.
pub(super) fn default_fn(field: &Field) -> Ident {
    format_ident!("__dspy_default_{}", field.ident.unraw())
}

/// What the implementations demand of those types of which it is not certain that they can be fields.
///
/// Without it, a type that cannot be one would be reported by each line of each implementation. So it is reported
/// once, where the type stands, and the implementations are not there. A condition on a type without parameters must
/// hold at once, unless it is under a `for`.
pub(super) fn bounds(model: &Model, private: &TokenStream) -> Vec<TokenStream> {
    let types = model.fields.iter().map(|f| &f.ty).filter(|ty| !is_standard(ty));
    types.map(|ty| quote!(for<'__dspy> #ty: #private::FieldType)).collect()
}
