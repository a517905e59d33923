//! A tool that cannot go to another thread.

use std::rc::Rc;

use dspy::prelude::*;

/// Count.
#[tool]
async fn count(text: String) -> usize {
    let shared = Rc::new(text);
    std::future::ready(()).await;
    shared.len()
}

struct Words;

#[tool]
impl Words {
    /// Count.
    #[tool]
    async fn count(&self, text: String) -> usize {
        let shared = Rc::new(text);
        std::future::ready(()).await;
        shared.len()
    }
}

fn main() {}
