//! Training changes what a model answers.

use super::*;
use crate::{Error, Lora, Next, Training};

type Row = [Message<'static>; 3];

fn rows() -> Vec<Row> {
    let pairs = [("cat", "meow"), ("dog", "woof"), ("cow", "moo"), ("duck", "quack")];
    let row = |(animal, sound)| {
        [Message::system("Say something."), Message::user(animal), Message::assistant(sound)]
    };
    pairs.map(row).into()
}

async fn sound(model: &Model, animal: &str) -> String {
    let options = GenerateOptions { max_tokens: Some(12), ..GenerateOptions::default() };
    answer(model, animal, options).await.answers.remove(0).text
}

async fn sounds(model: &Model) -> Vec<String> {
    let mut all = Vec::new();
    for animal in ["cat", "dog", "cow", "duck"] {
        all.push(sound(model, animal).await);
    }
    all
}

fn training() -> Training {
    Training::new().epochs(40).batch(4).learning_rate(1e-2).seed(3)
}

#[tokio::test]
async fn rows_are_learnt() {
    let (dir, before) = llama();
    let out = dir.path().join("tuned");
    let mut losses = Vec::new();
    let trained = training()
        .validate_every(20)
        .run(dir.path(), &rows(), &rows()[..1], &out, |step| {
            losses.push((step.loss, step.validation_loss));
        })
        .unwrap();
    assert_eq!((losses.len(), trained.steps), (40, 40));
    assert!(losses[0].0 > 2.0 && trained.loss < 0.1, "{} to {}", losses[0].0, trained.loss);
    assert!(losses[19].1.is_some() && losses[20].1.is_none());
    assert!(trained.validation_loss.unwrap() < 0.1);
    let after = Model::open(&out).unwrap();
    assert_eq!(sounds(&after).await, ["meow", "woof", "moo", "quack"]);
    assert_ne!(sounds(&before).await, ["meow", "woof", "moo", "quack"]);
    assert_ne!(before.digest(), after.digest());
}

#[tokio::test]
async fn a_part_of_low_rank_is_learnt_and_written_alone() {
    let (dir, _) = llama();
    let out = dir.path().join("adapter");
    training().epochs(60).lora(Lora::rank(8)).run(dir.path(), &rows(), &[], &out, |_| ()).unwrap();
    let size = |path: &std::path::Path| std::fs::metadata(path).unwrap().len();
    assert!(!out.join("model.safetensors").exists());
    assert!(size(&out.join("adapter_model.safetensors")) < size(&dir.path().join("model.safetensors")));
    let tuned = Model::open(&out).unwrap();
    assert_eq!(sounds(&tuned).await, ["meow", "woof", "moo", "quack"]);
    // An adapter that does not fit is refused.
    let other = tempfile::tempdir().unwrap();
    fixture::write(other.path(), "LlamaForCausalLM", &json!({"num_hidden_layers": 1}));
    let config = out.join("adapter_config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let base = std::fs::canonicalize(dir.path()).unwrap();
    std::fs::write(&config, text.replace(base.to_str().unwrap(), other.path().to_str().unwrap())).unwrap();
    let error = Model::open(&out).unwrap_err();
    assert!(error.to_string().contains("no place for"), "{error}");
}

#[test]
fn small_computations_add_up_to_the_same_step() {
    let (dir, _) = llama();
    let run = |tokens: usize, out: &str| {
        let training = training().epochs(3).batch_tokens(tokens);
        let out = dir.path().join(out);
        let trained = training.run(dir.path(), &rows(), &[], &out, |_| ()).unwrap();
        (trained.loss, Model::open(&out).unwrap().logits(&[1, 2, 3]).unwrap())
    };
    let (whole, parts) = (run(10_000, "whole"), run(1, "parts"));
    assert!((whole.0 - parts.0).abs() < 1e-4, "{} and {}", whole.0, parts.0);
    assert_close(&whole.1, &parts.1);
}

#[test]
fn a_training_that_was_stopped_ends_as_if_it_had_not_been() {
    let (dir, _) = llama();
    let training = || training().epochs(6).checkpoint_every(2);
    let straight = dir.path().join("straight");
    training().run(dir.path(), &rows(), &[], &straight, |_| ()).unwrap();
    let resumed = dir.path().join("resumed");
    let killed = std::panic::catch_unwind(|| {
        training().run(dir.path(), &rows(), &[], &resumed, |step| {
            assert!(step.step < 4, "killed");
        })
    });
    assert!(killed.is_err() && !resumed.exists());
    let mut first = None;
    training()
        .run(dir.path(), &rows(), &[], &resumed, |step| {
            first.get_or_insert(step.step);
        })
        .unwrap();
    assert_eq!(first, Some(3), "the checkpoint of step 2 was taken up");
    let weights = |out: &std::path::Path| std::fs::read(out.join("model.safetensors")).unwrap();
    assert!(weights(&straight) == weights(&resumed));
    // Nothing is left beside it.
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("resumed.")), "{left:?}");
}

#[test]
fn rows_that_do_not_fit_are_named() {
    let (dir, _) = llama();
    let text = "x".repeat(600);
    let mut all: Vec<[Message<'_>; 3]> = rows();
    all.push([Message::system(""), Message::user(&text), Message::assistant("y")]);
    let out = dir.path().join("out");
    let run = |t: Training, rows: &[[Message<'_>; 3]]| {
        t.run(dir.path(), rows, &[], &out, |_| ()).unwrap_err().to_string()
    };
    let error = run(training(), &all);
    assert!(error.contains("row 4") && error.contains("512"), "{error}");
    assert!(run(training(), &[]).contains("no row"));
    assert!(run(training().lora(Lora::rank(2).targets(["qkv"])), &rows()).contains("none of the layers qkv"));
    assert!(!out.exists());
}

#[test]
fn a_training_that_the_hook_stops_goes_on_another_time() {
    let (dir, _) = llama();
    let out = dir.path().join("stopped");
    let run = |hook: &mut dyn FnMut(u64) -> Next| {
        training().run(dir.path(), &rows(), &[], &out, |step| hook(step.step))
    };
    let stop = |step| if step == 7 { Next::Stop } else { Next::GoOn };
    let error = run(&mut { stop }).unwrap_err();
    assert_eq!(error, Error::Stopped { step: 7, steps: 40 });
    let mut first = None;
    run(&mut |step| {
        first.get_or_insert(step);
        Next::GoOn
    })
    .unwrap();
    assert_eq!(first, Some(8));
}

#[tokio::test]
async fn every_answer_of_a_conversation_can_be_learnt() {
    let (dir, _) = llama();
    let mut messages = vec![Message::system("Say something.")];
    for (animal, sound) in [("cat", "meow"), ("dog", "woof")] {
        messages.extend([Message::user(animal), Message::assistant(sound)]);
    }
    let row = messages;
    let first = |training: Training, out: &str| {
        let out = dir.path().join(out);
        training.run(dir.path(), std::slice::from_ref(&row), &[], &out, |_| ()).unwrap();
        Model::open(&out).unwrap()
    };
    let training = || training().epochs(40);
    assert_eq!(sound(&first(training().every_answer(), "every"), "cat").await, "meow");
    assert_ne!(sound(&first(training(), "last"), "cat").await, "meow");
}
