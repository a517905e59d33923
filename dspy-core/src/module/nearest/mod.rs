//! Demonstrations that are chosen for each call.

mod lexical;

use std::{fmt, sync::Arc};

use serde_json::Value;

use self::lexical::Index;
use crate::{adapter::Demo, signature::SignatureSpec};

/// A pool of demonstrations, of which each call shows the `k` whose inputs have most in common with its own (Liu et
/// al. 2022, "What Makes Good In-Context Examples for GPT-3?").
///
/// Nearness is the cosine of the weighted words and letter triples of the inputs (tf-idf), in any language: it asks no
/// model and takes microseconds. Cheap to clone.
#[derive(Clone)]
pub struct NearestDemos {
    k: usize,
    pool: Arc<Pool>,
    /// Those of the pool that are not shown.
    excluded: Arc<[usize]>,
}

struct Pool {
    demos: Vec<Demo>,
    index: Index,
}

impl NearestDemos {
    /// The `k` nearest of a pool, for calls of this signature.
    pub fn new(spec: &SignatureSpec, k: usize, pool: Vec<Demo>) -> Self {
        let text = |demo: &Demo| {
            let mut text = String::new();
            for field in spec.inputs() {
                match demo.fields.get(&field.name) {
                    None | Some(Value::Null) => {}
                    Some(Value::String(value)) => text.push_str(value),
                    Some(value) => text.push_str(&value.to_string()),
                }
                text.push('\n');
            }
            text
        };
        let index = Index::new(pool.iter().map(text));
        Self { k, pool: Arc::new(Pool { demos: pool, index }), excluded: Arc::default() }
    }

    /// How many are shown.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The pool.
    pub fn pool(&self) -> &[Demo] {
        &self.pool.demos
    }

    /// The same without those of the pool at these places.
    #[must_use]
    pub fn without(&self, places: impl IntoIterator<Item = usize>) -> Self {
        let excluded = self.excluded.iter().copied().chain(places).collect();
        Self { k: self.k, pool: self.pool.clone(), excluded }
    }

    /// The demonstrations for an input, the nearest last, next to the request; of equally near ones, the first of the
    /// pool are taken.
    pub fn choose(&self, input: &str) -> Vec<Demo> {
        let mut places = self.pool.index.nearest(input, self.k, &self.excluded);
        places.reverse();
        places.into_iter().filter_map(|place| self.pool.demos.get(place).cloned()).collect()
    }
}

impl PartialEq for NearestDemos {
    fn eq(&self, other: &Self) -> bool {
        self.k == other.k && self.excluded == other.excluded && self.pool.demos == other.pool.demos
    }
}

impl fmt::Debug for NearestDemos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearestDemos").field("k", &self.k).field("pool", &self.pool.demos.len()).finish()
    }
}
