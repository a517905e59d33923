//! Signatures as text that gives the same signature again.

use std::fmt::{self, Display, Formatter, Write};

use crate::{Constant, Field, Named, Signature, Type, TypeKind};

fn list<T: Display>(f: &mut Formatter<'_>, items: &[T]) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        let gap = if i == 0 { "" } else { ", " };
        write!(f, "{gap}{item}")?;
    }
    Ok(())
}

impl Display for Signature {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        list(f, &self.inputs)?;
        f.write_str(if self.inputs.is_empty() { "-> " } else { " -> " })?;
        list(f, &self.outputs)
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.ty.kind != TypeKind::Str {
            write!(f, ": {}", self.ty)?;
        }
        match &self.default {
            Some(default) => write!(f, " = {default}"),
            None => Ok(()),
        }
    }
}

impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.kind, f)
    }
}

impl Display for TypeKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let several = |f: &mut Formatter<'_>, name: &str, types: &[Type]| {
            write!(f, "{name}[")?;
            list(f, types)?;
            f.write_char(']')
        };
        match self {
            Self::Str => f.write_str("str"),
            Self::Bool => f.write_str("bool"),
            Self::Int("i64") => f.write_str("int"),
            Self::Float("f64") => f.write_str("float"),
            Self::Int(name) | Self::Float(name) => f.write_str(name),
            Self::Any => f.write_str("Any"),
            Self::List(item) => write!(f, "list[{item}]"),
            Self::Set(item) => write!(f, "set[{item}]"),
            Self::Dict(key, value) => write!(f, "dict[{key}, {value}]"),
            Self::Tuple(items) => several(f, "tuple", items),
            Self::Optional(inner) => write!(f, "Optional[{inner}]"),
            Self::Union(types) => several(f, "Union", types),
            Self::Literal(constants) => {
                f.write_str("Literal[")?;
                list(f, constants)?;
                f.write_char(']')
            }
            Self::Code(language) => write!(f, "Code['{language}']"),
            Self::Named(named) => Display::fmt(named, f),
        }
    }
}

impl Display for Named {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path.join("."))?;
        if self.args.is_empty() {
            return Ok(());
        }
        f.write_char('[')?;
        list(f, &self.args)?;
        f.write_char(']')
    }
}

impl Display for Constant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => quoted(f, text),
            Self::Int(n) => Display::fmt(n, f),
            // Always with a point or an exponent, so that it is read as a float again.
            Self::Float(n) => write!(f, "{n:?}"),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::None => f.write_str("None"),
        }
    }
}

/// A text in single quotes, or in double ones where that saves a backslash, as Python shows it.
fn quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    f.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\\' => f.write_str("\\\\")?,
            c if c == quote => write!(f, "\\{c}")?,
            c if c.is_control() => write!(f, "\\u{{{:x}}}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    f.write_char(quote)
}
