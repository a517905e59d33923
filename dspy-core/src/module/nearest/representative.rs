//! A few texts that stand for many.

use super::lexical::Index;

/// The places of `n` texts that stand for all of them: each next one is that to which the texts that are not near to one
/// before are nearest, altogether (greedy maximisation of facility location; Lin and Bilmes 2011, "A Class of Submodular
/// Functions for Document Summarization"). Takes time in the square of the number of texts.
pub(crate) fn representative(texts: &[String], n: usize) -> Vec<usize> {
    let index = Index::new(texts.iter().cloned());
    let nearness: Vec<Vec<f32>> = texts
        .iter()
        .enumerate()
        .map(|(place, text)| {
            let near = index.nearness(text);
            // A cosine, whatever the length of the text that is asked with.
            let own = near[place].max(f32::MIN_POSITIVE);
            near.into_iter().map(|near| near / own).collect()
        })
        .collect();
    let mut covered = vec![0.0_f32; texts.len()];
    let mut chosen: Vec<usize> = Vec::new();
    let mut open: Vec<usize> = (0..texts.len()).collect();
    while chosen.len() < n && !open.is_empty() {
        let gain = |place: usize| -> f32 {
            nearness[place].iter().zip(&covered).map(|(near, covered)| (near - covered).max(0.0)).sum()
        };
        let best = open.iter().enumerate().map(|(at, place)| (at, gain(*place)));
        let Some((at, _)) = best.reduce(|a, b| if b.1 > a.1 { b } else { a }) else { break };
        let place = open.remove(at);
        for (covered, near) in covered.iter_mut().zip(&nearness[place]) {
            *covered = covered.max(*near);
        }
        chosen.push(place);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_represented_before_a_kind_is_again() {
        let kinds = ["invoice and payment", "broken screen", "late parcel"];
        // Many of the first, few of the last.
        let texts: Vec<String> =
            (0..30).map(|i| format!("{} {}", kinds[if i < 20 { 0 } else { 1 + i % 2 }], i * 7919)).collect();
        let chosen = representative(&texts, 3);
        let mut found: Vec<usize> = chosen
            .iter()
            .map(|i| kinds.iter().position(|kind| texts[*i].starts_with(kind)).unwrap())
            .collect();
        assert_eq!(found[0], 0, "the most frequent first");
        found.sort_unstable();
        assert_eq!(found, [0, 1, 2]);
        assert_eq!(representative(&texts, 100).len(), 30);
        assert!(representative(&[], 3).is_empty());
        assert_eq!(representative(&[String::new(), "a".into()], 2).len(), 2);
    }
}
