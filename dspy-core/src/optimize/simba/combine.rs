//! What several new programs of a step have learnt, in one.

use crate::optimize::{CandidateId, Engine, Evaluated, Parameters};

/// The best of the candidates with what the others of the better half have that their parents had not, and whom it was
/// made from. `None` when that is nothing new.
pub(super) fn better_half(engine: &Engine, scored: &[Evaluated]) -> Option<(Parameters, Vec<CandidateId>)> {
    let mut order: Vec<(f64, CandidateId)> =
        scored.iter().filter_map(|found| Some((found.score?, found.candidate))).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    order.truncate(scored.len().div_ceil(2));
    let candidates = engine.candidates();
    let (best, others) = order.split_first()?;
    let mut combined = Parameters::clone(&engine.parameters(best.1));
    for (_, other) in others {
        let parent = candidates.get(other.index())?.parents.first()?;
        add_news(&mut combined, &engine.parameters(*parent), &engine.parameters(*other));
    }
    let parents = order.iter().map(|(_, candidate)| *candidate).collect();
    engine.find(&combined).is_none().then_some((combined, parents))
}

/// Adds what a candidate has that its parent had not: demonstrations, and what was appended to instructions.
fn add_news(to: &mut Parameters, parent: &Parameters, candidate: &Parameters) {
    for (path, own) in to.iter_mut() {
        let (Some(before), Some(after)) = (parent.get(path), candidate.get(path)) else { continue };
        for demo in after.demos.iter().filter(|demo| !before.demos.contains(demo)) {
            own.add_demo(demo.clone());
        }
        let advice = after.instructions.strip_prefix(before.instructions.as_str()).map_or("", str::trim);
        super::advice::append(&mut own.instructions, advice);
    }
}
