//! The words of a text, as they are compared.

use unicode_normalization::UnicodeNormalization;

/// The words of a text in any script: runs of letters and digits, without case and accents. Scripts that do not separate
/// their words (Chinese, Japanese, Thai and others), or hang particles on them (Korean), give each pair of neighbouring
/// characters.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut unspaced: Vec<char> = Vec::new();
    // Accents become characters of their own, which are left out.
    for c in text.nfkd().filter(|c| !unicode_normalization::char::is_combining_mark(*c) || is_unspaced(*c)) {
        if is_unspaced(c) {
            take_word(&mut word, &mut words);
            unspaced.push(c);
            continue;
        }
        take_pairs(&mut unspaced, &mut words);
        if matches!(c, 'ß' | 'ẞ') {
            word.push_str("ss");
        } else if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else if !matches!(c, '\'' | '’') {
            take_word(&mut word, &mut words);
        }
    }
    take_word(&mut word, &mut words);
    take_pairs(&mut unspaced, &mut words);
    words
}

fn take_word(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

fn take_pairs(unspaced: &mut Vec<char>, words: &mut Vec<String>) {
    // Syllables of Korean, which were taken apart, become characters again.
    let characters: Vec<char> = unspaced.drain(..).nfc().collect();
    match characters.as_slice() {
        [] => {}
        [one] => words.push(one.to_string()),
        many => words.extend(many.windows(2).map(|pair| pair.iter().collect())),
    }
}

/// Letters of scripts that put no space between words, or not between a word and what belongs to it.
fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF // Thai, Lao
        | 0x1000..=0x109F // Burmese
        | 0x1100..=0x11FF // Korean, taken apart
        | 0x1780..=0x17FF // Khmer
        | 0x3041..=0x30FF // Japanese syllables
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF) // Chinese characters
        && c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_case_and_accents() {
        assert_eq!(words("The Café's 3 MENÜS, x_y!"), ["the", "cafes", "3", "menus", "x", "y"]);
        assert_eq!(words("Москва́ — ﬁne"), ["москва", "fine"]);
        assert_eq!(words("Straße STRASSE"), ["strasse", "strasse"]);
        assert!(words(" ... ").is_empty());
    }

    #[test]
    fn scripts_without_spaces_give_pairs() {
        assert_eq!(words("東京の天気 is 晴"), ["東京", "京の", "の天", "天気", "is", "晴"]);
        assert_eq!(
            words("서울은 수도이다, 수도 AI가"),
            ["서울", "울은", "수도", "도이", "이다", "수도", "ai", "가"]
        );
    }
}
