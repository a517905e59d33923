//! The fields of signatures written as a text: `#[signature("question -> answer")]`, `predict!("question -> answer")`.

mod choices;
mod name;
mod types;

use dspy_grammar::GrammarError;
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Expr, LitStr, Visibility};

use self::{name::ident, types::Types};
use crate::{
    errors::Errors,
    facade::Facade,
    signature::model::{DefaultValue, Field, Name, Role},
};

/// The fields that a text names, and the types that have to be made for them.
pub(crate) struct Inline {
    pub(crate) fields: Vec<Field>,
    pub(crate) items: TokenStream,
}

/// Reads the fields of the signature `ident` from a text.
pub(crate) fn fields(text: &LitStr, ident: &Ident, vis: &Visibility, errors: &mut Errors) -> Option<Inline> {
    let source = text.value();
    let signature = match dspy_grammar::parse(&source) {
        Ok(signature) => signature,
        Err(error) => {
            errors.add(at_its_place(text, &error));
            return None;
        }
    };
    let private = Facade::find().private();
    let mut types = Types::new(&source, text.span(), ident, vis, private);
    let sides = [(Role::Input, &signature.inputs), (Role::Output, &signature.outputs)];
    let read = sides.into_iter().flat_map(|(role, side)| side.iter().map(move |f| (role, f)));
    let mut fields = Vec::new();
    for (role, field) in read {
        let built = self::field(role, field, vis, &mut types);
        match built {
            Ok(built) => fields.push(built),
            Err(error) => errors.add(at_its_place(text, &error)),
        }
    }
    errors.is_empty().then(|| Inline { fields, items: types.into_items() })
}

fn field(
    role: Role,
    field: &dspy_grammar::Field,
    vis: &Visibility,
    types: &mut Types<'_>,
) -> Result<Field, GrammarError> {
    let name = &field.name;
    let Some(ident) = ident(name, types.span()) else {
        let problem = format!("`{name}` cannot be the name of a field in Rust");
        return Err(types.error(&field.span, problem, "choose another one"));
    };
    let ty = types.of(&field.ty, name)?;
    let default = field.default.as_ref().map(|c| types.constant(c, &field.ty.kind, name));
    let summary = match role {
        Role::Input => format!("The input `{name}`."),
        Role::Output => format!("The output `{name}`."),
    };
    Ok(Field {
        attrs: vec![syn::parse_quote!(#[doc = #summary])],
        vis: vis.clone(),
        ident,
        ty: syn::parse2(ty).map_err(|e| types.error(&field.ty.span, e.to_string(), ""))?,
        role: Some(role),
        name: Name::Own(name.clone()),
        desc: quote!(""),
        prefix: None,
        default: default.map(|d| DefaultValue::Value(Expr::Verbatim(d))),
        checks: Vec::new(),
    })
}

/// The mistake at its characters where the compiler lets a macro point there, otherwise at the text; with the line and
/// a mark under it in any case.
fn at_its_place(text: &LitStr, error: &GrammarError) -> syn::Error {
    let literal = text.token();
    let written = literal.to_string();
    // Only without escapes do bytes of the value stand where bytes of the literal do.
    let opening = written
        .find('"')
        .map(|i| i + 1)
        .filter(|from| written.get(*from..).is_some_and(|rest| rest.starts_with(&error.source)));
    let precise = opening.and_then(|from| {
        let (start, end) = (from + error.span.start, from + error.span.end.max(error.span.start + 1));
        literal.subspan(start..end.min(written.len()))
    });
    syn::Error::new(precise.unwrap_or_else(|| text.span()), error)
}
