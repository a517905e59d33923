//! Optimizers through the public interface, against a server that answers from the prompt.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

#[path = "../examples/support/mod.rs"]
mod support;

use std::{
    collections::{BTreeMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use dspy::{
    adapter::Coverage,
    lm::Cache,
    optimize::{BetterTogether, KNNFewShot, SIMBA, Strategy},
    prelude::*,
};
use serde_json::Value;
use support::{demo_model, http};

/// Sort the message by what it is about.
#[signature]
struct Sort {
    #[input]
    message: String,
    #[output]
    topic: String,
}

/// Say in a few words what the message is about.
#[signature]
struct Sum {
    #[input]
    message: String,
    #[output]
    gist: String,
}

/// Sort the message.
#[signature]
struct SortSummed {
    #[input]
    message: String,
    #[input]
    gist: String,
    #[output]
    topic: String,
}

/// Two predictors; the data has no field for what is between them.
#[module]
struct TwoSteps {
    sum: Predict<Sum>,
    sort: ChainOfThought<SortSummed>,
}

impl TwoSteps {
    fn new() -> Self {
        Self { sum: Predict::new(), sort: ChainOfThought::new() }
    }
}

impl Module for TwoSteps {
    type Input = SortInput;
    type Output = SortOutput;

    async fn forward(&self, SortInput { message }: SortInput) -> Result<SortOutput> {
        let gist = self.sum.call(SumInput { message: message.clone() }).await?.gist.clone();
        let sorted = self.sort.call(SortSummedInput { message, gist }).await?;
        Ok(SortOutput { topic: sorted.topic.clone() })
    }
}

fn right(gold: &Sort, found: &SortOutput) -> bool {
    gold.topic == found.topic
}

/// A file of the examples.
fn examples(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "examples", "data", name].iter().collect()
}

fn train() -> Vec<Sort> {
    dspy::data::jsonl(examples("tickets-train.jsonl")).unwrap()
}

fn dev() -> Vec<Sort> {
    dspy::data::jsonl(examples("tickets-dev.jsonl")).unwrap()
}

/// What the server saw.
#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    /// How often each request was answered well.
    answered: Mutex<BTreeMap<Vec<u8>, usize>>,
    models: Mutex<BTreeMap<String, usize>>,
    /// Requests whose last message was also shown in a demonstration.
    spoiled: Mutex<Vec<String>>,
    /// Whether every other request fails.
    ill: AtomicBool,
}

impl Seen {
    fn look(&self, body: &[u8]) {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let request: Value = serde_json::from_slice(body).unwrap();
        *self.models.lock().unwrap().entry(request["model"].to_string()).or_default() += 1;
        let users: Vec<&str> = request["messages"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|m| m["role"] == "user")
            .map(|m| m["content"].as_str().unwrap())
            .collect();
        let message = |text: &str| -> Option<String> {
            let rest = text.split("[[ ## message ## ]]\n").nth(1)?;
            Some(rest.split("\n\n").next()?.to_owned())
        };
        let (last, before) = users.split_last().unwrap();
        let asked = message(last);
        if before.iter().any(|text| message(text) == asked) {
            self.spoiled.lock().unwrap().push((*last).to_owned());
        }
    }
}

fn hash(body: &[u8], salt: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (body, salt).hash(&mut hasher);
    hasher.finish()
}

/// A server of the demonstration model. With a salt, its answers take a time that depends on it.
fn server(salt: Option<u64>) -> (http::Server, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let log = seen.clone();
    let server = http::Server::start(move |request| {
        log.look(&request.body);
        if log.ill.load(Ordering::SeqCst) && hash(&request.body, 0).is_multiple_of(2) {
            return http::Reply::Json(500, b"{}".to_vec());
        }
        *log.answered.lock().unwrap().entry(request.body.clone()).or_default() += 1;
        let wait = salt.map(|salt| Duration::from_millis(hash(&request.body, salt) % 12));
        let reply = demo_model::answer(request);
        wait.into_iter().fold(reply, |reply, wait| http::Reply::After(wait, Box::new(reply)))
    });
    (server.unwrap(), seen)
}

fn model(server: &http::Server, name: &str) -> LM {
    let lm = LM::builder(format!("openai/{name}")).api_base(server.api_base()).api_key("k");
    lm.cache(Cache::memory(100_000)).retries(0).build().unwrap()
}

async fn score<P>(program: &P, rows: &[Sort]) -> f64
where
    P: Module<Input = SortInput, Output = SortOutput> + Clone + 'static,
{
    Evaluate::new(rows, right).run(program).await.unwrap().score
}

#[tokio::test]
async fn bootstrapped_demonstrations_improve_the_score() {
    let (server, seen) = server(None);
    let (train, dev) = (train(), dev());
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let program = TwoSteps::new();
        let before = score(&program, &dev).await;
        let compiled = BootstrapFewShot::new().compile(program, &train, right).await.unwrap();
        let after = score(&compiled.program, &dev).await;
        assert!(after > before + 0.2, "{before} -> {after}\n{compiled}");
        for (path, predictor) in compiled.program.predictors() {
            let demos = predictor.demos();
            let made = demos.iter().filter(|d| d.augmented).count();
            assert_eq!(made, 4, "{path}: {demos:?}");
            // Rows have no `gist`, so that nothing of them can be shown to the first step.
            assert_eq!(demos.len(), if path == "sum" { 4 } else { 16 });
            for demo in &demos[..made] {
                assert_eq!(demo.coverage(predictor.spec()), Coverage::Complete);
            }
        }
        let of = |field: &str| -> Vec<String> {
            let (_, sort) = compiled.program.predictors().remove(1);
            sort.demos().iter().map(|d| d.fields[field].as_str().unwrap().to_owned()).collect()
        };
        for (message, topic) in of("message").iter().zip(of("topic")) {
            assert!(train.iter().any(|row| row.message == *message && row.topic == topic));
        }
        assert!(compiled.report.usage.total().calls > 0);
    })
    .await;
    assert!(seen.spoiled.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_seed_gives_the_same_program() {
    let train = &train()[..24];
    let mut results = Vec::new();
    for (seed, concurrency, salt) in [(7, 1, None), (7, 16, Some(1)), (7, 5, Some(2)), (8, 16, None)] {
        let (server, seen) = server(salt);
        let optimizer =
            BootstrapFewShotWithRandomSearch::new().num_candidates(5).seed(seed).concurrency(concurrency);
        let compiled = dspy::with(|c| c.lm(model(&server, "demo")), async {
            optimizer.compile(TwoSteps::new(), train, right).await.unwrap()
        })
        .await;
        let file = tempfile();
        compiled.save(&file).unwrap();
        let saved = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let scores: Vec<_> =
            compiled.report.candidates.iter().map(|c| (c.name.clone(), c.scores.clone())).collect();
        let requests: Vec<Vec<u8>> = seen.answered.lock().unwrap().keys().cloned().collect();
        assert!(seen.spoiled.lock().unwrap().is_empty());
        results.push((saved, scores, requests));
    }
    assert!(results[0] == results[1] && results[1] == results[2]);
    assert_ne!(results[0].0, results[3].0);
}

fn tempfile() -> std::path::PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("dspy-optimize-{}-{}.json", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
    std::env::temp_dir().join(name)
}

#[tokio::test]
async fn the_search_takes_the_best_candidate_and_saves_where_it_comes_from() {
    let (server, seen) = server(None);
    let (train, dev) = (train(), dev());
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let optimizer =
            BootstrapFewShotWithRandomSearch::new().num_candidates(4).max_labeled_demos(20).seed(3);
        // All candidates are run on all rows.
        let optimizer = optimizer.racing(None);
        let compiled = optimizer.compile(Predict::<Sort>::new(), (&train, &dev), right).await.unwrap();
        let names: Vec<&str> = compiled.report.candidates.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(
            names,
            ["student", "labels only", "in order", "random 0", "random 1", "random 2", "random 3"]
        );
        let best = compiled.report.ranking()[0];
        assert_eq!(
            (best.score, compiled.candidate(best.id).unwrap().to_json().unwrap()),
            (compiled.score(), compiled.program.to_json().unwrap())
        );
        let judged = &compiled.report.candidates;
        assert!(judged.iter().all(|c| c.score <= compiled.score() && c.scores.len() == dev.len()));
        assert!(compiled.score() > judged[0].score);
        // What it was chosen by is what an evaluation finds: no validation row is one of the training rows.
        assert_eq!(Some(score(&compiled.program, &dev).await), compiled.score());

        let file = tempfile();
        compiled.save(&file).unwrap();
        let saved: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let record = &saved["metadata"]["dspy_rs"];
        assert_eq!(record["optimizer"], "BootstrapFewShotWithRandomSearch");
        assert_eq!(record["score"].as_f64(), compiled.score());
        assert_eq!(record["scores"]["student"].as_f64(), compiled.report.candidates[0].score);
        let loaded = Predict::<Sort>::new().load(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(loaded.to_json().unwrap(), compiled.program.to_json().unwrap());
        let asked = seen.requests.load(Ordering::SeqCst);
        assert_eq!(Some(score(&loaded, &dev).await), compiled.score());
        assert_eq!(seen.requests.load(Ordering::SeqCst), asked, "the loaded program asks the same");

        let shown = compiled.to_string();
        assert!(shown.contains("labels only") && shown.contains("the teacher ran on"), "{shown}");
    })
    .await;
}

#[tokio::test]
async fn a_search_stops_at_a_score_that_is_good_enough() {
    let (server, _) = server(None);
    let train = train();
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let search = BootstrapFewShotWithRandomSearch::new().num_candidates(2).concurrency(32).racing(None);
        let all = search.clone().compile(Predict::<Sort>::new(), &train, right).await.unwrap();
        assert_eq!(all.report.candidates.len(), 5);
        let enough = all.report.candidates[1].score.unwrap();
        let some = search.stop_at_score(enough).compile(Predict::<Sort>::new(), &train, right).await.unwrap();
        let scored = some.report.candidates.iter().filter(|c| c.score.is_some()).count();
        assert_eq!((scored, some.score()), (2, Some(enough)));
    })
    .await;
}

#[tokio::test]
async fn a_teacher_teaches() {
    let (server, seen) = server(None);
    let train = train();
    let strong = model(&server, "strong");
    dspy::with(|c| c.lm(model(&server, "weak")), async {
        let mut teacher = TwoSteps::new();
        teacher.sum.predictor_mut().set_instructions("Name the topic.");
        let optimizer = BootstrapFewShot::new().max_bootstrapped_demos(2).max_labeled_demos(3);
        let optimizer = optimizer.teacher_settings(move |c| c.lm(strong.clone()));
        let student = TwoSteps::new().with_teacher(teacher);
        let compiled = optimizer.compile(student, &train, right).await.unwrap();
        let predictors = compiled.program.predictors();
        assert_eq!(predictors[0].1.demos().len(), 2);
        assert_eq!(predictors[1].1.demos().len(), 3);
        assert_eq!(predictors[0].1.instructions(), "Say in a few words what the message is about.");
        let models: Vec<String> = seen.models.lock().unwrap().keys().cloned().collect();
        assert_eq!(models, ["\"strong\""]);
        assert_eq!(
            compiled.report.usage.by_model().map(|(m, _)| m.to_owned()).collect::<Vec<_>>(),
            ["openai/strong"]
        );

        // One that was compiled before keeps what it has.
        let compiled = BootstrapFewShot::new()
            .compile(TwoSteps::new().with_teacher(compiled.program), &train, right)
            .await
            .unwrap();
        assert!(compiled.program.predictors()[0].1.demos().len() <= 4);
    })
    .await;
}

#[tokio::test]
async fn a_teacher_of_another_shape_is_refused() {
    let error = BootstrapFewShot::new()
        .compile(
            Listed { steps: vec![Predict::new(), Predict::new()] }
                .with_teacher(Listed { steps: vec![Predict::new()] }),
            &train(),
            right,
        )
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`steps[1]`"), "{error}");
}

/// As many steps as one wants.
#[module]
struct Listed {
    steps: Vec<Predict<Sort>>,
}

impl Module for Listed {
    type Input = SortInput;
    type Output = SortOutput;

    async fn forward(&self, input: SortInput) -> Result<SortOutput> {
        let mut output = SortOutput { topic: String::new() };
        for step in &self.steps {
            output = step.call(input.clone()).await?.into_inner();
        }
        Ok(output)
    }
}

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

#[tokio::test]
async fn rounds_and_thresholds_decide_what_is_accepted() {
    let (server, seen) = server(None);
    let train = train();
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let half = |_: &Sort, _: &SortOutput| 0.5;
        let augmented = |compiled: &Compiled<Predict<Sort>>| {
            compiled.program.predictor().demos().iter().filter(|d| d.augmented).count()
        };
        let optimizer = BootstrapFewShot::new().max_rounds(3).max_labeled_demos(0);
        let strict = optimizer.clone().metric_threshold(0.6);
        let compiled = strict.compile(Predict::<Sort>::new(), &train[..5], half).await.unwrap();
        assert_eq!(augmented(&compiled), 0);
        assert_eq!(seen.requests.load(Ordering::SeqCst), 15, "each round is a draw of its own");
        let compiled = optimizer.clone().compile(Predict::<Sort>::new(), &train[..5], half).await.unwrap();
        assert_eq!(augmented(&compiled), 4);
        let never = |_: &Sort, _: &SortOutput| 0.0;
        let lenient = optimizer.metric_threshold(0.0);
        let compiled = lenient.compile(Predict::<Sort>::new(), &train[..5], never).await.unwrap();
        assert_eq!(augmented(&compiled), 4, "a threshold of 0 is a threshold");
        assert_eq!(seen.requests.load(Ordering::SeqCst), 15, "the same requests are not sent again");
    })
    .await;
}

#[tokio::test]
async fn labelled_rows_are_chosen_by_the_seed() {
    let train = train();
    let messages = |program: &Predict<Sort>| -> Vec<String> {
        program.predictor().demos().iter().map(|d| d.fields["message"].as_str().unwrap().to_owned()).collect()
    };
    let of = |labels: LabeledFewShot| messages(&labels.apply(Predict::new(), &train).unwrap());
    assert_eq!(of(LabeledFewShot::new().seed(1)), of(LabeledFewShot::new().seed(1)));
    assert_ne!(of(LabeledFewShot::new().seed(1)), of(LabeledFewShot::new().seed(2)));
    assert_eq!(of(LabeledFewShot::new()).iter().collect::<HashSet<_>>().len(), 16);
    let first: Vec<String> = train[..3].iter().map(|row| row.message.clone()).collect();
    assert_eq!(of(LabeledFewShot::new().k(3).in_order()), first);
    assert_eq!(of(LabeledFewShot::new().k(1000)).len(), train.len());
    let compiled = LabeledFewShot::new().k(2).compile(TwoSteps::new(), &train, right).await.unwrap();
    let shown: Vec<usize> = compiled.program.predictors().iter().map(|(_, p)| p.demos().len()).collect();
    assert_eq!(shown, [0, 2]);
}

#[tokio::test]
async fn the_nearest_rows_are_chosen_for_each_call_and_saved_with_the_program() {
    let (server, seen) = server(None);
    let (train, dev) = (train(), dev());
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let program = TwoSteps::new();
        let before = score(&program, &dev).await;
        let optimizer = KNNFewShot::new(3).bootstrap(true).seed(2);
        let compiled = optimizer.compile(program, (&train, &dev), right).await.unwrap();
        // Demonstrations of the first step are in no row: they come from runs.
        for (path, predictor) in compiled.program.predictors() {
            let nearest = predictor.nearest_demos().unwrap_or_else(|| panic!("{path} has none"));
            assert!(nearest.k() == 3 && nearest.pool().len() > 10 && predictor.demos().is_empty());
        }
        assert!(seen.spoiled.lock().unwrap().is_empty());
        let after = score(&compiled.program, &dev).await;
        assert!(after > before + 0.2, "{before} -> {after}");

        let file = tempfile();
        compiled.save(&file).unwrap();
        let loaded = TwoSteps::new().load(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let asked = seen.requests.load(Ordering::SeqCst);
        assert_eq!(score(&loaded, &dev).await, after);
        assert_eq!(seen.requests.load(Ordering::SeqCst), asked, "the loaded program asks the same");
        assert!(
            loaded
                .load_json(&TwoSteps::new().to_json().unwrap())
                .unwrap()
                .sum
                .predictor()
                .nearest_demos()
                .is_none()
        );
    })
    .await;
}

#[tokio::test]
async fn a_row_is_never_among_its_own_nearest() {
    let (server, seen) = server(None);
    let train = &train()[..20];
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let chain =
            BetterTogether::of(KNNFewShot::new(2), BootstrapFewShotWithRandomSearch::new().num_candidates(1));
        let strategy = Strategy::prompts().then_weights();
        let compiled = chain.strategy(strategy).compile(Predict::<Sort>::new(), train, right).await.unwrap();
        assert!(compiled.report.candidates.iter().any(|c| c.name == "1 prompts" && c.complete), "{compiled}");
    })
    .await;
    assert!(seen.spoiled.lock().unwrap().is_empty());
}

#[tokio::test]
async fn simba_learns_from_good_runs() {
    let (server, _) = server(None);
    let (train, dev) = (train(), dev());
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let simba =
            SIMBA::new().batch_size(16).max_steps(3).num_candidates(3).draws(3).seed(4).progress(false);
        // The model knows nothing without demonstrations.
        let program = LabeledFewShot::new().k(4).seed(1).apply(Predict::<Sort>::new(), &train).unwrap();
        let before = score(&program, &dev).await;
        let compiled = simba.clone().compile(program.clone(), (&train, &dev), right).await.unwrap();
        assert!(compiled.score().unwrap() >= before && compiled.report.candidates.len() > 3, "{compiled}");
        let again =
            simba.clone().concurrency(3).compile(program.clone(), (&train, &dev), right).await.unwrap();
        assert_eq!(again.program.to_json().unwrap(), compiled.program.to_json().unwrap());
        assert_eq!(program.predictor().demos().len(), 4);
        let error = simba.compile(program, &train[..5], right).await.unwrap_err();
        assert!(error.to_string().contains("`batch_size`"), "{error}");
    })
    .await;
}
