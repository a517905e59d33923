//! Schemas that a provider does not take: each has limits of its own, such as the depth or the number of members.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    LmError, LmErrorKind,
    lm::{Capabilities, LM, ResponseFormat},
};

/// How many are remembered.
const MOST: usize = 1024;

static ANY: AtomicBool = AtomicBool::new(false);
/// The models with the hashes of what they did not take.
static REFUSED: Mutex<VecDeque<u64>> = Mutex::new(VecDeque::new());

/// Whether a model was asked for answers of this format before and did not take it.
pub(super) fn is_refused(lm: &LM, format: &ResponseFormat) -> bool {
    ANY.load(Ordering::Relaxed)
        && hash(lm, format)
            .is_some_and(|hash| REFUSED.lock().unwrap_or_else(PoisonError::into_inner).contains(&hash))
}

/// Remembers that a model does not take a format.
pub(super) fn remember(lm: &LM, format: &ResponseFormat) {
    let Some(hash) = hash(lm, format) else { return };
    let mut refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    if !refused.contains(&hash) {
        if refused.len() >= MOST {
            refused.pop_front();
        }
        refused.push_back(hash);
    }
    ANY.store(true, Ordering::Relaxed);
}

fn hash(lm: &LM, format: &ResponseFormat) -> Option<u64> {
    let ResponseFormat::JsonSchema { schema, .. } = format else { return None };
    Some(BuildHasherDefault::<DefaultHasher>::default().hash_one((
        lm.id(),
        lm.model().endpoint(),
        schema.to_string(),
    )))
}

/// Whether a server says that it does not take the schema of a request.
pub(super) fn says_so(error: &LmError) -> bool {
    let words = error.message.to_lowercase();
    let of_format = [
        "schema",
        "response_format",
        "response format",
        "output_format",
        "output_config",
        "structured output",
    ];
    error.kind == LmErrorKind::InvalidRequest
        && error.status.is_some()
        && of_format.iter().any(|words_of_it| words.contains(words_of_it))
        && !words.contains("for function")
}

/// The format that is asked for instead.
pub(super) fn without_schema(capabilities: Capabilities) -> ResponseFormat {
    if capabilities.json_object { ResponseFormat::JsonObject } else { ResponseFormat::Text }
}
