//! Answers in memory, bounded by number and by bytes.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use super::digest::Key;
use crate::lm::Response;

const SHARDS: usize = 16;

/// Answers in memory, in two generations: new ones and those that are used go to the young generation; when it is full
/// it becomes the old one, and what the old one still held is forgotten. That is close to dropping the least recently
/// used, at the price of two hash maps.
pub(crate) struct Memory {
    shards: [Mutex<Shard>; SHARDS],
    /// The bounds of one generation of one shard.
    entries: usize,
    bytes: usize,
}

#[derive(Default)]
struct Shard {
    young: Generation,
    old: Generation,
    young_bytes: usize,
}

type Generation = HashMap<[u8; 32], Arc<Response>, BuildHasherDefault<FirstBytes>>;

impl Memory {
    pub(crate) fn new(entries: usize, bytes: usize) -> Self {
        // Small caches would be cut into useless slivers by the shards' rounding, hence at least one entry each.
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            entries: (entries / (2 * SHARDS)).max(1),
            bytes: bytes / (2 * SHARDS),
        }
    }

    fn shard(&self, key: &Key) -> &Mutex<Shard> {
        &self.shards[usize::from(key.0[31]) % SHARDS]
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Response>> {
        let mut shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = shard.young.get(&key.0) {
            return Some(found.clone());
        }
        let found = shard.old.remove(&key.0)?;
        let forgotten = self.insert(&mut shard, key, found.clone());
        drop(shard);
        drop(forgotten);
        Some(found)
    }

    pub(crate) fn put(&self, key: &Key, response: Arc<Response>) {
        let mut shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = self.insert(&mut shard, key, response);
        // Freeing many answers takes a while: not under the lock.
        drop(shard);
        drop(forgotten);
    }

    fn insert(&self, shard: &mut Shard, key: &Key, response: Arc<Response>) -> Option<Generation> {
        let bytes = size(&response);
        if bytes > self.bytes {
            return None;
        }
        let mut forgotten = None;
        if shard.young.len() >= self.entries || shard.young_bytes + bytes > self.bytes {
            let full = std::mem::take(&mut shard.young);
            forgotten = Some(std::mem::replace(&mut shard.old, full));
            shard.young_bytes = 0;
        }
        let before = shard.young.insert(key.0, response).map_or(0, |before| size(&before));
        shard.young_bytes = (shard.young_bytes + bytes).saturating_sub(before);
        forgotten
    }

    /// Hands over all answers.
    pub(crate) fn each(
        &self,
        mut take: impl FnMut(&Key, &Response) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        for shard in &self.shards {
            let found: Vec<([u8; 32], Arc<Response>)> = {
                let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                let old = shard.old.iter().filter(|(key, _)| !shard.young.contains_key(*key));
                shard.young.iter().chain(old).map(|(key, response)| (*key, response.clone())).collect()
            };
            found.iter().try_for_each(|(key, response)| take(&Key(*key), response))?;
        }
        Ok(())
    }

    /// How many answers there are.
    pub(crate) fn len(&self) -> usize {
        let of = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.young.len() + shard.old.keys().filter(|key| !shard.young.contains_key(*key)).count()
        };
        self.shards.iter().map(of).sum()
    }

    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let all = std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
            drop(all);
        }
    }
}

/// About how many bytes a response takes.
fn size(response: &Response) -> usize {
    let choices: usize = response
        .choices
        .iter()
        .map(|c| {
            // Arguments of tool calls are trees; their exact size is not worth a walk.
            128 + c.text.len() + c.reasoning.as_ref().map_or(0, String::len) + 512 * c.tool_calls.len()
        })
        .sum();
    256 + response.id.len() + response.model.len() + choices
}

/// A key is a hash already: its first bytes serve as they are.
#[derive(Default)]
pub(crate) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // The length that precedes an array's bytes.
    fn write_usize(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> Key {
        use sha2::Digest;
        Key(sha2::Sha256::digest(n.to_le_bytes()).into())
    }

    #[test]
    fn what_is_put_is_found() {
        let memory = Memory::new(1000, 1 << 20);
        memory.put(&key(1), Arc::new(Response::text("one")));
        assert_eq!(memory.get(&key(1)).unwrap().choices[0].text, "one");
        assert!(memory.get(&key(2)).is_none());
        memory.clear();
        assert!(memory.get(&key(1)).is_none());
    }

    fn held(memory: &Memory, upto: u64) -> u64 {
        (0..upto)
            .filter(|n| {
                let k = key(*n);
                let shard = memory.shard(&k).lock().unwrap();
                shard.young.contains_key(&k.0) || shard.old.contains_key(&k.0)
            })
            .count() as u64
    }

    #[test]
    fn it_is_bounded_by_entries_and_keeps_what_is_used() {
        let memory = Memory::new(320, usize::MAX);
        for n in 0..10_000 {
            memory.put(&key(n), Arc::new(Response::text("x")));
            assert!(memory.get(&key(0)).is_some(), "used all the time, forgotten at {n}");
        }
        let held = held(&memory, 10_000);
        assert!((160..=320).contains(&held), "{held}");
    }

    #[test]
    fn it_is_bounded_by_bytes() {
        let memory = Memory::new(usize::MAX, 1 << 20);
        for n in 0..2000 {
            memory.put(&key(n), Arc::new(Response::text("x".repeat(4096))));
        }
        assert!(held(&memory, 2000) <= 256);
        memory.put(&key(5000), Arc::new(Response::text("x".repeat(1 << 20))));
        assert!(memory.get(&key(5000)).is_none(), "too big to be kept");
    }
}
