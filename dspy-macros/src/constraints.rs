//! Bounds, lengths, patterns and formats that `schemars` takes from attributes.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::{
    Attribute, Data, DeriveInput, Meta, Token, parse::Parser, punctuated::Punctuated, spanned::Spanned,
};

/// The attributes from which `schemars` takes them.
const TOOLS: [&str; 3] = ["schemars", "validate", "garde"];

/// The options that become keywords which have to be checked.
const OPTIONS: [&str; 10] =
    ["range", "length", "regex", "pattern", "contains", "email", "url", "ip", "ipv4", "ipv6"];

/// The keywords that can be given as they are: `extend("minimum" = 1)`.
const KEYWORDS: [&str; 17] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minItems",
    "maxItems",
    "uniqueItems",
    "contains",
    "minProperties",
    "maxProperties",
    "propertyNames",
    "not",
];

/// Whether an attribute may hold any.
pub(crate) fn may_hold(attr: &Attribute) -> bool {
    TOOLS.iter().any(|tool| attr.path().is_ident(tool))
}

/// Code that does not compile where these attributes hold what the library is built without.
pub(crate) fn demanded<'a>(
    private: &TokenStream,
    attrs: impl IntoIterator<Item = &'a Attribute>,
) -> TokenStream {
    let mut found = Vec::new();
    for attr in attrs.into_iter().filter(|a| may_hold(a)) {
        if let Meta::List(list) = &attr.meta {
            named(&list.tokens, &mut found);
        }
    }
    let calls = found.iter().map(|(name, span)| {
        let span = Span::mixed_site().located_at(*span);
        quote_spanned!(span=> #private::constraint!(#name);)
    });
    calls.collect()
}

/// The same for all of a type.
pub(crate) fn demanded_by(private: &TokenStream, input: &DeriveInput) -> TokenStream {
    let mut attrs: Vec<&Attribute> = input.attrs.iter().collect();
    match &input.data {
        Data::Struct(data) => attrs.extend(data.fields.iter().flat_map(|f| &f.attrs)),
        Data::Enum(data) => attrs.extend(
            data.variants.iter().flat_map(|v| v.attrs.iter().chain(v.fields.iter().flat_map(|f| &f.attrs))),
        ),
        Data::Union(_) => {}
    }
    demanded(private, attrs)
}

/// The names of the constraints among these options, and where they stand. Options in another notation are left to
/// those who read them.
fn named(options: &TokenStream, found: &mut Vec<(String, Span)>) {
    let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
    for option in parse.parse2(options.clone()).into_iter().flatten() {
        let name = option.path().get_ident().map(ToString::to_string).unwrap_or_default();
        match &option {
            Meta::List(list) if name == "inner" => named(&list.tokens, found),
            Meta::List(list) if name == "extend" => {
                for token in list.tokens.clone() {
                    if let TokenTree::Literal(key) = token
                        && let Some(keyword) = KEYWORDS.iter().find(|k| key.to_string() == format!("\"{k}\""))
                    {
                        found.push(((*keyword).to_owned(), key.span()));
                    }
                }
            }
            _ if OPTIONS.contains(&name.as_str()) => found.push((name, option.span())),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn constraints_are_told_from_other_options() {
        let input: DeriveInput = syn::parse_quote! {
            #[schemars(rename_all = "camelCase", extend("x-a" = 1, "minProperties" = 2))]
            enum E {
                A { #[schemars(range(min = 1), title = "t")] a: u8, #[serde(rename = "range")] b: u8 },
                #[schemars(description = "length")]
                B(#[validate(email)] String, #[garde(inner(length(max = 3)), skip)] Vec<String>),
            }
        };
        let found: Vec<String> = demanded_by(&quote!(p), &input)
            .into_iter()
            .filter_map(|t| match t {
                TokenTree::Group(g) => Some(g.stream().to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(found, ["\"minProperties\"", "\"range\"", "\"email\"", "\"length\""]);
    }
}
