//! `#[module]`.

mod implementation;
mod parse;
mod structure;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Item;

use crate::{errors::Errors, facade::Facade};

pub(crate) fn expand(options: &TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if !options.is_empty() {
        errors.push(options, "`#[module]` takes no options here; `#[module(skip)]` is for fields");
    }
    let code = match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Struct(item)) => match parse::parse(item, &mut errors) {
            Ok(model) => structure::expand(&model, &Facade::find()),
            Err(item) => item,
        },
        Ok(Item::Impl(item)) => implementation::expand(item, &Facade::find(), &mut errors),
        Ok(Item::Enum(item)) => {
            let message = "a module is a struct, whose fields name its predictors; \
                           of an `enum` it would change which there are";
            errors.push(item.enum_token, message);
            quote!(#item)
        }
        _ => {
            errors.push(&item, "`#[module]` is for structs and their `impl Module for ...`");
            item
        }
    };
    let errors = errors.into_tokens();
    quote!(#errors #code)
}
