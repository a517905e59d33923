//! The rows of published data sets, in the forms in which these are found.
//!
//! The types read those forms by themselves, so every reader of this module reads the files.

mod banking77;
mod gsm8k;
mod hotpotqa;

pub use banking77::Banking77;
pub use gsm8k::Gsm8k;
pub use hotpotqa::{HotPotKind, HotPotLevel, HotPotQa, Passage, SupportingFact};
