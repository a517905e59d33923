//! What is given in the wrong place.

use dspy::prelude::*;

#[signature("question -> answer")]
struct Qa;

struct Cart;

#[tool]
impl Cart {
    /// Put.
    #[tool]
    fn put(&self, item: String) -> String {
        item
    }
}

/// Add.
fn add(a: i64, b: i64) -> i64 {
    a + b
}

fn main() {
    let cart = Arc::new(Cart);
    let one = ReAct::<Qa>::builder().tool(cart).build();
    let plain = ReAct::<Qa>::builder().tool(add).build();
    let closure = ReAct::<Qa>::builder().tool(|text: String| text).build();
}
