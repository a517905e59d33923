//! Agents at work, 64 at a time, of whose calls of tools 10 % fail and 5 % hang until their timeout.
//!
//! `cargo bench --bench agents`: 2,000 tasks, and in a process of its own ten times as many, which must not take more
//! memory. The model is in this process and answers at once, from the prompt alone, so that a mistake of one task is seen in
//! its answer. Resident memory is read from `/proc/self/status`, so it needs Linux.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::{
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use dspy::{
    LmError, ToolErrorKind,
    evaluate::Evaluate,
    lm::{BoxFuture, Cache, LanguageModel, Request, Response},
    prelude::*,
};
use serde_json::json;

const AT_ONCE: usize = 64;
const TIMEOUT: Duration = Duration::from_millis(50);
const TOOLS: [&str; 3] = ["first", "second", "third"];

/// Do the task.
#[signature]
struct Job {
    #[input]
    task: usize,
    #[output]
    done: usize,
}

/// What becomes of a call, from the numbers of the task and of the tool alone: of a hundred.
fn fate(task: usize, tool: usize) -> usize {
    (task * 7919 + tool * 104_729) % 100
}

fn tool(name: &'static str, number: usize) -> Tool {
    let schema = json!({"type": "object", "properties": {"task": {"type": "integer"}}, "required": ["task"]});
    let tool = Tool::new(name, "Does a part of a task.", schema, move |arguments| async move {
        let task = arguments["task"].as_u64().unwrap_or_default() as usize;
        match fate(task, number) {
            0..10 => Err(format!("task {task} failed")),
            10..15 => std::future::pending().await,
            _ => Ok(format!("a part of {task}, {}", "as long as what tools give ".repeat(40))),
        }
    });
    tool.timeout(TIMEOUT)
}

/// Calls each tool once, ends its work, and answers with the number of the task, all of it read from the prompt.
struct Worker;

impl LanguageModel for Worker {
    fn id(&self) -> &str {
        "own/worker"
    }

    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        let shown = request.prompt.messages().last().map(|m| m.content.text().to_owned()).unwrap_or_default();
        let task = shown.lines().nth(1).unwrap_or_default();
        let answer = match shown.matches("observation:").count() {
            _ if !shown.contains("next_thought") => json!({ "reasoning": "it is done", "done": task }),
            made if made < TOOLS.len() => {
                json!({ "next_thought": "next", "next_tool_name": TOOLS[made], "next_tool_args": { "task": task } })
            }
            _ => json!({ "next_thought": "done", "next_tool_name": "finish", "next_tool_args": {} }),
        };
        Box::pin(async move { Ok(Response::text(answer.to_string())) })
    }
}

fn main() {
    let tasks = std::env::args().find_map(|argument| argument.parse::<usize>().ok());
    let Some(tasks) = tasks else {
        for tasks in ["2000", "20000"] {
            Command::new(std::env::current_exe().unwrap()).arg(tasks).status().unwrap();
        }
        return;
    };
    tokio::runtime::Runtime::new().unwrap().block_on(work(tasks));
}

async fn work(tasks: usize) {
    let tools = TOOLS.iter().enumerate().map(|(number, name)| tool(name, number));
    let lm = LM::wrap(Worker).cache(Cache::off()).build().unwrap();
    let agent = ReAct::<Job>::builder().tools(tools).native_tools(false).lm(lm).build();
    let (failed, hung) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (failed.clone(), hung.clone());
    let metric = move |row: &Job, p: &Prediction<JobOutput>| {
        let actions: Vec<_> = p.trajectory().into_iter().flat_map(|steps| steps.actions()).collect();
        let as_fated = actions.iter().take(TOOLS.len()).enumerate().all(|(number, action)| {
            let expected = match fate(row.task, number) {
                0..10 => Some(ToolErrorKind::Failed),
                10..15 => Some(ToolErrorKind::TimedOut),
                _ => None,
            };
            counts.0.fetch_add(usize::from(expected == Some(ToolErrorKind::Failed)), Ordering::Relaxed);
            counts.1.fetch_add(usize::from(expected == Some(ToolErrorKind::TimedOut)), Ordering::Relaxed);
            let own = expected.is_some() || action.observation.text.contains(&format!("of {},", row.task));
            action.observation.error == expected && own
        });
        as_fated && actions.len() == TOOLS.len() + 1 && p.done == row.task
    };
    let rows = (0..tasks).map(|task| Job { task, done: task });
    let evaluation = Evaluate::stream(rows, metric).concurrency(AT_ONCE).progress(false);
    let (before, started) = (memory("VmRSS"), Instant::now());
    let summary = evaluation.run(&agent).await.unwrap();
    println!(
        "{tasks} tasks, {AT_ONCE} at a time, {:.1} s: {:.2} % ended each with its own steps and answer; {} calls failed, \
         {} hung; resident before {:.1} MB, at the peak {:.1} MB",
        started.elapsed().as_secs_f64(),
        summary.score * 100.0,
        failed.load(Ordering::Relaxed),
        hung.load(Ordering::Relaxed),
        before as f64 / 1024.0,
        memory("VmHWM") as f64 / 1024.0
    );
}

/// A figure of `/proc/self/status`, in KB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0)
}
