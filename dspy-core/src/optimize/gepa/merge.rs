//! Putting together what two descendants of a candidate have learnt in different components.

use std::collections::HashSet;

use super::Component;
use crate::optimize::{Candidate, CandidateId, Parameters};

/// Two candidates that may be put together, and a common ancestor of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) better: CandidateId,
    pub(super) other: CandidateId,
    pub(super) ancestor: CandidateId,
}

/// The pairs of these candidates, which stand in the order of their scores, best first, that complement each other: none
/// descends from the other, and in at least one component one of them changed the text of a common ancestor while the
/// other kept it. For each pair the latest such ancestor that is no better than both; in the order of the candidates.
pub(super) fn pairs(
    candidates: &[Candidate],
    ranked: &[CandidateId],
    components: &[Component],
    mean: impl Fn(CandidateId) -> f64,
) -> Vec<Pair> {
    let ancestors: Vec<HashSet<CandidateId>> =
        ranked.iter().map(|candidate| ancestors(candidates, *candidate)).collect();
    let mut found = Vec::new();
    for (i, better) in ranked.iter().enumerate() {
        for (j, other) in ranked.iter().enumerate().skip(i + 1) {
            if ancestors[i].contains(other) || ancestors[j].contains(better) {
                continue;
            }
            let mut common: Vec<CandidateId> = ancestors[i].intersection(&ancestors[j]).copied().collect();
            common.sort_unstable_by(|a, b| b.cmp(a));
            let fits = |ancestor: &CandidateId| {
                mean(*ancestor) <= mean(*other).min(mean(*better))
                    && complements(candidates, *better, *other, *ancestor, components)
            };
            if let Some(ancestor) = common.into_iter().find(fits) {
                found.push(Pair { better: *better, other: *other, ancestor });
            }
        }
    }
    found
}

fn ancestors(candidates: &[Candidate], of: CandidateId) -> HashSet<CandidateId> {
    let mut found = HashSet::new();
    let mut open = vec![of];
    while let Some(candidate) = open.pop() {
        let parents = candidates.get(candidate.index()).map(|c| c.parents.as_slice()).unwrap_or_default();
        open.extend(parents.iter().filter(|parent| found.insert(**parent)));
    }
    found
}

fn complements(
    candidates: &[Candidate],
    better: CandidateId,
    other: CandidateId,
    ancestor: CandidateId,
    components: &[Component],
) -> bool {
    let text = |c: CandidateId, component: &Component| {
        candidates.get(c.index()).map(|c| component.text(&c.parameters).into_owned())
    };
    components.iter().any(|component| {
        let [a, b, old] = [better, other, ancestor].map(|c| text(c, component));
        a == old && b != old
    })
}

/// The better candidate, with the texts of the other where only that one changed them.
pub(super) fn merged(
    better: &Parameters,
    other: &Parameters,
    ancestor: &Parameters,
    components: &[Component],
) -> Parameters {
    let mut merged = better.clone();
    for component in components {
        let [a, b, old] = [better, other, ancestor].map(|p| component.text(p));
        if a == old && b != old {
            component.set(&mut merged, b.into_owned());
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimize::PredictorParameters;

    fn candidates(of: &[(&[usize], [&str; 3])]) -> Vec<Candidate> {
        let ids: Vec<CandidateId> = (0..of.len()).map(CandidateId::of_index).collect();
        let candidate = |(i, (parents, texts)): (usize, &(&[usize], [&str; 3]))| Candidate {
            id: ids[i],
            name: String::new(),
            parents: parents.iter().map(|p| ids[*p]).collect(),
            parameters: Parameters::new(["a", "b", "c"].into_iter().zip(texts.map(PredictorParameters::new)))
                .into(),
        };
        of.iter().enumerate().map(candidate).collect()
    }

    fn components() -> Vec<Component> {
        ["a", "b", "c"].map(|path| Component::Instructions { path: path.into() }).to_vec()
    }

    #[test]
    fn descendants_that_changed_different_texts_are_put_together() {
        let all = candidates(&[
            (&[], ["1", "1", "1"]),
            (&[0], ["2", "1", "1"]),
            (&[0], ["1", "2", "1"]),
            (&[2], ["3", "2", "1"]),
            (&[1], ["4", "1", "1"]),
        ]);
        let id = |i: usize| all[i].id;
        // Scores below 0, as of a metric that counts mistakes.
        let mean = |c: CandidateId| -10.0 + c.index() as f64;
        let found = |ranked: &[usize]| {
            let ranked: Vec<CandidateId> = ranked.iter().map(|i| id(*i)).collect();
            pairs(&all, &ranked, &components(), mean)
        };
        assert_eq!(found(&[2, 1]), [Pair { better: id(2), other: id(1), ancestor: id(0) }]);
        assert_eq!(found(&[4, 1]), [], "a candidate and its descendant");
        assert_eq!(found(&[4, 3]).len(), 1);
        let texts = |better: usize, other: usize| {
            let [better, other, ancestor] = [better, other, 0].map(|i| &all[i].parameters);
            let merged = merged(better, other, ancestor, &components());
            components().iter().map(|c| c.text(&merged).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(texts(2, 1), ["2", "2", "1"]);
        // Where both changed a text, that of the better one stays.
        assert_eq!(texts(4, 3), ["4", "2", "1"]);
        assert_eq!(texts(3, 4), ["3", "2", "1"]);
    }

    #[test]
    fn an_ancestor_that_is_better_than_a_descendant_is_none_to_merge_over() {
        let all = candidates(&[(&[], ["1", "1", "1"]), (&[0], ["2", "1", "1"]), (&[0], ["1", "2", "1"])]);
        let mean = |c: CandidateId| if c == CandidateId::STUDENT { 0.5 } else { 0.4 };
        assert!(pairs(&all, &[all[1].id, all[2].id], &components(), mean).is_empty());
    }
}
