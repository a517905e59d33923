//! `#[signature]`.

mod check;
mod expand;
pub(crate) mod model;
mod parse;
mod types;

use proc_macro2::TokenStream;
use quote::quote;

use crate::{errors::Errors, facade::Facade};

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let code = match parse::parse(options, item, &mut errors) {
        Ok(mut model) => {
            check::check(&mut model, &mut errors);
            expand::expand(&model, &Facade::find())
        }
        Err(item) => item,
    };
    let errors = errors.into_tokens();
    quote!(#errors #code)
}
