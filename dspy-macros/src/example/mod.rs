//! `#[derive(Example)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Data, DeriveInput, Fields, Type};

use crate::{errors::Errors, facade::Facade};

pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let ty = input_type(&input, &mut errors);
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => fields.named.iter().collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    let marked: Vec<_> =
        fields.iter().filter(|f| f.attrs.iter().any(|a| a.path().is_ident("input"))).collect();
    if fields.is_empty() {
        errors.push(&input.ident, "an example is a struct with named fields");
    } else if marked.is_empty() {
        errors.push(&input.ident, "no field of the example is marked with `#[input]`");
    }
    let Some(ty) = ty.filter(|_| errors.is_empty()) else { return errors.into_tokens() };

    let private = Facade::find().private();
    let (name, (impls, types, bounds)) = (&input.ident, input.generics.split_for_impl());
    // A condition on a type without parameters must hold at once, unless it is under a `for`. With it, a row that
    // lacks something is reported once, at its name.
    let (known, bounds) = match (&bounds, input.generics.params.is_empty()) {
        (None, true) => (
            Some(quote_spanned!(name.span()=> const _: () = #private::row_type::<#name>();)),
            quote!(where for<'__dspy> #name: #private::RowType),
        ),
        _ => (None, quote!(#bounds)),
    };
    let fields = marked.iter().map(|f| {
        let name = &f.ident;
        quote!(#name: ::core::clone::Clone::clone(&self.#name))
    });
    quote! {
        #known

        #[automatically_derived]
        impl #impls #private::Example for #name #types #bounds {
            type Input = #ty;

            fn input(&self) -> #ty {
                #ty { #(#fields),* }
            }
        }
    }
}

/// The type that `#[example(input = ...)]` names.
fn input_type(input: &DeriveInput, errors: &mut Errors) -> Option<Type> {
    let mut ty: Option<Type> = None;
    let mut wrong = false;
    for attr in input.attrs.iter().filter(|a| a.path().is_ident("example")) {
        let parsed = attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("input") {
                ty = Some(meta.value()?.parse()?);
                return Ok(());
            }
            Err(meta.error("unknown option; there is `input = TypeOfTheInput`"))
        });
        wrong |= errors.keep(parsed).is_none();
    }
    if ty.is_none() && !wrong {
        errors.push(&input.ident, "say what the input is: `#[example(input = QuestionInput)]`");
    }
    ty
}
