//! Reflective evolution of instructions.

mod budget;
mod component;
mod merge;
mod options;
mod pareto;
mod proposer;
mod reflect;
mod search;
mod words;

use std::collections::{BTreeMap, HashSet};

pub use component::{Component, Selection};
use futures_util::future::join_all;
pub use options::GEPA;
pub use reflect::{
    Reflection, ReflectionExample, ReflectiveProposer, ReviseDescription, ReviseInstruction, ReviseTool,
};

use self::{
    merge::Pair,
    reflect::Pick,
    search::{Batch, Search, Verdict},
};
use super::{
    Amount, CandidateId, Engine, Optimizer, Parameters, PlannedStage, SearchOptions, Stop, TaskShape,
};
use crate::{Result, lm::BoxFuture, optimize::copies::Rewritten};

/// How many reflections may come to nothing one after the other, beyond one for each component, before the search ends.
const IN_VAIN: usize = 10;

/// From how many copied rows on a proposal is refused.
const BULK: usize = 3;

impl Optimizer for GEPA {
    fn name(&self) -> &'static str {
        "GEPA"
    }

    fn options(&self) -> SearchOptions {
        self.search.clone()
    }

    fn stages(&self, shape: TaskShape) -> Vec<PlannedStage> {
        // How many fields there are to describe is not known here: each step improves one component or those of all
        // predictors.
        let calls = self.size.metric_calls(shape.predictors, shape.train, shape.val);
        let texts = self.selector.texts(shape.predictors) * self.proposals;
        // A step runs its children on the rows that it reflects on.
        let steps = calls.saturating_sub(shape.val) / (self.minibatch + self.race_rows.min(shape.val)).max(1);
        let most = calls.saturating_sub(shape.val) / 2 + IN_VAIN + shape.predictors;
        vec![
            PlannedStage::proposals("reflections", Amount::new(steps * texts, most * texts)),
            PlannedStage::rollouts("rows to reflect on, races and confirmation", Amount::new(calls, calls)),
        ]
    }

    async fn search(&self, engine: &Engine) -> Result<CandidateId, Stop> {
        self.run(engine).await
    }
}

impl GEPA {
    // In a box, so that it is compiled with this crate and not with each program.
    fn run<'s>(&'s self, engine: &'s Engine) -> BoxFuture<'s, Result<CandidateId, Stop>> {
        Box::pin(async move {
            let mut search = Search::new(self, engine);
            let mut evolution = Evolution::default();
            engine.stage("reflect and race", search.left());
            search.begin().await?;
            let vain = IN_VAIN + search.components.len();
            while evolution.in_vain < vain && search.goes_on() {
                evolution.step += 1;
                if let Some(pair) = evolution.merge_wanted(self, &search) {
                    evolution.merge(self, &mut search, pair).await?;
                    continue;
                }
                evolution.reflect(self, &mut search).await?;
            }
            let chosen = search.confirm().await?;
            engine.note(evolution.summary(&search));
            Ok(chosen)
        })
    }
}

/// What the search remembers from step to step.
#[derive(Default)]
struct Evolution {
    step: u64,
    in_vain: usize,
    /// How many reflections there were on the way to each candidate.
    turns: BTreeMap<CandidateId, usize>,
    merges_due: usize,
    merges: usize,
    merged: HashSet<(CandidateId, CandidateId)>,
    proposals: usize,
    rejected: usize,
    refused: usize,
    leads: usize,
}

impl Evolution {
    /// Reflection: a parent of the front, rows that go wrong with it, new texts for its components, and the comparison on
    /// the same rows.
    async fn reflect(&mut self, options: &GEPA, search: &mut Search<'_>) -> Result<(), Stop> {
        let engine = search.engine;
        self.in_vain += 1;
        let rng = engine.rng("parents").fork_index(self.step);
        let parent = search.parent(&mut rng.clone());
        let Some(batch) = search.batch(parent).await? else { return Ok(()) };
        let turn = *self.turns.entry(parent).and_modify(|turn| *turn += 1).or_insert(0);
        let parameters = engine.parameters(parent);
        let chosen = {
            let rollouts: Vec<_> =
                batch.shown.iter().filter_map(|row| Some((*row, search.rollout(parent, *row)?))).collect();
            let components = &search.components;
            let selection = Selection {
                candidate: parent,
                parameters: &parameters,
                components,
                turn,
                rollouts: &rollouts,
            };
            options.selector.select(&selection)
        };
        let mut children: Vec<CandidateId> = Vec::new();
        let drafts = (0..options.proposals as u64)
            .map(|draft| self.propose(options, search, parent, &parameters, &batch, &chosen, draft));
        for text in join_all(drafts).await {
            let Some((child, refused)) = text? else { continue };
            self.proposals += 1;
            if refused {
                self.refused += 1;
                continue;
            }
            if engine.find(&child).is_some() {
                continue;
            }
            let name = format!("reflection {}", self.proposals);
            children.push(engine.propose(name, [parent], child));
        }
        if search.missing(&children, &batch.compared) > search.free() {
            return Ok(());
        }
        search.run(&children, &batch.compared).await?;
        if !children.is_empty() {
            self.in_vain = 0;
        }
        let gain = |child: CandidateId, search: &Search<'_>| search.gain(child, parent, &batch.compared);
        children.sort_by(|a, b| gain(*b, search).total_cmp(&gain(*a, search)).then(a.cmp(b)));
        for (i, child) in children.into_iter().enumerate() {
            // Of several drafts, the one that did best on these rows.
            if i > 0 || gain(child, search) <= 0.0 {
                self.rejected += 1;
                continue;
            }
            self.turns.insert(child, turn + 1);
            search.pool.push(child);
            if search.race(child, options.race_rows).await? == Verdict::Leads {
                self.leads += 1;
            }
            self.merges_due += usize::from(self.merges < options.merges);
        }
        Ok(())
    }

    /// New texts for the components of a candidate, and whether they copy rows; `None` when there is none.
    #[allow(clippy::too_many_arguments)]
    async fn propose(
        &self,
        options: &GEPA,
        search: &Search<'_>,
        parent: CandidateId,
        parameters: &Parameters,
        batch: &Batch,
        components: &[Component],
        draft: u64,
    ) -> Result<Option<(Parameters, bool)>, Stop> {
        let engine = search.engine;
        let wishes: Vec<Reflection> = components
            .iter()
            .filter_map(|component| self.reflection(search, parent, parameters, batch, component))
            .collect();
        let asked = wishes.iter().enumerate().map(|(i, wish)| {
            let index = (self.step << 32) | (draft << 24) | i as u64;
            options.proposer.ask(engine, wish.clone(), index, options.temperature)
        });
        let (mut child, mut refused) = (parameters.clone(), false);
        for (wish, text) in wishes.iter().zip(join_all(asked).await) {
            let Some(text) = text?.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else {
                continue;
            };
            let rewritten = Rewritten::new(&text, &wish.current);
            refused |= wish.examples.iter().filter(|e| rewritten.copies(&e.inputs)).count() >= BULK;
            wish.component.set(&mut child, text);
            if let Component::Tool { path, tool } = &wish.component {
                let predictor = search.predictor(path).and_then(|info| info.predictor());
                let had = parameters.get(path).and_then(|own| words::of(own, tool));
                if let (Some(own), Some(had), Some(predictor)) = (child.get_mut(path), had, predictor) {
                    words::fit(own, tool, &had.name, predictor);
                }
            }
        }
        Ok((child != *parameters).then_some((child, refused)))
    }

    fn reflection(
        &self,
        search: &Search<'_>,
        parent: CandidateId,
        parameters: &Parameters,
        batch: &Batch,
        component: &Component,
    ) -> Option<Reflection> {
        let path = component.path();
        let info = search.predictor(path)?;
        let rng = search.engine.rng("steps").fork_index(self.step).fork(path);
        // The last step of an agent shows the tools that were used, and how.
        let pick = match component {
            Component::Tool { .. } => Pick::Last,
            _ => Pick::Drawn(&rng),
        };
        let example =
            |row: &usize| ReflectionExample::of(path, info.spec(), *row, search.rollout(parent, *row)?, pick);
        let examples: Vec<ReflectionExample> = batch.shown.iter().filter_map(example).collect();
        (!examples.is_empty()).then(|| Reflection {
            component: component.clone(),
            current: component.text(parameters).into_owned(),
            instructions: parameters.get(path).map(|own| own.instructions.clone()).unwrap_or_default(),
            tools: parameters.get(path).map(|own| own.tools.clone()).unwrap_or_default(),
            spec: info.spec().clone(),
            examples,
        })
    }

    /// Two candidates of the front that complement each other, when a merge is due.
    fn merge_wanted(&self, options: &GEPA, search: &Search<'_>) -> Option<Pair> {
        if self.merges_due == 0 || self.merges >= options.merges || search.components.len() < 2 {
            return None;
        }
        let candidates = search.engine.candidates();
        let pairs = merge::pairs(&candidates, &search.front(), &search.components, |c| search.mean(c));
        pairs.into_iter().find(|pair| !self.merged.contains(&(pair.better, pair.other)))
    }

    async fn merge(&mut self, options: &GEPA, search: &mut Search<'_>, pair: Pair) -> Result<(), Stop> {
        let engine = search.engine;
        self.merges_due -= 1;
        self.merges += 1;
        self.merged.insert((pair.better, pair.other));
        let [better, other, ancestor] =
            [pair.better, pair.other, pair.ancestor].map(|c| engine.parameters(c));
        let child = merge::merged(&better, &other, &ancestor, &search.components);
        if engine.find(&child).is_some() {
            return Ok(());
        }
        let child = engine.propose(format!("merge {}", self.merges), [pair.better, pair.other], child);
        let turn = |c: CandidateId| self.turns.get(&c).copied().unwrap_or(0);
        self.turns.insert(child, turn(pair.better).max(turn(pair.other)));
        search.pool.push(child);
        if search.race(child, options.race_rows).await? == Verdict::Leads {
            self.leads += 1;
        }
        Ok(())
    }

    fn summary(&self, search: &Search<'_>) -> String {
        format!(
            "{} proposals, {} of them no better on their rows, {} refused because they copied rows; {} merges; the \
             leader changed {} times; {} metric calls",
            self.proposals, self.rejected, self.refused, self.merges, self.leads, search.used
        )
    }
}
