//! No request is paid twice: the cache in memory and on disk, and equal requests in flight.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use dspy_core::{
    LmErrorKind,
    lm::{Answer, Cache, LM, Message, Options, Request},
};
use support::{Reply, Server};

fn lm(server: &Server, cache: Cache) -> LM {
    LM::builder("openai/m").api_base(server.api_base()).cache(cache).retries(0).build().unwrap()
}

fn ask(text: &str) -> Request {
    Request::new(vec![Message::user(text)])
}

fn text(answer: &Answer) -> &str {
    &answer.response.choices[0].text
}

async fn numbering() -> Server {
    Server::start(|call| Reply::completion(&format!("answer {}", call.number))).await
}

#[tokio::test]
async fn an_answer_is_paid_once() {
    let folder = tempfile::tempdir().unwrap();
    for cache in [Cache::memory(100), Cache::disk(folder.path())] {
        let server = numbering().await;
        let lm = lm(&server, cache);
        let first = lm.generate(ask("a")).await.unwrap();
        let again = lm.generate(ask("a")).await.unwrap();
        assert!(!first.cached && again.cached);
        assert_eq!(first.response, again.response);
        assert_eq!((again.usage().calls, again.usage().cached_calls), (0, 1));
        assert_eq!((lm.usage().calls, lm.usage().cached_calls, lm.usage().prompt_tokens), (1, 1, 7));
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test]
async fn whatever_may_change_the_answer_separates() {
    let (server, other) = (numbering().await, numbering().await);
    let cache = Cache::memory(100);
    let lm = lm(&server, cache.clone());
    lm.generate(ask("a")).await.unwrap();
    let mut rollout = ask("a");
    rollout.rollout = 1;
    assert!(!lm.generate(rollout).await.unwrap().cached);
    let mut options = ask("a");
    options.options = Options::new().temperature(1.0);
    assert!(!lm.generate(options.clone()).await.unwrap().cached);
    let warm = lm.with_options(&Options::new().temperature(1.0));
    assert!(warm.generate(ask("a")).await.unwrap().cached, "the options count, not where they come from");
    let elsewhere = LM::builder("openai/m").api_base(other.api_base()).cache(cache.clone()).build().unwrap();
    assert!(!elsewhere.generate(ask("a")).await.unwrap().cached, "another endpoint");
    let keyed = LM::builder("openai/m").api_base(server.api_base()).api_key("sk-other").cache(cache);
    assert!(keyed.build().unwrap().generate(ask("a")).await.unwrap().cached, "the key is no part of it");
    let mut uncached = ask("a");
    uncached.cache = false;
    assert!(!lm.generate(uncached).await.unwrap().cached);
    assert_eq!((server.count(), other.count()), (4, 1));
}

#[tokio::test]
async fn errors_are_not_kept() {
    let server = Server::replying(vec![Reply::error(400, "no"), Reply::completion("yes")]).await;
    let lm = lm(&server, Cache::memory(10));
    assert_eq!(lm.generate(ask("a")).await.unwrap_err().kind, LmErrorKind::InvalidRequest);
    assert_eq!(text(&lm.generate(ask("a")).await.unwrap()), "yes");
}

#[tokio::test]
async fn equal_requests_in_flight_are_sent_once() {
    let server = Server::start(|_| Reply::completion("one").after(Duration::from_millis(30))).await;
    let lm = lm(&server, Cache::memory(10));
    let answers = futures_util::future::join_all((0..100).map(|_| lm.generate(ask("a")))).await;
    assert_eq!(server.count(), 1);
    let paid = answers.iter().filter(|a| !a.as_ref().unwrap().cached).count();
    assert_eq!((paid, lm.usage().calls, lm.usage().cached_calls), (1, 1, 99));
}

#[tokio::test]
async fn those_who_wait_share_a_failure() {
    let server = Server::start(|_| Reply::error(400, "no").after(Duration::from_millis(30))).await;
    let lm = lm(&server, Cache::memory(10));
    let answers = futures_util::future::join_all((0..20).map(|_| lm.generate(ask("a")))).await;
    assert!(answers.iter().all(|a| a.as_ref().unwrap_err().message == "no"));
    assert_eq!(server.count(), 1);
    lm.generate(ask("a")).await.unwrap_err();
    assert_eq!(server.count(), 2, "the failure is not kept");
}

#[tokio::test]
async fn a_follower_takes_over_when_the_leader_is_dropped() {
    let server = Server::start(|call| match call.number {
        0 => Reply::Never,
        _ => Reply::completion("taken over"),
    })
    .await;
    let lm = lm(&server, Cache::memory(10));
    let leader = tokio::spawn({
        let lm = lm.clone();
        async move { lm.generate(ask("a")).await }
    });
    while server.count() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let follower = tokio::spawn({
        let lm = lm.clone();
        async move { lm.generate(ask("a")).await }
    });
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(server.count(), 1, "the follower waits");
    leader.abort();
    let answer = follower.await.unwrap().unwrap();
    assert_eq!((text(&answer), answer.cached), ("taken over", false));
    assert!(lm.generate(ask("a")).await.unwrap().cached);
}

#[cfg(feature = "disk-cache")]
mod disk {
    use std::path::Path;

    use super::*;

    fn file(folder: &Path) -> std::path::PathBuf {
        folder.join("lm.sqlite3")
    }

    #[tokio::test]
    async fn another_handle_finds_what_one_has_written() {
        let folder = tempfile::tempdir().unwrap();
        let server = numbering().await;
        let nested = folder.path().join("made/on/use");
        lm(&server, Cache::disk(&nested)).generate(ask("a")).await.unwrap();
        let answer = lm(&server, Cache::disk(&nested)).generate(ask("a")).await.unwrap();
        assert!(answer.cached);
        assert_eq!(text(&answer), "answer 0");
        assert_eq!(answer.response.usage.prompt_tokens, 7, "what it cost is still known");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&nested), 0o700);
            for entry in std::fs::read_dir(&nested).unwrap() {
                let path = entry.unwrap().path();
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }

    /// Asks what `DSPY_TEST_ASK` lists, in a process of its own.
    #[tokio::test]
    async fn in_a_process_of_its_own() {
        let (Ok(base), Ok(folder)) = (std::env::var("DSPY_TEST_BASE"), std::env::var("DSPY_TEST_FOLDER"))
        else {
            return;
        };
        let lm = LM::builder("openai/m").api_base(base).cache(Cache::disk(folder)).build().unwrap();
        for n in 0..50 {
            lm.generate(ask(&n.to_string())).await.unwrap();
        }
        // Ends without any farewell: what was answered must be there nevertheless.
        std::process::abort();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn processes_share_the_file_and_lose_nothing_when_they_die() {
        let folder = tempfile::tempdir().unwrap();
        let server = numbering().await;
        let children: Vec<_> = (0..4)
            .map(|_| {
                std::process::Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", "disk::in_a_process_of_its_own"])
                    .env("DSPY_TEST_BASE", server.api_base())
                    .env("DSPY_TEST_FOLDER", folder.path())
                    .stdout(std::process::Stdio::null())
                    .stderr(std::process::Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        tokio::task::spawn_blocking(move || {
            for mut child in children {
                child.wait().unwrap();
            }
        })
        .await
        .unwrap();
        let sent = server.count();
        assert_eq!(sent, 50, "each request is sent by one of the processes");
        let lm = lm(&server, Cache::disk(folder.path()));
        for n in 0..50 {
            assert!(lm.generate(ask(&n.to_string())).await.unwrap().cached, "{n} was answered before");
        }
        assert_eq!(server.count(), sent);
    }

    /// The answer to a number: of very different lengths.
    fn long(n: usize) -> String {
        format!("{n}:{}", "0123456789".repeat(n * 7919 % 2000))
    }

    async fn answering() -> Server {
        Server::start(|call| {
            let asked = call.json()["messages"][0]["content"].as_str().and_then(|n| n.parse().ok());
            Reply::completion(&long(asked.unwrap()))
        })
        .await
    }

    /// Asks from `DSPY_TEST_FROM` on, in a process of its own, and tells of each answer whether it was kept: until it is
    /// killed, or a few were not kept.
    #[tokio::test]
    async fn in_a_process_that_tells() {
        use std::io::Write;

        use futures_util::{StreamExt, stream};
        let variables =
            ["DSPY_TEST_BASE", "DSPY_TEST_FOLDER", "DSPY_TEST_FROM"].map(|name| std::env::var(name).ok());
        let [Some(base), Some(folder), Some(from)] = variables else { return };
        let lm = LM::builder("openai/m").api_base(base).cache(Cache::disk(folder)).build().unwrap();
        let from: usize = from.parse().unwrap();
        let ask = |n: usize| {
            let lm = &lm;
            async move { (n, lm.generate(ask(&n.to_string())).await.unwrap().unsaved) }
        };
        let mut answers = stream::iter((from..from + 1000).map(ask)).buffer_unordered(16);
        let mut unsaved = 0;
        while let Some((n, lost)) = answers.next().await {
            // In one piece, so that no half of a line is left when it is killed.
            let line = format!("{} {n}\n", if lost { "lost" } else { "kept" });
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            unsaved += usize::from(lost);
            if unsaved > 20 {
                break;
            }
        }
    }

    /// What a process tells that asks from `from` on, as far as `goes_on` reads. Then it is killed.
    async fn told(
        base: String,
        folder: &Path,
        from: usize,
        limit: Option<&str>,
        goes_on: impl Fn(&[String]) -> bool + Send + 'static,
    ) -> Vec<String> {
        use std::{
            io::{BufRead, BufReader},
            process::{Command, Stdio},
        };
        let test = std::env::current_exe().unwrap();
        let mut command = match limit {
            None => Command::new(&test),
            Some(limit) => {
                let mut shell = Command::new("sh");
                shell
                    .args(["-c", &format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"")])
                    .arg(&test);
                shell
            }
        };
        command
            .args(["--exact", "disk::in_a_process_that_tells", "--nocapture"])
            .env("DSPY_TEST_BASE", base)
            .env("DSPY_TEST_FOLDER", folder)
            .env("DSPY_TEST_FROM", from.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let read = move || {
            let mut child = command.spawn().unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            let mut told = Vec::new();
            while goes_on(&told) {
                let Some(Ok(line)) = lines.next() else { break };
                told.push(line);
            }
            child.kill().unwrap();
            // What it said before it was killed.
            told.extend(lines.map_while(Result::ok));
            child.wait().unwrap();
            told
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    fn numbers(told: &[String], what: &str) -> Vec<usize> {
        told.iter().filter_map(|line| line.strip_prefix(what)?.trim().parse().ok()).collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_a_process_that_is_killed_all_is_there_that_was_answered() {
        let folder = tempfile::tempdir().unwrap();
        let server = answering().await;
        let mut all = 0;
        for kill in 0..50 {
            let until = 1 + kill * 7 % 40;
            let told =
                told(server.api_base(), folder.path(), kill * 1000, None, move |told| told.len() < until)
                    .await;
            let kept = numbers(&told, "kept ");
            assert!(kept.len() == told.len() && kept.len() >= until, "{told:?}");
            all += kept.len();
            // Opened anew after each, so that the journal of the process that was killed is played back.
            let lm = lm(&server, Cache::disk(folder.path()));
            for n in kept {
                let answer = lm.generate(ask(&n.to_string())).await.unwrap();
                assert!(answer.cached, "{n}, which the process had after {until} answers");
                assert_eq!(text(&answer), long(n));
            }
        }
        assert!(all > 800, "{all}");
        // What it had sent when it was killed is there as a whole or not at all.
        let lm = lm(&server, Cache::disk(folder.path()).replay());
        let mut there = 0;
        for n in (0..50).flat_map(|kill| kill * 1000..kill * 1000 + 100) {
            match lm.generate(ask(&n.to_string())).await {
                Ok(answer) => assert_eq!(text(&answer), long(n)),
                Err(error) => {
                    assert_eq!(error.kind, LmErrorKind::Cache, "{error}");
                    continue;
                }
            }
            there += 1;
        }
        assert!(there >= all, "{there} of {all}");
        assert!(!folder.path().join("lm.sqlite3.corrupt").exists());
        assert_eq!(lm.cache().stats().trouble, None);
    }

    /// A limit on the size of files stands for a disk that is full.
    #[cfg(target_os = "linux")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_full_disk_is_said_once_and_costs_only_what_came_after() {
        let folder = tempfile::tempdir().unwrap();
        let server = answering().await;
        let told = told(server.api_base(), folder.path(), 0, Some("1000"), |_| true).await;
        let (kept, lost) = (numbers(&told, "kept "), numbers(&told, "lost "));
        assert!(kept.len() > 10 && lost.len() > 20, "{told:?}");
        let said: Vec<_> = told.iter().filter(|line| line.starts_with("dspy: ")).collect();
        assert!(said.len() == 1 && said[0].contains("cannot be written to the cache"), "{said:?}");
        let lm = lm(&server, Cache::disk(folder.path()));
        for n in kept {
            let answer = lm.generate(ask(&n.to_string())).await.unwrap();
            assert!(answer.cached && text(&answer) == long(n), "{n}");
        }
        assert!(!folder.path().join("lm.sqlite3.corrupt").exists());
    }

    #[tokio::test]
    async fn a_broken_file_is_set_aside_and_begun_anew() {
        for garbage in [vec![b'x'; 100_000], b"SQLite format 3\0 and then nothing of use".repeat(200)] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(file(folder.path()), &garbage).unwrap();
            let server = numbering().await;
            for cached in [false, true] {
                let answer = lm(&server, Cache::disk(folder.path())).generate(ask("a")).await.unwrap();
                assert_eq!(answer.cached, cached);
            }
            assert_eq!(std::fs::read(folder.path().join("lm.sqlite3.corrupt")).unwrap(), garbage);
        }
    }

    #[tokio::test]
    async fn a_file_that_breaks_while_it_is_used_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let server = numbering().await;
        {
            let lm = lm(&server, Cache::disk(folder.path()));
            for n in 0..300 {
                lm.generate(ask(&format!("{n} {}", "x".repeat(500)))).await.unwrap();
            }
        }
        // The last handle is gone; wait until its journal has been written back into the file.
        for _ in 0..500 {
            if !folder.path().join("lm.sqlite3-wal").exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let mut bytes = std::fs::read(file(folder.path())).unwrap();
        let length = bytes.len();
        assert!(length > 40_000, "{length}");
        bytes[8192..].fill(0xA5);
        std::fs::write(file(folder.path()), bytes).unwrap();
        let lm = lm(&server, Cache::disk(folder.path()));
        for n in 0..300 {
            lm.generate(ask(&format!("{n} {}", "x".repeat(500)))).await.unwrap();
        }
        lm.cache().clear_memory();
        for n in 250..300 {
            let answer = lm.generate(ask(&format!("{n} {}", "x".repeat(500)))).await.unwrap();
            assert!(answer.cached, "{n} is in the new file");
        }
        assert_eq!(lm.cache().stats().trouble, None);
        assert!(folder.path().join("lm.sqlite3.corrupt").exists());
    }

    #[tokio::test]
    async fn without_a_place_requests_are_simply_sent() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "no folder").unwrap();
        let server = numbering().await;
        let lm = lm(&server, Cache::disk(blocked.join("below")));
        assert!(!lm.generate(ask("a")).await.unwrap().cached);
        assert!(lm.generate(ask("a")).await.unwrap().cached, "memory still works");
        let b = lm.generate(ask("b")).await.unwrap();
        assert!(!b.cached && b.unsaved);
        let stats = lm.cache().stats();
        assert_eq!((stats.hits, stats.misses, stats.unsaved, stats.entries), (1, 2, 2, 0));
        assert!(stats.trouble.is_some_and(|trouble| trouble.contains("cannot be used")));
        assert_eq!(lm.usage().unsaved_calls, 2);
        assert!(lm.usage().to_string().contains("2 answers could not be kept on disk"), "{}", lm.usage());
        // Nothing is sent that could not be kept, where that was asked for.
        let sent = server.count();
        let strict = super::lm(&server, Cache::disk(blocked.join("below")).strict());
        let error = strict.generate(ask("c")).await.unwrap_err();
        assert!(error.kind == LmErrorKind::Cache && error.message.contains("strict"), "{error}");
        assert_eq!(server.count(), sent);
        // It is tried again, and what could not be written by then is written.
        std::fs::remove_file(&blocked).unwrap();
        let mut more = 0;
        while lm.generate(ask(&format!("more {more}"))).await.unwrap().unsaved {
            more += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(lm.cache().stats().trouble, None);
        lm.cache().clear_memory();
        for kept in ["a", "b", "more 0"] {
            assert!(lm.generate(ask(kept)).await.unwrap().cached, "{kept}");
        }
        assert_eq!(lm.cache().stats().entries, 3 + more);
    }

    /// Asks in a process of its own, which may not write.
    #[allow(clippy::print_stderr, reason = "the process that started this one reads it")]
    #[tokio::test]
    async fn in_a_process_that_may_only_read() {
        let (Ok(base), Ok(folder)) =
            (std::env::var("DSPY_TEST_BASE"), std::env::var("DSPY_TEST_FOLDER_TO_READ"))
        else {
            return;
        };
        let folder = Path::new(&folder);
        assert!(std::fs::write(folder.join("new"), "").is_err(), "this process may write");
        let over = |cache| LM::builder("openai/m").api_base(&base).cache(cache).build().unwrap();
        for cache in [Cache::disk(folder).replay(), Cache::disk(folder).read_only(), Cache::disk(folder)] {
            let lm = over(cache);
            lm.cache().clear_memory();
            let a = lm.generate(ask("a")).await.unwrap();
            assert_eq!((text(&a), a.cached, lm.cache().stats().entries), ("answer 0", true, 1));
            assert_eq!(lm.cache().stats().trouble, None, "nothing was to be written");
        }
        let exported = tempfile::tempdir().unwrap();
        assert_eq!(Cache::disk(folder).export(exported.path().join("all.jsonl")).unwrap(), 1);
        let reading = over(Cache::disk(folder).read_only()).generate(ask("b")).await.unwrap();
        assert!(!reading.cached && !reading.unsaved);
        let lm = over(Cache::disk(folder));
        assert!(lm.generate(ask("c")).await.unwrap().unsaved);
        let trouble = lm.cache().stats().trouble.unwrap();
        assert!(trouble.contains("can only be read"), "{trouble}");
        let strict = over(Cache::disk(folder).strict()).generate(ask("d")).await.unwrap_err();
        assert!(strict.kind == LmErrorKind::Cache && strict.message.contains("can only be read"), "{strict}");
        eprintln!("all was seen");
    }

    #[cfg(target_os = "linux")]
    #[allow(clippy::print_stderr, reason = "says that it is skipped")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn answers_in_a_folder_that_can_only_be_read_are_used() {
        use std::os::unix::fs::PermissionsExt;

        let server = numbering().await;
        let folder = tempfile::tempdir().unwrap();
        lm(&server, Cache::disk(folder.path())).generate(ask("a")).await.unwrap();
        for _ in 0..500 {
            if !folder.path().join("lm.sqlite3-wal").exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let allow = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            allow(&entry.unwrap().path(), 0o444);
        }
        allow(folder.path(), 0o555);
        // Permissions do not hold for a superuser.
        let test = std::env::current_exe().unwrap();
        let mut command = match std::fs::write(folder.path().join("new"), "") {
            Err(_) => std::process::Command::new(test),
            Ok(()) => {
                std::fs::remove_file(folder.path().join("new")).unwrap();
                let mut command = std::process::Command::new("setpriv");
                command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(test);
                command
            }
        };
        command
            .args(["--exact", "disk::in_a_process_that_may_only_read", "--nocapture"])
            .env("DSPY_TEST_BASE", server.api_base())
            .env("DSPY_TEST_FOLDER_TO_READ", folder.path());
        let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
        allow(folder.path(), 0o755);
        let Ok(done) = done else {
            eprintln!(
                "skipped: this user may write everywhere, and there is no `setpriv` to become another one"
            );
            return;
        };
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && said.contains("all was seen"), "{said}");
        assert_eq!(said.lines().filter(|line| line.starts_with("dspy: ")).count(), 1, "{said}");
    }

    #[tokio::test]
    async fn a_file_that_was_deleted_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let server = numbering().await;
        let lm = lm(&server, Cache::disk(folder.path()));
        lm.generate(ask("a")).await.unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let b = lm.generate(ask("b")).await.unwrap();
        assert!(!b.unsaved && file(folder.path()).exists());
        lm.cache().clear_memory();
        assert!(lm.generate(ask("b")).await.unwrap().cached);
        assert!(!lm.generate(ask("a")).await.unwrap().cached);
    }

    #[tokio::test]
    async fn a_folder_has_one_store_however_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(|_| Reply::completion("x").after(Duration::from_millis(20))).await;
        let one = lm(&server, Cache::disk(folder.path().join("made/later")));
        let two = lm(&server, Cache::disk(folder.path().join("made/../made/later")));
        let (a, b) = tokio::join!(one.generate(ask("a")), two.generate(ask("a")));
        assert_eq!((a.unwrap().cached as u8) + (b.unwrap().cached as u8), 1);
        assert_eq!(server.count(), 1);
    }

    #[tokio::test]
    async fn answers_travel_in_a_file() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let server = numbering().await;
        let ours = lm(&server, Cache::disk(here.path()));
        for n in 0..20 {
            ours.generate(ask(&n.to_string())).await.unwrap();
        }
        let file = here.path().join("answers.jsonl");
        assert_eq!(ours.cache().export(&file).unwrap(), 20);
        let exported = std::fs::read_to_string(&file).unwrap();
        assert_eq!(exported.lines().count(), 21);
        let sent = server.count();
        for cache in [Cache::disk(there.path()), Cache::memory(1000)] {
            assert_eq!(cache.import(&file).unwrap(), 20);
            let theirs = lm(&server, cache.clone().replay());
            for n in 0..20 {
                let answer = theirs.generate(ask(&n.to_string())).await.unwrap();
                assert_eq!((text(&answer), answer.cached), (format!("answer {n}").as_str(), true));
            }
            let missing = theirs.generate(ask("20 oranges")).await.unwrap_err();
            assert_eq!(missing.kind, LmErrorKind::Cache);
            for told in ["20 oranges", "another prompt", "without `replay()`"] {
                assert!(missing.message.contains(told), "{missing}");
            }
            assert_eq!(theirs.stream(ask("20")).finish().await.unwrap_err().kind, LmErrorKind::Cache);
            let again = there.path().join("again.jsonl");
            cache.export(&again).unwrap();
            let [ours, theirs] = [exported.clone(), std::fs::read_to_string(again).unwrap()].map(|text| {
                let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                lines.sort();
                lines
            });
            assert_eq!(ours, theirs);
        }
        assert_eq!(server.count(), sent);
        std::fs::write(&file, "{}\n").unwrap();
        assert!(ours.cache().import(&file).unwrap_err().to_string().contains("line 1"));
        assert!(Cache::off().export(&file).is_err());
    }

    #[tokio::test]
    async fn a_cache_can_be_only_read_or_refreshed() {
        let folder = tempfile::tempdir().unwrap();
        let server = numbering().await;
        let cache = Cache::disk(folder.path());
        lm(&server, cache.clone()).generate(ask("a")).await.unwrap();
        let reading = lm(&server, cache.clone().read_only());
        assert!(reading.generate(ask("a")).await.unwrap().cached);
        assert!(!reading.generate(ask("b")).await.unwrap().cached);
        assert_eq!(cache.stats().entries, 1);
        let refreshing = lm(&server, cache.clone().refresh());
        let fresh = refreshing.generate(ask("a")).await.unwrap();
        assert_eq!((text(&fresh), fresh.cached), ("answer 2", false));
        cache.clear_memory();
        assert_eq!(text(&lm(&server, cache).generate(ask("a")).await.unwrap()), "answer 2");
    }

    #[tokio::test]
    async fn a_dropped_request_leaves_the_store_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(|_| Reply::completion("x").after(Duration::from_millis(2))).await;
        let lm = lm(&server, Cache::disk(folder.path()));
        for n in 0..60_u64 {
            let request = lm.generate(ask(&n.to_string()));
            // Some are dropped before they are sent, some while they wait, some while they are written.
            let _ = tokio::time::timeout(Duration::from_micros(n * 100), request).await;
        }
        for n in 0..60 {
            assert_eq!(text(&lm.generate(ask(&n.to_string())).await.unwrap()), "x");
        }
        let fresh = super::lm(&server, Cache::disk(folder.path()));
        let sent = server.count();
        for n in 0..60 {
            assert!(fresh.generate(ask(&n.to_string())).await.unwrap().cached);
        }
        assert_eq!(server.count(), sent);
        assert!(!Path::exists(&folder.path().join("lm.sqlite3.corrupt")));
    }
}

#[tokio::test]
async fn models_of_ones_own_of_the_same_name_share_nothing() {
    use dspy_core::{
        LmError,
        lm::{BoxFuture, LanguageModel, Response},
    };

    struct Own(&'static str);
    impl LanguageModel for Own {
        fn id(&self) -> &str {
            "own/model"
        }
        fn generate<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
            Box::pin(async { Ok(Response::text(self.0)) })
        }
    }
    let (one, two): (LM, LM) = (Own("one").into(), LM::from_model(std::sync::Arc::new(Own("two"))));
    assert_eq!(text(&one.generate(ask("a")).await.unwrap()), "one");
    assert_eq!(text(&two.generate(ask("a")).await.unwrap()), "two");
    assert!(one.generate(ask("a")).await.unwrap().cached);
}

#[tokio::test]
async fn handles_with_other_keys_share_answers_and_no_failures() {
    let server = Server::start(|call| {
        let reply = match call.header("authorization") {
            Some("Bearer right") => Reply::completion("yes"),
            _ => Reply::error(401, "wrong key"),
        };
        reply.after(Duration::from_millis(30))
    })
    .await;
    let cache = Cache::memory(10);
    let with = |key: &str| {
        let builder = LM::builder("openai/m").api_base(server.api_base()).api_key(key);
        builder.cache(cache.clone()).build().unwrap()
    };
    let (wrong, right) = (with("wrong"), with("right"));
    let (a, also_a, b) =
        tokio::join!(wrong.generate(ask("a")), wrong.generate(ask("a")), right.generate(ask("a")));
    assert!(a.is_err() && also_a.is_err());
    assert_eq!(text(&b.unwrap()), "yes");
    assert_eq!(server.count(), 2);
    assert!(wrong.generate(ask("a")).await.unwrap().cached);
}
