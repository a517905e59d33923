//! The binary messages of Amazon's event streams (`application/vnd.amazon.eventstream`).
//!
//! A message is its length, the length of its headers, a CRC-32 of these two, headers, a payload, and a CRC-32 of all
//! before. Source: the specification of event streams in Amazon's Smithy, *Amazon event stream*.

use serde_json::{json, value::RawValue};

use super::write::json;
use crate::{LmError, LmErrorKind};

/// The longest message that is read, and the longest stream: against servers that never end.
const MAX_MESSAGE: usize = 16 << 20;
const MAX_STREAM: usize = 256 << 20;
/// The two lengths and their checksum.
const PRELUDE: usize = 12;
/// The checksum at the end.
const CHECKSUM: usize = 4;

/// Finds messages in bytes that arrive in pieces of any size.
pub(crate) struct Messages {
    buffer: Vec<u8>,
    /// Bytes that may still come.
    left: usize,
}

impl Default for Messages {
    fn default() -> Self {
        Self { buffer: Vec::new(), left: MAX_STREAM }
    }
}

impl Messages {
    /// Takes the next bytes and hands over each message that they complete, as an object with one member: the type of the
    /// event, or of the exception, and its payload.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        mut event: impl FnMut(&[u8]) -> Result<(), LmError>,
    ) -> Result<(), LmError> {
        self.left =
            self.left.checked_sub(bytes.len()).ok_or_else(|| wrong("the stream is longer than 256 MiB"))?;
        self.buffer.extend_from_slice(bytes);
        let mut done = 0;
        while let Some(length) = length_of(&self.buffer[done..])? {
            let Some(message) = self.buffer.get(done..done + length) else { break };
            event(&read(message)?)?;
            done += length;
        }
        self.buffer.drain(..done);
        Ok(())
    }
}

/// The length of the message that begins here, as soon as it can be known.
fn length_of(bytes: &[u8]) -> Result<Option<usize>, LmError> {
    let Some(prelude) = bytes.get(..PRELUDE) else { return Ok(None) };
    if number(prelude, 8) != crc32fast::hash(&prelude[..8]) {
        return Err(wrong("the checksum of a message's head is wrong"));
    }
    let (length, headers) = (number(prelude, 0) as usize, number(prelude, 4) as usize);
    if length > MAX_MESSAGE {
        return Err(wrong("a message of the stream is longer than 16 MiB"));
    }
    if length < PRELUDE + CHECKSUM || headers > length - PRELUDE - CHECKSUM {
        return Err(wrong("the lengths of a message do not fit each other"));
    }
    Ok(Some(length))
}

/// Reads a whole message.
fn read(message: &[u8]) -> Result<Vec<u8>, LmError> {
    let (content, checksum) = message.split_at(message.len() - CHECKSUM);
    if number(checksum, 0) != crc32fast::hash(content) {
        return Err(wrong("the checksum of a message is wrong"));
    }
    let (headers, payload) = content[PRELUDE..].split_at(number(content, 4) as usize);
    let headers = texts(headers).ok_or_else(|| wrong("the headers of a message cannot be read"))?;
    let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map_or("", |(_, value)| *value);
    let mut out = b"{".to_vec();
    match header(":message-type") {
        "error" => {
            json(&mut out, "error");
            out.push(b':');
            json(&mut out, &json!({"code": header(":error-code"), "message": header(":error-message")}));
        }
        kind => {
            json(&mut out, header(if kind == "exception" { ":exception-type" } else { ":event-type" }));
            out.push(b':');
            let payload = if payload.is_empty() { b"{}" } else { payload };
            let payload: &RawValue = serde_json::from_slice(payload).map_err(wrong)?;
            out.extend_from_slice(payload.get().as_bytes());
        }
    }
    out.push(b'}');
    Ok(out)
}

/// The headers that are texts.
fn texts(mut bytes: &[u8]) -> Option<Vec<(&str, &str)>> {
    let mut found = Vec::new();
    while let [length, rest @ ..] = bytes {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (kind, rest) = rest.split_first()?;
        let (length, rest) = match kind {
            // Two truth values; a byte; integers of 2, 4 and 8 bytes; a time; a UUID.
            0 | 1 => (0, rest),
            2 => (1, rest),
            3 => (2, rest),
            4 => (4, rest),
            5 | 8 => (8, rest),
            9 => (16, rest),
            // Bytes, and text.
            6 | 7 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        if *kind == 7 {
            found.push((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?));
        }
        bytes = rest;
    }
    Some(found)
}

/// The number at a place where four bytes are known to be.
fn number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The error of a model that is not named: the client knows whom it has asked.
fn wrong(what: impl std::fmt::Display) -> LmError {
    LmError::new(LmErrorKind::InvalidResponse, "", format!("the answer cannot be read: {what}"))
}
