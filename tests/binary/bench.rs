//! `skinclf bench`. No figure is asserted, only that the figures are there and fit each other.

use serde_json::Value;

use crate::support::{Ran, run};

fn json(args: &[&str]) -> Value {
    let ran = run(["bench", "--warmup", "1", "--format", "json"].iter().chain(args));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).expect("JSON")
}

#[test]
fn every_number_of_threads_is_measured_and_stages_make_the_total() {
    let report = json(&["--iterations", "21", "--threads", "1,2"]);
    let runs = report["runs"].as_array().expect("runs");
    assert_eq!(runs.iter().map(|r| r["threads"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(2)]);
    for run in runs {
        let mean = |stage: &str| run["stages"][stage]["mean_ms"].as_f64().expect("a mean");
        let sum = mean("decode") + mean("preprocess") + mean("inference");
        assert!((sum - mean("total")).abs() < 1e-6, "{sum} {}", mean("total"));
        let total = &run["stages"]["total"];
        assert_eq!(total["count"], 21);
        let ordered = ["min_ms", "p50_ms", "p90_ms", "p95_ms", "max_ms"].map(|k| total[k].as_f64().expect(k));
        assert!(ordered.is_sorted(), "{ordered:?}");
        assert!(total["p99_ms"].is_null(), "21 samples say nothing about the 99th percentile");
        assert!(run["images_per_second"].as_f64().expect("a rate") > 0.0);
    }
    assert_eq!(runs[0]["scaling_efficiency"], 1.0);
    assert_eq!(report["model"]["sha256"].as_str().expect("a hash").len(), 64);
    assert_eq!(report["environment"]["version"], env!("CARGO_PKG_VERSION"));
    // TARGET/PROFILE/skinclf
    let profile =
        std::path::Path::new(env!("CARGO_BIN_EXE_skinclf")).parent().and_then(std::path::Path::file_name);
    assert_eq!(report["environment"]["build"].as_str(), profile.and_then(|name| name.to_str()));
}

#[test]
fn the_other_formats_have_every_stage() {
    let args = ["bench", "--warmup", "0", "--iterations", "2", "--format"];
    let stages = ["decode", "preprocess", "inference", "total"];
    let table = run(args.iter().chain(&["table"])).stdout;
    let markdown = run(args.iter().chain(&["markdown"])).stdout;
    for stage in stages {
        assert!(table.contains(&format!("│ {stage} ")), "{table}");
        let name = if stage == "total" { "**total**" } else { stage };
        assert!(markdown.contains(&format!("| {name} |")), "{markdown}");
    }
    let csv = run(args.iter().chain(&["csv"])).stdout;
    let named: Vec<_> = csv.lines().skip(1).map(|l| l.split(',').nth(2).expect("a stage")).collect();
    assert_eq!(named, stages);
    assert!(!csv.contains("NaN") && !table.contains("NaN") && !markdown.contains("NaN"));
}

#[test]
fn one_classification_is_no_plural() {
    let table = run(["bench", "--warmup", "0", "--iterations", "1"]).stdout;
    assert!(table.contains("\n1 classification of ") && table.contains("\n1 thread: "), "{table}");
}

#[test]
fn two_flags_never_write_to_one_file() {
    let ran = run(["bench", "--url", "http://127.0.0.1:9", "-o", "same.md", "--report", "same.md"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("--output and --report name the same file"), "{}", ran.stderr);
}

#[test]
fn numbers_that_no_machine_has_room_for_are_wrong_usage() {
    for args in [
        ["--threads", "0"],
        ["--threads", "1,1025"],
        ["--iterations", "0"],
        ["--iterations", "1000000000000"],
        ["--iterations", "18446744073709551615"],
    ] {
        let ran = run(["bench"].iter().chain(&args));
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(args[0]), "{args:?}: {}", ran.stderr);
    }
}

/// The first threads fit into the address space, all of them do not.
#[test]
#[cfg(target_os = "linux")]
fn a_thread_that_cannot_be_started_ends_the_others() {
    let bench = format!("ulimit -v 4000000; exec {} bench --threads 1024", env!("CARGO_BIN_EXE_skinclf"));
    let mut command = std::process::Command::new("sh");
    // Stacks so large that what else is allocated meanwhile finds room beside them.
    command.args(["-c", &bench]).env("RUST_MIN_STACK", (256 << 20).to_string()).env("MALLOC_ARENA_MAX", "1");
    let ran = Ran::from(command.output().expect("sh"));
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("1024 threads cannot be started"), "{}", ran.stderr);
}

#[test]
fn an_image_that_cannot_be_classified_is_named() {
    for image in ["samples/broken/truncated.jpg", "none.jpg"] {
        let ran = run(["bench", "--image", image]);
        assert_eq!(ran.code, Some(4));
        assert!(ran.stderr.contains(image), "{}", ran.stderr);
    }
}
