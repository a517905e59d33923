use dspy::prelude::*;

#[signature]
struct Order {
    // What the program gives is not checked.
    #[input]
    #[schemars(length(min = 1))]
    text: String,
    #[output]
    #[schemars(range(min = 1, max = 99))]
    count: u8,
    #[output(assert(|m: &str| m.contains('@'), "an address"))]
    #[schemars(email, title = "address")]
    mail: String,
    #[output]
    #[schemars(inner(regex(pattern = "^[a-z]+$")))]
    tags: Vec<String>,
}

fn main() {}
