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

/// Compiles until Ctrl-C: in a process of its own.
#[tokio::test]
async fn compile_until_ctrl_c_in_a_child() {
    let Ok(task) = std::env::var("DSPY_TEST_CTRL_C") else { return };
    let [api_base, out] = task.split('\n').collect::<Vec<_>>()[..] else { panic!("{task}") };
    let lm = model(api_base.to_owned(), Cache::off());
    let search = COPRO::new().breadth(4).depth(2).concurrency(1).stop_on_ctrl_c();
    let data = (rows(0..30), rows(100..130));
    let compiled =
        with(move |c| c.lm(lm), search.compile(Predict::<Sort>::new(), (&data.0, &data.1), right)).await;
    let compiled = compiled.unwrap();
    compiled.save(Path::new(out).join("program.json")).unwrap();
    compiled.report.save_json(Path::new(out).join("report.json")).unwrap();
}

/// What a compile gives that hears Ctrl-C once it has sent so many requests, and how many were answered. Without answers
/// from then on, Ctrl-C is pressed until it ends.
#[cfg(unix)]
async fn until_ctrl_c(after: usize, answers_go_on: bool) -> (serde_json::Value, usize) {
    use std::time::Duration;

    fn press(child: &Mutex<Option<Child>>) {
        if let Some(child) = &*child.lock().unwrap() {
            let pressed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            assert!(pressed.unwrap().success());
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let child: Arc<Mutex<Option<Child>>> = Arc::default();
    let (asked, pressed) = (Mutex::new(0), child.clone());
    let (server, answered) = scripted::start(move |_| {
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        if *asked == after {
            press(&pressed);
        }
        (*asked > after && !answers_go_on).then_some(Reply::Never)
    })
    .await;
    let task = [&server.api_base(), folder.path().to_str().unwrap()].map(String::from).join("\n");
    let started = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "compile_until_ctrl_c_in_a_child"])
        .env("DSPY_TEST_CTRL_C", task)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    *child.lock().unwrap() = Some(started.unwrap());
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let ended = child.lock().unwrap().as_mut().unwrap().try_wait().unwrap();
        if let Some(status) = ended {
            assert!(status.success(), "the compile did not end well");
            break;
        }
        if !answers_go_on && answered.received() > after {
            press(&child);
        }
    }
    assert!(folder.path().join("program.json").exists());
    let report = std::fs::read(folder.path().join("report.json")).unwrap();
    (serde_json::from_slice(&report).unwrap(), answered.total())
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_ends_a_compile_with_the_best_program_so_far() {
    // The first generation is scored by then, and the second has begun.
    let after = 150;
    for answers_go_on in [true, false] {
        let (report, answered) = until_ctrl_c(after, answers_go_on).await;
        assert_eq!(report["ended_early"], "the user asked for an end");
        assert!(report["val"]["after"].is_number(), "there is no score: {report}");
        assert!(answered < after + 30, "the compile went on for {answered} requests");
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
