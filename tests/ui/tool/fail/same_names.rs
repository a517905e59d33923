//! Names that are given twice.

use dspy::prelude::*;

struct Library;

#[tool]
impl Library {
    /// Find by title.
    #[tool(name = "find")]
    fn by_title(&self, title: String) -> String {
        title
    }

    /// Find by author.
    #[tool(name = "find")]
    fn by_author(&self, author: String) -> String {
        author
    }
}

/// Compare.
#[tool(desc = "Compares.", desc = "Compares two.")]
fn compare(a: String, #[arg(name = "a")] b: String) -> bool {
    a == b
}

fn main() {}
