//! From the model to code.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Expr, Pat, Type, spanned::Spanned};

use super::{
    expander::{Expander, bounds, default_fn, hidden},
    model::{Check, Field, Model, Role},
};
use crate::{
    constraints,
    facade::Facade,
    field_type::{is_narrow_number, is_string},
};

/// The record, its two sides, and what they implement.
pub(super) fn expand(model: &Model, facade: &Facade) -> TokenStream {
    let private = facade.private();
    let expander = Expander {
        model,
        facade,
        bounds: bounds(model, &private),
        private,
        input: format_ident!("{}Input", model.ident),
        output: format_ident!("{}Output", model.ident),
    };
    let parts = [
        model.items.clone(),
        expander.record(),
        expander.side(Role::Input),
        expander.side(Role::Output),
        expander.defaults(),
        expander.signature(),
        expander.spec(),
        expander.conversions(),
        expander.input_values(),
        // Inputs are the program's own, and are not checked.
        constraints::demanded(&expander.private, expander.fields(Role::Output).flat_map(|f| &f.attrs)),
    ];
    parts.into_iter().collect()
}

impl Expander<'_> {
    fn signature(&self) -> TokenStream {
        let Self { private, input, output, bounds, .. } = self;
        let ident = &self.model.ident;
        let (value, writer, reader) = (hidden("value"), hidden("writer"), hidden("reader"));
        let written = self.fields(Role::Input).map(|f| {
            let (name, field) = (f.name.text(), &f.ident);
            quote!(#writer.field(#name, &#value.#field)?;)
        });
        // All are read before the first is used, so that all failures of an answer are known at once.
        let outputs: Vec<_> =
            self.fields(Role::Output).enumerate().map(|(i, f)| (hidden(&format!("field{i}")), f)).collect();
        let read = outputs.iter().map(|(local, f)| {
            let (name, ty) = (f.name.text(), &f.ty);
            match &f.default {
                None => quote!(let #local = #reader.field::<#ty>(#name);),
                Some(_) => {
                    let default = default_fn(f);
                    quote!(let #local = #reader.field_or::<#ty>(#name, #ident::#default);)
                }
            }
        });
        let built = outputs.iter().map(|(local, f)| {
            let field = &f.ident;
            quote! {
                #field: match #local {
                    ::core::option::Option::Some(#local) => #local,
                    ::core::option::Option::None => return ::core::option::Option::None,
                }
            }
        });
        let types = self.model.fields.iter().filter(|f| f.role.is_some()).map(|f| {
            let ty = &f.ty;
            quote_spanned!(ty.span()=> #private::field_type::<#ty>();)
        });
        let check = self.check();
        quote! {
            const _: () = { #(#types)* };

            #[automatically_derived]
            impl #private::Signature for #ident where #(#bounds),* {
                type Input = #input;
                type Output = #output;

                fn write_input(
                    #value: &#input,
                    #writer: &mut #private::FieldWriter<'_>,
                ) -> ::core::result::Result<(), #private::WriteError> {
                    #(#written)*
                    ::core::result::Result::Ok(())
                }

                fn read_output(#reader: &mut #private::FieldReader<'_>) -> ::core::option::Option<#output> {
                    #(#read)*
                    ::core::option::Option::Some(#output { #(#built),* })
                }

                #check
            }
        }
    }

    /// The demands on the outputs.
    fn check(&self) -> Option<TokenStream> {
        let (private, output) = (&self.private, &self.output);
        let (value, checks) = (hidden("value"), hidden("checks"));
        let of_fields = self.fields(Role::Output).flat_map(|f| {
            let (ident, ty, name) = (&f.ident, &f.ty, f.name.text());
            f.checks.iter().map(move |c| (c, name.clone(), quote!(#ty), Some(ident)))
        });
        let of_whole = self.model.checks.iter().map(|c| (c, "self".to_owned(), quote!(#output), None));
        let calls: Vec<_> = of_fields
            .chain(of_whole)
            .map(|(check, name, ty, field)| {
                let Check { fatal, test, message } = check;
                // At the user's closure, so that a value of another type is reported there.
                let at = Span::mixed_site().located_at(argument(test).unwrap_or_else(|| test.span()));
                let place = Ident::new("value", at);
                let subject = match field {
                    Some(field) => {
                        let mut field = field.clone();
                        field.set_span(field.span().located_at(at));
                        quote_spanned!(at=> &#place.#field)
                    }
                    None => quote_spanned!(at=> #place),
                };
                let ty = match is_untyped(test) {
                    true => quote!(#ty),
                    false => quote!(_),
                };
                let note = match fatal {
                    true => quote!(assert),
                    false => quote!(suggest),
                };
                let holds = quote_spanned!(at=> holds(#subject));
                quote!(#checks.#note(#name, #private::predicate::<#ty, _>(#test).#holds, #message);)
            })
            .collect();
        if calls.is_empty() {
            return None;
        }
        Some(quote! {
            fn check(#value: &#output, #checks: &mut #private::Checks) {
                #(#calls)*
            }
        })
    }

    fn spec(&self) -> TokenStream {
        let Self { private, bounds, .. } = self;
        let Model { ident, name, instructions, fields, .. } = self.model;
        let fields = fields.iter().filter_map(|f| {
            let (name, ty, desc) = (f.name.text(), &f.ty, &f.desc);
            let role = match f.role? {
                Role::Input => quote!(Input),
                Role::Output => quote!(Output),
            };
            let mut field = quote!(#private::field::<#ty>(#private::FieldRole::#role, #name, #desc));
            if let Some(prefix) = &f.prefix {
                field.extend(quote!(.prefix(#prefix)));
            }
            if f.default.is_some() {
                let default = default_fn(f);
                field = quote!(#private::with_default(#field, &#ident::#default()));
            }
            Some(field)
        });
        let spec = hidden("SPEC");
        // What `#[schemars(range(...))]` and the like say of a field stands in the schema of the record.
        let constrained = self.model.fields.iter().any(|f| f.attrs.iter().any(constraints::may_hold));
        let make = match constrained {
            true => quote!(#private::constrained_spec::<Self>),
            false => quote!(#private::spec),
        };
        quote! {
            #[automatically_derived]
            // In an error about a type that is no signature, the names of those that are help nobody.
            #[diagnostic::do_not_recommend]
            impl #private::StaticSignature for #ident where #(#bounds),* {
                fn spec() -> ::std::sync::Arc<#private::SignatureSpec> {
                    static #spec: ::std::sync::OnceLock<::std::sync::Arc<#private::SignatureSpec>> =
                        ::std::sync::OnceLock::new();
                    #make(&#spec, #name, #instructions, || ::std::vec![#(#fields),*])
                }
            }
        }
    }

    /// From the record to its sides and back.
    fn conversions(&self) -> TokenStream {
        let Self { private, bounds, .. } = self;
        let (ident, record) = (&self.model.ident, hidden("record"));
        let sides = [(Role::Input, &self.input), (Role::Output, &self.output)].map(|(role, side)| {
            let names: Vec<_> = self.fields(role).map(|f| &f.ident).collect();
            quote! {
                #[automatically_derived]
                impl ::core::convert::From<#ident> for #side {
                    fn from(#record: #ident) -> Self {
                        let _ = &#record;
                        Self { #(#names: #record.#names),* }
                    }
                }

                #[automatically_derived]
                impl ::core::convert::From<&#ident> for #side where #(#bounds),* {
                    fn from(#record: &#ident) -> Self {
                        let _ = #record;
                        Self { #(#names: ::core::clone::Clone::clone(&#record.#names)),* }
                    }
                }
            }
        });
        let (input, output) = (&self.input, &self.output);
        let (given, asked) = (hidden("input"), hidden("output"));
        let borrowed = quote! {
            #[automatically_derived]
            impl ::core::convert::From<&#input> for #input where #(#bounds),* {
                fn from(#given: &#input) -> Self {
                    ::core::clone::Clone::clone(#given)
                }
            }
        };
        let parts: Option<Vec<_>> = self
            .model
            .fields
            .iter()
            .map(|f| {
                let name = &f.ident;
                Some(match f.role? {
                    Role::Input => quote!(#name: #given.#name),
                    Role::Output => quote!(#name: #asked.#name),
                })
            })
            .collect();
        let whole = parts.map(|parts| {
            quote! {
                #[automatically_derived]
                impl ::core::convert::From<(#input, #output)> for #ident {
                    fn from((#given, #asked): (#input, #output)) -> Self {
                        let _ = (&#given, &#asked);
                        Self { #(#parts),* }
                    }
                }
            }
        });
        quote! {
            #(#sides)*
            #borrowed
            #whole

            #[automatically_derived]
            impl #private::Example for #ident where #(#bounds),* {
                type Input = #input;

                fn input(&self) -> #input {
                    ::core::convert::From::from(self)
                }
            }
        }
    }

    /// An input of one field can be had from its value or a reference to it, one of several from the tuple of their
    /// values, one without fields from `()`.
    fn input_values(&self) -> TokenStream {
        let Self { input, bounds, .. } = self;
        let value = hidden("value");
        let fields: Vec<_> = self.fields(Role::Input).collect();
        match &fields[..] {
            [] => quote! {
                #[automatically_derived]
                impl ::core::convert::From<()> for #input {
                    fn from((): ()) -> Self {
                        Self {}
                    }
                }
            },
            [Field { ident, ty, .. }] => {
                let text = is_string(ty).then(|| {
                    quote! {
                        #[automatically_derived]
                        impl ::core::convert::From<&str> for #input {
                            fn from(#value: &str) -> Self {
                                Self { #ident: ::core::convert::From::from(#value) }
                            }
                        }
                    }
                });
                quote! {
                    #[automatically_derived]
                    impl ::core::convert::From<#ty> for #input {
                        fn from(#value: #ty) -> Self {
                            Self { #ident: #value }
                        }
                    }

                    #[automatically_derived]
                    impl ::core::convert::From<&#ty> for #input where #(#bounds),* {
                        fn from(#value: &#ty) -> Self {
                            Self { #ident: ::core::clone::Clone::clone(#value) }
                        }
                    }
                    #text
                }
            }
            // More than this nobody tells apart by their places.
            _ if fields.len() <= 12 => {
                let (names, types): (Vec<_>, Vec<_>) = fields.iter().map(|f| (&f.ident, &f.ty)).unzip();
                let param =
                    |(i, ty): (usize, &&Type)| (!is_narrow_number(ty)).then(|| hidden(&format!("T{i}")));
                let params: Vec<Option<Ident>> = types.iter().enumerate().map(param).collect();
                let into = params.iter().zip(&types).filter_map(|(param, ty)| {
                    let param = param.as_ref()?;
                    Some(quote!(#param: ::core::convert::Into<#ty>))
                });
                let taken = params.iter().zip(&types).map(|(param, ty)| match param {
                    Some(param) => quote!(#param),
                    None => quote!(#ty),
                });
                let taken = quote!((#(#taken,)*));
                let places = (0..fields.len()).map(syn::Index::from);
                quote! {
                    #[automatically_derived]
                    impl<#(#into),*> ::core::convert::From<#taken> for #input {
                        fn from(#value: #taken) -> Self {
                            Self { #(#names: ::core::convert::Into::into(#value.#places)),* }
                        }
                    }
                }
            }
            _ => TokenStream::new(),
        }
    }
}

/// Whether this is a closure that does not say what it takes: the field's type says it then.
fn is_untyped(test: &Expr) -> bool {
    matches!(test, Expr::Closure(c) if c.inputs.first().is_some_and(|p| !matches!(p, Pat::Type(_))))
}

/// The place of a closure's argument.
fn argument(test: &Expr) -> Option<Span> {
    match test {
        Expr::Closure(closure) => closure.inputs.first().map(|p| match p {
            Pat::Type(typed) => typed.ty.span(),
            other => other.span(),
        }),
        _ => None,
    }
}
