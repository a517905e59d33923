//! The loop of an agent, whatever its signature.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use super::super::{
    fitted::{MakeSides, next},
    progress::Events,
};
use crate::{
    Result, ToolError, ToolErrorKind,
    context::{Context, PredictorId},
    lm::BoxFuture,
    module::Predictor,
    tool::{Action, AgentStep, FINISH, NextStep, Observation, Stop, Tool, Trajectory},
    value::ToolCall,
};

/// Most calls of one step that run at the same time.
const AT_ONCE: usize = 16;

/// What an agent does beside asking.
pub(in crate::predict) enum AgentEvent {
    /// A call begins.
    Calls(ToolCall),
    /// A step is complete.
    Made(AgentStep),
}

/// The places of the predictors of an agent, for those who are told of requests.
pub(super) const NEXT: usize = 0;
pub(super) const OUTPUTS: usize = 1;

/// A step that was made after others.
struct Made {
    agent: PredictorId,
    before: Trajectory,
    step: Arc<AgentStep>,
}

/// An agent at work.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) react: &'a Predictor,
    pub(super) tools: &'a [Tool],
    pub(super) max_iters: usize,
    pub(super) events: Option<&'a Events<AgentEvent>>,
}

impl Work<'_> {
    /// Makes steps until the model ends the work or no further step is allowed.
    pub(super) fn run<'w>(
        self,
        sides: &'w MakeSides<'_, AgentStep>,
        mut trajectory: Trajectory,
    ) -> BoxFuture<'w, Result<Trajectory>>
    where
        Self: 'w,
    {
        Box::pin(async move {
            for _ in 0..self.max_iters {
                let watch = || self.events.map(|events| events.asks(NEXT));
                let Some(next) = next(self.react, sides, &mut trajectory, watch).await? else {
                    return Ok(trajectory);
                };
                let step = match self.recalled(&next, &trajectory) {
                    Some(step) => step,
                    None => self.first_made(next, &trajectory).await,
                };
                if let Some(events) = self.events {
                    events.tell(AgentEvent::Made(AgentStep::clone(&step)));
                }
                let is_finish = |action: &Action| self.is_finish(&action.tool);
                let finished = step.actions.is_empty() || step.actions.iter().any(is_finish);
                trajectory.push(step);
                if finished {
                    trajectory.end(Stop::Finished);
                    return Ok(trajectory);
                }
            }
            trajectory.end(Stop::MaxIters);
            Ok(trajectory)
        })
    }

    /// The step as it was made before, when the program around runs again: its calls are not made twice.
    fn recalled(self, next: &NextStep, before: &Trajectory) -> Option<Arc<AgentStep>> {
        let context = Context::current();
        let attempt = context.attempt()?;
        let agent = self.react.id();
        let made = attempt.recall_done(|made: &Made| {
            made.agent == agent && made.step.is(next) && made.before.steps().eq(before.steps())
        })?;
        attempt.keep_done(made.clone());
        if let Some(events) = self.events {
            next.calls.iter().for_each(|call| events.tell(AgentEvent::Calls(call.clone())));
        }
        Some(made.step.clone())
    }

    /// Makes a step, and keeps it for another run of the program around.
    async fn first_made(self, next: NextStep, before: &Trajectory) -> Arc<AgentStep> {
        let step = Arc::new(self.make(next).await);
        if let Some(attempt) = Context::current().attempt().filter(|_| !step.actions.is_empty()) {
            let made = Made { agent: self.react.id(), before: before.clone(), step: step.clone() };
            attempt.keep_done(Arc::new(made));
        }
        step
    }

    /// Makes the calls of a step.
    async fn make(self, next: NextStep) -> AgentStep {
        let parallel = next.calls.iter().all(|call| self.find(&call.name).is_none_or(Tool::is_parallel));
        let mut calls = stream::iter(next.calls.into_iter().map(|call| self.act(call)))
            .buffered(if parallel { AT_ONCE } else { 1 });
        let mut actions = Vec::new();
        while let Some(action) = calls.next().await {
            actions.push(action);
        }
        AgentStep { thought: next.thought, actions, replay: next.replay }
    }

    async fn act(self, call: ToolCall) -> Action {
        if let Some(events) = self.events {
            events.tell(AgentEvent::Calls(call.clone()));
        }
        let ToolCall { name, args, id } = call;
        let observation = match self.told(&name) {
            Some(tool) => tool.observe(args.clone()).await,
            None if self.is_finish(&name) => Observation::new("done"),
            None => {
                let known = self.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let message = format!("there is no tool `{name}`; the tools are {known}");
                Observation::failed(&ToolError::new(name.as_str(), ToolErrorKind::Unknown, message), None)
            }
        };
        Action { tool: name, arguments: args, observation, id }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.react.agent().into_iter().flat_map(|agent| agent.tools().names())
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.react.agent()?.tools().find(name)
    }

    fn find(&self, name: &str) -> Option<&Tool> {
        self.tools.get(self.place(name)?)
    }

    /// The tool in the words that the model knows.
    fn told(&self, name: &str) -> Option<Tool> {
        let told = self.react.agent()?.tools().told();
        let at = self.place(name)?;
        Some(self.tools.get(at)?.told_as(told.get(at)?))
    }

    fn is_finish(&self, name: &str) -> bool {
        self.place(name).is_some_and(|at| at >= self.tools.len())
    }
}

/// The steps of earlier work, ready for further ones.
pub(super) fn reopened(react: &Predictor, trajectory: Trajectory) -> Trajectory {
    let words = react.tools().iter().find(|words| words.tool == FINISH);
    trajectory.reopened(words.map_or(FINISH, |words| &words.name))
}
