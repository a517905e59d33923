//! What `#[module]` adds to `impl Module for ...`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{ImplItem, ItemImpl};

use crate::{errors::Errors, facade::Facade};

/// Adds the source of the program.
pub(super) fn expand(mut item: ItemImpl, facade: &Facade, errors: &mut Errors) -> TokenStream {
    let of_module = item
        .trait_
        .as_ref()
        .is_some_and(|(path, _)| path.segments.last().is_some_and(|s| s.ident == "Module"));
    if !of_module {
        let place =
            item.trait_.as_ref().map_or_else(|| item.self_ty.to_token_stream(), |(p, _)| p.to_token_stream());
        errors.push(place, "`#[module]` is for structs and their `impl Module for ...`");
        return item.into_token_stream();
    }
    let has_source = item.items.iter().any(|i| matches!(i, ImplItem::Fn(f) if f.sig.ident == "source"));
    if !has_source && let Some(text) = source(&item) {
        let private = facade.private();
        let cell = Ident::new("SOURCE", Span::mixed_site());
        item.items.push(ImplItem::Verbatim(quote! {
            fn source() -> ::core::option::Option<&'static str> {
                static #cell: ::std::sync::OnceLock<::std::string::String> = ::std::sync::OnceLock::new();
                #private::source::<Self>(&#cell, #text)
            }
        }));
    }
    item.into_token_stream()
}

/// The text of the implementation as it stands in the file.
fn source(item: &ItemImpl) -> Option<String> {
    let body = item.brace_token.span.join().source_text()?;
    let (path, _) = item.trait_.as_ref()?;
    let generics = item.generics.to_token_stream();
    let bounds = item.generics.where_clause.to_token_stream();
    let head =
        format!("impl{generics} {} for {} {bounds}", path.to_token_stream(), item.self_ty.to_token_stream());
    Some(format!("{} {body}", head.trim_end()))
}
