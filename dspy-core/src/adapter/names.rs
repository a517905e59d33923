//! Which field a name in an answer stands for.

use crate::signature::{Field, FieldRole, Sections, SignatureSpec};

/// The position of a field by name, whatever its case and separators.
pub(super) fn position(spec: &SignatureSpec, name: &str) -> Option<usize> {
    spec.position(name).or_else(|| {
        let mut same = spec.fields.iter().enumerate().filter(|(_, f)| same_name(&f.name, name));
        let (index, _) = same.next()?;
        same.next().is_none().then_some(index)
    })
}

/// Whether two names differ in case and separators only.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = char> {
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
    }
    a == b || letters(a).next().is_some() && letters(a).eq(letters(b))
}

/// The output that a line names in another way than by its header.
pub(super) fn labelled(spec: &SignatureSpec, label: &str) -> Option<usize> {
    let named = |field: &Field| same_name(&field.name, label) || same_name(&field.prefix, label);
    spec.fields.iter().position(|field| field.role == FieldRole::Output && named(field))
}

/// Whether an answer without this field is not whole.
pub(super) fn required(field: &Field) -> bool {
    field.role == FieldRole::Output && field.default.is_none() && !field.is_optional()
}

/// Whether every output that cannot be done without was found, and one at all.
pub(super) fn complete(spec: &SignatureSpec, sections: &Sections<'_>) -> bool {
    let found = |(at, field): (usize, &Field)| !required(field) || sections.get(at).is_some();
    !sections.is_empty() && spec.fields.iter().enumerate().all(found)
}
