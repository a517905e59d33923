//! Calls of tools that go wrong, that are not allowed, that take too long.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use dspy::{
    ToolErrorKind,
    prelude::*,
    tool::{Approval, IntoTool},
};
use serde_json::{Value, json};

use super::{Qa, add, answer, finish, in_text, look_up, object, step};
use crate::model::run;

async fn seen<K>(tool: impl IntoTool<K>, arguments: Value) -> String {
    tool.into_tool().observe(object(arguments)).await.text
}

#[test]
fn arguments_are_read_as_answers_are() {
    run(async {
        for given in [
            json!({"town": "Tartu", "year": 1999}),
            json!({"town": "Tartu", "year": "1999"}),
            json!({"Town": "Tartu", "YEAR": "1,999"}),
        ] {
            assert_eq!(seen(look_up, given).await, "Tartu had 97,000 inhabitants in 1999.");
        }
        assert_eq!(
            seen(look_up, json!({"town": "Tartu", "year": null})).await,
            "Tartu had 97,000 inhabitants in 2020."
        );
        for numbers in [json!([1, 2]), json!("[1, 2]"), json!("1, 2"), json!(["1", 2.0])] {
            assert_eq!(seen(add, json!({ "numbers": numbers })).await, "3.0");
        }
        // The only argument of a tool, as it is.
        assert_eq!(seen(add, json!({ "_unparsed": "[1, 2]" })).await, "3.0");
    });
}

/// How far it is.
#[tool]
fn distance(from: String, to: String) -> String {
    format!("from {from} to {to}")
}

#[test]
fn wrong_calls_say_all_that_is_wrong_and_what_is_expected() {
    run(async {
        let wrong = seen(look_up, json!({"year": "soon", "city": "Tartu"})).await;
        for part in [
            "`look_up` was not called",
            "`town` is missing",
            "`year`",
            "no argument `city`",
            "town: string // its name in English",
        ] {
            assert!(wrong.contains(part), "{part}: {wrong}");
        }
        // What is meant to be an object is not taken for a text, and text not for several arguments.
        let cut = seen(look_up, json!({"_unparsed": "{\"town\": \"Tartu"})).await;
        assert!(cut.contains("no JSON object: {\"town\""), "{cut}");
        let text = seen(distance, json!({"_unparsed": "from Tartu to Tallinn"})).await;
        assert!(text.contains("no JSON object: from Tartu to Tallinn"), "{text}");
        let error = Tool::from_fn(look_up).call(object(json!({"town": "Atlantis"}))).await.unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ToolErrorKind::Failed, "`look_up` failed: no town is called Atlantis")
        );
    });
}

#[test]
fn a_tool_that_is_data_checks_its_schema() {
    let schema = json!({
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": ["integer", "null"]},
            "unit": {"enum": ["metric", "imperial"]},
            "at": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Point"}]},
        },
        "required": ["city"],
        "$defs": {"Point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
    });
    let weather = Tool::new("weather", "Tells the weather.", schema, |arguments| async move {
        Ok::<_, Error>(Value::Object(arguments))
    });
    run(async {
        for (given, read) in [
            (json!({"city": "Rome"}), json!({"city": "Rome"})),
            (json!({"city": "Rome", "days": "3"}), json!({"city": "Rome", "days": 3})),
            (json!({"City": "Rome", "days": null}), json!({"city": "Rome"})),
            (json!({"city": 7, "unit": "Metric"}), json!({"city": "7", "unit": "metric"})),
            (json!({"city": "Rome", "at": {"x": "1.5"}}), json!({"city": "Rome", "at": {"x": 1.5}})),
        ] {
            assert_eq!(weather.call(object(given.clone())).await.unwrap(), read, "{given}");
        }
        for (given, why) in [
            (json!({}), "`city` is missing"),
            (json!({"city": ["Rome"]}), "`city`: expected string"),
            (json!({"city": "Rome", "days": "soon"}), "`days`: expected integer or null, found \"soon\""),
            (json!({"city": "Rome", "unit": "feet"}), "expected one of \"metric\", \"imperial\""),
            (json!({"city": "Rome", "at": {"y": 1}}), "`at`: expected"),
            (json!({"city": "Rome", "country": "Italy"}), "no argument `country`"),
            (json!({"_unparsed": "{city: Rome"}), "no JSON object"),
        ] {
            let error = weather.call(object(given.clone())).await.unwrap_err();
            assert_eq!(error.kind, ToolErrorKind::Arguments);
            assert!(error.message.contains(why), "{given}: {error}");
        }
    });
}

/// Panics.
#[tool]
fn panicking() -> String {
    panic!("out of order")
}

/// Panics later.
#[tool]
async fn panicking_later(n: u8) -> String {
    tokio::task::yield_now().await;
    panic!("out of order {n}")
}

/// Hangs.
#[tool(timeout = Duration::from_millis(20))]
async fn hanging() {
    std::future::pending::<()>().await;
}

#[test]
fn panics_and_timeouts_are_told() {
    std::panic::set_hook(Box::new(|_| {}));
    run(async {
        assert_eq!(seen(panicking, json!({})).await, "`panicking` failed: it panicked: out of order");
        let later = seen(panicking_later, json!({"n": 3})).await;
        assert_eq!(later, "`panicking_later` failed: it panicked: out of order 3");
        assert_eq!(seen(hanging, json!({})).await, "`hanging` gave no result within 20ms");
        let observed = Tool::from_fn(hanging).observe(Default::default()).await;
        assert_eq!(observed.error, Some(ToolErrorKind::TimedOut));
    });
}

#[test]
fn a_plain_function_may_block_and_times_out() {
    /// Sleeps.
    #[tool(timeout = Duration::from_millis(20))]
    fn sleeping() {
        std::thread::sleep(Duration::from_millis(200));
    }

    run(async { assert!(seen(sleeping, json!({})).await.contains("no result within 20ms")) });
}

#[test]
fn a_call_is_made_only_when_it_is_approved() {
    static DELETED: AtomicUsize = AtomicUsize::new(0);

    /// Delete a file.
    #[tool]
    async fn delete(path: String) -> String {
        DELETED.fetch_add(1, Ordering::SeqCst);
        format!("deleted {path}")
    }

    let guarded = Tool::from_fn(delete).approve(|call| async move {
        match call.args["path"].as_str() {
            Some("/tmp/a") => Approval::Allow,
            Some("/tmp") => Approval::Edit(object(json!({"path": "/tmp/b"}))),
            _ => Approval::deny("only files in /tmp"),
        }
    });
    run(async {
        assert_eq!(seen(&guarded, json!({"path": "/tmp/a"})).await, "deleted /tmp/a");
        assert_eq!(seen(&guarded, json!({"path": "/tmp"})).await, "deleted /tmp/b");
        let denied = guarded.observe(object(json!({"path": "/etc"}))).await;
        assert_eq!(denied.text, "the call of `delete` was not allowed: only files in /tmp");
        assert_eq!((denied.error, DELETED.load(Ordering::SeqCst)), (Some(ToolErrorKind::Denied), 2));
        // All who decide must allow it.
        let closed = guarded.approve(|_| async { Approval::deny("not today") });
        assert!(seen(&closed, json!({"path": "/tmp/a"})).await.contains("not today"));
        assert_eq!(DELETED.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn long_results_are_cut() {
    let long = Tool::from_fn(look_up).max_output(5);
    run(async {
        assert_eq!(seen(long, json!({"town": "Tartu"})).await, "Tartu\n[32 of 37 characters are left out]");
    });
}

struct Ledger {
    sum: std::sync::Mutex<i64>,
}

#[tool]
impl Ledger {
    /// Book an amount.
    #[tool]
    async fn book(&self, amount: i64) -> Result<i64, String> {
        let mut sum = self.sum.lock().map_err(|_| "poisoned".to_owned())?;
        *sum += amount;
        Ok(*sum)
    }

    /// The sum of all bookings.
    #[tool(name = "total")]
    fn sum(&self) -> i64 {
        self.untold()
    }

    /// The unit of amounts.
    #[tool]
    fn unit() -> &'static str {
        "cent"
    }

    fn untold(&self) -> i64 {
        self.sum.lock().map_or(0, |sum| *sum)
    }
}

#[test]
fn methods_share_their_value() {
    run(async {
        let ledger = Arc::new(Ledger { sum: 3.into() });
        let tools = ledger.tools();
        let names: Vec<&str> = tools.iter().map(Tool::name).collect();
        assert_eq!(names, ["book", "total", "unit"]);
        assert_eq!(seen(&tools[0], json!({"amount": "4"})).await, "7");
        assert_eq!((seen(&tools[1], json!({})).await, ledger.untold()), ("7".into(), 7));
        assert_eq!(seen(&tools[2], json!({})).await, "cent");
    });
}

#[test]
fn an_agent_goes_on_after_calls_that_fail() {
    std::panic::set_hook(Box::new(|_| {}));
    run(async {
        let model = in_text([
            step("", "lookup_town", "{}"),
            step("", "look_up", "Atlantis"),
            step("", "panicking", ""),
            step("", "hanging", "null"),
            step("", "Look-Up", r#"{"town": "Tartu"}"#),
            finish(),
            answer(97_000),
        ])
        .await;
        let agent =
            ReAct::<Qa>::builder().tool(look_up).tool(panicking).tool(hanging).lm(model.lm.clone()).build();
        let p = agent.call("How many live in Tartu?").await.unwrap();
        let errors: Vec<_> =
            p.trajectory().unwrap().actions().map(|action| action.observation.error).collect();
        use ToolErrorKind::{Failed, Panicked, TimedOut, Unknown};
        assert_eq!(errors, [Some(Unknown), Some(Failed), Some(Panicked), Some(TimedOut), None, None]);
        let told = model.asked()[1].last();
        assert!(
            told.contains("no tool `lookup_town`; the tools are `look_up`, `panicking`, `hanging`, `finish`"),
            "{told}"
        );
        assert_eq!((p.answer, model.count()), (97_000, 7));
    });
}

#[test]
fn attributes_of_a_function_hold() {
    /// Old.
    #[deprecated(note = "use another one")]
    #[tool]
    #[must_use]
    async fn old(#[arg(default)] all: bool) -> bool {
        all
    }

    /// Older.
    #[tool]
    #[deprecated]
    fn older() -> u8 {
        1
    }

    /// There is no such thing.
    #[tool]
    #[cfg(any())]
    fn missing(thing: NoSuchType) {}

    run(async {
        #[expect(deprecated)]
        let tools = [Tool::from_fn(old), Tool::from_fn(older)];
        assert_eq!(seen(&tools[0], json!({"all": true})).await, "true");
        assert_eq!((seen(&tools[1], json!({})).await, tools[1].description()), ("1".into(), "Older."));
    });
}

#[test]
fn a_plain_tool_is_passed_on_as_a_function() {
    /// Double it.
    #[tool]
    fn double(n: i64) -> i64 {
        n * 2
    }

    assert_eq!([1, 2].map(*double), [2, 4]);
    assert_eq!(double(4), 8);
}

/// Variables and arguments may have the names of tools, which can still be called as functions.
#[test]
fn an_async_tool_is_a_function() {
    mod library {
        use dspy::prelude::*;

        /// Find a book.
        #[tool]
        pub(crate) async fn find(mut title: String, #[arg(default = 1)] copies: usize) -> Result<String> {
            title.push_str(&format!(" x{copies}"));
            Ok(title)
        }
    }
    use library::find;

    run(async {
        let as_function = find;
        assert_eq!(as_function("Emma".into(), 2).await.unwrap(), "Emma x2");
        let tools = [Tool::from_fn(find), Tool::from_fn(library::find).named("again")];
        let find = tools[0].call(object(json!({"title": "Emma"}))).await.unwrap();
        assert_eq!(find, "Emma x1");
        let both = tokio::join!(library::find("a".into(), 1), library::find("b".into(), 2));
        assert_eq!((both.0.unwrap(), both.1.unwrap()), ("a x1".to_owned(), "b x2".to_owned()));
    });
}

/// Arguments that are no object are those of a tool that needs one only, unless they were meant as something else.
#[test]
fn bare_arguments_are_taken_for_what_they_are() {
    run(async {
        let bare = |text: &str| object(json!({ "_unparsed": text }));
        let town = Tool::from_fn(look_up);
        let seen = |text: &'static str| town.observe(bare(text));
        for text in ["Tartu", " Tartu\n", "town = 'Tartu', year: 2020", "town: Tartu"] {
            assert_eq!(seen(text).await.text, "Tartu had 97,000 inhabitants in 2020.", "{text}");
        }
        for text in ["[\"Tartu\"]", "[1]", "town=Tartu, size=5", "{Tartu", "```Tartu```"] {
            assert_eq!(seen(text).await.error, Some(ToolErrorKind::Arguments), "{text}");
        }
        for text in ["[a-z]+", "https://x.y/z?town=1", "Tartu: a town", "x = 5", "townhouse: old"] {
            assert!(seen(text).await.text.ends_with(&format!("no town is called {text}")), "{text}");
        }
        assert_eq!(Tool::from_fn(add).observe(bare("[1, 2]")).await.text, "3.0");
    });
}
