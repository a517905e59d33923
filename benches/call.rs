//! What a call costs besides the request: rendering, reading, and a whole call that the memory cache answers.
//!
//! `cargo bench --bench call`

#![allow(missing_docs, clippy::unwrap_used)]

use dspy::{
    LmError,
    lm::{BoxFuture, Cache, LanguageModel, Request, Response},
    prelude::*,
};

#[dspy::value]
struct Item {
    /// what it is
    name: String,
    quantity: u32,
    price: f64,
    tags: Vec<String>,
}

#[dspy::value]
enum Priority {
    Low,
    Normal,
    High,
}

/// Read the order from the customer's mail.
#[signature]
struct ReadOrder {
    /// the mail
    #[input]
    mail: String,
    /// earlier orders of the customer
    #[input]
    earlier: Vec<String>,
    /// what is ordered
    #[output]
    items: Vec<Item>,
    #[output]
    priority: Priority,
    /// a note for the warehouse
    #[output]
    note: Option<String>,
}

fn record(i: u32) -> ReadOrder {
    ReadOrder {
        mail: format!(
            "Hello, please send {i} boxes of screws and two hammers to the usual address. Thank you!"
        ),
        earlier: vec!["3 boxes of nails".into(), "1 saw".into()],
        items: (0..3)
            .map(|n| Item {
                name: format!("item {n}"),
                quantity: i + n,
                price: 4.5,
                tags: vec!["steel".into(), "small".into()],
            })
            .collect(),
        priority: Priority::Normal,
        note: Some("leave at the gate".into()),
    }
}

/// Answers as a model would that does as it is told.
struct Obedient(String);

impl LanguageModel for Obedient {
    fn id(&self) -> &str {
        "bench/obedient"
    }

    fn generate<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async { Ok(Response::text(self.0.clone())) })
    }
}

fn answer() -> String {
    let output = ReadOrderOutput::from(record(7));
    format!(
        "[[ ## items ## ]]\n{}\n\n[[ ## priority ## ]]\nNormal\n\n[[ ## note ## ]]\nleave at the gate\n\n[[ ## completed ## ]]",
        serde_json::to_string(&output.items).unwrap()
    )
}

fn program(cache: Cache) -> Predict<ReadOrder> {
    let lm = LM::wrap(Obedient(answer())).cache(cache).build().unwrap();
    Predict::<ReadOrder>::new().lm(lm).demos((0..8).map(record))
}

/// Everything but the model: rendering with 8 demonstrations that are rendered already, reading five fields.
#[divan::bench]
fn format_and_parse(bencher: divan::Bencher<'_, '_>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (program, input) = (program(Cache::off()), ReadOrderInput::from(record(7)));
    bencher.bench_local(|| runtime.block_on(program.forward(input.clone())).unwrap());
}

#[divan::bench]
fn call_with_trace(bencher: divan::Bencher<'_, '_>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (program, input) = (program(Cache::off()), ReadOrderInput::from(record(7)));
    bencher.bench_local(|| runtime.block_on(program.call(input.clone())).unwrap());
}

/// Answer the question.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

/// The least there is: one text in, one text out, no demonstrations.
#[divan::bench]
fn call_of_one_text(bencher: divan::Bencher<'_, '_>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let model = Obedient("[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]".into());
    let program = Predict::<Qa>::new().lm(LM::wrap(model).cache(Cache::off()).build().unwrap());
    bencher.bench_local(|| runtime.block_on(program.call("What is the capital of France?")).unwrap());
}

#[divan::bench]
fn call_answered_by_the_memory_cache(bencher: divan::Bencher<'_, '_>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (program, input) = (program(Cache::memory(1000)), ReadOrderInput::from(record(7)));
    bencher.bench_local(|| runtime.block_on(program.forward(input.clone())).unwrap());
}

#[divan::bench]
fn render_only(bencher: divan::Bencher<'_, '_>) {
    let (program, input) = (program(Cache::off()), ReadOrderInput::from(record(7)));
    bencher.bench_local(|| program.render(input.clone()).unwrap());
}

fn main() {
    divan::main();
}
