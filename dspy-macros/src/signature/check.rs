//! What does not fit together in a signature.

use std::collections::HashMap;

use quote::ToTokens;
use syn::{Meta, Type};

use super::model::{Field, Model, Name, Role};
use crate::{derives, errors::Errors};

/// Notes what is wrong and takes it out of the model.
pub(super) fn check(model: &mut Model, errors: &mut Errors) {
    if !model.fields.iter().any(|f| f.role != Some(Role::Input)) {
        errors.push(&model.ident, "a signature asks for something: mark at least one field with `#[output]`");
    }
    for meta in derives::options(&model.attrs, "serde") {
        let changes_names = ["rename_all", "rename_all_fields"].iter().any(|o| meta.path().is_ident(o));
        let changes_shape =
            ["transparent", "tag", "untagged", "content", "from", "try_from", "into", "remote"];
        if changes_names {
            errors.push(
                meta,
                "the model and the data must see the same names: use `name = \"...\"` on the fields",
            );
        } else if changes_shape.iter().any(|o| meta.path().is_ident(o)) {
            errors.push(meta, "a signature is a map of its fields in data, and this would change it");
        }
    }
    model.fields.retain(|field| {
        let Type::Reference(reference) = &field.ty else { return true };
        let message = "a signature owns its values: write `String` for `&str`, `Vec<T>` for `&[T]`";
        errors.push(reference, message);
        false
    });
    for field in &mut model.fields {
        attributes(field, errors);
        if !name(field, errors) {
            field.name = Name::Own(field.ident.to_string());
        }
    }
    let mut seen: HashMap<String, ()> = HashMap::new();
    for field in &mut model.fields {
        if seen.insert(field.name.text(), ()).is_some() {
            let message = format!("there is another field named `{}`", field.name.text());
            match &field.name {
                Name::Given(name) => errors.push(name, message),
                Name::Own(_) => errors.push(&field.ident, message),
            }
            field.name = Name::Own(field.ident.to_string());
        }
    }
}

/// Whether the name of a field can stand in a prompt.
fn name(field: &Field, errors: &mut Errors) -> bool {
    let text = field.name.text();
    let message = match () {
        () if text.is_empty() => "the name of a field cannot be empty".into(),
        () if text.eq_ignore_ascii_case("completed") => {
            "`completed` marks the end of an answer, so no field can have this name".into()
        }
        () => match text.chars().find(|c| !c.is_alphanumeric() && *c != '_') {
            Some(c) => format!("the name of a field has letters, digits and `_` only, not {c:?}"),
            None => return true,
        },
    };
    match &field.name {
        Name::Given(name) => errors.push(name, message),
        Name::Own(_) => errors.push(&field.ident, message),
    }
    false
}

/// Serde attributes that would make the data differ from what the model sees.
fn attributes(field: &mut Field, errors: &mut Errors) {
    if let Some(cfg) = field.attrs.iter().find(|a| a.path().is_ident("cfg")) {
        errors
            .push(cfg, "a signature has the same fields in every configuration; put `#[cfg]` on the struct");
    }
    let mut wrong = false;
    for meta in derives::options(&field.attrs, "serde") {
        let Some(message) = refusal(&meta, field.role) else { continue };
        errors.push(meta, message);
        wrong = true;
    }
    if wrong {
        field.attrs.retain(|a| !a.path().is_ident("serde"));
    }
}

fn refusal(meta: &Meta, role: Option<Role>) -> Option<String> {
    let mark = match role {
        Some(Role::Output) => "output",
        _ => "input",
    };
    let option = meta.path().to_token_stream().to_string();
    Some(match option.as_str() {
        "rename" => format!("the model and the data must see the same name: use `#[{mark}(name = \"...\")]`"),
        "default" => {
            format!("the parser must know it, too: use `#[{mark}(default)]` or `#[{mark}(default = value)]`")
        }
        "skip" | "skip_serializing" | "skip_deserializing" => {
            "a record without one of its fields is no demonstration of the signature".into()
        }
        "flatten" => "a field has one name and one value, so it cannot be flattened".into(),
        "with" | "serialize_with" | "deserialize_with" | "getter" => {
            "a prompt is written and read by the type of the field: wrap it in a type of your own".into()
        }
        _ => return None,
    })
}
