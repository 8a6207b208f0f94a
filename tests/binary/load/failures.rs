//! Requests that fail, each in its way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::{begin, count, endpoint, finish, load, reasons, total};
use crate::mock::{Answer, Mock};
use crate::support::{Server, classify_json, run};

#[test]
fn failures_are_counted_by_kind() {
    let server = Mock::start(|path| match path {
        "/busy" => Answer::Whole(503, String::new()),
        "/rude" => Answer::HangUp,
        "/mute" => {
            std::thread::sleep(Duration::from_secs(2));
            Answer::HangUp
        }
        _ => Answer::Whole(200, "hello".to_owned()),
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
    let mut rescaled = altered.clone();
    rescaled["prior"] = serde_json::json!({ "mel": 1.0 });
    let cases = [
        (&right, &[][..], Some(0), false),
        (&altered, &[], Some(1), false),
        (&class, &[], Some(1), false),
        (&altered, &["--no-check"], Some(0), false),
        (&other_model, &[], Some(0), true),
        (&rescaled, &[], Some(0), true),
    ];
    for (answer, more, code, other) in cases {
        let text = answer.to_string();
        let server = Mock::start(move |_| Answer::Whole(200, text.clone()));
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
fn a_key_is_sent_and_not_written_down() {
    let server = Server::start(&["--api-key", "sesame"]);
    let args = ["--users", "1", "--think", "0", "--mix", "predict=1", "--duration", "500ms"];
    let (ran, run) = load(&server.url, &[&args[..], &["--api-key", "sesame"]].concat());
    assert_eq!(ran.code, Some(0));
    assert!(
        !ran.stdout.contains("sesame") && run["command"].as_str().expect("a line").contains("--api-key KEY")
    );
}

#[test]
fn a_server_that_asks_for_a_key_ends_the_test_at_the_first_401() {
    let server = Server::start(&["--api-key", "sesame"]);
    for (key, said) in
        [(&[][..], "give it with --api-key KEY"), (&["--api-key", "barley"], "refuses the key")]
    {
        let args = ["bench", "--url", &server.url, "--users", "4", "--duration", "20s", "--format", "json"];
        let ran = run(args.iter().chain(key));
        assert_eq!(ran.stdout, "", "nothing was measured");
        assert_ne!(ran.code, Some(0));
        let expected = format!("error: --url {}: /predict answers 401: ", server.url);
        assert!(ran.stderr.starts_with(&expected) && ran.stderr.contains(said), "{}", ran.stderr);
        assert!(!ran.stderr.contains("barley"), "{}", ran.stderr);
    }
}

#[test]
fn a_key_that_is_refused_later_is_said_once_and_ends_nothing() {
    let asked = AtomicUsize::new(0);
    let server = Mock::start(move |path| {
        let is_late = path == "/predict" && asked.fetch_add(1, Ordering::Relaxed) > 5;
        Answer::Whole(if is_late { 401 } else { 200 }, String::new())
    });
    let args = ["--users", "1", "--think", "10ms", "--mix", "predict=1", "--duration", "1s", "--no-check"];
    let (ran, run) = load(&server.url, &args);
    assert_eq!((ran.code, &run["verdict"]), (Some(1), &"FAILED".into()), "{}", reasons(&run));
    assert!(count(&total(&run)["failures_by_kind"]["status_401"]) > 1, "{}", total(&run));
    let warnings: Vec<_> = ran.stderr.lines().collect();
    assert!(
        matches!(warnings[..], [one] if one.contains("401") && one.contains("--api-key")),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_run_that_mostly_failed_is_called_so() {
    let server = Mock::start(|_| Answer::Whole(503, String::new()));
    let args = ["--users", "2", "--think", "20ms", "--mix", "ping=1", "--duration", "900ms"];
    let (ran, run) = load(&server.url, &args);
    assert_eq!((ran.code, &run["verdict"]), (Some(1), &"FAILED".into()), "{}", reasons(&run));
    assert!(reasons(&run).contains("failed (100.0 %)"), "{}", reasons(&run));
    assert_eq!(total(&run)["failures"], total(&run)["requests"]);
}

#[test]
fn a_connection_that_the_server_ends_between_requests_is_opened_again() {
    let server = Mock::start(|_| Answer::Last(200, String::new()));
    let args = ["--users", "2", "--think", "30ms", "--mix", "ping=1", "--duration", "600ms"];
    let (ran, run) = load(&server.url, &args);
    assert_eq!(ran.code, Some(0), "{}", total(&run));
    assert!(count(&total(&run)["requests"]) > 10);
}

/// Takes requests, and answers only the first: that to `/health`, before the load.
fn frozen() -> Mock {
    Mock::start(|path| {
        if path == "/health" || path == "/metrics" {
            return Answer::Whole(404, String::new());
        }
        std::thread::sleep(Duration::from_secs(30));
        Answer::HangUp
    })
}

#[test]
fn a_server_that_answers_nothing_is_no_valid_run() {
    for load_of in [["--users", "2"], ["--rate", "200"]] {
        let server = frozen();
        let (ran, run) =
            load(&server.url, &[&load_of[..], &["--mix", "ping=1", "--duration", "1500ms"]].concat());
        assert_eq!((ran.code, &run["verdict"]), (Some(1), &"FAILED".into()), "{}", reasons(&run));
        assert!(reasons(&run).contains("no request completed"), "{}", reasons(&run));
        assert_eq!(count(&total(&run)["requests"]), 0);
    }
}
