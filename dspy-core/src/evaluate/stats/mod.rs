//! What scores say and what they do not: intervals, paired comparisons, races.

mod comparison;
mod interval;
mod race;
mod special;

pub use comparison::{Comparison, Test};
pub use interval::Interval;
pub use race::ruled_out;
