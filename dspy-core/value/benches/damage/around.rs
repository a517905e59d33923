//! Damage around the value: fences, prose, thoughts, drafts and wrappers.

use serde_json::Value;

use crate::{
    answer::{Answer, Role},
    case::Case,
    random::Random,
};

/// A key or a list around the value that nobody asked for.
pub(crate) fn needless_wrapper(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    if answer.body.is_some() {
        return false;
    }
    let (open, close) = random.pick(&[
        ("{\"result\": ", "}"),
        ("{\"answer\": ", "}"),
        ("{\n  \"output\": ", "\n}"),
        ("{\"data\": {\"value\": ", "}}"),
        ("[", "]"),
        ("[\n  ", "\n]"),
    ]);
    answer.wrapper = (open.to_owned(), close.to_owned());
    true
}

/// The value as a text in a text, or with the entities of HTML.
pub(crate) fn escaped_whole(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    if answer.cut || answer.tokens.first().is_none_or(|token| token.role != Role::Open) {
        return false;
    }
    let body = answer.body();
    let quoted = Value::from(body.as_str()).to_string();
    let escaped = match random.below(4) {
        0 | 1 => quoted,
        2 => quoted[1..quoted.len() - 1].to_owned(),
        _ => body.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;"),
    };
    answer.wrapper = Default::default();
    answer.body = Some(escaped);
    true
}

/// A fence of another language, in one line, glued to the value, or half of one.
pub(crate) fn fence(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let (open, close) = random.pick(&[
        ("```\n", "\n```"),
        ("```python\n", "\n```"),
        ("```jsonc\n", "\n```"),
        ("```JSON\n", "\n```"),
        ("``` json\n", "\n ```"),
        ("```javascript\nconst answer = ", ";\n```"),
        ("```json\n", "```"),
        ("```json", "```"),
        ("```json\n", ""),
        ("```json\n", "\n``"),
        ("json\n", "\n"),
        ("", "\n```"),
        ("~~~json\n", "\n~~~"),
        ("````json\n", "\n````"),
        ("`", "`"),
        ("<json>\n", "\n</json>"),
    ]);
    answer.fence = (open.to_owned(), close.to_owned());
    if !close.ends_with("``") && !open.is_empty() {
        answer.after = String::new();
    }
    true
}

/// Prose with brackets in it.
pub(crate) fn stray_braces(answer: &mut Answer, random: &mut Random, _: &Case<'_>) -> bool {
    let before = [
        "I filled in the template {{name}} as you asked:\n\n",
        "Here is the object {as requested}, with the fields [id, title]:\n",
        "The format is {\"key\": ...}, so:\n\n",
        "According to [1] and [2] the answer is:\n",
        "{thinking} This should be it. {/thinking}\n",
        "The set {1, 2, 3} is not meant here.\n\n",
        "Empty objects are written as {} and lists as [].\n\n",
    ];
    let after = [
        "\n\nNote: {x} stands for what is unknown [1].",
        "\n\nIf a value is missing, I use {} or [] for it.",
        "\n\n[1] https://example.org/{id}",
        "\n\nSee [the docs](https://example.org) for more :-}",
        "\n\nThe keys {id} and {name} can be left out.",
    ];
    let which = random.below(3);
    if which != 0 {
        answer.before = random.pick(&before).to_owned();
    }
    if which != 1 {
        answer.after = random.pick(&after).to_owned();
    }
    true
}

/// A wrong value first, then the one that is meant.
pub(crate) fn draft_first(answer: &mut Answer, random: &mut Random, case: &Case<'_>) -> bool {
    let draft = Answer::new(case.ty, case.draft, random).body();
    let (open, close) = answer.fence.clone();
    let between = random.pick(&[
        "\n\nWait, that is wrong. Here is the corrected version:\n\n",
        "\n\nLet me fix a mistake:\n",
        "\n\nFinal answer:\n",
    ]);
    answer.before = format!("{}{open}{draft}{close}{between}", answer.before);
    true
}

/// Thoughts before the answer, some with a draft in them.
pub(crate) fn thinking(answer: &mut Answer, random: &mut Random, case: &Case<'_>) -> bool {
    let draft = Answer::new(case.ty, case.draft, random).body();
    let thought = match random.below(4) {
        0 => "The user wants JSON. The keys are {id} and {title}, aren't they?".to_owned(),
        1 => format!("Perhaps {draft}? No, that does not fit."),
        2 => format!("First try:\n```json\n{draft}\n```\nThis is not right yet."),
        _ => "I'll read the text again: \"it's late\" is the note. 3 or 4? Four.".to_owned(),
    };
    let (open, close) = random.pick(&[
        ("<think>\n", "\n</think>\n\n"),
        ("<thinking>", "</thinking>\n"),
        // The first tag belongs to the prompt.
        ("", "\n</think>\n\n"),
        ("<think>\n", "\n</think>"),
    ]);
    answer.before = format!("{open}{thought}{close}{}", answer.before);
    true
}
