//! From the user's functions to the model.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, Expr, ExprLit, FnArg, GenericArgument, ImplItem, ItemFn, ItemImpl, Lit, Meta, Pat,
    PathArguments, ReceiverKind, ReturnType, Safety, Signature, Token, Type, Visibility, ext::IdentExt,
    parse::Parser, punctuated::Punctuated,
};

use super::model::{Argument, Block, Default, Function, Options, Tool};
use crate::{errors::Errors, text::docs};

/// For how many arguments `dspy_core::tool::IntoTool` is implemented.
const MAX_ARGUMENTS: usize = 24;

/// Reads a function; one that cannot be a tool is given back.
pub(super) fn function(
    options: TokenStream,
    mut item: ItemFn,
    errors: &mut Errors,
) -> Result<Function, TokenStream> {
    let mut own = Errors::default();
    let tool = tool(options, &item.attrs, &mut item.sig, &mut own);
    if let Some(FnArg::Receiver(receiver)) = item.sig.inputs.first() {
        let message = "to make a tool of a method, put `#[tool]` on its `impl` block, too";
        own.push(receiver, message);
    }
    if let (Some(_), Some(argument)) = (item.sig.asyncness, item.sig.inputs.iter().nth(MAX_ARGUMENTS)) {
        let message = format!(
            "an async function that is a tool has at most {MAX_ARGUMENTS} arguments; take a struct that holds them"
        );
        own.push(argument, message);
    }
    match own.is_empty() {
        true => Ok(Function { item, tool }),
        false => {
            errors.take(own);
            Err(item.into_token_stream())
        }
    }
}

/// Reads a block of methods; one without tools is given back.
pub(super) fn block(mut item: ItemImpl, errors: &mut Errors) -> Result<Block, TokenStream> {
    let mut own = Errors::default();
    if let Some((path, _)) = &item.trait_ {
        own.push(path, "`#[tool]` is for the methods of a type itself, not for those of a trait");
    }
    let (mut tools, mut vis) = (Vec::new(), None);
    for member in &mut item.items {
        let ImplItem::Fn(method) = member else { continue };
        let mut marks = method.attrs.extract_if(.., |a| a.path().is_ident("tool"));
        let Some(mark) = marks.next() else { continue };
        drop(marks);
        let options = match mark.meta {
            Meta::List(list) => list.tokens,
            _ => TokenStream::new(),
        };
        let tool = tool(options, &method.attrs, &mut method.sig, &mut own);
        // Of methods that are compiled on conditions, both may never be there.
        let same = |other: &&Tool| other.name == tool.name && other.conditions.is_empty();
        if let Some(other) = tools.iter().find(same).filter(|_| tool.conditions.is_empty()) {
            let message = format!(
                "the method `{}` is called `{}` by the model already; give one of them another name with `#[tool(name = \"...\")]`",
                other.signature.ident, tool.name
            );
            own.push(&method.sig.ident, message);
        }
        if method.sig.ident == "tools" {
            own.push(
                &method.sig.ident,
                "`tools` is the method that `#[tool]` adds; give this one another name",
            );
        }
        tools.push(tool);
        match (&vis, &method.vis) {
            (_, Visibility::Public(_)) | (None, _) => vis = Some(method.vis.clone()),
            (Some(Visibility::Inherited), other) => vis = Some(other.clone()),
            _ => {}
        }
    }
    if tools.is_empty() && own.is_empty() {
        own.push(&item.self_ty, "none of the methods is a tool: mark those that are with `#[tool]`");
    }
    match own.is_empty() {
        true => Ok(Block { item, tools, vis: vis.unwrap_or(Visibility::Inherited) }),
        false => {
            errors.take(own);
            Err(item.into_token_stream())
        }
    }
}

/// Reads a function, and takes from its arguments what is meant for the library.
fn tool(options: TokenStream, attrs: &[Attribute], signature: &mut Signature, errors: &mut Errors) -> Tool {
    let mut name = signature.ident.unraw().to_string();
    let (mut description, mut rest) = (None, Options::default());
    let parsed = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(options);
    let mut seen: Vec<syn::Path> = Vec::new();
    for option in errors.keep(parsed).into_iter().flatten() {
        if seen.contains(option.path()) {
            errors.push(&option, "this option is given twice");
        }
        seen.push(option.path().clone());
        let value = match &option {
            Meta::NameValue(option) => option.value.clone(),
            other => {
                errors.push(other, UNKNOWN);
                continue;
            }
        };
        match option.path().get_ident().map(ToString::to_string).as_deref() {
            Some("name") => {
                if let Some(text) = errors.keep(text(&value)) {
                    name = text;
                }
            }
            Some("desc") => description = Some(value.into_token_stream()),
            Some("timeout") => {
                literal(&value, |_| false, "this is a `Duration`, such as `Duration::from_secs(5)`", errors);
                rest.timeout = Some(value);
            }
            Some("max_output") => {
                let fits = |literal: &Lit| matches!(literal, Lit::Int(_));
                literal(&value, fits, "this is a number of characters, such as `2_000`", errors);
                rest.max_output = Some(value);
            }
            Some("parallel") => {
                let fits = |literal: &Lit| matches!(literal, Lit::Bool(_));
                literal(&value, fits, "this is `true` or `false`", errors);
                rest.parallel = Some(value);
            }
            _ => errors.push(&option, UNKNOWN),
        }
    }
    if let Some(message) = wrong_name(&name) {
        errors.push(&signature.ident, message);
    }
    shape(signature, errors);
    let mut method = false;
    let mut arguments = Vec::new();
    for argument in &mut signature.inputs {
        match argument {
            FnArg::Receiver(receiver) => {
                method = true;
                if !matches!(&receiver.kind, ReceiverKind::Reference(_, _, None)) {
                    let message = "a tool may be called several times at once, so its method takes `&self`; put what \
                                   changes in a `Mutex`";
                    errors.push(receiver, message);
                }
            }
            FnArg::Typed(typed) => {
                let attrs: Vec<Attribute> = typed
                    .attrs
                    .extract_if(.., |a| a.path().is_ident("arg") || a.path().is_ident("doc"))
                    .collect();
                let Pat::Ident(pattern) = &*typed.pat else {
                    errors.push(
                        &typed.pat,
                        "an argument of a tool has a name, which the model is told: `query: String`",
                    );
                    continue;
                };
                let mut argument = Argument {
                    ident: pattern.ident.clone(),
                    ty: (*typed.ty).clone(),
                    name: pattern.ident.unraw().to_string(),
                    docs: docs(&attrs).unwrap_or_else(|| quote!("")),
                    default: None,
                };
                owned(&typed.ty, errors);
                attrs.iter().filter(|a| a.path().is_ident("arg")).for_each(|a| arg(a, &mut argument, errors));
                if arguments.iter().any(|other: &Argument| other.name == argument.name) {
                    let message =
                        format!("the model is told of another argument under the name `{}`", argument.name);
                    errors.push(&typed.pat, message);
                }
                arguments.push(argument);
            }
        }
    }
    let fallible = matches!(&signature.output, ReturnType::Type(_, ty) if is_result(ty));
    let docs = description.or_else(|| docs(attrs)).unwrap_or_else(|| quote!(""));
    let conditions = attrs.iter().filter(|a| a.path().is_ident("cfg")).cloned().collect();
    Tool { signature: signature.clone(), conditions, name, docs, arguments, method, fallible, options: rest }
}

/// Looks whether a value that is written out is of the right kind.
fn literal(value: &Expr, fits: impl Fn(&Lit) -> bool, expected: &str, errors: &mut Errors) {
    match value {
        Expr::Lit(ExprLit { lit, .. }) if !fits(lit) => errors.push(value, expected),
        _ => {}
    }
}

const UNKNOWN: &str = "unknown option; there are `name = \"...\"`, `desc = \"...\"`, `timeout = Duration::from_secs(...)`, \
                       `max_output = ...` (characters) and `parallel = false`";

/// Why a model could not call a tool by this name.
fn wrong_name(name: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name == "finish" {
        return Some("`finish` is the tool that ends the work of an agent; choose another name".into());
    }
    (!(1..=64).contains(&name.len()) || !name.chars().all(fits)).then(|| {
        format!(
            "providers do not take `{name}` as the name of a tool: it is of ASCII letters, digits, `_` and `-`, at most 64; \
             give one with `#[tool(name = \"...\")]`"
        )
    })
}

/// Looks for what a tool cannot have.
fn shape(signature: &Signature, errors: &mut Errors) {
    if !signature.generics.params.is_empty() {
        let message = "a tool cannot be generic: the model is told one type for each argument";
        errors.push(&signature.generics, message);
    }
    if let Safety::Unsafe(token) = &signature.safety {
        errors.push(token, "a model cannot call an `unsafe` function; wrap it in a safe one");
    }
    if let Some(token) = &signature.abi {
        errors.push(token, "a tool is an ordinary function");
    }
    if let Some(token) = &signature.variadic {
        errors.push(token, "the arguments of a tool have names; take a `Vec`");
    }
}

/// Looks for borrowed and nameless types.
fn owned(ty: &Type, errors: &mut Errors) {
    match ty {
        Type::Reference(_) => errors.push(
            ty,
            "an argument of a tool owns its value: `String` instead of `&str`, `Vec<T>` instead of `&[T]`",
        ),
        Type::ImplTrait(_) => {
            errors.push(ty, "the model is told the type of each argument: name it instead of `impl`");
        }
        Type::Paren(paren) => owned(&paren.elem, errors),
        Type::Group(group) => owned(&group.elem, errors),
        Type::Array(array) => owned(&array.elem, errors),
        Type::Tuple(tuple) => tuple.elems.iter().for_each(|ty| owned(ty, errors)),
        Type::Path(path) => {
            for segment in &path.path.segments {
                let PathArguments::AngleBracketed(arguments) = &segment.arguments else { continue };
                for argument in &arguments.args {
                    if let GenericArgument::Type(ty) = argument {
                        owned(ty, errors);
                    }
                }
            }
        }
        _ => {}
    }
}

/// Reads `#[arg(...)]`.
fn arg(attr: &Attribute, argument: &mut Argument, errors: &mut Errors) {
    const UNKNOWN: &str =
        "unknown option; there are `desc = \"...\"`, `name = \"...\"`, `default` and `default = value`";
    let options = attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    for option in errors.keep(options).into_iter().flatten() {
        let name = option.path().get_ident().map(ToString::to_string).unwrap_or_default();
        match (name.as_str(), &option) {
            ("default", Meta::Path(_)) => argument.default = Some(Default::OfType),
            ("default", Meta::NameValue(option)) => {
                argument.default = Some(Default::Value(Box::new(option.value.clone())));
            }
            ("desc", Meta::NameValue(option)) => argument.docs = option.value.to_token_stream(),
            ("name", Meta::NameValue(option)) => {
                if let Some(name) = errors.keep(text(&option.value)) {
                    argument.name = name;
                }
            }
            _ => errors.push(&option, UNKNOWN),
        }
    }
}

fn text(value: &Expr) -> syn::Result<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.value()),
        other => Err(syn::Error::new_spanned(other, "expected a text in quotes")),
    }
}

/// Whether it is a `Result` by its name, as `io::Result<T>` is one, too.
fn is_result(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => {
            path.path.segments.last().is_some_and(|s| s.ident.to_string().ends_with("Result"))
        }
        Type::Paren(paren) => is_result(&paren.elem),
        Type::Group(group) => is_result(&group.elem),
        _ => false,
    }
}
