//! Models that fail, programs that fail, compiles that are stopped.

use std::{sync::atomic::Ordering, time::Duration};

use dspy::{lm::Cache, prelude::*};

use crate::tickets::{Sort, SortInput, SortOutput, TwoSteps, model, right, server, tempfile, train};

#[tokio::test]
async fn too_many_failures_stop_a_compile_and_no_answer_is_paid_twice() {
    let (server, seen) = server(Some(4));
    let train = train();
    let lm = model(&server, "demo");
    dspy::with(|c| c.lm(lm), async {
        let optimizer = BootstrapFewShotWithRandomSearch::new().num_candidates(3).seed(1).max_errors(4);
        seen.ill.store(true, Ordering::SeqCst);
        let error = optimizer.compile(TwoSteps::new(), &train, right).await.unwrap_err();
        assert_eq!(error.kind(), "limit", "{error}");
        assert!(error.to_string().contains("allows (4)") && error.to_string().contains("server"), "{error}");
        let answered = seen.answered.lock().unwrap().len();
        assert!(answered > 0);

        seen.ill.store(false, Ordering::SeqCst);
        let resumed = optimizer.compile(TwoSteps::new(), &train, right).await.unwrap();
        assert!(seen.answered.lock().unwrap().len() > answered);
        let paid: Vec<usize> = seen.answered.lock().unwrap().values().copied().collect();
        assert!(paid.iter().all(|n| *n == 1), "no answer is paid for twice: {paid:?}");

        let asked = seen.requests.load(Ordering::SeqCst);
        let again = optimizer.compile(TwoSteps::new(), &train, right).await.unwrap();
        assert_eq!(seen.requests.load(Ordering::SeqCst), asked);
        assert_eq!(again.program.to_json().unwrap(), resumed.program.to_json().unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compile_that_was_stopped_goes_on_from_its_answers() {
    let train = &train()[..20];
    let (server, seen) = server(Some(5));
    let store = tempfile();
    let optimizer = BootstrapFewShotWithRandomSearch::new().num_candidates(2).seed(5).concurrency(4);
    // The answers on the disk are all that one run leaves to the next.
    let compile = |store: &std::path::Path| {
        let (optimizer, cache) = (optimizer.clone(), Cache::disk(store));
        let lm =
            LM::builder("openai/demo").api_base(server.api_base()).api_key("k").cache(cache).build().unwrap();
        dspy::with(
            |c| c.lm(lm),
            async move { optimizer.compile(TwoSteps::new(), train, right).await.unwrap() },
        )
    };
    let mut stops = 0;
    let resumed = loop {
        let enough = seen.requests.load(Ordering::SeqCst) + 40;
        let stopped = async {
            while seen.requests.load(Ordering::SeqCst) < enough {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            compiled = compile(&store) => break compiled,
            () = stopped => stops += 1,
        }
    };
    assert!(stops > 2, "{stops}");
    let answered: Vec<usize> = seen.answered.lock().unwrap().values().copied().collect();
    let again: usize = answered.iter().map(|n| n - 1).sum();
    // Only what was under way at a stop, never what had been answered.
    assert!(again <= 4 * stops, "{again} of {} requests were repeated by {stops} stops", answered.len());

    let other = tempfile();
    let whole = compile(&other).await;
    assert_eq!(resumed.program.to_json().unwrap(), whole.program.to_json().unwrap());
    assert_eq!(seen.answered.lock().unwrap().len(), answered.len());
    for folder in [store, other] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// Refuses what it does not like.
#[module]
struct Picky {
    sort: Predict<Sort>,
}

impl Module for Picky {
    type Input = SortInput;
    type Output = SortOutput;

    async fn forward(&self, input: SortInput) -> Result<SortOutput> {
        match input.message.len() % 2 {
            0 => Err(Error::other("even")),
            _ => Ok(self.sort.call(input).await?.into_inner()),
        }
    }
}

#[tokio::test]
async fn failures_of_the_program_are_bad_scores_and_failures_of_the_metric_are_not() {
    let (server, _) = server(None);
    let train = train();
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let picky = || Picky { sort: Predict::new() };
        let search = BootstrapFewShotWithRandomSearch::new().num_candidates(1).max_errors(0).racing(None);
        let compiled = search.compile(picky(), &train, right).await.unwrap();
        let even = train.iter().filter(|row| row.message.len() % 2 == 0).count();
        for candidate in &compiled.report.candidates {
            assert_eq!(candidate.failures, even);
            let scored = candidate
                .scores
                .iter()
                .zip(&train)
                .all(|(s, row)| row.message.len() % 2 == 1 || *s == Some(0.0));
            assert!(scored);
        }
        assert!(compiled.report.notes[0].contains("failed (other)"), "{:?}", compiled.report.notes);

        let broken = |_: &Sort, _: &SortOutput| Err::<bool, _>(Error::other("no judge today"));
        let error = search.compile(Predict::<Sort>::new(), &train, broken).await.unwrap_err();
        assert!(error.kind() == "limit" && error.to_string().contains("no judge today"), "{error}");
        let panics = |_: &Sort, _: &SortOutput| -> bool { panic!("oh") };
        let error = search.compile(Predict::<Sort>::new(), &train[..4], panics).await.unwrap_err();
        assert!(error.kind() == "limit" && error.to_string().contains("the metric panicked: oh"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn failing_does_not_pay() {
    let (server, _) = server(None);
    let train = train();
    // Nothing is better than a failure, which counts 0 unless set.
    let loss = |gold: &Sort, found: &SortOutput| if gold.topic == found.topic { -1.0 } else { -5.0 };
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let picky = || Picky { sort: Predict::new() };
        let search = BootstrapFewShotWithRandomSearch::new().num_candidates(1).progress(false).racing(None);
        let found = search.clone().compile(picky(), &train, loss).await.unwrap().report;
        let says = |words: &str| found.notes.iter().any(|note| note.contains(words));
        assert!(says("`failure_score`") && says("without `metric_threshold`"), "{found}");

        let search = search.failure_score(-5.0).metric_threshold(-1.0);
        let found = search.clone().compile(picky(), &train, loss).await.unwrap().report;
        assert!(!found.notes.iter().any(|note| note.contains("failure_score")), "{found}");
        let student = &found.candidates[0];
        let even = |row: &Sort| row.message.len().is_multiple_of(2);
        assert!(student.scores.iter().zip(&train).all(|(s, row)| !even(row) || *s == Some(-5.0)));
        assert!(found.val.after > found.val.before, "{found}");

        let error = search.failure_score(f64::NAN).compile(picky(), &train, loss).await.unwrap_err();
        assert!(error.to_string().contains("finite number"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn without_a_model_or_rows_nothing_is_compiled() {
    let search = BootstrapFewShotWithRandomSearch::new();
    let error = search.compile(Predict::<Sort>::new(), &train(), right).await.unwrap_err();
    assert_eq!(error.kind(), "context", "{error}");
    let none: [Sort; 0] = [];
    let error = BootstrapFewShot::new().compile(Predict::<Sort>::new(), &none, right).await.unwrap_err();
    assert!(error.to_string().contains("no rows"), "{error}");
}

#[tokio::test]
async fn a_model_that_is_never_reached_compiles_nothing() {
    let lm = LM::builder("openai/demo").api_base("http://127.0.0.1:9/v1").api_key("k").cache(Cache::off());
    let few = &train()[..3];
    dspy::with(|c| c.lm(lm.retries(0).build().unwrap()), async {
        let program = Predict::<Sort>::new;
        let first = BootstrapFewShot::new().compile(program(), few, right).await.unwrap_err();
        let second = BootstrapFewShotWithRandomSearch::new()
            .max_errors(None)
            .compile(program(), few, right)
            .await
            .unwrap_err();
        let unled = BootstrapFewShotWithRandomSearch::new().max_errors(None).max_bootstrapped_demos(0);
        let third = unled.compile(program(), few, right).await.unwrap_err();
        for error in [first, second, third] {
            let text = error.to_string();
            assert!(
                error.kind() == "limit" && text.contains("no row could be answered: openai/demo"),
                "{text}"
            );
        }
    })
    .await;
}
