//! Closed and open loops, scenarios, sweeps, and what is said of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{count, is_disturbed, load, ok, reasons, total};
use crate::mock::{Answer, Mock};
use crate::support::run;

#[test]
fn think_time_caps_the_load_and_the_arithmetic_says_so() {
    let server = Mock::start(|path| {
        let metrics = if path == "/metrics" { "skinclf_queue_depth 0\n" } else { "{}" };
        Answer::Whole(200, metrics.to_owned())
    });
    let args = ["--users", "20", "--think", "300ms-500ms", "--mix", "ping=1", "--duration", "5s"];
    let (ran, run) = load(&server.url, &args);
    assert_eq!(ran.code, Some(0));
    if !is_disturbed(&run) {
        assert_eq!(run["verdict"], "NOT-SATURATED", "{}", reasons(&run));
        assert!(reasons(&run).contains("N/(Z+R) = 20/(0."), "{}", reasons(&run));
    }
    let counted = count(&total(&run)["requests"]);
    assert!(
        (170..=330).contains(&counted),
        "20 users for 4 to 5 s at most each 0.3 s, at least each 0.5 s: {counted}"
    );
}

#[test]
fn every_request_is_counted_and_connections_are_kept_alive() {
    let server = Mock::start(ok);
    let args = ["--users", "20", "--think", "100ms", "--mix", "ping=1", "--duration", "1s"];
    let json = run(["bench", "--url", &server.url, "--format", "json"].iter().chain(&args)).stdout;
    let counted = count(&total(&serde_json::from_str(&json).expect("JSON"))["requests"]);
    let asked = server.requests.load(Ordering::Relaxed) as u64;
    // Beyond the count: one /health before, /metrics once a second, what was cut off at the end.
    assert!(asked >= counted + 2 && asked <= counted + 24, "{asked} asked, {counted} counted");
    assert!(server.connections.load(Ordering::Relaxed) <= 25);
}

/// Takes 10 ms for an answer, whoever else asks, and says `metrics` of itself.
fn sleepy(metrics: &'static str) -> Mock {
    Mock::start(move |path| {
        if path == "/metrics" {
            return Answer::Whole(200, metrics.to_owned());
        }
        std::thread::sleep(Duration::from_millis(10));
        Answer::Whole(200, String::new())
    })
}

#[test]
fn a_few_users_show_no_capacity_unless_the_server_is_full() {
    let cases = [
        (
            "skinclf_queue_depth 0\nprocess_cpu_seconds_total 1\n",
            Some(0.0),
            "NOT-SATURATED",
            "users caps the load: N/R = 2/0.",
        ),
        (
            "skinclf_queue_depth 0.5\nprocess_cpu_seconds_total 1\n",
            Some(0.5),
            "VALID",
            "not known whether the server could do more",
        ),
        (
            "skinclf_queue_depth 3\nprocess_cpu_seconds_total 1\n",
            Some(3.0),
            "VALID",
            "the server was the bottleneck",
        ),
        ("process_cpu_seconds_total 1\n", None, "VALID", "not known whether the server could do more"),
        ("", None, "VALID", "not known whether the server could do more"),
    ];
    for (metrics, queue, verdict, reason) in cases {
        let server = sleepy(metrics);
        let args = ["--users", "2", "--think", "0", "--mix", "ping=1", "--duration", "5s"];
        let (_, run) = load(&server.url, &args);
        assert_eq!(run["targets"][0]["usage"]["queue_mean"].as_f64(), queue, "{}", run["targets"]);
        if is_disturbed(&run) {
            continue;
        }
        assert_eq!(run["verdict"], verdict, "{metrics}: {}", reasons(&run));
        assert!(reasons(&run).contains(reason), "{metrics}: {}", reasons(&run));
        let findings = run["findings"].as_array().expect("findings");
        let capacity = findings.iter().find(|f| f["code"] == "capacity").expect("a capacity");
        let text = capacity["text"].as_str().expect("a sentence");
        assert_eq!(text.starts_with("capacity: "), reason.contains("bottleneck"), "{metrics}: {text}");
        assert_eq!(
            text.starts_with("capacity is at least "),
            !reason.contains("bottleneck"),
            "{metrics}: {text}"
        );
    }
}

#[test]
fn a_run_too_short_to_judge_is_not_judged() {
    let server = Mock::start(ok);
    let args = [
        "--users",
        "2",
        "--spawn-rate",
        "1000",
        "--think",
        "50ms",
        "--mix",
        "ping=1",
        "--duration",
        "2900ms",
    ];
    let (ran, run) = load(&server.url, &args);
    assert_eq!((ran.code, &run["verdict"]), (Some(0), &"TOO-SHORT".into()), "{}", reasons(&run));
    assert!(reasons(&run).contains("too short to judge: 2 whole seconds"), "{}", reasons(&run));
    assert!(reasons(&run).contains("give --duration 5s or more"), "{}", reasons(&run));
}

/// So few requests that no second has a p95 of its own.
#[test]
fn a_light_load_shows_that_answers_became_slow() {
    let asked = AtomicUsize::new(0);
    let server = Mock::start(move |path| {
        if path == "/ping" && asked.fetch_add(1, Ordering::Relaxed) > 190 {
            // Much longer than a busy machine keeps the answers before.
            std::thread::sleep(Duration::from_millis(600));
        }
        Answer::Whole(200, String::new())
    });
    let args =
        ["--users", "40", "--spawn-rate", "1000", "--think", "1s", "--mix", "ping=1", "--duration", "9s"];
    let (_, run) = load(&server.url, &args);
    assert_eq!(run["verdict"], "UNSTABLE", "{}", reasons(&run));
    assert!(reasons(&run).contains("p95 went from"), "{}", reasons(&run));
}

/// Answers at once, but stands still for 200 ms at the beginning of each second.
fn stalling() -> Mock {
    let began = Instant::now();
    Mock::start(move |_| {
        let into_second = began.elapsed().subsec_millis();
        std::thread::sleep(Duration::from_millis(200_u32.saturating_sub(into_second).into()));
        Answer::Whole(200, String::new())
    })
}

/// A start at a random time waits longer than x with probability (0.2 s - x) / 1 s: p99 is 190 ms.
#[test]
fn the_open_loop_shows_a_stall_that_the_closed_loop_hides() {
    let server = stalling();
    let (_, open) = load(&server.url, &["--rate", "200", "--mix", "ping=1", "--duration", "4s"]);
    let p99 = |run: &Value| total(run)["p99_ms"].as_f64().expect("hundreds of requests");
    // Not at most so: a busy machine makes it longer.
    assert!(p99(&open) >= 171.0, "{}", p99(&open));
    assert_eq!(open["starts"]["dropped"], 0);

    let (_, closed) =
        load(&server.url, &["--users", "1", "--think", "0", "--mix", "ping=1", "--duration", "4s"]);
    assert!(is_disturbed(&closed), "{}", reasons(&closed));
    assert!(closed["stalls"].as_array().is_some_and(|stalls| stalls.len() >= 2), "{}", closed["stalls"]);
    assert!(p99(&closed) < 100.0, "each stall is one request of a closed loop: {}", p99(&closed));
}

#[test]
fn starts_beyond_the_connections_are_dropped_and_counted() {
    let server = Mock::start(|path| {
        if path == "/slow" {
            std::thread::sleep(Duration::from_millis(500));
        }
        Answer::Whole(200, String::new())
    });
    let args =
        ["--rate", "100", "--arrival", "poisson", "--users", "2", "--mix", "slow=1", "--duration", "4s"];
    let (_, run) = load(&server.url, &args);
    let starts = &run["starts"];
    let [planned, made, dropped] = ["planned", "made", "dropped"].map(|f| count(&starts[f]));
    assert_eq!(planned, made + dropped);
    assert!(made <= 18 && dropped > 300, "{starts}");
    // Of so few starts, one that a busy machine makes late saturates the client, which comes first.
    if starts["late"] == 0 {
        assert_eq!(run["verdict"], "UNSTABLE");
        assert!(reasons(&run).contains("dropped"), "{}", reasons(&run));
    }
}

#[test]
fn a_sweep_finds_the_knee_of_a_server_that_answers_one_at_a_time() {
    let turn = std::sync::Mutex::new(());
    let server = Mock::start(move |_| {
        let _mine = turn.lock().expect("nobody panics");
        std::thread::sleep(Duration::from_millis(10));
        Answer::Whole(200, String::new())
    });
    let args = ["--sweep", "users=8,4,1,2", "--think", "20ms", "--mix", "ping=1", "--duration", "4s"];
    let (_, report) = load(&server.url, &args);
    let runs = report["runs"].as_array().expect("runs");
    let users: Vec<_> = runs.iter().map(|r| &r["plan"]["load"]["users"]).collect();
    assert_eq!(users, [1, 2, 4, 8]);
    let disturbed: Vec<_> = runs.iter().filter(|run| is_disturbed(run)).collect();
    let left_out: Vec<_> = disturbed.iter().map(|run| &run["plan"]["load"]["users"]).collect();
    let knee = &report["knee"];
    if disturbed.len() <= 2 {
        assert_eq!(knee["left_out"], serde_json::json!(left_out));
        let most = knee["max_rps"].as_f64().expect("a rate");
        assert!(most <= 101.0 && knee["rps"].as_f64() >= Some(0.95 * most), "10 ms for each: {knee}");
    }
    // N* = (R + Z) / D = (10 + 20) / 10 = 3: two users leave a third of the server idle, four none of it. A busy machine
    // takes time from some runs and not from others, so that this needs a quiet one: runs as fast as the server allows.
    let is_full = |run: &Value| run["steady_state"]["endpoints"][1]["rps"].as_f64() > Some(95.0);
    if disturbed.is_empty() && runs[2..].iter().all(is_full) {
        assert!((2.0..4.0).contains(&knee["predicted_users"].as_f64().expect("a number")), "{knee}");
        assert_eq!((&knee["users"], &knee["reached"]), (&4.into(), &true.into()), "{knee}");
    }
}

#[test]
fn a_sweep_too_short_to_judge_has_no_knee() {
    let server = Mock::start(ok);
    let args = ["--sweep", "users=1,2", "--think", "50ms", "--mix", "ping=1", "--duration", "500ms"];
    let (ran, report) = load(&server.url, &args);
    assert_eq!((ran.code, &report["knee"]), (Some(0), &serde_json::Value::Null));
    assert!(ran.stderr.starts_with("no knee: "), "{}", ran.stderr);
}

#[test]
fn a_sweep_that_ends_before_the_knee_says_so() {
    let server = Mock::start(ok);
    let args = ["--sweep", "users=1,4", "--think", "50ms", "--mix", "ping=1", "--duration", "4s"];
    let (ran, report) = load(&server.url, &args);
    let knee = &report["knee"];
    if report["runs"].as_array().expect("runs").iter().any(is_disturbed) {
        assert!(knee.is_null() && ran.stderr.starts_with("no knee: "), "{knee} {}", ran.stderr);
    } else {
        assert_eq!((&knee["users"], &knee["reached"]), (&4.into(), &false.into()), "{knee}");
    }
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
    let common = ["--mix", "ping=1", "--duration", "800ms", "--url", &servers[1].url];
    // At so few starts a second one connection would do for all of them.
    for how in [&["--users", "4", "--spawn-rate", "1000", "--think", "50ms"][..], &["--rate", "50"]] {
        let (_, run) = load(&servers[0].url, &[how, &common].concat());
        let shares: Vec<_> =
            run["targets"].as_array().expect("targets").iter().map(|t| t["share"].as_f64()).collect();
        assert!(shares.iter().all(|s| (0.4..0.6).contains(&s.expect("a share"))), "{how:?}: {shares:?}");
    }
}
