//! Methods that cannot be shared.

use dspy::prelude::*;

struct Cart;

#[tool]
impl Cart {
    /// Put.
    #[tool]
    fn put(&mut self, item: String) {}

    /// Take.
    #[tool]
    fn take(self) {}
}

struct Empty;

#[tool]
impl Empty {
    fn untold(&self) {}
}

struct Alone;

impl Alone {
    /// Look.
    #[tool]
    fn look(&self) {}
}

fn main() {}
