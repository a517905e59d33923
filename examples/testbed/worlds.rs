//! The worlds of the testbed: programs, rows and metrics.

// A world's metrics are closures, whose types are told by what they take.
#![allow(clippy::type_complexity)]

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use dspy::{evaluate::Score, prelude::*};
use serde::de::DeserializeOwned;

/// A program with its rows and two metrics: one that counts, and one that tells in words what was wrong.
pub struct World<P, E, M, F> {
    pub program: P,
    pub rows: Rows<E>,
    pub metric: M,
    pub feedback: F,
}

/// The rows of a world.
pub struct Rows<E> {
    pub train: Vec<E>,
    pub dev: Vec<E>,
    pub test: Vec<E>,
}

impl<E: DeserializeOwned + 'static> Rows<E> {
    fn load(folder: &str) -> Result<Self> {
        let load = |name: &str| dspy::data::jsonl(Path::new(folder).join(name));
        Ok(Self { train: load("train.jsonl")?, dev: load("dev.jsonl")?, test: load("test.jsonl")? })
    }
}

// ---- desk

#[dspy::value]
#[derive(Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    Billing,
    Delivery,
    Returns,
    Account,
    Technical,
    Sales,
    Legal,
    Feedback,
}

/// Sort the customer's message.
#[signature]
pub struct Sort {
    #[input]
    message: String,
    #[output]
    label: Label,
}

#[module]
pub struct Desk {
    label: Predict<Sort>,
}

impl Module for Desk {
    type Input = SortInput;
    type Output = SortOutput;

    async fn forward(&self, input: SortInput) -> Result<SortOutput> {
        Ok(self.label.call(input).await?.into_inner())
    }
}

pub fn desk(
    folder: &str,
) -> Result<
    World<
        Desk,
        Sort,
        impl Fn(&Sort, &SortOutput) -> bool + Clone + Send + Sync + 'static,
        impl Fn(&Sort, &SortOutput) -> Score + Clone + Send + Sync + 'static,
    >,
> {
    let why = Arc::new(Why::load(folder)?);
    let metric = |gold: &Sort, found: &SortOutput| gold.label == found.label;
    Ok(World {
        program: Desk { label: Predict::new() },
        rows: Rows::load(folder)?,
        metric,
        feedback: move |gold: &Sort, found: &SortOutput| {
            let right = metric(gold, found);
            why.judge(&gold.message, right, &[("label", right)])
        },
    })
}

// ---- hops

/// Write a search query.
#[signature]
pub struct WriteQuery {
    #[input]
    question: String,
    #[output]
    query: String,
}

/// Answer the question.
#[signature]
pub struct AnswerQuestion {
    #[input]
    context: Vec<String>,
    #[input]
    question: String,
    #[output]
    answer: String,
}

#[module]
pub struct Hops {
    query: Predict<WriteQuery>,
    answer: Predict<AnswerQuestion>,
    #[module(skip)]
    corpus: Arc<Corpus>,
}

/// An answer, and the query by which its page was found.
#[dspy::value]
pub struct Hopped {
    query: String,
    answer: String,
}

impl Module for Hops {
    type Input = WriteQueryInput;
    type Output = Hopped;

    async fn forward(&self, input: WriteQueryInput) -> Result<Hopped> {
        let question = input.question.clone();
        let query = self.query.call(input).await?.into_inner().query;
        let context = vec![self.corpus.search(&query).to_owned()];
        let answer = self.answer.call(AnswerQuestionInput { context, question }).await?.into_inner().answer;
        Ok(Hopped { query, answer })
    }
}

#[dspy::value]
#[derive(Example)]
#[example(input = WriteQueryInput)]
pub struct Asked {
    #[input]
    question: String,
    answer: String,
}

/// The pages that can be searched.
pub struct Corpus(Vec<Page>);

struct Page {
    text: String,
    title_words: HashSet<String>,
    words: HashSet<String>,
}

#[derive(serde::Deserialize)]
struct PageRow {
    title: String,
    text: String,
}

impl Corpus {
    fn load(folder: &str) -> Result<Self> {
        let rows: Vec<PageRow> = dspy::data::jsonl(Path::new(folder).join("corpus.jsonl"))?;
        let page = |row: PageRow| Page {
            text: format!("{} | {}", row.title, row.text),
            title_words: words(&row.title),
            words: words(&row.text),
        };
        Ok(Self(rows.into_iter().map(page).collect()))
    }

    /// The page that shares most words with the query: those of the title count twice, ties go to the earlier page.
    fn search(&self, query: &str) -> &str {
        let asked = words(query);
        let shared = |page: &Page| {
            2 * asked.intersection(&page.title_words).count() + asked.intersection(&page.words).count()
        };
        let best = self
            .0
            .iter()
            .map(|page| (shared(page), page))
            .reduce(|best, page| if page.0 > best.0 { page } else { best });
        best.map_or("", |(_, page)| &page.text)
    }
}

/// The words of a text, in lower case.
fn words(text: &str) -> HashSet<String> {
    let lower = text.to_lowercase();
    let parts = lower.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
    parts.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

pub fn hops(
    folder: &str,
) -> Result<
    World<
        Hops,
        Asked,
        impl Fn(&Asked, &Hopped) -> bool + Clone + Send + Sync + 'static,
        impl Fn(&Asked, &Hopped) -> Score + Clone + Send + Sync + 'static,
    >,
> {
    let why = Arc::new(Why::load(folder)?);
    let plain = |text: &str| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let metric = move |gold: &Asked, found: &Hopped| plain(&found.answer) == plain(&gold.answer);
    let corpus = Arc::new(Corpus::load(folder)?);
    Ok(World {
        program: Hops { query: Predict::new(), answer: Predict::new(), corpus },
        rows: Rows::load(folder)?,
        metric,
        feedback: move |gold: &Asked, found: &Hopped| {
            let right = metric(gold, found);
            let wanted = why.right(&gold.question, "query").unwrap_or_default();
            let found_page = words(wanted).is_subset(&words(&found.query));
            why.judge(&gold.question, right, &[("query", found_page), ("answer", right)])
        },
    })
}

// ---- math

/// Solve the word problem.
#[signature]
pub struct Solve {
    #[input]
    question: String,
    #[output]
    answer: f64,
}

#[module]
pub struct Maths {
    answer: ChainOfThought<Solve>,
}

impl Module for Maths {
    type Input = SolveInput;
    type Output = Reasoned<SolveOutput>;

    async fn forward(&self, input: SolveInput) -> Result<Reasoned<SolveOutput>> {
        Ok(self.answer.call(input).await?.into_inner())
    }
}

pub fn math(
    folder: &str,
) -> Result<
    World<
        Maths,
        Solve,
        impl Fn(&Solve, &Reasoned<SolveOutput>) -> bool + Clone + Send + Sync + 'static,
        impl Fn(&Solve, &Reasoned<SolveOutput>) -> Score + Clone + Send + Sync + 'static,
    >,
> {
    let why = Arc::new(Why::load(folder)?);
    let metric = |gold: &Solve, found: &Reasoned<SolveOutput>| (found.answer - gold.answer).abs() < 0.006;
    Ok(World {
        program: Maths { answer: ChainOfThought::new() },
        rows: Rows::load(folder)?,
        metric,
        feedback: move |gold: &Solve, found: &Reasoned<SolveOutput>| {
            let right = metric(gold, found);
            why.judge(&gold.question, right, &[("answer", right)])
        },
    })
}

// ---- feedback

/// What may be said of a row: for each part of the program the right value, and the rule that asks for it.
struct Why(HashMap<String, HashMap<String, Reason>>);

#[derive(serde::Deserialize)]
struct Reason {
    right: String,
    because: String,
}

#[derive(serde::Deserialize)]
struct WhyRow {
    #[serde(alias = "message", alias = "question")]
    input: String,
    why: HashMap<String, Reason>,
}

impl Why {
    fn load(folder: &str) -> Result<Self> {
        let rows: Vec<WhyRow> = dspy::data::jsonl(Path::new(folder).join("why.jsonl"))?;
        Ok(Self(rows.into_iter().map(|row| (row.input, row.why)).collect()))
    }

    fn right(&self, input: &str, part: &str) -> Option<&str> {
        Some(&self.0.get(input)?.get(part)?.right)
    }

    /// The score of a row, with what is to be said of each part of the program.
    fn judge(&self, input: &str, right: bool, parts: &[(&str, bool)]) -> Score {
        let score = Score::new(f64::from(u8::from(right)));
        let Some(reasons) = self.0.get(input) else { return score };
        let said = |(part, right): &(&str, bool)| {
            let reason = reasons.get(*part)?;
            let said = match right {
                true => "Right.".to_owned(),
                false => format!("Wrong: {} was wanted. {}", reason.right, reason.because),
            };
            Some(((*part).to_owned(), said.trim().to_owned()))
        };
        let parts: Vec<(String, String)> = parts.iter().filter_map(said).collect();
        let whole = parts.iter().map(|(part, said)| format!("{part}: {said}")).collect::<Vec<_>>().join("\n");
        parts.into_iter().fold(score.feedback(whole), |score, (part, said)| score.feedback_for(part, said))
    }
}
