//! The functions by which code asks a model.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::{
    Error, LmError, LmErrorKind, Result,
    context::{Context, Settings},
    lm::{LM, Message, Options, Request},
    tool::Tool,
};

/// Asks one question.
pub(super) const QUERY: &str = "llm_query";
/// Asks several questions at the same time.
pub(super) const BATCHED: &str = "llm_query_batched";

/// Most questions of one list that are asked at the same time.
const AT_ONCE: usize = 8;

tokio::task_local! {
    static AROUND: Arc<Budget>;
}

/// How many questions may be asked in one call of a module. What a module asks that runs as a function of the code of
/// another counts for that one as well.
#[derive(Debug)]
pub(super) struct Budget {
    most: usize,
    asked: AtomicUsize,
    around: Option<Arc<Budget>>,
}

impl Budget {
    /// For one call of a module.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, asked: AtomicUsize::new(0), around: AROUND.try_with(Arc::clone).ok() })
    }

    /// Has it count for what runs in this.
    pub(super) fn hold<F: Future>(self: &Arc<Self>, work: F) -> impl Future<Output = F::Output> {
        AROUND.scope(self.clone(), work)
    }

    /// Takes so many questions, or none.
    fn take(&self, number: usize) -> Result<()> {
        let spend = |asked: usize| asked.checked_add(number).filter(|asked| *asked <= self.most);
        let taken = self.asked.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend);
        taken.map_err(|asked| {
            Error::other(format!(
                "{number} questions are more than are left: {asked} of {} were asked; work with what you have, by code",
                self.most
            ))
        })?;
        let Some(around) = &self.around else { return Ok(()) };
        around.take(number).inspect_err(|_| {
            self.asked.fetch_sub(number, Ordering::SeqCst);
        })
    }
}

/// Which model code asks, how, and how often.
#[derive(Clone)]
struct Questions {
    lm: LM,
    options: Options,
    settings: Arc<Settings>,
    budget: Arc<Budget>,
}

/// The functions for one call of the module. `options` come before those of the settings and of the model.
pub(super) fn queries(lm: LM, options: &Options, settings: Arc<Settings>, budget: Arc<Budget>) -> [Tool; 2] {
    let mut options = options.clone();
    options.fill_from(&settings.options);
    let questions = Questions { lm, options, settings, budget };
    let many = questions.clone();
    let prompt =
        json!({"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]});
    let one = Tool::new(QUERY, "", prompt, move |arguments| {
        let questions = questions.clone();
        async move {
            let prompt = arguments.get("prompt").and_then(|prompt| prompt.as_str()).unwrap_or_default();
            questions.budget.take(1)?;
            questions.ask(prompt.to_owned()).await
        }
    });
    let list = json!({"type": "array", "items": {"type": "string"}});
    let prompts = json!({"type": "object", "properties": {"prompts": list}, "required": ["prompts"]});
    let batched = Tool::new(BATCHED, "", prompts, move |arguments| {
        let questions = many.clone();
        async move {
            let prompts = arguments.get("prompts").and_then(|prompts| prompts.as_array()).cloned();
            let texts = prompts.unwrap_or_default().into_iter();
            let texts: Vec<String> = texts.map(|text| text.as_str().unwrap_or_default().to_owned()).collect();
            questions.budget.take(texts.len())?;
            questions.ask_all(texts).await
        }
    });
    // A model has timeouts of its own, and code is there to take long answers.
    [one, batched].map(|tool| tool.no_timeout().max_output(usize::MAX))
}

impl Questions {
    async fn ask(&self, prompt: String) -> Result<String> {
        let request = Request {
            options: self.options.clone(),
            rollout: self.settings.rollout,
            meter: self.settings.meter.clone(),
            ..Request::new(vec![Message::user(prompt)])
        };
        let model = self.lm.shared_id().clone();
        let answer = Box::pin(self.lm.ask(request, false)).await?;
        if let Some(recorder) = Context::current().recorder() {
            recorder.count(self.lm.answered_by(&answer), answer.usage());
        }
        let answer = answer.checked(&model)?;
        match answer.response.choices.first() {
            Some(choice) => Ok(choice.text.clone()),
            None => {
                let message = "a response without answers";
                Err(LmError::new(LmErrorKind::InvalidResponse, &*model, message).into())
            }
        }
    }

    /// The answers in the order of the questions; `None` for those that failed, unless all did.
    async fn ask_all(&self, prompts: Vec<String>) -> Result<Vec<Option<String>>> {
        let answers = stream::iter(prompts.into_iter().map(|prompt| self.ask(prompt))).buffered(AT_ONCE);
        let answers: Vec<Result<String>> = answers.collect().await;
        match answers.iter().find_map(|answer| answer.as_ref().err()) {
            Some(error) if answers.iter().all(Result::is_err) => Err(error.clone()),
            _ => Ok(answers.into_iter().map(Result::ok).collect()),
        }
    }
}
