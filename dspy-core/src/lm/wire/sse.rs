//! Server-sent events (the event stream format of the HTML standard), as far as providers use them.

use crate::{LmError, LmErrorKind};

/// The longest event that is read, and the longest stream: against servers that never end. A token takes some 300 bytes.
const MAX_EVENT: usize = 16 << 20;
const MAX_STREAM: usize = 256 << 20;

/// A stream that is longer than one that is read.
#[derive(Debug, PartialEq)]
pub(super) struct TooLong(&'static str);

impl From<TooLong> for LmError {
    /// The error of a model that is not named: the client knows whom it has asked.
    fn from(TooLong(what): TooLong) -> Self {
        Self::new(LmErrorKind::InvalidResponse, "", format!("the answer cannot be read: {what}"))
    }
}

/// Finds the `data` of events in bytes that arrive in pieces of any size.
pub(super) struct Events {
    max_event: usize,
    /// Bytes that may still come.
    left: usize,
    /// Bytes of a line whose end has not arrived.
    partial: Vec<u8>,
    /// The data lines of the event at hand, joined by line feeds.
    data: Vec<u8>,
    has_data: bool,
    after_cr: bool,
    /// Whether no line has ended yet.
    first: bool,
}

impl Default for Events {
    fn default() -> Self {
        Self::bounded(MAX_EVENT, MAX_STREAM)
    }
}

impl Events {
    fn bounded(max_event: usize, max_stream: usize) -> Self {
        Self {
            max_event,
            left: max_stream,
            partial: Vec::new(),
            data: Vec::new(),
            has_data: false,
            after_cr: false,
            first: true,
        }
    }

    /// Takes the next bytes and hands the data of each event that they complete to `event`, which may stop the stream.
    pub(super) fn feed<E: From<TooLong>>(
        &mut self,
        mut bytes: &[u8],
        mut event: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(TooLong("the stream is longer than 256 MiB"))?;
        // A line ends with CR, LF or both, and the two may arrive apart.
        if self.after_cr && bytes.first() == Some(&b'\n') {
            bytes = &bytes[1..];
        }
        self.after_cr = self.after_cr && bytes.is_empty();
        while let Some(end) = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            self.partial.extend_from_slice(&bytes[..end]);
            let cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if cr {
                match bytes.first() {
                    Some(b'\n') => bytes = &bytes[1..],
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
            let line = std::mem::take(&mut self.partial);
            self.line(&line, &mut event)?;
            self.partial = line;
            self.partial.clear();
        }
        if self.partial.len() + self.data.len() + bytes.len() > self.max_event {
            return Err(TooLong("an event of the stream is longer than 16 MiB").into());
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    /// Ends the stream: an event without the empty line that should follow it is taken nevertheless, since some servers
    /// leave the last one out.
    pub(super) fn finish<E>(&mut self, mut event: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let line = std::mem::take(&mut self.partial);
        if !line.is_empty() {
            self.line(&line, &mut event)?;
        }
        self.line(&[], &mut event)
    }

    fn line<E>(&mut self, line: &[u8], event: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let line = if std::mem::take(&mut self.first) { unmarked(line) } else { line };
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                let data = std::mem::take(&mut self.data);
                // Blank ones keep the connection alive.
                let said = data.trim_ascii();
                if !said.is_empty() {
                    event(said)?;
                }
            }
            return Ok(());
        }
        // Older servers of llama.cpp end a stream with a line of their own when they fail.
        if let Some(error) = line.strip_prefix(b"error: ").filter(|error| error.starts_with(b"{")) {
            return event(&[b"{\"error\":", error, b"}"].concat());
        }
        // Comments, names, ids and retry times tell nothing about an answer.
        let Some(value) = line.strip_prefix(b"data") else { return Ok(()) };
        let value = match value {
            [] => value,
            [b':', b' ', rest @ ..] | [b':', rest @ ..] => rest,
            _ => return Ok(()),
        };
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        Ok(())
    }
}

/// A text without the mark of the byte order that may stand before it.
pub(super) fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: &[u8], piece: usize) -> Vec<String> {
        let mut events = Events::default();
        let mut seen = Vec::new();
        let mut take = |data: &[u8]| {
            seen.push(String::from_utf8(data.to_vec()).unwrap());
            Ok::<(), TooLong>(())
        };
        for chunk in stream.chunks(piece) {
            events.feed(chunk, &mut take).unwrap();
        }
        events.finish(&mut take).unwrap();
        seen
    }

    #[test]
    fn what_never_ends_is_not_held() {
        let take = |_: &[u8]| Ok::<(), TooLong>(());
        let feed = |events: &mut Events, piece: &[u8]| {
            (0..1000).find_map(|i| events.feed(piece, take).err().map(|error| (i, error)))
        };
        let mut one = Events::bounded(1000, 100_000);
        one.feed(b"data: ", take).unwrap();
        let (at, TooLong(what)) = feed(&mut one, &[b'x'; 100]).unwrap();
        assert!(at == 9 && what.contains("an event"), "{at} {what}");
        let mut lines = Events::bounded(1000, 100_000);
        let (at, _) = feed(&mut lines, b"data: an event of many lines\n").unwrap();
        assert!(at < 50, "{at}");
        let mut many = Events::bounded(1000, 100_000);
        let (at, TooLong(what)) = feed(&mut many, &b"data: 0123456789012345678901234567890123456789\n\n"[..])
            .unwrap_or((1000, TooLong("")));
        assert_eq!((at, what), (1000, ""), "48 kB in all");
        let (_, TooLong(what)) = feed(
            &mut many,
            &b"data: 0123456789012345678901234567890123456789012345678901234567890123456789\n\n"[..],
        )
        .unwrap();
        assert!(what.contains("the stream"), "{what}");
    }

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let stream = "\u{feff}data: first\r\n\r\n: hello\r\n\r\ndata: {\"a\":1}\r\n\r\nevent: x\ndata:two\ndata: lines\n\ndata\r\r\
                      id: 3\ndata: é€\n\n\n\ndatum: no\n\ndata: [DONE]";
        let expected = ["first", "{\"a\":1}", "two\nlines", "é€", "[DONE]"];
        for piece in 1..stream.len() {
            assert_eq!(read(stream.as_bytes(), piece), expected, "in pieces of {piece}");
        }
    }
}
