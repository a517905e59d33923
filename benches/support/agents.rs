//! An agent, and the loop that a careful engineer writes in its place.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use dspy::{
    LmError,
    lm::{BoxFuture, Cache, LanguageModel, Message, Request, Response},
    prelude::*,
};
use serde_json::Value;

use crate::support::clients::Qa;

/// Look up what is known of a town.
#[tool]
async fn look_up(town: String, #[arg(default = 1)] page: usize) -> String {
    format!("Page {page} on {town}: it lies on a river.")
}

/// A model in this process that calls the tool three times, ends its work and answers.
#[derive(Default)]
struct Worker(AtomicUsize);

const STEP: &str = "[[ ## next_thought ## ]]\nI need another page.\n\n[[ ## next_tool_name ## ]]\nlook_up\n\n\
                    [[ ## next_tool_args ## ]]\n{\"town\": \"Paris\", \"page\": 2}\n\n[[ ## completed ## ]]";
const LAST: &str = "[[ ## next_thought ## ]]\nIt is known.\n\n[[ ## next_tool_name ## ]]\nfinish\n\n\
                    [[ ## next_tool_args ## ]]\n{}\n\n[[ ## completed ## ]]";
const ANSWER: &str =
    "[[ ## reasoning ## ]]\nThe pages say so.\n\n[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]";

impl LanguageModel for Worker {
    fn id(&self) -> &str {
        "own/worker"
    }

    fn generate<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        let text = match self.0.fetch_add(1, Ordering::Relaxed) % 5 {
            0..3 => STEP,
            3 => LAST,
            _ => ANSWER,
        };
        Box::pin(async move { Ok(Response::text(text)) })
    }
}

pub fn agent() -> ReAct<Qa> {
    let lm = LM::wrap(Worker::default()).cache(Cache::off()).build().unwrap();
    ReAct::<Qa>::builder().tool(look_up).native_tools(false).lm(lm).build()
}

/// The loop by hand: texts put together, sections split off, arguments as trees of `serde_json`.
pub struct ByHand {
    model: Worker,
    system: Arc<str>,
}

impl Default for ByHand {
    fn default() -> Self {
        let system =
            "Answer the question. Work in steps with tools: `look_up` (town: string, page?: int), `finish`.";
        Self { model: Worker::default(), system: system.into() }
    }
}

fn section<'a>(text: &'a str, name: &str) -> &'a str {
    let after = text.split(&format!("[[ ## {name} ## ]]")).nth(1).unwrap();
    after.split("[[ ## ").next().unwrap().trim()
}

impl ByHand {
    async fn ask(&self, user: String) -> String {
        let messages = vec![Message::system(&*self.system), Message::user(user)];
        let response = self.model.generate(&Request::new(messages)).await.unwrap();
        response.choices[0].text.clone()
    }

    pub async fn run(&self, question: &str) -> String {
        let mut steps = String::new();
        for number in 1..20 {
            let asked = format!(
                "[[ ## question ## ]]\n{question}\n\n[[ ## trajectory ## ]]\n{steps}\n\nWrite the next step."
            );
            let reply = self.ask(asked).await;
            let (thought, tool) = (section(&reply, "next_thought"), section(&reply, "next_tool_name"));
            if tool == "finish" {
                break;
            }
            let args: Value = serde_json::from_str(section(&reply, "next_tool_args")).unwrap();
            let page = args["page"].as_u64().unwrap_or(1) as usize;
            let observation = look_up(args["town"].as_str().unwrap().to_owned(), page).await;
            steps.push_str(&format!(
                "Step {number}\nthought: {thought}\ntool: {tool}\narguments: {args}\nobservation: {observation}\n\n"
            ));
        }
        let asked = format!("[[ ## question ## ]]\n{question}\n\n[[ ## trajectory ## ]]\n{steps}\n\nAnswer.");
        section(&self.ask(asked).await, "answer").to_owned()
    }
}
