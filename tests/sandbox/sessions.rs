//! Sessions: variables, host functions, ends of workers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dspy::{
    Approval, Tool,
    sandbox::{CodeErrorKind, CodeInterpreter, Limits, Python, Setup},
    tool,
    tool::IntoTool as _,
};
use serde_json::json;

/// Twice a number.
#[tool]
async fn double(n: i64) -> i64 {
    n * 2
}

/// Fails.
#[tool]
async fn fail(why: String) -> dspy::Result<()> {
    Err(dspy::Error::other(why))
}

/// Takes its time.
#[tool]
async fn sleep() {
    tokio::time::sleep(Duration::from_secs(600)).await;
}

#[tokio::test]
async fn variables_stay_and_results_are_data() {
    dspy::sandbox::init();
    for python in [Python::new(), Python::in_process()] {
        let mut session =
            python.open(Setup::new().input("prices", json!([3, 4.5, {"a": null}]))).await.unwrap();
        let first = session.run("total = prices[0] + prices[1]\nprint('total', total)").await.unwrap();
        assert_eq!((first.value, first.printed.as_str()), (json!(null), "total 7.5\n"));
        let second = session.run("(total * 2, {'x': {1}}, prices[2]['a'])").await.unwrap();
        assert_eq!(second.value, json!([15.0, {"x": [1]}, null]));
        assert_eq!(second.text(), r#"[15.0,{"x":[1]},null]"#);
        let error = session.run("a = 1\nprint('before')\nb = a / 0").await.unwrap_err();
        assert_eq!(
            (error.kind, error.line, error.printed.as_str()),
            (CodeErrorKind::Raised, Some(3), "before\n")
        );
        assert_eq!(error.to_string(), "line 3: ZeroDivisionError: division by zero");
        assert_eq!(session.run("a + total").await.unwrap().value, 8.5, "what stood before an error stays");
        let big = session.run("[2 ** 64, float('nan'), (1, 2), b'x']").await.unwrap();
        assert_eq!(big.value, json!(["18446744073709551616", "nan", [1, 2], "b'x'"]));
    }
}

#[tokio::test]
async fn functions_of_the_host_are_called_like_tools() {
    dspy::sandbox::init();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let guarded = double.into_tool().named("guarded").approve(move |call| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            match call.args["n"].as_i64() {
                Some(n) if n > 9 => Approval::deny("too large"),
                _ => Approval::Allow,
            }
        }
    });
    let long = Tool::new("long", "Long.", json!({"type": "object", "properties": {}}), |_| async {
        Ok::<_, std::io::Error>("x".repeat(50))
    });
    let many = Tool::new("many", "Many.", json!({"type": "object", "properties": {}}), |_| async {
        Ok::<_, std::io::Error>(vec![1; 50])
    });
    let tools = [
        double.into_tool(),
        guarded,
        fail.into_tool(),
        sleep.into_tool().timeout(Duration::from_millis(20)),
        long.max_output(10),
        many.max_output(10),
    ];
    let setup = Setup::new().tools(tools);
    let mut session = Python::new().open(setup).await.unwrap();
    let ran = session.run("f = double\n[double(4), double(n=5), f(6)] + [f(n) for n in [7]]").await.unwrap();
    assert_eq!(ran.value, json!([8, 10, 12, 14]));
    assert_eq!((ran.calls.len(), ran.calls[1].arguments["n"].as_i64()), (4, Some(5)));
    assert_eq!(ran.calls[1].observation.text, "10");

    let mut failed = async |code: &str| session.run(code).await.unwrap_err();
    let wrong = failed("double('no number')").await;
    assert_eq!(wrong.kind, CodeErrorKind::Raised);
    assert!(wrong.message.starts_with("TypeError: `double` was not called: `n`"), "{wrong}");
    assert!(failed("double(1, 2)").await.message.contains("takes 1 arguments, and 2 were given"));
    assert!(failed("fail('on purpose')").await.message.contains("RuntimeError: `fail` failed: on purpose"));
    assert!(failed("sleep()").await.message.contains("no result within 20ms"));
    let denied = failed("guarded(3)\nguarded(10)").await;
    assert_eq!((denied.kind, denied.line), (CodeErrorKind::Forbidden, Some(2)));
    assert!(denied.message.contains("not allowed: too large"), "{denied}");
    assert_eq!((denied.calls.len(), asked.load(Ordering::SeqCst)), (2, 2));
    assert!(failed("many()").await.message.contains("101 characters as JSON, and 10 are allowed"));
    let caught = "try:\n    fail('x')\nexcept RuntimeError as e:\n    print('caught', e)\nlong()";
    let ran = session.run(caught).await.unwrap();
    assert_eq!(ran.printed, "caught `fail` failed: x\n");
    assert_eq!(ran.value, "xxxxxxxxxx\n[40 of 50 characters are left out]");
}

#[tokio::test]
async fn a_run_may_call_and_print_so_much() {
    dspy::sandbox::init();
    let python = Python::new().limits(Limits::default().calls(3).printed(10));
    let mut session = python.open(Setup::new().tools([double])).await.unwrap();
    let error =
        session.run("try:\n    for n in range(9):\n        double(n)\nexcept BaseException:\n    pass").await;
    let error = error.unwrap_err();
    assert_eq!((error.kind, error.calls.len()), (CodeErrorKind::Calls, 3));
    let ran = session.run("print('ä' * 9)\nprint('more')\n1").await.unwrap();
    assert_eq!(ran.printed, "äääää\n[14 further bytes are left out]");
}

#[tokio::test]
async fn submit_ends_a_run_with_values() {
    dspy::sandbox::init();
    let mut session = Python::new().open(Setup::new().submit(["name", "age"])).await.unwrap();
    let ran = session.run("print('done')\nsubmit('Ada', age=36)\nprint('never')").await.unwrap();
    assert_eq!(ran.printed, "done\n");
    assert_eq!(serde_json::to_value(ran.submitted).unwrap(), json!({"name": "Ada", "age": 36}));
    let error = session.run("submit('Ada')").await.unwrap_err();
    assert_eq!(error.message, "TypeError: submit(name, age) was called without `age`");
    let ran =
        session.run("try:\n    submit('Ada', 37)\nexcept BaseException:\n    print('no')").await.unwrap();
    assert_eq!((ran.submitted.unwrap()["age"].as_i64(), ran.printed.as_str()), (Some(37), ""));
}

#[cfg(unix)]
#[tokio::test]
async fn a_worker_that_is_killed_ends_its_run_only() {
    use std::os::unix::fs::PermissionsExt as _;

    dspy::sandbox::init();
    // A worker that writes down who it is: this test, started by a script.
    let folder = tempfile::tempdir().unwrap();
    let (script, id) = (folder.path().join("worker"), folder.path().join("id"));
    let own = std::env::current_exe().unwrap();
    let test = std::thread::current().name().unwrap().to_owned();
    let line = format!("echo $$ > '{}'; exec '{}' --exact --nocapture {test}", id.display(), own.display());
    std::fs::write(&script, format!("#!/bin/sh\n{line}\n")).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();

    let kill = Tool::new(
        "kill",
        "Ends the worker.",
        json!({"type": "object", "properties": {}}),
        move |_| {
            let id = std::fs::read_to_string(&id).unwrap();
            async move { std::process::Command::new("kill").args(["-9", id.trim()]).status().map(|s| s.success()) }
        },
    );
    let mut session =
        Python::new().worker(&script).open(Setup::new().input("n", 1).tools([kill])).await.unwrap();
    session.run("m = 2").await.unwrap();
    let error = session.run("kill()\nm").await.unwrap_err();
    assert_eq!((error.kind, error.lost, error.calls.len()), (CodeErrorKind::Crashed, true, 1));
    assert!(error.to_string().contains("signal: 9"), "{error}");
    assert_eq!(session.run("n").await.unwrap().value, 1, "the inputs are there again");
    assert!(session.run("m").await.unwrap_err().message.contains("NameError"));
}

#[tokio::test]
async fn a_run_that_is_dropped_leaves_nothing_behind() {
    dspy::sandbox::init();
    let mut session = Python::new().open(Setup::new().tools([sleep])).await.unwrap();
    let dropped = tokio::time::timeout(Duration::from_millis(500), session.run("x = 1\nsleep()")).await;
    assert!(dropped.is_err());
    assert!(session.run("x").await.unwrap_err().message.contains("NameError"));
}

#[tokio::test]
async fn concurrent_sessions_share_nothing() {
    dspy::sandbox::init();
    let python = Python::new().at_most(4);
    let sessions = (0..24).map(|n| {
        let python = python.clone();
        async move {
            let mut session = python.open(Setup::new().input("n", n).tools([double])).await.unwrap();
            assert!(session.run("seen").await.unwrap_err().message.contains("NameError"));
            session.run("seen = n").await.unwrap();
            tokio::task::yield_now().await;
            session.run("double(seen)").await.unwrap().value
        }
    });
    let values = futures_util::future::join_all(sessions).await;
    assert_eq!(values, (0..24).map(|n| json!(2 * n)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_session_that_a_host_function_opens_does_not_wait_for_its_own_end() {
    dspy::sandbox::init();
    let python = Python::new().at_most(1);
    let inner = python.clone();
    let parameters = json!({"type": "object", "properties": {"code": {"type": "string"}}});
    let nested = Tool::new("nested", "Runs code.", parameters, move |arguments| {
        let python = inner.clone();
        async move {
            let mut session = python.open(Setup::new()).await.map_err(dspy::Error::from)?;
            let code = arguments["code"].as_str().unwrap_or_default().to_owned();
            Ok::<_, dspy::Error>(session.run(&code).await.map_err(dspy::Error::from)?.value)
        }
    });
    let mut session = python.open(Setup::new().tools([nested])).await.unwrap();
    assert_eq!(session.run("nested('20 + 1') * 2").await.unwrap().value, 42);
}

#[cfg(unix)]
#[tokio::test]
async fn without_a_worker_the_error_says_what_to_do() {
    let program = std::env::temp_dir().join("no-such-worker");
    let mut session = Python::new().worker(&program).open(Setup::new()).await.unwrap();
    let error = session.run("1").await.unwrap_err();
    assert_eq!(error.kind, CodeErrorKind::Unavailable);
    assert!(error.to_string().contains("cannot be started"), "{error}");
    // A program that is no worker.
    let mut session = Python::new().worker("/bin/true").open(Setup::new()).await.unwrap();
    let error = session.run("1").await.unwrap_err();
    assert!(error.to_string().contains("`dspy::sandbox::init()` must be the first line"), "{error}");
}
