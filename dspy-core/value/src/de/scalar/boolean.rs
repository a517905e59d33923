//! Booleans.

use super::{
    bare::{Bare, Said, plain_marks},
    labels::{FALSE, TRUE, has},
    said::{Unsaid, mentioned, settle},
};
use crate::de::{coercion::CoercionKind, options::ReadOptions};

/// Reads a boolean; the kind tells what had to be bent.
pub(in crate::de) fn boolean(
    text: &str,
    options: &ReadOptions,
) -> Result<(bool, Option<CoercionKind>), Unsaid> {
    match text {
        "true" => return Ok((true, None)),
        "false" => return Ok((false, None)),
        "True" | "False" => return Ok((text == "True", Some(CoercionKind::ForeignLiteral))),
        _ => {}
    }
    let found = settle(text, &Booleans, options).map_err(|why| match mentioned(text, &Booleans)[..] {
        [_, _, ..] if why == Unsaid::Nothing => Unsaid::Several,
        _ => why,
    })?;
    match found.value {
        Said::Bool(value) => Ok((value, found.kind)),
        _ => Err(Unsaid::Nothing),
    }
}

struct Booleans;

impl Bare for Booleans {
    fn bare(&self, text: &str) -> Option<(Said, CoercionKind)> {
        word(text).map(|value| (Said::Bool(value), CoercionKind::LooseBoolean))
    }

    fn mentions(&self, word: &str) -> bool {
        word.len() > 1 && self::word(word).is_some()
    }
}

/// What a word says, in any case.
fn word(text: &str) -> Option<bool> {
    if text.len() > 24 {
        return None;
    }
    let lower = plain_marks(text);
    let lower = lower.trim_end_matches('\u{fe0f}');
    match (has(TRUE, lower), has(FALSE, lower)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::de::options::Prose;

    fn read(text: &str) -> Option<bool> {
        boolean(text, &ReadOptions::default()).ok().map(|b| b.0)
    }

    #[test]
    fn booleans_stand_alone() {
        for (text, value) in [
            ("true", true),
            ("False", false),
            ("YES.", true),
            ("**No**", false),
            ("1", true),
            ("off", false),
            ("Nein", false),
            ("„Ja“", true),
            ("はい。", true),
            ("Réponse : oui", true),
            ("Antwort: **nein**", false),
            ("✅ Yes", true),
            ("`False`", false),
            ("Der Text sagt es so.\n\nJa", true),
            ("<think>yes or no?</think>no", false),
        ] {
            assert_eq!(read(text), Some(value), "{text}");
        }
    }

    #[test]
    fn sentences_are_not_understood() {
        for text in [
            "",
            "maybe",
            "yes and no",
            "this is not true",
            "it isn't false",
            "2",
            "a",
            "No answer.",
            "There is no evidence that it is safe.",
            "False positive.",
            "Yes?",
            "Yes, or no.",
            "Yes. Wait, let me check.",
            "Das ist nicht wahr.",
            "Ce n'est pas vrai",
            "Nein, doch: ja",
            "yes/no",
            "True/False",
            "<think>\nso yes, it is",
            "Yes\n\nThe text says so in line 3.",
            "❌ Yes",
            "Wrong answer:\nyes",
            "Yes\nNo",
            "First: yes\nSecond: no",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let mut options = ReadOptions::default();
        options.prose = Prose::Structure;
        assert!(boolean("The answer is yes.", &options).is_err());
        assert!(boolean("The answer is yes.", &ReadOptions::default()).is_ok_and(|b| b.0));
    }
}
