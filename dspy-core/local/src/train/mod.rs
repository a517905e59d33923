//! Training a model on conversations.

mod adamw;
mod batches;
mod options;
mod params;
mod report;

mod checkpoint;

mod run;

pub use options::{Lora, Schedule, Training};
pub use report::{Next, TrainStep, Trained};
