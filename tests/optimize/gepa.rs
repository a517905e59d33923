//! GEPA on a scripted model: what it finds, and what it keeps to whatever happens.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use dspy::{
    LanguageModel, LmError,
    evaluate::Score,
    lm::{BoxFuture, Budget, Cache, Request, Response},
    optimize::{
        CandidateId, Report,
        gepa::{Component, Reflection},
    },
    prelude::*,
};
use proptest::prelude::*;

/// Say what kind it is.
#[signature]
struct Sort {
    #[input]
    message: String,
    #[output]
    kind: String,
}

/// Say what colour it has.
#[signature]
struct Paint {
    #[input]
    message: String,
    #[output]
    colour: String,
}

#[value]
struct Both {
    kind: String,
    colour: String,
}

/// A row: the fourth and the sixth word of the message ask for rules that the instructions have to state.
#[value]
#[derive(Example)]
#[example(input = SortInput)]
struct Row {
    #[input]
    message: String,
    kind: String,
    colour: String,
}

fn rows(range: std::ops::Range<usize>) -> Vec<Row> {
    let row = |i: usize| {
        let (kind, colour) = (format!("kind{}", i % 4), format!("colour{}", i / 4 % 3));
        Row { message: format!("message {i} is {kind} and {colour} today"), kind, colour }
    };
    range.map(row).collect()
}

#[module]
#[derive(Clone)]
struct Steps {
    sort: Predict<Sort>,
    paint: Predict<Paint>,
}

impl Module for Steps {
    type Input = SortInput;
    type Output = Both;

    async fn forward(&self, input: SortInput) -> Result<Both> {
        let message = input.message.clone();
        let kind = self.sort.call(input).await?.into_inner().kind;
        let colour = self.paint.call(PaintInput { message }).await?.into_inner().colour;
        Ok(Both { kind, colour })
    }
}

/// Knows a word when the instruction says "rule WORD"; asked for an instruction, adds the rules that the examples name.
struct Scripted {
    calls: Arc<AtomicUsize>,
}

impl LanguageModel for Scripted {
    fn id(&self) -> &str {
        "test/scripted"
    }

    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let texts: Vec<String> = request.prompt.messages().map(|m| m.content.text().to_owned()).collect();
            let (system, user) = (&texts[0], &texts[texts.len() - 1]);
            // Answers come in an order of their own.
            let mut hasher = DefaultHasher::new();
            user.hash(&mut hasher);
            for _ in 0..hasher.finish() % 7 {
                tokio::task::yield_now().await;
            }
            let section = |name: &str| {
                let rest = user.split(&format!("[[ ## {name} ## ]]\n")).nth(1).unwrap_or_default();
                rest.split("\n\n[[").next().unwrap_or_default().trim().to_owned()
            };
            let (name, text) = if system.contains("revised_instruction") {
                let mut text = section("current_instruction");
                let words: Vec<&str> = user.split_whitespace().collect();
                let named: BTreeSet<&str> =
                    words.windows(2).filter(|w| w[0] == "rule").map(|w| w[1]).collect();
                // Two at a time, so that there is something left to do.
                let news: Vec<&str> =
                    named.into_iter().filter(|word| !text.contains(&format!("rule {word} "))).collect();
                for word in news.into_iter().take(2) {
                    text += &format!(" rule {word} .");
                }
                ("revised_instruction", text)
            } else {
                let message = section("message");
                let words: Vec<&str> = message.split(' ').collect();
                let word = |i: usize| words.get(i).copied().unwrap_or_default();
                let (name, word) =
                    if system.contains("Say what kind") { ("kind", word(3)) } else { ("colour", word(5)) };
                let known = system.contains(&format!("rule {word} "));
                (name, if known { word.to_owned() } else { "unknown".to_owned() })
            };
            Ok(Response::text(format!("[[ ## {name} ## ]]\n{text}\n\n[[ ## completed ## ]]")))
        })
    }
}

struct World {
    program: Steps,
    calls: Arc<AtomicUsize>,
    lm: LM,
}

fn world() -> World {
    let calls = Arc::new(AtomicUsize::new(0));
    let lm = LM::wrap(Scripted { calls: calls.clone() }).cache(Cache::memory(100_000)).build().unwrap();
    World { program: Steps { sort: Predict::new(), paint: Predict::new() }, calls, lm }
}

/// Half a point for each part, with words about each.
fn judge(gold: &Row, found: &Both) -> Score {
    let part = |right: bool| if right { 0.5 } else { 0.0 };
    let said =
        |right: bool, word: &str| if right { "right".into() } else { format!("state the rule {word} !") };
    let (kind, colour) = (gold.kind == found.kind, gold.colour == found.colour);
    Score::new(part(kind) + part(colour))
        .feedback_for("sort", said(kind, &gold.kind))
        .feedback_for("paint", said(colour, &gold.colour))
}

async fn compile(world: &World, gepa: GEPA, concurrency: usize) -> dspy::optimize::Compiled<Steps> {
    let (train, dev) = (rows(0..40), rows(40..100));
    let gepa = gepa.progress(false).concurrency(concurrency);
    let lm = world.lm.clone();
    dspy::with(|c| c.lm(lm), gepa.compile(world.program.clone(), (&train, &dev), judge)).await.unwrap()
}

/// The chosen candidate is the best of those that were run on all validation rows.
fn is_the_best_confirmed(report: &Report) {
    let complete = report.candidates.iter().filter(|c| c.complete);
    let best = complete.max_by(|a, b| a.score.unwrap().total_cmp(&b.score.unwrap())).unwrap();
    let chosen = &report.candidates[report.chosen.index()];
    assert!(chosen.complete && chosen.score == best.score, "{report}");
}

#[tokio::test]
async fn the_rules_are_found_each_by_the_predictor_that_needs_it() {
    let world = world();
    let before = world.program.to_json().unwrap();
    let compiled = compile(&world, GEPA::new().max_metric_calls(700), 8).await;
    is_the_best_confirmed(&compiled.report);
    assert_eq!(compiled.report.val.after, Some(1.0), "{}", compiled.report);
    assert!(!compiled.program.sort.predictor().instructions().contains("colour"));
    assert!(!compiled.program.paint.predictor().instructions().contains("kind"));
    assert_eq!(world.program.to_json().unwrap(), before);
    let unseen = rows(100..140);
    let clean = Evaluate::new(&unseen, judge).progress(false);
    let lm = world.lm.clone();
    assert_eq!(dspy::with(|c| c.lm(lm), clean.run(&compiled.program)).await.unwrap().score, 1.0);
}

#[tokio::test]
async fn the_order_of_answers_changes_nothing() {
    let found = async |concurrency: usize, gepa: GEPA| {
        let compiled = compile(&world(), gepa.max_metric_calls(400).seed(3), concurrency).await;
        let candidates: Vec<_> =
            compiled.report.candidates.iter().map(|c| (c.parameters.clone(), c.score)).collect();
        (compiled.program.to_json().unwrap().to_string(), candidates, compiled.report.notes)
    };
    for gepa in [GEPA::new(), GEPA::new().proposals(3).all_components()] {
        assert_eq!(found(1, gepa.clone()).await, found(16, gepa).await);
    }
}

#[tokio::test]
async fn a_merge_has_what_both_parents_learnt() {
    // What is learnt of kinds costs one that was known, so that the student stays on the front.
    let propose = async |reflection: Reflection| {
        Ok(match &**reflection.component.path() {
            "sort" => "Say what kind it is. rule kind1 . rule kind2 . rule kind3 .".to_owned(),
            _ => "Say what colour it has. rule colour0 . rule colour1 . rule colour2 .".to_owned(),
        })
    };
    let metric = |gold: &Row, found: &Both| {
        0.6 * f64::from(u8::from(gold.kind == found.kind))
            + 0.4 * f64::from(u8::from(gold.colour == found.colour))
    };
    let (train, dev) = (rows(0..40), rows(40..100));
    let (mut merges, mut chosen) = (0, 0);
    for seed in 0..16 {
        let world = world();
        let sort = Predict::new().instructions("Say what kind it is. rule kind0 .");
        let program = Steps { sort, paint: Predict::new() };
        let gepa = GEPA::new().progress(false).max_metric_calls(900).seed(seed).propose_with(propose);
        let lm = world.lm.clone();
        let compile = gepa.compile(program, (&train, &dev), metric);
        let report = dspy::with(|c| c.lm(lm), compile).await.unwrap().report;
        let candidates = &report.candidates;
        for merged in candidates.iter().filter(|c| c.parents.len() == 2) {
            let text =
                |id: CandidateId, path: &str| candidates[id.index()].parameters[path]["instructions"].clone();
            for path in ["sort", "paint"] {
                assert!(merged.parents.iter().any(|p| text(*p, path) == text(merged.id, path)));
            }
            let texts = |id| [text(id, "sort"), text(id, "paint")];
            assert!(merged.parents.iter().all(|p| texts(*p) != texts(merged.id)));
            merges += 1;
            chosen += usize::from(report.chosen == merged.id);
        }
    }
    assert!(merges > 0 && chosen > 0, "{merges} merges, {chosen} of them chosen");
}

#[tokio::test]
async fn a_metric_that_always_says_the_same_gives_the_student() {
    for constant in [-2.0, 0.0, 0.5, 1.0, 7.0] {
        let world = world();
        let (train, dev) = (rows(0..30), rows(30..60));
        let gepa = GEPA::new().progress(false).max_metric_calls(500);
        let metric = move |_: &Row, _: &Both| (constant, "rule kind1 !");
        let lm = world.lm.clone();
        let compile = gepa.compile(world.program.clone(), (&train, &dev), metric);
        let compiled = dspy::with(|c| c.lm(lm), compile).await.unwrap();
        assert_eq!(compiled.report.chosen, CandidateId::STUDENT, "{}", compiled.report);
        assert_eq!(compiled.program.to_json().unwrap(), world.program.to_json().unwrap());
    }
}

#[tokio::test]
async fn a_proposer_that_gives_nothing_ends_the_search() {
    let silent = GEPA::new().propose_with(async |_: Reflection| Ok(" \n".to_owned()));
    let broken = GEPA::new().propose_with(async |_: Reflection| Err(Error::other("no idea")));
    let same = GEPA::new().propose_with(async |r: Reflection| Ok(r.current));
    for (gepa, lost) in [(silent, false), (broken, true), (same, false)] {
        let compiled = compile(&world(), gepa, 8).await;
        assert_eq!(compiled.report.chosen, CandidateId::STUDENT);
        assert_eq!(compiled.report.candidates.len(), 1);
        assert_eq!(compiled.report.notes.iter().any(|note| note.contains("proposals failed")), lost);
    }
}

#[tokio::test]
async fn a_proposer_sees_the_part_of_its_predictor_and_answers_that_could_not_be_read() {
    let seen: Arc<Mutex<Vec<Reflection>>> = Arc::default();
    let see = {
        let seen = seen.clone();
        move |reflection: Reflection| {
            seen.lock().unwrap().push(reflection);
            async { Ok(String::new()) }
        }
    };
    let mut world = world();
    // A number is asked for and a word answered.
    world.program.paint = Predict::new();
    let gepa = GEPA::new().propose_with(see.clone()).field_descriptions(true);
    compile(&world, gepa, 8).await;
    {
        let seen = seen.lock().unwrap();
        assert!(
            seen.iter()
                .any(|r| matches!(&r.component, Component::Description { field, .. } if field == "kind"))
        );
        for reflection in seen.iter() {
            let own = if **reflection.component.path() == *"sort" { "kind" } else { "colour" };
            for example in &reflection.examples {
                let other = if own == "kind" { "rule colour" } else { "rule kind" };
                assert!(!example.feedback.contains(other), "{reflection:?}");
                assert!(example.outputs.as_ref().unwrap().contains_key(own));
            }
        }
    }

    #[signature]
    struct Count {
        #[input]
        message: String,
        #[output]
        kind: u32,
    }
    seen.lock().unwrap().clear();
    let program = Predict::<Count>::new().instructions("Say what kind it is.");
    let count = |message: String| Count { message, kind: 1 };
    let train: Vec<Count> = rows(0..20).into_iter().map(|row| count(row.message)).collect();
    let lm = world.lm.clone();
    let gepa = GEPA::new().propose_with(see).progress(false);
    let metric = |gold: &Count, found: &CountOutput| gold.kind == found.kind;
    dspy::with(|c| c.lm(lm), gepa.compile(program, &train, metric)).await.unwrap();
    let seen = seen.lock().unwrap();
    let example = &seen[0].examples[0];
    assert!(example.outputs.is_none() && example.raw.as_ref().unwrap().contains("unknown"), "{example:?}");
    assert!(example.feedback.contains("- kind:"), "{}", example.feedback);
}

#[tokio::test]
async fn proposals_that_copy_rows_in_bulk_are_refused() {
    let copier = |reflection: Reflection| async move {
        let rows: Vec<String> = reflection.examples.iter().map(|e| e.inputs["message"].to_string()).collect();
        Ok(format!("{} rule kind1 . {}", reflection.current, rows.join("\n")))
    };
    let compiled = compile(&world(), GEPA::new().propose_with(copier), 8).await;
    assert_eq!(compiled.report.candidates.len(), 1);
    let teller = |reflection: Reflection| async move {
        let row = reflection.examples[0].inputs["message"].to_string();
        Ok(format!("{} rule kind1 . rule kind2 . rule kind3 . For example {row}", reflection.current))
    };
    let compiled = compile(&world(), GEPA::new().propose_with(teller), 8).await;
    assert_ne!(compiled.report.chosen, CandidateId::STUDENT);
    assert!(compiled.report.notes.iter().any(|note| note.contains("word by word")), "{}", compiled.report);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_budget_is_exceeded(
        limit in 1_usize..260,
        calls in 1_u64..500,
        seed in 0_u64..1000,
        minibatch in 1_usize..10,
        dev in 1_usize..60,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (train, dev) = (rows(0..30), rows(30..30 + dev));
            let gepa = || GEPA::new().progress(false).seed(seed).minibatch(minibatch);
            let world = world();
            let judged = Arc::new(AtomicUsize::new(0));
            let metric = {
                let judged = judged.clone();
                move |gold: &Row, found: &Both| {
                    judged.fetch_add(1, Ordering::SeqCst);
                    judge(gold, found)
                }
            };
            let lm = || world.lm.clone();
            let small = gepa().max_metric_calls(limit);
            let compile = small.compile(world.program.clone(), (&train, &dev), metric);
            let compiled = dspy::with(|c| c.lm(lm()), compile).await.unwrap();
            assert!(judged.load(Ordering::SeqCst) <= limit, "{} > {limit}", judged.load(Ordering::SeqCst));
            if dev.len() * 3 <= limit {
                is_the_best_confirmed(&compiled.report);
            }

            let before = world.calls.load(Ordering::SeqCst);
            let cheap = gepa().budget(Budget::calls(calls));
            let fresh = Cache::memory(10_000);
            let lm = LM::wrap(Scripted { calls: world.calls.clone() }).cache(fresh).build().unwrap();
            let compile = cheap.compile(world.program.clone(), (&train, &dev), judge);
            dspy::with(|c| c.lm(lm), compile).await.unwrap();
            let made = world.calls.load(Ordering::SeqCst) - before;
            assert!(made as u64 <= calls, "{made} > {calls}");
        });
    }
}
