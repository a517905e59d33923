use dspy_macros::{module, signature};
use serde::Serialize;

use super::{AsMetric, IntoScore, JudgedPoint, Score, complain, f1, passed, share};
use crate::{Result, lm::BoxFuture, module::Module, predict::ChainOfThought};

/// Find out how complete an answer is: whether it makes the points of the expected answer to the same question. Judge
/// what they say, not how they say it.
#[signature]
struct Completeness {
    #[input]
    question: String,
    #[input]
    expected_answer: String,
    #[input]
    answer: String,
    /// every point that the expected answer makes; it holds when the answer makes it as well
    #[output]
    expected_points: Vec<JudgedPoint>,
}

/// Find out how well an answer is grounded: whether the passages bear out what it claims. What is true but does not
/// follow from the passages is not borne out.
#[signature]
struct Groundedness {
    /// what the answer could rely on
    #[input]
    passages: Vec<String>,
    #[input]
    question: String,
    #[input]
    answer: String,
    /// every claim that the answer makes; it holds when the passages bear it out
    #[output]
    claims: Vec<JudgedPoint>,
}

/// A judge of answers from passages: asks a model which points of an expected answer an answer makes, and which of its
/// claims the passages bear out. The score is the harmonic mean of both shares, from 0 to 1.
///
/// ```
/// use dspy_core::evaluate::CompleteAndGrounded;
/// # struct Qa { question: String, answer: String }
/// # #[derive(Clone)] struct RagOutput { answer: String, passages: Vec<String> }
/// let metric = CompleteAndGrounded::new().metric(|gold: &Qa, pred: &RagOutput| {
///     (&gold.question, &gold.answer, &pred.answer, &pred.passages).into()
/// });
/// # let _ = metric;
/// ```
///
/// It is an ordinary program with two predictors, `completeness.predict` and `groundedness.predict`, which think
/// before they answer and are asked at the same time: see [`AsMetric`]. Their reasoning is the feedback of the score.
#[module]
#[derive(Default)]
pub struct CompleteAndGrounded {
    completeness: ChainOfThought<Completeness>,
    groundedness: ChainOfThought<Groundedness>,
    threshold: Option<f64>,
}

impl CompleteAndGrounded {
    /// A judge that gives the score as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the score 1 when it reaches this, and 0 otherwise.
    #[must_use]
    pub fn threshold(mut self, least: f64) -> Self {
        self.threshold = Some(least);
        self
    }

    /// A metric of this judge: `input` takes question, expected answer, answer and passages from a row and an output,
    /// most shortly as the tuple of the four, made an input by `into`.
    pub fn metric<E, O>(
        &self,
        input: impl Fn(&E, &O) -> CompleteAndGroundedInput + Clone + Send + Sync + 'static,
    ) -> impl Fn(&E, &O) -> BoxFuture<'static, Result<Score>> + Clone + Send + Sync + 'static {
        self.as_metric(input, CompleteAndGroundedOutput::clone)
    }
}

/// What [`CompleteAndGrounded`] judges. It is had from a tuple of the four in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompleteAndGroundedInput {
    /// The question.
    pub question: String,
    /// The answer that is expected.
    pub expected_answer: String,
    /// The answer that was given.
    pub answer: String,
    /// The passages that it could rely on.
    pub passages: Vec<String>,
}

impl<Q, E, A, P> From<(Q, E, A, P)> for CompleteAndGroundedInput
where
    Q: Into<String>,
    E: Into<String>,
    A: Into<String>,
    P: IntoIterator<Item: Into<String>>,
{
    fn from((question, expected_answer, answer, passages): (Q, E, A, P)) -> Self {
        Self {
            question: question.into(),
            expected_answer: expected_answer.into(),
            answer: answer.into(),
            passages: passages.into_iter().map(Into::into).collect(),
        }
    }
}

/// What [`CompleteAndGrounded`] says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CompleteAndGroundedOutput {
    /// The share of the expected points that the answer makes.
    pub completeness: f64,
    /// The share of the claims that the passages bear out.
    pub groundedness: f64,
    /// Their harmonic mean; with a threshold, 1 when it is reached, and 0 otherwise.
    pub score: f64,
    /// Why.
    pub feedback: String,
}

impl IntoScore for CompleteAndGroundedOutput {
    fn into_score(self) -> Result<Score> {
        Ok(Score::new(self.score).feedback(self.feedback))
    }
}

#[module]
impl Module for CompleteAndGrounded {
    type Input = CompleteAndGroundedInput;
    type Output = CompleteAndGroundedOutput;

    async fn forward(&self, input: CompleteAndGroundedInput) -> Result<CompleteAndGroundedOutput> {
        let CompleteAndGroundedInput { question, expected_answer, answer, passages } = input;
        let complete = self.completeness.call((question.clone(), expected_answer, answer.clone()));
        let grounded = self.groundedness.call((passages, question, answer));
        let (complete, grounded) = futures_util::future::try_join(complete, grounded).await?;
        let (completeness, groundedness) = (share(&complete.expected_points), share(&grounded.claims));
        let mut feedback = format!("{}\n{}", complete.reasoning, grounded.reasoning);
        complain(&mut feedback, "not in the answer", &complete.expected_points);
        complain(&mut feedback, "not borne out by the passages", &grounded.claims);
        let score = passed(f1(completeness, groundedness), self.threshold);
        Ok(CompleteAndGroundedOutput { completeness, groundedness, score, feedback })
    }
}
