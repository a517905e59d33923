//! Training changes what a model answers.

use super::*;
use std::sync::{Arc, Mutex};

use crate::{
    lm::{LM, LanguageModel, Options},
    local::{LocalFineTuner, Lora, Training},
    optimize::finetune::{ChatRow, FineTuneTask, FineTuner},
};

fn rows() -> Vec<ChatRow> {
    let pairs = [("cat", "meow"), ("dog", "woof"), ("cow", "moo"), ("duck", "quack")];
    pairs
        .iter()
        .map(|(animal, sound)| {
            ChatRow::new(vec![
                Message::system("Say something."),
                Message::user(*animal),
                Message::assistant(*sound),
            ])
            .unwrap()
        })
        .collect()
}

async fn sound(model: &LocalModel, animal: &str) -> String {
    let mut request = ask(animal);
    request.options = Options::new().max_tokens(12);
    model.generate(&request).await.unwrap().choices.remove(0).text
}

async fn sounds(model: &LocalModel) -> Vec<String> {
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
    let after = LocalModel::open(&out).unwrap();
    assert_eq!(sounds(&after).await, ["meow", "woof", "moo", "quack"]);
    assert_ne!(sounds(&before).await, ["meow", "woof", "moo", "quack"]);
    assert_ne!(before.endpoint(), after.endpoint());
}

#[tokio::test]
async fn a_part_of_low_rank_is_learnt_and_written_alone() {
    let (dir, _) = llama();
    let out = dir.path().join("adapter");
    training().epochs(60).lora(Lora::rank(8)).run(dir.path(), &rows(), &[], &out, |_| ()).unwrap();
    let size = |path: &std::path::Path| std::fs::metadata(path).unwrap().len();
    assert!(!out.join("model.safetensors").exists());
    assert!(size(&out.join("adapter_model.safetensors")) < size(&dir.path().join("model.safetensors")));
    let tuned = LocalModel::open(&out).unwrap();
    assert_eq!(sounds(&tuned).await, ["meow", "woof", "moo", "quack"]);
    // An adapter that does not fit is refused.
    let other = tempfile::tempdir().unwrap();
    fixture::write(other.path(), "LlamaForCausalLM", &json!({"num_hidden_layers": 1}));
    let config = out.join("adapter_config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let base = std::fs::canonicalize(dir.path()).unwrap();
    std::fs::write(&config, text.replace(base.to_str().unwrap(), other.path().to_str().unwrap())).unwrap();
    let error = LocalModel::open(&out).unwrap_err();
    assert!(error.message.contains("no place for"), "{error}");
}

#[test]
fn small_computations_add_up_to_the_same_step() {
    let (dir, _) = llama();
    let run = |tokens: usize, out: &str| {
        let training = training().epochs(3).batch_tokens(tokens);
        let out = dir.path().join(out);
        let trained = training.run(dir.path(), &rows(), &[], &out, |_| ()).unwrap();
        (trained.loss, LocalModel::open(&out).unwrap().logits(&[1, 2, 3]).unwrap())
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
    let long = ChatRow::new(vec![Message::user("x".repeat(600)), Message::assistant("y")]).unwrap();
    let mut all = rows();
    all.push(long);
    let out = dir.path().join("out");
    let run =
        |t: Training, rows: &[ChatRow]| t.run(dir.path(), rows, &[], &out, |_| ()).unwrap_err().to_string();
    let error = run(training(), &all);
    assert!(error.contains("row 4") && error.contains("512"), "{error}");
    assert!(run(training(), &[]).contains("no row"));
    assert!(run(training().lora(Lora::rank(2).targets(["qkv"])), &rows()).contains("none of the layers qkv"));
    assert!(!out.exists());
}

#[tokio::test]
async fn a_tuner_trains_a_task_once() {
    let (dir, _) = llama();
    let lm = LM::builder(format!("local/{}", dir.path().display())).temperature(0.0).build().unwrap();
    let tuner = LocalFineTuner::new(dir.path().join("weights")).training(training());
    let task = || FineTuneTask::new(lm.clone(), rows()).name("animals").seed(3);
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = steps.clone();
    let job = tuner.start(task()).on_progress(move |p| seen.lock().unwrap().extend(p.step));
    let tuned = job.await.unwrap();
    assert_eq!(steps.lock().unwrap().len(), 41, "forty steps, and the end");
    assert!(!tuned.taken_up && tuned.loss.unwrap() < 0.1);
    assert_eq!(tuned.lm.options().temperature, Some(0.0));
    let mut request = ask("dog");
    request.options = Options::new().max_tokens(12);
    assert_eq!(tuned.lm.generate(request).await.unwrap().response.choices[0].text, "woof");
    let again = tuner.start(task()).await.unwrap();
    assert!(again.taken_up && again.lm.id() == tuned.lm.id());
    let other = tuner.start(task().seed(4)).await.unwrap();
    assert!(!other.taken_up && other.lm.id() != tuned.lm.id());
}

#[tokio::test]
async fn a_task_that_is_cancelled_goes_on_another_time() {
    let (dir, _) = llama();
    let lm = LM::new(format!("local/{}", dir.path().display())).unwrap();
    let tuner = LocalFineTuner::new(dir.path().join("weights")).training(training());
    let task = || FineTuneTask::new(lm.clone(), rows());
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
    let error = tuner.start(FineTuneTask::new(hosted, rows())).await.unwrap_err();
    assert!(error.to_string().contains("not a model in this process"), "{error}");
}

#[tokio::test]
async fn every_answer_of_a_conversation_can_be_learnt() {
    let (dir, _) = llama();
    let mut messages = vec![Message::system("Say something.")];
    for (animal, sound) in [("cat", "meow"), ("dog", "woof")] {
        messages.extend([Message::user(animal), Message::assistant(sound)]);
    }
    let row = ChatRow::new(messages).unwrap();
    let first = |training: Training, out: &str| {
        let out = dir.path().join(out);
        training.run(dir.path(), std::slice::from_ref(&row), &[], &out, |_| ()).unwrap();
        LocalModel::open(&out).unwrap()
    };
    let training = || training().epochs(40);
    assert_eq!(sound(&first(training().every_answer(), "every"), "cat").await, "meow");
    assert_ne!(sound(&first(training(), "last"), "cat").await, "meow");
}
