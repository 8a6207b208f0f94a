//! `--container`, with an engine that answers what Docker 20.10 answered when the samples were recorded.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::ok;
use crate::mock::Mock;
use crate::schema::assert_valid_load_test;
use crate::support::{Ran, skinclf};

/// Listens on a socket of its own as long as the tests run; a thread a connection.
struct Engine {
    folder: TempDir,
}

impl Engine {
    /// `answer` is asked with the path of each request, and gives status and body.
    fn start(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("docker.sock")).expect("a socket");
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let answer = answer.clone();
                // A client that goes away in the middle is no concern of the engine.
                std::thread::spawn(move || stream.and_then(|s| converse(&s, &*answer)));
            }
        });
        Self { folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }
}

fn converse(stream: &UnixStream, answer: &(dyn Fn(&str) -> (u16, String) + Sync)) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap_or(Ok(String::new()))?;
    let method_and_path: Vec<_> = request.split(' ').collect();
    assert_eq!(method_and_path.first(), Some(&"GET"), "{request}");
    while !lines.next().unwrap_or(Ok(String::new()))?.is_empty() {}
    let (status, body) = answer(method_and_path[1]);
    let mut stream = stream;
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn recorded(name: &str) -> Value {
    let text = std::fs::read_to_string(format!("tests/load/fixtures/docker-{name}.json")).expect(name);
    serde_json::from_str(&text).expect("JSON")
}

/// The recorded sample, of a container that has used a quarter of a core since `start`, and was throttled for half the time.
fn stats(start: Instant) -> String {
    let mut stats = recorded("stats");
    let used = start.elapsed().as_nanos() as u64;
    stats["read"] = json!(humantime::format_rfc3339_nanos(SystemTime::now()).to_string());
    stats["cpu_stats"]["cpu_usage"]["total_usage"] = json!(used / 4);
    stats["cpu_stats"]["throttling_data"]["throttled_time"] = json!(used / 2);
    stats.to_string()
}

fn gone() -> (u16, String) {
    (404, r#"{"message":"No such container: a"}"#.to_owned())
}

/// What Docker answers about a container that does not run.
fn stopped() -> String {
    json!({"read": "0001-01-01T00:00:00Z", "cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}).to_string()
}

fn bench(docker_host: &str, url: &str, args: &[&str]) -> Ran {
    let mut command = skinclf();
    command.args(["bench", "--url", url, "--users", "2", "--think", "10ms", "--mix", "any=1", "--no-check"]);
    command.args(args).env("DOCKER_HOST", docker_host).output().expect("the binary starts").into()
}

#[test]
fn a_container_has_the_figures_of_its_engine() {
    let start = Instant::now();
    let engine = Engine::start(move |path| match path {
        "/containers/a/json" => (200, recorded("inspect").to_string()),
        "/containers/a/stats?stream=false&one-shot=true" => (200, stats(start)),
        _ => gone(),
    });
    let server = Mock::start(ok);
    let ran =
        bench(&engine.host(), &server.url, &["--container", "a", "--duration", "3s", "--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let run: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_valid_load_test(&run);
    let container = &run["containers"][0];
    assert_eq!((&container["name"], &container["cpu_cap"]), (&json!("a"), &json!(0.25)));
    assert_eq!(container["memory_limit_bytes"], json!(67_108_864.0));
    assert_eq!(container["memory_max_bytes"], json!(405_504.0), "usage less inactive files");
    // By the engine's clock, however late its answers come.
    let near = |value: &Value, wanted: f64| value.as_f64().is_some_and(|value| (value - wanted).abs() < 0.01);
    assert!(near(&container["cpu_mean"], 0.25), "{container}");
    let series = container["series"].as_array().expect("a series");
    assert!(series.len() >= 3, "{series:?}");
    assert!(series[0]["cpu"].is_null(), "nothing is before the first");
    assert!(series[1..].iter().all(|s| near(&s["cpu"], 0.25) && near(&s["throttled"], 0.5)), "{series:?}");
    // The cap, and not the machine, is what the server can use.
    let findings = run["findings"].to_string();
    assert!(findings.contains("the server used 0.25 of its cap of 0.25 cores"), "{findings}");
}

#[test]
fn a_container_that_is_killed_or_restarted_only_leaves_a_gap() {
    for away in [(200, stopped()), gone(), (500, "oops".to_owned())] {
        let asked = AtomicUsize::new(0);
        let start = Instant::now();
        let engine = Engine::start(move |path| {
            if path.ends_with("/json") {
                return (200, recorded("inspect").to_string());
            }
            match asked.fetch_add(1, Ordering::Relaxed) {
                1 => away.clone(),
                _ => (200, stats(start)),
            }
        });
        let server = Mock::start(ok);
        let ran =
            bench(&engine.host(), &server.url, &["--container", "a", "--duration", "4s", "--format", "json"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        let run: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_valid_load_test(&run);
        let series = run["containers"][0]["series"].as_array().expect("a series");
        let is_known: Vec<_> = series.iter().map(|s| s["memory_bytes"].is_number()).collect();
        assert!(is_known.len() >= 4 && is_known[..3] == [true, false, true], "{series:?}");
        assert!(series[1]["cpu"].is_null() && series[2]["cpu"].is_null() && series[3]["cpu"].is_number());
    }
}

#[test]
fn an_engine_or_container_that_is_not_there_is_an_error_before_the_load() {
    let mut stopped = recorded("inspect");
    stopped["State"]["Running"] = json!(false);
    let engine = Engine::start(move |path| match path {
        "/containers/stopped/json" => (200, stopped.to_string()),
        "/containers/odd/json" => (200, "[]".to_owned()),
        "/containers/broken/json" => (500, String::new()),
        _ => gone(),
    });
    let server = Mock::start(ok);
    let socket = engine.socket().display().to_string();
    let file = engine.folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let (here, nowhere, file) =
        (engine.host(), "unix:///nowhere/docker.sock", format!("unix://{}", file.display()));
    for (host, name, said) in [
        (&*here, "none", "no such container".to_owned()),
        (&here, "stopped", "the container does not run".to_owned()),
        (&here, "odd", "the Docker engine's answer is not understood".to_owned()),
        (&here, "broken", format!("the Docker engine at {socket} answers 500")),
        (nowhere, "a", "no access to a Docker engine at /nowhere/docker.sock".to_owned()),
        (&file, "a", "no access to a Docker engine at ".to_owned()),
        ("tcp://127.0.0.1:2375", "a", "DOCKER_HOST is tcp://127.0.0.1:2375: only the socket".to_owned()),
    ] {
        let ran = bench(host, &server.url, &["--container", name, "--duration", "20s"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
        let expected = format!("error: --container {name}: {said}");
        assert!(ran.stderr.starts_with(&expected) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
    }
    assert_eq!(server.requests.load(Ordering::Relaxed), 7, "the load test asked for /health alone");
}
