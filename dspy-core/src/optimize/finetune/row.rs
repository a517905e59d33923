//! What a model is trained on: conversations that end with the answer it is to give.

use std::{io::Write, path::Path};

use serde_json::{Map, Value};

use crate::{
    Error, Result,
    data::JsonlReader,
    files,
    lm::{Message, Role, ToolSpec, write_chat_message, write_chat_tools},
    value::{Content, Part, ToolCall},
};

/// A conversation that a model is trained on. It ends with the assistant's message, and only this one is learnt:
/// what stands before it is given, also earlier messages of the assistant, such as those of demonstrations.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChatRow {
    /// The messages; the last one is the assistant's.
    pub messages: Vec<Message>,
    /// The tools that the model may call natively.
    pub tools: Vec<ToolSpec>,
}

impl ChatRow {
    /// A row of these messages.
    ///
    /// # Errors
    /// [`Error::Other`] when there is nothing before the last message, or it is not the assistant's, or is empty.
    pub fn new(messages: Vec<Message>) -> Result<Self> {
        let wrong = match messages.as_slice() {
            [.., last] if last.role != Role::Assistant => {
                format!("it ends with a message of the {}", last.role)
            }
            [.., last] if last.content.is_empty() && last.tool_calls.is_empty() => {
                "its last message is empty".to_owned()
            }
            [_, .., _] => return Ok(Self { messages, tools: Vec::new() }),
            _ => "it has fewer than two messages".to_owned(),
        };
        Err(Error::other(format!(
            "a row to train on is a conversation that ends with what the assistant is to say, but {wrong}"
        )))
    }

    /// Sets the tools that the model may call natively.
    #[must_use]
    pub fn tools(mut self, tools: Vec<ToolSpec>) -> Self {
        self.tools = tools;
        self
    }

    /// What is given: all messages but the last.
    pub fn prompt(&self) -> &[Message] {
        self.messages.split_last().map_or(&[], |(_, prompt)| prompt)
    }

    /// The text that is learnt: that of the last message.
    pub fn answer(&self) -> &str {
        self.messages.last().map_or("", |message| message.content.text())
    }

    /// The row as one line of OpenAI's chat format, without a line break. Messages of the assistant before the last
    /// have the weight 0, because the format would have all of them learnt.
    pub fn to_json_line(&self) -> Vec<u8> {
        let mut line = b"{\"messages\":[".to_vec();
        for (i, message) in self.messages.iter().enumerate() {
            if i > 0 {
                line.push(b',');
            }
            write_chat_message(&mut line, message);
            if message.role == Role::Assistant && i + 1 < self.messages.len() {
                line.pop();
                line.extend_from_slice(b",\"weight\":0}");
            }
        }
        line.push(b']');
        write_chat_tools(&mut line, &self.tools);
        line.push(b'}');
        line
    }

    /// The row that a line of OpenAI's chat format holds. Weights are passed over: the last message is learnt.
    ///
    /// # Errors
    /// [`Error::Other`] when the line is no such row, or has parts other than texts and images.
    pub fn from_json_line(line: &[u8]) -> Result<Self> {
        let wrong = |e: serde_json::Error| Error::other(format!("the line is not JSON: {e}"));
        Self::from_value(&serde_json::from_slice(line).map_err(wrong)?)
    }

    fn from_value(row: &Value) -> Result<Self> {
        let Some(messages) = row.get("messages").and_then(Value::as_array) else {
            return Err(Error::other("a row to train on has a list of `messages`"));
        };
        let of = |(i, m)| message(m).map_err(|e| Error::other(format!("messages[{i}]: {e}")));
        let messages: Result<Vec<Message>> = messages.iter().enumerate().map(of).collect();
        let tools = row.get("tools").and_then(Value::as_array).into_iter().flatten();
        let tools: Result<Vec<ToolSpec>, String> = tools.map(tool).collect();
        Ok(Self::new(messages?)?.tools(tools.map_err(Error::other)?))
    }
}

/// These rows as a file of OpenAI's chat format: one line each.
pub fn to_jsonl<'a>(rows: impl IntoIterator<Item = &'a ChatRow>) -> Vec<u8> {
    let mut file = Vec::new();
    for row in rows {
        file.extend_from_slice(&row.to_json_line());
        file.push(b'\n');
    }
    file
}

/// Writes rows as a file of OpenAI's chat format. The file is written whole or not at all.
///
/// # Errors
/// [`Error::Dataset`] naming the file.
pub fn write_jsonl(path: impl AsRef<Path>, rows: &[ChatRow]) -> Result<()> {
    let path = path.as_ref();
    files::write_atomically(path, |out| out.write_all(&to_jsonl(rows))).map_err(|e| Error::Dataset {
        path: path.to_owned(),
        line: None,
        message: files::not_written(path, &e),
    })
}

/// Reads a file of OpenAI's chat format.
///
/// # Errors
/// [`Error::Dataset`] naming the file, and the line that is no row.
pub fn read_jsonl(path: impl AsRef<Path>) -> Result<Vec<ChatRow>> {
    let path = path.as_ref();
    let mut reader = JsonlReader::<Value>::open(path)?;
    let mut rows = Vec::new();
    while let Some(value) = reader.next() {
        rows.push(ChatRow::from_value(&value?).map_err(|e| Error::Dataset {
            path: path.to_owned(),
            line: Some(reader.line()),
            message: e.to_string(),
        })?);
    }
    Ok(rows)
}

fn message(saved: &Value) -> Result<Message, String> {
    let text = |key: &str| saved.get(key).and_then(Value::as_str);
    let role = match text("role") {
        Some("system" | "developer") => Role::System,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("tool") => Role::Tool,
        other => return Err(format!("`role` is {}", other.unwrap_or("missing"))),
    };
    let mut content = Content::new();
    match saved.get("content") {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => content.push_str(text),
        Some(Value::Array(parts)) => parts.iter().try_for_each(|p| part(p, &mut content))?,
        Some(other) => return Err(format!("`content` must be text or a list of parts, not {other}")),
    }
    let mut message = Message::new(role, content);
    message.tool_call_id = text("tool_call_id").map(str::to_owned);
    for call in saved.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        let text = |at: &str| call.pointer(at).and_then(Value::as_str).unwrap_or_default();
        let (name, arguments) = (text("/function/name"), text("/function/arguments"));
        message.tool_calls.push(ToolCall::from_text(text("/id"), name, arguments));
    }
    Ok(message)
}

fn part(saved: &Value, content: &mut Content) -> Result<(), String> {
    let text = |at: &str| saved.pointer(at).and_then(Value::as_str);
    match text("/type") {
        Some("text") => content.push_str(text("/text").ok_or("a part lacks its `text`")?),
        Some("image_url") => {
            let mut image = Map::new();
            for key in ["url", "detail"] {
                if let Some(value) = text(&format!("/image_url/{key}")) {
                    image.insert(key.to_owned(), value.into());
                }
            }
            content.push_part(Part::new("image", image.into()));
        }
        kind => return Err(format!("a part of the type {} cannot be read", kind.unwrap_or("(none)"))),
    }
    Ok(())
}

fn tool(saved: &Value) -> Result<ToolSpec, String> {
    let function = saved.get("function").ok_or("a tool lacks its `function`")?;
    serde_json::from_value(function.clone()).map_err(|e| format!("a tool cannot be read: {e}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row() -> ChatRow {
        let messages =
            [Message::system("s"), Message::user("a"), Message::assistant("b"), Message::user("c")];
        ChatRow::new([&messages[..], &[Message::assistant("d\n\"e\"")]].concat()).unwrap()
    }

    #[test]
    fn only_the_last_message_is_learnt() {
        let line: Value = serde_json::from_slice(&row().to_json_line()).unwrap();
        assert_eq!(
            line,
            json!({"messages": [
                {"role": "system", "content": "s"}, {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b", "weight": 0}, {"role": "user", "content": "c"},
                {"role": "assistant", "content": "d\n\"e\""}
            ]})
        );
        assert_eq!((row().answer(), row().prompt().len()), ("d\n\"e\"", 4));
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let mut image = Content::from("look: ");
        image.push_part(Part::new("image", json!({"media_type": "image/png", "data": "AAAA"})));
        let mut call = Message::assistant("");
        call.tool_calls.push(ToolCall::from_text("c1", "search", "{\"q\":1}"));
        let with_tool = ChatRow::new(vec![Message::user(image), call]).unwrap().tools(vec![ToolSpec::new(
            "search",
            "finds",
            json!({"type": "object"}),
        )]);
        let rows = [row(), with_tool];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        write_jsonl(&path, &rows).unwrap();
        let read = read_jsonl(&path).unwrap();
        assert_eq!(to_jsonl(&read), to_jsonl(&rows));
        assert_eq!((&read[0], &read[1].tools), (&rows[0], &rows[1].tools));
    }

    #[test]
    fn what_is_no_row_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        let mut file = to_jsonl(&[row()]);
        file.extend_from_slice(b"\n{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}\n");
        std::fs::write(&path, file).unwrap();
        let error = read_jsonl(&path).unwrap_err().to_string();
        assert!(error.contains("rows.jsonl, line 3") && error.contains("message of the user"), "{error}");
        assert!(ChatRow::new(vec![Message::assistant("a")]).is_err());
        assert!(ChatRow::new(vec![Message::user("a"), Message::assistant("")]).is_err());
        assert!(ChatRow::from_json_line(b"{}").is_err());
    }
}
