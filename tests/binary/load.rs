//! `skinclf bench --url`: counts, kinds of failure, verdicts and exit statuses. What a figure is
//! depends on the machine, so only what must hold on any is asserted.

use std::io::Read as _;
use std::process::{Child, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::mock::{Answer, Mock};
use crate::support::{Ran, Server, classify_json, run, skinclf};

fn ok(_path: &str) -> Answer {
    Some((200, "{}".to_owned()))
}

/// Exit status and JSON of a run against `url`.
fn load(url: &str, args: &[&str]) -> (Ran, Value) {
    let ran = run(["bench", "--url", url, "--format", "json"].iter().chain(args));
    let json = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}", ran.stderr));
    (ran, json)
}

fn endpoint<'v>(run: &'v Value, name: &str) -> &'v Value {
    let endpoints = run["endpoints"].as_array().expect("endpoints");
    endpoints.iter().find(|e| e["name"] == name).unwrap_or_else(|| panic!("no {name} in {endpoints:?}"))
}

fn total(run: &Value) -> &Value {
    let last = run["endpoints"].as_array().and_then(|e| e.last()).expect("endpoints");
    assert_eq!(last["name"], "Total");
    last
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

fn reasons(run: &Value) -> String {
    run["verdict_reasons"].to_string()
}

#[test]
fn requests_are_counted_once_everywhere() {
    let server = Server::start(&[]);
    let (ran, run) = load(&server.url, &["--users", "4", "--think", "0", "--duration", "2s"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let all = count(&total(&run)["requests"]);
    let [predictions, probes] = ["/predict", "/health"].map(|name| count(&endpoint(&run, name)["requests"]));
    assert_eq!(predictions + probes, all);
    assert!(predictions > probes && probes > 0, "a mix of 4 to 1: {predictions} {probes}");
    let sum = |items: &Value, field: &str| -> u64 {
        items.as_array().expect("a list").iter().map(|item| count(&item[field])).sum()
    };
    assert_eq!(sum(&run["series"], "requests"), all);
    assert_eq!(sum(&run["targets"], "requests"), all);
    assert_eq!(sum(&total(&run)["histogram"], "count"), all);
    let phases = ["ramp_up", "steady_state"].map(|p| sum(&run[p]["endpoints"], "requests") / 2);
    assert_eq!(phases.iter().sum::<u64>(), all);
    for endpoint in run["endpoints"].as_array().expect("endpoints") {
        assert_eq!(endpoint["failures"], 0);
        let figures = ["min_ms", "median_ms", "p95_ms", "p99_ms", "max_ms"].map(|f| endpoint[f].as_f64());
        assert!(figures.iter().flatten().is_sorted(), "{endpoint}");
    }
    let stages: Vec<_> = run["stages"].as_array().expect("stages").iter().map(|s| &s["name"]).collect();
    assert_eq!(stages, ["queue", "decode", "preprocess", "inference", "other"]);
    let usage = &run["targets"][0]["usage"];
    assert!(usage["cpu_mean"].as_f64() > Some(0.0) && usage["rss_max_bytes"].as_f64() > Some(1e6), "{usage}");
}

#[test]
fn think_time_caps_the_load_and_the_arithmetic_says_so() {
    let server = Mock::start(ok);
    let args = ["--users", "20", "--think", "300ms-500ms", "--mix", "ping=1", "--duration", "3s"];
    let (ran, run) = load(&server.url, &args);
    assert_eq!((ran.code, &run["verdict"]), (Some(0), &"NOT-SATURATED".into()), "{}", reasons(&run));
    assert!(reasons(&run).contains("N/(Z+R) = 20/(0.4"), "{}", reasons(&run));
    let asked = server.requests.load(Ordering::Relaxed) as u64;
    let counted = count(&total(&run)["requests"]);
    assert!(
        (100..=180).contains(&counted),
        "20 users for 3 s at most each 0.3 s, at least each 0.5 s: {counted}"
    );
    // Beyond the count: one /health before, /metrics once a second, what was cut off at the end.
    assert!(asked >= counted + 2 && asked <= counted + 27, "{asked} asked, {counted} counted");
    assert!(server.connections.load(Ordering::Relaxed) <= 25, "connections are kept alive");
}

/// Answers at once, but stands still for 200 ms at the beginning of each second.
fn stalling() -> Mock {
    let began = Instant::now();
    Mock::start(move |_| {
        let into_second = began.elapsed().subsec_millis();
        std::thread::sleep(Duration::from_millis(200_u32.saturating_sub(into_second).into()));
        Some((200, String::new()))
    })
}

/// A start at a random time waits longer than x with probability (0.2 s - x) / 1 s: p99 is 190 ms.
#[test]
fn the_open_loop_shows_a_stall_that_the_closed_loop_hides() {
    let server = stalling();
    let (_, open) = load(&server.url, &["--rate", "200", "--mix", "ping=1", "--duration", "4s"]);
    let p99 = total(&open)["p99_ms"].as_f64().expect("hundreds of requests");
    // Upwards only as far as a busy machine may be late.
    assert!((171.0..260.0).contains(&p99), "{p99}");
    assert_eq!(open["starts"]["dropped"], 0);

    let (_, closed) =
        load(&server.url, &["--users", "1", "--think", "0", "--mix", "ping=1", "--duration", "4s"]);
    assert_eq!(closed["verdict"], "UNSTABLE", "{}", reasons(&closed));
    assert!(reasons(&closed).contains("no answer came"), "{}", reasons(&closed));
    let p99 = total(&closed)["p99_ms"].as_f64().expect("hundreds of requests");
    assert!(p99 < 100.0, "each stall is one request of a closed loop: {p99}");
}

#[test]
fn starts_beyond_the_connections_are_dropped_and_counted() {
    let server = Mock::start(|path| {
        if path == "/slow" {
            std::thread::sleep(Duration::from_millis(500));
        }
        Some((200, String::new()))
    });
    let args =
        ["--rate", "100", "--arrival", "poisson", "--users", "2", "--mix", "slow=1", "--duration", "2s"];
    let (_, run) = load(&server.url, &args);
    let starts = &run["starts"];
    let [planned, made, dropped] = ["planned", "made", "dropped"].map(|f| count(&starts[f]));
    assert_eq!(planned, made + dropped);
    assert!(made <= 10 && dropped > 100, "{starts}");
    assert_eq!(run["verdict"], "UNSTABLE");
    assert!(reasons(&run).contains("dropped"), "{}", reasons(&run));
}

#[test]
fn failures_are_counted_by_kind() {
    let server = Mock::start(|path| match path {
        "/busy" => Some((503, String::new())),
        "/rude" => None,
        "/mute" => {
            std::thread::sleep(Duration::from_secs(2));
            None
        }
        _ => Some((200, "hello".to_owned())),
    });
    let args = ["--users", "20", "--think", "10ms", "--timeout", "200ms", "--duration", "1500ms"];
    let mix = ["--mix", "busy=1,rude=1,mute=1,predict=1,fine=1"];
    let (ran, run) = load(&server.url, &[&args[..], &mix].concat());
    assert_eq!(ran.code, Some(1));
    let expected = [
        ("/busy", Some("status_503")),
        ("/rude", Some("reset")),
        ("/mute", Some("timeout")),
        ("/predict", Some("bad_response")),
        ("/fine", None),
    ];
    let mut failures = 0;
    for (name, kind) in expected {
        let endpoint = endpoint(&run, name);
        let kinds = endpoint["failures_by_kind"].as_object().expect("kinds");
        assert_eq!(kinds.keys().map(String::as_str).collect::<Vec<_>>(), Vec::from_iter(kind), "{name}");
        failures += count(&endpoint["failures"]);
        assert_eq!(
            count(&endpoint["failures"]),
            if kind.is_some() { count(&endpoint["requests"]) } else { 0 }
        );
        let has_latency = endpoint["median_ms"].is_number();
        assert_eq!(has_latency, ["/mute", "/fine"].contains(&name), "{name}");
    }
    assert_eq!(count(&total(&run)["failures"]), failures);
    assert!(endpoint(&run, "/mute")["min_ms"].as_f64() >= Some(200.0), "a timeout took at least so long");
}

/// What the server answers for the only image that is posted.
fn answer_for_lesion() -> (tempfile::TempDir, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy("samples/lesion-1.jpg", folder.path().join("a.jpg")).expect("a sample");
    (folder, classify_json(&["samples/lesion-1.jpg"]).remove(0))
}

#[test]
fn a_fast_wrong_answer_is_a_failure() {
    let (folder, right) = answer_for_lesion();
    let images = folder.path().to_str().expect("UTF-8");
    let mut altered = right.clone();
    altered["probabilities"]["mel"] =
        (right["probabilities"]["mel"].as_f64().expect("a number") + 0.001).into();
    let mut class = right.clone();
    class["predicted_class"] = 0.into();
    let mut other_model = altered.clone();
    other_model["model"]["sha256"] = "0".repeat(64).into();
    let cases = [
        (&right, &[][..], Some(0), false),
        (&altered, &[], Some(1), false),
        (&class, &[], Some(1), false),
        (&altered, &["--no-check"], Some(0), false),
        (&other_model, &[], Some(0), true),
    ];
    for (answer, more, code, other) in cases {
        let text = answer.to_string();
        let server = Mock::start(move |_| Some((200, text.clone())));
        let args =
            ["--users", "2", "--think", "50ms", "--mix", "predict=1", "--duration", "500ms", "--images"];
        let (ran, run) = load(&server.url, &[&args[..], &[images], more].concat());
        assert_eq!(ran.code, code, "{answer}");
        let total = total(&run);
        let wrong = total["failures_by_kind"]["wrong_answer"].as_u64().unwrap_or(0);
        assert_eq!(wrong, if code == Some(1) { count(&total["requests"]) } else { 0 });
        assert!(count(&total["requests"]) > 0);
        let said = run["findings"].as_array().expect("findings").iter().any(|f| f["code"] == "other_model");
        assert_eq!(said, other, "{}", run["findings"]);
    }
}

/// A run in the background, its JSON on a pipe.
fn begin(url: &str, args: &[&str]) -> Child {
    skinclf()
        .args(["bench", "--url", url, "--format", "json"])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

fn finish(child: Child) -> (Ran, Value) {
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    let json = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}", ran.stderr));
    (ran, json)
}

#[test]
fn a_server_that_dies_is_a_finding_and_the_run_ends_in_time() {
    let server = Server::start(&[]);
    let bench = begin(&server.url, &["--users", "4", "--think", "0", "--duration", "3s"]);
    while !server.get("/metrics").text.contains("route=\"/predict\"} ") {
        std::thread::yield_now();
    }
    drop(server);
    let (ran, run) = finish(bench);
    assert_eq!(ran.code, Some(1));
    let total = total(&run);
    let connect = count(&total["failures_by_kind"]["connect"]);
    assert!(connect > 0 && connect < 200, "it is tried again, without haste: {total}");
    assert!(count(&total["requests"]) > count(&total["failures"]), "some were answered: {total}");
    let elapsed = run["elapsed_s"].as_f64().expect("a time");
    assert!((3.0..4.0).contains(&elapsed), "{elapsed}");
    assert!(run["findings"].to_string().contains("connect"), "{}", run["findings"]);
    let times = run["failure_times"].as_array().expect("times");
    assert!(times.iter().any(|t| t["kind"] == "connect" && t["last_s"].as_f64() > t["first_s"].as_f64()));
}

#[test]
fn an_interruption_prints_what_was_measured() {
    let server = Mock::start(ok);
    let mut bench =
        begin(&server.url, &["--users", "2", "--think", "10ms", "--mix", "ping=1", "--duration", "1h"]);
    while server.requests.load(Ordering::Relaxed) < 10 {
        std::thread::yield_now();
    }
    let pid = bench.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill(1)").success());
    let mut text = String::new();
    bench.stdout.take().expect("a pipe").read_to_string(&mut text).expect("UTF-8");
    let run: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(bench.wait().expect("it ends").code(), Some(130));
    assert_eq!(run["interrupted"], true);
    assert!(count(&total(&run)["requests"]) >= 5, "{}", total(&run));
}

#[test]
fn a_missed_threshold_is_status_3() {
    let server = Mock::start(|path| {
        let status = if path == "/bad" { 500 } else { 200 };
        Some((status, String::new()))
    });
    let common = ["--users", "2", "--think", "20ms", "--mix", "good=1,bad=1", "--duration", "700ms"];
    for (conditions, code) in [
        (&["p50>10s", "rps>1000000", "good:failures>0%"][..], 1),
        (&["failures>1%"], 3),
        (&["p50>10s", "good:rps<1000000"], 3),
        (&["bad:p95>10s"], 3),
    ] {
        let conditions: Vec<_> = conditions.iter().flat_map(|c| ["--fail-if", c]).collect();
        let (ran, run) = load(&server.url, &[&common[..], &conditions].concat());
        assert_eq!(ran.code, Some(code), "{conditions:?} {}", run["thresholds"]);
        assert_eq!(ran.stderr.contains("--fail-if"), code == 3, "{}", ran.stderr);
    }
}

#[test]
fn a_sweep_finds_the_knee_of_a_server_that_answers_one_at_a_time() {
    let turn = std::sync::Mutex::new(());
    let server = Mock::start(move |_| {
        let _mine = turn.lock().expect("nobody panics");
        std::thread::sleep(Duration::from_millis(5));
        Some((200, String::new()))
    });
    let args = ["--sweep", "users=4,1,2", "--think", "15ms", "--mix", "ping=1", "--duration", "1200ms"];
    let (_, report) = load(&server.url, &args);
    let runs = report["runs"].as_array().expect("runs");
    let users: Vec<_> = runs.iter().map(|r| &r["plan"]["load"]["users"]).collect();
    assert_eq!(users, [1, 2, 4]);
    // N* = (R + Z) / D = (5 + 15) / 5 = 4, a little more for what the mock and the timer take.
    let knee = &report["knee"];
    assert!((3.0..7.0).contains(&knee["predicted_users"].as_f64().expect("a number")), "{knee}");
    assert_eq!(knee["users"], 4);
}

#[test]
fn the_written_scenarios_have_their_users() {
    let server = Mock::start(ok);
    let args = ["--scenario", "all", "--duration", "1s", "--mix", "ping=1"];
    let (ran, report) = load(&server.url, &args);
    assert_eq!(ran.code, Some(0));
    let runs = report["runs"].as_array().expect("runs");
    let loads: Vec<_> = runs.iter().map(|r| (&r["scenario"], &r["plan"]["load"])).collect();
    for ((name, load), (wanted, users, rate)) in
        loads.into_iter().zip([("light", 10, 2.0), ("medium", 50, 5.0), ("heavy", 100, 10.0)])
    {
        assert_eq!(
            (name, &load["users"], &load["spawn_rate"]),
            (&wanted.into(), &users.into(), &rate.into())
        );
        assert_eq!(load["think_s"], serde_json::json!([1.0, 3.0]));
    }
    assert!(reasons(&runs[0]).contains("before all users had started"), "{}", reasons(&runs[0]));
}

#[test]
fn users_are_spread_over_several_servers() {
    let servers = [Mock::start(ok), Mock::start(ok)];
    let args = [
        "--users",
        "4",
        "--spawn-rate",
        "1000",
        "--think",
        "50ms",
        "--mix",
        "ping=1",
        "--duration",
        "800ms",
        "--url",
    ];
    let (_, run) = load(&servers[0].url, &[&args[..], &[&servers[1].url]].concat());
    let shares: Vec<_> =
        run["targets"].as_array().expect("targets").iter().map(|t| t["share"].as_f64()).collect();
    assert!(shares.iter().all(|s| (0.4..0.6).contains(&s.expect("a share"))), "{shares:?}");
}

#[test]
fn a_key_is_sent_and_not_written_down() {
    let server = Server::start(&["--api-key", "sesame"]);
    let args = ["--users", "1", "--think", "0", "--mix", "predict=1", "--duration", "500ms"];
    let (ran, run) = load(&server.url, &[&args[..], &["--api-key", "sesame"]].concat());
    assert_eq!(ran.code, Some(0));
    assert!(
        !ran.stdout.contains("sesame") && run["command"].as_str().expect("a line").contains("--api-key KEY")
    );
    let (ran, run) = load(&server.url, &args);
    assert_eq!(ran.code, Some(1));
    let total = total(&run);
    assert!(count(&total["failures_by_kind"]["status_401"]) > 0, "{total}");
    assert_eq!(total["failures"], total["requests"]);
}

#[test]
fn without_a_server_nothing_is_measured() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}", taken.local_addr().expect("an address"));
    drop(taken);
    let ran = run(["bench", "--url", &url, "--duration", "1h"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains(&url) && ran.stderr.contains("skinclf serve"), "{}", ran.stderr);
}

#[test]
fn wrong_usage_of_a_load_test_names_the_flag() {
    for (args, named) in [
        (&["--users", "5"][..], "--url"),
        (&["--url", "https://x"], "--url"),
        (&["--url", "x", "--iterations", "5"], "--iterations"),
        (&["--url", "x", "--scenario", "light", "--users", "5"], "--users"),
        (&["--url", "x", "--rate", "5", "--think", "1s"], "--think"),
        (&["--url", "x", "--think", "3s-1s"], "--think"),
        (&["--url", "x", "--mix", "predict=0"], "--mix"),
        (&["--url", "x", "--fail-if", "p95>5"], "--fail-if"),
        (&["--url", "x", "--fail-if", "docs:p95>5s"], "/docs"),
        (&["--url", "x", "--sweep", "1,2"], "--sweep"),
        (&["--url", "x", "--report", "x.pdf"], "--report"),
    ] {
        let ran = run(["bench"].iter().chain(args));
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(named), "{args:?}: {}", ran.stderr);
    }
    for images in ["samples/broken", "src"] {
        let ran = run(["bench", "--url", "http://127.0.0.1:1", "--images", images]);
        assert_eq!(ran.code, Some(1));
        assert!(ran.stderr.contains("--images") && ran.stderr.contains(images), "{}", ran.stderr);
    }
}
