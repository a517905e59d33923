//! Documentation comments.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The documentation as an expression of a text, one comment line a line; `None` when there is none.
///
/// An expression, because `#[doc = include_str!("...")]` is documentation, too.
pub(crate) fn docs(attrs: &[Attribute]) -> Option<TokenStream> {
    let mut parts: Vec<TokenStream> = Vec::new();
    let mut text = String::new();
    let docs = attrs.iter().filter_map(|a| match &a.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => Some(&doc.value),
        _ => None,
    });
    for (i, doc) in docs.enumerate() {
        if i > 0 {
            text.push('\n');
        }
        match doc {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => text.push_str(&line.value()),
            other => {
                parts.push(quote!(#text, #other));
                text.clear();
            }
        }
    }
    if parts.is_empty() {
        return (!text.trim().is_empty()).then(|| quote!(#text));
    }
    Some(quote!(::core::concat!(#(#parts,)* #text)))
}
