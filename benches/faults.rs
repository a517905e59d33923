//! Nothing lost and nothing paid twice: rows behind a rate limit, and calls to a provider on which a fifth of all requests
//! goes wrong, each time in another way.
//!
//! `cargo bench --bench faults`; `SCALE=10` does a tenth of it. The server, and each measurement, is a process of its own;
//! resident memory is read from `/proc/self/status`, so it needs Linux. It ends with an error if anything is lost,
//! answered twice or counted wrong.

#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::print_stdout)]

#[path = "../dspy-core/tests/support/mod.rs"]
mod server;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Command, ExitCode, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use dspy::{
    LmError,
    lm::{Cache, Message, Request},
    prelude::*,
};
use futures_util::{StreamExt, stream};
use server::{Call, Ending, Reply, Server, completion};

const SERVE: &str = "DSPY_BENCH_SERVE";

/// Double the number.
#[signature]
struct Double {
    #[input]
    number: u64,
    #[output]
    twice: u64,
}

/// Rows behind a limit.
struct Limited {
    name: &'static str,
    /// Requests a second, which is also how many there may be at once.
    rate: f64,
    says: Says,
    rows: usize,
    /// Requests in flight, where that is not left as it is.
    concurrency: Option<usize>,
}

/// What the server says of its limit.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    Nothing,
    /// When to come again, in a refusal.
    RetryAfter,
    /// What is left, in an answer.
    Remaining,
}

const fn fast(name: &'static str, says: Says) -> Limited {
    Limited { name, rate: 200.0, says, rows: 3000, concurrency: Some(256) }
}

const LIMITED: [Limited; 4] = [
    Limited {
        name: "8 requests a second, `Retry-After: 1`",
        rate: 8.0,
        says: Says::RetryAfter,
        rows: 300,
        concurrency: None,
    },
    fast("200 a second, `Retry-After: 1`", Says::RetryAfter),
    fast("200 a second, nothing said", Says::Nothing),
    fast("200 a second, `x-ratelimit-*`", Says::Remaining),
];
const CALLS: usize = 10_000;
const FAULTS: &str = "faults";

fn main() -> ExitCode {
    if let Ok(what) = std::env::var(SERVE) {
        serve(&what);
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let asked = std::env::args().nth(1).unwrap_or_default();
    if let Ok(at) = asked.parse::<usize>() {
        runtime.block_on(limited(at));
        return ExitCode::SUCCESS;
    }
    if asked == FAULTS {
        runtime.block_on(faults());
        return ExitCode::SUCCESS;
    }
    let each = (0..LIMITED.len()).map(|at| at.to_string()).chain([FAULTS.to_owned()]);
    let mut fine = true;
    for one in each {
        fine &= Command::new(std::env::current_exe().unwrap()).arg(one).status().unwrap().success();
    }
    ExitCode::from(u8::from(!fine))
}

/// Fewer of everything, to try it.
fn scaled(n: usize) -> usize {
    n / std::env::var("SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1)
}

async fn limited(at: usize) {
    let Limited { name, rows, concurrency, .. } = LIMITED[at];
    let rows: Vec<Double> =
        (0..scaled(rows) as u64).map(|number| Double { number, twice: 2 * number }).collect();
    let remote = Remote::start(&at.to_string());
    let mut builder = LM::builder("openai/limited").api_base(&remote.api_base).cache(Cache::off());
    let correct = |row: &Double, output: &DoubleOutput| row.twice == output.twice;
    let mut evaluate = dspy::Evaluate::new(&rows, correct).progress(false);
    if let Some(concurrency) = concurrency {
        builder = builder.concurrency(concurrency);
        evaluate = evaluate.concurrency(concurrency);
    }
    let lm = builder.build().unwrap();
    let started = Instant::now();
    let evaluation = evaluate.run(&Predict::<Double>::new().lm(lm.clone())).await.unwrap();
    let took = started.elapsed();
    let told = remote.end();
    println!(
        "{name}: {} rows, {} lost, in {:.1} s; {} requests, {} refused; at the peak {} MB",
        rows.len(),
        evaluation.failures().count(),
        took.as_secs_f64(),
        told.requests,
        told.requests - told.answered,
        peak() / 1024,
    );
    assert_eq!((evaluation.score, evaluation.failures().count()), (1.0, 0));
    assert_eq!((told.answered, told.most), (rows.len(), 1), "each was answered once");
    let usage = lm.usage();
    assert_eq!((usage.calls, usage.prompt_tokens), (rows.len() as u64, 7 * rows.len() as u64));
}

async fn faults() {
    let calls = scaled(CALLS);
    let remote = Remote::start(FAULTS);
    let lm = LM::builder("openai/faulty").api_base(&remote.api_base).cache(Cache::off()).concurrency(256);
    let lm = lm.build().unwrap();
    let ask = |i: usize| {
        let lm = lm.clone();
        async move {
            let text = format!("number {i}");
            let request = Request::new(vec![Message::user(text.as_str())]);
            // Every second one as a stream.
            let answer = match i % 2 {
                0 => lm.generate(request).await?,
                _ => lm.stream(request).finish().await?,
            };
            assert_eq!(answer.response.choices[0].text, text, "its own answer");
            Ok::<_, LmError>(())
        }
    };
    let started = Instant::now();
    let mut ended = BTreeMap::<String, usize>::new();
    let mut outcomes = stream::iter((0..calls).map(ask)).buffer_unordered(256);
    while let Some(outcome) = outcomes.next().await {
        let how = outcome.map_or_else(|error| error.kind.to_string(), |()| "answered".into());
        *ended.entry(how).or_default() += 1;
    }
    let took = started.elapsed();
    let told = remote.end();
    let answered = ended["answered"];
    println!(
        "a fifth of faults: {calls} calls, {ended:?}, in {:.1} s; {} requests, {} went wrong; at the peak {} MB",
        took.as_secs_f64(),
        told.requests,
        told.requests - told.answered,
        peak() / 1024,
    );
    assert_eq!(ended.values().sum::<usize>(), calls, "none is lost");
    assert_eq!((told.answered, told.most), (answered, 1), "none is answered twice");
    let usage = lm.usage();
    assert_eq!((usage.calls, usage.prompt_tokens), (answered as u64, 7 * answered as u64), "usage is exact");
}

/// The most resident memory of this process so far, in kB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// The server's process.
struct Remote {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    api_base: String,
}

/// What the server has done.
struct Told {
    requests: usize,
    answered: usize,
    /// How often the same was answered at most.
    most: usize,
}

impl Remote {
    fn start(what: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(SERVE, what)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut api_base = String::new();
        out.read_line(&mut api_base).unwrap();
        Self { child, out, api_base: api_base.trim().into() }
    }

    fn end(mut self) -> Told {
        drop(self.child.stdin.take());
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        self.child.wait().unwrap();
        let numbers: Vec<usize> = line.split_whitespace().map(|n| n.parse().unwrap()).collect();
        Told { requests: numbers[0], answered: numbers[1], most: numbers[2] }
    }
}

fn serve(what: &str) -> ! {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answered = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let log = answered.clone();
    let count = move |text: String| *log.lock().unwrap().entry(text).or_default() += 1;
    let limit = what.parse::<usize>().ok().map(|at| &LIMITED[at]);
    let server = runtime.block_on(async move {
        match limit {
            Some(&Limited { rate, says, .. }) => {
                let bucket = Bucket { rate, burst: rate, state: Mutex::new((rate, Instant::now())) };
                Server::start(move |call| bucket.reply(call, says, &count)).await
            }
            None => Server::start(move |call| faulty(call, &count)).await,
        }
    });
    println!("{}", server.api_base());
    // The parent closes this pipe when it ends.
    let _ = std::io::stdin().lines().count();
    let answered = answered.lock().unwrap();
    let (all, most) = (answered.values().sum::<usize>(), answered.values().max().copied().unwrap_or(0));
    println!("{} {all} {most}", server.count());
    std::process::exit(0);
}

/// A token bucket.
struct Bucket {
    rate: f64,
    burst: f64,
    state: Mutex<(f64, Instant)>,
}

impl Bucket {
    /// Whether it takes a request, and what is left then.
    fn takes(&self) -> (bool, f64) {
        let mut state = self.state.lock().unwrap();
        let now = Instant::now();
        let tokens = (state.0 + (now - state.1).as_secs_f64() * self.rate).min(self.burst);
        let taken = tokens >= 1.0;
        *state = (if taken { tokens - 1.0 } else { tokens }, now);
        (taken, state.0)
    }

    fn reply(&self, call: &Call, says: Says, count: &impl Fn(String)) -> Reply {
        let (taken, left) = self.takes();
        if !taken {
            let refusal = Reply::error(429, "slow down");
            return if says == Says::RetryAfter { refusal.with_header("retry-after", "1") } else { refusal };
        }
        let prompt = call.json()["messages"].as_array().unwrap().last().unwrap()["content"].to_string();
        let number = prompt.split("\\n").find_map(|line| line.parse::<u64>().ok()).unwrap();
        count(number.to_string());
        let answer =
            Reply::completion(&format!("[[ ## twice ## ]]\n{}\n\n[[ ## completed ## ]]", 2 * number));
        if says != Says::Remaining {
            return answer;
        }
        let reset = 1000.0 * (self.burst - left) / self.rate;
        answer
            .with_header("x-ratelimit-limit-requests", &self.burst.to_string())
            .with_header("x-ratelimit-remaining-requests", &left.floor().to_string())
            .with_header("x-ratelimit-reset-requests", &format!("{}ms", reset.round()))
    }
}

/// An answer four times of five, and else one of all the ways in which it goes wrong.
fn faulty(call: &Call, count: &impl Fn(String)) -> Reply {
    let body = call.json();
    let text = body["messages"][0]["content"].as_str().unwrap().to_owned();
    let whole = completion(&text).to_string();
    let (half_text, rest) = text.split_at(text.len() / 2);
    let piece = |text: &str| serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}}]});
    let mut end = piece("");
    end["choices"][0]["finish_reason"] = "stop".into();
    end["usage"] = completion("")["usage"].clone();
    let events = [piece(half_text), piece(rest), end].map(|event| format!("data: {event}\n\n"));
    let streamed = body["stream"] == true;
    let good = || match streamed {
        false => Reply::text(200, &whole),
        true => Reply::events(&[&events[0], &events[1], &events[2], "data: [DONE]\n\n"], Ending::Proper),
    };
    let typed = |kind: &str, body: &str| Reply::Full {
        status: 200,
        headers: vec![("content-type".into(), kind.into())],
        body: body.into(),
    };
    let chunks = |chunks: Vec<Vec<u8>>, ending| Reply::Chunks {
        headers: vec![(
            "content-type".into(),
            if streamed { "text/event-stream" } else { "application/json" }.into(),
        )],
        chunks,
        ending,
    };
    // Spread like chance, and the same on every run.
    let mix = (call.number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let refused = |header: &str, value: &str| Reply::error(429, "slow down").with_header(header, value);
    let soon = httpdate(Duration::from_secs(1));
    match mix % 90 {
        0 => refused("retry-after", "1"),
        1 => refused("retry-after", "0.25"),
        2 => refused("retry-after", &soon),
        3 => refused("retry-after-ms", "150.5"),
        4 => Reply::error(429, "slow down"),
        5 => Reply::error(500, "out of order"),
        6 => Reply::error(503, "overloaded").with_header("retry-after", "1"),
        7 => Reply::Reset,
        8 => Reply::HalfBody(whole.into_bytes()),
        // Half an event, or half an answer in chunks.
        9 if streamed => chunks(vec![events[0].as_bytes()[..20].to_vec()], Ending::Broken),
        9 => chunks(vec![whole.as_bytes()[..20].to_vec()], Ending::Broken),
        // A stream that breaks off when a part of it was handed over cannot be repeated.
        10 if streamed && mix.is_multiple_of(4) => {
            chunks(vec![events[0].clone().into_bytes()], Ending::Broken)
        }
        10 => Reply::text(200, "{\"choi"),
        11 => typed("text/html", "<!doctype html><title>Bad gateway</title>"),
        12 => typed("text/plain", "upstream connect error"),
        13 => Reply::error(200, "overloaded"),
        14 => Reply::text(200, "{}"),
        15 => Reply::text(502, "<html><head><title>502</title></head></html>"),
        // Of these few, because each has its megabytes.
        16 if mix.is_multiple_of(16) && streamed => {
            let mut event = b"data: {\"choices\": [{\"delta\": {\"content\": \"".to_vec();
            event.resize(17 << 20, b'x');
            chunks(vec![event], Ending::Proper)
        }
        16 if mix.is_multiple_of(32) => chunks(vec![vec![b' '; 1 << 20]; 66], Ending::Proper),
        16 if mix.is_multiple_of(16) => typed("application/json", &" ".repeat(65 << 20)),
        16 | 17 => Reply::error(408, "too slow"),
        18 => {
            // An answer, byte for byte: slow, and whole.
            count(text.clone());
            let bytes = if streamed { format!("{}data: [DONE]\n\n", events.concat()) } else { whole };
            chunks(bytes.bytes().map(|byte| vec![byte]).collect(), Ending::Proper)
        }
        _ => {
            count(text.clone());
            good()
        }
    }
}

/// The time in so long, as HTTP writes it.
fn httpdate(after: Duration) -> String {
    let at = std::time::SystemTime::now() + after;
    let seconds = at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // The day as a date of the Gregorian calendar, in years that begin in March.
    let shifted = days as i64 + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = year + era * 400 + i64::from(month >= 10);
    let months = ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"];
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][days as usize % 7];
    let (h, m, s) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{weekday}, {day:02} {} {year} {h:02}:{m:02}:{s:02} GMT", months[month as usize])
}
