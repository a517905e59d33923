//! Keys are sent to the provider, and seen nowhere else: whatever goes wrong, and whoever looks.

use std::{
    fmt::{Debug, Write},
    path::Path,
    sync::OnceLock,
};

use dspy_core::{
    lm::{AwsCredentials, Options},
    module::{Module, Program},
    predict::Predict,
    signature::{DynSignature, Record},
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::{support::Ending, *};

const KEY: &str = "sk-topsecret-key";
const HEADER: &str = "hidden-value-of-a-header";
/// Secrets behind the name of a scheme, which a server repeats without it: of the client, and of a single request.
const SCHEMED: &str = "topsecret-behind-a-scheme";
const OF_THE_REQUEST: &str = "topsecret-of-the-request";
const OF_THE_OPTIONS: &str = "hidden-value-of-the-options";

/// Behind a proxy that is not there.
#[allow(clippy::print_stderr, reason = "the process that started this one reads it")]
#[tokio::test]
async fn in_a_process_behind_a_proxy() {
    let Ok(base) = std::env::var("DSPY_TEST_BASE") else { return };
    let lm =
        LM::builder("openai/m").api_base(base).api_key(KEY).cache(Cache::off()).retries(0).build().unwrap();
    let request = || Request::new(vec![Message::user("hi")]);
    for error in [lm.generate(request()).await.unwrap_err(), lm.stream(request()).finish().await.unwrap_err()]
    {
        eprintln!("told: {error} {error:?} {error:#?} {lm:?}");
    }
}

#[test]
fn the_password_of_a_proxy_is_not_seen() {
    for base in ["http://model.invalid/v1", "https://model.invalid/v1"] {
        let done = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "secrets::in_a_process_behind_a_proxy", "--nocapture"])
            .env("DSPY_TEST_BASE", base)
            .env("http_proxy", "http://someone:topsecret-of-the-proxy@127.0.0.1:1")
            .env("https_proxy", "http://someone:topsecret-of-the-proxy@127.0.0.1:1")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && told.matches("told: ").count() == 2, "{told}");
        assert!(!told.contains("topsecret"), "{told}");
    }
}

#[test]
fn an_address_with_a_secret_is_refused_without_showing_it() {
    for base in [
        "http://someone:topsecret-1@127.0.0.1:1/v1",
        "http://127.0.0.1:1/v1?key=topsecret-1",
        "topsecret-1://x",
    ] {
        let error = LM::builder("openai/m").api_base(base).build().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("topsecret"), "{error}");
    }
}

/// All that is logged in this process at the level of traces, of this library and of those below it.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<String>>);

impl Logged {
    fn all() -> Self {
        static LOGGED: OnceLock<Logged> = OnceLock::new();
        let begin = || {
            let logged = Logged::default();
            tracing::subscriber::set_global_default(logged.clone()).unwrap();
            log::set_logger(Box::leak(Box::new(logged.clone()))).unwrap();
            log::set_max_level(log::LevelFilter::Trace);
            logged
        };
        LOGGED.get_or_init(begin).clone()
    }

    fn push(&self, what: std::fmt::Arguments<'_>) {
        writeln!(self.0.lock().unwrap(), "{what}").unwrap();
    }
}

impl Visit for Logged {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.push(format_args!("{field}={value:?} {value:#?}"));
    }
}

impl Subscriber for Logged {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        attributes.record(&mut self.clone());
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl log::Log for Logged {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        self.push(format_args!("{} {}", record.target(), record.args()));
    }
    fn flush(&self) {}
}

/// What goes wrong, by a server that repeats all that it was sent.
fn faults(sent: &str, events: &str) -> Vec<Reply> {
    let error = json!({"error": {"message": sent, "type": sent, "code": sent}, "message": sent});
    let page = format!("<!doctype html><title>{sent}</title><p>{sent}");
    let html = |status| Reply::Full {
        status,
        headers: vec![("content-type".into(), "text/html".into())],
        body: page.clone().into_bytes(),
    };
    let broken = format!("data: {}\n\n", json!({"type": "error", "error": {"message": sent, "type": sent}}));
    let mut replies: Vec<Reply> =
        [400, 401, 403, 404, 408, 429, 500, 503].map(|status| Reply::json(status, &error)).into();
    replies.extend([
        Reply::text(500, sent),
        html(200),
        html(502),
        Reply::text(301, "").with_header("location", &format!("http://127.0.0.1:1/{sent}")),
        Reply::json(200, &error),
        Reply::text(200, sent),
        Reply::text(200, &json!({"choices": sent, "content": sent, "candidates": sent}).to_string()),
        Reply::events(&[&broken], Ending::Proper),
        Reply::events(&[events, &broken], Ending::Broken),
        Reply::HalfBody(page.clone().into_bytes()),
        Reply::Reset,
    ]);
    replies
}

fn read_all(folder: &Path, shown: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        shown.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
}

#[tokio::test]
async fn no_key_is_seen_where_everything_fails() {
    let logged = Logged::all();
    let mut all: Vec<_> = providers()
        .into_iter()
        .map(|provider| (provider.model, provider.setup, provider.plain, provider.stream, false))
        .collect();
    #[cfg(feature = "bedrock")]
    {
        let signed = bedrock::provider();
        all.push((signed.model, signed.setup, signed.plain, signed.stream, true));
    }
    let chat = support::completion("Hello");
    let piece = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n".to_owned();
    for model in ["openai/m", "azure/m", "groq/m"] {
        all.push((model, |builder| builder, chat.clone(), piece.clone(), false));
    }
    // What leaves this process, or stays in it to be seen, with what it is: whatever else does is put here, too.
    let mut shown: Vec<(String, Vec<u8>)> = Vec::new();
    for (model, setup, plain, stream, signed) in all {
        let folder = tempfile::tempdir().unwrap();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let (heard, good) = (sent.clone(), plain.clone());
        let server = Server::start(move |call| {
            // What a header holds as a whole, and by itself what stands behind the name of a scheme.
            let whole = |(_, value): &(String, String)| [value.clone(), value.replace(' ', "\n")].join(" ");
            let headers: Vec<_> = call.headers.iter().map(whole).collect();
            let repeated = format!("wrong: {} {}", headers.join(" "), call.path);
            heard.lock().unwrap().push(repeated.clone());
            // The first is answered, so that there is something to keep.
            match faults(&repeated, &stream).get(call.number.wrapping_sub(1)) {
                Some(fault) => fault.clone(),
                None => Reply::json(200, &good),
            }
        })
        .await;
        let policy = RetryPolicy::new().retries(1).base(std::time::Duration::ZERO);
        let builder = LM::builder(model).api_base(server.api_base()).header("x-team", HEADER);
        let builder = builder.header("Proxy-Authorization", format!("Basic {SCHEMED}"));
        let builder = match signed {
            true => builder.aws_credentials(
                AwsCredentials::new("topsecret-id", "topsecret-secret-key").session_token(KEY),
            ),
            false => builder.api_key(KEY),
        };
        let builder = setup(builder).retry(policy).cache(Cache::disk(folder.path()));
        let what = |what: &str| format!("{model}: {what}");
        shown.push((what("the builder"), format!("{builder:?} {builder:#?}").into_bytes()));
        let lm = builder.build().unwrap();
        let rate = Predict::dynamic(DynSignature::parse("text -> stars: int").unwrap()).lm(lm.clone());
        let count = faults("", "").len();
        let mut n = 0;
        while server.count() <= 2 * count {
            n += 1;
            let mut request = Request::new(vec![Message::user(format!("number {n}"))]);
            request.options = Options::new()
                .header("x-gateway-authorization", format!("Bearer {OF_THE_REQUEST}"))
                .header("x-other", OF_THE_OPTIONS);
            shown.push((what("a request"), format!("{request:?} {request:#?}").into_bytes()));
            let outcome = match n % 3 {
                0 => rate
                    .call(Record::from([("text", n.to_string())]))
                    .await
                    .map(|p| format!("{p:?}"))
                    .map_err(|e| format!("{e} {e:?} {e:#?}")),
                1 => lm
                    .generate(request)
                    .await
                    .map(|a| format!("{a:?}"))
                    .map_err(|e| format!("{e} {e:?} {e:#?}")),
                _ => lm
                    .stream(request)
                    .finish()
                    .await
                    .map(|a| format!("{a:?}"))
                    .map_err(|e| format!("{e} {e:?} {e:#?}")),
            };
            shown.push((what(&format!("call {n}")), outcome.unwrap_or_else(|error| error).into_bytes()));
        }
        let redacted = |(_, bytes): &(String, Vec<u8>)| String::from_utf8_lossy(bytes).contains("[redacted]");
        assert!(shown.iter().any(redacted), "{model}: what a server repeats is shown without its secrets");
        let sent = sent.lock().unwrap().join("\n");
        for secret in [KEY, HEADER, SCHEMED, OF_THE_REQUEST, OF_THE_OPTIONS] {
            assert!(sent.contains(secret), "{model}: the server got {sent}");
        }
        for (name, text) in [
            ("Debug with options", {
                let options = Options::new().header("x-other", OF_THE_OPTIONS).extra("api_token", KEY);
                let lm = lm.with_options(&options);
                format!("{lm:?} {lm:#?} {:?} {}", lm.options(), lm.state())
            }),
            ("Debug", format!("{lm:?} {lm:#?} {:?} {:?} {rate:?}", lm.cache(), lm.retry_policy())),
            ("the state", lm.state().to_string()),
            ("the saved program", rate.to_json().unwrap().to_string()),
            ("the history", format!("{} {:?}", lm.inspect_history(1000), lm.history(1000))),
            ("the statistics", format!("{:?}", lm.cache().stats())),
        ] {
            shown.push((what(name), text.into_bytes()));
        }
        let program = folder.path().join("program.json");
        rate.save(&program).unwrap();
        lm.cache().export(folder.path().join("answers.jsonl")).unwrap();
        read_all(folder.path(), &mut shown);
    }
    shown.push(("the log".into(), logged.0.lock().unwrap().clone().into_bytes()));
    let log = shown.last().map(|(_, text)| String::from_utf8_lossy(text).into_owned()).unwrap();
    assert!(log.contains("trying again") && log.contains("gen_ai.request.model"), "something is logged");
    for (what, bytes) in &shown {
        for secret in [KEY, HEADER, "topsecret", "hidden-value"] {
            let found = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
            if let Some(at) = found {
                let around = &bytes[at.saturating_sub(300)..(at + 100).min(bytes.len())];
                panic!("{what} shows `{secret}`: {}", String::from_utf8_lossy(around));
            }
        }
    }
}
