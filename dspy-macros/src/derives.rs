//! The derives that a data type of the library needs.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Meta, Path, Token, punctuated::Punctuated};

use crate::facade::Facade;

/// What a data type must be able to do.
const NEEDED: [&str; 5] = ["Debug", "Clone", "Serialize", "Deserialize", "JsonSchema"];

/// The derives that the user lists.
pub(crate) fn listed(attrs: &[Attribute]) -> Vec<Path> {
    let lists = attrs.iter().filter(|a| a.path().is_ident("derive"));
    let parse = |a: &Attribute| a.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated).ok();
    lists.filter_map(parse).flatten().collect()
}

/// Whether a derive of this name is among them.
pub(crate) fn has(listed: &[Path], name: &str) -> bool {
    listed.iter().any(|p| last(p) == name)
}

/// The derives that the library has no opinion on.
pub(crate) fn others(listed: &[Path]) -> Vec<&Path> {
    listed.iter().filter(|p| !NEEDED.contains(&last(p).as_str())).collect()
}

fn last(path: &Path) -> String {
    path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default()
}

/// The derives that are needed and not listed, without one that is written by hand, and where their code finds its
/// crates.
pub(crate) fn needed_without(
    own: &str,
    listed: &[Path],
    attrs: &[Attribute],
    facade: &Facade,
) -> TokenStream {
    let debug = (!has(listed, "Debug")).then(|| quote!(#[derive(::core::fmt::Debug)]));
    let clone = (!has(listed, "Clone")).then(|| quote!(#[derive(::core::clone::Clone)]));
    let data = data_without(own, listed, attrs, facade);
    quote!(#debug #clone #data)
}

/// Those of serde and schemars among them.
pub(crate) fn data(listed: &[Path], attrs: &[Attribute], facade: &Facade) -> TokenStream {
    data_without("", listed, attrs, facade)
}

/// The same, without one that is written by hand.
pub(crate) fn data_without(own: &str, listed: &[Path], attrs: &[Attribute], facade: &Facade) -> TokenStream {
    let private = facade.private();
    let missing =
        NEEDED.iter().filter(|name| **name != own && !has(listed, name)).filter_map(|name| match *name {
            "Serialize" => Some(quote!(#private::serde::Serialize)),
            "Deserialize" => Some(quote!(#private::serde::Deserialize)),
            "JsonSchema" => Some(quote!(#private::schemars::JsonSchema)),
            _ => None,
        });
    let crates = ["serde", "schemars"].into_iter().filter(|tool| !names_its_crate(attrs, tool)).map(|tool| {
        let (path, name) = (facade.text(tool), syn::Ident::new(tool, proc_macro2::Span::call_site()));
        quote!(#[#name(crate = #path)])
    });
    quote!(#[derive(#(#missing),*)] #(#crates)*)
}

/// Whether the user already says where the code of `serde` or `schemars` finds its crate.
fn names_its_crate(attrs: &[Attribute], tool: &str) -> bool {
    options(attrs, tool).iter().any(|m| m.path().is_ident("crate"))
}

/// What the user's attributes of `serde` or `schemars` say.
pub(crate) fn options(attrs: &[Attribute], tool: &str) -> Vec<Meta> {
    let of_tool = attrs.iter().filter(|a| a.path().is_ident(tool));
    let parse = |a: &Attribute| a.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok();
    of_tool.filter_map(parse).flatten().collect()
}
