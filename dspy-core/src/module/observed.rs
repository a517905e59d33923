//! Calls of modules as observers and subscribers of `tracing` see them.

use std::sync::Arc;

use tracing::{Instrument as _, field};

use super::predictor::Predictor;
use crate::{
    Result,
    context::{Context, PredictorPaths, Recorded, Work, observe::EventKind},
    lm::{BoxFuture, genai},
};

/// A call of a module that somebody observes.
pub(crate) struct ModuleWork {
    work: Work,
    module: String,
    path: Option<Arc<str>>,
}

impl ModuleWork {
    /// Begins a call of a module of this type with these predictors, if anybody observes.
    pub(super) fn begin(
        context: &Context,
        name: &str,
        agent: bool,
        predictors: &[(String, &Predictor)],
        input: &dyn Recorded,
    ) -> Option<Self> {
        let module = short(name);
        let known = predictors.first().and_then(|(own, first)| Some((own, context.path_of(first.id())?)));
        let path: Option<Arc<str>> = known.as_ref().map(|(own, whole)| whole_less(whole, own).into());
        let work = context.begin(|| {
            let span = match agent {
                true => tracing::info_span!(
                    "invoke_agent",
                    otel.name = format!("invoke_agent {module}"),
                    otel.status_code = field::Empty,
                    gen_ai.operation.name = "invoke_agent",
                    gen_ai.agent.name = module,
                    dspy.path = path.as_deref(),
                    dspy.input = field::Empty,
                    dspy.output = field::Empty,
                    error.r#type = field::Empty,
                ),
                false => tracing::info_span!(
                    "invoke_workflow",
                    otel.name = format!("invoke_workflow {module}"),
                    otel.status_code = field::Empty,
                    gen_ai.operation.name = "invoke_workflow",
                    gen_ai.workflow.name = module,
                    dspy.path = path.as_deref(),
                    dspy.input = field::Empty,
                    dspy.output = field::Empty,
                    error.r#type = field::Empty,
                ),
            };
            if !span.is_disabled() && genai::captures_content() {
                span.record("dspy.input", input.to_json().to_string());
            }
            (span, EventKind::ModuleStarted { module: &module, agent, path: path.as_deref(), input })
        })?;
        // A program of its own gives its predictors their paths.
        let work = match path {
            Some(_) => work,
            None => work.name(paths(predictors)),
        };
        Some(Self { work, module, path })
    }

    /// The context of the call.
    pub(super) fn scope(&self, context: Context) -> Context {
        context.within(&self.work)
    }

    /// Runs the call, and tells of its end.
    pub(super) async fn watch<T: Recorded>(self, running: BoxFuture<'_, Result<T>>) -> Result<T> {
        let result = running.instrument(self.work.span().clone()).await;
        self.end(result.as_ref().map(|output| output as &dyn Recorded));
        result
    }

    fn end(self, result: Result<&dyn Recorded, &crate::Error>) {
        let Self { work, module, path } = self;
        if let Ok(output) = result
            && !work.span().is_disabled()
            && genai::captures_content()
        {
            work.span().record("dspy.output", output.to_json().to_string());
        }
        let duration = work.elapsed();
        let ended = EventKind::ModuleEnded { module: &module, path: path.as_deref(), result, duration };
        work.end(ended, result.err().map(|error| error.kind()));
    }
}

fn paths(predictors: &[(String, &Predictor)]) -> PredictorPaths {
    predictors.iter().map(|(path, predictor)| (predictor.id(), path.as_str().into())).collect()
}

/// The path of a module whose predictor has one path in it and another one in the whole program.
fn whole_less<'w>(whole: &'w str, own: &str) -> &'w str {
    match whole.strip_suffix(own) {
        Some(rest) => rest.strip_suffix('.').unwrap_or(rest),
        // A module that is itself a predictor has the same path.
        None => whole,
    }
}

/// The name of a type without the modules that its parts are in.
fn short(name: &str) -> String {
    let mut short = String::with_capacity(name.len());
    let mut word = 0;
    for (at, c) in name.char_indices() {
        if c.is_alphanumeric() || c == '_' {
            continue;
        }
        match name[at..].starts_with("::") || (c == ':' && name[..at].ends_with(':')) {
            true => {}
            false => {
                short.push_str(&name[word..at]);
                short.push(c);
            }
        }
        word = at + c.len_utf8();
    }
    short.push_str(&name[word..]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short() {
        assert_eq!(short("app::rag::MultiHop"), "MultiHop");
        assert_eq!(short("dspy_core::predict::react::ReAct<app::Qa>"), "ReAct<Qa>");
        assert_eq!(short("alloc::boxed::Box<dyn a::B, c::D<e::F>>"), "Box<dyn B, D<F>>");
        assert_eq!(short("Plain"), "Plain");
    }

    #[test]
    fn the_path_of_a_module_is_that_of_its_predictors_without_their_own() {
        assert_eq!(whole_less("answer.predict", "predict"), "answer");
        assert_eq!(whole_less("hops[1].answer.predict", "answer.predict"), "hops[1]");
        assert_eq!(whole_less("answer", "self"), "answer");
    }
}
