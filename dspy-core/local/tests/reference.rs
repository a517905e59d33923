//! Models in this process, compared with what `transformers` makes of the same files.
//!
//! Runs where `DSPY_REFERENCE_MODELS` names the folder that `tests/peers/reference_models.py` wrote.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use candle_core::{Device, safetensors};
use dspy_local::{Finish, GenerateOptions, Message, Model};
use futures_util::future::join_all;
use serde::Deserialize;

/// The largest difference of a logit that is due to the order of sums.
const CLOSE: f32 = 1e-3;

/// The largest share of the spread of logits by which those of packed weights may be off, in the root of the mean
/// square: products with them round the other factor to 8 bits, too.
const CLOSE_PACKED: f64 = 0.05;

/// A choice that was won by less may turn out otherwise. With packed weights a last bit can change how the other factor
/// is rounded.
fn even(name: &str) -> f32 {
    if packed(name) { 0.1 } else { 2.0 * CLOSE }
}

/// Makes candle unpack weights when it reads them, so that what is compared is the weights alone.
const UNPACK: &str = "CANDLE_DEQUANTIZE_ALL";

#[derive(Deserialize)]
struct Entry {
    name: String,
    path: String,
}

/// What is expected of one model.
#[derive(Deserialize)]
struct Expected {
    inputs: Vec<Vec<u32>>,
    texts: Vec<Text>,
    conversations: Vec<Conversation>,
    answers: BTreeMap<String, Continuation>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
    decoded: String,
}

#[derive(Deserialize)]
struct Conversation {
    name: String,
    messages: Vec<Turn>,
    /// `None` where the template refuses.
    text: Option<String>,
    ids: Option<Vec<u32>>,
}

#[derive(Deserialize)]
struct Turn {
    role: String,
    content: String,
}

impl Conversation {
    fn messages(&self) -> Vec<Message<'_>> {
        self.messages.iter().map(|turn| Message::new(&turn.role, &turn.content)).collect()
    }
}

/// The likeliest tokens, and by how much each was likelier than the second.
#[derive(Deserialize)]
struct Continuation {
    ids: Vec<u32>,
    margins: Vec<f32>,
}

/// The folder, where there is one to test with.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("DSPY_REFERENCE_MODELS").filter(|path| !path.is_empty());
    if folder.is_none() {
        eprintln!(
            "skipped: DSPY_REFERENCE_MODELS names no folder that tests/peers/reference_models.py wrote"
        );
    }
    folder.map(PathBuf::from)
}

/// Shows every model to `check`, which collects what differs.
fn for_each(check: impl Fn(&Entry, &Path, &Model, &Expected, &mut Vec<String>)) {
    let Some(folder) = folder() else { return };
    let index = std::fs::read(folder.join("index.json")).unwrap();
    let index: Vec<Entry> = serde_json::from_slice(&index).unwrap();
    let mut wrong = Vec::new();
    for entry in &index {
        let expected = std::fs::read(folder.join(format!("{}.json", entry.name))).unwrap();
        let expected: Expected = serde_json::from_slice(&expected).unwrap();
        let path = folder.join(&entry.path);
        match Model::open(&path) {
            Ok(model) => check(entry, &path, &model, &expected, &mut wrong),
            Err(e) => wrong.push(format!("{}: {e}", entry.name)),
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), index.len(), wrong.join("\n"));
}

/// Whether the weights are packed in blocks.
fn packed(name: &str) -> bool {
    ["-q8_0", "-q4_0", "-mixed"].iter().any(|kind| name.ends_with(kind))
}

#[test]
fn logits_are_those_of_transformers() {
    for_each(|entry, path, model, expected, wrong| {
        let file = path.with_file_name(format!("{}.logits.safetensors", entry.name));
        let logits = safetensors::load(file, &Device::Cpu).unwrap();
        let (mut worst, mut worst_packed) = (0f32, 0f64);
        for (i, ids) in expected.inputs.iter().enumerate() {
            let theirs: Vec<Vec<f32>> = logits[&format!("logits.{i}")].to_vec2().unwrap();
            let ours = model.logits(ids).unwrap();
            assert_eq!((ours.len(), ours[0].len()), (theirs.len(), theirs[0].len()), "{}", entry.name);
            let theirs = theirs.concat();
            let off: Vec<f32> = ours.concat().iter().zip(&theirs).map(|(a, b)| (a - b).abs()).collect();
            worst = off.iter().copied().fold(worst, f32::max);
            worst_packed = worst_packed.max(size(&off) / size(&theirs));
        }
        println!("{}: at most {worst:e}, {:.4} % of the spread", entry.name, 100.0 * worst_packed);
        let loose = packed(&entry.name) && std::env::var_os(UNPACK).is_none();
        if if loose { worst_packed > CLOSE_PACKED } else { worst > CLOSE } {
            wrong.push(format!("{}: logits are off by up to {worst}", entry.name));
        }
    });
}

#[test]
fn packed_weights_are_unpacked_rightly() {
    if folder().is_none() {
        return;
    }
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "logits_are_those_of_transformers", "--nocapture"]).env(UNPACK, "1");
    let output = again.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

/// The root of the mean square.
fn size(numbers: &[f32]) -> f64 {
    (numbers.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / numbers.len() as f64).sqrt()
}

#[test]
fn tokens_are_those_of_tokenizers() {
    for_each(|entry, _, model, expected, wrong| {
        for text in &expected.texts {
            let ids = model.encode(&text.text).unwrap();
            if ids != text.ids {
                wrong.push(format!("{}: {:?} is {ids:?}, not {:?}", entry.name, text.text, text.ids));
            }
            let decoded = model.decode(&text.ids).unwrap();
            if decoded != text.decoded {
                wrong.push(format!("{}: {:?} becomes {decoded:?}", entry.name, text.decoded));
            }
        }
    });
}

#[test]
fn conversations_are_rendered_as_transformers_does() {
    for_each(|entry, _, model, expected, wrong| {
        for conversation in &expected.conversations {
            let found = model.chat_tokens(&conversation.messages()).map_err(|e| e.to_string());
            match (&found, &conversation.ids) {
                (Ok(ours), Some(theirs)) if ours == theirs => {}
                (Err(_), None) => {}
                (found, _) => {
                    let found = found.as_ref().map(|ids| ids.iter().map(|id| model.decode(&[*id]).unwrap()));
                    let found = found.map(Iterator::collect::<String>);
                    let (name, expected) = (&conversation.name, &conversation.text);
                    wrong.push(format!("{}: {name}: {found:?}, not {expected:?}", entry.name));
                }
            }
        }
    });
}

/// The likeliest continuation of a prompt by our own logits, each step computed from the beginning.
fn continued(model: &Model, prompt: &[u32], like: &Continuation) -> Continuation {
    let mut ids = prompt.to_vec();
    let mut margins = Vec::new();
    for _ in &like.ids {
        let rows = model.logits(&ids).unwrap();
        let logits = rows.last().unwrap();
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
        margins.push(logits[order[0]] - logits[order[1]]);
        ids.push(order[0] as u32);
    }
    Continuation { ids: ids.split_off(prompt.len()), margins }
}

#[test]
fn answers_are_the_likeliest_tokens() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // All conversations at the same time, and again with what is kept of the first time.
    for_each(|entry, path, model, expected, wrong| {
        let fresh = Model::open(path).unwrap();
        let options =
            GenerateOptions { temperature: Some(0.0), max_tokens: Some(24), ..GenerateOptions::default() };
        let packed = packed(&entry.name);
        // With packed weights the answers are our own. They cost time: those to the longest conversation do.
        let wanted = |name: &str| expected.answers.contains_key(name) && (!packed || name == "turns");
        let mut own = BTreeMap::new();
        for conversation in expected.conversations.iter().filter(|c| packed && wanted(&c.name)) {
            let prompt = conversation.ids.as_deref().unwrap();
            let answer = continued(model, prompt, &expected.answers[&conversation.name]);
            own.insert(&conversation.name, answer);
        }
        for time in 0..2 {
            let asked: Vec<_> = expected
                .conversations
                .iter()
                .filter(|conversation| wanted(&conversation.name))
                .map(|conversation| (conversation, conversation.messages()))
                .collect();
            let answers = asked.iter().map(|(_, messages)| fresh.generate(messages, &options));
            let answers = runtime.block_on(join_all(answers));
            for ((conversation, _), answer) in asked.iter().zip(answers) {
                let answer = answer.unwrap();
                let theirs = &expected.answers[&conversation.name];
                let likeliest = own.get(&conversation.name).unwrap_or(theirs);
                // Behind a choice that was as good as even, both go their own ways.
                let close = likeliest.margins.iter().position(|margin| *margin < even(&entry.name));
                let text = model.decode(&likeliest.ids[..close.unwrap_or(likeliest.ids.len())]).unwrap();
                let found = &answer.answers[0].text;
                let right = match close {
                    None => *found == text,
                    Some(_) => found.starts_with(text.trim_end_matches('\u{fffd}')),
                };
                let place = format!("{}: {}, time {time}", entry.name, conversation.name);
                let tokens = answer.prompt_tokens;
                if time == 1 && tokens > 64 && answer.cached_prompt_tokens == 0 {
                    wrong.push(format!("{place}: nothing was kept of {tokens} tokens"));
                }
                if !right {
                    wrong.push(format!("{place}: {found:?}, not {text:?}"));
                }
                let ended = likeliest.ids.len() < 24;
                if !packed && close.is_none() && (answer.answers[0].finish == Finish::Stop) != ended {
                    wrong.push(format!("{place}: ended by {:?}", answer.answers[0].finish));
                }
            }
        }
    });
}
