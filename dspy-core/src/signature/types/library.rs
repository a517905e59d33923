//! The library's own field types by name.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::value::{
    Audio, Citations, Code, Document, File, History, Image, Reasoning, ToolCall, ToolCalls, ToolSpec,
    TypeInfo, lang, read_json, write_json,
};

macro_rules! library {
    ($($name:ident $(($alias:literal))? => $ty:ty;)*; $($language:ident = $text:literal,)*) => {
        /// A field type of the library.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Library {
            $($name,)*
            $($language,)*
        }

        impl Library {
            /// The type of this path: `Image`, `dspy.Image`, `dspy::value::Image`.
            pub(super) fn named(path: &[String]) -> Option<Self> {
                let name = match path {
                    [name] => name,
                    [module, .., name] if module == "dspy" => name,
                    _ => return None,
                };
                Some(match name.as_str() {
                    $(stringify!($name) $(| $alias)? => Self::$name,)*
                    _ => return None,
                })
            }

            /// The names of the types that need no parameter.
            pub(super) fn names() -> [&'static str; [$(stringify!($name)),*].len()] {
                [$(stringify!($name)),*]
            }

            /// Program text in this language.
            pub(super) fn code(language: &str) -> Option<Self> {
                Some(match language {
                    $($text => Self::$language,)*
                    _ => return None,
                })
            }

            /// The languages.
            pub(super) fn languages() -> [&'static str; [$($text),*].len()] {
                [$($text),*]
            }

            pub(super) fn info(self) -> TypeInfo {
                match self {
                    $(Self::$name => TypeInfo::of::<$ty>(),)*
                    $(Self::$language => TypeInfo::of::<Code<lang::$language>>(),)*
                }
            }

            pub(super) fn read<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
                match self {
                    $(Self::$name => tree(&<$ty>::deserialize(deserializer)?),)*
                    $(Self::$language => tree(&Code::<lang::$language>::deserialize(deserializer)?),)*
                }
            }

            /// Writes a value as its type does; one that is none of the type as the JSON it is.
            pub(super) fn write<S: Serializer>(self, value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$name => match read_json::<$ty>(value) {
                        Ok(typed) => typed.serialize(serializer),
                        Err(_) => value.serialize(serializer),
                    },)*
                    $(Self::$language => match read_json::<Code<lang::$language>>(value) {
                        Ok(typed) => typed.serialize(serializer),
                        Err(_) => value.serialize(serializer),
                    },)*
                }
            }
        }
    };
}

library! {
    Image => Image;
    Audio => Audio;
    File => File;
    Document => Document;
    History => History;
    Reasoning => Reasoning;
    Citations => Citations;
    Tool("ToolSpec") => ToolSpec;
    ToolCall => ToolCall;
    ToolCalls => ToolCalls;
    ;
    Rust = "rust",
    Python = "python",
    Sql = "sql",
    JavaScript = "javascript",
    TypeScript = "typescript",
    Go = "go",
    Java = "java",
    C = "c",
    Cpp = "cpp",
    Bash = "bash",
    Json = "json",
    Html = "html",
}

fn tree<T: Serialize, E: de::Error>(value: &T) -> Result<Value, E> {
    write_json(value).map_err(E::custom)
}
