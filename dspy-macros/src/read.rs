//! `Deserialize` in a few lines, where no attribute asks for more: what a derive writes is the dearest part of a type
//! for the compiler.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Expr, Fields, Lit, Meta, Type, ext::IdentExt};

use crate::{derives, field_type::is_standard};

/// Most fields that the library reads at once.
const MOST_FIELDS: usize = 12;

/// The implementation of a struct with these fields, by their names in data.
pub(crate) fn of_struct(
    private: &TokenStream,
    ident: &Ident,
    fields: &[(&Ident, &Type, String)],
    bounds: &[TokenStream],
) -> Option<TokenStream> {
    if !(1..=MOST_FIELDS).contains(&fields.len()) {
        return None;
    }
    let names = fields.iter().map(|(name, ..)| name);
    let types = fields.iter().map(|(_, ty, _)| ty);
    let texts = fields.iter().map(|(.., text)| text);
    let places = (0..fields.len()).map(syn::Index::from);
    let name = ident.unraw().to_string();
    let read = quote! {
        let values = #private::fields::<(#(#types,)*), __D>(from, #name, &[#(#texts),*])?;
        ::core::result::Result::Ok(Self { #(#names: values.#places),* })
    };
    Some(implementation(private, ident, bounds, &read))
}

/// The implementation of a type of `#[value]`: a struct of standard types, or an enum without data.
pub(crate) fn of_value(private: &TokenStream, input: &DeriveInput) -> Option<TokenStream> {
    if !input.generics.params.is_empty() || !input.attrs.iter().all(is_certain) {
        return None;
    }
    let plain = |attrs: &[Attribute]| attrs.iter().all(|a| is_certain(a) && !a.path().is_ident("serde"));
    match &input.data {
        Data::Struct(data) => {
            let Fields::Named(fields) = &data.fields else { return None };
            if !plain(&input.attrs) || !fields.named.iter().all(|f| plain(&f.attrs) && is_standard(&f.ty)) {
                return None;
            }
            let fields = fields.named.iter().filter_map(|f| {
                let ident = f.ident.as_ref()?;
                Some((ident, &f.ty, ident.unraw().to_string()))
            });
            of_struct(private, &input.ident, &fields.collect::<Vec<_>>(), &[])
        }
        Data::Enum(data) => {
            let rule = rule(&derives::options(&input.attrs, "serde"))?;
            let unit = |v: &&syn::Variant| matches!(v.fields, Fields::Unit) && plain(&v.attrs);
            let variants: Vec<&Ident> = data.variants.iter().filter(unit).map(|v| &v.ident).collect();
            let (last, others) = variants.split_last()?;
            if variants.len() != data.variants.len() {
                return None;
            }
            let texts = variants.iter().map(|v| renamed(&v.unraw().to_string(), &rule));
            let texts: Vec<String> = texts.collect::<Option<_>>()?;
            let places = 0..others.len();
            let name = input.ident.unraw().to_string();
            let read = quote! {
                ::core::result::Result::Ok(match #private::variant(from, #name, &[#(#texts),*])? {
                    #(#places => Self::#others,)*
                    _ => Self::#last,
                })
            };
            Some(implementation(private, &input.ident, &[], &read))
        }
        Data::Union(_) => None,
    }
}

fn implementation(
    private: &TokenStream,
    ident: &Ident,
    bounds: &[TokenStream],
    read: &TokenStream,
) -> TokenStream {
    quote! {
        #[automatically_derived]
        impl<'de> #private::serde::Deserialize<'de> for #ident where #(#bounds),* {
            fn deserialize<__D: #private::serde::Deserializer<'de>>(
                from: __D,
            ) -> ::core::result::Result<Self, __D::Error> {
                #read
            }
        }
    }
}

/// Whether it does not depend on how the program is built.
fn is_certain(attr: &Attribute) -> bool {
    !attr.path().is_ident("cfg") && !attr.path().is_ident("cfg_attr")
}

/// How `serde` is asked to rename variants; empty when it is not. `None` when it is asked for anything else.
fn rule(options: &[Meta]) -> Option<String> {
    match options {
        [] => Some(String::new()),
        [Meta::NameValue(option)] if option.path.is_ident("rename_all") => match &option.value {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Str(rule) => Some(rule.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// A variant's name as `serde` renames it; `None` for a rule that it does not know.
fn renamed(variant: &str, rule: &str) -> Option<String> {
    let snake = || {
        let mut out = String::new();
        for (i, c) in variant.char_indices() {
            if i > 0 && c.is_uppercase() {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
        }
        out
    };
    Some(match rule {
        "" | "PascalCase" => variant.to_owned(),
        "lowercase" => variant.to_ascii_lowercase(),
        "UPPERCASE" => variant.to_ascii_uppercase(),
        "camelCase" => {
            let first = variant.chars().next().map_or(0, char::len_utf8);
            variant[..first].to_ascii_lowercase() + &variant[first..]
        }
        "snake_case" => snake(),
        "SCREAMING_SNAKE_CASE" => snake().to_ascii_uppercase(),
        "kebab-case" => snake().replace('_', "-"),
        "SCREAMING-KEBAB-CASE" => snake().to_ascii_uppercase().replace('_', "-"),
        _ => return None,
    })
}
