//! Answers that do not meet the constraints of their signature are asked for again.

use dspy::{
    Update,
    adapter::TwoStepAdapter,
    lm::{Response, StubModel},
    prelude::*,
};

use crate::world::{Sent, World, chat, question, world};

/// Answer the question.
#[signature(assert(|o: &QaOutput| o.answer != o.source, "the source is another text than the answer"))]
struct Qa {
    #[input]
    question: String,
    #[output(
        assert(|a: &str| a.split_whitespace().count() <= 2, "at most two words"),
        suggest(|a: &str| !a.contains(' '), "one word")
    )]
    answer: String,
    #[output]
    source: String,
}

const TOLD: &str = "does not meet this demand";

fn reply(answer: &str, source: &str) -> String {
    chat(&[("answer", answer), ("source", source)])
}

/// A model that does what it is told, one thing at a time.
async fn corrigible() -> World {
    world(|sent| match question(sent) {
        text if text.contains("at most two words") => reply("Jane Austen", "Jane Austen"),
        text if text.contains("another text") => reply("Austen", "a lexicon"),
        _ => reply("It was Jane Austen", "a lexicon"),
    })
    .await
}

#[tokio::test]
async fn the_model_is_shown_its_answer_and_what_it_does_not_meet() {
    let world = corrigible().await;
    let qa = Predict::<Qa>::new().lm(world.lm.clone());
    let p = qa.call("Who wrote Emma?").await.unwrap();
    assert_eq!((p.answer.as_str(), p.source.as_str()), ("Austen", "a lexicon"));
    assert_eq!((world.count(), p.usage().total().calls, p.backtracks()), (3, 3, 2));
    assert!(p.violations().is_empty());
    let [step] = &p.trace().iter().collect::<Vec<_>>()[..] else { panic!("one step") };
    assert_eq!(step.output_json().unwrap()["answer"], "Austen");
    assert_eq!(step.retries.len(), 2, "{:?}", step.retries);
    world.assert_sent("constraints.md");
}

#[tokio::test]
async fn a_demand_that_is_never_met_is_an_error_and_a_wish_a_warning() {
    let world = world(|sent| match sent.iter().any(|(_, text)| text.contains("tersely")) {
        true => reply("Jane Austen", "a lexicon"),
        false => reply("It was Jane Austen", "a lexicon"),
    })
    .await;
    let qa = Predict::<Qa>::new().lm(world.lm.clone());
    let error = qa.call("Who wrote Emma?").await.unwrap_err();
    let Error::Constraint { field, message, .. } = &error else { panic!("{error}") };
    assert_eq!((field.as_str(), message.as_str(), world.count()), ("answer", "at most two words", 3));

    let p = qa.call("Who wrote Emma? Answer tersely.").await.unwrap();
    assert_eq!((p.answer.as_str(), world.count(), p.backtracks()), ("Jane Austen", 6, 2));
    let [wish] = p.violations() else { panic!("{:?}", p.violations()) };
    assert_eq!((wish.field.as_str(), wish.message.as_str(), wish.fatal), ("answer", "one word", false));

    // Without corrections, both are only checked.
    let checked = with(|c| c.max_backtracks(0), qa.call("Who wrote Emma? Answer tersely.")).await.unwrap();
    assert_eq!((checked.violations().len(), checked.backtracks(), world.count()), (1, 0, 7));
}

#[tokio::test]
async fn a_wish_makes_no_call_fail() {
    for trouble in ["ERROR", "no structure at all", ""] {
        let world = world(move |sent| match sent.iter().any(|(_, text)| text.contains(TOLD)) {
            true => trouble.to_owned(),
            false => reply("Jane Austen", "a lexicon"),
        })
        .await;
        let p = Predict::<Qa>::new().lm(world.lm.clone()).call("Who wrote Emma?").await.unwrap();
        assert_eq!((p.answer.as_str(), p.violations().len()), ("Jane Austen", 1), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_corrected_answer_is_repaired_like_any_other() {
    let world = world(|sent| match question(sent) {
        text if text.contains(TOLD) => chat(&[("answer", "Austen")]),
        text if text.contains("`source`") && !text.contains("Who") => chat(&[("source", "a lexicon")]),
        _ => reply("It was Jane Austen", "a lexicon"),
    })
    .await;
    let p = Predict::<Qa>::new().lm(world.lm.clone()).call("Who wrote Emma?").await.unwrap();
    assert_eq!((p.answer.as_str(), p.source.as_str(), world.count()), ("Austen", "a lexicon", 3));
}

#[tokio::test]
async fn of_several_answers_the_first_that_meets_everything_is_taken() {
    let texts = [
        reply("It was Jane Austen", "a lexicon"),
        "nothing".into(),
        reply("Austen", "a lexicon"),
        reply("Jane", "b"),
    ];
    let mut response = Response::text("");
    response.choices = texts.iter().map(|text| Response::text(text.as_str()).choices.remove(0)).collect();
    let lm = StubModel::scripted([response]);
    let qa = Predict::<Qa>::new().lm(&lm).options(Options::new().n(4));
    let p = qa.call("Who wrote Emma?").await.unwrap();
    assert_eq!((&*p.answer, lm.requests().len()), ("Austen", 1));
    // All of them are there, each as what it is.
    let read: Vec<Result<&str, &str>> =
        p.completions().map(|c| c.map(|output| &*output.answer).map_err(Error::kind)).collect();
    assert_eq!(read, [Err("constraint"), Err("parse"), Ok("Austen"), Ok("Jane")]);
    assert_eq!(p.trace().iter().next().unwrap().completions::<String>().filter_map(Result::ok).count(), 0);
}

#[tokio::test]
async fn completions_are_those_of_the_predictor_and_never_none() {
    let several = |texts: &[&str]| {
        let mut response = Response::text("");
        response.choices = texts.iter().map(|text| Response::text(*text).choices.remove(0)).collect();
        response
    };
    let (one, two) = (reply("Austen", "a"), reply("Brontë", "b"));
    let cot = |answer: &str| format!("[[ ## reasoning ## ]]\nSo.\n\n{answer}");
    let lm = StubModel::scripted([several(&[&cot(&one), &cot(&two)])]);
    let p = ChainOfThought::<Qa>::new().lm(&lm).options(Options::new().n(2)).call("Who?").await.unwrap();
    let answers: Vec<_> =
        p.completions().map(|c| (c.unwrap().reasoning.clone(), c.unwrap().answer.clone())).collect();
    assert_eq!(answers, [("So.".to_owned(), "Austen".to_owned()), ("So.".to_owned(), "Brontë".to_owned())]);
    // Of one answer, the output; of one that was repaired, what it became.
    for responses in [vec![several(&[&one])], vec![several(&["nothing", "nothing"]), several(&[&one])]] {
        let lm = StubModel::scripted(responses);
        let p = Predict::<Qa>::new().lm(&lm).options(Options::new().n(2)).call("Who?").await.unwrap();
        let answers: Vec<_> = p.completions().map(|c| c.unwrap().answer.clone()).collect();
        assert_eq!(answers, ["Austen"]);
    }
    // Without a trace, there is the output.
    let lm = StubModel::scripted([several(&[&one, &two])]);
    let qa = Predict::<Qa>::new().lm(&lm).options(Options::new().n(2));
    let p = dspy::with(|c| c.trace(false), qa.call("Who?")).await.unwrap();
    assert_eq!(p.completions().count(), 1);
}

#[tokio::test]
async fn the_model_that_answered_freely_is_asked_again_not_the_one_that_copies() {
    let world = world(|sent| match question(sent) {
        text if text.contains("FREE") && text.contains("short") => reply("Austen", "a lexicon"),
        text if text.contains("FREE") => reply("It was Jane Austen", "a lexicon"),
        text if text.contains(TOLD) => "FREE, in short: Austen, says a lexicon".into(),
        _ => "FREE: it was Jane Austen, says a lexicon".into(),
    })
    .await;
    let two_step = TwoStepAdapter::new(world.lm.clone());
    let p =
        Predict::<Qa>::new().lm(world.lm.clone()).adapter(two_step).call("Who wrote Emma?").await.unwrap();
    assert_eq!((p.answer.as_str(), world.count(), p.backtracks()), ("Austen", 4, 1));
}

#[tokio::test]
async fn a_stream_says_that_it_begins_again() {
    let world = corrigible().await;
    let mut stream = Predict::<Qa>::new().lm(world.lm.clone()).stream("Who wrote Emma?");
    let (mut again, mut done) = (0, None);
    while let Some(update) = stream.next().await {
        match update.unwrap() {
            Update::Retry { reason, .. } => {
                again += usize::from(reason.contains("asked again for what meets"));
            }
            Update::Done(p) => done = Some(p.answer.clone()),
            _ => {}
        }
    }
    assert_eq!((again, done.as_deref()), (2, Some("Austen")));
}

/// Writes, and demands something of what is written.
#[module]
struct Writer {
    write: Predict<Qa>,
}

impl Module for Writer {
    type Input = QaInput;
    type Output = QaOutput;

    async fn forward(&self, input: QaInput) -> Result<QaOutput> {
        let written = self.write.call(input).await?;
        dspy::suggest!(written.source == "a book", "the source is a book");
        Ok(written.into_inner())
    }
}

#[tokio::test]
async fn demands_of_signature_and_program_share_the_corrections_of_an_answer() {
    let world = world(|sent: &[Sent]| match sent.iter().filter(|(_, text)| text.contains(TOLD)).count() {
        0 => reply("It was Jane Austen", "a lexicon"),
        1 => reply("Austen", "a lexicon"),
        _ => reply("Austen", "a book"),
    })
    .await;
    let mut writer = Writer { write: Predict::new() };
    writer.set_lm(world.lm.clone());
    let p = writer.call("Who wrote Emma?").await.unwrap();
    assert_eq!((p.source.as_str(), world.count(), p.backtracks()), ("a book", 3, 2));

    let once = with(|c| c.max_backtracks(1), writer.call("Who wrote Emma?")).await.unwrap();
    assert_eq!((once.source.as_str(), once.backtracks(), once.violations().len()), ("a lexicon", 1, 1));
}

#[tokio::test]
async fn evaluations_count_corrections_and_what_is_not_met() {
    let world = world(|sent| {
        let stubborn = sent[1].1.contains('7');
        match question(sent) {
            text if text.contains(TOLD) && !stubborn => reply("Austen", "a lexicon"),
            _ => reply("Jane Austen", "a lexicon"),
        }
    })
    .await;
    let qa = Predict::<Qa>::new().lm(world.lm.clone());
    let rows: Vec<Qa> = (0..10)
        .map(|i| Qa { question: format!("{i}?"), answer: "Austen".into(), source: String::new() })
        .collect();
    let metric = |gold: &Qa, pred: &QaOutput| gold.answer == pred.answer;
    let evaluate = Evaluate::new(&rows, metric).progress(false);
    let before = with(|c| c.max_backtracks(0), evaluate.run(&qa)).await.unwrap();
    let after = evaluate.run(&qa).await.unwrap();
    assert_eq!((before.violations().count(), before.backtracks(), before.score), (10, 0, 0.0));
    assert_eq!((after.violations().count(), after.backtracks(), after.score), (1, 11, 0.9));
}
