//! From the user's struct to the model.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Fields, GenericArgument, Ident, ItemStruct, Meta, PathArguments, ReturnType, Type, TypePath};

use crate::errors::Errors;

/// A module as plain data.
pub(super) struct Model {
    /// The struct without the library's own attributes.
    pub(super) item: ItemStruct,
    /// Its text, when the compiler gives it.
    pub(super) source: Option<String>,
    pub(super) fields: Vec<Field>,
}

/// One field.
pub(super) struct Field {
    pub(super) ident: Ident,
    pub(super) ty: Type,
    /// Whether there is nothing to find in it.
    pub(super) plain: bool,
}

/// Reads the struct; one that cannot be a module is given back.
pub(super) fn parse(mut item: ItemStruct, errors: &mut Errors) -> Result<Model, TokenStream> {
    let source = source(&item);
    let mut fields = Vec::new();
    let mut walked = true;
    if let Fields::Unnamed(unnamed) = &item.fields {
        let message = "the fields of a module have names, because they name its predictors in saved programs: \
                       `struct Name { step: Predict<Signature> }`";
        errors.push(unnamed, message);
        walked = false;
    }
    for field in &mut item.fields {
        let skip = skip(field, errors);
        let plain = skip || is_plain(&field.ty);
        if is_boxed_closure(&field.ty) {
            let message = "a module is cloned, and a boxed closure cannot be: use `Arc` in place of `Box`";
            errors.push(&field.ty, message);
            walked = false;
        }
        if let Some(ident) = &field.ident {
            fields.push(Field { ident: ident.clone(), ty: field.ty.clone(), plain });
        }
    }
    match walked {
        true => Ok(Model { item, source, fields }),
        false => Err(item.into_token_stream()),
    }
}

/// Takes `#[module(...)]` from a field and says whether it is to be left out.
fn skip(field: &mut syn::Field, errors: &mut Errors) -> bool {
    let mut skip = false;
    for attr in field.attrs.extract_if(.., |a| a.path().is_ident("module")) {
        match &attr.meta {
            Meta::List(list) if list.tokens.to_string() == "skip" => skip = true,
            meta => {
                errors
                    .push(meta, "unknown option; there is `#[module(skip)]`: the field holds no predictors");
            }
        }
    }
    skip
}

/// Whether the type itself says that there are no predictors in it: a function, a marker, a shared trait object, or
/// a container of those.
fn is_plain(ty: &Type) -> bool {
    match ty {
        Type::FnPtr(_) => true,
        Type::Paren(paren) => is_plain(&paren.elem),
        Type::Group(group) => is_plain(&group.elem),
        Type::Path(path) => match name(path).as_str() {
            "PhantomData" => true,
            "Arc" | "Rc" => argument(path).is_some_and(|t| matches!(t, Type::TraitObject(_))),
            "Box" => argument(path).is_some_and(is_closure),
            "Option" | "Vec" | "BTreeMap" | "HashMap" => argument(path).is_some_and(is_plain),
            _ => false,
        },
        _ => false,
    }
}

fn is_boxed_closure(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if name(path) == "Box" && argument(path).is_some_and(is_closure))
}

fn is_closure(ty: &Type) -> bool {
    let Type::TraitObject(object) = ty else { return false };
    object.bounds.iter().any(|bound| match bound {
        syn::TypeParamBound::Trait(bound) => {
            let last = bound.path.segments.last();
            last.is_some_and(|s| matches!(&s.arguments, PathArguments::Parenthesized(_)))
        }
        _ => false,
    })
}

fn name(path: &TypePath) -> String {
    path.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default()
}

/// The last type argument: the values of a container.
fn argument(path: &TypePath) -> Option<&Type> {
    match &path.path.segments.last()?.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().rev().find_map(|a| match a {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        }),
        PathArguments::Parenthesized(arguments) => match &arguments.output {
            ReturnType::Type(_, ty) => Some(ty),
            ReturnType::Default => None,
        },
        PathArguments::None => None,
    }
}

/// The text of the struct as it stands in the file, without its attributes; its body with comments and layout.
fn source(item: &ItemStruct) -> Option<String> {
    let Fields::Named(fields) = &item.fields else {
        return Some(ItemStruct { attrs: Vec::new(), ..item.clone() }.to_token_stream().to_string());
    };
    let body = fields.brace_token.span.join().source_text()?;
    let mut text = String::new();
    for doc in item.attrs.iter().filter(|a| a.path().is_ident("doc")) {
        if let Meta::NameValue(doc) = &doc.meta
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(line), .. }) = &doc.value
        {
            text.push_str(&format!("///{}\n", line.value()));
        }
    }
    let vis = item.vis.to_token_stream().to_string();
    let gap = if vis.is_empty() { "" } else { " " };
    let generics = item.generics.to_token_stream().to_string();
    let bounds = item.generics.where_clause.to_token_stream().to_string();
    text.push_str(&format!("{vis}{gap}struct {}{generics} {bounds}", item.ident));
    text.truncate(text.trim_end().len());
    Some(format!("{text} {body}"))
}
