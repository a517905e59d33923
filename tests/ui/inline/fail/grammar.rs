use dspy::prelude::*;

#[signature("question answer -> score")]
struct NoComma;

#[signature("question")]
struct NoArrow;

#[signature("question ->")]
struct NoOutput;

#[signature("question -> answer: string")]
struct OtherName;

#[signature("question -> answer: list[str")]
struct OpenBracket;

#[signature("question -> question")]
struct TheSameTwice;

#[signature("question -> completed: bool")]
struct Reserved;

#[signature(
    "question,
     context: lst of str
     -> answer"
)]
struct SecondLine;

fn main() {}
