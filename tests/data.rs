//! Data sets through the public interface.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::path::{Path, PathBuf};

use dspy::{
    data::{self, Banking77, CsvReader, Gsm8k, HotPotKind, HotPotQa, JsonReader},
    prelude::*,
};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Say it in other words.
#[signature]
struct Reword {
    #[input]
    text: String,
    #[output]
    words: u32,
}

#[test]
fn every_format_gives_the_records_of_a_signature() {
    let folder = folder();
    let rows = [
        ("rows.jsonl", "{\"text\":\"a, b\",\"words\":2}\n\n{\"words\":1,\"text\":\"c\"}\n"),
        ("rows.json", "[{\"text\":\"a, b\",\"words\":2},\n{\"words\":1,\"text\":\"c\"}]"),
        ("rows.csv", "words,text\r\n2,\"a, b\"\r\n1,c\r\n"),
    ];
    for (name, text) in rows {
        let path = write(folder.path(), name, text);
        let rows: Vec<Reword> = data::load(&path).unwrap();
        let found: Vec<(&str, u32)> = rows.iter().map(|r| (r.text.as_str(), r.words)).collect();
        assert_eq!(found, [("a, b", 2), ("c", 1)], "{name}");
        assert_eq!(data::rows::<Reword>(&path).unwrap().map(|r| r.unwrap().words).sum::<u32>(), 3);
    }
}

#[test]
fn a_bad_row_is_named_and_the_others_are_read() {
    let folder = folder();
    let bad = [
        (
            "rows.jsonl",
            "{\"text\":\"a\",\"words\":1}\n{\"text\":\"b\",\"words\":-1}\n{\"text\":\"c\",\"words\":3}",
            2,
        ),
        (
            "rows.json",
            "[{\"text\":\"a\",\"words\":1},\n\n{\"text\":\"b\",\"words\":-1},{\"text\":\"c\",\"words\":3}]",
            3,
        ),
        ("rows.csv", "text,words\n\"a\na\",1\nb,-1\nc,3\n", 4),
    ];
    for (name, text, line) in bad {
        let path = write(folder.path(), name, text);
        let rows: Vec<Result<Reword>> = data::rows(&path).unwrap().collect();
        assert_eq!((rows.len(), rows[2].as_ref().unwrap().words), (3, 3), "{name}");
        let Err(Error::Dataset { path: named, line: Some(at), message }) = &rows[1] else {
            panic!("{name}: {:?}", rows[1])
        };
        assert_eq!((named, *at), (&path, line), "{message}");
        assert!(data::load::<Reword>(&path).is_err());
    }
}

#[test]
fn readers_take_any_source() {
    let rows: Vec<Reword> =
        CsvReader::new("text,words\na,1\n".as_bytes(), "memory").collect::<Result<_>>().unwrap();
    assert_eq!(rows[0].text, "a");
    let rows: Vec<Reword> = JsonReader::new("[{\"text\":\"a\",\"words\":1}]".as_bytes(), "memory")
        .collect::<Result<_>>()
        .unwrap();
    assert_eq!(rows[0].words, 1);
}

#[test]
fn published_forms_are_read() {
    let folder = folder();
    let path = write(
        folder.path(),
        "train.jsonl",
        "{\"question\": \"Ann has 2 boxes of 6 eggs. How many eggs?\", \"answer\": \"2 * 6 = <<2*6=12>>12\\n#### 12\"}\n",
    );
    let rows = Gsm8k::load(&path).unwrap();
    assert_eq!((rows[0].reasoning.as_str(), rows[0].answer.as_str()), ("2 * 6 = 12", "12"));
    let path = write(folder.path(), "bad.jsonl", "{\"question\": \"?\", \"answer\": \"12\"}\n");
    let error = Gsm8k::load(&path).unwrap_err().to_string();
    assert!(error.contains("bad.jsonl, line 1") && error.contains("`#### `"), "{error}");

    let path = write(
        folder.path(),
        "hotpot.json",
        "[{\"_id\":\"q1\",\"answer\":\"yes\",\"question\":\"Are both rivers?\",\"supporting_facts\":[[\"Nile\",0]],\
         \"context\":[[\"Nile\",[\"A river.\",\" It is long.\"]]],\"type\":\"comparison\",\"level\":\"easy\"}]",
    );
    let rows = HotPotQa::load(&path).unwrap();
    assert_eq!(
        (rows[0].kind, rows[0].context[0].text()),
        (HotPotKind::Comparison, "Nile | A river. It is long.".into())
    );

    let path = write(folder.path(), "bank.csv", "text,category\n\"My card, where is it?\",card_arrival\n");
    assert_eq!(Banking77::load(&path).unwrap()[0].category, "card_arrival");
    let path =
        write(folder.path(), "bank.jsonl", "{\"text\":\"?\",\"label\":11,\"label_text\":\"card_arrival\"}\n");
    assert_eq!(Banking77::load(&path).unwrap()[0].category, "card_arrival");
}

#[cfg(feature = "parquet")]
mod parquet {
    use std::collections::BTreeMap;

    use dspy::data::ParquetReader;
    use serde::Deserialize;

    use super::*;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
    }

    #[test]
    fn published_forms_are_read() {
        let rows = HotPotQa::load(fixture("hotpotqa.parquet")).unwrap();
        assert_eq!((rows.len(), rows[0].gold_titles()), (2, vec!["Cairo", "Nile"]));
        assert_eq!(
            rows[0].context[1].sentences,
            ["The Nile is a river.", " It flows into the Mediterranean."]
        );
        assert!(rows[0].context[2].sentences.is_empty());
        let rows = Banking77::load(fixture("banking77.parquet")).unwrap();
        assert_eq!(
            rows.iter().map(|r| r.category.as_str()).collect::<Vec<_>>(),
            ["card_arrival", "age_limit"]
        );
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Kinds {
        text: Option<String>,
        flag: Option<bool>,
        small: u8,
        large: u64,
        ratio: Option<f64>,
        exact: Option<f64>,
        price: Option<String>,
        day: Option<String>,
        time: Option<String>,
        tags: Option<Vec<String>>,
        named: Option<BTreeMap<String, i64>>,
        raw: Option<serde_json::Value>,
    }

    #[test]
    fn every_kind_of_column_is_read() {
        let rows: Vec<Kinds> = data::load(fixture("kinds.parquet")).unwrap();
        let first = Kinds {
            text: Some("a".into()),
            flag: Some(true),
            small: 1,
            large: 1 << 63,
            ratio: Some(0.1),
            exact: Some(0.1),
            price: Some("1.50".into()),
            day: Some("2024-02-29".into()),
            time: rows[0].time.clone(),
            tags: Some(vec!["x".into(), "y".into()]),
            named: Some(BTreeMap::from([("k".into(), 1)])),
            raw: Some("plain".into()),
        };
        assert_eq!(rows[0], first);
        assert!(rows[0].time.as_ref().unwrap().starts_with("2024-02-29 12:30:15"), "{:?}", rows[0].time);
        assert_eq!((rows[1].text.as_ref(), rows[1].ratio, rows[1].exact), (None, None, Some(1e300)));
        assert_eq!(rows[1].raw, Some(serde_json::json!([255, 0])));
        assert_eq!((rows[1].price.as_deref(), rows[1].tags.as_deref()), (Some("-2.25"), Some(&[][..])));
        assert_eq!(
            (rows[2].exact, rows[2].day.as_deref(), &rows[2].named),
            (None, Some("1969-12-31"), &None)
        );
    }

    #[test]
    fn a_bad_row_is_named() {
        #[derive(Debug, Deserialize)]
        struct Row {
            text: String,
        }
        let rows: Vec<Result<Row>> = ParquetReader::open(fixture("kinds.parquet")).unwrap().collect();
        assert_eq!((rows[0].as_ref().unwrap().text.as_str(), rows.len(), rows[2].is_ok()), ("a", 3, true));
        let error = rows[1].as_ref().unwrap_err().to_string();
        assert!(
            error.contains("kinds.parquet: row 2: invalid type: null") && error.contains("`text`, `flag`"),
            "{error}"
        );
    }

    #[test]
    fn damaged_files_are_refused() {
        let folder = folder();
        let path = write(folder.path(), "no.parquet", "text,label\n");
        let error = data::load::<Kinds>(&path).unwrap_err().to_string();
        assert!(error.contains("not a Parquet file"), "{error}");
        // Wherever a byte is wrong, there is an error or a value, and never a panic.
        let whole = std::fs::read(fixture("hotpotqa.parquet")).unwrap();
        let path = folder.path().join("damaged.parquet");
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            std::fs::write(&path, &bytes).unwrap();
            let _ = HotPotQa::load(&path);
        }
        std::panic::set_hook(hook);
    }
}

/// The published files themselves, in the folder that `DSPY_DATA` names: `gsm8k/train.jsonl`, `banking77/train.csv`.
#[test]
fn published_files_are_read_whole() {
    let Some(folder) = std::env::var_os("DSPY_DATA").map(PathBuf::from) else {
        eprintln!("skipped: set DSPY_DATA to a folder with gsm8k/train.jsonl and banking77/train.csv");
        return;
    };
    let rows = Gsm8k::load(folder.join("gsm8k/train.jsonl")).unwrap();
    assert_eq!(rows.len(), 7473);
    for row in &rows {
        assert!(row.answer.parse::<f64>().is_ok(), "{:?}", row.answer);
        assert!(!row.reasoning.contains("<<") && !row.reasoning.contains("####"), "{}", row.reasoning);
        assert!(row.is_right(&format!("So the answer is ${}.", row.answer)), "{}", row.answer);
    }
    let rows = Banking77::load(folder.join("banking77/train.csv")).unwrap();
    assert_eq!(rows.len(), 10_003);
    let mut intents: Vec<&str> = rows.iter().map(|r| r.category.as_str()).collect();
    intents.sort_unstable();
    intents.dedup();
    assert_eq!(intents.len(), 77);
}
