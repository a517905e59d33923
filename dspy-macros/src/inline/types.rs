//! Types of the grammar as types of Rust.

use std::ops::Range;

use dspy_grammar::{Constant, GrammarError, Named, Type, TypeKind};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Visibility;

use super::{
    choices::{Choices, pascal},
    name::ident,
};

/// The field types of the library, by the names that stand behind `dspy.`.
const LIBRARY: [(&str, &str); 11] = [
    ("Image", "Image"),
    ("Audio", "Audio"),
    ("File", "File"),
    ("Document", "Document"),
    ("History", "History"),
    ("Reasoning", "Reasoning"),
    ("Citations", "Citations"),
    ("Tool", "ToolSpec"),
    ("ToolSpec", "ToolSpec"),
    ("ToolCall", "ToolCall"),
    ("ToolCalls", "ToolCalls"),
];

/// The languages of code and the types that stand for them.
const LANGUAGES: [(&str, &str); 12] = [
    ("rust", "Rust"),
    ("python", "Python"),
    ("sql", "Sql"),
    ("javascript", "JavaScript"),
    ("typescript", "TypeScript"),
    ("go", "Go"),
    ("java", "Java"),
    ("c", "C"),
    ("cpp", "Cpp"),
    ("bash", "Bash"),
    ("json", "Json"),
    ("html", "Html"),
];

/// Makes types for one text.
pub(super) struct Types<'a> {
    source: &'a str,
    /// The place of the text.
    span: Span,
    signature: &'a Ident,
    vis: &'a Visibility,
    private: TokenStream,
    /// The enums that `Literal[...]` asks for.
    choices: Vec<Choices>,
}

impl<'a> Types<'a> {
    pub(super) fn new(
        source: &'a str,
        span: Span,
        signature: &'a Ident,
        vis: &'a Visibility,
        private: TokenStream,
    ) -> Self {
        Self { source, span, signature, vis, private, choices: Vec::new() }
    }

    pub(super) fn span(&self) -> Span {
        self.span
    }

    pub(super) fn error(
        &self,
        span: &Range<usize>,
        problem: impl Into<String>,
        cure: impl Into<String>,
    ) -> GrammarError {
        GrammarError::new(self.source, span.clone(), problem, cure)
    }

    /// The type of a field.
    pub(super) fn of(&mut self, ty: &Type, field: &str) -> Result<TokenStream, GrammarError> {
        let span = self.span;
        Ok(match &ty.kind {
            TypeKind::Str => quote_spanned!(span=> ::std::string::String),
            TypeKind::Bool => quote_spanned!(span=> ::core::primitive::bool),
            TypeKind::Int(name) | TypeKind::Float(name) => {
                let name = Ident::new(name, span);
                quote_spanned!(span=> ::core::primitive::#name)
            }
            TypeKind::Any => {
                let private = &self.private;
                quote_spanned!(span=> #private::serde_json::Value)
            }
            TypeKind::List(item) => {
                let item = self.of(item, field)?;
                quote_spanned!(span=> ::std::vec::Vec<#item>)
            }
            TypeKind::Set(item) => {
                if matches!(item.kind, TypeKind::Float(_)) {
                    let cure = "write `list[float]`";
                    return Err(self.error(&ty.span, "fractions are not compared for equality", cure));
                }
                let item = self.of(item, field)?;
                quote_spanned!(span=> ::std::collections::BTreeSet<#item>)
            }
            TypeKind::Dict(key, value) => {
                let (key, value) = (self.of(key, field)?, self.of(value, field)?);
                quote_spanned!(span=> ::std::collections::BTreeMap<#key, #value>)
            }
            TypeKind::Tuple(items) => {
                let items = items.iter().map(|ty| self.of(ty, field)).collect::<Result<Vec<_>, _>>()?;
                quote_spanned!(span=> (#(#items,)*))
            }
            TypeKind::Optional(inner) => {
                let inner = self.of(inner, field)?;
                quote_spanned!(span=> ::core::option::Option<#inner>)
            }
            TypeKind::Union(_) => {
                let cure = "write an enum of your own with `#[dspy::value]` and `#[serde(untagged)]`, and its name here";
                return Err(self.error(&ty.span, format!("`{ty}` has no type in Rust"), cure));
            }
            TypeKind::Literal(constants) => self.literal(constants, ty, field)?,
            TypeKind::Code(language) => {
                let Some((_, name)) = LANGUAGES.iter().find(|(text, _)| text == language) else {
                    let known: Vec<&str> = LANGUAGES.iter().map(|(text, _)| *text).collect();
                    let cure = format!(
                        "known are {}; for another one, implement `dspy::value::lang::Language` and write \
                         `dspy.value.Code<YourLanguage>`",
                        known.join(", ")
                    );
                    return Err(self.error(&ty.span, format!("unknown language `{language}`"), cure));
                };
                let (private, name) = (&self.private, Ident::new(name, span));
                quote_spanned!(span=> #private::value::Code<#private::value::lang::#name>)
            }
            TypeKind::Named(named) => self.named(named, ty, field)?,
        })
    }

    /// A type of the library or of the user.
    fn named(&mut self, named: &Named, ty: &Type, field: &str) -> Result<TokenStream, GrammarError> {
        let span = self.span;
        if let [module, name] = &named.path[..]
            && module == "dspy"
            && let Some((_, name)) = LIBRARY.iter().find(|(known, _)| known == name)
        {
            let (private, name) = (&self.private, Ident::new(name, span));
            return Ok(quote_spanned!(span=> #private::value::#name));
        }
        let mut path = Vec::new();
        for part in &named.path {
            path.push(match part.as_str() {
                "crate" | "self" | "super" | "Self" => Ident::new(part, span),
                part => match ident(part, span) {
                    Some(ident) => ident,
                    None => {
                        return Err(self.error(&ty.span, format!("`{part}` is no name in Rust"), ""));
                    }
                },
            });
        }
        let args = named.args.iter().map(|ty| self.of(ty, field)).collect::<Result<Vec<_>, _>>()?;
        let args = (!args.is_empty()).then(|| quote_spanned!(span=> <#(#args),*>));
        Ok(quote_spanned!(span=> #(#path)::* #args))
    }

    /// An enum of these choices.
    fn literal(
        &mut self,
        constants: &[Constant],
        ty: &Type,
        field: &str,
    ) -> Result<TokenStream, GrammarError> {
        let texts: Option<Vec<&str>> = constants
            .iter()
            .map(|c| match c {
                Constant::Str(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let Some(texts) = texts else {
            let cure = "write them in quotes, or write `int` and a demand on it";
            return Err(self.error(&ty.span, "the choices of a typed signature are texts", cure));
        };
        let base = format!("{}{}", self.signature, pascal(field));
        let taken = self.choices.iter().filter(|c| c.is_of(field)).count();
        let name = if taken == 0 { base } else { format!("{base}{}", taken + 1) };
        // Resolved where the signature itself is.
        let name = Ident::new(&name, self.signature.span());
        match Choices::new(name.clone(), field, &texts) {
            Ok(choices) => self.choices.push(choices),
            Err((one, other)) => {
                let cure = "write an enum of your own with `#[dspy::value]`, and its name here";
                let problem = format!("`{one}` and `{other}` give the same name in Rust");
                return Err(self.error(&ty.span, problem, cure));
            }
        }
        Ok(quote!(#name))
    }

    /// A constant as an expression of a type.
    pub(super) fn constant(&self, constant: &Constant, kind: &TypeKind, field: &str) -> TokenStream {
        match (constant, kind) {
            (Constant::None, TypeKind::Any) => {
                let private = &self.private;
                quote!(#private::serde_json::Value::Null)
            }
            (Constant::None, _) => quote!(::core::option::Option::None),
            (constant, TypeKind::Optional(inner)) => {
                let value = self.constant(constant, &inner.kind, field);
                quote!(::core::option::Option::Some(#value))
            }
            (Constant::Str(text), TypeKind::Literal(_)) => {
                let variant = self.choices.iter().rev().find_map(|c| c.variant(field, text));
                variant.unwrap_or_else(|| quote!(::core::convert::Into::into(#text)))
            }
            (Constant::Str(text), _) => quote!(::core::convert::Into::into(#text)),
            (Constant::Int(n), TypeKind::Any) => quote!(::core::convert::From::from(#n)),
            (Constant::Int(n), _) => {
                let n = Literal::i64_unsuffixed(*n);
                quote!(#n)
            }
            (Constant::Float(n), TypeKind::Any) => quote!(::core::convert::From::from(#n)),
            (Constant::Float(n), _) => {
                let n = Literal::f64_unsuffixed(*n);
                quote!(#n)
            }
            (Constant::Bool(b), TypeKind::Any) => quote!(::core::convert::From::from(#b)),
            (Constant::Bool(b), _) => quote!(#b),
        }
    }

    /// The types that were made.
    pub(super) fn into_items(self) -> TokenStream {
        self.choices.iter().map(|c| c.expand(self.vis)).collect()
    }
}
