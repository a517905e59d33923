//! Reading a 100 KB answer: clean beside `serde_json`, mangled, and in pieces as it arrives.

use divan::{Bencher, counter::BytesCount};
use dspy_value::{Form, PartialReader, Raw, ReadOptions, TypeInfo, read};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

fn main() {
    divan::main();
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Order {
    id: u64,
    customer: String,
    note: Option<String>,
    status: Status,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    Open,
    InTransit,
    Delivered,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Line {
    sku: String,
    quantity: u32,
    price: f64,
    gift: bool,
}

fn orders() -> Vec<Order> {
    let line = |i: u64| Line {
        sku: format!("SKU-{i:05}"),
        quantity: (i % 7) as u32,
        price: i as f64 * 1.25,
        gift: i.is_multiple_of(3),
    };
    let order = |i: u64| Order {
        id: i,
        customer: format!("Customer number {i}, from the {}th street", i % 90),
        note: i.is_multiple_of(2).then(|| format!("Leave it at the \"back\" door of house {i}.\nThank you!")),
        status: [Status::Open, Status::InTransit, Status::Delivered][i as usize % 3].clone(),
        lines: (0..i % 5).map(line).collect(),
    };
    (0..430).map(order).collect()
}

fn clean() -> String {
    serde_json::to_string(&orders()).unwrap_or_default()
}

/// The same answer as a careless model writes it.
fn mangled() -> String {
    let body = serde_json::to_string_pretty(&orders()).unwrap_or_default();
    let body = body
        .replace("true", "True")
        .replace("null", "None")
        .replace("\"sku\"", "sku")
        .replace("\n    }", ",\n    }");
    let body =
        body.replace("\"quantity\"", "'Quantity'").replace("in_transit", "In Transit").replace("},", "}");
    format!("Here are the orders you asked for:\n```json\n{body}\n```\nLet me know if you need more.")
}

#[divan::bench]
fn serde_json_clean(bencher: Bencher<'_, '_>) {
    let text = clean();
    bencher
        .counter(BytesCount::of_str(&text))
        .bench_local(|| serde_json::from_str::<Vec<Order>>(divan::black_box(&text)).is_ok());
}

fn ours(bencher: Bencher<'_, '_>, text: &str) {
    assert!(read::<Vec<Order>>(Raw::text(text), &ReadOptions::default()).is_ok_and(|r| r.value.len() == 430));
    bencher.counter(BytesCount::of_str(text)).bench_local(|| {
        read::<Vec<Order>>(Raw::text(divan::black_box(text)), &ReadOptions::default()).is_ok()
    });
}

#[divan::bench]
fn dspy_clean(bencher: Bencher<'_, '_>) {
    ours(bencher, &clean());
}

#[divan::bench]
fn dspy_clean_in_fence(bencher: Bencher<'_, '_>) {
    ours(bencher, &format!("Here are the orders:\n```json\n{}\n```\nLet me know if you need more.", clean()));
}

#[divan::bench]
fn dspy_mangled(bencher: Bencher<'_, '_>) {
    ours(bencher, &mangled());
}

#[divan::bench]
fn serde_json_value_clean(bencher: Bencher<'_, '_>) {
    let text = clean();
    bencher
        .counter(BytesCount::of_str(&text))
        .bench_local(|| serde_json::from_str::<serde_json::Value>(divan::black_box(&text)).is_ok());
}

#[divan::bench]
fn dspy_value_clean(bencher: Bencher<'_, '_>) {
    let text = clean();
    bencher.counter(BytesCount::of_str(&text)).bench_local(|| {
        read::<serde_json::Value>(Raw::json(divan::black_box(&text)), &ReadOptions::default()).is_ok()
    });
}

/// An answer of `copies` times 100 KB, 20 bytes at a time, with a look at the value after each piece.
#[divan::bench(args = [1, 10])]
fn dspy_partial(bencher: Bencher<'_, '_>, copies: usize) {
    in_pieces(bencher, &serde_json::to_string(&repeated(copies)).unwrap_or_default());
}

/// The same, indented and in a fence.
#[divan::bench(args = [1, 10])]
fn dspy_partial_pretty(bencher: Bencher<'_, '_>, copies: usize) {
    let text = serde_json::to_string_pretty(&repeated(copies)).unwrap_or_default();
    in_pieces(bencher, &format!("Here are the orders:\n```json\n{text}\n```"));
}

fn repeated(copies: usize) -> Vec<Order> {
    (0..copies).flat_map(|_| orders()).collect()
}

fn in_pieces(bencher: Bencher<'_, '_>, text: &str) {
    let ty = TypeInfo::of::<Vec<Order>>();
    let pieces: Vec<&str> =
        text.as_bytes().chunks(20).filter_map(|piece| std::str::from_utf8(piece).ok()).collect();
    bencher.counter(BytesCount::of_str(text)).bench_local(|| {
        let mut reader = PartialReader::new(&ty, Form::Text);
        for piece in &pieces {
            reader.push(divan::black_box(piece));
            divan::black_box(reader.value());
        }
        reader.finish();
        reader.into_value()
    });
}
