//! `#[signature]`.

mod check;
mod expand;
mod expander;
pub(crate) mod model;
mod parse;
mod types;

use proc_macro2::TokenStream;
use quote::quote;

use crate::{errors::Errors, facade::Facade};

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let code = match parse::parse(options, item, &mut errors) {
        Ok(mut model) => expand_model(&mut model, &Facade::find(), &mut errors),
        Err(item) => item,
    };
    let errors = errors.into_tokens();
    quote!(#errors #code)
}

/// The code of a signature, wherever its model comes from.
pub(crate) fn expand_model(model: &mut model::Model, facade: &Facade, errors: &mut Errors) -> TokenStream {
    check::check(model, errors);
    expand::expand(model, facade)
}
