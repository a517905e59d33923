use serde_json::{Value, json};

use schemars::JsonSchema;

use super::*;
use crate::{Content, Part, TypeInfo, read_json, write, write_json};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000";

fn part<T: serde::Serialize>(value: &T) -> Part {
    let mut out = Content::new();
    write(value, &mut out).unwrap();
    out.parts()[0].1.clone()
}

fn survives<T>(value: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let json = write_json(value).unwrap();
    assert_eq!(json, serde_json::to_value(value).unwrap());
    assert_eq!(read_json::<T>(&json).unwrap(), *value);
    let marked = to_dspy_marker(&part(value));
    assert_eq!(read_json::<T>(&Value::from(marked)).unwrap(), *value);
}

#[test]
fn media_survive_both_forms() {
    survives(&Image::from_url("https://a.b/c.png").unwrap());
    survives(&Image::from_bytes(PNG).unwrap());
    survives(&Audio::from_bytes(b"RIFF", "wav"));
    survives(&File::from_bytes(b"%PDF-", "application/pdf").named("a.pdf"));
    survives(&File::from_id("file-1"));
    survives(&Document::new("text").titled("t").with_context("c"));
}

#[test]
fn marks_of_dspy_26_are_in_the_notation_of_python() {
    let marked = |blocks: &str| {
        json!(format!("<<CUSTOM-TYPE-START-IDENTIFIER>>{blocks}<<CUSTOM-TYPE-END-IDENTIFIER>>"))
    };
    let image = marked("[{'type': 'image_url', 'image_url': {'url': 'data:image/gif;base64,R0lGODlh'}}]");
    assert_eq!(read_json::<Image>(&image).unwrap().bytes().unwrap(), b"GIF89a");
    let first: Image = read_json(&json!("<DSPY_IMAGE_START>https://a.b/c.png<DSPY_IMAGE_END>")).unwrap();
    assert_eq!(first.url(), Some("https://a.b/c.png"));
    let audio = marked("[{'type': 'input_audio', 'input_audio': {'data': 'AAAA', 'format': 'wav'}}]");
    assert_eq!(read_json::<Audio>(&audio).unwrap().format(), "wav");
    let document = marked(
        r#"[{'type': 'document', 'source': {'type': 'text', 'media_type': 'text/plain', 'data': "it's\n\\n \"x\" é\x07\u200b\U0001f600"}, 'title': None, 'citations': {'enabled': True}, 'context': 'so \'c\': "d", '}]"#,
    );
    let document: Document = read_json(&document).unwrap();
    assert_eq!(document.text, "it's\n\\n \"x\" é\u{7}\u{200b}😀");
    assert_eq!((document.title, document.context.as_deref()), (None, Some("so 'c': \"d\", ")));
    for broken in
        ["[{'type': 'image_url'", "[exec('x')]", "['\\q']", "[{'type': 'image_url', 'image_url': nan}]", "'"]
    {
        assert!(read_json::<Image>(&marked(broken)).is_err(), "{broken}");
    }
}

#[test]
fn media_are_marked_in_saved_values_wherever_they_stand() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, JsonSchema)]
    struct Page {
        scan: Option<Image>,
        notes: Vec<String>,
        more: std::collections::BTreeMap<String, (u8, File)>,
    }
    let info = TypeInfo::of::<Vec<Page>>();
    let file = File::from_id("file-1");
    let page = Page {
        scan: Some(Image::from_bytes(PNG).unwrap()),
        notes: vec!["n".into()],
        more: [("a".into(), (1, file.clone()))].into(),
    };
    let own =
        write_json(&vec![page, Page { scan: None, notes: Vec::new(), more: Default::default() }]).unwrap();
    let saved = info.to_saved(&own);
    let scan = saved[0]["scan"].as_str().unwrap();
    assert!(scan.starts_with("<<CUSTOM-TYPE-START-IDENTIFIER>>[{'type':'image_url'"), "{scan}");
    let image = Image::from_bytes(PNG).unwrap();
    let alone = TypeInfo::of::<Image>().to_saved(&write_json(&image).unwrap());
    assert_eq!(alone, to_dspy_marker(&part(&image)));
    assert_eq!(saved[0]["more"]["a"], json!([1, to_dspy_marker(&part(&file))]));
    assert_eq!((&saved[0]["notes"], &saved[1]), (&own[0]["notes"], &own[1]));
    assert_eq!(info.from_saved(&saved), own);
    // What is none of the type stays, and so do marks in plain texts.
    let other = json!([{"scan": 3}, scan]);
    assert_eq!((info.to_saved(&other), info.from_saved(&other)), (other.clone(), other));
    let text = TypeInfo::of::<String>();
    assert_eq!((text.to_saved(&json!(scan)), text.from_saved(&json!(scan))), (json!(scan), json!(scan)));
}

#[test]
fn media_are_recognised_by_their_bytes() {
    assert_eq!(Image::from_bytes(PNG).unwrap().media_type(), Some("image/png"));
    assert_eq!(Image::from_bytes(b"\xff\xd8\xff\xe0").unwrap().media_type(), Some("image/jpeg"));
    assert_eq!(Image::from_bytes(b"RIFF0000WEBPVP8 ").unwrap().media_type(), Some("image/webp"));
    assert!(matches!(Image::from_bytes(b"%PDF-1.7"), Err(MediaError::UnknownFormat(..))));
    assert_eq!(source::sniff(b"\xff\xfb\x90\x00"), Some("audio/mp3"));
    assert_eq!(source::sniff(b"RIFF0000WAVEfmt "), Some("audio/wav"));
}

#[test]
fn media_are_read_from_plain_text() {
    let image: Image = read_json(&json!("data:image/gif;base64,R0lGODlh")).unwrap();
    assert_eq!(
        (image.media_type(), image.bytes().unwrap().as_slice()),
        (Some("image/gif"), b"GIF89a".as_slice())
    );
    let audio: Audio = read_json(&json!("data:audio/mpeg;base64,AAAA")).unwrap();
    assert_eq!(audio.format(), "mp3");
    for wrong in
        ["/etc/passwd", "file:///etc/passwd", "C:\\a.png", "a.png", "data:image/png,raw", "javascript:x", ""]
    {
        assert!(read_json::<Image>(&json!(wrong)).is_err(), "{wrong}");
    }
    assert!(read_json::<Image>(&json!({"data": "!", "media_type": "image/png"})).is_err());
    assert!(read_json::<Image>(&json!({})).is_err());
}

#[test]
fn debug_shows_no_bytes() {
    let image = Image::from_bytes([PNG, &[0; 10_000]].concat()).unwrap();
    let shown = format!("{image:?}");
    assert!(shown.len() < 60 && shown.contains("10012 bytes"), "{shown}");
}

#[test]
fn tool_calls_are_read_in_every_form() {
    let call = json!({"name": "f", "args": {"x": 1}});
    let expected = ToolCalls(vec![ToolCall::new("f", call["args"].as_object().unwrap().clone())]);
    for form in [
        call.clone(),
        json!([call]),
        json!({"tool_calls": [call]}),
        json!({"name": "f", "arguments": {"x": 1}}),
        json!({"name": "f", "arguments": "{\"x\": 1}"}),
        json!({"type": "tool_use", "name": "f", "input": {"x": 1}}),
        json!(call.to_string()),
        json!(json!([call]).to_string()),
        json!([{"type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}}]),
    ] {
        assert_eq!(read_json::<ToolCalls>(&form).unwrap(), expected, "{form}");
    }
    let provider = json!([{"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]);
    let calls: ToolCalls = read_json(&provider).unwrap();
    assert_eq!(calls[0].id.as_deref(), Some("c1"));
    assert!(calls[0].args.is_empty());
    assert_eq!(read_json::<ToolCalls>(&write_json(&calls).unwrap()).unwrap(), calls);
    assert_eq!(write_json(&expected).unwrap(), json!({"tool_calls": [call]}));
    assert!(read_json::<ToolCalls>(&json!({"nome": "f"})).is_err());
    assert!(read_json::<ToolCalls>(&json!("f(x)")).is_err());
}

#[test]
fn conversations_and_citations_survive() {
    let mut history = History::new();
    history.push(&json!({"question": "q", "answer": "a"})).unwrap();
    assert!(history.push("text").is_err());
    let json = write_json(&history).unwrap();
    assert_eq!(json, json!({"messages": [{"question": "q", "answer": "a"}]}));
    assert_eq!(read_json::<History>(&json).unwrap(), history);
    assert_eq!(read_json::<History>(&json["messages"]).unwrap(), history);

    let inside_text = json!(r#"[{"cited_text": "c"}]"#);
    assert_eq!(read_json::<Citations>(&inside_text).unwrap()[0].cited_text, "c");
    let theirs = json!({"citations": [{
        "type": "char_location", "cited_text": "c", "document_index": 1, "document_title": null,
        "start_char_index": 3, "end_char_index": 4, "supported_text": null,
    }]});
    let citations: Citations = read_json(&theirs).unwrap();
    assert_eq!(
        (citations[0].start, citations[0].end, citations[0].document_index),
        (Some(3), Some(4), Some(1))
    );
    assert_eq!(read_json::<Citations>(&write_json(&citations).unwrap()).unwrap(), citations);
}

#[test]
fn reasoning_is_text() {
    let reasoning = Reasoning::new("because");
    assert_eq!(write_json(&reasoning).unwrap(), "because");
    assert_eq!(read_json::<Reasoning>(&json!("because")).unwrap(), reasoning);
    let mut out = Content::new();
    write(&reasoning, &mut out).unwrap();
    assert_eq!(out.text(), "because");
}
