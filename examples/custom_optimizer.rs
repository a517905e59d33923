//! An optimizer of one's own, on something that is no program of this library: a text of rules that sort messages by words.
//!
//! ```text
//! cargo run -p dspy-examples --bin custom_optimizer
//! ```
//!
//! It asks no model. What a search needs besides its idea comes from the engine: scores that are not computed twice,
//! rows at the same time, random numbers by purpose, budget, events, the report.

#![allow(clippy::print_stdout)]

use std::sync::Arc;

use dspy::{
    lm::BoxFuture,
    optimize::{
        CandidateId, Engine, Optimizer, Parameters, PredictorInfo, PredictorParameters, Rollout, Rows,
        SearchOptions, Stop, Task,
    },
    prelude::*,
};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Message {
    message: String,
    team: String,
}

/// The rules, one a line: a word, and the team for messages that hold it. The first that applies decides.
struct Rules {
    messages: Vec<Message>,
    texts: Vec<PredictorInfo>,
}

/// The path of the text.
const RULES: &str = "rules";

impl Rules {
    fn sort<'r>(rules: &'r str, message: &str) -> Option<&'r str> {
        let mut rules = rules.lines().filter_map(|line| line.split_once(": "));
        rules.find(|(word, _)| message.split(' ').any(|w| w == *word)).map(|(_, team)| team)
    }
}

impl Task for Rules {
    fn predictors(&self) -> &[PredictorInfo] {
        &self.texts
    }

    fn parameters(&self) -> Parameters {
        Parameters::new([(RULES, PredictorParameters::new(""))])
    }

    fn rows(&self) -> usize {
        self.messages.len()
    }

    fn record(&self, row: usize) -> Result<Map<String, Value>> {
        let Message { message, team } = &self.messages[row];
        Ok(Map::from_iter([
            ("message".into(), message.as_str().into()),
            ("team".into(), team.as_str().into()),
        ]))
    }

    fn rollout<'a>(&'a self, parameters: &'a Arc<Parameters>, row: usize, _: bool) -> BoxFuture<'a, Rollout> {
        Box::pin(async move {
            let rules = parameters.get(RULES).map_or("", |own| own.instructions.as_str());
            let Message { message, team } = &self.messages[row];
            let found = Self::sort(rules, message);
            Rollout::scored(found == Some(team.as_str())).output(found.unwrap_or("none"))
        })
    }
}

/// Adds the rule of some word of a row that comes out wrong, again and again, and keeps what scores higher.
struct AddRules {
    steps: u64,
    seed: u64,
}

impl Optimizer for AddRules {
    fn name(&self) -> &'static str {
        "AddRules"
    }

    fn options(&self) -> SearchOptions {
        let mut options = SearchOptions::default();
        options.seed = self.seed;
        options
    }

    async fn search(&self, engine: &Engine) -> std::result::Result<CandidateId, Stop> {
        let mut best = CandidateId::STUDENT;
        let mut score = engine.evaluate_fully(best).await?;
        for step in 0..self.steps {
            let mut rng = engine.rng("rules").fork_index(step);
            engine.evaluate(&[best], engine.train()).await?;
            let scores = engine.scores(best, engine.train());
            let wrong: Vec<usize> = engine
                .train()
                .iter()
                .zip(scores)
                .filter(|(_, s)| *s == Some(0.0))
                .map(|(row, _)| *row)
                .collect();
            let Some(row) = rng.choose(&wrong) else { break };
            let record = engine.record(*row)?;
            let text = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or_default();
            let words: Vec<&str> = text("message").split(' ').collect();
            let Some(word) = rng.choose(&words) else { continue };

            let parameters = (*engine.parameters(best)).clone();
            let old = parameters.get(RULES).map_or("", |own| own.instructions.as_str());
            let rules = format!("{word}: {}\n{old}", text("team"));
            let child = engine.propose(*word, [best], parameters.with_instructions(RULES, rules));
            let higher = engine.evaluate_fully(child).await?;
            if higher > score {
                (best, score) = (child, higher);
            }
        }
        Ok(best)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let messages: Vec<Message> =
        dspy::data::jsonl(concat!(env!("CARGO_MANIFEST_DIR"), "/data/desks-train.jsonl"))?;
    // A third confirms the result: no choice is made by these rows.
    let train = messages.len() * 2 / 3;
    let rows = Rows::new((0..train).collect()).test((train..messages.len()).collect());

    let task = Rules { messages, texts: vec![PredictorInfo::text(RULES, "")] };
    let (found, report) = AddRules { steps: 300, seed: 1 }.optimize(task, rows).await?;
    println!("{}", found.get(RULES).map_or("", |own| own.instructions.as_str()));
    println!("rows of training: {}", report.val);
    if let Some(test) = &report.test {
        println!("held-out rows:    {test}");
    }
    Ok(())
}
