//! Fine-tuning through the public interface, against a provider that trains as OpenAI does.
#![allow(clippy::unwrap_used, clippy::panic)]

mod lab;

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use dspy::{
    lm::Message,
    optimize::Cancellation,
    optimize::finetune::{ChatRow, FineTuneJob, FineTuneTask, FineTuner, Tuned, TuningStatus, to_jsonl},
    prelude::*,
};
use lab::{Fate, Lab, made_by, sent as json, tuner};
use serde_json::Value;

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
struct Sort {
    #[input]
    message: String,
    #[input]
    gist: String,
    #[output]
    even: bool,
}

/// Whether the number in the message is even.
#[signature]
struct Even {
    #[input]
    message: String,
    #[output]
    even: bool,
}

/// Sums up twice, the second time what came of the first, then sorts.
#[module]
struct TwoSteps {
    sum: Predict<Sum>,
    sort: ChainOfThought<Sort>,
}

impl TwoSteps {
    fn new() -> Self {
        Self { sum: Predict::new(), sort: ChainOfThought::new() }
    }
}

impl Module for TwoSteps {
    type Input = EvenInput;
    type Output = EvenOutput;

    async fn forward(&self, EvenInput { message }: EvenInput) -> Result<EvenOutput> {
        let mut gist = message.clone();
        for _ in 0..2 {
            gist = self.sum.call(SumInput { message: gist }).await?.gist.clone();
        }
        let sorted = self.sort.call(SortInput { message, gist }).await?;
        Ok(EvenOutput { even: sorted.even })
    }
}

fn right(gold: &Even, found: &EvenOutput) -> bool {
    gold.even == found.even
}

fn data(numbers: std::ops::Range<u64>) -> Vec<Even> {
    numbers.map(|n| Even { message: format!("number {n}"), even: n.is_multiple_of(2) }).collect()
}

/// What stands under a header in the last message.
fn asked(body: &Value, field: &str) -> Option<String> {
    let last = body["messages"].as_array()?.last()?["content"].as_str()?.to_owned();
    let rest = last.split(&format!("[[ ## {field} ## ]]\n")).nth(1)?.to_owned();
    Some(rest.split("\n\n").next()?.trim().to_owned())
}

/// Every step of `TwoSteps` and of `Even` done right, but for numbers that end with 7.
fn clever(body: &Value) -> String {
    let message = asked(body, "message").unwrap();
    let number: u64 = message.rsplit(' ').next().unwrap().parse().unwrap();
    let even = number.is_multiple_of(2) != (number % 10 == 7);
    let system = body["messages"][0]["content"].as_str().unwrap();
    let outputs = if system.contains("`gist` (text)") && !system.contains("`reasoning`") {
        format!("[[ ## gist ## ]]\nabout {number}")
    } else if system.contains("`reasoning`") {
        format!("[[ ## reasoning ## ]]\nI divide {number} by 2.\n\n[[ ## even ## ]]\n{even}")
    } else {
        format!("[[ ## even ## ]]\n{even}")
    };
    format!("{outputs}\n\n[[ ## completed ## ]]")
}

fn quiet<T: FineTuner>(tuner: T) -> BootstrapFinetune {
    BootstrapFinetune::new(tuner).progress(false)
}

#[tokio::test]
async fn the_program_asks_the_model_that_was_trained_on_its_steps() {
    let lab = Lab::start(clever).await;
    let (train, base) = (data(0..20), lab.lm("base"));
    dspy::with(|c| c.lm(base.clone()), async {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = seen.clone();
        let optimizer = quiet(tuner().epochs(2).delete_files(true)).name("numbers");
        let optimizer = optimizer.on_progress(move |p| told.lock().unwrap().push(p.clone()));
        let compiled = optimizer.compile(TwoSteps::new(), &train, right).await.unwrap();

        // Numbers that end with 7 were rejected: 7 and 17.
        let rows = lab.rows(0);
        assert_eq!(rows.len(), 18 * 3);
        let job = lab.state().jobs[0].body.clone();
        assert_eq!((&job["model"], &job["suffix"]), (&"base".into(), &"numbers".into()));
        assert_eq!(job["method"]["supervised"]["hyperparameters"], serde_json::json!({"n_epochs": 2}));
        assert_eq!(job.get("validation_file"), None);
        assert_eq!(lab.state().deleted.len(), 1);

        let name = format!("openai/{}", made_by(0, &job));
        for (path, predictor) in compiled.program.predictors() {
            assert_eq!(predictor.lm().unwrap().id(), name, "{path}");
        }
        let notes = compiled.report.notes.join("\n");
        assert!(notes.contains("ran on 20 rows, 18 of them were accepted"), "{notes}");
        assert!(notes.contains("54 rows, 4321 tokens, loss 0.25") && notes.contains("ftjob-0"), "{notes}");

        // What the compiled program sends is what its model was trained on, message by message.
        let before = lab.asked();
        for row in train.iter().filter(|row| !row.message.ends_with('7')) {
            let found = compiled.program.call(row.message.clone()).await.unwrap();
            assert_eq!(found.even, row.even);
        }
        let asked = lab.state().asked.split_off(before);
        assert_eq!(asked.len(), rows.len());
        for body in asked {
            assert_eq!(body["model"], made_by(0, &job));
            let row = rows.iter().find(|row| json(row.prompt()) == body["messages"]).unwrap();
            assert_eq!(row.answer(), clever(&body));
        }

        let seen = seen.lock().unwrap().clone();
        let statuses: BTreeSet<&str> = seen.iter().map(|p| p.status.as_str()).collect();
        assert_eq!(statuses, ["preparing", "queued", "running", "succeeded"].into());
        let steps: Vec<u64> = seen.iter().filter_map(|p| p.step).collect();
        assert!(steps.is_sorted() && steps.last() == Some(&3), "{steps:?}");
        let last = seen.last().unwrap();
        assert_eq!((last.status, last.tokens, last.steps), (TuningStatus::Succeeded, Some(4321), Some(3)));
        assert!(last.to_string().starts_with("numbers: succeeded, step 3 of 3, loss 0.25"), "{last}");

        let file = tempfile::tempdir().unwrap();
        let path = file.path().join("two-steps.json");
        compiled.save(&path).unwrap();
        let saved = std::fs::read_to_string(&path).unwrap();
        assert!(saved.contains(&name) && !saved.contains("sk-of-the-lab"));
        // The same model at the same place is kept, with its key.
        let mut again = TwoSteps::new();
        again.set_lm(compiled.program.predictors()[0].1.lm().unwrap().clone());
        let loaded = again.load(&path).unwrap();
        assert!(loaded.call("number 4".to_owned()).await.unwrap().even);
    })
    .await;
}

#[tokio::test]
async fn each_predictor_can_have_a_model_of_its_own() {
    let lab = Lab::start(clever).await;
    let base = lab.lm("base");
    let compiled = dspy::with(|c| c.lm(base), async {
        quiet(tuner()).multitask(false).compile(TwoSteps::new(), &data(0..12), right).await.unwrap()
    })
    .await;
    // The loop gives two rows a run to one, one to the other.
    let jobs: Vec<Value> = lab.state().jobs.iter().map(|job| job.body.clone()).collect();
    let suffixes: Vec<&str> = jobs.iter().map(|job| job["suffix"].as_str().unwrap()).collect();
    assert_eq!(suffixes.iter().collect::<BTreeSet<_>>(), [&"dspy-sort-predict", &"dspy-sum"].into());
    let predictors = compiled.program.predictors();
    for (path, field, count) in [("sum", "gist", 22), ("sort.predict", "even", 11)] {
        let suffix = format!("dspy-{}", path.replace('.', "-"));
        let job = suffixes.iter().position(|s| *s == suffix).unwrap();
        let rows = lab.rows(job);
        assert_eq!(rows.len(), count);
        assert!(rows.iter().all(|row| row.answer().contains(&format!("[[ ## {field} ## ]]"))));
        let (_, predictor) = predictors.iter().find(|(p, _)| p == path).unwrap();
        assert_eq!(predictor.lm().unwrap().id(), format!("openai/{}", made_by(job, &jobs[job])));
    }
}

#[tokio::test]
async fn equal_seeds_give_equal_files_whatever_the_order_of_answers() {
    let mut files = Vec::new();
    for (seed, concurrency) in [(1, 1), (1, 16), (2, 16)] {
        let lab = Lab::start(clever).await;
        let (base, train) = (lab.lm("base"), data(0..30));
        let optimizer = quiet(tuner()).seed(seed).concurrency(concurrency).samples(2);
        let compiled = dspy::with(|c| c.lm(base), optimizer.compile(TwoSteps::new(), &train, right)).await;
        let note = compiled.unwrap().report.notes.swap_remove(0);
        assert_eq!(note, "the teacher ran 2 times on 30 rows, 54 runs of 60 were accepted");
        files.push(lab.trained(0));
    }
    assert_eq!(files[0], files[1]);
    assert_ne!(files[1], files[2]);
    // The second sample said the same, which is kept once.
    assert_eq!(lab::rows(&files[0]).len(), 27 * 3);
}

#[tokio::test]
async fn validation_rows_are_run_and_sent_apart() {
    let lab = Lab::start(clever).await;
    let (base, train, val) = (lab.lm("base"), data(0..12), data(100..114));
    let optimizer = quiet(tuner());
    let compiled =
        dspy::with(|c| c.lm(base), optimizer.compile(Predict::<Even>::new(), (&train, &val), right)).await;
    let spent = compiled.unwrap().report.spent.calls;
    let planned = |plan: dspy::optimize::Plan| plan.calls().at_most as u64;
    assert_eq!(planned(optimizer.plan(&Predict::<Even>::new(), (&train, &val)).unwrap()), spent);
    assert_eq!(planned(optimizer.plan(&Predict::<Even>::new(), &train).unwrap()), 12);
    let labels = quiet(tuner()).from_labels(true);
    assert_eq!(planned(labels.plan(&Predict::<Even>::new(), &train).unwrap()), 0);
    let numbers = |file: &[u8]| -> BTreeSet<u64> {
        let number = |row: ChatRow| {
            let text = row.prompt().last().unwrap().content.text().to_owned();
            text.split("number ").nth(1).unwrap().split('\n').next().unwrap().parse().unwrap()
        };
        lab::rows(file).into_iter().map(number).collect()
    };
    assert_eq!(numbers(&lab.trained(0)), (0..12).filter(|n| *n != 7).collect());
    let tests = lab.file(0, "validation_file").unwrap();
    assert_eq!(numbers(&tests), (100..114).filter(|n| *n != 107).collect());
}

#[tokio::test]
async fn a_flaky_provider_is_asked_again() {
    let lab = Lab::start(clever).await;
    lab.state().ill =
        vec![("files", 500), ("fine_tuning/jobs", 429), ("fine_tuning/jobs/ftjob-0", 503), ("events", 500)];
    let base = lab.lm("base");
    let optimizer = quiet(tuner());
    dspy::with(|c| c.lm(base), optimizer.compile(Predict::<Even>::new(), &data(0..20), right)).await.unwrap();
    assert!(lab.state().ill.is_empty());
    assert_eq!((lab.jobs(), lab.count("POST files")), (1, 2));
}

#[tokio::test]
async fn a_job_whose_creation_was_not_answered_is_not_paid_twice() {
    let lab = Lab::start(clever).await;
    lab.state().lose_creation = true;
    let base = lab.lm("base");
    let optimizer = quiet(tuner());
    dspy::with(|c| c.lm(base), optimizer.compile(Predict::<Even>::new(), &data(0..20), right)).await.unwrap();
    assert_eq!(lab.jobs(), 1);
}

#[tokio::test]
async fn a_compile_that_was_stopped_takes_up_its_job() {
    let lab = Lab::start(clever).await;
    lab.state().fate = Fate::NeverEnds;
    let (base, train) = (lab.lm("base"), data(0..20));
    dspy::with(|c| c.lm(base.clone()), async {
        let running = Arc::new(tokio::sync::Notify::new());
        let told = running.clone();
        let optimizer = quiet(tuner()).on_progress(move |p| {
            if p.status == TuningStatus::Running {
                told.notify_one();
            }
        });
        let compile = optimizer.compile(Predict::<Even>::new(), &train, right);
        tokio::select! {
            _ = compile => panic!("it never ends"),
            () = running.notified() => {}
        }
        assert!(!lab.state().jobs[0].cancelled);
        lab.state().fate = Fate::Succeeds;

        // Other jobs of the same provider are passed over.
        let other = quiet(tuner().epochs(9)).compile(Predict::<Even>::new(), &train, right).await.unwrap();
        assert_eq!(lab.jobs(), 2);
        let uploads = lab.count("POST files");

        for _ in 0..2 {
            let compiled = quiet(tuner()).compile(Predict::<Even>::new(), &train, right).await.unwrap();
            assert_ne!(
                compiled.program.predictor().lm().unwrap().id(),
                other.program.predictor().lm().unwrap().id()
            );
            let notes = compiled.report.notes.join("\n");
            assert!(notes.contains("ftjob-0; an earlier run had begun it"), "{notes}");
        }
        assert_eq!((lab.jobs(), lab.count("POST files")), (2, uploads));

        // A model that was deleted is trained anew, and so is one that is asked for anew.
        let name = made_by(0, &lab.state().jobs[0].body);
        lab.state().gone.insert(name);
        quiet(tuner()).compile(Predict::<Even>::new(), &train, right).await.unwrap();
        assert_eq!(lab.jobs(), 3);
        quiet(tuner().take_up(false)).compile(Predict::<Even>::new(), &train, right).await.unwrap();
        assert_eq!(lab.jobs(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_compile_that_is_cancelled_cancels_its_job() {
    let lab = Lab::start(clever).await;
    lab.state().fate = Fate::NeverEnds;
    let (base, train) = (lab.lm("base"), data(0..20));
    let stop = Cancellation::new();
    let (told, statuses) = (stop.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = statuses.clone();
    let optimizer = quiet(tuner()).cancelled_by(&stop).on_progress(move |p| {
        seen.lock().unwrap().push(p.status);
        if p.step == Some(2) {
            told.cancel();
        }
    });
    let compile = optimizer.compile(Predict::<Even>::new(), &train, right);
    let error = dspy::with(|c| c.lm(base.clone()), compile).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), ("task", "the fine-tuning `dspy` was cancelled".into()));
    assert!(lab.state().jobs[0].cancelled);
    assert_eq!(statuses.lock().unwrap().last(), Some(&TuningStatus::Cancelled));

    // A job that was cancelled is not taken up.
    lab.state().fate = Fate::Succeeds;
    let optimizer = quiet(tuner());
    dspy::with(|c| c.lm(base.clone()), optimizer.compile(Predict::<Even>::new(), &train, right))
        .await
        .unwrap();
    assert_eq!(lab.jobs(), 2);
    let refused = tuner().cancel_job(&base, "ftjob-1").await.unwrap_err().to_string();
    assert!(refused.contains("cancelling the job ftjob-1: the job has ended"), "{refused}");
}

#[tokio::test]
async fn a_job_that_fails_says_why() {
    let lab = Lab::start(clever).await;
    lab.state().fate = Fate::Fails;
    let base = lab.lm("base");
    let compile = quiet(tuner());
    let error =
        dspy::with(|c| c.lm(base), compile.compile(Predict::<Even>::new(), &data(0..20), right)).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "openai/base: invalid_request: the fine-tuning job ftjob-0 failed: the rows are bad (code \
         invalid_training_file, param training_file)"
    );
}

#[tokio::test]
async fn too_few_rows_and_models_that_cannot_be_trained_are_told_before_anything_is_paid() {
    let lab = Lab::start(clever).await;
    let base = lab.lm("base");
    let (few, optimizer) = (data(0..9), quiet(tuner()));
    let few = optimizer.compile(Predict::<Even>::new(), &few, right);
    let error = dspy::with(|c| c.lm(base.clone()), few).await.unwrap_err().to_string();
    assert!(error.starts_with("there are 8 rows to train `self` on, but the tuner needs 10:"), "{error}");
    assert!(error.contains("`from_labels`") && error.contains("ran on 9 rows, 8 of them"), "{error}");
    assert_eq!(lab.count("POST files"), 0);

    let own = LM::builder("ollama/llama3").build().unwrap();
    let train = data(0..20);
    let elsewhere = quiet(tuner()).base(own).from_labels(true);
    let error = elsewhere.compile(Predict::<Even>::new(), &train, right).await.unwrap_err().to_string();
    assert!(error.contains("ollama/llama3") && error.contains("begins with `openai/`"), "{error}");
    let error = quiet(tuner()).compile(Predict::<Even>::new(), &train, right).await.unwrap_err();
    assert!(error.to_string().contains("`.base(lm)`"), "{error}");
}

#[tokio::test]
async fn a_teacher_that_guesses_is_called_out() {
    let lab = Lab::start(|_| "[[ ## even ## ]]\ntrue\n\n[[ ## completed ## ]]".into()).await;
    let (base, train) = (lab.lm("base"), data(0..40));
    let note = |compiled: Compiled<Predict<Even>>| compiled.report.notes[1].clone();
    let optimizer = quiet(tuner());
    let compile = optimizer.compile(Predict::<Even>::new(), &train, right);
    let said = note(dspy::with(|c| c.lm(base.clone()), compile).await.unwrap());
    let begin =
        "warning: `even` of `self` is true in 100 % of 20 rows (50 % of the data); never learnt: false";
    assert!(said.starts_with(begin), "{said}");

    // On the rows' own outputs nobody is asked, and both answers are learnt.
    let before = lab.asked();
    let optimizer = quiet(tuner()).from_labels(true);
    let compile = optimizer.compile(Predict::<Even>::new(), &train, right);
    let compiled = dspy::with(|c| c.lm(base), compile).await.unwrap();
    assert_eq!(compiled.report.notes[0], "`even` of `self` is false in 50 % of 40 rows (50 % of the data)");
    assert_eq!((lab.asked(), lab.rows(1).len()), (before, 40));
}

#[tokio::test]
async fn several_samples_are_drawn_at_a_temperature() {
    let lab = Lab::start(|body| match body["temperature"].as_f64() {
        Some(t) => format!(
            "[[ ## gist ## ]]\nwarm {t} {}\n\n[[ ## completed ## ]]",
            body["messages"].to_string().len()
        ),
        None => "[[ ## gist ## ]]\ncold\n\n[[ ## completed ## ]]".into(),
    })
    .await;
    let train: Vec<Sum> = (0..10).map(|n| Sum { message: format!("n {n}"), gist: String::new() }).collect();
    let any = |_: &Sum, _: &SumOutput| true;
    for (temperature, requests, answers) in
        [(None, 30, vec!["cold", "warm 1"]), (Some(0.7), 30, vec!["warm 0.7"])]
    {
        // A cache of its own each time, so that all are counted.
        let (base, before) = (lab.lm("base"), lab.asked());
        let mut optimizer = quiet(tuner()).samples(3).max_labeled_demos(0);
        if let Some(t) = temperature {
            optimizer = optimizer.temperature(t);
        }
        dspy::with(|c| c.lm(base), optimizer.compile(Predict::<Sum>::new(), &train, any)).await.unwrap();
        assert_eq!(lab.asked() - before, requests);
        let rows = lab.rows(lab.jobs() - 1);
        // The two warm answers are equal here, and kept once.
        assert_eq!(rows.len(), 10 * answers.len());
        for answer in answers {
            assert_eq!(rows.iter().filter(|row| row.answer().contains(answer)).count(), 10);
        }
    }
}

#[tokio::test]
async fn demonstrations_are_given_but_not_learnt_or_left_out() {
    let lab = Lab::start(clever).await;
    let (base, train) = (lab.lm("base"), data(0..20));
    // One of them is a row of the data, which must not see its own answer.
    let program = || Predict::<Even>::new().demos(data(3..4).into_iter().chain(data(90..91)));
    dspy::with(|c| c.lm(base), async {
        let kept = quiet(tuner()).compile(program(), &train, right).await.unwrap();
        assert_eq!(kept.program.predictor().demos().len(), 2);
        let messages: Vec<usize> = lab.rows(0).iter().map(|row| row.messages.len()).collect();
        assert_eq!(messages.iter().filter(|n| **n == 7).count(), 17);
        assert_eq!(messages.iter().filter(|n| **n == 5).count(), 1);

        let without = quiet(tuner()).exclude_demos(true).compile(program(), &train, right).await.unwrap();
        assert!(without.program.predictor().demos().is_empty());
        assert!(lab.rows(1).iter().all(|row| row.messages.len() == 3));
    })
    .await;
}

#[tokio::test]
async fn rows_of_programs_that_labels_do_not_fit_are_refused() {
    let lab = Lab::start(clever).await;
    let (base, train) = (lab.lm("base"), data(0..20));
    dspy::with(|c| c.lm(base), async {
        let optimizer = quiet(tuner()).from_labels(true);
        let error = optimizer.compile(TwoSteps::new(), &train, right).await.unwrap_err().to_string();
        assert!(error.contains("2 predictors (sum, sort.predict)"), "{error}");
        let thinks = ChainOfThought::<Even>::new();
        let error = optimizer.compile(thinks, &train, right).await.unwrap_err().to_string();
        assert!(error.contains("the output `reasoning` is missing"), "{error}");
    })
    .await;
    assert_eq!(lab.state().requests.len(), 0);
}

/// Trains in a thread of this process, as far as it trains.
#[derive(Debug, Clone, Default)]
struct InThread {
    stopped: Arc<AtomicBool>,
    begun: Arc<AtomicUsize>,
    endless: bool,
}

impl FineTuner for InThread {
    fn start(&self, task: FineTuneTask) -> FineTuneJob {
        let tuner = self.clone();
        FineTuneJob::new(task.name.clone(), |control| async move {
            let work = tokio::task::spawn_blocking(move || {
                tuner.begun.fetch_add(1, Ordering::SeqCst);
                let rows = task.rows.len() as u64;
                for step in 1.. {
                    if control.is_cancelled() {
                        tuner.stopped.store(true, Ordering::SeqCst);
                        return Err(control.cancelled_error());
                    }
                    control.report(|p| {
                        (p.status, p.step, p.steps) = (TuningStatus::Running, Some(step), Some(rows));
                        p.loss = Some(1.0 / step as f64);
                    });
                    if step >= rows && !tuner.endless {
                        break;
                    }
                    std::thread::yield_now();
                }
                let mut tuned = Tuned::new(task.base.clone(), &task);
                tuned.weights = Some("weights".into());
                Ok(tuned)
            });
            work.await.map_err(|e| Error::Task(e.to_string()))?
        })
    }
}

#[tokio::test]
async fn a_tuner_of_ones_own_is_enough() {
    let lab = Lab::start(clever).await;
    let (base, train) = (lab.lm("base"), data(0..3));
    let tuner: Arc<dyn FineTuner> = Arc::new(InThread::default());
    let optimizer = quiet(tuner).from_labels(true).base(base.clone());
    let compiled = optimizer.compile(Predict::<Even>::new(), &train, right).await.unwrap();
    let notes = compiled.report.notes.join("\n");
    assert!(
        notes.contains("openai/base was tuned from openai/base on 3 rows, weights in weights"),
        "{notes}"
    );

    // Nobody waits any more: the thread stops.
    let endless = InThread { endless: true, ..InThread::default() };
    let rows: Vec<ChatRow> = vec![ChatRow::new(vec![Message::user("a"), Message::assistant("b")]).unwrap()];
    let job = endless.start(FineTuneTask::new(base.clone(), rows.clone()));
    let mut progress = job.control().watch();
    tokio::select! {
        _ = job => panic!("it never ends"),
        _ = progress.wait_for(|p| p.step > Some(3)) => {}
    }
    while !endless.stopped.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    // Cancelled, it ends with an error.
    let job = endless.start(FineTuneTask::new(base.clone(), rows.clone()).name("mine"));
    job.cancel();
    assert_eq!(job.await.unwrap_err().to_string(), "the fine-tuning `mine` was cancelled");

    let task = FineTuneTask::new(base, rows);
    let fingerprint = task.fingerprint(&Value::Null);
    assert_eq!((fingerprint.len(), &fingerprint), (64, &task.fingerprint(&Value::Null)));
    assert_ne!(fingerprint, task.clone().seed(1).fingerprint(&Value::Null));
    assert_ne!(fingerprint, task.fingerprint(&Value::Bool(true)));
    assert_eq!(to_jsonl(&*task.rows), b"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"}]}\n");
}
