//! What is learnt of an agent, and the files that hold it.

use dspy::{optimize::Parameters, prelude::*};
use serde_json::{Value, json};

use super::{Qa, add, answer, finish, in_text, look_up, step};
use crate::model::run;

fn agent() -> ReAct<Qa> {
    ReAct::<Qa>::builder().tool(look_up).tool(add).native_tools(false).build()
}

/// An agent whose tools are described in other words.
fn learnt() -> ReAct<Qa> {
    let mut agent = agent();
    let mut words = agent.tool_words()[0].clone();
    (words.name, words.description) = ("gazetteer".into(), "Knows every town.".into());
    words.arguments.insert("town".into(), "in the local language".into());
    agent.react_mut().set_tools(&[words]).unwrap();
    agent.react_mut().set_instructions("Answer about towns, briefly.");
    agent
}

fn system(agent: &ReAct<Qa>) -> String {
    run_prompt(agent.clone())
}

fn run_prompt(agent: ReAct<Qa>) -> String {
    let prompt = std::sync::Mutex::new(String::new());
    run(async {
        let model = in_text([finish(), answer(1)]).await;
        let mut agent = agent;
        agent.set_lm(model.lm.clone());
        agent.call("How many?").await.unwrap();
        *prompt.lock().unwrap() = model.asked()[0].texts("system").concat();
    });
    prompt.into_inner().unwrap()
}

#[test]
fn words_of_tools_are_shown_called_and_saved() {
    let learnt = learnt();
    let prompt = system(&learnt);
    for part in [
        "`gazetteer`: Knows every town.",
        "town: string // in the local language",
        "\"gazetteer\" |",
        "briefly",
    ] {
        assert!(prompt.contains(part), "{part}: {prompt}");
    }
    assert!(!prompt.contains("look_up"), "{prompt}");

    let saved = learnt.to_json().unwrap();
    assert!(saved["react"]["signature"]["instructions"].as_str().unwrap().contains("`gazetteer`"));
    let loaded = agent().load_json(&saved).unwrap();
    assert_eq!(loaded.react().instructions(), "Answer about towns, briefly.");
    assert_eq!((loaded.to_json().unwrap(), system(&loaded)), (saved, prompt));

    run(async {
        let model = in_text([step("", "gazetteer", r#"{"town": "Tartu"}"#), finish(), answer(97_000)]).await;
        let mut loaded = loaded;
        loaded.set_lm(model.lm.clone());
        let p = loaded.call("How many?").await.unwrap();
        let action = p.trajectory().unwrap().actions().next().unwrap();
        assert_eq!((action.tool.as_str(), action.observation.is_ok()), ("gazetteer", true));
        loaded.reset();
        assert_eq!(loaded.tool_words(), agent().tool_words());
    });
}

#[test]
fn a_file_that_does_not_fit_the_tools_is_refused() {
    let saved = learnt().to_json().unwrap();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut saved = saved.clone();
        change(&mut saved["metadata"]["dspy_rs"]["predictors"]["react"]["tools"][0]);
        agent().load_json(&saved).unwrap_err().to_string()
    };
    let unknown = refused(&|tool| tool["tool"] = json!("look_down"));
    assert!(
        unknown.contains("predictor `react`, field `tools`") && unknown.contains("`look_down`"),
        "{unknown}"
    );
    let argument = refused(&|tool| tool["arguments"] = json!({"street": "where"}));
    assert!(argument.contains("no argument `street`"), "{argument}");
    assert!(refused(&|tool| tool["name"] = json!("add")).contains("two tools"));
    assert!(refused(&|tool| *tool = json!(7)).contains("`tools` must be a list"));
}

#[test]
fn optimizers_change_the_words_of_tools() {
    let learnt = learnt();
    let parameters =
        Parameters::of(&learnt.predictors().iter().map(|(p, q)| (p.clone(), *q)).collect::<Vec<_>>());
    assert_eq!(parameters.get("react").unwrap().tools[0].name, "gazetteer");
    assert_eq!(parameters.get("react").unwrap().tools.len(), 3);
    let mut other = agent();
    parameters.apply_to(other.predictors_mut());
    assert_eq!((other.tool_words(), system(&other)), (learnt.tool_words(), system(&learnt)));
}

#[test]
fn a_file_of_dspy_loads() {
    let field = |prefix: &str, name: &str| json!({"prefix": prefix, "description": format!("${{{name}}}")});
    let steps = field("Trajectory:", "trajectory");
    let saved = json!({
        "react": {
            "traces": [], "train": [],
            "demos": [{
                "augmented": true, "question": "1+1", "trajectory": "[[ ## thought_0 ## ]]\nI add.",
                "next_thought": "Done.", "next_tool_name": "finish", "next_tool_args": {}
            }],
            "signature": {
                "instructions": "Answer with numbers.\n\nYou are an agent with (1) look_up and (2) finish.",
                "fields": [
                    field("Question:", "question"), steps, field("Next Thought:", "next_thought"),
                    field("Next Tool Name:", "next_tool_name"), field("Next Tool Args:", "next_tool_args"),
                ]
            },
            "lm": null
        },
        "extract.predict": {
            "traces": [], "train": [], "demos": [],
            "signature": {
                "instructions": "Answer with numbers.",
                "fields": [
                    field("Question:", "question"), steps, field("Reasoning:", "reasoning"), field("Answer:", "answer"),
                ]
            },
            "lm": null
        },
        "metadata": {"dependency_versions": {"python": "3.11", "dspy": "3.4.1", "cloudpickle": "3.1"}}
    });
    let loaded = agent().load_json(&saved).unwrap();
    let prompt = system(&loaded);
    assert!(
        prompt.contains("(1) look_up and (2) finish") && prompt.contains("`look_up`: Look up"),
        "{prompt}"
    );
    assert_eq!(loaded.react().demos().len(), 1);
    let again = agent().load_json(&loaded.to_json().unwrap()).unwrap();
    assert_eq!(system(&again), prompt);
}

#[test]
fn steps_become_demonstrations() {
    run(async {
        let look = step("I look it up.", "look_up", r#"{"town": "Tartu"}"#);
        let model = in_text([look.clone(), finish(), answer(97_000), look, finish(), answer(97_000)]).await;
        let agent = ReAct::<Qa>::builder().tool(look_up).lm(model.lm.clone()).build();
        let rows = vec![Qa { question: "How many live in Tartu?".into(), answer: 97_000 }];
        let metric = |gold: &Qa, found: &super::QaOutput| gold.answer == found.answer;
        let mut compiled =
            BootstrapFewShot::new().compile(agent.clone(), &rows, metric).await.unwrap().program;
        // One run of a predictor in a row makes one demonstration.
        assert_eq!((compiled.react().demos().len(), compiled.extract().predictor().demos().len()), (1, 1));
        let p = agent.call("How many live in Tartu?").await.unwrap();
        let demo = |step: &dspy::module::TraceStep| {
            let mut fields = step.input_json().as_object().cloned().unwrap();
            fields.extend(step.output_json().unwrap().as_object().cloned().unwrap());
            Demo::new(fields)
        };
        let steps = p.trace().iter().filter(|step| step.path.as_deref() == Some("react"));
        compiled.react_mut().set_demos(steps.map(demo).collect());
        assert_eq!(compiled.react().demos()[1].fields["next_tool_name"], "finish");
        let saved = compiled.to_json().unwrap();
        let trajectory = saved["react"]["demos"][1]["trajectory"].as_str().unwrap();
        assert!(trajectory.starts_with("Step 1\nthought: I look it up."), "{trajectory}");
        let loaded = ReAct::<Qa>::builder().tool(look_up).build().load_json(&saved).unwrap();
        assert_eq!(loaded.to_json().unwrap(), saved);
        // Text and native calls show them, from the file as before.
        for native in [false, true] {
            let prompt = |mut program: ReAct<Qa>| async move {
                let model = in_text([finish(), answer(1)]).await;
                let set = ReAct::<Qa>::builder().tool(look_up).native_tools(native).build();
                program = set.load_json(&program.to_json().unwrap()).unwrap();
                program.set_lm(model.lm.clone());
                program.call("How many?").await.unwrap();
                model.asked()[0].body["messages"].clone()
            };
            let (before, after) = (prompt(compiled.clone()).await, prompt(loaded.clone()).await);
            assert_eq!(before, after);
            assert!(before.to_string().contains("How many live in Tartu?"));
        }
    });
}

#[test]
fn mistakes_are_told_in_the_words_that_the_model_knows() {
    run(async {
        let model = in_text([step("", "gazetteer", "{}"), finish(), answer(1)]).await;
        let approved: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
        let log = approved.clone();
        let approve = move |call: dspy::value::ToolCall| {
            log.lock().unwrap().push(call.name);
            async { dspy::Approval::Allow }
        };
        let mut agent = ReAct::<Qa>::builder().tool(look_up).approve(approve).lm(model.lm.clone()).build();
        agent.react_mut().set_tools(&learnt().tool_words()[..1]).unwrap();
        let p = agent.call("How many?").await.unwrap();
        let seen = p.trajectory().unwrap().actions().next().unwrap().observation.text.clone();
        assert!(seen.starts_with("`gazetteer` was not called: `town` is missing."), "{seen}");
        assert!(seen.contains("town: string // in the local language"), "{seen}");
        // Who approves calls knows the tool by the name that it has in the program.
        assert_eq!(*approved.lock().unwrap(), ["look_up"]);
    });
}
