use std::fmt;

use dspy_macros::{module, signature};
use serde::Serialize;

use super::{AsMetric, IntoScore, JudgedPoint, Score, complain, f1, is_share, passed, share};
use crate::{
    Result,
    lm::BoxFuture,
    module::{Module, Path, Walk},
    predict::{ChainOfThought, Predictor},
};

/// Compare an answer with the expected answer to the same question. Judge what they say, not how they say it.
#[signature]
struct Overlap {
    #[input]
    question: String,
    #[input]
    expected_answer: String,
    #[input]
    answer: String,
    /// from 0 to 1: how much of what the expected answer says, the answer says as well
    #[output(assert(is_share, "from 0 to 1"))]
    recall: f64,
    /// from 0 to 1: how much of what the answer says is borne out by the expected answer
    #[output(assert(is_share, "from 0 to 1"))]
    precision: f64,
}

/// Compare an answer with the expected answer to the same question, point by point. Judge what they say, not how they
/// say it.
#[signature]
struct PointByPoint {
    #[input]
    question: String,
    #[input]
    expected_answer: String,
    #[input]
    answer: String,
    /// every point that the expected answer makes; it holds when the answer makes it as well
    #[output]
    expected_points: Vec<JudgedPoint>,
    /// every point that the answer makes; it holds when the expected answer bears it out
    #[output]
    answer_points: Vec<JudgedPoint>,
}

/// A judge of long answers: asks a model how much of an expected answer an answer covers, and how much of the answer
/// the expected one bears out. The score is the harmonic mean of both, from 0 to 1.
///
/// ```
/// use dspy_core::evaluate::{Evaluate, SemanticF1};
/// # use dspy_core::data::Example;
/// # #[derive(serde::Serialize, Clone)] struct Qa { question: String, answer: String }
/// # struct QaOutput { answer: String }
/// # let devset: Vec<Qa> = Vec::new();
/// let metric = SemanticF1::new()
///     .decompositional(true)
///     .metric(|gold: &Qa, pred: &QaOutput| (&gold.question, &gold.answer, &pred.answer).into());
/// let evaluate = Evaluate::new(&devset, metric).metric_name("semantic_f1");
/// ```
///
/// It is an ordinary program with one predictor, `judge.predict`, which thinks before it answers: see
/// [`AsMetric`]. Its reasoning is the feedback of the score.
#[module]
#[derive(Default)]
pub struct SemanticF1 {
    judge: Way,
    threshold: Option<f64>,
}

#[derive(Clone)]
enum Way {
    Whole(ChainOfThought<Overlap>),
    Points(ChainOfThought<PointByPoint>),
}

impl Default for Way {
    fn default() -> Self {
        Self::Whole(ChainOfThought::new())
    }
}

impl Walk for Way {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        match self {
            Self::Whole(judge) => judge.walk(path, visit),
            Self::Points(judge) => judge.walk(path, visit),
        }
    }

    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        match self {
            Self::Whole(judge) => judge.walk_mut(path, visit),
            Self::Points(judge) => judge.walk_mut(path, visit),
        }
    }
}

impl SemanticF1 {
    /// A judge that compares both answers as wholes and gives the score as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether the judge lists the points of both answers and says of each whether it holds; recall and precision
    /// are then counted, not estimated. It costs more tokens, and the feedback names the points that do not hold. Say
    /// this before anything is set on its predictor.
    #[must_use]
    pub fn decompositional(mut self, on: bool) -> Self {
        self.judge = if on { Way::Points(ChainOfThought::new()) } else { Way::default() };
        self
    }

    /// Makes the score 1 when it reaches this, and 0 otherwise.
    #[must_use]
    pub fn threshold(mut self, least: f64) -> Self {
        self.threshold = Some(least);
        self
    }

    /// A metric of this judge: `input` takes question, expected answer and answer from a row and an output, most shortly
    /// as the tuple of the three, made an input by `into`.
    pub fn metric<E, O>(
        &self,
        input: impl Fn(&E, &O) -> SemanticF1Input + Clone + Send + Sync + 'static,
    ) -> impl Fn(&E, &O) -> BoxFuture<'static, Result<Score>> + Clone + Send + Sync + 'static {
        self.as_metric(input, SemanticF1Output::clone)
    }
}

/// What [`SemanticF1`] compares. It is had from a tuple of the three in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SemanticF1Input {
    /// The question.
    pub question: String,
    /// The answer that is expected.
    pub expected_answer: String,
    /// The answer that was given.
    pub answer: String,
}

impl<Q: Into<String>, E: Into<String>, A: Into<String>> From<(Q, E, A)> for SemanticF1Input {
    fn from((question, expected_answer, answer): (Q, E, A)) -> Self {
        Self { question: question.into(), expected_answer: expected_answer.into(), answer: answer.into() }
    }
}

/// What [`SemanticF1`] says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SemanticF1Output {
    /// How much of the expected answer the answer covers, from 0 to 1.
    pub recall: f64,
    /// How much of the answer the expected one bears out, from 0 to 1.
    pub precision: f64,
    /// Their harmonic mean.
    pub f1: f64,
    /// The same; with a threshold, 1 when it is reached, and 0 otherwise.
    pub score: f64,
    /// Why.
    pub feedback: String,
}

impl SemanticF1Output {
    fn new(recall: f64, precision: f64, feedback: String, threshold: Option<f64>) -> Self {
        let f1 = f1(recall, precision);
        Self { recall, precision, f1, score: passed(f1, threshold), feedback }
    }
}

impl IntoScore for SemanticF1Output {
    fn into_score(self) -> Result<Score> {
        Ok(Score::new(self.score).feedback(self.feedback))
    }
}

#[module]
impl Module for SemanticF1 {
    type Input = SemanticF1Input;
    type Output = SemanticF1Output;

    async fn forward(&self, input: SemanticF1Input) -> Result<SemanticF1Output> {
        let input = (input.question, input.expected_answer, input.answer);
        match &self.judge {
            Way::Whole(judge) => {
                let out = judge.call(input).await?;
                let feedback = out.reasoning.clone();
                Ok(SemanticF1Output::new(out.recall, out.precision, feedback, self.threshold))
            }
            Way::Points(judge) => {
                let out = judge.call(input).await?;
                let mut feedback = out.reasoning.clone();
                complain(&mut feedback, "not in the answer", &out.expected_points);
                complain(&mut feedback, "not borne out by the expected answer", &out.answer_points);
                let (recall, precision) = (share(&out.expected_points), share(&out.answer_points));
                Ok(SemanticF1Output::new(recall, precision, feedback, self.threshold))
            }
        }
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(judge) => judge.fmt(f),
            Self::Points(judge) => judge.fmt(f),
        }
    }
}
