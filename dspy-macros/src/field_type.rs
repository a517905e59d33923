//! What is known of a type by its name.

use syn::{GenericArgument, PathArguments, Type};

/// Whether the type is of the standard library and can certainly be a field.
pub(crate) fn is_standard(ty: &Type) -> bool {
    const STANDARD: [&str; 20] = [
        "String", "bool", "char", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64",
        "u128", "usize", "f32", "f64", "Vec", "Option", "Box",
    ];
    let Type::Path(path) = ty else { return false };
    // `String`, or `::std::string::String`, which is never anything else.
    let first = path.path.segments.first().map(|s| s.ident.to_string()).unwrap_or_default();
    let full = path.path.leading_colon.is_some() && (first == "std" || first == "core");
    let Some(segment) = path.path.segments.last().filter(|_| full || path.path.segments.len() == 1) else {
        return false;
    };
    let inner = match &segment.arguments {
        PathArguments::None => true,
        PathArguments::AngleBracketed(list) => {
            list.args.iter().all(|a| matches!(a, GenericArgument::Type(ty) if is_standard(ty)))
        }
        PathArguments::Parenthesized(_) => false,
    };
    inner && STANDARD.iter().any(|name| segment.ident == name)
}

/// Whether a literal of this type would be taken for an `i32` or an `f64`, which do not convert into it, where any type
/// is taken that converts.
pub(crate) fn is_narrow_number(ty: &Type) -> bool {
    const NARROW: [&str; 10] = ["u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "isize", "f32"];
    matches!(ty, Type::Path(path) if NARROW.iter().any(|name| path.path.is_ident(name)))
}

/// Whether it is a `String`.
pub(crate) fn is_string(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|s| s.ident == "String"),
        _ => false,
    }
}
