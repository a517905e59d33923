//! The names of types: those of DSPy, those of Rust, and those that are neither.

use crate::TypeKind;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Known {
    /// A type without parameters.
    Plain(TypeKind),
    /// The type that has one value.
    None,
    List,
    Set,
    Dict,
    Tuple,
    Optional,
    Union,
    Literal,
    Code,
    /// What is just its parameter, such as `Box`.
    Transparent,
    /// A type that no field can have; what to write instead.
    Refused(&'static str),
}

const INTS: [&str; 12] =
    ["i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize"];
const FLOATS: [&str; 2] = ["f32", "f64"];

/// Modules whose types are known by their last name alone.
const MODULES: [&str; 7] = ["typing", "collections", "builtins", "std", "core", "alloc", "serde_json"];

/// What a path stands for; `None` when it is the name of something else.
pub(crate) fn known(path: &[&str]) -> Option<Known> {
    let name = match path {
        [name] => *name,
        ["dspy", "Code"] | ["dspy", "value", "Code"] => "Code",
        ["serde_json", "Value"] => "Any",
        [module, .., name] if MODULES.contains(module) => *name,
        _ => return None,
    };
    if let Some(name) = INTS.iter().find(|n| **n == name) {
        return Some(Known::Plain(TypeKind::Int(name)));
    }
    if let Some(name) = FLOATS.iter().find(|n| **n == name) {
        return Some(Known::Plain(TypeKind::Float(name)));
    }
    Some(match name {
        "str" | "String" => Known::Plain(TypeKind::Str),
        "bool" => Known::Plain(TypeKind::Bool),
        "int" => Known::Plain(TypeKind::Int("i64")),
        "float" => Known::Plain(TypeKind::Float("f64")),
        "Any" | "object" => Known::Plain(TypeKind::Any),
        "None" | "NoneType" => Known::None,
        "list" | "List" | "Sequence" | "Vec" | "VecDeque" => Known::List,
        "set" | "Set" | "frozenset" | "FrozenSet" | "HashSet" | "BTreeSet" => Known::Set,
        "dict" | "Dict" | "Mapping" | "HashMap" | "BTreeMap" => Known::Dict,
        "tuple" | "Tuple" => Known::Tuple,
        "Optional" | "Option" => Known::Optional,
        "Union" => Known::Union,
        "Literal" => Known::Literal,
        "Code" => Known::Code,
        "Box" | "Arc" | "Rc" => Known::Transparent,
        "string" | "Str" | "text" | "Text" => Known::Refused("write `str`"),
        "integer" | "Integer" | "Int" | "long" => Known::Refused("write `int`"),
        "number" | "Number" | "Float" | "double" | "Double" => Known::Refused("write `float`"),
        "boolean" | "Boolean" | "Bool" => Known::Refused("write `bool`"),
        "array" | "Array" => Known::Refused("write `list[...]`"),
        "map" | "Map" => Known::Refused("write `dict[str, ...]`"),
        "null" | "nil" | "void" => Known::Refused("write `Optional[...]` around what may be missing"),
        "bytes" | "bytearray" => {
            Known::Refused("a field is text or data; write `str`, or `dspy.File` for the content of a file")
        }
        "complex" => Known::Refused("write `tuple[float, float]`"),
        "char" => Known::Refused("write `str`"),
        "Annotated" => Known::Refused("write the type alone; descriptions are given apart from it"),
        _ => return None,
    })
}

/// A name that differs from a known one only in its capitals.
pub(crate) fn other_case(path: &[&str]) -> Option<&'static str> {
    const NAMES: [&str; 12] = [
        "str", "int", "float", "bool", "list", "dict", "set", "tuple", "Optional", "Union", "Literal", "None",
    ];
    let [name] = path else { return None };
    NAMES.into_iter().find(|n| n != name && n.eq_ignore_ascii_case(name))
}
