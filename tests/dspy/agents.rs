//! Agents, comparisons and attempts: their files from DSPy, and back.

use std::path::Path;

use dspy::{lm::StubModel, module::Module, prelude::*};
use serde_json::{Value, json};

use super::{pythons, script, shown};

/// Answer the question about towns.
#[signature]
struct Towns {
    /// what to find out
    #[input]
    question: String,
    #[output]
    answer: i64,
    /// where it stands
    #[output]
    source: String,
}

/// Look up how many inhabitants a town had.
#[tool]
async fn look_up(town: String, #[arg(default = 2020)] year: i64) -> String {
    format!("{town} had 97,000 inhabitants in {year}.")
}

/// Add numbers.
#[tool]
fn add(numbers: Vec<f64>) -> f64 {
    numbers.iter().sum()
}

fn agent() -> ReAct<Towns> {
    ReAct::<Towns>::builder().tool(look_up).tool(add).max_iters(5).build()
}

/// The comparison of a program of DSPy that holds one under the name `compare`.
#[module]
struct Compare {
    compare: MultiChainComparison<Towns>,
}

impl Module for Compare {
    type Input = <MultiChainComparison<Towns> as Module>::Input;
    type Output = <MultiChainComparison<Towns> as Module>::Output;

    async fn forward(&self, input: Self::Input) -> Result<Self::Output> {
        Ok(self.compare.call(input).await?.into_inner())
    }
}

fn compare() -> Compare {
    Compare { compare: MultiChainComparison::new().attempts(2) }
}

fn best_of_n() -> impl Module<Input = TownsInput> {
    let any = |_: &TownsInput, _: &Reasoned<TownsOutput>| true;
    BestOfN::new(ChainOfThought::<Towns>::new(), 2, any, 1.0)
}

/// What the agent sends, in the order of the requests; the model looks the town up and answers.
async fn sent(mut agent: ReAct<Towns>) -> Vec<String> {
    let lm = StubModel::scripted([
        r#"{"next_thought": "I look.", "next_tool_name": "look_up", "next_tool_args": {"town": "Tartu"}}"#,
        r#"{"next_thought": "Done.", "next_tool_name": "finish", "next_tool_args": {}}"#,
        r#"{"reasoning": "It was looked up.", "answer": 97000, "source": "the gazetteer"}"#,
    ])
    .capabilities(dspy::lm::Capabilities::none());
    agent.set_lm(&lm);
    assert_eq!(agent.call("How many live in Tartu?").await.unwrap().answer, 97_000);
    let text = |request: &dspy::lm::Request| {
        request.prompt.messages().map(|m| m.content.text().to_owned()).collect::<Vec<_>>().join("\n")
    };
    lm.requests().iter().map(text).collect()
}

/// An agent that DSPy compiled is one here: instructions, words and demonstrations, whose steps DSPy wrote as text.
async fn is_the_compiled_agent(file: &Path, instructions: &str) {
    let loaded = agent().load(file).unwrap();
    let saved: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(loaded.react().instructions(), instructions);
    let demos = |path: &str| saved[path]["demos"].as_array().unwrap().len();
    assert_eq!((loaded.react().demos().len(), demos("react")), (1, 1));
    let extract = loaded.extract().predictor().demos();
    assert_eq!((extract.len(), demos("extract.predict")), (1, 1));
    assert_eq!(extract[0].fields["answer"], 97_000);

    let sent = sent(loaded.clone()).await;
    let first = instructions.lines().next().unwrap();
    for part in [first, "`look_up`: Look up how many", "to be looked up", "How many live in Tartu?"] {
        assert!(sent[0].contains(part), "{part}: {}", sent[0]);
    }
    for part in ["[[ ## thought_0 ## ]]\nThe town is", "Now it is known: “97,000”.", "the gazetteer"] {
        // What would be a header of the format is marked as text.
        let shown = sent[2].contains(part) || sent[2].contains(&part.replace("[[ ##", "\\[[ ##"));
        assert!(shown, "{part}: {}", sent[2]);
    }
    // Saved here and loaded again, it is the same.
    let ours = loaded.to_json().unwrap();
    let again = agent().load_json(&ours).unwrap();
    assert_eq!((again.to_json().unwrap(), super::agents::sent(again).await), (ours, sent));
}

fn recorded(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dspy").join(name)
}

/// The files were written by `tests/peers/dspy_agent.py save FOLDER own` with DSPy 3.4.1.
#[tokio::test]
async fn recorded_files_of_dspy_load() {
    let words = "Say how many live there.\n\nThe tools know it: `look_up`, `add`, `finish`.";
    is_the_compiled_agent(&recorded("react.json"), words).await;
    let best = best_of_n().load(recorded("best_of_n.json")).unwrap();
    let predictors = best.predictors();
    assert_eq!(
        predictors.iter().map(|(path, p)| (path.as_str(), p.instructions())).collect::<Vec<_>>(),
        [("module.predict", words)]
    );
}

#[tokio::test]
async fn agents_go_to_dspy_and_come_back() {
    for python in pythons() {
        let folder = std::env::temp_dir().join(format!("dspy-interop-agents-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        there_and_back(&python, &folder).await;
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

async fn there_and_back(python: &Path, folder: &Path) {
    let ran = |arguments: &[&std::ffi::OsStr]| script(python, "dspy_agent.py", arguments);
    let Some(written) = ran(&["save".as_ref(), folder.as_os_str()]) else { return };
    println!("with DSPy {}", written["version"]);

    // With the instructions that DSPy composes, which list the tools.
    let file = folder.join("react.json");
    let saved: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let theirs = saved["react"]["signature"]["instructions"].as_str().unwrap();
    assert!(theirs.contains("(1) look_up"), "{theirs}");
    is_the_compiled_agent(&file, theirs).await;

    let loaded = compare().load(folder.join("comparison.json")).unwrap();
    let demo = &loaded.compare.predictor().demos()[0];
    assert_eq!(
        (&demo.fields["reasoning"], &demo.fields["answer"]),
        (&json!("Both attempts agree."), &json!(97000))
    );
    let attempts = vec![Reasoned::new("I know.", TownsOutput { answer: 1, source: "a map".into() }); 2];
    let prompt = loaded.compare.render((TownsInput { question: "?".into() }, attempts)).unwrap().to_string();
    assert!(prompt.contains("I recall it 1.") && prompt.contains("Both attempts agree."), "{prompt}");
    assert!(!prompt.contains("${"), "{prompt}");
    best_of_n().load(folder.join("best_of_n.json")).unwrap();

    // From here: words of tools, a demonstration with typed steps, instructions.
    let mut ours = agent().load(&file).unwrap();
    let mut words = ours.tool_words()[0].clone();
    words.description = "Knows every town.".into();
    ours.react_mut().set_tools(&[words]).unwrap();
    ours.react_mut().set_instructions("Answer about towns.");
    let mut found = ours.clone();
    let lm = StubModel::scripted([
        r#"{"next_thought": "I look.", "next_tool_name": "look_up", "next_tool_args": {"town": "Tartu"}}"#,
        r#"{"next_thought": "Done.", "next_tool_name": "finish", "next_tool_args": {}}"#,
        r#"{"reasoning": "So it is.", "answer": 97000, "source": "g"}"#,
    ]);
    found.set_lm(&lm);
    let p = found.call("How many live in Tartu?").await.unwrap();
    let last = p.trace().iter().rfind(|step| step.path.as_deref() == Some("react")).unwrap();
    let mut fields = last.input_json().as_object().cloned().unwrap();
    fields.extend(last.output_json().unwrap().as_object().cloned().unwrap());
    ours.react_mut().set_demos(vec![Demo::new(fields)]);
    let file = folder.join("ours.json");
    ours.save(&file).unwrap();

    let taken_up = ran(&["load".as_ref(), file.as_os_str()]).unwrap();
    assert_eq!(taken_up["answer"], 97_000, "DSPy runs it");
    let react = &taken_up["predictors"]["react"];
    let told = react["instructions"].as_str().unwrap();
    assert!(told.starts_with("Answer about towns.") && told.contains("Knows every town."), "{told}");
    assert_eq!(
        (react["messages"].as_u64(), react["demos"][0]["next_tool_name"].as_str()),
        (Some(4), Some("finish"))
    );
    let steps = react["demos"][0]["trajectory"].as_str().unwrap();
    assert!(steps.contains("97,000 inhabitants in 2020"), "{steps}");
    let mut extract = taken_up["predictors"]["extract.predict"].clone();
    extract.as_object_mut().unwrap().shift_remove("messages");
    assert_eq!(extract, shown(ours.extract().predictor()));
}
