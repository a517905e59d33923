
struct Person {
    name: String,
}
#[dspy::signature]
struct Find {
    #[input]
    text: String,
    #[output]
    person: Person,
}
fn main() {}
