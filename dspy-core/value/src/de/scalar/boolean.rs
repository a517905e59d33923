//! Booleans in text.

use super::{Note, corrected, is_nothing_for_scalar, is_refusal, unasked, without_thoughts};

const DENIED: &str = "a clear yes or no (the answer denies something)";
const BOTH: &str = "a clear yes or no (the answer says both)";
const UNCLEAR: &str = "a boolean, and a clear one";

/// Reads a boolean; the note tells what had to be bent. `Err` names why it cannot be decided.
pub(in crate::de) fn boolean(text: &str) -> Result<(bool, Option<Note>), &'static str> {
    match text {
        "true" => return Ok((true, None)),
        "false" => return Ok((false, None)),
        _ => {}
    }
    let said = without_thoughts(text).ok_or("a boolean (the answer stops amid its thoughts)")?;
    let lower = said.to_lowercase().replace('’', "'");
    let core = lower.trim_matches(|c: char| !c.is_alphanumeric());
    let asked = lower.trim_end().ends_with('?');
    if let Some(value) = polarity(core) {
        return if asked { Err(UNCLEAR) } else { Ok((value, Some(("a boolean spelt loosely", 1)))) };
    }
    let body = unasked(&lower).trim_matches(|c: char| !c.is_alphanumeric() && c != '?');
    if let Some((value, end)) = announced(body) {
        return match corrected(&body[end..]) {
            None => Ok((value, Some(("a boolean that is announced as the answer", 3)))),
            Some(_) => Err(BOTH),
        };
    }
    if let Some((value, rest)) = leading(body).filter(|_| !(asked && body == core)) {
        return taken_back(value, rest).map(|value| (value, Some(("a boolean with an explanation", 2))));
    }
    if is_refusal(said) || is_nothing_for_scalar(said) {
        return Err("a boolean");
    }
    sentence(body).map(|value| (value, Some(("a boolean in a sentence", 4))))
}

/// A word or a set phrase that is a whole answer.
fn polarity(text: &str) -> Option<bool> {
    match text {
        "true" | "yes" | "y" | "t" | "on" | "1" | "correct" | "yep" | "yeah" | "yup" => Some(true),
        "false" | "no" | "n" | "f" | "off" | "0" | "incorrect" | "nope" | "nah" => Some(false),
        // These alone; before a sentence, they may be mere courtesy.
        "absolutely" | "certainly" | "definitely" | "of course" | "indeed" => Some(true),
        _ => phrase(text),
    }
}

/// What people say for yes or no.
fn phrase(text: &str) -> Option<bool> {
    match text {
        "i think so" | "yes it is" | "yes it does" | "that is correct" | "that's correct"
        | "absolutely yes" | "definitely yes" => Some(true),
        "absolutely not" | "certainly not" | "definitely not" | "of course not" | "clearly not"
        | "not at all" | "i don't think so" | "i do not think so" | "not true" | "not correct" | "untrue"
        | "no way" | "definitely no" | "absolutely no" | "that is incorrect" | "that's incorrect" => {
            Some(false)
        }
        _ => None,
    }
}

fn edge(c: char) -> bool {
    c.is_whitespace() || "*_\"'`“”".contains(c)
}

/// "Yes, because …": what stands before the first mark decides; then the text behind it, from the mark on.
fn leading(text: &str) -> Option<(bool, &str)> {
    let stop = text.char_indices().find(|(i, c)| {
        ",.;:!\n(–—?".contains(*c) || (*c == '-' && text[..*i].ends_with(char::is_whitespace))
    });
    let end = stop.filter(|(_, c)| *c != '?').map_or(text.len(), |(i, _)| i);
    let lead = text[..end].trim_matches(edge);
    // One letter may be the mark of an item.
    let courtesy = ["absolutely", "certainly", "definitely", "of course", "indeed"].contains(&lead);
    let value = polarity(lead).filter(|_| lead.len() > 1 && !courtesy)?;
    Some((value, &text[end..]))
}

/// What is left of an answer after its explanation.
fn taken_back(value: bool, rest: &str) -> Result<bool, &'static str> {
    let behind = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
    let next = &behind[..behind.find(|c: char| !c.is_alphanumeric()).unwrap_or(behind.len())];
    // "Yes, no, maybe", but not "Yes, no doubt".
    let opposed =
        polarity(next).is_some_and(|other| other != value) && !behind[next.len()..].starts_with(' ');
    let unsure =
        ["i'm not sure", "i am not sure", "not certain", "not sure"].iter().any(|w| rest.contains(w));
    if behind.starts_with("and no") || opposed || unsure || matches!(next, "maybe" | "perhaps" | "or") {
        return Err(BOTH);
    }
    let Some(at) = corrected(rest) else { return Ok(value) };
    let after = rest[at..].trim_start_matches(|c: char| !c.is_alphanumeric());
    let first = &after[..after.find(|c: char| !c.is_alphanumeric()).unwrap_or(after.len())];
    match (polarity(first).filter(|_| first.len() > 1), sentence(after)) {
        (Some(corrected), _) if announces_end(&after[first.len()..]) => Ok(corrected),
        (_, Ok(same)) if same == value => Ok(value),
        // "Yes, actually it does."
        (_, Err("a boolean")) if rest[..at].ends_with("actually") => Ok(value),
        _ => Err(BOTH),
    }
}

/// The boolean that is announced last as the answer, and where it ends.
fn announced(text: &str) -> Option<(bool, usize)> {
    const LEADS: [&str; 7] =
        ["answer is", "answer:", "answer would be", "answer should be", "verdict:", "result:", "conclusion:"];
    let at = LEADS.iter().filter_map(|lead| text.rfind(lead).map(|at| at + lead.len())).max()?;
    let rest = &text[at..];
    let start = at + rest.find(char::is_alphanumeric)?;
    let rest = &text[start..];
    // Only marks may stand between them.
    if text[at..start].contains(['.', ',', ';', '?', '(']) {
        return None;
    }
    let word = &rest[..rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len())];
    let value = polarity(word).filter(|_| word.len() > 1)?;
    let behind = &rest[word.len()..];
    (announces_end(behind) && taken_back(value, behind) == Ok(value)).then_some((value, start + word.len()))
}

/// Whether the word before is not one of several that belong together, such as `no evidence` or `false positive`.
fn announces_end(behind: &str) -> bool {
    let next = behind.trim_start_matches(edge);
    let word = &next[..next.find(|c: char| !c.is_alphanumeric()).unwrap_or(next.len())];
    let joined = behind.starts_with('\'') || behind.starts_with('-');
    let follows = [
        "",
        "because",
        "since",
        "as",
        "for",
        "but",
        "based",
        "according",
        "given",
        "so",
        "if",
        "when",
        "in",
        "at",
        "on",
        "to",
        "under",
        "rather",
        "and",
        "or",
        "than",
        "that",
        "per",
        "by",
        "instead",
        "here",
        "not",
    ];
    // A mark parts what follows.
    !joined
        && (follows.contains(&word) || behind.trim_start_matches([' ', '*', '_', '"', '`']).starts_with('\n'))
}

/// The only thing that a sentence says, when it denies nothing.
fn sentence(text: &str) -> Result<bool, &'static str> {
    let mut said: Option<bool> = None;
    // "not false, but true": what is to come.
    let mut awaited: Option<bool> = None;
    let mut denied = false;
    let mut contrasted = false;
    let word_char = |c: char| c.is_alphanumeric() || "'-".contains(c);
    let mut at = 0;
    let mut previous = "";
    while let Some(start) = text[at..].find(word_char).map(|o| at + o) {
        let rest = &text[start..];
        let word = &rest[..rest.find(|c| !word_char(c)).unwrap_or(rest.len())];
        at = start + word.len();
        let behind = &text[at..];
        match word {
            "maybe" | "perhaps" | "possibly" | "whether" | "cannot" => return Err(UNCLEAR),
            // "true, not false", "false rather than true"
            "not" => (denied, contrasted) = (true, said.is_some()),
            "than" | "of" if matches!((previous, word), ("rather", "than") | ("instead", "of")) => {
                (denied, contrasted) = (true, true);
            }
            "doubt" if !matches!(previous, "no" | "a" | "without" | "any") => return Err(DENIED),
            "if" | "unless" if said.is_none() => return Err(UNCLEAR),
            "never" | "neither" | "nor" | "hardly" | "barely" | "far" | "opposite" | "unlikely" | "used" => {
                return Err(DENIED);
            }
            _ if word.ends_with("n't") => return Err(DENIED),
            "no" if behind.starts_with(" doubt") || behind.starts_with(" question") => {}
            "true" | "yes" | "correct" | "false" | "no" | "incorrect" => {
                let partly =
                    ["almost", "nearly", "mostly", "partly", "partially", "half", "somewhat", "sometimes"];
                if partly.contains(&previous) {
                    return Err(UNCLEAR);
                }
                if !announces_end(behind) {
                    return Err(if word == "no" { DENIED } else { UNCLEAR });
                }
                let value = matches!(word, "true" | "yes" | "correct");
                if std::mem::take(&mut denied) {
                    match said {
                        Some(known) if contrasted && known != value => {}
                        None if awaited.is_none() && !contrasted => awaited = Some(!value),
                        _ => return Err(DENIED),
                    }
                } else if said.replace(value).is_some_and(|other| other != value) {
                    return Err(BOTH);
                }
            }
            "a" | "an" | "the" | "merely" | "just" | "simply" => {}
            _ if denied => return Err(DENIED),
            _ => {}
        }
        previous = word;
    }
    match (said, awaited) {
        (Some(value), Some(other)) if value != other => Err(BOTH),
        _ if denied => Err(DENIED),
        (Some(value), _) => Ok(value),
        (None, Some(_)) => Err(DENIED),
        (None, None) => Err("a boolean"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_in_text() {
        for (text, value) in [
            ("true", true),
            ("False", false),
            ("YES.", true),
            ("**No**", false),
            ("Yes, because it is.", true),
            ("No, that is not true", false),
            ("The statement is true", true),
            ("1", true),
            ("off", false),
            ("Yes, actually it does.", true),
            ("No, wait — actually yes, it does.", true),
            ("Yes.\n\nWait, let me check. The answer is no.", false),
            ("Not true. It is later.", false),
            ("I don't think so.", false),
            ("I don’t think so.", false),
            ("Absolutely not.", false),
            ("Of course not!", false),
            ("Nope, two people.", false),
            ("Is it true? No, it is not.", false),
            ("It is true, not false.", true),
            ("It is false rather than true.", false),
            ("It is not false but true.", true),
            ("No problem! The answer is yes.", true),
            ("The answer \"True\" was wrong; the correct answer is False.", false),
            ("There is no doubt that it is true.", true),
            ("Yes, I cannot find any fault.", true),
            ("Certainly! The statement is false.", false),
            ("`False`  # the list is empty", false),
            ("<think>yes or no?</think>no", false),
        ] {
            assert_eq!(boolean(text).map(|b| b.0), Ok(value), "{text}");
        }
        for text in [
            "",
            "maybe",
            "yes and no",
            "this is not true",
            "it isn't false",
            "2",
            "a",
            "No answer.",
            "No information is available.",
            "There is no evidence that it is safe.",
            "There is no way this is true.",
            "False positive.",
            "This is a false alarm.",
            "Yes? I'm not sure.",
            "Yes?",
            "Yes, or no.",
            "Yes. Wait, let me check.",
            "Not necessarily.",
            "Yes, but I'm not sure.",
            "The answer is not no.",
            "Mostly true",
            "I doubt that it is true.",
            "If it rains, yes.",
            "The opposite is true.",
            "I cannot say whether it is true.",
            "<think>\nso yes, it is",
        ] {
            assert!(boolean(text).is_err(), "{text}: {:?}", boolean(text));
        }
    }
}
