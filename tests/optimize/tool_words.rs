//! The words of an agent's tools as components of GEPA, on a model that goes by them.

use std::sync::Mutex;

use dspy::{
    evaluate::Score,
    lm::{Cache, Capabilities, Request, StubModel},
    optimize::{
        CandidateId,
        gepa::{Component, Reflection},
    },
    prelude::*,
};
use serde_json::json;

/// Say what the part costs.
#[signature]
struct Ask {
    #[input]
    question: String,
    #[output]
    price: String,
}

/// Looks something up.
#[tool]
fn by_name(name: String) -> String {
    if name.starts_with("number") { "nothing found".into() } else { format!("price {}", name.len()) }
}

/// Looks something up.
#[tool]
fn by_number(
    /// what to look for
    number: String,
) -> String {
    format!("price {number}")
}

fn rows(numbers: std::ops::Range<usize>) -> Vec<Ask> {
    let row = |n: usize| match n % 3 {
        0 => Ask { question: format!("bolt{n}"), price: format!("{}", format!("bolt{n}").len()) },
        _ => Ask { question: format!("number {n}"), price: n.to_string() },
    };
    numbers.map(row).collect()
}

/// Takes the tool for numbers when its description says so, under whatever name it has, and gives the bare number when
/// the argument's description asks for digits.
fn answer(request: &Request) -> String {
    let texts: Vec<String> = request.prompt.messages().map(|m| m.content.text().to_owned()).collect();
    let (system, user) = (&texts[0], texts.last().unwrap());
    let section = |name: &str| {
        let rest = user.split(&format!("[[ ## {name} ## ]]\n")).nth(1).unwrap_or_default();
        rest.split("\n\n[[").next().unwrap_or_default().trim().to_owned()
    };
    let answer = if system.contains("`current_words`") {
        // Words for one that is no tool for numbers are of no use; the second argument does not exist.
        match section("tool").as_str() {
            "by_number" => json!({
                "name": "part_by_number",
                "description": "Looks a part up. Use it for numbers.",
                "arguments": { "number": "digits only", "colour": "any" },
            }),
            other => json!({ "name": other, "description": "Looks something up.", "arguments": {} }),
        }
    } else if system.contains("`next_tool_name`") {
        let question = section("question");
        let name = system.split("- `").find(|part| part.contains("Use it for numbers"));
        let name = name.and_then(|part| part.split('`').next());
        match (section("trajectory").contains("observation"), name) {
            (true, _) => json!({ "next_thought": "so", "next_tool_name": "finish", "next_tool_args": {} }),
            (_, Some(name)) if question.starts_with("number") => {
                let digits = system.contains("digits only");
                let number = if digits { question.replace("number ", "") } else { question };
                json!({ "next_thought": "so", "next_tool_name": name, "next_tool_args": { "number": number } })
            }
            _ => {
                json!({ "next_thought": "so", "next_tool_name": "by_name", "next_tool_args": { "name": question } })
            }
        }
    } else {
        let found = section("trajectory");
        let price = found.split("price ").nth(1).and_then(|rest| rest.split_whitespace().next());
        json!({ "reasoning": "so", "price": price.unwrap_or("unknown").trim_matches('"') })
    };
    answer.to_string()
}

fn judge(gold: &Ask, found: &AskOutput) -> Score {
    match gold.price == found.price {
        true => Score::new(1.0).feedback("right"),
        false => Score::new(0.0).feedback(format!("it costs {}", gold.price)),
    }
}

fn agent() -> ReAct<Ask> {
    ReAct::builder().tool(by_name).tool(by_number).build()
}

async fn compile(gepa: GEPA) -> dspy::optimize::Compiled<ReAct<Ask>> {
    let model = StubModel::from_fn(answer);
    let lm = model.builder().capabilities(Capabilities::none()).cache(Cache::memory(100_000));
    let lm = lm.retries(0).build().unwrap();
    let (train, val) = (rows(0..20), rows(20..50));
    let gepa = gepa.progress(false).max_metric_calls(600);
    dspy::with(|c| c.lm(lm), gepa.compile(agent(), (&train, &val), judge)).await.unwrap()
}

#[tokio::test]
async fn the_words_of_tools_are_rewritten() {
    let compiled = compile(GEPA::new().tool_words(true)).await;
    assert_eq!(compiled.report.val.after, Some(1.0), "{}", compiled.report);
    let words = compiled.program.tool_words();
    assert_eq!((words[1].tool.as_str(), words[1].name.as_str()), ("by_number", "part_by_number"));
    assert_eq!(words[1].description, "Looks a part up. Use it for numbers.");
    // What is said of an argument that there is not is left out.
    assert_eq!(words[1].arguments.iter().collect::<Vec<_>>(), [(&"number".into(), &"digits only".into())]);
    // The program is saved with them.
    let loaded = agent().load_json(&compiled.program.to_json().unwrap()).unwrap();
    assert_eq!(loaded.tool_words(), words);
}

#[tokio::test]
async fn without_being_asked_for_tools_keep_their_words() {
    let compiled = compile(GEPA::new()).await;
    assert_eq!(compiled.report.chosen, CandidateId::STUDENT, "{}", compiled.report);
    assert_eq!(compiled.program.tool_words(), agent().tool_words());
}

#[tokio::test]
async fn a_proposer_of_ones_own_sees_a_tool_and_its_last_step() {
    let seen: Arc<Mutex<Vec<Reflection>>> = Arc::default();
    let log = seen.clone();
    let propose = move |reflection: Reflection| {
        let text = match &reflection.component {
            // A text that is no object is the description.
            Component::Tool { tool, .. } if tool == "by_number" => "Use it for numbers.".to_owned(),
            // Another tool has this name already: it stays as it is.
            Component::Tool { tool, .. } if tool == "by_name" => json!({ "name": "finish" }).to_string(),
            _ => String::new(),
        };
        log.lock().unwrap().push(reflection);
        async move { Ok(text) }
    };
    let compiled = compile(GEPA::new().tool_words(true).all_components().propose_with(propose)).await;
    let words = compiled.report.candidates.last().unwrap().parameters["react"]["tools"].clone();
    assert_eq!(words[0]["name"], "by_name");
    assert_eq!(words[1]["description"], "Use it for numbers.");
    let seen = seen.lock().unwrap();
    let of = |name: &str| {
        seen.iter().find(|r| matches!(&r.component, Component::Tool { tool, .. } if tool == name)).unwrap()
    };
    let reflection = of("by_number");
    assert!(reflection.current.contains("what to look for"), "{}", reflection.current);
    assert!(reflection.tools_text().contains("- finish: "), "{}", reflection.tools_text());
    assert!(
        reflection
            .examples
            .iter()
            .all(|example| example.inputs["trajectory"].to_string().contains("nothing found"))
    );
    assert_eq!(of("finish").component.to_string(), "react, tool finish");
}
