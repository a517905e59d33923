//! Writing `[[ ## name ## ]]` headers, and finding them in an answer.

use std::borrow::Cow;

use super::{
    lines::{self, Fence, Header, Target, bracketed, unguard},
    names::{complete, required},
};
use crate::{
    signature::{Section, Sections, SignatureSpec},
    value::Content,
};

/// Writes a header below what there is.
pub(super) fn write(out: &mut Content, name: &str) {
    if !out.is_empty() {
        out.push_str("\n\n");
    }
    out.push_str("[[ ## ");
    out.push_str(name);
    out.push_str(" ## ]]\n");
}

/// Splits an answer at its headers. A header stands on a line of its own; only the end marker may end the line of the
/// last value, before nothing or before a further round, and in an answer that is one line, headers follow one another on it.
///
/// Text before the first one, inputs that the model repeats, and unknown headers are left out; a field that comes twice
/// keeps its first text that is not empty. What stands in a closed code block is text, unless a field has no header but
/// the one in it. A field without a header has the line `[[ name ]]` for one, and, if the answer cannot do without it
/// and has headers for others, a heading.
pub(super) fn split<'a>(spec: &SignatureSpec, text: &'a str) -> Sections<'a> {
    one_line(spec, text).unwrap_or_else(|| sections(&counting(spec, text, &found(spec, text)), text))
}

/// The text before the end marker of an answer that has no other header.
pub(super) fn before_end<'a>(spec: &SignatureSpec, text: &'a str) -> Option<&'a str> {
    match counting(spec, text, &found(spec, text)).as_slice() {
        [mark] if mark.ends() => Some(&text[..mark.start]),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `[[ ## name ## ]]`.
    Header(Target),
    /// `[[ name ]]`.
    Bare(Target),
    /// `## name`.
    Heading(usize),
}

/// What may set off a field.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Where it begins, with its decoration.
    start: usize,
    /// Where the value begins.
    end: usize,
    form: Form,
    /// Whether it stands in a closed code block of a value.
    fenced: bool,
}

impl Mark {
    fn ends(&self) -> bool {
        matches!(self.form, Form::Header(Target::Completed) | Form::Bare(Target::Completed))
    }
}

/// Everything in the answer that may set off a field.
fn found(spec: &SignatureSpec, text: &str) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    // The open code block, and how many marks there were before it.
    let mut block: Option<(Fence, usize)> = None;
    let mut begun = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let mut edge = Fence::on(line);
        let header = lines::header(spec, line).filter(|_| edge.is_none());
        if let Some(Header { target, marked, end }) = header {
            let form = if marked { Form::Header(target) } else { Form::Bare(target) };
            marks.push(Mark { start, end: start + end, form, fenced: false });
            edge = Fence::on(&line[end..]);
            begun = true;
        } else if let Some(output) = lines::heading(spec, line) {
            marks.push(Mark { start, end: at, form: Form::Heading(output), fenced: false });
        }
        let value = header.map_or(0, |header| header.end);
        if let Some(end) = end_of_line(&line[value..], header.is_some())
            && over(spec, &marks, &text[at..])
        {
            let (start, form) = (start + value + end, Form::Header(Target::Completed));
            marks.push(Mark { start, end: at, form, fenced: false });
        }
        // A block that begins before the first header is around the answer.
        match (edge.filter(|_| begun), block) {
            (Some(edge), Some((open, before))) if edge.closes(open) => {
                marks[before..].iter_mut().for_each(|mark| mark.fenced = true);
                block = None;
            }
            (Some(open), None) => block = Some((open, marks.len())),
            _ => {}
        }
    }
    marks
}

/// Where the end marker stands that ends a line, or what a header leaves of one, behind other text.
fn end_of_line(line: &str, headed: bool) -> Option<usize> {
    let line = line.trim_end();
    if !line.ends_with(']') {
        return None;
    }
    let at = line.rfind("[[")?;
    let end = bracketed(&line[at..]).filter(|b| b.marked && b.len == line.len() - at)?;
    let text = &line[..at];
    let quoted = text.ends_with(['\\', '`', '"', '\'', '“', '«', '„', '「']);
    let own_line = lines::lead(text) == text.len() && !headed;
    (end.name.eq_ignore_ascii_case("completed") && !quoted && !own_line).then_some(at)
}

/// Whether an answer is over before this text: nothing follows, or a further round of the conversation.
fn over(spec: &SignatureSpec, marks: &[Mark], rest: &str) -> bool {
    let Some(line) = rest.lines().find(|line| !line.trim().is_empty()) else { return true };
    let Some(header) = lines::header(spec, line).filter(|header| header.marked) else { return false };
    let again = || marks.iter().any(|mark| mark.form == Form::Header(header.target));
    match header.target {
        Target::Input => true,
        Target::Output(_) => again(),
        _ => false,
    }
}

/// Those of the marks that set off a field.
fn counting(spec: &SignatureSpec, text: &str, marks: &[Mark]) -> Vec<Mark> {
    let has = |form: Form| marks.iter().any(|mark| mark.form == form && !mark.fenced);
    let header = |output: usize| Form::Header(Target::Output(output));
    let headed = |output: usize| marks.iter().any(|mark| mark.form == header(output));
    let bare = |output: usize| has(Form::Bare(Target::Output(output)));
    let some = marks.iter().any(|mark| match mark.form {
        Form::Header(Target::Output(_)) => true,
        Form::Bare(Target::Output(_)) => !mark.fenced,
        _ => false,
    });
    let once = |form: Form| marks.iter().filter(|mark| mark.form == form).count() == 1;
    let counts = |mark: &Mark| match mark.form {
        // Nothing but the edge of a block that is around the answer may follow the end in a block.
        Form::Header(Target::Completed) => {
            !mark.fenced || text[mark.end..].trim().trim_matches('`').is_empty()
        }
        Form::Header(Target::Output(output)) => !mark.fenced || !has(header(output)),
        Form::Header(_) => !mark.fenced,
        Form::Bare(Target::Output(output)) => !mark.fenced && !headed(output),
        Form::Bare(_) => text[mark.end..].trim().is_empty(),
        Form::Heading(output) => {
            let missing = required(&spec.fields[output]) && !headed(output) && !bare(output);
            some && missing && !mark.fenced && once(mark.form)
        }
    };
    marks.iter().filter(|mark| counts(mark)).copied().collect()
}

/// Splits an answer that is one line and begins with a header, if it is whole that way. There, lines tell nothing: each
/// output has a header of the exact form, between blanks.
fn one_line<'a>(spec: &SignatureSpec, text: &'a str) -> Option<Sections<'a>> {
    let line = text.trim();
    if line.contains('\n') {
        return None;
    }
    let first = lines::header(spec, line).filter(|header| header.marked)?;
    let mut marks = vec![(0, first.end, first.target)];
    for (at, _) in line.match_indices("[[ ## ").filter(|(at, _)| *at >= first.end) {
        let Some(found) = bracketed(&line[at..]) else { continue };
        let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
        let (before, after) = (line[..at].chars().next_back(), line[at + found.len..].chars().next());
        let target = lines::target(spec, found.name);
        let new = matches!(target, Target::Output(_)) && marks.iter().all(|mark| mark.2 != target);
        if new && blank(before) && blank(after) {
            marks.push((at, at + found.len, target));
        }
    }
    let mark = |&(start, end, target)| Mark { start, end, form: Form::Header(target), fenced: false };
    let several = marks.len() > 1;
    let mut marks: Vec<Mark> = marks.iter().map(mark).collect();
    if let Some(start) = end_of_line(line, true) {
        marks.push(mark(&(start, line.len(), Target::Completed)));
    }
    let sections = sections(&marks, line);
    (several && complete(spec, &sections)).then_some(sections)
}

/// The texts between the marks.
fn sections<'a>(marks: &[Mark], text: &'a str) -> Sections<'a> {
    let mut sections = Sections::new();
    let mut empty: Vec<usize> = Vec::new();
    for (at, mark) in marks.iter().enumerate() {
        let output = match mark.form {
            _ if mark.ends() && !sections.is_empty() => {
                sections.ended = true;
                break;
            }
            Form::Header(Target::Output(output)) | Form::Bare(Target::Output(output)) => output,
            Form::Heading(output) => output,
            _ => continue,
        };
        let end = marks.get(at + 1).map_or(text.len(), |next| next.start);
        let value = match unguard(&text[mark.end..end]) {
            Cow::Borrowed(value) => Cow::Borrowed(trim_outer(value)),
            Cow::Owned(value) => Cow::Owned(trim_outer(&value).to_owned()),
        };
        if value.is_empty() {
            empty.push(output);
        } else {
            sections.insert(output, Section::text(value));
        }
    }
    for output in empty {
        sections.insert(output, Section::text(""));
    }
    sections
}

/// Takes blank lines from both ends, and the space around a text of one line; the indentation of a longer text
/// stays.
pub(super) fn trim_outer(text: &str) -> &str {
    let text = text.trim_end();
    let first = text.len() - text.trim_start().len();
    if !text.trim_start().contains('\n') {
        return text.trim_start();
    }
    match text[..first].rfind('\n') {
        Some(newline) => &text[newline + 1..],
        // The value begins on the line of its header.
        None => text.trim_start(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{signature::Field, value::TypeInfo};

    fn spec() -> SignatureSpec {
        let text = TypeInfo::of::<String>();
        SignatureSpec::new(
            "Qa",
            "",
            vec![
                Field::input("question", text.clone()),
                Field::output("reasoning", text.clone()),
                Field::output("final_answer", text),
            ],
        )
    }

    fn read(text: &str) -> Vec<(String, String)> {
        let spec = spec();
        let mut found: Vec<_> = split(&spec, text)
            .into_iter()
            .map(|(i, s)| (i, (spec.fields[i].name.clone(), s.text.into_owned())))
            .collect();
        found.sort_by_key(|(i, _)| *i);
        found.into_iter().map(|(_, f)| f).collect()
    }

    fn both(reasoning: &str, answer: &str) -> Vec<(String, String)> {
        vec![("reasoning".into(), reasoning.into()), ("final_answer".into(), answer.into())]
    }

    #[test]
    fn reads_headers_as_models_write_them() {
        for text in [
            "[[ ## reasoning ## ]]\nbecause\n\n[[ ## final_answer ## ]]\n42\n\n[[ ## completed ## ]]",
            "[[ ## reasoning ## ]] because\n[[ ## final_answer ## ]] 42 [[ ## completed ## ]]",
            "[[ ## reasoning ## ]] because [[ ## final_answer ## ]] 42",
            "   [[ ## reasoning ## ]]\n  because\n   [[ ## final_answer ## ]]\n42",
            "**[[ ## reasoning ## ]]**\nbecause\n**[[ ## final_answer ## ]]**\n42",
            "### [[ ## reasoning ## ]]\nbecause\n### [[ ## Final Answer ## ]]\n42\n### [[ ## Completed ## ]]",
            "[[##reasoning##]]\nbecause\n[[##final_answer##]]\n42\n[[##completed##]]",
            "[[ reasoning ## ]]\nbecause\n[[ ## final_answer ]]\n42",
            "[ ## reasoning ## ]\nbecause\n[ ## final-answer ## ]\n42",
            "`[[ ## reasoning ## ]]`\nbecause\n`[[ ## final_answer ## ]]`\n42",
            "[[ ## final_answer ## ]]\n42\n[[ ## reasoning ## ]]\nbecause\n[[ ## completed ## ]]",
            "Sure!\n[[ ## question ## ]]\nwhat?\n[[ ## reasoning ## ]]\nbecause\n[[ ## final_answer ## ]]\n42",
            "[[ ## reasoning ## ]]\n\n[[ ## reasoning ## ]]\nbecause\n[[ ## final_answer ## ]]\n42\n\
             [[ ## completed ## ]]\n\n[[ ## question ## ]]\nnext\n[[ ## final_answer ## ]]\n43",
            "[[ ## reasoning ## ]]:\nbecause\n[[ ## final_answer ## ]]: 42",
        ] {
            assert_eq!(read(text), both("because", "42"), "{text}");
        }
    }

    #[test]
    fn text_that_speaks_of_headers_stays_text() {
        assert_eq!(
            read(
                "[[ ## reasoning ## ]]\nlists look like [[1, 2], [3]] and [[wiki]] and a [x] box\n[[ ## final_answer ## ]]\nx"
            ),
            both("lists look like [[1, 2], [3]] and [[wiki]] and a [x] box", "x")
        );
        assert_eq!(
            read(
                "[[ ## reasoning ## ]]\n[[ ## **bold** ]]\n[[ ## notes ## ]]\nmine\n[[ ## final_answer ## ]]\nx"
            ),
            both("[[ ## **bold** ]]", "x"),
            "of unknown fields only exact headers count"
        );
        assert!(read("[[1, 2], [3, 4]]").is_empty());
        assert!(read("").is_empty());
        assert!(read("[[ ## ").is_empty());
        assert!(read("[[ ## ü").is_empty());
    }

    #[test]
    fn code_keeps_its_indentation() {
        assert_eq!(
            read("[[ ## reasoning ## ]]\n\n    let a = 1;\n      b();\n\n[[ ## final_answer ## ]]\n x "),
            both("    let a = 1;\n      b();", "x")
        );
    }

    #[test]
    fn a_field_may_be_empty() {
        assert_eq!(read("[[ ## reasoning ## ]]\n[[ ## final_answer ## ]]\n42"), both("", "42"));
    }
}
