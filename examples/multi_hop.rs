//! Multi-hop question answering: a program that searches, reads, and searches again for what it has read.
//!
//! ```text
//! cargo run -p dspy-examples --no-default-features --bin multi_hop
//! cargo run -p dspy-examples --features tls --bin multi_hop -- --model openai/gpt-4o-mini
//! ```
//!
//! Some 3,600 passages about ferries, towns and rivers that exist nowhere are made from templates and searched by words
//! (BM25). Each question needs three of them, and each names what the next one is about.
//!
//! Without `--model` and `--api-base`, a stand-in answers that knows the templates by rule. Searches, prompts, parsing and
//! scores are real then, reading is not. A hosted model is needed to write queries for questions in any words and to read
//! passages in any words; the tiny model of this repository can do neither.

#![allow(clippy::print_stdout)]

mod support;

use dspy::{
    configure,
    lm::{Request, StubModel},
    prelude::*,
    retrieve::Bm25,
};

/// Write a query that finds the next thing needed to answer the question. Passages share words with the query.
#[signature]
struct WriteQuery {
    /// what was found so far
    #[input]
    context: Vec<String>,
    #[input]
    question: String,
    #[output]
    query: String,
}

/// Answer the question from the passages.
#[signature]
struct AnswerFromContext {
    /// passages that may hold the answer
    #[input]
    context: Vec<String>,
    #[input]
    question: String,
    /// one or two words, or `unknown`
    #[output]
    answer: String,
}

/// Searches as often as there are hops, then answers.
#[module]
struct MultiHop {
    query: ChainOfThought<WriteQuery>,
    answer: ChainOfThought<AnswerFromContext>,
    passages: Arc<dyn Retriever>,
    hops: usize,
}

#[module]
impl Module for MultiHop {
    type Input = String;
    type Output = String;

    async fn forward(&self, question: String) -> Result<String> {
        let mut context: Vec<String> = Vec::new();
        for _ in 0..self.hops {
            let asked = self.query.call((context.clone(), question.clone())).await?;
            for text in self.passages.texts(&asked.query, 2).await? {
                if !context.contains(&text) {
                    context.push(text);
                }
            }
        }
        let p = self.answer.call((context, question)).await?;
        Ok(p.answer.clone())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let named = |arg: String| ["--model", "--api-base", "--help"].contains(&arg.as_str());
    let _setup = if std::env::args().any(named) {
        Some(support::setup(&[])?)
    } else {
        println!("Asking a stand-in that knows the templates of the passages; --model names a real model.\n");
        configure(|c| c.lm(StubModel::from_fn(stand_in)).concurrency(8));
        None
    };

    let world = World::new();
    let index = Bm25::new(world.passages());
    println!("{} passages; for example: {}", index.passages().len(), world.town(7));
    let questions: Vec<(String, String)> = (0..40).map(|i| world.question(i * 37)).collect();
    println!("{} questions; for example: {}\n", questions.len(), questions[0].0);

    let metric = |gold: &(String, String), answer: &String| gold.1.eq_ignore_ascii_case(answer);
    let passages: Arc<dyn Retriever> = Arc::new(index);
    for hops in 1..=3 {
        let program = MultiHop {
            query: ChainOfThought::new(),
            answer: ChainOfThought::new(),
            passages: passages.clone(),
            hops,
        };
        let evaluation = Evaluate::new(&questions, metric).run(&program).await?;
        println!("{hops} searches: {:.0} % right", evaluation.score * 100.0);
        if hops == 3 {
            let p = program.call(questions[0].0.as_str()).await?;
            println!("\n{}\n{}; {}", questions[0].0, *p, p.usage().total());
        }
    }
    Ok(())
}

/// Ferries, their home ports, the rivers there, and the hills where these rise.
struct World {
    ferries: Vec<String>,
    towns: Vec<String>,
    rivers: Vec<String>,
    hills: Vec<String>,
}

impl World {
    fn new() -> Self {
        let pairs = |first: &[&str], second: &[&str]| -> Vec<String> {
            first.iter().flat_map(|a| second.iter().map(move |b| format!("{a}{b}"))).collect()
        };
        let colours = [
            "Grey ",
            "White ",
            "Red ",
            "Old ",
            "Quiet ",
            "Swift ",
            "Bright ",
            "Northern ",
            "Little ",
            "Tall ",
        ];
        let birds = ["Heron", "Gull", "Tern", "Plover", "Swan", "Crane", "Kite", "Rail", "Avocet", "Curlew"];
        let endings = [" of Dawn", " of Dusk", " of May", " of June", " of the Bay", " of the Isles"];
        let starts = [
            "Al", "Bren", "Cor", "Dun", "El", "Far", "Gal", "Hol", "Is", "Jor", "Kel", "Lun", "Mor", "Nev",
            "Or",
        ];
        let middles = ["a", "e", "i", "o", "u", "an", "er", "in", "or", "un"];
        let mut ferries = Vec::new();
        for ending in endings {
            ferries.extend(pairs(&colours, &birds).into_iter().map(|name| name + ending));
        }
        let stems = pairs(&starts, &middles);
        let ended = |ends: &[&str]| -> Vec<String> {
            ends.iter().flat_map(|end| stems.iter().map(move |stem| format!("{stem}{end}"))).collect()
        };
        Self {
            ferries,
            towns: ended(&[
                "ford", "wick", "haven", "mouth", "stead", "burgh", "ley", "port", "minster", "by", "ness",
                "ham",
            ]),
            rivers: ended(&["ra", "sk", "nne", "dle", "mer", "th"]),
            hills: ended(&["don", "fell"]),
        }
    }

    /// Each thing leads to one of the next kind, by a rule that scatters them.
    fn next(of: usize, among: &[String]) -> (usize, &str) {
        let place = (of * 7919 + 31) % among.len();
        (place, &among[place])
    }

    fn ferry(&self, i: usize) -> String {
        format!("The ferry {} has its home port in {}.", self.ferries[i], Self::next(i, &self.towns).1)
    }

    fn town(&self, i: usize) -> String {
        let day = ["Monday", "Tuesday", "Thursday", "Friday", "Saturday"][i % 5];
        let river = Self::next(i, &self.rivers).1;
        format!("{} is a town on the river {river}, with a market on {day}.", self.towns[i])
    }

    fn river(&self, i: usize) -> String {
        let (hills, length) = (Self::next(i, &self.hills).1, 40 + i * 13 % 700);
        format!("The river {} rises in the {hills} hills and is {length} km long.", self.rivers[i])
    }

    fn hill(&self, i: usize) -> String {
        format!("The {} hills are {} m high and covered with heather.", self.hills[i], 200 + i * 17 % 900)
    }

    fn passages(&self) -> Vec<String> {
        let ferries = (0..self.ferries.len()).map(|i| self.ferry(i));
        let towns = (0..self.towns.len()).map(|i| self.town(i));
        let rivers = (0..self.rivers.len()).map(|i| self.river(i));
        let hills = (0..self.hills.len()).map(|i| self.hill(i));
        ferries.chain(towns).chain(rivers).chain(hills).collect()
    }

    /// A question about a ferry, and its answer.
    fn question(&self, i: usize) -> (String, String) {
        let i = i % self.ferries.len();
        let town = Self::next(i, &self.towns).0;
        let river = Self::next(town, &self.rivers).0;
        let hills = Self::next(river, &self.hills).1;
        let ferry = &self.ferries[i];
        (
            format!("In which hills does the river rise at which the ferry {ferry} has its home port?"),
            hills.to_owned(),
        )
    }
}

/// Reads the passages of a prompt by rule, and asks for the first thing that it has not found.
fn stand_in(request: &Request) -> String {
    let prompt = request.prompt.messages().last().map(|m| m.content.text().to_owned()).unwrap_or_default();
    let between = |before: &str, after: &str| -> Option<String> {
        let (_, rest) = prompt.split_once(before)?;
        rest.split_once(after).map(|(found, _)| found.to_owned())
    };
    let ferry = between("at which the ferry ", " has its home port?").unwrap_or_default();
    let town = between(&format!("The ferry {ferry} has its home port in "), ".");
    let river = town.as_ref().and_then(|town| between(&format!("{town} is a town on the river "), ","));
    let hills =
        river.as_ref().and_then(|river| between(&format!("The river {river} rises in the "), " hills"));
    let query = match (&town, &river) {
        (_, Some(river)) => format!("The river {river} rises in hills"),
        (Some(town), None) => format!("{town} town on the river"),
        (None, None) => format!("ferry {ferry} home port"),
    };
    let answer = hills.unwrap_or_else(|| "unknown".into());
    serde_json::json!({ "reasoning": "by rule", "query": query, "answer": answer }).to_string()
}
