//! The whole document of `skinclf bench --report FILE.md`: scenarios, containers, capacity, pictures and logs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::reports::{bench, fixture, folder, read, save};
use crate::snapshots::assert_snapshot;
use crate::support::{Ran, run, skinclf};

fn picture(path: &Path) {
    fs::copy("docs/page.png", path).expect("a picture");
}

/// A run with think times or, with `think_s` of 0, without.
fn closed(name: &str, users: u32, think_s: [f64; 2], rps: f64, average_ms: f64) -> Value {
    let mut run = fixture();
    run["scenario"] = json!(name);
    run["plan"]["load"] =
        json!({"kind": "closed", "users": users, "spawn_rate": f64::from(users), "think_s": think_s});
    run["think_mean_s"] = json!(f64::midpoint(think_s[0], think_s[1]));
    run["verdict"] = json!(if think_s[1] > 0.0 || users == 1 { "NOT-SATURATED" } else { "VALID" });
    let is_full = think_s[1] == 0.0 && users > 1;
    let usage = &mut run["targets"][0]["usage"];
    usage["queue_mean"] = json!(if is_full { users - 2 } else { 0 });
    usage["cpu_mean"] = json!(if is_full { 1.9 } else { 0.5 });
    without_failures(&mut run);
    total(&mut run, rps, average_ms);
    run
}

fn without_failures(run: &mut Value) {
    for endpoints in ["/endpoints", "/steady_state/endpoints"] {
        for endpoint in run.pointer_mut(endpoints).and_then(Value::as_array_mut).expect("endpoints") {
            (endpoint["failures"], endpoint["failures_per_s"]) = (json!(0), json!(0.0));
            endpoint["failures_by_kind"] = json!({});
        }
    }
    run["thresholds"] = json!([]);
}

fn total(run: &mut Value, rps: f64, average_ms: f64) {
    let total = &mut run["steady_state"]["endpoints"][2];
    (total["rps"], total["average_ms"]) = (json!(rps), json!(average_ms));
}

/// Of predictions only.
fn predictions(mut run: Value, rps: f64, average_ms: f64) -> Value {
    run["plan"]["mix"] = json!([{"endpoint": "/predict", "weight": 1}]);
    total(&mut run, rps, average_ms);
    let predict = &mut run["steady_state"]["endpoints"][0];
    (predict["rps"], predict["average_ms"]) = (json!(rps), json!(average_ms));
    predict["histogram"] = json!([{"from_ms": 9.0, "to_ms": 11.0, "count": 100}]);
    run["endpoints"].as_array_mut().expect("endpoints").remove(1);
    run
}

fn sweep() -> Value {
    let runs = [(1, 99.0, 10.0), (2, 196.0, 11.0), (8, 200.0, 44.0)].map(|(users, rps, average_ms)| {
        predictions(closed("custom", users, [0.0, 0.0], rps, average_ms), rps, average_ms)
    });
    let knee = json!({"left_out": [], "users": 2, "rps": 196.0, "max_rps": 200.0, "reached": true, "predicted_users": 2.0});
    let runs = runs.map(|mut run| {
        run.as_object_mut()
            .expect("an object")
            .retain(|name, _| !["command", "environment"].contains(&&**name));
        run
    });
    let environment = &fixture()["environment"];
    json!({"runs": runs, "knee": knee, "command": "skinclf bench --url http://127.0.0.1:8000 --sweep users=1,2,8", "environment": environment})
}

fn at_random(rate: f64, average_ms: f64, p95_ms: f64) -> Value {
    let mut run = predictions(closed("custom", 1, [0.0, 0.0], rate, average_ms), rate, average_ms);
    run["plan"]["load"] = json!({"kind": "open", "rate": rate, "arrival": "poisson", "connections": 1000});
    run["think_mean_s"] = json!(null);
    run["ramp_up"] = json!(null);
    run["steady_state"]["endpoints"][0]["p95_ms"] = json!(p95_ms);
    run["starts"] =
        json!({"planned": 100, "made": 100, "dropped": 0, "late": 0, "late_p99_ms": 0.1, "late_max_ms": 0.2});
    run
}

/// All that a document can have, in a folder, written by commands that start there.
fn everything() -> TempDir {
    let folder = folder();
    for (name, users, rps) in [("light", 10, 5.0), ("medium", 50, 25.0), ("heavy", 100, 50.0)] {
        save(&folder, &format!("{name}.json"), &closed(name, users, [1.0, 3.0], rps, 17.9));
    }
    save(&folder, "sweep.json", &sweep());
    save(&folder, "random-50.json", &at_random(100.0, 12.0, 19.0));
    save(&folder, "random-80.json", &at_random(160.0, 19.0, 47.0));
    for (containers, rps, think_ms, full_ms) in
        [(1, 50.0, 90.0, 1000.0), (2, 99.0, 30.0, 505.0), (3, 147.0, 24.0, 340.0)]
    {
        let think = closed("custom", 50, [1.0, 3.0], 24.5, think_ms);
        save(&folder, &format!("think-{containers}.json"), &think);
        let full = closed("custom", 50, [0.0, 0.0], rps, full_ms);
        save(&folder, &format!("saturated-{containers}.json"), &full);
    }
    fs::create_dir(folder.path().join("pictures")).expect("a folder");
    picture(&folder.path().join("pictures/the dashboard.png"));
    picture(&folder.path().join("times.png"));
    fs::write(folder.path().join("log.jsonl"), "{\"route\":\"/predict\"}\n{\"note\":\"```\"}\n")
        .expect("a log");
    fs::write(folder.path().join("locust.md"), "| by | requests |\n| --- | ---: |\n| Locust | 5 |\n")
        .expect("a section");
    folder
}

fn in_folder(folder: &TempDir, args: &str) -> Ran {
    // Words are separated by two spaces: captions have single ones.
    skinclf()
        .current_dir(folder.path())
        .arg("bench")
        .args(args.split("  "))
        .output()
        .expect("the binary starts")
        .into()
}

const EVERYTHING: &str = "--from  light.json  medium.json  heavy.json  sweep.json  random-80.json  random-50.json  \
     --compare  think-1.json  think-2.json  think-3.json  --compare  saturated-1.json  saturated-2.json  saturated-3.json  \
     --attach  Locust's Dashboard=pictures/the dashboard.png  --attach  Response Times=times.png  \
     --attach  Ten Lines of the Log=log.jsonl  --attach  Locust beside skinclf=locust.md";

/// Where the links and pictures of a document lead, without those to other sites and into the page.
fn links(document: &str) -> Vec<String> {
    let parts = document.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let links = parts.map(|(link, _)| link.replace("%20", " "));
    links.filter(|link| !link.starts_with("http") && !link.starts_with('#')).collect()
}

#[test]
fn a_document_can_have_everything() {
    let folder = everything();
    let ran = in_folder(&folder, &format!("{EVERYTHING}  --report  report.md"));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let document = read(folder.path().join("report.md"));
    assert_snapshot("load-test-document", &document);
    for blank in ["FILL", "not part of these runs", "NaN", "inf "] {
        assert!(!document.contains(blank), "{blank}");
    }
}

#[test]
fn links_lead_from_the_document_to_the_pictures() {
    let folder = everything();
    fs::create_dir_all(folder.path().join("a/b")).expect("a folder");
    for report in ["report.md", "a/b/report.md", "pictures/report.md"] {
        let ran = in_folder(&folder, &format!("{EVERYTHING}  --report  {report}"));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let report = folder.path().join(report);
        let links = links(&read(&report));
        assert_eq!(links.len(), 2, "{links:?}");
        for link in links {
            let target = report.parent().expect("a folder").join(&link);
            assert!(target.is_file(), "{link} in {}", report.display());
        }
    }
}

#[test]
fn a_document_that_is_made_again_is_the_same() {
    let folder = everything();
    let made = || {
        let ran = in_folder(&folder, &format!("{EVERYTHING}  --report  report.md"));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        read(folder.path().join("report.md"))
    };
    let first = made();
    assert_eq!(first, made());
    let (_, commands) = first.split_once("Made by:").expect("the commands");
    for said in [
        "--sweep users=1,2,8\n",
        "--attach 'Locust'\\''s Dashboard=pictures/the dashboard.png'",
        "--compare think-1.json think-2.json think-3.json --compare saturated-1.json ",
    ] {
        assert!(commands.contains(said), "{said}: {commands}");
    }
}

#[test]
fn what_cannot_be_attached_is_an_error_before_anything_is_written() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    for (name, bytes) in [("large.png", (5 << 20) + 1), ("large.log", (1 << 20) + 1)] {
        fs::File::create(path(name)).and_then(|file| file.set_len(bytes)).expect("a file");
    }
    fs::write(path("binary.txt"), b"\xff\xfe").expect("a file");
    fs::create_dir(path("folder.png")).expect("a folder");
    let report = path("r.md").display().to_string();
    let refused = |attachment: &str, report: &str| {
        bench(&["--from", "tests/load/fixtures/run.json", "--report", report, "--attach", attachment])
    };
    for (name, said) in [
        ("none.png", "No such file"),
        ("none.log", "No such file"),
        ("large.png", "larger than 5 MiB; make the picture smaller"),
        ("large.log", "larger than 1.0 MiB"),
        ("binary.txt", "not text in UTF-8"),
        ("folder.png", "not a file"),
    ] {
        let file = path(name).display().to_string();
        let ran = refused(&format!("Caption={file}"), &report);
        assert_eq!(ran.code, Some(4), "{name}");
        assert!(
            ran.stderr.contains(&format!("--attach {file}: ")) && ran.stderr.contains(said),
            "{}",
            ran.stderr
        );
        assert!(!path("r.md").exists(), "{name}");
    }
    for (attachment, report, said) in [
        ("Caption=x.html", &*report, "must end in .png"),
        ("x.png", &report, "must be a caption and a file"),
        (
            "Caption=docs/page.png",
            &path("r.html").display().to_string(),
            "--attach needs a report that ends in .md",
        ),
    ] {
        let ran = refused(attachment, report);
        assert_eq!(ran.code, Some(2), "{attachment}");
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    let ran = bench(&["--from", "tests/load/fixtures/run.json", "--attach", "Caption=docs/page.png"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("--report"), "{}", ran.stderr);
}

#[test]
fn each_series_of_containers_is_compared_with_its_own_first() {
    let folder = everything();
    let files =
        |name: &str| [1, 2].map(|n| folder.path().join(format!("{name}-{n}.json")).display().to_string());
    let ([think_1, think_2], [full_1, full_2]) = (files("think"), files("saturated"));
    let series = ["--compare", &think_1, &think_2, "--compare", &full_1, &full_2];
    let printed = |format: &str| {
        let ran = run(["bench"].iter().chain(&series).chain(&["--format", format]));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    let table = printed("table");
    for title in ["50 users, all from the first second, for 5s, think time 1s-3s, ", "for 5s, think time 0, "]
    {
        assert!(table.contains(title), "{table}");
    }
    assert!(!table.contains("differs from"), "{table}");
    let saved: Value = serde_json::from_str(&printed("json")).expect("JSON");
    let improvement = |series: usize| saved["comparisons"][series]["rows"][1]["improvement"].as_f64();
    assert_eq!((improvement(0), improvement(1)), (Some(0.0), Some(0.98)));
    assert_eq!(printed("csv").lines().count(), 5);
    let page = folder.path().join("r.html");
    let ran = run(["bench"].iter().chain(&series).chain(&["--report", page.to_str().expect("UTF-8")]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(read(page).matches("<h2>Containers compared</h2>").count(), 2);
}

#[test]
fn a_long_log_is_shown_in_part() {
    let folder = folder();
    let log: String = (1..=50).map(|n| format!("line {n}\n")).collect();
    let path: PathBuf = folder.path().join("server.log");
    fs::write(&path, log).expect("a log");
    let report = folder.path().join("r.md");
    let attachment = format!("Log={}", path.display());
    let ran = bench(&[
        "--from",
        "tests/load/fixtures/run.json",
        "--report",
        report.to_str().expect("UTF-8"),
        "--attach",
        &attachment,
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let document = read(report);
    assert!(
        document.contains("### Log\n\n```\nline 1\n") && document.contains("line 40\n```\n"),
        "{document}"
    );
    assert!(document.contains("10 more lines of the file not shown."), "{document}");
}
