//! A type that cannot be shared between threads.

use std::cell::Cell;

use dspy::prelude::*;

struct Counter {
    count: Cell<u32>,
}

#[tool]
impl Counter {
    /// Count.
    #[tool]
    fn count(&self, by: u32) -> u32 {
        self.count.set(self.count.get() + by);
        self.count.get()
    }
}

fn main() {}
