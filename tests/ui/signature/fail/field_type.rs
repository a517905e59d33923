use dspy::prelude::*;

struct Person {
    name: String,
}

#[signature]
struct Find {
    #[input]
    text: String,
    #[output]
    person: Person,
}

fn main() {
    let _ = Predict::<Find>::new();
}
