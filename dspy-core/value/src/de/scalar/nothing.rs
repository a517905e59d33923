//! Answers that give no value: words for nothing, refusals, thoughts.

/// Whether a text stands for nothing.
pub(in crate::de) fn is_nothing(text: &str) -> bool {
    let core = text.trim().trim_matches(|c: char| "\"'`*_.()".contains(c));
    text.trim().is_empty()
        || core == "NA"
        || ["null", "none", "nil", "n/a", "undefined", "not available", "not applicable"]
            .iter()
            .any(|word| core.eq_ignore_ascii_case(word))
}

/// What may be said of a value that is not there: `not mentioned`, `no date given`.
const ABSENT: [&str; 24] = [
    "mentioned",
    "specified",
    "provided",
    "given",
    "stated",
    "known",
    "found",
    "available",
    "applicable",
    "reported",
    "disclosed",
    "listed",
    "named",
    "included",
    "indicated",
    "recorded",
    "present",
    "defined",
    "described",
    "determined",
    "determinable",
    "visible",
    "stated",
    "set",
];

/// Whether a text says that there is no such scalar. What is text itself may be any of these: `Unknown` is a title.
pub(in crate::de) fn is_nothing_for_scalar(text: &str) -> bool {
    if is_nothing(text) {
        return true;
    }
    let lower = plain_marks(text.trim());
    let core = lower.trim_matches(|c: char| c.is_whitespace() || "\"'`*_()[]".contains(c));
    if !core.contains(char::is_alphanumeric) {
        return core.chars().all(|c| matches!(c, '-' | '–' | '—' | '?'));
    }
    // Only what stands before the first mark counts, and nothing that is taken back later.
    let end = core
        .char_indices()
        .find(|(i, c)| {
            ".,;:!(\n".contains(*c)
                || matches!(c, '–' | '—')
                || (*c == '-' && core[..*i].ends_with(char::is_whitespace))
        })
        .map_or(core.len(), |(i, _)| i);
    let mut lead = core[..end].trim_end_matches(|c: char| c.is_whitespace() || "\"'`*_".contains(c));
    let rest = core[end..].trim_start_matches(|c: char| !c.is_alphanumeric());
    let taken_back = ["but ", "except", "although", "however", "actually", "wait", "unless", "other than"];
    if taken_back.iter().any(|word| rest.starts_with(word)) || corrected(core).is_some() {
        return false;
    }
    for place in [" in the ", " in this ", " by the ", " here", " anywhere", " from the "] {
        lead = lead.find(place).map_or(lead, |at| &lead[..at]);
    }
    let last = lead.rsplit(' ').next().unwrap_or_default();
    let absent = ABSENT.contains(&last);
    match lead {
        "null" | "none" | "nil" | "n/a" | "undefined" | "unknown" | "unspecified" | "undisclosed"
        | "nothing" | "no data" | "no information" | "no answer" | "no value" => true,
        _ if lead.len() > 80 => false,
        _ if lead.starts_with("none ") => absent && lead.split(' ').count() == 2,
        _ if lead.starts_with("no ") || lead.starts_with("there is no ") => absent,
        _ if absent || matches!(last, "unknown" | "unspecified") => {
            let before = lead[..lead.len() - last.len()].trim_end();
            let before = before.strip_suffix(" explicitly").unwrap_or(before);
            let denied = before == "not" || before.ends_with(" not") || before.ends_with("n't");
            let subject = ["the ", "this ", "its ", "his ", "her ", "their ", "it ", "not "];
            let about = before == "not" || subject.iter().any(|word| lead.starts_with(word));
            about && (denied || !absent && [" is", " was", " are"].iter().any(|is| before.ends_with(is)))
        }
        _ => false,
    }
}

/// The text in small letters, with plain apostrophes. Places change.
fn plain_marks(text: &str) -> String {
    text.to_lowercase().replace('’', "'")
}

/// Whether a text refuses to answer or asks back.
pub(in crate::de) fn is_refusal(text: &str) -> bool {
    const FIRST_PERSON: [&str; 24] = [
        "i cannot ",
        "i can't ",
        "i can not ",
        "i could not ",
        "i couldn't ",
        "i am unable ",
        "i'm unable ",
        "i am not able ",
        "i'm not able ",
        "i do not have ",
        "i don't have ",
        "i have no ",
        "i do not know",
        "i don't know",
        "i am not sure",
        "i'm not sure",
        "i'm honestly not sure",
        "i won't ",
        "i will not ",
        "as an ai ",
        "as a language model",
        "as of my last ",
        "my knowledge cutoff",
        "my training data",
    ];
    const ASKED: [&str; 14] = [
        "please provide ",
        "please share ",
        "please specify ",
        "please clarify",
        "could you provide",
        "could you please",
        "could you clarify",
        "could you share",
        "could you specify",
        "can you provide",
        "can you clarify",
        "do you mean",
        "did you mean",
        "before i can answer",
    ];
    const IMPERSONAL: [&str; 4] =
        ["unable to determine", "cannot be determined", "can't be determined", "impossible to determine"];
    let lower = plain_marks(text);
    [&FIRST_PERSON[..], &ASKED, &IMPERSONAL].into_iter().flatten().any(|words| {
        lower.match_indices(words).any(|(at, _)| !lower[..at].ends_with(|c: char| c.is_alphanumeric()))
    })
}

/// The answer behind thoughts that a reasoning model wrote down, or nothing where these have no end. The opening tag
/// may be missing; then the closing one must end a line.
pub(in crate::de) fn without_thoughts(text: &str) -> Option<&str> {
    if !text.contains('<') {
        return Some(text);
    }
    for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>")] {
        let opened = text.trim_start().starts_with(open);
        match text.find(close).map(|end| &text[end + close.len()..]) {
            Some(after) if opened || after.starts_with(['\n', '\r']) && !text.contains(open) => {
                return Some(after);
            }
            None if opened => return None,
            _ => {}
        }
    }
    Some(text)
}

/// Where a text in small letters goes on behind the last place at which it corrects itself.
pub(in crate::de) fn corrected(lower: &str) -> Option<usize> {
    const MARKS: [&str; 13] = [
        "actually",
        "wait",
        "no,",
        "no wait",
        "on second thought",
        "on reflection",
        "scratch that",
        "correction",
        "i mean",
        "or rather",
        "more precisely",
        "more specifically",
        "more exactly",
    ];
    let last = |mark: &&str| {
        lower.rmatch_indices(mark).find_map(|(at, _)| {
            let before = lower[..at].trim_end_matches([' ', '\n', '\r', '*']);
            let parted = before.is_empty() || lower[before.len()..at].contains('\n');
            let set_off = parted
                || before.ends_with([',', '.', ';', ':', '!', '?', '…', '-', '–', '—', '('])
                || before.ends_with(" no");
            let end = at + mark.len();
            let rest = &lower[end..];
            let mut whole = !rest.starts_with(|c: char| c.is_alphanumeric());
            // To wait for something corrects nothing.
            if matches!(*mark, "wait" | "correction") {
                let next = rest.trim_start();
                whole &= !next.starts_with(|c: char| c.is_alphanumeric())
                    || ["no", "actually", "that", "i "].iter().any(|word| next.starts_with(word));
            }
            (set_off && whole).then_some(end)
        })
    };
    MARKS.iter().filter_map(last).max()
}

/// The text behind a question that it begins with.
pub(in crate::de) fn unasked(text: &str) -> &str {
    let Some(end) = text.find(['?', '.', '!', '\n']).filter(|at| text[*at..].starts_with('?')) else {
        return text;
    };
    let rest = text[end + 1..].trim_start();
    if rest.contains(char::is_alphanumeric) && text[end + 1..].starts_with(char::is_whitespace) {
        rest
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_nothing() {
        for text in [
            "None (the patient denies pain)",
            "None. The text mentions 3 people but no age.",
            "N/A - only 2 items were listed",
            "null (not mentioned in the text)",
            "Not mentioned",
            "Not mentioned in the text.",
            "No age is given; she has 2 children.",
            "Unknown",
            "—",
            "The price is not specified.",
            "The author's age is unknown.",
            "No date mentioned",
            "not provided",
            "None given.",
        ] {
            assert!(is_nothing_for_scalar(text), "{text}");
        }
        for text in [
            "None of the above",
            "No",
            "No, he did not.",
            "None, but 3 are likely",
            "No. Actually, 5",
            "not 5",
            "5",
            "Unknown soldiers: 3",
            "The claim is known",
        ] {
            assert!(!is_nothing_for_scalar(text), "{text}");
        }
    }

    #[test]
    fn refusals_and_thoughts() {
        for text in [
            "I'm sorry, but I can't assist with that.",
            "I don’t have enough information. Could you provide the 2 missing values?",
            "As of my last update in 2023, there were 5.",
            "Please provide the text",
            "I have 1 question before I can answer: which year do you mean?",
            "Unable to determine from the text.",
        ] {
            assert!(is_refusal(text), "{text}");
        }
        for text in ["5", "No, he cannot.", "Hawaii cannot secede", "Sorry for the wait: 5"] {
            assert!(!is_refusal(text), "{text}");
        }
        assert_eq!(without_thoughts("<think>a</think>b"), Some("b"));
        assert_eq!(without_thoughts("a\n</think>\nb"), Some("\nb"));
        assert_eq!(without_thoughts("<think>\nperhaps b"), None);
        assert_eq!(without_thoughts("a < b"), Some("a < b"));
    }

    #[test]
    fn corrections_and_questions() {
        let after = |text: &'static str| corrected(text).map(|at| &text[at..]);
        assert_eq!(after("45, no, 54."), Some(" 54."));
        assert_eq!(after("no, wait — actually yes"), Some(" yes"));
        assert_eq!(after("it is actually true"), None);
        assert_eq!(after("the waiter, waiting"), None);
        assert_eq!(after("negative. wait for the next one"), None);
        assert_eq!(unasked("Is it? No."), "No.");
        assert_eq!(unasked("It is. Why?"), "It is. Why?");
        assert_eq!(unasked("Yes?"), "Yes?");
    }
}
