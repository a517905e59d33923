//! Server-sent events (the event stream format of the HTML standard), as far as providers use them.

/// Finds the `data` of events in bytes that arrive in pieces of any size.
#[derive(Default)]
pub(super) struct Events {
    /// Bytes of a line whose end has not arrived.
    partial: Vec<u8>,
    /// The data lines of the event at hand, joined by line feeds.
    data: Vec<u8>,
    has_data: bool,
    after_cr: bool,
}

impl Events {
    /// Takes the next bytes and hands the data of each event that they complete to `event`, which may stop the stream.
    pub(super) fn feed<E>(
        &mut self,
        mut bytes: &[u8],
        mut event: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
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
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                let data = std::mem::take(&mut self.data);
                event(&data)?;
            }
            return Ok(());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: &[u8], piece: usize) -> Vec<String> {
        let mut events = Events::default();
        let mut seen = Vec::new();
        let mut take = |data: &[u8]| {
            seen.push(String::from_utf8(data.to_vec()).unwrap());
            Ok::<(), ()>(())
        };
        for chunk in stream.chunks(piece) {
            events.feed(chunk, &mut take).unwrap();
        }
        events.finish(&mut take).unwrap();
        seen
    }

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let stream = ": hello\r\n\r\ndata: {\"a\":1}\r\n\r\nevent: x\ndata:two\ndata: lines\n\ndata\r\r\
                      id: 3\ndata: é€\n\n\n\ndatum: no\n\ndata: [DONE]";
        let expected = ["{\"a\":1}", "two\nlines", "", "é€", "[DONE]"];
        for piece in 1..stream.len() {
            assert_eq!(read(stream.as_bytes(), piece), expected, "in pieces of {piece}");
        }
    }
}
