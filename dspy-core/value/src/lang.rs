//! Languages of program text, as the parameter of [`Code`](super::Code).

/// A programming language.
///
/// ```
/// # use dspy_value::{Code, lang::Language};
/// struct Zig;
/// impl Language for Zig {
///     const NAME: &'static str = "zig";
/// }
/// let code = Code::<Zig>::new("const x = 1;");
/// assert_eq!(code.language(), "zig");
/// ```
pub trait Language: 'static {
    /// The name that stands behind the opening fence in Markdown, in lower case: `rust`.
    const NAME: &'static str;
}

macro_rules! languages {
    ($($name:ident = $text:literal, $doc:literal;)*) => {$(
        #[doc = concat!($doc, ".")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {}
        impl Language for $name {
            const NAME: &'static str = $text;
        }
    )*};
}
languages! {
    Rust = "rust", "Rust";
    Python = "python", "Python";
    Sql = "sql", "SQL";
    JavaScript = "javascript", "JavaScript";
    TypeScript = "typescript", "TypeScript";
    Go = "go", "Go";
    Java = "java", "Java";
    C = "c", "C";
    Cpp = "cpp", "C++";
    Bash = "bash", "Bash";
    Json = "json", "JSON, kept as text";
    Html = "html", "HTML";
}

/// Whether a word behind an opening fence means this language.
pub(crate) fn is_named(language: &str, word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let aliases: &[&str] = match language {
        "rust" => &["rs"],
        "python" => &["py", "python3"],
        "javascript" => &["js", "mjs", "node"],
        "typescript" => &["ts"],
        "go" => &["golang"],
        "cpp" => &["c++", "cc", "cxx"],
        "bash" => &["sh", "shell", "zsh", "console"],
        "sql" => &["postgresql", "postgres", "mysql", "sqlite", "tsql", "plsql"],
        "json" => &["jsonc", "json5"],
        "html" => &["htm", "xhtml"],
        _ => &[],
    };
    word == language || aliases.contains(&&*word)
}
