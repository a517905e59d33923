//! Saved programs: what a file holds, what is refused, and that nothing is taken up by halves.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use dspy::prelude::*;
use serde_json::{Value, json};

/// Write a query.
#[signature]
struct Query {
    #[input]
    question: String,
    /// what to look for
    #[output]
    query: String,
}

/// How sure.
#[value]
#[derive(PartialEq)]
#[serde(rename_all = "lowercase")]
enum Sure {
    /// Rather.
    High,
    /// Hardly.
    Low,
}

/// Where it stands.
#[value]
#[derive(PartialEq)]
struct Place {
    page: u32,
    line: Option<u32>,
}

/// Answer from the passages.
#[signature]
struct Answer {
    /// passages that may hold the answer
    #[input]
    context: Vec<String>,
    #[input]
    question: String,
    #[output]
    answer: String,
    #[output]
    sure: Sure,
    #[output]
    places: Vec<Place>,
    #[output]
    scores: BTreeMap<String, f64>,
}

/// Two steps.
#[module]
#[derive(Default)]
struct Qa {
    query: ChainOfThought<Query>,
    answers: Vec<Predict<Answer>>,
}

fn qa() -> Qa {
    Qa { answers: vec![Predict::new()], ..Qa::default() }
}

fn answer(question: &str) -> Answer {
    Answer {
        context: vec!["« é — \"quoted\"\n".into()],
        question: question.into(),
        answer: "42".into(),
        sure: Sure::Low,
        places: vec![Place { page: 3, line: None }, Place { page: 4, line: Some(1) }],
        scores: BTreeMap::from([("a".into(), 0.1), ("b".into(), 1e300)]),
    }
}

/// A program that has learnt something.
fn learnt() -> Qa {
    let mut program = qa();
    let row = json!({ "question": "q", "reasoning": "r", "query": "k" });
    program
        .query
        .predict_mut()
        .predictor_mut()
        .set_demos(vec![Demo::augmented(row.as_object().unwrap().clone())]);
    let answers = Predict::new().demos([answer("a"), answer("b")]);
    program.answers = vec![answers.instructions("Answer briefly.")];
    program
}

/// A path in a folder of its own, which goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("dspy-state-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("program.json")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_program_comes_back_from_its_file() {
    let folder = Folder::new();
    let program = learnt();
    program.save(folder.file()).unwrap();
    let loaded = qa().load(folder.file()).unwrap();
    assert_eq!(loaded.to_json().unwrap(), program.to_json().unwrap());
    for ((_, a), (_, b)) in loaded.predictors().into_iter().zip(program.predictors()) {
        assert_eq!((a.demos(), a.instructions()), (b.demos(), b.instructions()));
    }
    let input = AnswerInput::from(&answer("c"));
    assert_eq!(loaded.answers[0].render(input.clone()).unwrap(), program.answers[0].render(input).unwrap());

    let mut reset = loaded;
    reset.reset();
    assert_eq!(reset.to_json().unwrap(), qa().to_json().unwrap());
}

#[test]
fn a_file_has_the_shape_that_dspy_writes() {
    let folder = Folder::new();
    learnt().save(folder.file()).unwrap();
    let text = std::fs::read_to_string(folder.file()).unwrap();
    assert!(
        text.starts_with("{\n  \"query.predict\": {\n    \"traces\": [],\n") && text.ends_with("}\n"),
        "{text}"
    );
    let mut state: Value = serde_json::from_str(&text).unwrap();
    let version = state["metadata"]["dspy_rs"]["version"].take();
    assert!(version.is_string());
    let query = json!({
        "traces": [], "train": [],
        "demos": [{ "augmented": true, "question": "q", "reasoning": "r", "query": "k" }],
        "signature": {
            "instructions": "Write a query.",
            "fields": [
                { "prefix": "Question:", "description": "${question}" },
                { "prefix": "Reasoning:", "description": "${reasoning}" },
                { "prefix": "Query:", "description": "what to look for" }
            ]
        },
        "lm": null
    });
    assert_eq!(state["query.predict"], query);
    let keys: Vec<&String> = state.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["query.predict", "answers[0]", "metadata"]);
    assert_eq!(
        state["metadata"],
        json!({
            "dependency_versions": {},
            "dspy_rs": {
                "format": 1, "version": null,
                "predictors": {
                    "query.predict": { "signature": "Query", "fields": [
                        { "name": "question", "role": "input", "type": "string" },
                        { "name": "reasoning", "role": "output", "type": "string" },
                        { "name": "query", "role": "output", "type": "string" }
                    ] },
                    "answers[0]": { "signature": "Answer", "fields": [
                        { "name": "context", "role": "input", "type": "Array_of_string" },
                        { "name": "question", "role": "input", "type": "string" },
                        { "name": "answer", "role": "output", "type": "string" },
                        { "name": "sure", "role": "output", "type": "Sure" },
                        { "name": "places", "role": "output", "type": "Array_of_Place" },
                        { "name": "scores", "role": "output", "type": "Map_of_double" }
                    ] }
                }
            }
        })
    );
}

mod changed {
    //! The same program after its author changed it.
    use dspy::prelude::*;

    macro_rules! query {
        ($module:ident, $($fields:tt)*) => {
            pub(super) mod $module {
                use dspy::prelude::*;
                /// Write a query.
                #[signature]
                pub(crate) struct Query { $($fields)* }
            }
        };
    }
    query!(renamed, #[input] query: String, /** what to look for */ #[output] search: String,);
    query!(reordered, #[input] topic: String, #[input] question: String, #[output] query: String,);
    query!(typed, #[input] question: String, /** what to look for */ #[output] query: Vec<String>,);
    query!(shorter, #[output] query: String,);

    /// Its first step has another signature.
    #[module]
    #[derive(Default)]
    pub(super) struct Qa<S: StaticSignature> {
        pub(super) query: ChainOfThought<S>,
        pub(super) answers: Vec<Predict<super::Answer>>,
    }
}

/// What is said of a state that does not fit, and that the program stays as it was.
fn refusal<P: Program>(mut program: P, state: &Value) -> String {
    let before = program.to_json().unwrap();
    let Err(Error::State(error)) = program.restore(state) else { panic!("not refused") };
    assert_eq!(program.to_json().unwrap(), before, "nothing is taken up by halves");
    error.to_string()
}

fn changed<S: StaticSignature>() -> changed::Qa<S> {
    changed::Qa { query: ChainOfThought::new(), answers: vec![Predict::new()] }
}

#[test]
fn a_changed_signature_is_refused_with_the_place() {
    let state = learnt().to_json().unwrap();
    let renamed = refusal(changed::<changed::renamed::Query>(), &state);
    assert!(
        renamed.starts_with("predictor `query.predict`, field `query`") || renamed.contains("field `search`"),
        "{renamed}"
    );
    let reordered = refusal(changed::<changed::reordered::Query>(), &state);
    assert!(reordered.contains("`query.predict`, field `topic`"), "{reordered}");
    let typed = refusal(changed::<changed::typed::Query>(), &state);
    assert!(typed.contains("`query.predict`, field `query`: its type is"), "{typed}");
    let mut swapped = state.clone();
    swapped["answers[0]"]["signature"]["fields"].as_array_mut().unwrap().swap(0, 1);
    swapped["metadata"]["dspy_rs"]["predictors"]["answers[0]"]["fields"].as_array_mut().unwrap().swap(0, 1);
    let said = refusal(qa(), &swapped);
    assert!(said.contains("`answers[0]`, field `context`") && said.contains("another order"), "{said}");
    let shorter = refusal(changed::<changed::shorter::Query>(), &state);
    assert!(shorter.contains("`query.predict`"), "{shorter}");
}

#[test]
fn another_program_is_refused_with_the_place() {
    let state = learnt().to_json().unwrap();
    let more = Qa { answers: vec![Predict::new(), Predict::new()], ..Qa::default() };
    assert_eq!(refusal(more, &state), "predictor `answers[1]`: the program has it, but the file does not");
    let fewer = refusal(Qa::default(), &state);
    assert!(fewer.contains("predictor `answers[0]`: the file has it, but the program does not"), "{fewer}");
    let one = refusal(Predict::<Query>::new(), &state);
    assert!(one.contains("the program is one predictor"), "{one}");
    let whole = refusal(qa(), &Predict::<Query>::new().to_json().unwrap());
    assert!(whole.contains("the file holds one predictor"), "{whole}");
    assert!(refusal(qa(), &json!([])).contains("JSON object"));
}

#[test]
fn what_is_broken_in_a_file_is_named() {
    let cases: [(&str, Value, &str); 9] = [
        ("/answers[0]", json!(null), "predictor `answers[0]`: the predictor's state must be an object"),
        ("/answers[0]/signature/instructions", json!(1), "`signature.instructions` must be text"),
        (
            "/answers[0]/signature/fields/0/prefix",
            json!(null),
            "field `context`: `signature.fields[].prefix`",
        ),
        ("/answers[0]/demos", json!({}), "predictor `answers[0]`: `demos` must be a list"),
        ("/answers[0]/demos/1", json!("x"), "demos[1] must be an object"),
        ("/answers[0]/demos/1/sure", json!("perhaps"), "predictor `answers[0]`, field `sure`: demos[1]"),
        (
            "/answers[0]/lm",
            json!({ "_dspy_lm_class": "os.system" }),
            "predictor `answers[0]`: the file holds a model",
        ),
        ("/metadata/dspy_rs/format", json!(2), "a newer version of the library"),
        ("/answers[0]/lm", json!({ "model": "openai/x", "max_tokens": "many" }), "field `lm.max_tokens`"),
    ];
    for (place, value, expected) in cases {
        let mut state = learnt().to_json().unwrap();
        *state.pointer_mut(place).unwrap() = value;
        let said = refusal(qa(), &state);
        assert!(said.contains(expected), "{place}: {said}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = Folder::new();
    let said = |content: &[u8]| {
        std::fs::write(folder.file(), content).unwrap();
        qa().load(folder.file()).unwrap_err().to_string()
    };
    let place = folder.file().display().to_string();
    assert!(said(b"{ \"query").starts_with(&place));
    assert!(said(b"\x80\x05pickle").contains("program.save(\"program.json\")"));
    let missing = qa().load(folder.0.join("none.json")).unwrap_err();
    assert!(
        missing.to_string().contains("none.json: ") || missing.to_string().contains("none.json"),
        "{missing}"
    );
    let mut text = b"\xef\xbb\xbf".to_vec();
    text.extend(serde_json::to_vec(&learnt().to_json().unwrap()).unwrap());
    std::fs::write(folder.file(), text).unwrap();
    assert!(qa().load(folder.file()).is_ok(), "a byte-order mark does no harm");
    learnt().save(folder.0.join("not/yet/there.json")).unwrap();
    assert!(qa().load(folder.0.join("not/yet/there.json")).is_ok(), "folders are made");
    let nowhere = learnt().save(folder.file().join("there.json")).unwrap_err();
    assert_eq!(nowhere.kind(), "state");
    assert!(
        nowhere.to_string().contains("there.json: ") && nowhere.to_string().contains("the folder "),
        "{nowhere}"
    );
}

#[test]
fn a_folder_with_a_pickled_program_says_what_it_is() {
    let folder = Folder::new();
    let said = |path: &PathBuf| qa().load(path).unwrap_err().to_string();
    let plain = said(&folder.0);
    assert!(plain.contains("is a folder; name the JSON file"), "{plain}");
    std::fs::write(folder.0.join("program.pkl"), b"\x80\x05pickle").unwrap();
    let metadata = folder.0.join("metadata.json");
    std::fs::write(&metadata, r#"{"dependency_versions": {"python": "3.11", "dspy": "3.4.1"}}"#).unwrap();
    for path in [&folder.0, &metadata, &folder.0.join("program.pkl")] {
        let said = said(path);
        assert!(said.contains("pickle") && said.contains("program.save(\"program.json\")"), "{said}");
        assert!(said.contains(&path.display().to_string()), "{said}");
    }
    let written = qa().save(&folder.0).unwrap_err().to_string();
    assert!(written.contains("is a folder"), "{written}");
}

#[test]
fn null_in_a_demonstration_means_left_out() {
    let mut state = learnt().to_json().unwrap();
    let demos = json!([{ "question": null, "reasoning": null, "query": null }, { "question": "q", "query": null, "reasoning": "r" }]);
    state["query.predict"]["demos"] = demos.clone();
    for own in [true, false] {
        if !own {
            state["metadata"] = json!({ "dependency_versions": {} });
        }
        let program = qa().load_json(&state).unwrap();
        let prompt = program.query.render("what?").unwrap();
        assert_eq!(prompt.len(), 4, "one demonstration shows nothing: {prompt}");
        let shown = prompt.to_string();
        assert!(shown.contains("[[ ## query ## ]]\n(left out") && !shown.contains("null"), "{shown}");
        assert_eq!(program.to_json().unwrap()["query.predict"]["demos"], demos, "the file stays as it was");
    }
    // Where the type has a null, it is one.
    let program = Predict::dynamic(DynSignature::parse("a -> b: Optional[int]").unwrap());
    let prompt =
        program.try_demos([json!({ "a": "x", "b": null })]).unwrap().render(Record::from([("a", "y")]));
    assert!(prompt.unwrap().to_string().contains("[[ ## b ## ]]\nnull"));
}

#[test]
fn a_model_of_another_provider_is_saved_as_it_was() {
    let lm = json!({
        "_dspy_lm_class": "dspy.clients.lm.LM", "model": "anthropic/none", "model_type": "chat", "cache": true,
        "num_retries": 3, "temperature": 0.5, "max_tokens": 4000, "thinking": { "type": "enabled" },
        "finetuning_model": null, "launch_kwargs": {}, "train_kwargs": {}
    });
    let mut state = Predict::<Query>::new().to_json().unwrap();
    state["lm"] = lm.clone();
    state["lm"]["api_base"] = json!("http://127.0.0.1:9/v1");
    let program = Predict::<Query>::new().load_json(&state).unwrap();
    assert_eq!(program.to_json().unwrap()["lm"], lm);
}

#[test]
fn readers_see_a_whole_file_at_any_moment() {
    let folder = Folder::new();
    let (short, long) = (qa(), learnt());
    short.save(folder.file()).unwrap();
    let states = [short.to_json().unwrap(), long.to_json().unwrap()];
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..100 {
                long.save(folder.file()).unwrap();
                short.save(folder.file()).unwrap();
            }
        });
        while !writer.is_finished() {
            let read = qa().load(folder.file()).unwrap().to_json().unwrap();
            assert!(states.contains(&read));
        }
    });
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "nothing is left over");
}

/// What DSPy 3.4.1 writes for a chain of thought after `BootstrapFewShot`, with a model set.
fn from_dspy() -> Value {
    json!({
        "predict": {
            "traces": [], "train": [],
            "demos": [
                { "augmented": true, "question": "1+2", "reasoning": "one and two", "query": "3" },
                { "question": "9+10", "query": "19" }
            ],
            "signature": {
                "instructions": "Add up.",
                "fields": [
                    { "prefix": "Question:", "description": "${question}" },
                    { "prefix": "Reasoning:", "description": "${reasoning}" },
                    { "prefix": "Query:", "description": "the sum" }
                ]
            },
            "lm": null
        },
        "metadata": { "dependency_versions": { "python": "3.11", "dspy": "3.4.1", "cloudpickle": "3.1" } }
    })
}

#[test]
fn a_file_of_dspy_is_taken_up() {
    let program = ChainOfThought::<Query>::new().load_json(&from_dspy()).unwrap();
    let predictor = program.predictors()[0].1;
    assert_eq!(predictor.instructions(), "Add up.");
    assert_eq!(predictor.spec().fields[2].desc, "the sum");
    assert_eq!(predictor.spec().fields[0].desc, "");
    let demos: Vec<(bool, usize)> = predictor.demos().iter().map(|d| (d.augmented, d.fields.len())).collect();
    assert_eq!(demos, [(true, 3), (false, 2)]);
    let prompt = program.render("2+2".to_owned()).unwrap().to_string();
    assert!(prompt.contains("one and two") && prompt.contains("Add up."), "{prompt}");
}

#[test]
fn a_file_of_dspy_for_other_fields_is_refused_where_that_shows() {
    let mut swapped = from_dspy();
    swapped["predict"]["signature"]["fields"].as_array_mut().unwrap().swap(0, 1);
    let said = refusal(ChainOfThought::<Query>::new(), &swapped);
    assert!(said.contains("`predict`, field `question`") && said.contains("another order"), "{said}");
    let mut short = from_dspy();
    short["predict"]["signature"]["fields"].as_array_mut().unwrap().pop();
    assert!(refusal(ChainOfThought::<Query>::new(), &short).contains("has 2 fields"));
    let mut renamed = from_dspy();
    renamed["predict"]["signature"]["fields"][0]["description"] = json!("${problem}");
    let said = refusal(ChainOfThought::<Query>::new(), &renamed);
    assert!(said.contains("`problem`") && said.contains("renamed"), "{said}");
}

#[tokio::test]
async fn a_model_is_saved_without_key_and_endpoint() {
    let lm =
        LM::builder("openai/tuned").api_base("http://localhost:1/v1").api_key("sk-secret").temperature(0.5);
    let lm = lm.retries(0).build().unwrap();
    let mut program = Predict::<Query>::new().lm(lm);
    let state = program.to_json().unwrap();
    assert_eq!((&state["lm"]["model"], &state["lm"]["temperature"]), (&json!("openai/tuned"), &json!(0.5)));
    let text = state.to_string();
    assert!(!text.contains("secret") && !text.contains("localhost"), "{text}");

    // A program that has the model keeps it, with its endpoint.
    program.restore(&state).unwrap();
    assert_eq!(program.predictor().lm().unwrap().model().endpoint(), "http://localhost:1/v1");
    // No file says where a key is sent, and a model that cannot be set up here says so when it is asked.
    let mut evil = state;
    evil["lm"]["api_base"] = json!("http://evil.example/v1");
    evil["lm"]["model"] = json!("nobody/knows");
    let loaded = Predict::<Query>::new().load_json(&evil).unwrap();
    assert_eq!(loaded.predictor().lm().unwrap().model().endpoint(), "");
    let error = loaded.call("q".to_owned()).await.unwrap_err();
    assert!(error.kind() == "configuration" && error.to_string().contains("nobody"), "{error}");
}

#[tokio::test]
async fn a_predictor_of_several_models_is_saved_with_all_of_them() {
    use dspy::lm::Cache;

    let one = |name: &str| {
        LM::builder(name).api_base("http://127.0.0.1:1/v1").cache(Cache::off()).retries(0).build().unwrap()
    };
    let chain = LM::fallback([one("openai/first"), LM::round_robin([one("groq/a"), one("groq/b")]).unwrap()]);
    let chain = chain.unwrap();
    let folder = Folder::new();
    let mut program = Predict::<Query>::new().lm(chain.clone());
    program.save(folder.file()).unwrap();
    // Into a program without a model: all of them are there, each as it can be set up here, and it is saved again as it was.
    let loaded = Predict::<Query>::new().load(folder.file()).unwrap();
    let lm = loaded.predictor().lm().unwrap();
    assert_eq!(lm.id(), "fallback(openai/first, round-robin(groq/a, groq/b))");
    assert_eq!(loaded.to_json().unwrap()["lm"], program.to_json().unwrap()["lm"]);
    // A program that has these models keeps them, with their endpoints.
    program.restore(&loaded.to_json().unwrap()).unwrap();
    assert_eq!(program.predictor().lm().unwrap().model().endpoint(), chain.model().endpoint());
    // What is wrong in one of them is named.
    let mut state = loaded.to_json().unwrap();
    state["lm"]["models"][1]["models"][0]["temperature"] = json!("warm");
    let error = Predict::<Query>::new().load_json(&state).unwrap_err();
    assert!(error.to_string().contains("lm.models[1].models[0].temperature"), "{error}");
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_read() {
    let folder = Folder::new();
    std::fs::File::create(folder.file()).unwrap().set_len(257 << 20).unwrap();
    let error = qa().load(folder.file()).unwrap_err();
    assert!(error.to_string().contains("larger than 256 MiB"), "{error}");
}
