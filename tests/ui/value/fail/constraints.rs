#[dspy::value]
#[schemars(extend("x-note" = "n", "minProperties" = 1))]
struct Item {
    #[schemars(description = "range")]
    name: String,
    #[schemars(range(min = 1))]
    quantity: u32,
}

#[dspy::value]
enum Payment {
    Cash,
    Card {
        #[schemars(length(equal = 4))]
        digits: String,
    },
}

fn main() {}
