//! Files of these modules go to DSPy (Python) and come back. Runs with each interpreter that `DSPY_PEER_PYTHON` names and
//! that can import `dspy` 3.1 or later.

use std::{path::Path, process::Command};

use dspy::prelude::*;
use serde_json::Value;

/// Answer the question.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: i64,
}

/// Look up a town.
#[tool]
async fn look_up(town: String) -> usize {
    town.len()
}

fn exchanged<P: Program>(make: impl Fn() -> P, name: &str, folder: &Path) {
    let file = folder.join(format!("{name}.dspy.json"));
    let loaded = make().load(&file).unwrap();
    let theirs: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    for (path, predictor) in loaded.predictors() {
        let instructions = &theirs[&path]["signature"]["instructions"];
        assert_eq!(instructions, &predictor.spec().instructions, "{name}, {path}");
    }
}

#[test]
#[allow(clippy::print_stderr)]
fn files_are_exchanged_with_dspy() {
    let named = std::env::var_os("DSPY_PEER_PYTHON").unwrap_or_default();
    let mut exchanges = 0;
    for python in std::env::split_paths(&named).filter(|path| path.exists()) {
        exchanges += usize::from(exchange(&python));
    }
    if exchanges == 0 {
        eprintln!("skipped: DSPY_PEER_PYTHON names no interpreter that can import dspy 3.1");
    }
}

/// Whether this interpreter has the modules.
#[allow(clippy::print_stderr)]
fn exchange(python: &Path) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let own = |name: &str| folder.path().join(format!("{name}.json"));
    let agent = || CodeAct::<Qa>::builder().tool(look_up).build();
    ProgramOfThought::<Qa>::new().save(own("ProgramOfThought")).unwrap();
    agent().save(own("CodeAct")).unwrap();
    RLM::<Qa>::new().save(own("RLM")).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/dspy_code.py");
    let ran = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    if ran.status.code() == Some(77) {
        eprintln!("skipped {}: {}", python.display(), String::from_utf8_lossy(&ran.stderr).trim());
        return false;
    }
    assert!(ran.status.success(), "{}: {}", python.display(), String::from_utf8_lossy(&ran.stderr));
    let taken: Value = serde_json::from_slice(&ran.stdout).unwrap();
    for (name, path, part) in [
        ("ProgramOfThought", "code_generate.predict", "write code that does, as `generated_code`"),
        ("CodeAct", "codeact", "`look_up(town: str)`"),
        ("RLM", "generate_action", "`llm_query(prompt)`"),
    ] {
        let instructions = taken[name][path].as_str().unwrap();
        assert!(instructions.starts_with("Answer the question.\n\n"), "{name}: {instructions}");
        assert!(instructions.contains(part), "{name}: {instructions}");
    }
    exchanged(ProgramOfThought::<Qa>::new, "ProgramOfThought", folder.path());
    exchanged(agent, "CodeAct", folder.path());
    exchanged(RLM::<Qa>::new, "RLM", folder.path());
    true
}
