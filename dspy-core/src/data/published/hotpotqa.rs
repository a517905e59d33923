use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    Result,
    data::{Example, load},
};

/// A row of HotPotQA, questions that need two articles (Yang et al. 2018, "HotpotQA: A Dataset for Diverse, Explainable
/// Multi-hop Question Answering"). As an example, its input is the question.
///
/// A program that gets the articles along with the question takes rows of its own, which are made from these:
///
/// ```
/// # use dspy_core::data::{Example, HotPotQa};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)]
/// struct Reading { context: Vec<String>, question: String, answer: String }
///
/// impl From<HotPotQa> for Reading {
///     fn from(row: HotPotQa) -> Self {
///         let context = row.context.iter().map(|passage| passage.text()).collect();
///         Self { context, question: row.question, answer: row.answer }
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
#[non_exhaustive]
pub struct HotPotQa {
    /// The question's name in the data set.
    pub id: String,
    /// The question.
    pub question: String,
    /// The answer: a few words out of the articles, `yes` or `no`.
    pub answer: String,
    /// What the question asks for.
    #[serde(rename = "type")]
    pub kind: HotPotKind,
    /// How hard it is.
    pub level: HotPotLevel,
    /// The sentences that lead to the answer. Some of the published rows name a sentence that their article does not
    /// have.
    pub supporting_facts: Vec<SupportingFact>,
    /// Articles, among which are those with the answer.
    pub context: Vec<Passage>,
}

/// What a question of HotPotQA asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum HotPotKind {
    /// Something that is found through something else.
    Bridge,
    /// How two things compare.
    Comparison,
}

/// How hard a question of HotPotQA is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum HotPotLevel {
    /// Mostly, one article is enough.
    Easy,
    /// Two articles are needed.
    Medium,
    /// Two articles are needed, and the models of the authors failed.
    Hard,
}

/// A sentence that leads to the answer of a question of HotPotQA.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SupportingFact {
    /// The title of its article.
    pub title: String,
    /// Its place in the article, counted from 0.
    pub sentence: usize,
}

/// The first paragraph of an article, in HotPotQA.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Passage {
    /// The title of the article.
    pub title: String,
    /// The sentences.
    pub sentences: Vec<String>,
}

impl Passage {
    /// Title and sentences: `Nile | The Nile is a river. It flows north.`
    pub fn text(&self) -> String {
        let sentences: Vec<&str> = self.sentences.iter().map(|s| s.trim()).collect();
        format!("{} | {}", self.title, sentences.join(" "))
    }
}

impl HotPotQa {
    /// Reads a published file with answers: a JSON array of the authors (train, or a dev file of either setting), or a
    /// Parquet or JSON-lines file of the copy on Hugging Face.
    ///
    /// # Errors
    /// [`Error::Dataset`](crate::Error::Dataset) naming the file and the line.
    pub fn load(path: impl AsRef<Path>) -> Result<Vec<Self>> {
        load(path)
    }

    /// The titles of the articles that lead to the answer, each once.
    pub fn gold_titles(&self) -> Vec<&str> {
        let mut titles: Vec<&str> = Vec::new();
        for fact in &self.supporting_facts {
            if !titles.contains(&fact.title.as_str()) {
                titles.push(&fact.title);
            }
        }
        titles
    }
}

impl Example for HotPotQa {
    type Input = String;

    fn input(&self) -> String {
        self.question.clone()
    }
}

/// The published forms: that of the authors, in pairs; that of the copy on Hugging Face, in columns; that of this type.
#[derive(Deserialize)]
struct Stored {
    #[serde(alias = "_id")]
    id: String,
    question: String,
    answer: Option<String>,
    r#type: Option<HotPotKind>,
    level: Option<HotPotLevel>,
    supporting_facts: Option<Facts>,
    context: Articles,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "`supporting_facts` must be a list of title and sentence, or an object of both lists"
)]
enum Facts {
    Pairs(Vec<(String, usize)>),
    Columns { title: Vec<String>, sent_id: Vec<usize> },
    Own(Vec<SupportingFact>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`context` must be a list of title and sentences, or an object of both lists")]
enum Articles {
    Pairs(Vec<(String, Vec<String>)>),
    Columns { title: Vec<String>, sentences: Vec<Vec<String>> },
    Own(Vec<Passage>),
}

impl TryFrom<Stored> for HotPotQa {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, &'static str> {
        let (Some(answer), Some(kind), Some(level), Some(facts)) =
            (stored.answer, stored.r#type, stored.level, stored.supporting_facts)
        else {
            return Err(
                "the row has no answer, type, level or supporting facts, as those of the published test files; \
                        use the files for train and dev",
            );
        };
        let fact = |(title, sentence)| SupportingFact { title, sentence };
        let supporting_facts = match facts {
            Facts::Pairs(pairs) => pairs.into_iter().map(fact).collect(),
            Facts::Columns { title, sent_id } if title.len() == sent_id.len() => {
                title.into_iter().zip(sent_id).map(fact).collect()
            }
            Facts::Columns { .. } => return Err("the lists of `supporting_facts` differ in length"),
            Facts::Own(facts) => facts,
        };
        let passage = |(title, sentences)| Passage { title, sentences };
        let context = match stored.context {
            Articles::Pairs(pairs) => pairs.into_iter().map(passage).collect(),
            Articles::Columns { title, sentences } if title.len() == sentences.len() => {
                title.into_iter().zip(sentences).map(passage).collect()
            }
            Articles::Columns { .. } => return Err("the lists of `context` differ in length"),
            Articles::Own(passages) => passages,
        };
        Ok(Self { id: stored.id, question: stored.question, answer, kind, level, supporting_facts, context })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn stored(id: &str, facts: &Value, context: &Value) -> Value {
        json!({
            id: "q1", "question": "Into which sea does the river of Cairo flow?", "answer": "Mediterranean",
            "type": "bridge", "level": "hard", "supporting_facts": facts, "context": context,
        })
    }

    #[test]
    fn all_published_forms_give_the_same_row() {
        let pairs = stored(
            "_id",
            &json!([["Cairo", 0], ["Nile", 1], ["Nile", 2]]),
            &json!([["Cairo", ["Cairo lies on the Nile."]], ["Nile", ["A river.", " It flows north."]]]),
        );
        let columns = stored(
            "id",
            &json!({ "title": ["Cairo", "Nile", "Nile"], "sent_id": [0, 1, 2] }),
            &json!({
                "title": ["Cairo", "Nile"],
                "sentences": [["Cairo lies on the Nile."], ["A river.", " It flows north."]]
            }),
        );
        let one: HotPotQa = serde_json::from_value(pairs).unwrap();
        let two: HotPotQa = serde_json::from_value(columns).unwrap();
        let own: HotPotQa = serde_json::from_value(serde_json::to_value(&one).unwrap()).unwrap();
        assert_eq!((&one, &one), (&two, &own));
        assert_eq!((one.kind, one.level), (HotPotKind::Bridge, HotPotLevel::Hard));
        assert_eq!(one.gold_titles(), ["Cairo", "Nile"]);
        assert_eq!(one.context[1].text(), "Nile | A river. It flows north.");
        assert_eq!(one.supporting_facts[2].sentence, 2);
    }

    #[test]
    fn what_cannot_be_judged_is_refused() {
        let test = json!({ "_id": "q", "question": "?", "context": [] });
        let error = serde_json::from_value::<HotPotQa>(test).unwrap_err().to_string();
        assert!(error.contains("test files"), "{error}");
        let uneven = stored("id", &json!({ "title": ["a"], "sent_id": [] }), &json!([]));
        assert!(
            serde_json::from_value::<HotPotQa>(uneven).unwrap_err().to_string().contains("differ in length")
        );
        let odd = stored("id", &json!("Cairo"), &json!([]));
        let error = serde_json::from_value::<HotPotQa>(odd).unwrap_err().to_string();
        assert!(error.contains("`supporting_facts` must be a list"), "{error}");
    }
}
