//! How many texts a second a static embedding model takes.
//!
//! ```text
//! cargo bench -p dspy-core --features static-embeddings --bench static_embeddings -- [folder of a model] [file of lines]
//! ```
//!
//! Without a model it makes one of 30,000 tokens with 256 numbers each, in the ways that weights are kept.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::{fs, path::Path, time::Instant};

use dspy_core::{data::Rng, lm::embed::StaticModel};
use serde_json::{Map, Value, json};

const TOKENS: usize = 30_000;
const DIMENSION: usize = 256;
const TEXTS: usize = 20_000;
const WORDS: usize = 15;

/// Words of two to four syllables, and their endings, which WordPiece finds in longer words.
fn vocabulary(rng: &mut Rng) -> Map<String, Value> {
    let syllable = |rng: &mut Rng| {
        let part = |letters: &[u8], rng: &mut Rng| char::from(letters[rng.below(letters.len())]);
        [part(b"bcdfghklmnprstvz", rng), part(b"aeiou", rng)].iter().collect::<String>()
    };
    let mut tokens = Map::new();
    for special in ["[PAD]", "[UNK]"] {
        tokens.insert(special.into(), tokens.len().into());
    }
    for letter in 'a'..='z' {
        tokens.insert(letter.into(), tokens.len().into());
        tokens.insert(format!("##{letter}"), tokens.len().into());
    }
    while tokens.len() < TOKENS {
        let length = 2 + rng.below(3);
        let word: String = (0..length).map(|_| syllable(rng)).collect();
        let token = if rng.below(5) == 0 { format!("##{word}") } else { word };
        let id = tokens.len();
        tokens.entry(token).or_insert(id.into());
    }
    tokens
}

fn write(folder: &Path, tokens: &Map<String, Value>, bits: usize, rng: &mut Rng) {
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "decoder": null,
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": tokens},
    });
    let n = TOKENS * DIMENSION;
    let header = json!({"embeddings": {
        "dtype": if bits == 8 { "I8" } else { "F32" }, "shape": [TOKENS, DIMENSION], "data_offsets": [0, n * bits / 8],
    }})
    .to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    for _ in 0..n {
        match bits {
            8 => file.push(rng.below(256) as u8),
            _ => file.extend((rng.unit() as f32 - 0.5).to_le_bytes()),
        }
    }
    fs::write(folder.join("model.safetensors"), file).unwrap();
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    fs::write(folder.join("config.json"), r#"{"normalize": true}"#).unwrap();
}

/// Sentences of words from the vocabulary; every tenth word is not in it and is made of its parts.
fn sentences(tokens: &Map<String, Value>, rng: &mut Rng) -> Vec<String> {
    let words: Vec<&String> = tokens.keys().filter(|token| !token.starts_with(['#', '['])).collect();
    let word = |rng: &mut Rng| {
        let mut word = words[rng.below(words.len())].clone();
        if rng.below(10) == 0 {
            word.push_str(words[rng.below(words.len())]);
        }
        word
    };
    (0..TEXTS).map(|_| (0..WORDS).map(|_| word(rng)).collect::<Vec<_>>().join(" ") + ".").collect()
}

/// How long this thread has had a processor, in seconds; where the system does not say, 0.
fn processor_time() -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

fn measure(what: &str, folder: &Path, texts: &[String]) {
    let began = Instant::now();
    let model = StaticModel::open(folder).unwrap();
    println!("{what}: opened in {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
    let bytes: usize = texts.iter().map(String::len).sum();
    println!("  {} texts of {} bytes", texts.len(), bytes / texts.len());
    let (mut best, mut processor) = (f64::MAX, f64::MAX);
    for _ in 0..5 {
        let (began, worked) = (Instant::now(), processor_time());
        for text in texts {
            std::hint::black_box(model.vectors(&[text]).unwrap());
        }
        best = best.min(began.elapsed().as_secs_f64());
        processor = processor.min(processor_time() - worked);
    }
    println!(
        "  one at a time: {:.0} a second; {:.1} µs of a processor each",
        texts.len() as f64 / best,
        processor * 1e6 / texts.len() as f64
    );
    let mut best = f64::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        std::hint::black_box(model.vectors(texts).unwrap());
        best = best.min(began.elapsed().as_secs_f64());
    }
    println!("  all at once: {:.0} a second", texts.len() as f64 / best);
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    println!("{} processors", std::thread::available_parallelism().map_or(1, usize::from));
    if let [folder, file, ..] = &arguments[..] {
        let text = fs::read_to_string(file).unwrap();
        let texts: Vec<String> = text.lines().map(str::to_owned).collect();
        return measure(folder, Path::new(folder), &texts);
    }
    let mut rng = Rng::new(7);
    let tokens = vocabulary(&mut rng);
    let texts = sentences(&tokens, &mut rng);
    for (what, bits) in [("32 bits", 32), ("8 bits", 8)] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &tokens, bits, &mut rng);
        measure(what, folder.path(), &texts);
    }
}
