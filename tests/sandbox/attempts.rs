//! Attempts to reach what code may not have, and to use more than it may.

use std::time::{Duration, Instant};

use dspy::sandbox::{CodeError, CodeErrorKind, CodeInterpreter, Limits, Python, Setup};

use CodeErrorKind::{Forbidden, Import, Memory, Raised, Recursion, Syntax, Time, Unsupported};

/// What is tried, how it is refused, and a part of what is said.
const ATTEMPTS: [(&str, &str, CodeErrorKind, &str); 60] = [
    // Files.
    ("file", "open('/etc/passwd').read()", Forbidden, "PermissionError"),
    ("file", "open('made', 'w')", Forbidden, "PermissionError"),
    ("file", "with open('/proc/self/environ', 'rb') as f:\n    f.read()", Forbidden, "PermissionError"),
    ("file", "from pathlib import Path\nPath('/etc/passwd').read_text()", Forbidden, "PermissionError"),
    ("file", "from pathlib import Path\nlist(Path('/').iterdir())", Forbidden, "PermissionError"),
    ("file", "from pathlib import Path\nPath('made').write_text('x')", Forbidden, "PermissionError"),
    ("file", "from pathlib import Path\nPath('/tmp').exists()", Forbidden, "PermissionError"),
    ("file", "from pathlib import Path\nPath('Cargo.toml').unlink()", Forbidden, "PermissionError"),
    ("file", "import os\nos.listdir('/')", Forbidden, "PermissionError"),
    ("file", "import shutil", Import, "shutil"),
    ("file", "import tempfile", Import, "tempfile"),
    // The environment, the clock, the process.
    ("environment", "import os\nos.getenv('OPENAI_API_KEY')", Forbidden, "PermissionError"),
    ("environment", "import os\nos.environ['PATH']", Forbidden, "PermissionError"),
    ("environment", "import os\nos.environ.get('HOME')", Forbidden, "PermissionError"),
    ("clock", "import datetime\ndatetime.datetime.now()", Forbidden, "PermissionError"),
    ("process", "import os\nos.system('id')", Raised, "AttributeError"),
    ("process", "import os\nos.kill(1, 9)", Raised, "AttributeError"),
    ("process", "import subprocess", Import, "subprocess"),
    ("process", "import multiprocessing", Import, "multiprocessing"),
    ("process", "import threading", Import, "threading"),
    ("process", "import sys\nsys.exit(0)", Raised, "AttributeError"),
    ("process", "raise SystemExit(0)", Raised, ""),
    // The network.
    ("network", "import socket", Import, "socket"),
    ("network", "import urllib.request", Import, "urllib"),
    ("network", "import http.client", Import, "http"),
    ("network", "import requests", Import, "requests"),
    ("network", "from asyncio import open_connection", Import, "open_connection"),
    // Other code.
    ("code", "__import__('os').system('id')", Forbidden, "NameError"),
    ("code", "import importlib", Import, "importlib"),
    ("code", "import ctypes", Import, "ctypes"),
    ("code", "eval('1 + 1')", Forbidden, "NameError"),
    ("code", "exec('x = 1')", Forbidden, "NameError"),
    ("code", "run = eval\nrun('1')", Forbidden, "NameError"),
    ("code", "compile('1', 'x', 'eval')", Forbidden, "NameError"),
    ("code", "input('password: ')", Forbidden, "NameError"),
    // The interpreter from inside.
    ("introspection", "().__class__.__base__.__subclasses__()", Raised, "AttributeError"),
    ("introspection", "object.__subclasses__()", Raised, ""),
    ("introspection", "(lambda: 0).__globals__", Raised, "AttributeError"),
    ("introspection", "def f(): pass\nf.__code__", Raised, "AttributeError"),
    ("introspection", "'{0.__class__}'.format(1)", Raised, "AttributeError"),
    ("introspection", "getattr('', '__class__')", Raised, "AttributeError"),
    ("introspection", "globals()['x'] = 1", Forbidden, "NameError"),
    ("introspection", "__builtins__", Raised, "NameError"),
    ("introspection", "import sys\nsys.modules", Raised, "AttributeError"),
    ("introspection", "import inspect", Import, "inspect"),
    ("introspection", "try:\n    1 / 0\nexcept Exception as e:\n    e.__traceback__.tb_frame", Raised, ""),
    // To run for ever.
    ("time", "while True:\n    pass", Time, "TimeoutError"),
    ("time", "import itertools\nfor n in itertools.count():\n    pass", Time, "TimeoutError"),
    ("time", "try:\n    while True:\n        pass\nexcept BaseException:\n    pass", Time, "TimeoutError"),
    (
        "time",
        "def f():\n    while True:\n        try:\n            f()\n        except RecursionError:\n            pass\nf()",
        Time,
        "TimeoutError",
    ),
    ("time", "sum(range(10 ** 12))", Time, "TimeoutError"),
    // To take memory.
    ("memory", "'a' * 10 ** 12", Memory, "MemoryError"),
    ("memory", "[0] * 10 ** 10", Memory, "MemoryError"),
    ("memory", "2 ** 10 ** 10", Memory, "MemoryError"),
    ("memory", "x = []\nwhile True:\n    x.append('a' * 1_000_000)", Memory, "MemoryError"),
    ("memory", "x = 'a'\nwhile True:\n    x += x", Memory, "MemoryError"),
    // To nest.
    ("recursion", "def f(n):\n    return f(n + 1)\nf(0)", Recursion, "RecursionError"),
    ("recursion", "f = lambda n: f(n) + 1\nf(0)", Recursion, "RecursionError"),
    // What is no code, or none that is run here.
    ("syntax", "for x in", Syntax, "SyntaxError"),
    ("syntax", "def g():\n    yield 1", Unsupported, "yield"),
];

/// What runs for ever is given less time.
fn limits(class: &str) -> Limits {
    let time = Duration::from_millis(if class == "time" { 200 } else { 20_000 });
    Limits::default().time(time).memory(64 << 20)
}

async fn tried(python: &Python, code: &str) -> CodeError {
    let mut session = python.open(Setup::new()).await.unwrap();
    match session.run(code).await {
        Ok(ran) => panic!("{code}\ngave {ran:?}"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn each_is_refused_by_its_class() {
    dspy::sandbox::init();
    let mut wrong = Vec::new();
    for (class, code, kind, said) in ATTEMPTS {
        let error = tried(&Python::new().limits(limits(class)), code).await;
        if error.kind != kind || !error.message.contains(said) {
            wrong.push(format!("{class}: {code}\n  {:?}: {}", error.kind, error.message));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_the_interpreter_does_not_notice_ends_the_worker_and_nothing_else() {
    dspy::sandbox::init();
    let python = Python::new().limits(limits("time"));
    let nested = format!("x = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let begun = Instant::now();
    for code in [
        nested.as_str(),
        "import re\nre.match(r'(a|a)*$|(a|b|ab)*c', 'ab' * 5000)",
        "x = []\nfor _ in range(10 ** 6):\n    x = [x]\nx",
        "x = []\nfor _ in range(10 ** 6):\n    x = [x]\nx == x",
        "x = {}\nfor n in range(10 ** 9):\n    x[n] = [n] * 1000",
    ] {
        let mut session = python.open(Setup::new().input("kept", 7)).await.unwrap();
        let outcome = session.run(code).await;
        let next = session.run("kept + 1").await.unwrap();
        assert_eq!(next.value, 8, "after {outcome:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn a_run_that_does_not_heed_its_time_is_ended_with_its_worker() {
    dspy::sandbox::init();
    let mut session = Python::new().limits(limits("time")).open(Setup::new().input("kept", 7)).await.unwrap();
    session.run("m = 1").await.unwrap();
    // One operation, which takes minutes and looks at no clock.
    let error = session.run("n = (10 ** 5_000) ** 3_000").await.unwrap_err();
    assert_eq!((error.kind, error.lost), (Time, true), "{error}");
    assert!(
        error.to_string().contains("ran longer than 200ms (variables of earlier code are gone)"),
        "{error}"
    );
    assert_eq!(session.run("kept").await.unwrap().value, 7);
    assert!(session.run("m").await.unwrap_err().message.contains("NameError"));
}

#[tokio::test]
async fn in_this_process_the_same_is_refused() {
    for (class, code, kind, said) in ATTEMPTS.iter().filter(|(class, ..)| *class != "memory") {
        let error = tried(&Python::in_process().limits(limits(class)), code).await;
        assert_eq!(error.kind, *kind, "{class}: {code}: {error}");
        assert!(error.message.contains(said), "{class}: {code}: {error}");
    }
}
