//! What differs between vector stores.

use serde_json::{Map, Value};

use super::service::Service;
use crate::{Result, lm::BoxFuture, retrieve::Passage};

/// The names under which stores keep what a passage is, beside its metadata.
pub(crate) const TEXT: &str = "text";
pub(crate) const ID: &str = "passage_id";

/// How a kind of store is asked.
pub(crate) trait Protocol: Send + Sync + 'static {
    /// The header that carries the key, and what stands before the key in it.
    fn key_header(&self) -> (&'static str, &'static str);

    /// Headers that every request needs.
    fn headers(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Makes the collection for vectors of this dimension unless it exists.
    fn create<'a>(&'a self, service: &'a Service, dimension: usize) -> BoxFuture<'a, Result<()>>;

    /// Puts passages with their vectors into the collection; those of the same id are replaced.
    fn upsert<'a>(
        &'a self,
        service: &'a Service,
        passages: &'a [Passage],
        vectors: &'a [Vec<f32>],
    ) -> BoxFuture<'a, Result<()>>;

    /// The nearest passages, the best first.
    fn query<'a>(
        &'a self,
        service: &'a Service,
        vector: &'a [f32],
        k: usize,
        filter: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<Vec<Passage>>>;
}

/// A passage as an object: its metadata, its text and its id.
pub(crate) fn to_payload(passage: &Passage) -> Map<String, Value> {
    let mut payload = passage.metadata.clone();
    payload.insert(TEXT.into(), passage.text.clone().into());
    payload.insert(ID.into(), passage.id.clone().into());
    payload
}

/// The passage of such an object, or of one that something else has put there and that has a text at least.
pub(crate) fn from_payload(mut payload: Map<String, Value>, id: &Value, score: f32) -> Passage {
    let text = match payload.remove(TEXT) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let id = match (payload.remove(ID), id) {
        (Some(Value::String(id)), _) => id,
        (_, Value::String(id)) => id.clone(),
        (_, other) => other.to_string(),
    };
    let mut passage = Passage::new(text).id(id).score(score);
    passage.metadata = payload;
    passage
}

/// A UUID for an id, for stores that take nothing else: the same for the same id.
pub(crate) fn uuid(id: &str) -> String {
    use sha2::{Digest, Sha256};

    let digest = Sha256::digest(id.as_bytes());
    let mut bytes: [u8; 16] = std::array::from_fn(|i| digest.get(i).copied().unwrap_or_default());
    // Version 8 (made by the application) and the variant of RFC 9562.
    bytes[6] = bytes[6] & 0x0F | 0x80;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// A text as a part of a path.
pub(crate) fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_uuids_and_segments() {
        assert_eq!(uuid("a"), uuid("a"));
        assert_ne!(uuid("a"), uuid("b"));
        let parts: Vec<usize> = uuid("a").split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(segment("a b/ü"), "a%20b%2F%C3%BC");
    }

    #[test]
    fn payloads_round_trip() {
        let passage = Passage::new("t").id("7").metadata("year", 1843);
        assert_eq!(from_payload(to_payload(&passage), &Value::Null, 0.0), passage);
        assert_eq!(from_payload(Map::new(), &7.into(), 0.5).id, "7");
    }
}
