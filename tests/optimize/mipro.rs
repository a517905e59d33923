//! MIPROv2 on a model that answers by a script: what holds whatever the seed, the budget and the metric.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dspy::{
    LmError, LmErrorKind,
    lm::{BoxFuture, Budget, Cache, LanguageModel, Request, Response},
    optimize::{Event, Report},
    prelude::*,
};
use proptest::{
    prelude::{any, proptest},
    test_runner::Config,
};

use crate::two_steps::{Sort, SortOutput, TwoSteps, draw, label_of, right, rows, student};

/// How the model behaves.
#[derive(Clone, Copy, Default)]
struct Habits {
    /// Proposals come to nothing.
    mute: bool,
    /// Answers take a time that depends on this.
    salt: Option<u64>,
}

/// Answers rows right by luck, more often with demonstrations and with rules in the instruction; writes instructions.
struct Script {
    habits: Habits,
    calls: AtomicU64,
    proposals: AtomicU64,
    /// What was asked, as it was asked.
    asked: Mutex<BTreeSet<String>>,
}

impl Script {
    fn new(habits: Habits) -> Arc<Self> {
        let (calls, proposals) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { habits, calls, proposals, asked: Mutex::default() })
    }

    fn answer(&self, request: &Request) -> Result<String, LmError> {
        let texts: Vec<String> = request.prompt.messages().map(|m| m.content.text().to_owned()).collect();
        let whole = texts.join("\n");
        let luck = draw(&(&whole, request.rollout));
        self.asked.lock().unwrap().insert(format!("{} {whole}", request.rollout));
        let wants = |name: &str| texts[0].contains(&format!("`{name}`"));
        let proposed = ["proposed_instruction", "observations", "program_description", "module_description"]
            .into_iter()
            .rfind(|name| wants(name));
        let (name, value) = match proposed {
            Some(_) if wants("proposed_instruction") => {
                self.proposals.fetch_add(1, Ordering::SeqCst);
                ("proposed_instruction", format!("Sort it. {}", "Rule. ".repeat(luck % 7)))
            }
            Some(name) => (name, "They are messages.".to_owned()),
            None if wants("gist") && !texts[0].contains("gist. ") && !wants("label") => {
                ("gist", "a gist".to_owned())
            }
            None => {
                let last = texts.last().unwrap();
                let number = last.split("number ").nth(1).unwrap().split_whitespace().next().unwrap();
                let known = 20 + 5 * (texts.len() / 2).min(6) + 8 * texts[0].matches("Rule.").count();
                let right = draw(&number) % 100 < known;
                let number: usize = number.parse().unwrap();
                ("label", if right { label_of(number) } else { "none".to_owned() })
            }
        };
        if self.habits.mute && proposed.is_some() {
            return Err(LmError::new(LmErrorKind::InvalidResponse, "test/script", "nothing was said"));
        }
        Ok(format!("[[ ## {name} ## ]]\n{value}\n\n[[ ## completed ## ]]"))
    }
}

/// The model as it is given to the library.
struct Shared(Arc<Script>);

impl LanguageModel for Shared {
    fn id(&self) -> &'static str {
        "test/script"
    }

    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async move {
            self.0.calls.fetch_add(1, Ordering::SeqCst);
            let answer = self.0.answer(request)?;
            if let Some(salt) = self.0.habits.salt {
                tokio::time::sleep(Duration::from_micros((draw(&(salt, &answer)) % 300) as u64)).await;
            }
            Ok(Response::text(answer))
        })
    }
}

/// What a compile gave: the report, and the program as it is saved.
struct Found {
    report: Report,
    program: String,
}

async fn compile<K: 'static>(
    optimizer: MIPROv2,
    script: &Arc<Script>,
    metric: impl Metric<Sort, SortOutput, K>,
) -> Result<Found> {
    let lm = LM::wrap(Shared(script.clone())).cache(Cache::memory(100_000)).retries(0).build()?;
    dspy::with(|c| c.lm(lm), async {
        let (train, val) = (rows(0..40), rows(100..180));
        let compiled = optimizer.progress(false).compile(TwoSteps::default(), (&train, &val), metric).await?;
        Ok(Found { program: compiled.program.to_json()?.to_string(), report: compiled.report })
    })
    .await
}

fn run<K: 'static>(
    optimizer: MIPROv2,
    script: &Arc<Script>,
    metric: impl Metric<Sort, SortOutput, K>,
) -> Result<Found> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(compile(optimizer, script, metric))
}

/// The best of the candidates that were run on all validation rows; of equals, any.
fn best(report: &Report) -> Option<f64> {
    report.candidates.iter().filter(|c| c.complete).filter_map(|c| c.score).reduce(f64::max)
}

proptest! {
    #![proptest_config(Config { cases: 4, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_program_is_the_best_that_was_confirmed(seed in any::<u64>(), zero_shot in any::<bool>()) {
        let script = Script::new(Habits::default());
        let optimizer = MIPROv2::auto(Auto::Light).seed(seed);
        let found = run(if zero_shot { optimizer.zero_shot() } else { optimizer }, &script, right).unwrap();
        let chosen = &found.report.candidates[found.report.chosen.index()];
        assert!(chosen.complete, "{}", found.report);
        assert_eq!(chosen.score, best(&found.report), "{}", found.report);
        assert!(found.report.val.after > found.report.val.before, "{}", found.report);
        let demos = chosen.parameters["sort"]["demos"].as_array().unwrap().len();
        assert!(!zero_shot || demos == 0);
    }

    #[test]
    fn a_budget_is_not_exceeded(seed in any::<u64>(), calls in 0_u64..600) {
        let script = Script::new(Habits::default());
        let optimizer = MIPROv2::auto(Auto::Light).seed(seed).budget(Budget::calls(calls)).concurrency(7);
        let found = run(optimizer, &script, right).unwrap();
        assert!(script.calls.load(Ordering::SeqCst) <= calls);
        assert!(found.report.spent.calls <= calls);
        let chosen = &found.report.candidates[found.report.chosen.index()];
        match best(&found.report) {
            Some(best) => assert_eq!(chosen.score, Some(best), "{}", found.report),
            None => assert_eq!(found.program, student()),
        }
    }

    #[test]
    fn a_seed_gives_one_program_whatever_the_order_of_answers(seed in any::<u64>(), salt in any::<u64>()) {
        let one = |concurrency: usize, salt: Option<u64>| {
            let script = Script::new(Habits { salt, ..Habits::default() });
            let optimizer = MIPROv2::auto(Auto::Light).seed(seed).concurrency(concurrency);
            let found = run(optimizer, &script, right).unwrap();
            let asked = script.asked.lock().unwrap().clone();
            (found.program, asked, script.calls.load(Ordering::SeqCst))
        };
        assert!(one(1, None) == one(16, Some(salt)));
    }

    #[test]
    fn a_constant_metric_gives_the_student(seed in any::<u64>(), score in -2.0..2.0_f64) {
        let script = Script::new(Habits::default());
        let constant = move |_: &Sort, _: &SortOutput| score;
        let found = run(MIPROv2::auto(Auto::Light).seed(seed), &script, constant).unwrap();
        assert_eq!(found.report.chosen.index(), 0);
        assert_eq!(found.program, student());
    }
}

#[test]
fn a_proposer_that_fails_costs_its_proposals_only() {
    let script = Script::new(Habits { mute: true, ..Habits::default() });
    let failed = Arc::new(AtomicU64::new(0));
    let count = failed.clone();
    let optimizer = MIPROv2::auto(Auto::Light).on_event(move |event| {
        if matches!(event, Event::Proposal { error: Some(_), .. }) {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let found = run(optimizer.clone(), &script, right).unwrap();
    assert!(failed.load(Ordering::SeqCst) > 0);
    assert!(found.report.val.after > found.report.val.before, "{}", found.report);
    let found = run(optimizer.zero_shot(), &script, right).unwrap();
    assert_eq!(found.program, student());
}

#[test]
fn each_thing_is_described_once() {
    let script = Script::new(Habits::default());
    let purposes = Arc::new(Mutex::new(Vec::new()));
    let log = purposes.clone();
    let optimizer = MIPROv2::auto(Auto::Light).on_event(move |event| {
        if let Event::Proposal { purpose, .. } = event {
            log.lock().unwrap().push(purpose.clone());
        }
    });
    run(optimizer, &script, right).unwrap();
    let count = |name: &str| purposes.lock().unwrap().iter().filter(|p| *p == name).count();
    assert_eq!((count("describe program"), count("describe module")), (1, 2));
    // Two of the three instructions of each predictor are new.
    assert_eq!((count("propose instruction"), script.proposals.load(Ordering::SeqCst)), (4, 4));
}

#[test]
fn without_validation_rows_some_are_held_back() {
    let script = Script::new(Habits::default());
    let lm = LM::wrap(Shared(script)).cache(Cache::memory(10_000)).retries(0).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let compiled = runtime.block_on(dspy::with(|c| c.lm(lm), async {
        let train = rows(0..60);
        MIPROv2::auto(Auto::Light).progress(false).compile(TwoSteps::default(), &train, right).await
    }));
    let compiled = compiled.unwrap();
    assert_eq!(compiled.report.val.rows, 48);
    let (_, sort) = compiled.program.predictors().remove(1);
    // What candidates are judged by is not shown to them: twelve rows are learnt from.
    assert!(sort.demos().len() <= 12);
}

#[test]
fn what_cannot_be_is_refused_before_the_first_call() {
    let script = Script::new(Habits::default());
    let refused = |optimizer: MIPROv2| match run(optimizer, &script, right) {
        Ok(found) => panic!("{}", found.report),
        Err(error) => error.to_string(),
    };
    assert!(refused(MIPROv2::auto(Auto::Light).minibatch(81)).contains("minibatch"));
    assert!(refused(MIPROv2::auto(Auto::Light).minibatch(0)).contains("minibatch"));
    assert!(refused(MIPROv2::new(1, 5).zero_shot()).contains("nothing to choose"));
    assert!(refused(MIPROv2::new(4, 0)).contains("trial"));
    assert_eq!(script.calls.load(Ordering::SeqCst), 0);
}

#[test]
fn the_plan_bounds_what_is_spent() {
    let (train, val) = (rows(0..40), rows(100..180));
    for optimizer in [MIPROv2::auto(Auto::Light), MIPROv2::auto(Auto::Light).zero_shot(), MIPROv2::new(4, 7)]
    {
        let plan = optimizer.plan(&TwoSteps::default(), (&train, &val)).unwrap();
        let script = Script::new(Habits::default());
        let found = run(optimizer, &script, right).unwrap();
        let most = plan.calls().at_most as u64;
        assert!(found.report.spent.calls <= most, "{plan}\n{}", found.report);
    }
}
