//! Reads answers as models write them, and shows what had to be bent.
#![allow(clippy::print_stdout)]

use dspy_value::{Raw, ReadOptions, read};

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum Status {
    Open,
    InTransit,
}

#[derive(Debug, serde::Deserialize)]
#[allow(dead_code)]
struct Order {
    customer: String,
    status: Status,
    total: f64,
    note: Option<String>,
}

fn main() {
    let answers = [
        "Sure!\n```json\n{'customer': \"Ada\", status: 'In Transit', \"total\": \"$1,013.70\", 'note': None,}\n```",
        "Customer: Zoë\nStatus: open\nTotal: 12,50 €\nNote: n/a",
        "{\"customer\": \"Bo\", \"status\": \"open\", \"total\": 7/10}",
    ];
    for answer in answers {
        println!("{answer}");
        match read::<Order>(Raw::text(answer), &ReadOptions::default()) {
            Ok(reading) => {
                println!("  -> {:?}", reading.value);
                for bent in reading.coercions {
                    println!("     `{}`: {} (cost {})", bent.path, bent.kind, bent.cost);
                }
            }
            Err(error) => println!("  -> refused: {error}"),
        }
    }
}
