//! The files of a static model.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;

use super::table::Tensors;

/// How many tokens of a text are looked at, unless the model says otherwise.
const MAX_TOKENS: usize = 512;

/// A model as its files describe it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) tokenizer: Tokenizer,
    pub(super) tensors: Tensors,
    /// The token that stands for unknown text, when it is to be passed over.
    pub(super) passed_over: Option<u32>,
    /// How many tokens and characters of a text are looked at.
    pub(super) limits: Option<(usize, usize)>,
    /// Whether vectors have the length 1.
    pub(super) normalize: bool,
    /// The same for the same vectors.
    pub(super) digest: String,
}

/// `config.json`, as far as it matters here.
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    normalize: Option<bool>,
    /// `null` is no limit, and nothing is the usual one.
    #[serde(default = "usual_limit")]
    max_length: Option<usize>,
}

fn usual_limit() -> Option<usize> {
    Some(MAX_TOKENS)
}

/// What a text goes through in Sentence Transformers.
#[derive(Deserialize)]
struct Step {
    #[serde(rename = "type")]
    kind: String,
}

/// The part of `tokenizer.json` that names the token for unknown text.
#[derive(Deserialize)]
struct TokenizerFile {
    model: TokenizerModel,
}

#[derive(Deserialize)]
struct TokenizerModel {
    #[serde(default)]
    unk_token: Option<String>,
    #[serde(default)]
    unk_id: Option<u32>,
}

fn in_file(path: &Path, why: impl std::fmt::Display) -> String {
    format!("{} {why}", path.display())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| in_file(path, format_args!("cannot be read: {e}")))
}

impl Opened {
    /// The model in a folder. The error names the file and what is wrong with it.
    pub(super) fn of_folder(folder: &Path) -> Result<Self, String> {
        if !folder.is_dir() {
            return Err(in_file(
                folder,
                "is no folder. Download a static model first, as with `hf download minishlab/potion-base-8M \
                 --local-dir models/potion-base-8M`",
            ));
        }
        let [weights, vocabulary] = files(folder)?;
        let mut digest = Sha256::new();
        let tensors = Tensors::read(&weights, &mut digest).map_err(|why| in_file(&weights, why))?;
        let text = read(&vocabulary)?;
        digest.update(&text);
        let text =
            String::from_utf8(text).map_err(|_| in_file(&vocabulary, "is not UTF-8; download it again"))?;
        let no_tokenizer =
            |e: &dyn std::fmt::Display| in_file(&vocabulary, format_args!("is no tokenizer: {e}"));
        // Unlike `from_file`, which is generic, this is compiled once, with its own crate.
        let mut tokenizer: Tokenizer = text.parse().map_err(|e| no_tokenizer(&e))?;
        let file: TokenizerFile = serde_json::from_str(&text).map_err(|e| no_tokenizer(&e))?;
        tokenizer.with_padding(None);

        let tokens = tokenizer.get_vocab(true);
        let needed = tokens.values().max().map_or(0, |id| *id as usize + 1);
        let known = tensors.tokens();
        // Vectors without tokens are of another tokenizer in model2vec; elsewhere they fill up the table.
        let same = tensors.of_model2vec && tensors.mapping.is_none();
        if needed == 0 || needed > known || (same && tokens.len() != known) {
            return Err(format!(
                "{} has {known} vectors where {} has {} tokens, numbered up to {needed}: the two files are not of the \
                 same model; download both again",
                weights.display(),
                vocabulary.display(),
                tokens.len(),
            ));
        }

        let mut opened = Self {
            tokenizer,
            tensors,
            passed_over: None,
            limits: None,
            normalize: false,
            digest: String::new(),
        };
        if opened.tensors.of_model2vec {
            let path = folder.join("config.json");
            let config: Config = serde_json::from_slice(&read(&path)?).map_err(|e| in_file(&path, e))?;
            opened.normalize = config.normalize.unwrap_or(false);
            opened.limits = config.max_length.map(|n| (n, n.saturating_mul(median_length(tokens.keys()))));
            let unknown = file.model.unk_token.and_then(|token| opened.tokenizer.token_to_id(&token));
            opened.passed_over = unknown.or(file.model.unk_id);
            opened.tokenizer.with_truncation(None).map_err(|e| no_tokenizer(&e))?;
        } else {
            opened.normalize = normalizes(folder)?;
        }
        digest.update(format!("{:?}{:?}", opened.normalize, opened.limits));
        opened.digest = digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(opened)
    }
}

/// `model.safetensors` and `tokenizer.json`, in the folder or in the one below it that Sentence Transformers makes.
fn files(folder: &Path) -> Result<[PathBuf; 2], String> {
    let below = folder.join("0_StaticEmbedding");
    let place = if !folder.join("model.safetensors").exists() && below.is_dir() { &below } else { folder };
    let found = ["model.safetensors", "tokenizer.json"].map(|name| place.join(name));
    for file in &found {
        if !file.is_file() {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            return Err(in_file(
                place,
                format_args!(
                    "holds no {name}: a static model is model.safetensors, tokenizer.json and config.json, as model2vec \
                     saves them; download the whole folder"
                ),
            ));
        }
    }
    Ok(found)
}

/// Whether `modules.json` ends in a step that gives vectors the length 1. Steps of other kinds are not known.
fn normalizes(folder: &Path) -> Result<bool, String> {
    let path = folder.join("modules.json");
    if !path.exists() {
        return Ok(false);
    }
    let steps: Vec<Step> = serde_json::from_slice(&read(&path)?).map_err(|e| in_file(&path, e))?;
    let mut normalize = false;
    for step in steps {
        match step.kind.rsplit('.').next() {
            Some("StaticEmbedding") => {}
            Some("Normalize") => normalize = true,
            _ => {
                let why = format!(
                    "names the step `{}`, and a static model has none but StaticEmbedding and Normalize",
                    step.kind
                );
                return Err(in_file(&path, why));
            }
        }
    }
    Ok(normalize)
}

/// The median of the lengths of tokens in characters, rounded down, as model2vec computes it.
fn median_length<'a>(tokens: impl Iterator<Item = &'a String>) -> usize {
    let mut lengths: Vec<usize> = tokens.map(|token| token.chars().count()).collect();
    lengths.sort_unstable();
    let middle = lengths.len() / 2;
    match (lengths.len() % 2, lengths.get(middle.wrapping_sub(1)), lengths.get(middle)) {
        (0, Some(below), Some(above)) => (below + above) / 2,
        (_, _, Some(one)) => *one,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_characters_and_between_two_their_mean() {
        let median = |tokens: &[&str]| {
            let tokens: Vec<String> = tokens.iter().map(|t| (*t).to_owned()).collect();
            median_length(tokens.iter())
        };
        assert_eq!(median(&["ß", "äöü", "abcdefgh"]), 3);
        assert_eq!(median(&["a", "ab", "abcde", "abcdefgh"]), 3);
        assert_eq!(median(&[]), 0);
    }
}
