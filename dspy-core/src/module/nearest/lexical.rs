//! Which texts have most words in common.

use std::collections::HashMap;

/// Texts by their words and letter triples, for the nearest to another text.
///
/// A text is a vector with an entry for each different word and letter triple in it, weighted by how rare it is among
/// the texts (tf-idf with logarithmic counts); nearness is the cosine. Letter triples make inflected words alike, and
/// let it work for scripts that have no spaces.
pub(super) struct Index {
    /// For each feature, the texts that have it, with their weights.
    texts_with: HashMap<u64, Vec<(u32, f32)>>,
    texts: usize,
}

/// How much a letter triple counts beside a word.
const TRIPLE: f32 = 0.3;

impl Index {
    pub(super) fn new(texts: impl IntoIterator<Item = String>) -> Self {
        let counted: Vec<HashMap<u64, f32>> = texts.into_iter().map(|text| features(&text)).collect();
        let mut texts_with: HashMap<u64, Vec<(u32, f32)>> = HashMap::new();
        for (i, counts) in counted.iter().enumerate() {
            for (feature, weight) in counts {
                texts_with.entry(*feature).or_default().push((i as u32, *weight));
            }
        }
        let texts = counted.len();
        let rarity: HashMap<u64, f32> =
            texts_with.iter().map(|(f, with)| (*f, rarity(texts, with.len()))).collect();
        // Summed in the order of the features, so that the same texts give the same numbers on every run.
        let length = |counts: &HashMap<u64, f32>| {
            let mut parts: Vec<(u64, f32)> = counts.iter().map(|(f, w)| (*f, w * rarity[f])).collect();
            parts.sort_unstable_by_key(|(feature, _)| *feature);
            parts.iter().map(|(_, w)| w * w).sum::<f32>().sqrt().max(f32::MIN_POSITIVE)
        };
        let lengths: Vec<f32> = counted.iter().map(length).collect();
        for (feature, with) in &mut texts_with {
            for (text, weight) in with.iter_mut() {
                *weight *= rarity[feature] / lengths[*text as usize];
            }
        }
        Self { texts_with, texts }
    }

    /// The places of the `k` nearest texts, the nearest first, without those that are excluded.
    pub(super) fn nearest(&self, text: &str, k: usize, excluded: &[usize]) -> Vec<usize> {
        let scores = self.nearness(text);
        let mut places: Vec<usize> = (0..self.texts).filter(|place| !excluded.contains(place)).collect();
        places.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
        places.truncate(k);
        places
    }

    /// How near each text is to another one, up to a factor.
    pub(super) fn nearness(&self, text: &str) -> Vec<f32> {
        let mut scores = vec![0.0_f32; self.texts];
        let mut asked: Vec<(u64, f32)> = features(text).into_iter().collect();
        asked.sort_unstable_by_key(|(feature, _)| *feature);
        for (feature, weight) in asked {
            if let Some(with) = self.texts_with.get(&feature) {
                let weight = weight * rarity(self.texts, with.len());
                for (text, own) in with {
                    scores[*text as usize] += weight * own;
                }
            }
        }
        scores
    }
}

/// How telling a feature is that so many of the texts have.
fn rarity(texts: usize, with: usize) -> f32 {
    (1.0 + texts as f32 / with as f32).ln()
}

/// The features of a text, with the logarithms of their counts.
fn features(text: &str) -> HashMap<u64, f32> {
    let mut counts: HashMap<u64, (f32, f32)> = HashMap::new();
    let mut count = |feature: u64, weight: f32| counts.entry(feature).or_insert((weight, 0.0)).1 += 1.0;
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let letters: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
        count(hash(&letters, 0), 1.0);
        let padded: Vec<char> = [' '].into_iter().chain(letters).chain([' ']).collect();
        for triple in padded.windows(3) {
            count(hash(triple, 1), TRIPLE);
        }
    }
    counts.into_iter().map(|(feature, (weight, n))| (feature, weight * (1.0 + n.ln()))).collect()
}

/// FNV-1a: the same on every machine, unlike the hashers of the standard library.
fn hash(letters: &[char], kind: u64) -> u64 {
    letters
        .iter()
        .fold(0xcbf2_9ce4_8422_2325 ^ kind, |h, c| (h ^ u64::from(*c)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(texts: &[&str]) -> Index {
        Index::new(texts.iter().map(ToString::to_string))
    }

    #[test]
    fn shared_rare_words_are_nearer_than_shared_common_ones() {
        let index = index(&["the red house", "the blue car", "the green boat", "a sailing trip"]);
        assert_eq!(index.nearest("the car is fast", 1, &[]), [1]);
        assert_eq!(index.nearest("the car is fast", 2, &[1])[0], 0);
        assert_eq!(index.nearest("sailed", 1, &[]), [3], "words of one stem share letters");
        assert_eq!(index.nearest("", 2, &[]), [0, 1], "without anything in common the first are taken");
    }

    #[test]
    fn scripts_without_spaces_are_compared_by_letters() {
        let index = index(&["東京の天気を教えて", "今日の会議は何時ですか", "注文をキャンセルしたい"]);
        assert_eq!(index.nearest("明日の会議の場所は", 1, &[]), [1]);
        assert_eq!(index.nearest("注文の状態", 1, &[]), [2]);
    }

    #[test]
    fn an_empty_pool_has_no_neighbours() {
        assert!(index(&[]).nearest("x", 3, &[]).is_empty());
    }
}
