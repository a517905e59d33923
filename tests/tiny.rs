//! Optimizers with a real model: the tiny one in `examples/models/tiny`, in this process.
//!
//! Its arithmetic differs a little from machine to machine, so scores are compared with room to spare.
#![cfg(feature = "local")]
#![allow(clippy::unwrap_used)]

use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};

use dspy::{
    BootstrapFinetune, FineTuner, LmErrorKind,
    lm::{Cache, FinishReason, Message, Request},
    local::{LocalFineTuner, LocalModel, Training},
    optimize::finetune::{ChatRow, FineTuneTask},
    prelude::*,
};

// Without a comment of its own, which would become part of the prompt: the model knows no such descriptions.
#[dspy::value]
#[derive(Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Group {
    Lantern,
    Harbour,
    Compass,
}

/// Sort the note.
#[signature]
struct Sort {
    #[input]
    note: String,
    #[output]
    group: Group,
}

// Without a comment of its own, which would become part of the prompt: the model knows no such descriptions.
#[dspy::value]
#[derive(Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Team {
    Anchor,
    Candle,
    Mirror,
    Feather,
}

/// Choose the team of the message.
#[signature]
struct Assign {
    #[input]
    message: String,
    #[output]
    team: Team,
}

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(path)
}

fn tiny() -> LM {
    let id = format!("local/{}", example("models/tiny").display());
    LM::builder(id).max_tokens(48).cache(Cache::memory(100_000)).build().unwrap()
}

fn notes(side: &str, count: usize) -> Vec<Sort> {
    let mut rows: Vec<Sort> = dspy::data::jsonl(example(&format!("data/notes-{side}.jsonl"))).unwrap();
    rows.truncate(count);
    rows
}

fn right(gold: &Sort, found: &SortOutput) -> bool {
    gold.group == found.group
}

async fn with_tiny<T>(work: impl Future<Output = T>) -> T {
    dspy::with(|c| c.lm(tiny()).concurrency(16), work).await
}

#[tokio::test]
async fn demonstrations_raise_the_score_and_survive_a_file() {
    with_tiny(async {
        let (train, dev) = (notes("train", 30), notes("dev", 45));
        let held_out = Evaluate::new(&dev, right).progress(false);
        let before = held_out.run(&Predict::<Sort>::new()).await.unwrap().score;
        let optimizer = || {
            BootstrapFewShotWithRandomSearch::new()
                .max_labeled_demos(8)
                .num_candidates(2)
                .seed(7)
                .progress(false)
        };
        let compiled = optimizer().compile(Predict::<Sort>::new(), &train, right).await.unwrap();
        let after = held_out.run(&compiled.program).await.unwrap().score;
        assert!(after >= before + 0.2, "{before} before, {after} after");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sort.json");
        compiled.save(&path).unwrap();
        let loaded = Predict::<Sort>::new().load(&path).unwrap();
        assert_eq!(held_out.run(&loaded).await.unwrap().score, after);

        // The same seed, data and model: the same program.
        let again = optimizer().compile(Predict::<Sort>::new(), &train, right).await.unwrap();
        assert_eq!(again.program.to_json().unwrap(), compiled.program.to_json().unwrap());
    })
    .await;
}

#[tokio::test]
async fn runs_that_went_well_are_shown() {
    with_tiny(async {
        let (train, dev) = (notes("train", 30), notes("dev", 45));
        let held_out = Evaluate::new(&dev, right).progress(false);
        let before = held_out.run(&Predict::<Sort>::new()).await.unwrap().score;
        let optimizer =
            BootstrapFewShot::new().max_bootstrapped_demos(4).max_labeled_demos(8).progress(false);
        let compiled = optimizer.compile(Predict::<Sort>::new(), &train, right).await.unwrap();
        let predictors = compiled.program.predictors();
        assert!(predictors[0].1.demos().len() >= 4);
        let after = held_out.run(&compiled.program).await.unwrap().score;
        assert!(after >= before + 0.1, "{before} before, {after} after");
    })
    .await;
}

#[tokio::test]
async fn a_program_without_demonstrations_learns_by_its_weights() {
    with_tiny(async {
        let assigned = |side: &str, count: usize| {
            let mut rows: Vec<Assign> =
                dspy::data::jsonl(example(&format!("data/desks-{side}.jsonl"))).unwrap();
            rows.truncate(count);
            rows
        };
        let (train, dev) = (assigned("train", 96), assigned("dev", 60));
        let right = |gold: &Assign, found: &AssignOutput| gold.team == found.team;
        let held_out = Evaluate::new(&dev, right).progress(false);
        let before = held_out.run(&Predict::<Assign>::new()).await.unwrap().score;

        let folder = tempfile::tempdir().unwrap();
        let training = Training::new().epochs(6).batch(16).learning_rate(2e-3);
        let tuner = LocalFineTuner::new(folder.path().join("weights")).training(training);
        let optimizer = BootstrapFinetune::new(tuner).from_labels(true).progress(false);
        let compiled = optimizer.compile(Predict::<Assign>::new(), &train, right).await.unwrap();
        let after = held_out.run(&compiled.program).await.unwrap().score;
        assert!(after >= before + 0.2, "{before} before, {after} after");
        assert!(compiled.program.predictors()[0].1.demos().is_empty());

        // The weights lie beside the file, and both can be moved together.
        compiled.save(folder.path().join("assign.json")).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let moved = elsewhere.path().join("moved");
        std::fs::rename(folder.path(), &moved).unwrap();
        let loaded = Predict::<Assign>::new().load(moved.join("assign.json")).unwrap();
        assert_eq!(held_out.run(&loaded).await.unwrap().score, after);
    })
    .await;
}

#[tokio::test]
async fn the_model_ends_its_answers() {
    let model = LocalModel::open(example("models/tiny")).unwrap();
    let program = Predict::<Sort>::new();
    let rendered = program.render("this gold is for you").unwrap();
    let messages: Vec<Message> = rendered.iter().cloned().collect();
    let mut request = Request::new(messages);
    request.options = Options::new().max_tokens(64);
    let response = dspy::LanguageModel::generate(&model, &request).await.unwrap();
    assert_eq!(response.choices[0].finish, FinishReason::Stop, "{}", response.choices[0].text);
    assert!(response.choices[0].text.contains("[[ ## group ## ]]"), "{}", response.choices[0].text);
}

fn short(text: &str) -> Request {
    let mut request = Request::new(vec![Message::system("Say something."), Message::user(text)]);
    request.options = Options::new().temperature(0.0).max_tokens(12);
    request
}

#[tokio::test]
async fn a_path_is_the_name_of_a_model() {
    let id = format!("local/{}", example("models/tiny").display());
    let (lm, opened) = (LM::new(id.clone()).unwrap(), LocalModel::open(example("models/tiny")).unwrap());
    assert_eq!(lm.id(), id);
    assert_eq!(lm.model().endpoint(), dspy::LanguageModel::endpoint(&opened));
    let ours = lm.generate(short("cat")).await.unwrap().response;
    let theirs = dspy::LanguageModel::generate(&opened, &short("cat")).await.unwrap();
    assert_eq!(ours.choices, theirs.choices);
    assert_eq!((ours.model.as_str(), ours.usage.calls), (id.as_str(), 1));
    let error = LM::builder(id).api_key("k").build().unwrap_err();
    assert!(error.message.contains("in this process"), "{error}");
    let error = LM::new("local/nowhere/at/all").unwrap_err();
    assert_eq!(error.kind, LmErrorKind::Configuration);
    assert!(error.message.contains("nowhere/at/all"), "{error}");
}

#[tokio::test]
async fn what_a_local_model_cannot_do_is_refused() {
    let model = LocalModel::open(example("models/tiny")).unwrap();
    let mut request = short("cat");
    request.options = request.options.extra("reasoning_effort", "low");
    let error = dspy::LanguageModel::generate(&model, &request).await.unwrap_err();
    assert_eq!(error.kind, LmErrorKind::InvalidRequest);
    let error = dspy::LanguageModel::generate(&model, &short(&"long ".repeat(5000))).await.unwrap_err();
    assert_eq!(error.kind, LmErrorKind::ContextWindow);
}

fn sounds() -> Vec<ChatRow> {
    let row = |(animal, sound): (&str, &str)| {
        let messages =
            vec![Message::system("Say something."), Message::user(animal), Message::assistant(sound)];
        ChatRow::new(messages).unwrap()
    };
    [("cat", "meow"), ("dog", "woof"), ("cow", "moo"), ("duck", "quack")].map(row).into()
}

fn quick() -> Training {
    Training::new().epochs(40).batch(4).learning_rate(3e-3)
}

#[tokio::test]
async fn a_tuner_trains_a_task_once() {
    let dir = tempfile::tempdir().unwrap();
    let lm = LM::builder(tiny().id()).temperature(0.0).build().unwrap();
    let tuner = LocalFineTuner::new(dir.path().join("weights")).training(quick());
    let task = || FineTuneTask::new(lm.clone(), sounds()).name("animals").seed(3);
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = steps.clone();
    let job = tuner.start(task()).on_progress(move |p| seen.lock().unwrap().extend(p.step));
    let tuned = job.await.unwrap();
    assert_eq!(steps.lock().unwrap().len(), 41, "forty steps, and the end");
    // How low exactly depends on how the arithmetic is compiled.
    assert!(!tuned.taken_up && tuned.loss.unwrap() < 1.0);
    assert_eq!(tuned.lm.options().temperature, Some(0.0));
    assert_eq!(tuned.lm.generate(short("dog")).await.unwrap().response.choices[0].text, "woof");
    let again = tuner.start(task()).await.unwrap();
    assert!(again.taken_up && again.lm.id() == tuned.lm.id());
    let other = tuner.start(task().seed(4)).await.unwrap();
    assert!(!other.taken_up && other.lm.id() != tuned.lm.id());
}

#[tokio::test]
async fn a_task_that_is_cancelled_goes_on_another_time() {
    let dir = tempfile::tempdir().unwrap();
    let lm = tiny();
    let tuner = LocalFineTuner::new(dir.path().join("weights")).training(quick());
    let task = || FineTuneTask::new(lm.clone(), sounds());
    let job = tuner.start(task());
    let control = job.control();
    let stop = control.clone();
    let error = job
        .on_progress(move |p| {
            if p.step == Some(7) {
                stop.cancel();
            }
        })
        .await
        .unwrap_err();
    assert!(error.to_string().contains("cancelled"), "{error}");
    let first = Arc::new(Mutex::new(None));
    let seen = first.clone();
    tuner
        .start(task())
        .on_progress(move |p| {
            let mut first = seen.lock().unwrap();
            *first = first.or(p.step);
        })
        .await
        .unwrap();
    assert_eq!(*first.lock().unwrap(), Some(8));
    let hosted = LM::builder("openai/m").api_base("http://127.0.0.1:9/v1").build().unwrap();
    let error = tuner.start(FineTuneTask::new(hosted, sounds())).await.unwrap_err();
    assert!(error.to_string().contains("not a model in this process"), "{error}");
}
