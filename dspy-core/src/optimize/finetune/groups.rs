//! Which predictors share a model.

use std::sync::Arc;

use super::{ChatRow, rows::Made};
use crate::lm::LM;

/// Predictors that get one tuned model.
pub(super) struct Group {
    /// The model that training starts from.
    pub(super) base: LM,
    /// The predictors, by their places in the program.
    pub(super) members: Vec<usize>,
    /// What the tuned model is called after.
    pub(super) name: Arc<str>,
}

/// The groups, in the order of their first predictors: one for each model, or one for each predictor.
pub(super) fn groups(models: &[LM], paths: &[String], multitask: bool, name: &Arc<str>) -> Vec<Group> {
    let same = |a: &LM, b: &LM| (a.id(), a.model().endpoint()) == (b.id(), b.model().endpoint());
    let mut groups: Vec<Group> = Vec::new();
    for (i, (model, path)) in models.iter().zip(paths).enumerate() {
        match groups.iter_mut().find(|group| multitask && same(&group.base, model)) {
            Some(group) => group.members.push(i),
            None => {
                let alone = multitask || models.len() == 1;
                let name = if alone { name.clone() } else { format!("{name}-{path}").into() };
                groups.push(Group { base: model.clone(), members: vec![i], name });
            }
        }
    }
    groups
}

impl Group {
    /// The rows of its predictors.
    pub(super) fn rows(&self, made: &[Made]) -> Vec<ChatRow> {
        let own = made.iter().filter(|made| self.members.contains(&made.predictor));
        own.map(|made| made.row.clone()).collect()
    }

    /// The paths of its predictors, for people.
    pub(super) fn described(&self, paths: &[String]) -> String {
        let paths: Vec<String> =
            self.members.iter().filter_map(|i| Some(format!("`{}`", paths.get(*i)?))).collect();
        paths.join(", ")
    }
}
