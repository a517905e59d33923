//! A report that fits into no prompt: a recursive language model explores it by code.
//!
//! ```text
//! cargo run -p dspy-examples --no-default-features --features sandbox --bin long_document
//! cargo run -p dspy-examples --features sandbox,tls --bin long_document -- --model openai/gpt-4o-mini
//! ```
//!
//! A logbook of about a million characters is made from templates: entries of ships in a harbour, some of which complain in
//! words of their own about a berth. The question is which berths need repair most. Entries are found and counted by code;
//! whether one complains is asked of a model, several entries at a time.
//!
//! Without `--model` and `--api-base`, a stand-in answers that writes fixed code and knows the templates by rule. The code is
//! run for real then, in a worker process, and prompts, questions, parsing and checks are real. A hosted model is needed to
//! write code for another text and another question; the tiny model of this repository can write none.

#![allow(clippy::print_stdout)]

mod support;

use dspy::{
    configure,
    lm::{Request, StubModel},
    prelude::*,
};

/// Find out from the logbook of a harbour which berths need repair most.
#[signature]
struct Repairs {
    /// one line for each entry
    #[input]
    logbook: String,
    /// how many berths to name
    #[input]
    count: usize,
    /// the berths with the most complaints about their state, most first
    #[output]
    berths: Vec<u32>,
    /// how many complaints there are about these, in the same order
    #[output]
    complaints: Vec<u32>,
}

#[tokio::main]
async fn main() -> Result<()> {
    dspy::sandbox::init();
    let named = |arg: String| ["--model", "--api-base", "--help"].contains(&arg.as_str());
    let _setup = if std::env::args().any(named) {
        Some(support::setup(&[])?)
    } else {
        println!("Asking a stand-in that writes fixed code; --model names a real model.\n");
        configure(|c| c.lm(StubModel::from_fn(stand_in)));
        None
    };

    let (logbook, expected) = logbook();
    println!("{} characters, {} entries\n", logbook.len(), logbook.lines().count());
    let program = RLM::<Repairs>::builder().max_llm_calls(40).build();
    let p = program.call((logbook, 3)).await?;
    for step in p.code().into_iter().flat_map(|code| code.steps()) {
        println!("# {}\n{}\n=> {}\n", step.thought, step.code.trim_end(), step.output);
    }
    println!("found    {:?} with {:?} complaints; {}", p.berths, p.complaints, p.usage().total());
    println!("expected {:?} with {:?} complaints", expected.0, expected.1);
    Ok(())
}

const COMPLAINTS: [&str; 4] = [
    "two bollards came loose when we made fast",
    "our fenders were torn by bare iron at the quay",
    "planks gave way under the gangway",
    "the ladder has no rungs left below the waterline",
];

const OTHERS: [&str; 4] = [
    "took on water and coal",
    "loaded 40 bales of wool for the north",
    "lay quiet, crew ashore until midnight",
    "the pilot came late, left with the morning tide",
];

/// The logbook; the berths with the most complaints, and how many.
fn logbook() -> (String, (Vec<u32>, Vec<u32>)) {
    let (mut text, mut counts) = (String::new(), [0_u32; 25]);
    for n in 0_u32..14_000 {
        let berth = (n * 7 + n / 11) % 24 + 1;
        // Rare, and more often at some berths.
        let complains = n % 97 == 3 && (berth % 5 == 2 || n % 4 == 0);
        counts[berth as usize] += u32::from(complains);
        let words = if complains { COMPLAINTS } else { OTHERS }[(n / 7) as usize % 4];
        let mark = if complains || n % 50 == 9 { " REMARK:" } else { "" };
        text.push_str(&format!("{:05} berth {berth}, ship of {} t:{mark} {words}\n", n, 80 + n % 900));
    }
    let mut order: Vec<u32> = (1..25).collect();
    order.sort_by_key(|berth| (std::cmp::Reverse(counts[*berth as usize]), *berth));
    order.truncate(3);
    let found = order.iter().map(|berth| counts[*berth as usize]).collect();
    (text, (order, found))
}

/// Writes code by a plan, and knows by rule which entries complain.
fn stand_in(request: &Request) -> String {
    let messages: Vec<&str> = request.prompt.messages().map(|m| m.content.text()).collect();
    let last = messages.last().copied().unwrap_or_default();
    if messages.len() == 1 {
        let complains = |line: &&str| COMPLAINTS.iter().any(|words| line.contains(words));
        let numbers: Vec<&str> = last.lines().filter(complains).filter_map(|l| l.split(' ').next()).collect();
        return numbers.join(" ");
    }
    let (reasoning, code) = match last {
        last if last.contains("Step 2") => (
            "I count by berth and submit the first.",
            "from collections import Counter\n\
             berths = Counter(berth_of[number] for number in complaints)\n\
             top = sorted(berths.items(), key=lambda pair: (-pair[1], pair[0]))[:count]\n\
             submit(berths=[berth for berth, n in top], complaints=[n for berth, n in top])",
        ),
        last if last.contains("Step 1") => (
            "Which remarks complain takes reading: I ask, a hundred at a time.",
            "remarks = [line for line in lines if 'REMARK:' in line]\n\
             parts = [remarks[i:i + 100] for i in range(0, len(remarks), 100)]\n\
             question = 'Write the numbers of the entries that complain about the state of the berth:\\n'\n\
             answers = llm_query_batched([question + '\\n'.join(part) for part in parts])\n\
             complaints = [number for answer in answers if answer for number in answer.split()]\n\
             berth_of = {line[:5]: int(line.split()[2].strip(',')) for line in remarks}\n\
             print(len(remarks), 'remarks,', len(complaints), 'complaints')",
        ),
        _ => (
            "First I look at how entries are written.",
            "lines = logbook.splitlines()\nprint(len(lines))\nprint('\\n'.join(lines[:5]))",
        ),
    };
    format!(
        "[[ ## reasoning ## ]]\n{reasoning}\n\n[[ ## code ## ]]\n```python\n{code}\n```\n\n[[ ## completed ## ]]"
    )
}
