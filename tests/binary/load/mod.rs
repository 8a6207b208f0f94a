//! `skinclf bench --url`. What a figure is depends on the machine and on what else it does, so only what must hold on any
//! is asserted, at the first try.

mod containers;
mod exit;
mod failures;
mod loops;
mod replicas;

use std::process::Child;
use std::process::Stdio;

use serde_json::Value;

use crate::mock::Answer;
use crate::support::{Ran, Server, run, skinclf};

pub(super) fn ok(_path: &str) -> Answer {
    Answer::Whole(200, "{}".to_owned())
}

/// Exit status and JSON of a run against `url`.
pub(super) fn load(url: &str, args: &[&str]) -> (Ran, Value) {
    let ran = run(["bench", "--url", url, "--format", "json"].iter().chain(args));
    let json = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}", ran.stderr));
    (ran, json)
}

/// Whether a load that is steady by itself was not: other processes, such as the other tests, can do that, and its verdict
/// is about them then. What makes a verdict is in the unit tests of `bench::load`, where time is simulated.
pub(super) fn is_disturbed(run: &Value) -> bool {
    run["verdict"] == "UNSTABLE" || run["verdict"] == "CLIENT-SATURATED"
}

/// A run in the background, its JSON on a pipe.
pub(super) fn begin(url: &str, args: &[&str]) -> Child {
    skinclf()
        .args(["bench", "--url", url, "--format", "json"])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

pub(super) fn finish(child: Child) -> (Ran, Value) {
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    let json = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}", ran.stderr));
    (ran, json)
}

pub(super) fn endpoint<'v>(run: &'v Value, name: &str) -> &'v Value {
    let endpoints = run["endpoints"].as_array().expect("endpoints");
    endpoints.iter().find(|e| e["name"] == name).unwrap_or_else(|| panic!("no {name} in {endpoints:?}"))
}

pub(super) fn total(run: &Value) -> &Value {
    let last = run["endpoints"].as_array().and_then(|e| e.last()).expect("endpoints");
    assert_eq!(last["name"], "Total");
    last
}

pub(super) fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

pub(super) fn reasons(run: &Value) -> String {
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
