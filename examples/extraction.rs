//! Typed extraction: a list of structs, an enum and an option from a text.
//!
//! ```text
//! cargo run -p dspy-examples --features tls --bin extraction -- --model openai/gpt-4o-mini
//! ```
//!
//! Without `--model` and `--api-base` it starts the demonstration server, which fills in the types with pieces of the
//! text and understands nothing.

#![allow(clippy::print_stdout)]

mod support;

use dspy::prelude::*;

/// How soon something is needed.
#[dspy::value]
#[serde(rename_all = "snake_case")]
enum Urgency {
    /// No date is named, or one that is more than a week away.
    Normal,
    /// Within a week.
    Urgent,
}

/// One thing that is ordered.
#[dspy::value]
struct Item {
    /// as the customer calls it
    name: String,
    quantity: u32,
    /// for one, in the currency of the text
    unit_price: Option<f64>,
}

#[dspy::value]
struct Address {
    street: String,
    city: String,
    postal_code: Option<String>,
}

/// Read the order that a customer wrote.
#[signature]
struct ReadOrder {
    #[input]
    message: String,
    /// everything that is ordered, in the order of the message
    #[output(assert(|items: &[Item]| !items.is_empty(), "at least one item"))]
    items: Vec<Item>,
    #[output]
    ship_to: Address,
    #[output]
    urgency: Urgency,
    /// who signs
    #[output]
    customer: Option<String>,
}

const MESSAGE: &str = "Good morning! Please send 3 boxes of green tea at 4.50 each and 12 cups to Lindenstrasse 8 in \
                       Berlin. It is urgent, we open on Friday. Thank you, Jo";

#[tokio::main]
async fn main() -> Result<()> {
    let setup = support::setup(&[])?;
    let program = Predict::<ReadOrder>::new();
    let order = program.call(setup.words_or(MESSAGE).as_str()).await?;

    for item in &order.items {
        let price = item.unit_price.map_or("no price".into(), |p| format!("{p:.2} each"));
        println!("{:>4} x {} ({price})", item.quantity, item.name);
    }
    println!("to {}, {} ({:?})", order.ship_to.street, order.ship_to.city, order.urgency);
    println!("for {}\n", order.customer.as_deref().unwrap_or("nobody in particular"));

    // What had to be bent to read the answer, and what was asked again.
    for step in order.trace() {
        println!("{} coercions, {} further requests", step.coercions.len(), step.retries.len());
    }
    println!("\nThe model was told:\n\n{}", program.render(MESSAGE)?[0].content.text());
    Ok(())
}
