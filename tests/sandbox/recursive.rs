//! Long inputs that are explored by code.

use std::sync::atomic::{AtomicUsize, Ordering};

use dspy::{predict::code::CodeUpdate, prelude::*, tool::Stop};
use serde_json::json;

use crate::world::{World, chat, question, world};

/// Answer the question from the logbook.
#[signature]
struct Logbook {
    /// one line for each day
    #[input]
    logbook: String,
    #[input]
    question: String,
    /// in the order of the days
    #[output]
    days: Vec<u32>,
    #[output(assert(|mood: &str| mood == "calm" || mood == "rough", "`calm` or `rough`"))]
    mood: String,
}

fn input(days: usize) -> LogbookInput {
    let line = |n: usize| match n % 400 {
        7 => format!("day {n}: waves as high as the mast\n"),
        _ => format!("day {n}: nothing to report\n"),
    };
    LogbookInput {
        logbook: (0..days).map(line).collect(),
        question: "On which days was the sea rough?".into(),
    }
}

fn action(reasoning: &str, code: &str) -> String {
    chat(&[("reasoning", reasoning), ("code", &format!("```python\n{code}\n```"))])
}

/// A model that writes these actions in turn, and answers what code asks it.
async fn exploring(actions: Vec<String>, asked: impl Fn(&str) -> String + Send + Sync + 'static) -> World {
    let next = AtomicUsize::new(0);
    world(move |sent| match sent[0].0.as_str() {
        "system" if sent[0].1.contains("`code`") => actions[next.fetch_add(1, Ordering::SeqCst)].clone(),
        "system" => chat(&[("days", "[7]"), ("mood", "calm")]),
        _ => asked(question(sent)),
    })
    .await
}

#[tokio::test]
async fn the_model_sees_sizes_explores_asks_and_submits() {
    dspy::sandbox::init();
    let world = exploring(
        vec![
            action("I look at it.", "lines = logbook.splitlines()\nprint(len(lines), lines[0])"),
            action(
                "I ask about what stands out.",
                "odd = [l for l in lines if 'nothing' not in l]\n\
                 moods = llm_query_batched(['Calm or rough? ' + l for l in odd])\n\
                 print(odd, moods, llm_query('Sum up: ' + str(moods)))",
            ),
            action("I submit.", "submit(days=[l.split(':')[0] for l in odd], mood='stormy')"),
            action(
                "The types were wrong.",
                "days = [int(l.split()[1].strip(':')) for l in odd]\nsubmit(days, mood='stormy')",
            ),
            action("And the mood.", "submit(days, mood=moods[0])"),
        ],
        |asked| if asked.starts_with("Sum up") { "It was rough.".into() } else { "rough".into() },
    )
    .await;
    let ask = RLM::<Logbook>::builder().lm(world.lm.clone()).build();
    let mut stream = ask.stream(input(1_000));
    let mut steps = Vec::new();
    let p = loop {
        match stream.next().await.unwrap().unwrap() {
            CodeUpdate::Step(step) => steps.push(step),
            CodeUpdate::Done(p) => break p,
            _ => {}
        }
    };
    assert_eq!((p.days.as_slice(), p.mood.as_str()), ([7, 407, 807].as_slice(), "rough"));
    assert_eq!(steps.len(), 5);
    assert!(steps[1].output.contains("['rough', 'rough', 'rough'] It was rough."), "{}", steps[1].output);
    assert!(
        steps[2].output.contains("what was submitted was not taken: field `days`"),
        "{}",
        steps[2].output
    );
    assert!(steps[3].output.contains("`calm` or `rough`"), "{}", steps[3].output);
    let usage = p.usage().total();
    assert_eq!((usage.calls, world.count()), (9, 9), "five actions and four questions");
    let code = p.code().unwrap();
    assert_eq!((code.len(), code.stop()), (5, Some(&Stop::Finished)));
    let actions: Vec<_> = world.requests().into_iter().filter(|sent| sent[0].0 == "system").collect();
    assert_eq!(actions.len(), 5);
    let longest = actions.iter().flatten().map(|(_, text)| text.len()).max().unwrap();
    assert!(longest < 6_000, "{longest}");
    // The questions of a list come in any order.
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules/snapshots/rlm.md");
    let text = |sent: &Vec<(String, String)>| {
        sent.iter().map(|(role, text)| format!("--- {role}\n{}\n", text.trim_end())).collect::<String>()
    };
    let shown: String =
        actions.iter().enumerate().map(|(i, sent)| format!("=== action {}\n{}", i + 1, text(sent))).collect();
    if std::env::var_os("DSPY_WRITE_SNAPSHOTS").is_some() {
        std::fs::write(&file, &shown).unwrap();
    }
    assert_eq!(shown, std::fs::read_to_string(&file).unwrap_or_default());
}

#[tokio::test]
async fn questions_and_steps_have_budgets_and_the_rest_is_extracted() {
    dspy::sandbox::init();
    let world = exploring(
        vec![
            action("", "print(llm_query('1'))\nprint(llm_query_batched(['2', '3', '4']))"),
            action("", "print(llm_query('5'))\nllm_query('6')"),
        ],
        |asked| format!("heard {asked}"),
    )
    .await;
    let ask = RLM::<Logbook>::builder().lm(world.lm.clone()).max_llm_calls(2).max_iters(2).build();
    let p = ask.call(input(50)).await.unwrap();
    assert_eq!((p.days.as_slice(), p.mood.as_str()), ([7].as_slice(), "calm"));
    let code = p.code().unwrap();
    assert_eq!(code.stop(), Some(&Stop::MaxIters));
    let outputs: Vec<&str> = code.steps().map(|step| step.output.as_str()).collect();
    assert!(
        outputs[0].starts_with("heard 1\n")
            && outputs[0].contains("3 questions are more than are left: 1 of 2"),
        "{}",
        outputs[0]
    );
    assert!(
        outputs[1].starts_with("heard 5\n") && outputs[1].contains("1 questions are more"),
        "{}",
        outputs[1]
    );
    let paths: Vec<_> = p.trace().iter().map(|step| step.path.clone().unwrap().to_string()).collect();
    assert_eq!(paths, ["generate_action", "generate_action", "extract"]);
    assert_eq!(world.count(), 5);
}

#[tokio::test]
async fn a_failed_question_of_a_list_is_none_and_another_model_can_be_asked() {
    dspy::sandbox::init();
    let world = exploring(
        vec![action("", "submit([len(a) if a else 0 for a in llm_query_batched(['yes', 'no'])], 'calm')")],
        |_| "ERROR".into(),
    )
    .await;
    let sub =
        crate::world::world(|sent| if question(sent) == "no" { "ERROR".into() } else { "four".into() }).await;
    let ask = RLM::<Logbook>::builder().lm(world.lm.clone()).sub_lm(sub.lm.clone()).build();
    let p = ask.call(input(5)).await.unwrap();
    assert_eq!(p.days, [4, 0]);
    assert_eq!((world.count(), sub.count()), (1, 2));
}

#[tokio::test]
async fn inputs_of_megabytes_are_no_matter() {
    dspy::sandbox::init();
    let world = exploring(
        vec![action("", "submit([len(logbook) // 1_000_000, logbook.count('mast')], 'calm')")],
        |_| String::new(),
    )
    .await;
    let ask = RLM::<Logbook>::builder().lm(world.lm.clone()).build();
    let p = ask.call(input(400_000)).await.unwrap();
    assert_eq!(p.days, [11, 1000]);
    assert!(world.server.calls()[0].body.len() < 8_000);
}

#[tokio::test]
async fn its_state_has_the_paths_of_dspy_and_comes_back() {
    let mut ask = RLM::<Logbook>::new();
    ask.generate_action_mut().predictor_mut().set_instructions("Read logbooks.");
    let saved = ask.to_json().unwrap();
    let keys: Vec<&String> = saved.as_object().unwrap().keys().filter(|key| *key != "metadata").collect();
    assert_eq!(keys, ["generate_action", "extract"]);
    let loaded = RLM::<Logbook>::new().load_json(&saved).unwrap();
    assert_eq!(loaded.generate_action().predictor().spec().instructions, "Read logbooks.");
}

/// Read one part of the logbook.
#[signature]
struct Part {
    #[input]
    part: String,
    #[output]
    mood: String,
}

#[tokio::test]
async fn one_is_a_tool_of_another_and_its_questions_count_for_both() {
    dspy::sandbox::init();
    let world = world(|sent| {
        let (role, system) = &sent[0];
        let asked = question(sent);
        match (role.as_str(), system.contains("`days`"), asked.contains("Step 1")) {
            ("system", true, _) => action(
                "I have the parts read.",
                "moods = [read_part(part=logbook[:10]), read_part(part=logbook[10:20])]\n\
                 print(llm_query_batched(['a', 'b']) if len(moods) < 2 else moods)\n\
                 try:\n    llm_query('one more')\nexcept Exception as e:\n    print(e)\n\
                 submit([7], moods[1])",
            ),
            ("system", false, false) => action("", "said = llm_query('calm or rough: ' + part)\nprint(said)"),
            ("system", false, true) => action("", "submit(said)"),
            _ => "rough".into(),
        }
    })
    .await;
    let inner = RLM::<Part>::builder().max_llm_calls(10).build();
    let tool = Tool::from_program("read_part", "Reads one part.", inner);
    let ask = RLM::<Logbook>::builder().tool(tool).max_llm_calls(2).lm(world.lm.clone()).build();
    let p = dspy::with(|c| c.lm(world.lm.clone()), ask.call(input(3))).await.unwrap();
    assert_eq!((p.days.as_slice(), p.mood.as_str()), ([7].as_slice(), "rough"));
    let code = p.code().unwrap();
    let step = code.steps().next().unwrap();
    assert!(step.output.contains("1 questions are more than are left: 2 of 2 were asked"), "{}", step.output);
    // One action of the outer, two of each inner, and a question of each.
    assert_eq!((world.count(), p.usage().total().calls), (7, 7));
}

#[tokio::test]
async fn an_inner_one_cannot_ask_more_than_the_outer_one_may() {
    dspy::sandbox::init();
    let world = world(|sent| {
        let (role, system) = &sent[0];
        let asked = question(sent);
        match (role.as_str(), system.contains("`days`"), asked.contains("Step 1")) {
            ("system", true, _) => action("", "submit([1], read_part(part='x'))"),
            ("system", false, false) => action("", "llm_query_batched(['1', '2', '3'])"),
            // The budget that was refused is still there.
            ("system", false, true) => {
                assert!(asked.contains("3 questions are more than are left: 0 of 2"), "{asked}");
                action("", "submit(llm_query_batched(['1', '2'])[1])")
            }
            _ => "calm".into(),
        }
    })
    .await;
    let inner = RLM::<Part>::builder().lm(world.lm.clone()).build();
    let tool = Tool::from_program("read_part", "Reads one part.", inner);
    let ask = RLM::<Logbook>::builder().tool(tool).max_llm_calls(2).lm(world.lm.clone()).build();
    assert_eq!(ask.call(input(3)).await.unwrap().mood, "calm");
}

#[tokio::test]
async fn questions_have_a_model_and_options_of_their_own() {
    dspy::sandbox::init();
    let world = exploring(vec![action("", "submit([len(llm_query('?'))], 'calm')")], |_| {
        "asked of the wrong model".into()
    })
    .await;
    let sub = crate::world::world(|_| "four".into()).await;
    let ask = RLM::<Logbook>::builder()
        .lm(world.lm.clone())
        .options(dspy::lm::Options::new().temperature(0.9))
        .sub_lm(sub.lm.with_options(&dspy::lm::Options::new().max_tokens(77)))
        .sub_options(dspy::lm::Options::new().temperature(0.1))
        .build();
    assert_eq!(ask.call(input(5)).await.unwrap().days, [4]);
    let (main, asked) = (world.server.calls()[0].json(), sub.server.calls()[0].json());
    assert_eq!((&main["temperature"], &asked["temperature"]), (&json!(0.9), &json!(0.1)));
    assert_eq!(asked["max_tokens"], 77);
}
