//! From the user's struct to the model.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Data, DeriveInput, Expr, Fields, Lit, LitStr, Meta, Token, Visibility,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
};

use super::model::{Check, DefaultValue, Field, Model, Name, Role};
use crate::{
    errors::Errors,
    inline::{self, Inline},
    text,
};

/// Reads the struct. What is wrong is noted and left out, so that the rest can be expanded; an item that is no struct
/// with named fields is given back.
pub(super) fn parse(
    options: TokenStream,
    item: TokenStream,
    errors: &mut Errors,
) -> Result<Model, TokenStream> {
    let Ok(input) = syn::parse2::<DeriveInput>(item.clone()) else {
        errors.push(&item, "`#[signature]` is for structs with named fields");
        return Err(item);
    };
    let DeriveInput { attrs, vis, ident, generics, data } = input;
    let fields = match data {
        Data::Struct(data) => data.fields,
        Data::Enum(data) => {
            errors.push(data.enum_token, "a signature is a struct: an `enum` has no inputs and outputs");
            return Err(item);
        }
        Data::Union(data) => {
            errors.push(data.union_token, "a signature is a struct: a `union` has no inputs and outputs");
            return Err(item);
        }
    };
    let (inline, options) = inline_text(options);
    if let Some(text) = inline {
        if !fields.is_empty() {
            let message = "the fields are in this text, so the struct has none: `struct Name;`";
            errors.push(&text, message);
            return Err(without_marks(&item));
        }
        // The name at least stays, so that the rest of the program finds it.
        let Some(Inline { fields, items }) = inline::fields(&text, &ident, &vis, errors) else {
            return Err(item);
        };
        let options = match inline_text(options) {
            (Some(second), rest) => {
                let message =
                    "a second text: the instruction is the documentation, or `instructions = \"...\"`";
                errors.push(second, message);
                rest
            }
            (None, options) => options,
        };
        let mut model = model(attrs, vis, ident, fields, options, errors);
        model.items = items;
        return Ok(model);
    }
    let fields = match fields {
        Fields::Named(fields) => fields.named,
        other => {
            let message = "the fields of a signature have names: `struct Name { #[input] question: String, ... }`, or \
                           they are written as text: `#[signature(\"question -> answer\")] struct Name;`";
            match &other {
                Fields::Unit => errors.push(&ident, message),
                _ => errors.push(&other, message),
            }
            return Err(without_marks(&item));
        }
    };
    if !generics.params.is_empty() || generics.where_clause.is_some() {
        let message = match generics.lifetimes().next() {
            Some(_) => "a signature owns its values: write `String` instead of `&'a str`",
            None => {
                "a signature cannot be generic: its fields are described to the model, so their types must be known"
            }
        };
        let place = if generics.params.is_empty() {
            generics.where_clause.to_token_stream()
        } else {
            generics.params.to_token_stream()
        };
        errors.push(place, message);
        return Err(without_marks(&item));
    }
    let fields = fields.into_iter().filter_map(|f| field(f, errors)).collect();
    Ok(model(attrs, vis, ident, fields, options, errors))
}

fn model(
    mut attrs: Vec<Attribute>,
    vis: Visibility,
    ident: Ident,
    fields: Vec<Field>,
    options: TokenStream,
    errors: &mut Errors,
) -> Model {
    let mut model = Model {
        name: ident.unraw().to_string(),
        instructions: text::docs(&attrs).unwrap_or_else(|| quote!("")),
        attrs: Vec::new(),
        vis,
        ident,
        fields,
        checks: Vec::new(),
        items: TokenStream::new(),
    };
    model_options(&mut model, options, errors);
    // A second `#[signature(...)]` adds to the first.
    for attr in attrs.extract_if(.., |a| a.path().is_ident("signature")) {
        match attr.meta {
            Meta::List(list) => model_options(&mut model, list.tokens, errors),
            other => errors.push(other, "there is a `#[signature]` already"),
        }
    }
    model.attrs = attrs;
    model
}

/// The signature as a text, where the options begin with one, and the options behind it.
fn inline_text(options: TokenStream) -> (Option<LitStr>, TokenStream) {
    let parts = |input: ParseStream<'_>| -> syn::Result<(LitStr, TokenStream)> {
        let text = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        Ok((text, input.parse()?))
    };
    match parts.parse2(options.clone()) {
        Ok((text, rest)) => (Some(text), rest),
        Err(_) => (None, options),
    }
}

/// The item without the attributes that only `#[signature]` understands, so that they are not reported as unknown.
fn without_marks(item: &TokenStream) -> TokenStream {
    let Ok(mut input) = syn::parse2::<DeriveInput>(item.clone()) else { return item.clone() };
    if let Data::Struct(data) = &mut input.data {
        for field in &mut data.fields {
            field.attrs.retain(|a| role(a).is_none());
        }
    }
    input.to_token_stream()
}

fn role(attr: &Attribute) -> Option<Role> {
    match () {
        () if attr.path().is_ident("input") => Some(Role::Input),
        () if attr.path().is_ident("output") => Some(Role::Output),
        () => None,
    }
}

fn field(field: syn::Field, errors: &mut Errors) -> Option<Field> {
    let ident = field.ident?;
    let (marks, attrs): (Vec<_>, Vec<_>) = field.attrs.into_iter().partition(|a| role(a).is_some());
    let mut model = Field {
        role: marks.first().and_then(role),
        name: Name::Own(ident.unraw().to_string()),
        desc: text::docs(&attrs).unwrap_or_else(|| quote!("")),
        attrs,
        vis: field.vis,
        ident,
        ty: field.ty,
        prefix: None,
        default: None,
        checks: Vec::new(),
    };
    match &marks[..] {
        [] => errors.push(&model.ident, format!("say what `{}` is: `#[input]` or `#[output]`", model.ident)),
        [_] => {}
        [first, others @ ..] => {
            for other in others {
                let message = match role(first) == role(other) {
                    true => "there is such an attribute already; write all options into one",
                    false => "a field is either an input or an output",
                };
                errors.push(other, message);
            }
        }
    }
    if let Some(mark) = marks.first() {
        match &mark.meta {
            Meta::Path(_) => {}
            Meta::List(list) => {
                for option in list_of_options(list.tokens.clone(), errors) {
                    let parsed = field_option(&mut model, &option);
                    errors.keep(parsed);
                }
            }
            Meta::NameValue(pair) => {
                errors.push(pair, "options are written in parentheses: `#[input(desc = \"...\")]`");
            }
        }
    }
    Some(model)
}

fn list_of_options(tokens: TokenStream, errors: &mut Errors) -> Vec<Meta> {
    let options = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens);
    errors.keep(options).into_iter().flatten().collect()
}

fn field_option(field: &mut Field, option: &Meta) -> syn::Result<()> {
    let Some(name) = option.path().get_ident().map(ToString::to_string) else {
        return Err(unknown_field_option(field, option));
    };
    let is_output = field.role == Some(Role::Output);
    match name.as_str() {
        "desc" => field.desc = value(option, "a text")?.to_token_stream(),
        "prefix" => field.prefix = Some(value(option, "a text")?),
        "name" => field.name = Name::Given(text_value(option)?),
        "default" => {
            field.default = Some(match option {
                Meta::Path(_) => DefaultValue::OfType,
                _ => DefaultValue::Value(value(option, "a value")?),
            });
        }
        "assert" | "suggest" if is_output => field.checks.push(check(option)?),
        "assert" | "suggest" => {
            let message = format!("`{name}` is for outputs: an input is what the program itself gives");
            return Err(syn::Error::new_spanned(option, message));
        }
        _ => return Err(unknown_field_option(field, option)),
    }
    Ok(())
}

fn unknown_field_option(field: &Field, option: &Meta) -> syn::Error {
    let known = match field.role {
        Some(Role::Output) => {
            "`desc = \"...\"`, `name = \"...\"`, `prefix = \"...\"`, `default`, `default = value`, \
             `assert(|value: &T| condition, \"message\")`, `suggest(|value: &T| condition, \"message\")`"
        }
        _ => "`desc = \"...\"`, `name = \"...\"`, `prefix = \"...\"`, `default`, `default = value`",
    };
    syn::Error::new_spanned(option, format!("unknown option; there are {known}"))
}

fn model_options(model: &mut Model, tokens: TokenStream, errors: &mut Errors) {
    for option in list_of_options(tokens, errors) {
        let parsed = model_option(model, &option);
        errors.keep(parsed);
    }
}

fn model_option(model: &mut Model, option: &Meta) -> syn::Result<()> {
    match () {
        () if option.path().is_ident("name") => {
            let name = text_value(option)?;
            if name.value().trim().is_empty() {
                return Err(syn::Error::new_spanned(name, "the name of a signature cannot be empty"));
            }
            model.name = name.value();
        }
        () if option.path().is_ident("instructions") => {
            model.instructions = value(option, "a text")?.to_token_stream();
        }
        () if option.path().is_ident("assert") || option.path().is_ident("suggest") => {
            model.checks.push(check(option)?);
        }
        () => {
            let message = format!(
                "unknown option; there are `name = \"...\"`, `instructions = \"...\"`, \
                 `assert(|output: &{0}Output| condition, \"message\")`, \
                 `suggest(|output: &{0}Output| condition, \"message\")`",
                model.ident
            );
            return Err(syn::Error::new_spanned(option, message));
        }
    }
    Ok(())
}

/// The value of `option = value`.
fn value(option: &Meta, what: &str) -> syn::Result<Expr> {
    let name = option.path().to_token_stream();
    match option {
        Meta::NameValue(pair) => Ok(pair.value.clone()),
        _ => Err(syn::Error::new_spanned(option, format!("`{name}` takes {what}: `{name} = ...`"))),
    }
}

/// The value of `option = "text"`.
fn text_value(option: &Meta) -> syn::Result<LitStr> {
    match value(option, "a text in quotes")? {
        Expr::Lit(lit) if matches!(lit.lit, Lit::Str(_)) => match lit.lit {
            Lit::Str(text) => Ok(text),
            other => Err(syn::Error::new_spanned(other, "a text in quotes is expected")),
        },
        other => Err(syn::Error::new_spanned(other, "a text in quotes is expected")),
    }
}

/// `assert(closure, message)` or `suggest(closure, message)`.
fn check(option: &Meta) -> syn::Result<Check> {
    let name = option.path().to_token_stream().to_string();
    let usage = || {
        format!("a demand has a closure and a message: `{name}(|value: &T| condition, \"what is demanded\")`")
    };
    let Meta::List(list) = option else { return Err(syn::Error::new_spanned(option, usage())) };
    let parts = |input: ParseStream<'_>| {
        let test: Expr = input.parse()?;
        if input.is_empty() {
            return Err(syn::Error::new_spanned(&test, usage()));
        }
        input.parse::<Token![,]>()?;
        if input.is_empty() {
            return Err(syn::Error::new_spanned(&test, usage()));
        }
        let message: Expr = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        Ok((test, message))
    };
    let (test, message) = parts.parse2(list.tokens.clone())?;
    Ok(Check { fatal: name == "assert", test, message })
}
