use dspy::prelude::*;

const TEXT: &str = "question -> answer";

fn main() {
    let _ = predict!("question -> answer: flaot or so");
    let _ = predict!();
    let _ = predict!(TEXT);
    let _ = predict!("question -> answer", "One word.", 3);
    let _ = predict!("question -> answer", 3);
}
