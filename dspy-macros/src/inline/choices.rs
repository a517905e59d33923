//! The enum that stands for `Literal['a', 'b']`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::Visibility;

use crate::{derives, facade::Facade};

/// Texts of which one is chosen.
pub(super) struct Choices {
    name: Ident,
    field: String,
    /// The text and the variant of each choice.
    variants: Vec<(String, Ident)>,
}

impl Choices {
    /// The choices of a field. Two texts that give the same variant are given back.
    pub(super) fn new(name: Ident, field: &str, texts: &[&str]) -> Result<Self, (String, String)> {
        let mut variants: Vec<(String, Ident)> = Vec::new();
        for text in texts {
            let variant = Ident::new(&variant(text), Span::call_site());
            if let Some((other, _)) = variants.iter().find(|(_, v)| *v == variant) {
                return Err((other.clone(), (*text).to_owned()));
            }
            variants.push(((*text).to_owned(), variant));
        }
        Ok(Self { name, field: field.to_owned(), variants })
    }

    pub(super) fn is_of(&self, field: &str) -> bool {
        self.field == field
    }

    /// The path of the variant for a text.
    pub(super) fn variant(&self, field: &str, text: &str) -> Option<TokenStream> {
        let (name, (_, variant)) = (&self.name, self.variants.iter().find(|(t, _)| t == text)?);
        self.is_of(field).then(|| quote!(#name::#variant))
    }

    pub(super) fn expand(&self, vis: &Visibility) -> TokenStream {
        let facade = Facade::find();
        let derives = derives::data(&[], &[], &facade);
        let Self { name, variants, .. } = self;
        let texts: Vec<&String> = variants.iter().map(|(text, _)| text).collect();
        let variants: Vec<&Ident> = variants.iter().map(|(_, variant)| variant).collect();
        // The variants have no documentation, because the model would see it.
        quote! {
            #derives
            #[derive(
                ::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy, ::core::cmp::PartialEq,
                ::core::cmp::Eq, ::core::cmp::PartialOrd, ::core::cmp::Ord, ::core::hash::Hash,
            )]
            #[allow(dead_code, missing_docs, unreachable_pub)]
            #vis enum #name { #(#[serde(rename = #texts)] #variants),* }

            #[allow(dead_code, unreachable_pub)]
            impl #name {
                /// All choices, in order.
                pub const ALL: &'static [Self] = &[#(Self::#variants),*];

                /// The choice as the model writes it.
                pub const fn as_str(self) -> &'static ::core::primitive::str {
                    match self { #(Self::#variants => #texts),* }
                }
            }

            #[automatically_derived]
            impl ::core::fmt::Display for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.pad(self.as_str())
                }
            }

            #[automatically_derived]
            impl ::core::cmp::PartialEq<::core::primitive::str> for #name {
                fn eq(&self, other: &::core::primitive::str) -> ::core::primitive::bool {
                    self.as_str() == other
                }
            }

            #[automatically_derived]
            impl ::core::cmp::PartialEq<&::core::primitive::str> for #name {
                fn eq(&self, other: &&::core::primitive::str) -> ::core::primitive::bool {
                    self.as_str() == *other
                }
            }
        }
    }
}

/// A name as that of a type: `user_mood` gives `UserMood`.
pub(super) fn pascal(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    words
        .flat_map(|word| {
            let mut chars = word.chars();
            chars.next().into_iter().flat_map(char::to_uppercase).chain(chars)
        })
        .collect()
}

/// The variant for a text: `not relevant` gives `NotRelevant`, `3` gives `_3`.
fn variant(text: &str) -> String {
    let name = pascal(text);
    match () {
        () if name.is_empty() => "Empty".into(),
        () if syn::parse_str::<Ident>(&name).is_ok() => name,
        // A digit first, or `Self`.
        () if syn::parse_str::<Ident>(&format!("_{name}")).is_ok() => format!("_{name}"),
        () => "Other".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_give_variants() {
        for (text, name) in [
            ("positive", "Positive"),
            ("not relevant", "NotRelevant"),
            ("HTTP-404", "HTTP404"),
            ("3", "_3"),
            ("Self", "_Self"),
            ("", "Empty"),
            ("+", "Empty"),
            ("größe", "Größe"),
        ] {
            assert_eq!(variant(text), name, "{text}");
        }
        let name = || Ident::new("X", Span::call_site());
        assert!(Choices::new(name(), "x", &["C", "C++"]).is_err());
        assert!(Choices::new(name(), "x", &["a", "b"]).is_ok());
    }
}
