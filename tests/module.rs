//! `#[module]` through the public interface.
#![deny(warnings, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    collections::{BTreeMap, HashSet},
    marker::PhantomData,
};

use dspy::prelude::*;

/// Answer.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

trait Search: Send + Sync {
    fn search(&self, query: &str) -> Vec<String>;
}

struct Nothing;

impl Search for Nothing {
    fn search(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// A part.
#[module]
struct Part {
    b: Predict<Qa>,
}

/// One of everything.
#[module]
#[derive(Default)]
pub struct Everything {
    a: Predict<Qa>,
    thought: ChainOfThought<Qa>,
    part: Option<Part>,
    subs: Vec<Predict<Qa>>,
    by_name: BTreeMap<String, Predict<Qa>>,
    boxed: Box<Predict<Qa>>,
    pair: (Predict<Qa>, usize),
    r#type: Predict<Qa>,
    index: Option<Arc<dyn Search>>,
    several: Vec<Arc<dyn Search>>,
    on_step: Option<fn(&str) -> usize>,
    marker: PhantomData<HashSet<Qa>>,
    hops: usize,
    #[module(skip)]
    opaque: Opaque,
}

/// Neither `Debug` nor a module.
#[derive(Clone, Default)]
struct Opaque(u8);

#[module]
struct Twice<M> {
    inner: M,
    // A comment stays.
    times: usize,
}

#[module]
impl<M: Module<Input = QaInput, Output = QaOutput>> Module for Twice<M> {
    type Input = QaInput;
    type Output = QaOutput;

    async fn forward(&self, input: QaInput) -> Result<QaOutput> {
        // So does this one.
        for _ in 1..self.times {
            self.inner.call(input.clone()).await?;
        }
        Ok(self.inner.call(input).await?.into_inner())
    }
}

#[module]
struct Empty;

impl Module for Empty {
    type Input = ();
    type Output = ();

    async fn forward(&self, (): ()) -> Result<()> {
        Ok(())
    }
}

fn everything() -> Everything {
    Everything {
        part: Some(Part { b: Predict::new() }),
        subs: vec![Predict::new(), Predict::new()],
        by_name: BTreeMap::from([("x".to_owned(), Predict::new())]),
        index: Some(Arc::new(Nothing)),
        hops: 3,
        ..Everything::default()
    }
}

#[test]
fn predictors_are_found_by_the_paths_of_their_fields() {
    let mut program = everything();
    let paths: Vec<String> = program.predictors().into_iter().map(|(path, _)| path).collect();
    let expected =
        ["a", "thought.predict", "part.b", "subs[0]", "subs[1]", "by_name['x']", "boxed", "pair[0]", "type"];
    assert_eq!(paths, expected);
    let paths: Vec<String> = program.predictors_mut().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, expected);
    assert!(Empty.predictors().is_empty());
    let opaque = program.opaque.0;
    assert_eq!((program.hops, opaque, program.index.unwrap().search("").len()), (3, 0, 0));
    assert_eq!((program.several.len(), program.on_step.is_none(), program.marker), (0, true, PhantomData));
}

#[test]
fn a_clone_has_predictors_of_its_own() {
    let mut program = everything();
    program.predictors_mut()[0].1.set_instructions("Changed.");
    let copy = program.clone();
    for ((_, a), (_, b)) in program.predictors().into_iter().zip(copy.predictors()) {
        assert_ne!(a.id(), b.id());
        assert_eq!(a.instructions(), b.instructions());
    }
    assert_eq!(copy.predictors()[0].1.instructions(), "Changed.");
}

#[test]
fn programs_show_their_predictors() {
    let part = Part { b: Predict::new() };
    assert_eq!(part.to_string(), "b: Qa(question -> answer): \"Answer.\"");
    let debug = format!("{part:?}");
    assert!(debug.starts_with("Part { b: Predictor {"), "{debug}");
    assert_eq!(format!("{Empty:?}"), "Empty { .. }");
    assert_eq!(everything().to_string().lines().count(), 9);
}

#[test]
fn generic_programs_hold_any_module() {
    let program = Twice { inner: Twice { inner: Predict::<Qa>::new(), times: 1 }, times: 2 };
    assert_eq!(program.predictors()[0].0, "inner.inner");
    assert_eq!(program.clone().predictors().len(), 1);
    let source = <Twice<Predict<Qa>> as Module>::source().unwrap();
    assert!(source.contains("struct Twice<M> {") || source.contains("struct Twice< M > {"), "{source}");
    assert!(source.contains("    // A comment stays.\n    times: usize,\n}"), "{source}");
    assert!(source.contains("        // So does this one.\n        for _ in 1..self.times {"), "{source}");
    assert_eq!(Empty::source(), None);
}

/// A program that may hold another of its own kind.
#[module]
struct Chain<M> {
    first: M,
    rest: Option<Box<Chain<M>>>,
}

#[test]
fn a_generic_program_may_hold_its_own_kind() {
    let last = Chain { first: Predict::<Qa>::new(), rest: None };
    let program = Chain { first: Predict::<Qa>::new(), rest: Some(Box::new(last)) };
    let copy = program.clone();
    let paths: Vec<String> = copy.predictors().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["first", "rest.first"]);
}
