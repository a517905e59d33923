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
            places(&list.tokens, &mut found);
        }
    }
    let calls = found.into_iter().map(|span| {
        // All of the path is at the option, so that the compiler points there.
        let private: TokenStream = private.clone().into_iter().map(|token| at(token, span)).collect();
        quote_spanned!(span=> const _: () = #private::constraint::<#private::Features>();)
    });
    calls.collect()
}

fn at(mut token: TokenTree, span: Span) -> TokenTree {
    token.set_span(span);
    token
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

/// Where the constraints among these options stand. Options in another notation are left to
/// those who read them.
fn places(options: &TokenStream, found: &mut Vec<Span>) {
    let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
    for option in parse.parse2(options.clone()).into_iter().flatten() {
        let name = option.path().get_ident().map(ToString::to_string).unwrap_or_default();
        match &option {
            Meta::List(list) if name == "inner" => places(&list.tokens, found),
            Meta::List(list) if name == "extend" => {
                for token in list.tokens.clone() {
                    if let TokenTree::Literal(key) = token
                        && KEYWORDS.iter().any(|k| key.to_string() == format!("\"{k}\""))
                    {
                        found.push(key.span());
                    }
                }
            }
            _ if OPTIONS.contains(&name.as_str()) => found.push(option.span()),
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
        let code = demanded_by(&quote!(p), &input).to_string();
        assert_eq!(code.matches("p :: constraint").count(), 4, "{code}");
    }
}
