//! The form in which DSPy keeps media in its saved demonstrations: a list of content blocks between two marks.

use serde_json::{Value, json};

use crate::Part;
use serde::Deserialize;

const START: &str = "<<CUSTOM-TYPE-START-IDENTIFIER>>";
const END: &str = "<<CUSTOM-TYPE-END-IDENTIFIER>>";

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
    let blocks = text.trim().strip_prefix(START)?.strip_suffix(END)?;
    let blocks: Vec<Value> = serde_json::from_str(blocks).ok()?;
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
            let mut block = json!({
                "type": "document",
                "source": {
                    "type": "text",
                    "media_type": part.get("media_type").unwrap_or("text/plain"),
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
