//! The form in which DSPy keeps media in its saved demonstrations: a list of content blocks between two marks, in JSON
//! or, up to 2.6, as Python prints it.

use serde_json::{Value, json};

use crate::Part;
use serde::Deserialize;

const START: &str = "<<CUSTOM-TYPE-START-IDENTIFIER>>";
const END: &str = "<<CUSTOM-TYPE-END-IDENTIFIER>>";

/// The marks of an image's URL in DSPy 2.6 before there were others.
const IMAGE: (&str, &str) = ("<DSPY_IMAGE_START>", "<DSPY_IMAGE_END>");

/// The object form of a medium, as it is read.
#[derive(Debug, Default, Deserialize)]
pub(super) struct OwnedFields {
    pub(super) url: Option<String>,
    pub(super) file_id: Option<String>,
    #[serde(alias = "mime_type")]
    pub(super) media_type: Option<String>,
    #[serde(alias = "audio_format")]
    pub(super) format: Option<String>,
    pub(super) data: Option<String>,
    /// A data URI, as DSPy keeps the bytes of a file.
    pub(super) file_data: Option<String>,
    pub(super) filename: Option<String>,
    pub(super) text: Option<String>,
    pub(super) title: Option<String>,
    pub(super) context: Option<String>,
}

/// The fields of the medium that a text stands for, when all of the text is one marked block. Only called where the
/// type asks for a medium, so marks inside other texts mean nothing.
pub(super) fn fields(text: &str) -> Option<OwnedFields> {
    let text = text.trim();
    if let Some(url) = text.strip_prefix(IMAGE.0).and_then(|text| text.strip_suffix(IMAGE.1)) {
        return Some(OwnedFields { url: Some(url.to_owned()), ..OwnedFields::default() });
    }
    let blocks = text.strip_prefix(START)?.strip_suffix(END)?;
    let blocks = serde_json::from_str(blocks).ok().or_else(|| serde_json::from_str(&json_of(blocks)?).ok());
    let blocks: Vec<Value> = blocks?;
    let [block] = blocks.as_slice() else { return None };
    let text_at = |pointer: &str| block.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    match block.get("type")?.as_str()? {
        "image_url" => Some(OwnedFields { url: text_at("/image_url/url"), ..OwnedFields::default() }),
        "input_audio" => Some(OwnedFields {
            data: text_at("/input_audio/data"),
            format: text_at("/input_audio/format"),
            ..OwnedFields::default()
        }),
        "file" => Some(OwnedFields {
            file_data: text_at("/file/file_data"),
            file_id: text_at("/file/file_id"),
            filename: text_at("/file/filename"),
            ..OwnedFields::default()
        }),
        "document" => Some(OwnedFields {
            text: text_at("/source/data"),
            media_type: text_at("/source/media_type"),
            title: text_at("/title"),
            context: text_at("/context"),
            ..OwnedFields::default()
        }),
        _ => None,
    }
}

/// Whether there is a marked text anywhere in a value.
pub(crate) fn has_marks(value: &Value) -> bool {
    match value {
        Value::String(text) => [START, IMAGE.0].iter().any(|mark| text.trim_start().starts_with(mark)),
        Value::Array(items) => items.iter().any(has_marks),
        Value::Object(fields) => fields.values().any(has_marks),
        _ => false,
    }
}

/// A literal of Python, as DSPy 2.6 writes the blocks, in the notation of JSON. `None` for what is no such literal.
fn json_of(python: &str) -> Option<String> {
    let mut json = String::with_capacity(python.len());
    let mut rest = python;
    while let Some(c) = rest.chars().next() {
        if c == '\'' || c == '"' {
            let (text, len) = python_text(rest)?;
            json.push_str(&serde_json::to_string(&text).ok()?);
            rest = &rest[len..];
        } else if c.is_ascii_alphabetic() {
            let len = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            json.push_str(match &rest[..len] {
                "None" => "null",
                "True" => "true",
                "False" => "false",
                _ => return None,
            });
            rest = &rest[len..];
        } else {
            json.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    Some(json)
}

/// The text in quotes at the start, as `repr` of Python writes it, and the length of its notation.
fn python_text(source: &str) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut chars = source.char_indices();
    let (_, quote) = chars.next()?;
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Some((text, at + c.len_utf8()));
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        let digits = match chars.next()?.1 {
            'n' => Err('\n'),
            'r' => Err('\r'),
            't' => Err('\t'),
            'x' => Ok(2),
            'u' => Ok(4),
            'U' => Ok(8),
            same @ ('\\' | '\'' | '"') => Err(same),
            _ => return None,
        };
        text.push(match digits {
            Err(escaped) => escaped,
            Ok(digits) => {
                let code =
                    (0..digits).try_fold(0, |code, _| Some(code * 16 + chars.next()?.1.to_digit(16)?))?;
                char::from_u32(code)?
            }
        });
    }
    None
}

/// As [`to_dspy_marker`], for a place within a structure, where DSPy shows the marked text as a JSON string: 2.6 does not
/// find JSON in there again, but what has no escapes, as its own notation of an image or a sound.
pub(crate) fn to_dspy_marker_inside(part: &Part) -> String {
    let marked = to_dspy_marker(part);
    match matches!(part.kind, "image" | "audio") && !marked.contains(['\'', '\\']) {
        true => marked.replace('"', "'"),
        false => marked,
    }
}

/// A part as the marked text that DSPy writes into its saved demonstrations, for programs that are to be loaded there.
pub fn to_dspy_marker(part: &Part) -> String {
    let url = part.url();
    let block = match part.kind {
        "image" => json!({ "type": "image_url", "image_url": { "url": url } }),
        "audio" => json!({
            "type": "input_audio",
            "input_audio": { "data": part.get("data"), "format": part.get("format") },
        }),
        "file" => {
            let mut file = json!({});
            for (key, value) in [
                ("file_data", url.as_deref()),
                ("file_id", part.get("file_id")),
                ("filename", part.get("filename")),
            ] {
                if let Some(value) = value {
                    file[key] = value.into();
                }
            }
            json!({ "type": "file", "file": file })
        }
        "document" => {
            let media_type = part.get("media_type").unwrap_or("text/plain");
            let mut block = json!({
                "type": "document",
                "source": {
                    "type": if media_type == "application/pdf" { "base64" } else { "text" },
                    "media_type": media_type,
                    "data": part.get("text"),
                },
                "citations": { "enabled": true },
            });
            for key in ["title", "context"] {
                if let Some(value) = part.get(key) {
                    block[key] = value.into();
                }
            }
            block
        }
        other => json!({ "type": other, other: part.data }),
    };
    format!("{START}{}{END}", Value::Array(vec![block]))
}
