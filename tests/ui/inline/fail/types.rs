use dspy::prelude::*;

struct Plain;

#[signature("question -> answer: list[Plain]")]
struct NoFieldType;

#[signature("question -> answer: int | str")]
struct NoRustType;

#[signature("question -> language: Literal['C', 'C++']")]
struct EqualVariants;

#[signature("question -> score: int = 'high'")]
struct WrongDefault;

#[signature("question -> self: str")]
struct NoRustName;

fn main() {}
