//! `predict!`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Expr, LitStr, Token, Visibility, parse::ParseStream, parse::Parser};

use crate::{
    errors::Errors,
    facade::Facade,
    inline::{self, Inline},
    signature::{self, model::Model},
};

/// `predict!("question -> answer")`, `predict!("question -> answer", "instruction")`.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let usage = "write the signature as a text: `predict!(\"question -> answer\")`, with the instruction behind it if \
                 there is one: `predict!(\"question -> answer\", \"Answer in one word.\")`";
    let parts = |input: ParseStream<'_>| -> syn::Result<(LitStr, Option<Expr>)> {
        if input.is_empty() {
            return Err(syn::Error::new(Span::call_site(), usage));
        }
        let text: LitStr = input.parse().map_err(|e| syn::Error::new(e.span(), usage))?;
        if input.parse::<Option<Token![,]>>()?.is_none() || input.is_empty() {
            if !input.is_empty() {
                return Err(syn::Error::new(input.span(), usage));
            }
            return Ok((text, None));
        }
        let instructions: Expr = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(syn::Error::new(input.span(), usage));
        }
        Ok((text, Some(instructions)))
    };
    let Some((text, instructions)) = errors.keep(parts.parse2(input)) else {
        let errors = errors.into_tokens();
        return quote!({ #errors });
    };
    let ident = Ident::new("Inline", Span::mixed_site());
    let vis = Visibility::Inherited;
    let code = inline::fields(&text, &ident, &vis, &mut errors).map(|Inline { fields, items }| {
        let mut model = Model {
            attrs: vec![syn::parse_quote!(#[doc = "A signature written as a text."])],
            vis,
            name: ident.to_string(),
            ident,
            instructions: instructions.map_or_else(|| quote!(""), |i| i.to_token_stream()),
            fields,
            checks: Vec::new(),
            items,
        };
        let facade = Facade::find();
        let (private, ident) = (facade.private(), model.ident.clone());
        let code = signature::expand_model(&mut model, &facade, &mut errors);
        quote!(#code #private::Predict::<#ident>::new())
    });
    if !errors.is_empty() {
        let errors = errors.into_tokens();
        return quote!({ #errors });
    }
    quote!({ #code })
}
