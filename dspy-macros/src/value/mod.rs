//! `#[value]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::DeriveInput;

use crate::{constraints, derives, errors::Errors, facade::Facade, read};

pub(crate) fn expand(options: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if !options.is_empty() {
        errors.push(options, "`#[value]` takes no options");
    }
    let input = match syn::parse2::<DeriveInput>(item.clone()) {
        Ok(input) => input,
        Err(_) => {
            errors.push(item, "`#[value]` is for structs and enums");
            let errors = errors.into_tokens();
            return quote!(#errors #item);
        }
    };
    let listed = derives::listed(&input.attrs);
    let facade = Facade::find();
    let own =
        (!derives::has(&listed, "Deserialize")).then(|| read::of_value(&facade.private(), &input)).flatten();
    let left = if own.is_some() { "Deserialize" } else { "" };
    let needed = derives::needed_without(left, &listed, &input.attrs, &facade);
    let constraints = constraints::demanded_by(&facade.private(), &input);
    let (errors, item) = (errors.into_tokens(), input.to_token_stream());
    quote!(#errors #needed #item #own #constraints)
}
