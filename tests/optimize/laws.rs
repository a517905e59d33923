//! What every optimizer keeps to, on a model that answers by a script: whatever the seed, the budget, the units of the
//! metric, and the moment at which it is killed.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use dspy::{
    evaluate::Score,
    lm::{Budget, Cache, Request, StubModel},
    optimize::{BetterTogether, Event, Report},
    prelude::*,
};
use proptest::{
    prelude::{any, proptest},
    test_runner::Config,
};
use serde_json::json;
use tokio::sync::Notify;

use crate::two_steps::{Sort, SortOutput, TwoSteps, draw, label_of, rows, student};

/// Every field that may be asked for. Rows come out right by luck, more often with demonstrations and with rules in the
/// instruction. What is proposed depends on the draw alone, so that it is the same whatever scores a prompt shows.
fn answer(request: &Request, copies: bool) -> String {
    let texts: Vec<String> = request.prompt.messages().map(|m| m.content.text().to_owned()).collect();
    let last = texts.last().unwrap();
    let number = last
        .split("number ")
        .nth(1)
        .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse::<usize>().ok());
    let number = number.unwrap_or(0);
    let known = 20 + 4 * (texts.len() / 2).min(6) + 6 * texts[0].matches("Rule ").count().min(6);
    let right = draw(&(number, request.rollout.min(1))) % 100 < known;
    let rule = |i: u64| format!("Rule {}.", draw(&(request.rollout, i)) % 9);
    let text = match copies {
        false => format!("Sort it. {} {}", rule(0), rule(1)),
        true => format!("Sort it. {} For example, the message with number 1 is green.", rule(0)),
    };
    json!({
        "gist": "a gist",
        "label": if right { label_of(number) } else { "none".to_owned() },
        "reasoning": "so",
        "better_instruction": text,
        "rules": text,
        "discussion": "so",
        "module_advice": { "sort": text },
        "observations": "They are messages.",
        "program_description": "It sorts.",
        "module_description": "It sorts.",
        "proposed_instruction": text,
        "revised_instruction": text,
    })
    .to_string()
}

/// The units of a metric.
#[derive(Debug, Clone, Copy)]
struct Scale {
    wrong: f64,
    right: f64,
}

const PLAIN: Scale = Scale { wrong: 0.0, right: 1.0 };

/// How a compile is run.
#[derive(Clone)]
struct Setup {
    student: TwoSteps,
    seed: u64,
    calls: Option<u64>,
    scale: Scale,
    concurrency: usize,
    copies: bool,
    held_out: bool,
    cache: Cache,
    /// After how many requests the compile is killed.
    killed_after: Option<usize>,
    /// How many requests the model has answered, those before a kill among them.
    asked: Arc<AtomicUsize>,
}

impl Setup {
    fn new(seed: u64) -> Self {
        Self {
            student: TwoSteps::default(),
            seed,
            calls: None,
            scale: PLAIN,
            concurrency: 8,
            copies: false,
            held_out: false,
            cache: Cache::memory(100_000),
            killed_after: None,
            asked: Arc::default(),
        }
    }
}

struct Found {
    program: String,
    report: Report,
}

impl Found {
    fn chosen(&self) -> &dspy::optimize::CandidateReport {
        &self.report.candidates[self.report.chosen.index()]
    }

    /// The highest score of those that were run on all validation rows.
    fn best(&self) -> Option<f64> {
        self.report.candidates.iter().filter(|c| c.complete).filter_map(|c| c.score).reduce(f64::max)
    }
}

/// Those that make demonstrations and judge nothing.
const BLIND: [&str; 3] = ["labels", "bootstrap", "nearest"];
/// Those that judge candidates.
const SEARCHES: [&str; 9] = [
    "random search",
    "copro",
    "inferrules",
    "simba",
    "mipro",
    "mipro zero-shot",
    "gepa",
    "together",
    "portfolio",
];

/// The compile of the optimizer of this name; `None` when it was killed.
fn compile(name: &str, setup: &Setup) -> Option<Found> {
    try_compile(name, setup).map(Result::unwrap)
}

fn try_compile(name: &str, setup: &Setup) -> Option<Result<Found>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let kill = Arc::new(Notify::new());
        let (signal, setup_of_model) = (kill.clone(), setup.clone());
        let model = StubModel::from_fn(move |request: &Request| {
            let n = setup_of_model.asked.fetch_add(1, Ordering::SeqCst) + 1;
            if setup_of_model.killed_after.is_some_and(|most| n >= most) {
                signal.notify_one();
            }
            answer(request, setup_of_model.copies)
        });
        let lm = model.builder().cache(setup.cache.clone()).retries(0).build().unwrap();
        tokio::select! {
            biased;
            () = kill.notified(), if setup.killed_after.is_some() => None,
            found = dspy::with(|c| c.lm(lm), search(name, setup)) => Some(found),
        }
    })
}

async fn search(name: &str, setup: &Setup) -> Result<Found> {
    let (train, val, test) = (rows(0..24), rows(100..140), rows(200..210));
    let scale = setup.scale;
    let metric = move |gold: &Sort, found: &SortOutput| {
        let right = gold.label == found.label;
        Score::new(if right { scale.right } else { scale.wrong }).feedback("It goes by the number.")
    };
    let mut data = dspy::optimize::Split::from((&train, &val));
    if setup.held_out {
        data = data.test(&test);
    }
    let budget = setup.calls.map_or_else(Budget::unlimited, Budget::calls);
    // What is accepted as a demonstration stands in the units of the metric.
    let good = f64::midpoint(scale.wrong, scale.right);
    macro_rules! run {
        ($optimizer:expr) => {{
            let optimizer = $optimizer.seed(setup.seed).budget(budget).concurrency(setup.concurrency);
            let compiled = optimizer.progress(false).compile(setup.student.clone(), data, metric).await?;
            Ok(Found { program: compiled.program.to_json()?.to_string(), report: compiled.report })
        }};
    }
    let few_shot = BootstrapFewShot::new().max_labeled_demos(4).metric_threshold(good);
    match name {
        "labels" => run!(LabeledFewShot::new().k(4)),
        "bootstrap" => run!(few_shot),
        "nearest" => run!(KNNFewShot::new(4).bootstrap(true).metric_threshold(good)),
        "random search" => {
            run!(BootstrapFewShotWithRandomSearch::new().num_candidates(3).metric_threshold(good))
        }
        "copro" => run!(COPRO::new().breadth(3).depth(2)),
        "inferrules" => run!(InferRules::new().num_candidates(3).metric_threshold(good)),
        "simba" => run!(SIMBA::new().batch_size(10).max_steps(2).num_candidates(2)),
        "mipro" => run!(MIPROv2::new(4, 6).metric_threshold(good)),
        "mipro zero-shot" => run!(MIPROv2::new(4, 6).zero_shot().metric_threshold(good)),
        "gepa" => run!(GEPA::new().max_metric_calls(200).perfect_score(scale.right)),
        "together" => run!(BetterTogether::of(few_shot, COPRO::new().breadth(3).depth(1))),
        "portfolio" => run!(Portfolio::new()),
        other => panic!("there is no optimizer `{other}`"),
    }
}

proptest! {
    #![proptest_config(Config { cases: 1, max_shrink_iters: 0, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_program_is_the_best_that_was_confirmed(seed in any::<u64>()) {
        for name in SEARCHES {
            let found = compile(name, &Setup::new(seed)).unwrap();
            assert!(found.chosen().complete, "{name}: {}", found.report);
            assert_eq!(found.chosen().score, found.best(), "{name}: {}", found.report);
            assert!(found.report.val.after >= found.report.val.before, "{name}: {}", found.report);
        }
    }

    #[test]
    fn a_budget_is_not_exceeded(seed in any::<u64>(), share in 0.0..1.2_f64) {
        for name in SEARCHES.into_iter().chain(BLIND) {
            let setup = Setup { held_out: true, ..Setup::new(seed) };
            compile(name, &setup).unwrap();
            let calls = (setup.asked.load(Ordering::SeqCst) as f64 * share) as u64;
            let setup = Setup { calls: Some(calls), held_out: true, ..Setup::new(seed) };
            let found = compile(name, &setup).unwrap();
            assert!(setup.asked.load(Ordering::SeqCst) as u64 <= calls, "{name}");
            assert!(found.report.spent.calls <= calls, "{name}: {}", found.report);
            // What leads a search that was cut short was perhaps not run on all rows; what was, decides otherwise.
            if found.chosen().complete && !BLIND.contains(&name) {
                assert_eq!(found.chosen().score, found.best(), "{name}: {}", found.report);
            }
        }
    }

    #[test]
    fn a_killed_compile_goes_on_to_the_same_program(seed in any::<u64>(), share in 0.02..0.98_f64) {
        for name in SEARCHES.into_iter().chain(BLIND).filter(|name| *name != "labels") {
            let whole = Setup::new(seed);
            let undisturbed = compile(name, &whole).unwrap();
            let all = whole.asked.load(Ordering::SeqCst);
            let killed = Setup { killed_after: Some((all as f64 * share) as usize + 1), ..Setup::new(seed) };
            if compile(name, &killed).is_some() {
                continue;
            }
            let again = Setup { killed_after: None, concurrency: 3, ..killed.clone() };
            let resumed = compile(name, &again).unwrap();
            assert_eq!(resumed.program, undisturbed.program, "{name}");
            // Only what was in flight when it was killed is asked for a second time.
            let in_flight = killed.concurrency;
            assert!(again.asked.load(Ordering::SeqCst) <= all + in_flight, "{name}");
        }
    }

    #[test]
    fn a_constant_metric_gives_the_student(seed in any::<u64>(), score in -2.0..2.0_f64) {
        for name in SEARCHES {
            let setup = Setup { scale: Scale { wrong: score, right: score }, ..Setup::new(seed) };
            let found = compile(name, &setup).unwrap();
            assert_eq!(found.program, student(), "{name}: {}", found.report);
        }
    }

    #[test]
    fn the_units_of_the_metric_change_nothing(seed in any::<u64>(), power in 1_i32..6, low in -64_i32..64) {
        let factor = 2_f64.powi(power);
        let low = f64::from(low);
        for name in SEARCHES.into_iter().chain(BLIND) {
            let plain = compile(name, &Setup::new(seed)).unwrap();
            // A portfolio learns what is good from the rows it looks at. Where the student is wrong on all of them, it
            // takes a score above 0 for good.
            let unknown = |note: &String| note.starts_with("look: the student scores 0.000");
            if plain.report.notes.iter().any(unknown) {
                continue;
            }
            // Scores of no sign but one, and anywhere.
            for (wrong, right) in [(-factor, 0.0), (low, low + factor)] {
                let scale = Scale { wrong, right };
                let scaled = compile(name, &Setup { scale, ..Setup::new(seed) }).unwrap();
                assert_eq!(
                    scaled.program, plain.program,
                    "{name} {scale:?}: {}\n{}", plain.report, scaled.report
                );
                let near = |(a, b): (f64, f64)| (a - (wrong + b * factor)).abs() < 1e-9;
                assert!(scaled.best().zip(plain.best()).is_none_or(near), "{name} {:?}", scaled.best());
            }
        }
    }

    #[test]
    fn a_metric_that_gives_no_number_is_refused(seed in any::<u64>(), which in 0_usize..3) {
        let score = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][which];
        for name in SEARCHES {
            let setup = Setup { scale: Scale { wrong: score, right: score }, ..Setup::new(seed) };
            let error = try_compile(name, &setup).unwrap().err().unwrap();
            assert!(error.kind() == "limit" && error.to_string().contains("a finite number"), "{name}: {error}");
        }
    }
}

#[test]
fn the_student_is_not_changed() {
    for name in SEARCHES.into_iter().chain(BLIND) {
        let mut student = TwoSteps::default();
        student.sum.predictor_mut().set_instructions("Say it.");
        let before = student.to_json().unwrap().to_string();
        // What is compiled shares what it can with the student.
        let setup = Setup { student, ..Setup::new(1) };
        let found = compile(name, &setup).unwrap();
        assert_eq!(setup.student.to_json().unwrap().to_string(), before, "{name}");
        let changed = found.report.chosen != dspy::optimize::CandidateId::STUDENT;
        assert_eq!(found.program != before, changed, "{name}");
    }
}

#[test]
fn rows_in_the_texts_are_reported() {
    for name in ["copro", "inferrules", "simba", "mipro zero-shot", "gepa", "portfolio"] {
        let copied = |copies: bool| {
            let found = compile(name, &Setup { copies, ..Setup::new(5) }).unwrap();
            let told = found.report.notes.iter().any(|note| note.contains("word by word"));
            (told, found.program.contains("the message with number 1 is"))
        };
        let (told, copied_in_fact) = copied(true);
        assert_eq!(told, copied_in_fact, "{name}");
        assert_eq!(copied(false), (false, false), "{name}");
    }
}

#[test]
fn a_portfolio_tells_its_steps_and_confirms_on_rows_held_back() {
    for seed in [3, 0] {
        let found = compile("portfolio", &Setup::new(seed)).unwrap();
        for step in ["look:", "demonstrations:", "race of demonstrations:", "instructions:"] {
            assert!(found.report.notes.iter().any(|note| note.starts_with(step)), "{step} {}", found.report);
        }
        assert!(found.report.notes.iter().any(|note| note.contains("by reflection")), "{}", found.report);
        assert_eq!(found.report.val.rows, 30);
        let test = found.report.test.as_ref().unwrap();
        assert_eq!((test.rows, test.compared), (10, 10));
    }
    // With rows of its own for the confirmation, none are held back.
    let found = compile("portfolio", &Setup { held_out: true, ..Setup::new(1) }).unwrap();
    assert_eq!((found.report.val.rows, found.report.test.unwrap().rows), (40, 10));
}

#[test]
fn a_plan_bounds_a_portfolio() {
    let (train, val) = (rows(0..24), rows(100..140));
    for calls in [None, Some(150_u64), Some(400), Some(900)] {
        let optimizer = calls.map_or(Portfolio::new(), |calls| Portfolio::new().budget(Budget::calls(calls)));
        let plan = optimizer.plan(&TwoSteps::default(), (&train, &val)).unwrap();
        let found = compile("portfolio", &Setup { calls, ..Setup::new(2) }).unwrap();
        assert!(found.report.spent.calls <= plan.calls().at_most as u64, "{plan}\n{}", found.report);
        if let Some(calls) = calls {
            assert!(found.report.test.unwrap().compared > 0 || calls < 200);
        }
    }
}

#[test]
fn what_happens_in_the_steps_is_told() {
    let stages = Arc::new(Mutex::new(Vec::new()));
    let log = stages.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let model = StubModel::from_fn(|request: &Request| answer(request, false));
    let lm = model.builder().cache(Cache::memory(100_000)).retries(0).build().unwrap();
    let (train, val) = (rows(0..24), rows(100..140));
    let optimizer = Portfolio::new().progress(false).on_event(move |event| match event {
        Event::Stage { name, .. } => log.lock().unwrap().push(name.clone()),
        Event::Row { .. } => log.lock().unwrap().push("row".to_owned()),
        _ => {}
    });
    let right = |gold: &Sort, found: &SortOutput| gold.label == found.label;
    let found = runtime.block_on(dspy::with(|c| c.lm(lm), async {
        optimizer.compile(TwoSteps::default(), (&train, &val), right).await
    }));
    let report = found.unwrap().report;
    let told = stages.lock().unwrap();
    let begins = |name: &str| told.iter().any(|stage| stage.starts_with(name));
    assert!(begins("nearest demonstrations: bootstrap") && begins("MIPROv2: trials"), "{told:?}");
    // A run asks both predictors; proposals are no runs.
    let runs = told.iter().filter(|name| *name == "row").count() as u64;
    assert!(2 * runs >= report.spent.calls - 40, "{runs} {report}");
    assert!(report.notes.iter().any(|note| note.contains("numbers alone")), "{report}");
}
