//! A compile that is killed at any moment goes on from there: no answered request is sent again, and the program is the
//! same, byte for byte.
#![allow(clippy::unwrap_used, clippy::panic)]

mod scripted;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use dspy::{data::Rng, lm::Cache, prelude::*};
use scripted::{Sort, model, right, rows, server::Reply};

/// The compiles of which there are different ones.
const OPTIMIZERS: [&str; 3] = ["copro", "inferrules", "rounds"];
/// How often a compile is killed.
const KILLS: usize = 20;

/// Compiles and saves the program: in a process of its own, which the other tests start and kill.
#[tokio::test]
async fn compile_in_a_child() {
    let Ok(task) = std::env::var("DSPY_TEST_COMPILE") else { return };
    let [optimizer, api_base, cache, out] = task.split('\n').collect::<Vec<_>>()[..] else {
        panic!("{task}")
    };
    let concurrency: usize = std::env::var("DSPY_TEST_CONCURRENCY").unwrap().parse().unwrap();
    let (train, val) = (rows(0..30), rows(100..130));
    let program = Predict::<Sort>::new();
    let lm = model(api_base.to_owned(), Cache::disk(cache));
    with(move |c| c.lm(lm), async {
        macro_rules! compile {
            ($optimizer:expr, $data:expr) => {
                $optimizer.concurrency(concurrency).seed(3).compile(program, $data, right).await.unwrap()
            };
        }
        let compiled = match optimizer {
            "copro" => compile!(COPRO::new().breadth(4).depth(2), (&train, &val)),
            "inferrules" => compile!(InferRules::new().num_candidates(4), (&train, &val)),
            "rounds" => {
                let search = BootstrapFewShotWithRandomSearch::new().num_candidates(3).max_rounds(4);
                compile!(search, (&train, &val))
            }
            other => panic!("{other}"),
        };
        compiled.save(out).unwrap();
    })
    .await;
}

/// What the server does to the client.
#[derive(Default)]
struct Killer {
    child: Option<Child>,
    /// How many more requests it lets pass; for ever without a number.
    patience: Option<usize>,
    /// Whether it kills before or after it has answered.
    after_answer: bool,
}

impl Killer {
    /// Whether the request is to go unanswered, because the client is no more.
    fn hears(&mut self) -> bool {
        let Some(patience) = &mut self.patience else { return false };
        if *patience > 0 {
            *patience -= 1;
            return false;
        }
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
        }
        !self.after_answer
    }
}

/// Starts the compile; the test goes on when it has ended or is killed. True when it ended well.
async fn run(killer: &Arc<Mutex<Killer>>, task: &str, concurrency: usize) -> bool {
    {
        let mut killer = killer.lock().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "compile_in_a_child"])
            .env("DSPY_TEST_COMPILE", task)
            .env("DSPY_TEST_CONCURRENCY", concurrency.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        killer.child = Some(child.unwrap());
    }
    loop {
        let ended = killer.lock().unwrap().child.as_mut().unwrap().try_wait().unwrap();
        if let Some(status) = ended {
            return status.success();
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// The file of the program, and how many requests were answered more than once, when the compile is killed so often.
async fn compiled(
    folder: &Path,
    optimizer: &str,
    concurrency: usize,
    kills: usize,
    after_answer: bool,
) -> (Vec<u8>, usize) {
    let killer = Arc::new(Mutex::new(Killer { after_answer, ..Killer::default() }));
    let hearing = killer.clone();
    let (server, answered) =
        scripted::start(move |_| hearing.lock().unwrap().hears().then_some(Reply::Reset)).await;
    let folder = folder.join(format!("{optimizer}-{concurrency}-{kills}-{after_answer}"));
    let (cache, out): (PathBuf, PathBuf) = (folder.join("cache"), folder.join("program.json"));
    std::fs::create_dir_all(&folder).unwrap();
    let task = [optimizer, &server.api_base(), cache.to_str().unwrap(), out.to_str().unwrap()].join("\n");

    let mut rng = Rng::new(5).fork(optimizer);
    for killed in 0..kills {
        killer.lock().unwrap().patience = Some(rng.below(9));
        if run(&killer, &task, concurrency).await {
            panic!("the compile ended before it was killed {kills} times, but {killed} times");
        }
        assert!(!out.exists(), "a program was saved before the end");
    }
    killer.lock().unwrap().patience = None;
    assert!(run(&killer, &task, concurrency).await, "the compile did not end well");
    (std::fs::read(&out).unwrap(), answered.total() - answered.different())
}

// The server address is part of a cache key and changes from test to test, so programs are compared, not caches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_twenty_moments_nothing_is_asked_twice_and_the_program_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for optimizer in OPTIMIZERS {
        let (undisturbed, again) = compiled(folder.path(), optimizer, 1, 0, false).await;
        assert_eq!(again, 0);
        let (disturbed, again) = compiled(folder.path(), optimizer, 1, KILLS, false).await;
        assert_eq!(again, 0, "{optimizer}: answered requests were sent again");
        assert!(undisturbed == disturbed, "{optimizer}: the programs differ");
    }
}

/// With many requests in flight, those whose answers are on the way when the process ends may come again, and no others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_many_requests_in_flight_only_those_come_again_whose_answers_were_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let (at_once, kills) = (6, 8);
    let (_, again) = compiled(folder.path(), "rounds", at_once, kills, true).await;
    assert!(again <= at_once * kills, "{again} answered requests were sent again");
    // However many run at a time, the program is that of one after the other.
    let (one, _) = compiled(folder.path(), "rounds", 1, 0, false).await;
    let (many, again) = compiled(folder.path(), "rounds", 16, 0, false).await;
    assert!(one == many && again == 0);
}
