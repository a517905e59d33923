//! `#[tool]`.

mod expand;
mod model;
mod parse;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Item;

use crate::{errors::Errors, facade::Facade};

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let code = match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Fn(function)) => match parse::function(options, function, &mut errors) {
            Ok(function) => expand::function(&function, &Facade::find()),
            Err(item) => item,
        },
        Ok(Item::Impl(block)) => {
            if !options.is_empty() {
                let message = "`#[tool]` takes no options here; give them to the `#[tool]` of each method";
                errors.push(&options, message);
            }
            match parse::block(block, &mut errors) {
                Ok(block) => expand::block(&block, &Facade::find()),
                Err(item) => item,
            }
        }
        _ => {
            errors.push(
                &item,
                "`#[tool]` is for functions, and for `impl` blocks some of whose methods have `#[tool]`",
            );
            item
        }
    };
    let errors = errors.into_tokens();
    quote!(#errors #code)
}
