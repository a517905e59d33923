//! A training that was stopped goes on from here.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{adamw::AdamW, batches::Sample, options::Training, params::Params};
use crate::{files, safetensors::tensors};

/// Where the state of a training is kept, and what it belongs to.
pub(super) struct Checkpoint {
    place: PathBuf,
    /// Tells this training from all others.
    fingerprint: String,
}

#[derive(Serialize, Deserialize)]
struct State {
    fingerprint: String,
    step: u64,
    tokens: u64,
    losses: Vec<f64>,
}

/// How far an earlier run came.
pub(super) struct Restored {
    pub(super) step: u64,
    pub(super) tokens: u64,
    pub(super) losses: Vec<f64>,
}

const STATE: &str = "state.json";
const TENSORS: &str = "state.safetensors";

impl Checkpoint {
    pub(super) fn new(out: &Path, training: &Training, weights: &str, samples: &[Sample]) -> Self {
        let mut hasher = DefaultHasher::new();
        // How often the state is written does not change what is trained.
        let settings = Training { checkpoint_every: None, validate_every: None, ..training.clone() };
        (format!("{settings:?}"), weights, samples).hash(&mut hasher);
        Self { place: files::beside(out, "checkpoint"), fingerprint: format!("{:016x}", hasher.finish()) }
    }

    /// Writes all that a later run needs.
    pub(super) fn save(
        &self,
        params: &Params,
        optimizer: &AdamW,
        step: u64,
        tokens: u64,
        losses: &[f64],
    ) -> Result<(), String> {
        let fail = |e: &dyn std::fmt::Display| format!("{}: cannot be written: {e}", self.place.display());
        let work = files::beside(&self.place, "partial");
        _ = std::fs::remove_dir_all(&work);
        std::fs::create_dir_all(&work).map_err(|e| fail(&e))?;
        let mut all: HashMap<String, Tensor> = params
            .vars()
            .iter()
            .map(|(name, var)| (format!("weight {name}"), var.as_detached_tensor()))
            .collect();
        for (name, [mean, square]) in &optimizer.moments {
            all.insert(format!("mean {name}"), mean.clone());
            all.insert(format!("square {name}"), square.clone());
        }
        candle_core::safetensors::save(&all, work.join(TENSORS)).map_err(|e| fail(&e))?;
        let state = State { fingerprint: self.fingerprint.clone(), step, tokens, losses: losses.to_vec() };
        let text = serde_json::to_vec(&state).map_err(|e| fail(&e))?;
        std::fs::write(work.join(STATE), text).map_err(|e| fail(&e))?;
        self.remove();
        std::fs::rename(&work, &self.place).map_err(|e| fail(&e))
    }

    /// Puts the state of an earlier run of the same training back, if there is one.
    pub(super) fn restore(&self, params: &Params, optimizer: &mut AdamW) -> Result<Option<Restored>, String> {
        let Ok(text) = std::fs::read(self.place.join(STATE)) else { return Ok(None) };
        let state: State = match serde_json::from_slice::<State>(&text) {
            Ok(state) if state.fingerprint == self.fingerprint => state,
            _ => {
                tracing::warn!(place = %self.place.display(), "a checkpoint of another training is not used");
                return Ok(None);
            }
        };
        let wrong = |e: &dyn std::fmt::Display| {
            format!("{}: the checkpoint cannot be read ({e}); remove it to begin anew", self.place.display())
        };
        let mut all = tensors(&self.place.join(TENSORS)).map_err(|e| wrong(&e))?;
        for (name, var) in params.vars() {
            let weight =
                all.remove(&format!("weight {name}")).ok_or_else(|| wrong(&"a weight is missing"))?;
            var.set(&weight).map_err(|e| wrong(&e))?;
            let [mean, square] = ["mean", "square"].map(|what| all.remove(&format!("{what} {name}")));
            if let (Some(mean), Some(square)) = (mean, square) {
                optimizer.moments.insert(name.clone(), [mean, square]);
            }
        }
        optimizer.steps = state.step;
        Ok(Some(Restored { step: state.step, tokens: state.tokens, losses: state.losses }))
    }

    /// Removes what was written.
    pub(super) fn remove(&self) {
        _ = std::fs::remove_dir_all(&self.place);
    }
}
