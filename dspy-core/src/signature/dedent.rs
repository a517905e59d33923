//! Texts that stand in a program, with its indentation.

/// A text without the indentation that all its lines share, and without blank lines at either end: as Python cleans
/// docstrings, so that an instruction is the same on both sides.
///
/// The first line counts only if it is indented, because that of a text in quotes often is not. Where it is, as in a
/// documentation comment, what is deeper than it stays deeper. A tab at the beginning of a line is four spaces.
pub(crate) fn dedented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| spaced(line.trim_end())).collect();
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let counted =
        lines.iter().enumerate().filter(|(i, line)| !line.is_empty() && (*i > 0 || indent(line) > 0));
    let shared = counted.map(|(_, line)| indent(line)).min().unwrap_or(0);
    let cut: Vec<&str> = lines.iter().map(|line| &line[shared.min(indent(line))..]).collect();
    cut.join("\n").trim_matches('\n').to_owned()
}

/// A line with spaces for the tabs at its beginning.
fn spaced(line: &str) -> String {
    let rest = line.trim_start_matches([' ', '\t']);
    let tabs = |c: char| if c == '\t' { "    " } else { " " };
    let before: String = line[..line.len() - rest.len()].chars().map(tabs).collect();
    before + rest
}

#[cfg(test)]
mod tests {
    use super::dedented;

    #[test]
    fn docs_lose_their_indentation() {
        for (docs, text) in [
            ("", ""),
            (" one line", "one line"),
            (" two\n lines", "two\nlines"),
            (" a list:\n   - indented\n\n end ", "a list:\n  - indented\n\nend"),
            ("\n     block\n       comment\n     ", "block\n  comment"),
            (
                " block\n    that starts at once\n    and goes on",
                "block\n   that starts at once\n   and goes on",
            ),
            ("Plain text.\n    Indented rest.", "Plain text.\nIndented rest."),
            ("  \n\n", ""),
            ("\n\t\ttabs\tinside\n\t\t\tand deeper\n\t", "tabs\tinside\n    and deeper"),
            ("Windows.\r\n    Lines.\r\n", "Windows.\nLines."),
            ("\u{3000}wide blanks\n\u{3000}stay", "\u{3000}wide blanks\n\u{3000}stay"),
        ] {
            assert_eq!(dedented(docs), text, "{docs:?}");
        }
    }
}
