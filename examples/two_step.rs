//! A program of two steps: the first sorts a message, the second answers it.
//!
//! ```text
//! cargo run -p dspy-examples --features tls --bin two_step -- --model openai/gpt-4o-mini "The courier lost my parcel."
//! ```
//!
//! Without `--model` and `--api-base` it starts the demonstration server, which copies from the prompt.

#![allow(clippy::print_stdout)]

mod support;

use dspy::prelude::*;

/// What a customer's message is about.
#[dspy::value]
#[serde(rename_all = "lowercase")]
enum Topic {
    Billing,
    Delivery,
    Technical,
}

/// Sort the customer's message.
#[signature]
struct Sort {
    #[input]
    message: String,
    #[output]
    topic: Topic,
    /// whether a person should look at it today
    #[output]
    urgent: bool,
}

/// Answer the customer's message in two friendly sentences.
#[signature]
struct Reply {
    #[input]
    message: String,
    #[input]
    topic: Topic,
    /// the house rule for this topic
    #[input]
    rule: String,
    #[output]
    reply: String,
}

/// Sorts a message, then answers it by the rule for its topic.
#[module]
struct Desk {
    sort: Predict<Sort>,
    reply: ChainOfThought<Reply>,
    /// Fields that hold no predictor need no mark.
    signed_by: String,
}

#[module]
impl Module for Desk {
    type Input = SortInput;
    type Output = ReplyOutput;

    async fn forward(&self, input: SortInput) -> Result<ReplyOutput> {
        let sorted = self.sort.call(input.clone()).await?;
        let rule = match sorted.topic {
            Topic::Billing => "Refunds take five days.",
            Topic::Delivery => "A lost parcel is sent again at no cost.",
            Topic::Technical => "Ask for the version that is used.",
        };
        let SortInput { message } = input;
        let question = ReplyInput { message, topic: sorted.topic.clone(), rule: rule.into() };
        let answer = self.reply.call(question).await?;
        Ok(ReplyOutput { reply: format!("{}\n\n{}", answer.reply, self.signed_by) })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let setup = support::setup(&[])?;
    let program =
        Desk { sort: Predict::new(), reply: ChainOfThought::new(), signed_by: "The tea house".into() };
    println!("The program, its predictors by path:\n{program}\n");

    let message = setup.words_or("Delivery never came: the courier lost my parcel.");
    let p = program.call(message).await?;
    println!("{}\n", p.reply);

    println!("The steps:");
    for step in p.trace() {
        let output = step.output_json().unwrap_or_default();
        println!("  {} took {:.1?}: {output}", step.path.as_deref().unwrap_or("?"), step.duration);
    }
    Ok(())
}
