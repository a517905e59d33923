//! The words in which models are told of the functions that their code may call.

use std::sync::{Arc, Mutex};

use dspy::{
    Approval,
    lm::{Cache, Request, StubModel},
    optimize::{Parameters, gepa::Component, gepa::Reflection},
    prelude::*,
    sandbox::Python,
    tool::ToolWords,
};
use serde_json::{Value, json};

use crate::{saying, world::chat};

/// Answer the question about towns.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: u64,
}

/// Look up a town.
#[tool]
async fn look_up(
    /// its name
    town: String,
) -> Result<u64> {
    match town.as_str() {
        "Tartu" => Ok(97_000),
        other => Err(Error::other(format!("no town is called {other}"))),
    }
}

/// Add numbers.
#[tool]
async fn add(numbers: Vec<u64>) -> u64 {
    numbers.into_iter().sum()
}

fn other_words(own: &[ToolWords]) -> ToolWords {
    let mut words = own[0].clone();
    (words.name, words.description) = ("inhabitants".into(), "Knows every town.".into());
    words.arguments.insert("town".into(), "in the local language".into());
    words
}

fn agent() -> CodeAct<Qa> {
    CodeAct::<Qa>::builder().tool(look_up).tool(add).interpreter(Python::in_process()).build()
}

fn learnt() -> CodeAct<Qa> {
    let mut agent = agent();
    let words = other_words(agent.tool_words());
    agent.codeact_mut().predictor_mut().set_tools(&[words]).unwrap();
    agent.codeact_mut().predictor_mut().set_instructions("Count people.");
    agent
}

fn prompt(agent: &CodeAct<Qa>) -> String {
    let mut agent = agent.clone();
    agent.set_lm(StubModel::scripted([""]));
    agent.render("How many?").unwrap().to_string()
}

fn code(code: &str, finished: bool) -> String {
    chat(&[("generated_code", &format!("```python\n{code}\n```")), ("finished", &finished.to_string())])
}

fn answer(answer: u64) -> String {
    chat(&[("reasoning", "It is so."), ("answer", &answer.to_string())])
}

#[test]
fn words_are_shown_saved_and_taken_back() {
    let learnt = learnt();
    let shown = prompt(&learnt);
    for part in [
        "- `inhabitants(town: str)`: Knows every town.\n      town: in the local language\n    - `add(",
        "Count people.",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("look_up"), "{shown}");

    let saved = learnt.to_json().unwrap();
    let instructions = saved["codeact"]["signature"]["instructions"].as_str().unwrap();
    assert!(instructions.contains("`inhabitants(town: str)`"), "{instructions}");
    assert_eq!(saved["metadata"]["dspy_rs"]["predictors"]["codeact"]["tools"].as_array().unwrap().len(), 2);
    assert_eq!(saved["metadata"]["dspy_rs"]["predictors"]["extractor.predict"].get("tools"), None);
    let mut loaded = agent().load_json(&saved).unwrap();
    assert_eq!(loaded.codeact().predictor().instructions(), "Count people.");
    assert_eq!((loaded.to_json().unwrap(), prompt(&loaded)), (saved, shown.clone()));
    loaded.reset();
    assert_eq!((loaded.tool_words(), prompt(&loaded)), (agent().tool_words(), prompt(&agent())));

    let parameters =
        Parameters::of(&learnt.predictors().iter().map(|(p, q)| (p.clone(), *q)).collect::<Vec<_>>());
    assert_eq!(parameters.get("codeact").unwrap().tools[0].name, "inhabitants");
    let mut other = agent();
    parameters.apply_to(other.predictors_mut());
    assert_eq!(prompt(&other), shown);
}

#[test]
fn a_file_without_words_of_tools_loads() {
    let mut saved = agent().to_json().unwrap();
    let record = &mut saved["metadata"]["dspy_rs"]["predictors"]["codeact"];
    record.as_object_mut().unwrap().remove("tools");
    let loaded = agent().load_json(&saved).unwrap();
    assert_eq!((loaded.tool_words(), prompt(&loaded)), (agent().tool_words(), prompt(&agent())));
}

#[test]
fn names_that_code_cannot_use_are_refused() {
    let mut ask = RLM::<Qa>::builder().tool(look_up).tool(add).build();
    let own = ask.tool_words()[0].clone();
    for (name, why) in [
        ("look-up", "one that code can use"),
        ("class", "no word of the language"),
        ("2nd", "no digit first"),
        ("question", "in the code it is something else"),
        ("llm_query", "in the code it is something else"),
        ("submit", "in the code it is something else"),
        ("add", "two tools have the name `add`"),
    ] {
        let mut words = own.clone();
        words.name = name.into();
        let error = ask.generate_action_mut().predictor_mut().set_tools(&[words]).unwrap_err().to_string();
        assert!(error.contains(why), "{name}: {error}");
        assert_eq!(ask.tool_words()[0], own);
    }
    let mut words = own.clone();
    words.arguments.insert("street".into(), "where".into());
    let error = ask.generate_action_mut().predictor_mut().set_tools(&[words]).unwrap_err().to_string();
    assert!(error.contains("the tool `look_up` has no argument `street`"), "{error}");

    let mut none = ProgramOfThought::<Qa>::new();
    let error = none.code_generate_mut().predictor_mut().set_tools(&[own]).unwrap_err().to_string();
    assert!(error.contains("it has no tools"), "{error}");

    let mut saved = learnt().to_json().unwrap();
    saved["metadata"]["dspy_rs"]["predictors"]["codeact"]["tools"][0]["name"] = json!("import");
    let error = agent().load_json(&saved).unwrap_err().to_string();
    assert!(error.contains("predictor `codeact`, field `tools`") && error.contains("`import`"), "{error}");
}

#[tokio::test]
async fn code_calls_functions_by_the_names_that_it_was_told() {
    dspy::sandbox::init();
    let world = saying([
        code("inhabitants('Tatru')", false),
        code("add([inhabitants('Tartu'), 3])", true),
        answer(97_003),
    ])
    .await;
    let approved: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = approved.clone();
    let approve = move |call: dspy::value::ToolCall| {
        log.lock().unwrap().push(call.name);
        async { Approval::Allow }
    };
    let mut agent = CodeAct::<Qa>::builder().tool(look_up).tool(add).approve(approve).build();
    let words = other_words(agent.tool_words());
    agent.codeact_mut().predictor_mut().set_tools(&[words]).unwrap();
    agent.set_lm(world.lm.clone());
    let p = agent.call("How many?").await.unwrap();
    assert_eq!(p.answer, 97_003);
    // Who approves calls knows the tools by the names that they have in the program.
    assert_eq!(*approved.lock().unwrap(), ["look_up", "look_up", "add"]);
    let trajectory = p.code().unwrap();
    let steps: Vec<_> = trajectory.steps().collect();
    assert!(steps[0].output.contains("`inhabitants` failed: no town is called Tatru"), "{}", steps[0].output);
    let calls = &steps[1].outcome.as_ref().unwrap().calls;
    assert_eq!(calls.iter().map(|call| call.tool.as_str()).collect::<Vec<_>>(), ["inhabitants", "add"]);
}

#[tokio::test]
async fn code_that_is_written_anew_may_use_the_names_of_both() {
    dspy::sandbox::init();
    let written =
        |text: &str| chat(&[("reasoning", "So."), ("generated_code", &format!("```python\n{text}\n```"))]);
    let world = saying([
        written("look_up('Tartu') + oops"),
        written("inhabitants('Tartu') + look_up('Tartu')"),
        answer(194_000),
    ])
    .await;
    let mut solve = ProgramOfThought::<Qa>::builder().tool(look_up).lm(world.lm.clone()).build();
    let words = other_words(solve.tool_words());
    solve.code_regenerate_mut().predictor_mut().set_tools(&[words]).unwrap();
    let p = solve.call("How many?").await.unwrap();
    assert_eq!((p.answer, world.count()), (194_000, 3));
    let asked = world.requests();
    assert!(
        asked[0][0].1.contains("`look_up(town: str)`") && asked[1][0].1.contains("`inhabitants(town: str)`")
    );
}

#[tokio::test]
async fn an_rlm_has_words_of_its_tools_too() {
    dspy::sandbox::init();
    let action = |text: &str| chat(&[("reasoning", "So."), ("code", &format!("```python\n{text}\n```"))]);
    let world = saying([action("submit(inhabitants('Tartu'))")]).await;
    let mut ask = RLM::<Qa>::builder().tool(look_up).lm(world.lm.clone()).build();
    let words = other_words(ask.tool_words());
    ask.generate_action_mut().predictor_mut().set_tools(&[words]).unwrap();
    let saved = ask.to_json().unwrap();
    let mut loaded = RLM::<Qa>::builder().tool(look_up).build().load_json(&saved).unwrap();
    assert_eq!(loaded.tool_words(), ask.tool_words());
    loaded.set_lm(world.lm.clone());
    assert_eq!(loaded.call("How many?").await.unwrap().answer, 97_000);
    assert!(world.requests()[0][0].1.contains("`inhabitants(town: str)`: Knows every town."));
}

/// Calls the function for which it is told to, under the name that it is told.
fn by_words(request: &Request) -> String {
    let texts: Vec<String> = request.prompt.messages().map(|m| m.content.text().to_owned()).collect();
    let (system, user) = (&texts[0], texts.last().unwrap());
    if !system.contains("`finished`") {
        let found = user.rsplit("output: ").next().unwrap().split_whitespace().next().unwrap_or("0");
        return answer(found.parse().unwrap_or(0));
    }
    match system.contains("look_up(town: str)`: Use it for towns.") {
        true => code("look_up('Tartu')", true),
        false => code("0", true),
    }
}

#[tokio::test]
async fn gepa_rewrites_them() {
    let lm = StubModel::from_fn(by_words).builder().cache(Cache::memory(1_000)).retries(0).build().unwrap();
    let row = |n: usize| Qa { question: format!("How many live in Tartu? ({n})"), answer: 97_000 };
    let rows: Vec<Qa> = (0..8).map(row).collect();
    let seen: Arc<Mutex<Vec<Reflection>>> = Arc::default();
    let log = seen.clone();
    let propose = move |reflection: Reflection| {
        let text = match &reflection.component {
            // A name that code cannot use is left out, the rest is taken.
            Component::Tool { tool, .. } if tool == "look_up" => {
                json!({"name": "look-up", "description": "Use it for towns.", "arguments": {"street": "?"}})
                    .to_string()
            }
            _ => String::new(),
        };
        log.lock().unwrap().push(reflection);
        async move { Ok(text) }
    };
    let metric = |gold: &Qa, found: &QaOutput| gold.answer == found.answer;
    let optimizer = GEPA::new().tool_words(true).all_components().propose_with(propose).progress(false);
    let optimizer = optimizer.max_metric_calls(200);
    let compiled = dspy::with(|c| c.lm(lm), optimizer.compile(agent(), &rows, metric)).await.unwrap();
    assert_eq!(compiled.report.val.after, Some(1.0), "{}", compiled.report);
    let words = &compiled.program.tool_words()[0];
    assert_eq!((words.name.as_str(), words.description.as_str()), ("look_up", "Use it for towns."));
    assert_eq!(words.arguments.keys().collect::<Vec<_>>(), ["town"]);
    let seen = seen.lock().unwrap();
    let tool = |r: &&Reflection| matches!(&r.component, Component::Tool { path, tool } if **path == *"codeact" && tool == "look_up");
    let reflection = seen.iter().find(tool).unwrap();
    assert!(reflection.tools_text().contains("- add: Add numbers."), "{}", reflection.tools_text());
    let shown: Value = serde_json::to_value(&reflection.examples[0].inputs).unwrap();
    assert!(shown.to_string().contains("How many live in Tartu?"), "{shown}");
}

#[tokio::test]
async fn tools_whose_names_code_cannot_use_are_an_error_before_anything_is_sent() {
    let lm = StubModel::scripted(["{}"]);
    let named = |name: &str| Tool::from_fn(look_up).named(name);
    let failure = |tools: Vec<Tool>| {
        let lm = lm.clone();
        async move {
            let ask = RLM::<Qa>::builder().tools(tools).lm(&lm).build();
            ask.call("?").await.unwrap_err().to_string()
        }
    };
    for (name, why) in [
        ("look-up", "code cannot use `look-up`, the name of the tool, as a name"),
        ("look up", "code cannot use"),
        ("", "code cannot use"),
        ("lambda", "code cannot use"),
        ("submit", "the tool `submit` has the name of a function of the module"),
        ("print", "has the name of a function of the module"),
        ("llm_query", "has the name of a function of the module"),
        ("question", "two inputs or tools are called `question`"),
    ] {
        let error = failure(vec![named(name)]).await;
        assert!(error.contains(why) && error.contains("`Tool::named`"), "{name}: {error}");
    }
    let twice = failure(vec![named("a"), named("a")]).await;
    assert!(twice.contains("two inputs or tools are called `a`"), "{twice}");
    assert_eq!(lm.requests().len(), 0);
}

#[tokio::test]
async fn results_of_megabytes_reach_neither_the_code_nor_the_prompt() {
    let huge = |name: &str, list: bool| {
        #[value]
        struct NoArguments {}
        Tool::typed(name, "Gives much.", move |_: NoArguments| async move {
            let text = "x".repeat(5_000_000);
            Ok::<_, Error>(if list { json!([text]) } else { json!(text) })
        })
    };
    let lm = StubModel::scripted([
        code("len(text())", false),
        code("items()", true),
        code("try:\n    items()\nexcept RuntimeError as e:\n    print(e)", true),
        answer(1),
    ]);
    let agent = CodeAct::<Qa>::builder().tool(huge("text", false)).tool(huge("items", true));
    let agent = agent.interpreter(Python::in_process()).lm(&lm).build();
    let p = agent.call("How much?").await.unwrap();
    let outputs: Vec<String> = p.code().unwrap().steps().map(|step| step.output.clone()).collect();
    assert!(outputs[0].parse::<usize>().unwrap() < 21_000, "{}", outputs[0]);
    for output in &outputs[1..] {
        assert!(output.contains("the result of `items` has 5000004 characters as JSON"), "{output}");
    }
}
