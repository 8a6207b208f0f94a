//! Exit statuses, and what is refused before anything is measured.

use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::{begin, count, load, ok, total};
use crate::mock::{Answer, Mock};
use crate::support::{run, send};

#[test]
fn an_interruption_prints_what_was_measured() {
    let server = Mock::start(ok);
    let mut bench =
        begin(&server.url, &["--users", "2", "--think", "10ms", "--mix", "ping=1", "--duration", "1h"]);
    while server.requests.load(Ordering::Relaxed) < 10 {
        std::thread::yield_now();
    }
    send(&bench, "INT");
    let mut text = String::new();
    bench.stdout.take().expect("a pipe").read_to_string(&mut text).expect("UTF-8");
    let run: Value = serde_json::from_str(&text).expect("JSON");
    let mut said = String::new();
    bench.stderr.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
    assert_eq!(said, "interrupted: the results are incomplete\n");
    assert_eq!(bench.wait().expect("it ends").code(), Some(130));
    assert_eq!(run["interrupted"], true);
    assert!(count(&total(&run)["requests"]) >= 5, "{}", total(&run));
}

/// `skinclf bench … | head -1` in a script with `pipefail`.
#[test]
fn a_reader_that_leaves_hides_no_missed_threshold() {
    let server = Mock::start(ok);
    let args = [
        "--users",
        "2",
        "--think",
        "20ms",
        "--mix",
        "ping=1",
        "--duration",
        "700ms",
        "--fail-if",
        "rps<1000000",
    ];
    let mut bench = begin(&server.url, &args);
    drop(bench.stdout.take());
    assert_eq!(bench.wait().expect("it ends").code(), Some(3));
}

#[test]
fn a_missed_threshold_is_status_3() {
    let server = Mock::start(|path| {
        let status = if path == "/bad" { 500 } else { 200 };
        Answer::Whole(status, String::new())
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
fn a_threshold_that_was_not_measured_is_missed() {
    let server = Mock::start(ok);
    let limits = [
        "--fail-if",
        "p99>10s",
        "--fail-if",
        "p95>10s",
        "--fail-if",
        "max>0ms",
        "--fail-if",
        "rps<1000000/s",
    ];
    let args = ["--users", "3", "--think", "60ms", "--mix", "ping=1", "--duration", "1500ms"];
    let (ran, run) = load(&server.url, &[&args[..], &limits].concat());
    assert_eq!(ran.code, Some(3));
    let said: Vec<_> = ran.stderr.lines().collect();
    let [p99, max, rps] = said[..] else { panic!("p95 was kept: {said:?}") };
    let answers = count(&run["steady_state"]["endpoints"][1]["requests"]);
    assert_eq!(
        p99,
        format!(
            "error: 3 users: --fail-if 'p99>10s': not known: {answers} answers in the steady state, a p99 needs 100; give a longer --duration"
        )
    );
    let measured = max.strip_prefix("error: 3 users: --fail-if 'max>0ms': measured ").expect("a figure");
    assert!(measured.ends_with(" ms in the steady state"), "{max}");
    assert!(rps.ends_with("/s in the steady state"), "{rps}");
}

#[test]
fn a_condition_on_failures_decides_whether_they_are_one() {
    let server = Mock::start(|path| {
        let status = if path == "/bad" { 500 } else { 200 };
        Answer::Whole(status, String::new())
    });
    let common = ["--users", "2", "--think", "20ms", "--mix", "good=1,bad=1", "--duration", "1500ms"];
    for (conditions, code) in [
        (&["failures>95%"][..], 0),
        (&["bad:failures>100%"], 0),
        (&["failures>95%", "p50>10s"], 0),
        (&["failures>95%", "good:failures>0%", "bad:failures>50%"], 3),
        (&["good:failures>0%"], 1),
        (&["p90>10s", "p50>10s", "avg>10s", "median>10s", "min>10s"], 1),
    ] {
        let conditions: Vec<_> = conditions.iter().flat_map(|c| ["--fail-if", c]).collect();
        let (ran, run) = load(&server.url, &[&common[..], &conditions].concat());
        assert_eq!(ran.code, Some(code), "{conditions:?} {}", run["thresholds"]);
    }
}

/// The first requests fail, long before the last user starts.
#[test]
fn limits_and_verdict_judge_the_same_part_of_a_run() {
    let asked = AtomicUsize::new(0);
    let server = Mock::start(move |path| {
        let is_early = path == "/ping" && asked.fetch_add(1, Ordering::Relaxed) < 10;
        Answer::Whole(if is_early { 500 } else { 200 }, String::new())
    });
    let args =
        ["--users", "4", "--spawn-rate", "1", "--think", "50ms", "--mix", "ping=1", "--duration", "4s"];
    let (ran, run) = load(&server.url, &[&args[..], &["--fail-if", "failures>1%"]].concat());
    assert!(count(&total(&run)["failures"]) * 100 > count(&total(&run)["requests"]), "{}", total(&run));
    assert_eq!((ran.code, &run["thresholds"][0]["measured"]), (Some(0), &0.0.into()), "{}", ran.stderr);
    assert_ne!(run["verdict"], "FAILED", "{}", run["verdict_reasons"]);
}

#[test]
fn locusts_flags_are_understood() {
    let server = Mock::start(ok);
    let args =
        ["--host", &server.url, "-u", "3", "-r", "2.5", "-t", "300ms", "--mix", "ping=1", "--format", "json"];
    let plan = |args: &[&str]| -> Value {
        let ran = run(["bench"].iter().chain(args));
        let run: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}", ran.stderr));
        run["plan"].clone()
    };
    let short = plan(&args);
    assert_eq!(short["duration_s"], 0.3);
    assert_eq!((&short["load"]["users"], &short["load"]["spawn_rate"]), (&3.into(), &2.5.into()));
    assert_eq!(plan(&args.map(|arg| if arg == "-t" { "--run-time" } else { arg })), short);
}

#[test]
fn without_a_server_nothing_is_measured() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}", taken.local_addr().expect("an address"));
    drop(taken);
    let ran = run(["bench", "--url", &url, "--duration", "1h"]);
    assert_eq!(ran.code, Some(4));
    assert!(ran.stderr.contains(&url) && ran.stderr.contains("skinclf serve"), "{}", ran.stderr);
}

#[test]
fn wrong_usage_of_a_load_test_names_the_flag() {
    for (args, named) in [
        (&["--users", "5"][..], "--url"),
        (&["--think", "0"], "--url"),
        (&["--mix", "predict=1"], "--url"),
        (&["--timeout", "1s"], "--url"),
        (&["--seed", "2"], "--url"),
        (&["--url", "https://x"], "--url"),
        (&["--url", "x", "--iterations", "5"], "--iterations"),
        (&["--url", "x", "--scenario", "light", "--users", "5"], "--users"),
        (&["--url", "x", "--rate", "5", "--think", "1s"], "--think"),
        (&["--url", "x", "--think", "3s-1s"], "--think"),
        (&["--url", "x", "--mix", "predict=0"], "--mix"),
        (&["--url", "x", "--duration", "0"], "--duration"),
        (&["--url", "x", "--rate", "0"], "--rate"),
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
        assert_eq!(ran.code, Some(4));
        assert!(ran.stderr.contains("--images") && ran.stderr.contains(images), "{}", ran.stderr);
    }
}
