//! Texts as they stand in JSON and in prompts.

use std::fmt::{self, Write as _};

use super::error::WriteError;

/// A number that shows its shortest form that reads back to the same value.
pub(super) trait FloatText: fmt::Debug + fmt::Display {}

impl<T: fmt::Debug + fmt::Display> FloatText for T {}

/// Appends a finite number in its shortest form that reads back to the same value.
pub(super) fn push_float(out: &mut String, finite: bool, value: &dyn FloatText) -> Result<(), WriteError> {
    if !finite {
        return Err(WriteError::new(format!("the number {value} has no JSON form")));
    }
    let _ = write!(out, "{value:?}");
    Ok(())
}

/// Appends a text as a JSON string; characters beyond ASCII stay as they are.
pub(super) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    push_escaped(out, text);
    out.push('"');
}

fn push_escaped(out: &mut String, text: &str) {
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[done..at]);
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
        done = at + 1;
    }
    out.push_str(&text[done..]);
}

/// Escapes whatever is formatted into it.
struct Escape<'a>(&'a mut String);

impl fmt::Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.0, text);
        Ok(())
    }
}

/// Appends what `value` displays as a JSON string.
pub(super) fn push_displayed(out: &mut String, value: &dyn fmt::Display) -> Result<(), WriteError> {
    out.push('"');
    write!(Escape(out), "{value}").map_err(|_| WriteError::new("its Display implementation failed"))?;
    out.push('"');
    Ok(())
}

/// Appends ` text`, with every line after the first indented, so that none can pass for the start of a passage.
pub(super) fn push_passage(out: &mut String, text: &str) {
    let mut rest = text;
    let mut indent = " ";
    loop {
        // Every character that may be read as the end of a line.
        let end = rest.find(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']);
        let line = end.map_or(rest, |end| &rest[..end]);
        if !line.is_empty() {
            out.push_str(indent);
            out.push_str(line);
        }
        let Some(end) = end else { return };
        let len = match &rest[end..] {
            crlf if crlf.starts_with("\r\n") => 2,
            other => other.chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&rest[end..end + len]);
        rest = &rest[end + len..];
        indent = "    ";
    }
}

/// Appends code in a fence that is longer than any inside it.
pub(super) fn push_fence(out: &mut String, language: &str, code: &str) {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = longest.max(2) + 1;
    out.extend(std::iter::repeat_n('`', fence));
    out.push_str(language);
    out.push('\n');
    out.push_str(code);
    if !code.is_empty() && !code.ends_with('\n') {
        out.push('\n');
    }
    out.extend(std::iter::repeat_n('`', fence));
}
