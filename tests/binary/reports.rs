//! What `skinclf bench` makes of load tests that were saved: exact text from one written by hand.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::mock::{Answer, Mock};
use crate::support::{Ran, Server, run};

const FIXTURE: &str = "tests/load/fixtures/run.json";

pub(crate) fn fixture() -> Value {
    serde_json::from_str(&std::fs::read_to_string(FIXTURE).expect(FIXTURE)).expect("JSON")
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Saves a run and names the file.
pub(crate) fn save(folder: &TempDir, name: &str, run: &Value) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, run.to_string()).expect("a file");
    path
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path.as_ref()).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

pub(crate) fn bench(args: &[&str]) -> Ran {
    run(["bench"].iter().chain(args))
}

/// The report of saved runs that ends in `ending`.
fn report(files: &[&Path], ending: &str) -> String {
    let folder = folder();
    let out = folder.path().join(format!("report.{ending}"));
    let mut args = vec!["bench".as_ref(), "--report".as_ref(), out.as_os_str(), "--from".as_ref()];
    args.extend(files.iter().map(|f| f.as_os_str()));
    let ran = run(args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    read(out)
}

#[test]
fn a_saved_run_is_printed_as_if_measured() {
    let ran = bench(&["--from", FIXTURE]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let expected = "\
Test CPU, 2 cores, 8 GiB, linux x86_64, kernels for avx2; skinclf 0.1.0, release build; times in ms

medium: 50 users, all from the first second, for 5s, think time 1s-3s, predict=4,health=1
┌──────────────────────────────────────────────────────────────────────────────────────────────────────────────────┐
│ endpoint          requests   failures   median    p90    p95    p99   p99.9   average    min    max   requests/s │
╞══════════════════════════════════════════════════════════════════════════════════════════════════════════════════╡
│ /predict               164          4     21.5   23.0   23.5   45.0       -      22.2   20.0   46.0         32.8 │
│ /health                 40          0     0.41   0.43   0.44      -       -      0.41   0.40   0.45         8.00 │
│ Total                  204          4     21.0   22.8   23.4   44.0       -      17.9   0.40   46.0         40.8 │
│ in ramp-up              40          0     21.0   22.8   23.4   44.0       -      17.9   0.40   46.0         40.8 │
│ in steady state        164          4     21.0   22.8   23.4   44.0       -      17.9   0.40   46.0         41.0 │
└──────────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
Failures of /predict: 3 status_503, 1 timeout.
VALID: The server was the bottleneck.
- capacity: 39.8 good answers/s under this mix, p95 23 ms
passed: --fail-if p95>500ms (measured 23.4 ms in the steady state)
failed: --fail-if failures>1% (measured 2.44 % in the steady state)
";
    assert_eq!(ran.stdout, expected);
}

#[test]
fn json_comes_back_as_it_was_saved() {
    let ran = bench(&["--from", FIXTURE, "--format", "json"]);
    let mut printed: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert!(
        printed["command"]
            .as_str()
            .expect("a command")
            .ends_with("bench --from tests/load/fixtures/run.json --format json")
    );
    printed["command"] = fixture()["command"].clone();
    assert_eq!(printed, fixture());
}

#[test]
fn csv_and_markdown_have_a_row_for_each_endpoint() {
    let csv = bench(&["--from", FIXTURE, "--format", "csv"]).stdout;
    let expected = "\
run,users,duration_s,verdict,endpoint,method,requests,failures,median_ms,p90_ms,p95_ms,p99_ms,p999_ms,average_ms,min_ms,max_ms,rps,failures_per_s,failures_by_kind,bytes_sent,bytes_received
medium,50,5,VALID,/predict,POST,164,4,21.5,23,23.5,45,,22.25,20,46,32.8,0.8,status_503=3;timeout=1,5200000,120000
medium,50,5,VALID,/health,GET,40,0,0.41,0.43,0.44,,,0.415,0.4,0.45,8,0,,0,10000
medium,50,5,VALID,Total,,204,4,21,22.8,23.4,44,,17.9,0.4,46,40.8,0.8,status_503=3;timeout=1,5200000,130000
";
    assert_eq!(csv, expected);
    let markdown = bench(&["--from", FIXTURE, "--format", "markdown"]).stdout;
    assert!(
        markdown
            .contains("| **Total** | 204 | 4 | 21.0 | 22.8 | 23.4 | 44.0 | - | 17.9 | 0.40 | 46.0 | 40.8 |"),
        "{markdown}"
    );
    assert!(markdown.contains("**VALID**: The server was the bottleneck."), "{markdown}");
}

#[test]
fn locusts_files_have_locusts_names_columns_and_units() {
    let folder = folder();
    let prefix = folder.path().join("out");
    let ran = run(["bench", "--from", FIXTURE, "--csv"]
        .map(std::ffi::OsStr::new)
        .into_iter()
        .chain([prefix.as_os_str()]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let file = |ending: &str| read(folder.path().join(format!("out_{ending}.csv")));
    let stats = "\
Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%
GET,/health,40,0,0,0.415,0.4,0.45,250.0,8.0,0.0,0,0,0,0,0,0,0,0,0,0,0
POST,/predict,164,4,22,22.25,20.0,46.0,731.7073170731708,32.8,0.8,22,22,22,22,23,24,44,45,46,46,46
,Aggregated,204,4,21,17.9,0.4,46.0,637.2549019607843,40.8,0.8,21,22,22,22,23,23,43,44,46,46,46
";
    assert_eq!(file("stats"), stats.replace('\n', "\r\n"));
    let history = file("stats_history");
    let mut rows = history.split("\r\n");
    assert_eq!(
        rows.next(),
        Some(
            "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time,Total Average Content Size"
        )
    );
    // 2026-11-25T08:00:00Z and a second.
    assert_eq!(
        rows.next(),
        Some(
            "1795593601,50,,Aggregated,40.000000,0.000000,21,22,22,22,23,23,46,46,46,46,46,40,0,21,17.9,0.4,46.0,650.0"
        )
    );
    let failures = "\
Method,Name,Error,Occurrences,First Seen,Last Seen
POST,/predict,status_503,3,2026-11-25T08:00:01Z,2026-11-25T08:00:03Z
POST,/predict,timeout,1,2026-11-25T08:00:04Z,2026-11-25T08:00:04Z
";
    assert_eq!(file("failures"), failures.replace('\n', "\r\n"));
    assert_eq!(file("exceptions"), "Count,Message,Traceback,Nodes\r\n");
}

#[test]
fn the_document_begins_with_its_results_and_leaves_no_blank() {
    let folder = folder();
    let scenarios: Vec<_> = [("light", 10), ("medium", 50), ("heavy", 100)]
        .map(|(name, users)| {
            let mut run = fixture();
            run["scenario"] = json!(name);
            run["plan"]["load"]["users"] = json!(users);
            save(&folder, name, &run)
        })
        .into();
    let files: Vec<&Path> = scenarios.iter().map(PathBuf::as_path).collect();
    let document = report(&files, "md");
    assert!(!document.contains("FILL"), "{document}");
    let headings: Vec<_> = document.lines().filter(|line| line.starts_with('#')).collect();
    let expected = [
        "# Load Testing with skinclf and Locust - Results and Instructions",
        "## Load Test Results",
        "### Test Environment",
        "### Scenario 1: Light Load (10 concurrent users)",
        "### Scenario 2: Medium Load (50 concurrent users)",
        "### Scenario 3: Heavy Load (100 concurrent users)",
        "## Key Findings",
        "### Performance Bottlenecks",
        "### Scalability Observations",
        "### Recommendations",
        "## Conclusion",
        "## Overview",
        "## Prerequisites",
        "## Running Load Tests",
        "### Step 1: Start the API Server",
        "### Step 2: Run skinclf, or Locust",
        "### Step 3: Watch",
        "### Step 4: Configure Test Parameters",
        "### Step 5: Run Tests",
        "### Step 6: Compare Containers",
        "### Step 7: Plan Capacity",
        "### Step 8: Take Screenshots",
        "## Test Scenarios",
        "### Scenario 1: Light Load (10 concurrent users)",
        "### Scenario 2: Medium Load (50 concurrent users)",
        "### Scenario 3: Heavy Load (100 concurrent users)",
        "## Expected Metrics to Record",
    ];
    assert_eq!(headings, expected);
    for line in [
        "- **CPU**: Test CPU, 2 cores",
        "- **Model**: mobilenetv2-ham10000 0.1.0 (sha256 368fa4e6e7bb)",
        "| **Total** | 204 | 4 | 21.0 | 23.4 | 44.0 | 17.9 | 40.8 |",
        "- Verdict: **VALID**. The server was the bottleneck.",
        "- 4 of 204 requests failed (2.0 %): 3 status_503, 1 timeout. Of the others half within 21.0 ms, 95 % within 23.4 ms, 99 % within 44.0 ms.",
        "1. Under the largest load (heavy) inference is 80 % of a typical /predict, 17.5 ms on average.",
    ] {
        assert!(document.lines().any(|l| l == line), "no {line:?} in {document}");
    }
}

/// A run of users who think, and one of users who do not and of whose requests the server refused a fifth.
fn thinking_and_full(folder: &TempDir, queue: f64) -> [PathBuf; 2] {
    let mut thinking = fixture();
    thinking["verdict"] = json!("NOT-SATURATED");
    let mut full = fixture();
    full["scenario"] = json!("custom");
    full["plan"]["load"]["users"] = json!(100);
    full["plan"]["load"]["think_s"] = json!([0.0, 0.0]);
    full["think_mean_s"] = json!(0.0);
    full["targets"][0]["usage"]["queue_mean"] = json!(queue);
    let total = &mut full["steady_state"]["endpoints"][2];
    (total["rps"], total["failures_per_s"]) = (json!(250.0), json!(50.0));
    total["average_ms"] = json!(400.0);
    [save(folder, "thinking.json", &thinking), save(folder, "full.json", &full)]
}

#[test]
fn plans_follow_from_successful_requests_and_from_users_who_need_not_wait() {
    let folder = folder();
    let [thinking, full] = thinking_and_full(&folder, 40.0);
    let document = report(&[&thinking, &full], "md");
    for said in [
        "Capacity: 200.0 successful requests/s (",
        // 70 % of 200/s, and 2 s of thought and 17.9 ms of waiting for each answer.
        "Plan for 140.0 requests/s (predict=4,health=1) to a server like this, 70 % of its capacity of 200.0/s, about 283 users who think 2.0 s between requests;",
        "Its measured limit is 200.0 successful requests/s on this machine.",
    ] {
        assert!(document.contains(said), "no {said:?} in {document}");
    }
    let [thinking, idle] = thinking_and_full(&folder, 0.2);
    let document = report(&[&thinking, &idle], "md");
    assert!(document.contains("Capacity: at least 200.0 successful requests/s ("), "{document}");
    assert!(document.contains("Its measured limit is at least 200.0 successful requests/s"), "{document}");
}

/// A sweep of 10 and 20 users, all of them refused but 30 a second.
fn sweep(folder: &TempDir, name: &str) -> PathBuf {
    let runs = [10, 20].map(|users| {
        let mut run = fixture();
        run["scenario"] = json!("custom");
        run["plan"]["load"]["users"] = json!(users);
        let total = &mut run["steady_state"]["endpoints"][2];
        (total["rps"], total["failures_per_s"]) = (json!(users * 100), json!(users * 100 - 30));
        run
    });
    let knee = json!({"left_out": [1, 40], "users": 10, "rps": 30.0, "max_rps": 30.0, "reached": true, "predicted_users": null});
    let environment = &fixture()["environment"];
    save(folder, name, &json!({"runs": runs, "knee": knee, "command": "", "environment": environment}))
}

#[test]
fn a_sweep_is_drawn_and_described_in_successful_requests() {
    let folder = folder();
    let sweep = sweep(&folder, "sweep.json");
    let page = report(&[&sweep], "html");
    assert!(page.contains("30.0 successful requests per second at the knee of 10 users."), "{page}");
    assert!(page.contains("Knee: 10 users give 30.0 successful requests/s"), "{page}");
    assert!(page.contains("; left out because of their verdicts: 1 user, 40 users."), "{page}");
    let (_, chart) = page
        .split_once("Successful requests per second and response times over the number of users")
        .expect("a chart");
    let (chart, _) = chart.split_once("</svg>").expect("its end");
    assert!(!chart.contains(">2000<") && !chart.contains(">1000<"), "a scale of refusals: {chart}");
    let document = report(&[&sweep], "md");
    let told = "From 10 to 20 users (x2.0) successful requests/s went from 30.0 to 30.0 (x1.0)";
    assert!(document.contains(told), "{document}");
}

#[test]
fn two_sweeps_are_no_report() {
    let folder = folder();
    let [one, two] = ["one.json", "two.json"].map(|name| sweep(&folder, name).display().to_string());
    let ran = bench(&["--from", &one, &two]);
    assert_eq!(ran.code, Some(4));
    assert!(ran.stderr.contains(&format!("--from {two}: a second sweep")), "{}", ran.stderr);
    assert_eq!(bench(&["--from", &one, FIXTURE]).code, Some(0));
}

#[test]
fn an_interrupted_run_is_marked_on_its_page() {
    let folder = folder();
    let mut run = fixture();
    run["interrupted"] = json!(true);
    let page = report(&[&save(&folder, "light.json", &run)], "html");
    assert!(page.contains("<strong>Interrupted</strong> before its planned end"), "{page}");
    assert!(!report(&[Path::new(FIXTURE)], "html").contains("Interrupted"));
}

#[test]
fn the_timeline_says_what_it_draws() {
    let folder = folder();
    let mut run = fixture();
    for second in run["series"].as_array_mut().expect("seconds") {
        second["p95_ms"] = json!(null);
        second["recent"]["p95_ms"] = json!(77.7);
    }
    let page = report(&[&save(&folder, "light.json", &run)], "html");
    assert!(page.contains("p95 77.7 ms, p99"), "{page}");
    assert!(page.contains("<td>77.7</td>"), "{page}");
}

/// The fixture, had all its requests been answered.
fn without_failures() -> Value {
    let mut run = fixture();
    let total = &mut run["steady_state"]["endpoints"][2];
    total["failures"] = json!(0);
    total["failures_per_s"] = json!(0.0);
    run
}

#[test]
fn containers_are_compared_with_the_first() {
    let folder = folder();
    let with_rps = |name: &str, rps: f64, average_ms: f64| {
        let mut run = without_failures();
        let total = &mut run["steady_state"]["endpoints"][2];
        total["rps"] = json!(rps);
        total["average_ms"] = json!(average_ms);
        save(&folder, name, &run).display().to_string()
    };
    let (one, two) = (with_rps("one.json", 100.0, 40.0), with_rps("two.json", 180.0, 20.0));
    let three = format!("4={}", with_rps("four.json", 240.0, 50.0));
    let compared: Value = {
        let ran = bench(&["--compare", &one, &two, &three, "--format", "json"]);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}", ran.stderr))
    };
    let figures = |row: usize| {
        ["containers", "improvement", "average_reduction", "efficiency"]
            .map(|f| compared["rows"][row][f].as_f64())
    };
    assert_eq!(figures(0), [Some(1.0), None, None, None]);
    assert_eq!(figures(1), [Some(2.0), Some(0.8), Some(0.5), Some(0.9)]);
    assert_eq!(figures(2), [Some(4.0), Some(1.4), Some(-0.25), Some(0.6)]);
    assert_eq!(compared["warnings"], json!([]));

    let document = folder.path().join("r.md");
    let ran = bench(&["--compare", &one, &two, &three, "--report", &document.display().to_string()]);
    let row = "│ two             2      50      20.0   23.4        180.0      0 %         +80 %         0.90         1.20         60 MiB     VALID │";
    assert!(ran.stdout.contains(row), "{}", ran.stdout);
    let document = read(document);
    assert!(document.contains("\n## Docker Container Scaling Tests\n"), "{document}");
    assert!(document.contains("### Two Containers Test (Load Balanced)\n"), "{document}");
    let improvement = "- **Improvement**: 80 % more requests/s and an average response time 50 % shorter than a single container; efficiency 0.90\n";
    assert!(document.contains(improvement), "{document}");
}

#[test]
fn runs_that_cannot_be_compared_are_called_so() {
    let folder = folder();
    let mut other = fixture();
    other["plan"]["load"]["users"] = json!(51);
    other["plan"]["load"]["spawn_rate"] = json!(51.0);
    other["plan"]["duration_s"] = json!(50.0);
    other["targets"][0]["model"]["sha256"] = json!("0");
    other["verdict"] = json!("UNSTABLE");
    let other = save(&folder, "other.json", &other).display().to_string();
    let ran = bench(&["--compare", FIXTURE, &other]);
    assert_eq!(ran.code, Some(0));
    for warning in [
        "not comparable: other differs from run in users (51, not 50), duration (50s, not 5s), \
         model (mobilenetv2-ham10000 0.1.0 0, not mobilenetv2-ham10000 0.1.0 368fa4e6e7bb): not the same test.",
        "not comparable: other: UNSTABLE: the figures changed while they were measured.",
    ] {
        assert!(ran.stdout.contains(warning), "{}", ran.stdout);
    }
    let failed = bench(&["--compare", FIXTURE, &other]);
    assert!(failed.stdout.contains("run, other: more than 1 % of the requests failed"), "{}", failed.stdout);
    assert!(
        failed.stdout.contains("       40.0    2.4 %  "),
        "41.0 a second less those that failed: {}",
        failed.stdout
    );
    let good = save(&folder, "good.json", &without_failures()).display().to_string();
    let same = bench(&["--compare", &good, &good]);
    assert!(!same.stdout.contains("not comparable"), "{}", same.stdout);
}

#[test]
fn what_differs_between_compared_runs_is_said() {
    let folder = folder();
    let first = save(&folder, "first.json", &without_failures()).display().to_string();
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 13] = [
        (
            |run| run["environment"]["cpu"] = json!("Slow CPU"),
            "machine of the generator (Slow CPU, 2 cores, 8 GiB, linux x86_64, not Test CPU, 2 cores, 8 GiB, linux x86_64)",
        ),
        (
            |run| run["environment"]["logical_cores"] = json!(1),
            "machine of the generator (Test CPU, 1 core, 8 GiB,",
        ),
        (
            |run| run["environment"]["build"] = json!("debug"),
            "generator (skinclf 0.1.0, debug build, not skinclf 0.1.0, release build)",
        ),
        (|run| run["targets"][0]["version"] = json!("0.2.0"), "server version (0.2.0, not 0.1.0)"),
        (
            |run| run["targets"][0]["model"]["version"] = json!("0.4.0"),
            "model (mobilenetv2-ham10000 0.4.0 368fa4e6e7bb, not mobilenetv2-ham10000 0.1.0 368fa4e6e7bb)",
        ),
        (
            |run| run["targets"][0]["shares_machine"] = json!(false),
            "place of the servers (elsewhere, not the generator's machine)",
        ),
        (|run| run["plan"]["load"]["think_s"] = json!([0.0, 0.0]), "think time (0, not 1s-3s)"),
        (|run| run["plan"]["load"]["spawn_rate"] = json!(5.0), "spawn rate (5/s, not all at once)"),
        (|run| run["plan"]["duration_s"] = json!(60.0), "duration (1m, not 5s)"),
        (
            |run| run["plan"]["mix"][0]["weight"] = json!(1),
            "mix (predict=1,health=1, not predict=4,health=1)",
        ),
        (|run| run["plan"]["images"] = json!(["a.jpg"]), "images (a.jpg, not lesion-1.jpg)"),
        (|run| run["plan"]["images"] = json!(["a".repeat(100)]), "in images: not"),
        (
            |run| {
                run["plan"]["load"] =
                    json!({"kind": "open", "rate": 9.0, "arrival": "poisson", "connections": 50});
            },
            "loop (9 starts/s, poisson, not closed), think time (none, not 1s-3s)",
        ),
    ];
    for (change, said) in cases {
        let mut other = without_failures();
        change(&mut other);
        let other = save(&folder, "other.json", &other).display().to_string();
        let ran = bench(&["--compare", &first, &other]);
        let line = ran.stdout.lines().find(|line| line.contains("other differs from first in "));
        assert!(line.is_some_and(|line| line.contains(said)), "{said}: {}", ran.stdout);
    }
}

/// While users were being started, answers took a second.
#[test]
fn a_run_has_one_p95() {
    let folder = folder();
    let mut run = fixture();
    run["endpoints"][2]["p95_ms"] = json!(987.0);
    let file = save(&folder, "run.json", &run);
    let table = bench(&["--from", &file.display().to_string(), FIXTURE]).stdout;
    let (_, runs) = table.split_once("All endpoints together, in the steady state").expect("a table of runs");
    assert!(runs.contains(" 23.4 ") && !runs.contains("987"), "{runs}");
    let page = report(&[&file, Path::new(FIXTURE)], "html");
    let (_, runs) = page.split_once("All endpoints together, in the steady state").expect("a table of runs");
    let (runs, run) = runs.split_once("</table>").expect("its end");
    assert!(runs.contains("<td>23.4</td>") && !runs.contains("987"), "{runs}");
    assert!(run.contains("23.4 ms</p><p class=\"more\">in the steady state"), "{run}");
    assert!(run.contains("measured 23.4 ms in the steady state"), "{run}");
    let document = report(&[&file], "md");
    assert!(document.contains("| in steady state | 164 | 4 | 21.0 | 23.4 |"), "{document}");
}

#[test]
fn verdicts_that_warn_are_explained() {
    let folder = folder();
    for (verdict, meaning, advice, compared) in [
        (
            "TOO-SHORT",
            "Too little was measured",
            "Repeat heavy (TOO-SHORT) with a longer --duration",
            "TOO-SHORT: too little",
        ),
        (
            "FAILED",
            "Too many requests failed, or none completed",
            "Find out why requests failed",
            "more than 1 % of the requests failed",
        ),
        (
            "UNSTABLE",
            "The figures changed",
            "Repeat heavy (UNSTABLE) on a quiet machine",
            "UNSTABLE: the figures changed",
        ),
    ] {
        let mut run = fixture();
        (run["scenario"], run["verdict"]) = (json!("heavy"), json!(verdict));
        let file = save(&folder, "heavy.json", &run);
        let page = report(&[&file], "html");
        assert!(page.contains(&format!("<title>{verdict}: ")) && page.contains("role=\"alert\""), "{page}");
        assert!(page.contains(meaning), "{page}");
        assert!(report(&[&file], "md").contains(advice), "{advice}");
        let name = file.display().to_string();
        let table = bench(&["--compare", &name, &name]).stdout;
        assert!(table.contains(&format!("not comparable: heavy, heavy: {compared}")), "{table}");
    }
}

#[test]
fn one_of_something_is_no_plural() {
    let folder = folder();
    let mut run = fixture();
    run["endpoints"][2]["failures"] = json!(1);
    run["plan"]["load"]["users"] = json!(1);
    run["environment"]["logical_cores"] = json!(1);
    let file = save(&folder, "one.json", &run);
    let page = report(&[&file], "html");
    for said in
        ["1 request failed.", "1 of 2 conditions of --fail-if failed.", "1 user, ", "Test CPU, 1 core, "]
    {
        assert!(page.contains(said), "no {said:?} in {page}");
    }
    let document = report(&[&file], "md");
    for said in ["(1 concurrent user)", "- **CPU**: Test CPU, 1 core\n"] {
        assert!(document.contains(said), "no {said:?} in {document}");
    }
}

#[test]
fn the_ending_says_what_a_report_is() {
    for ending in ["htm", "HTML"] {
        assert!(report(&[Path::new(FIXTURE)], ending).ends_with("</html>"), "{ending}");
    }
    assert!(report(&[Path::new(FIXTURE)], "MD").starts_with("# Load Testing"));
}

#[test]
fn files_that_are_no_load_test_are_named_with_what_is_wrong() {
    let folder = folder();
    let mut short = fixture();
    short.as_object_mut().expect("an object").remove("series");
    let short = save(&folder, "short.json", &short).display().to_string();
    let several = save(
        &folder,
        "several.json",
        &json!({"runs": [fixture(), fixture()], "knee": null, "command": "", "environment": fixture()["environment"]}),
    );
    let several = several.display().to_string();
    for (args, complaint) in [
        (["--from", short.as_str(), "--format", "csv"], "missing field `series`"),
        (["--from", "none.json", "--format", "csv"], "none.json"),
        (
            ["--compare", several.as_str(), FIXTURE, "--color=never"],
            "2 runs; compare files with one run each",
        ),
    ] {
        let ran = bench(&args);
        assert_eq!(ran.code, Some(4));
        assert!(ran.stderr.contains(args[1]) && ran.stderr.contains(complaint), "{}", ran.stderr);
    }
}

#[test]
fn the_page_holds_all_runs_and_states_a_bad_verdict_first() {
    let folder = folder();
    let mut unstable = fixture();
    unstable["scenario"] = json!("heavy");
    unstable["verdict"] = json!("UNSTABLE");
    unstable["verdict_reasons"] = json!(["throughput went down"]);
    let unstable = save(&folder, "unstable.json", &unstable);
    let page = report(&[Path::new(FIXTURE), &unstable], "html");
    assert!(page.contains("<title>UNSTABLE: Load test of http://127.0.0.1:8000</title>"), "{page}");
    let first = page.find("Throughput went down.").expect("the reason");
    assert!(first < page.find("<table>").expect("a table"), "the verdict stands before any figure");
    for run in ["id=\"run-1\"", "id=\"run-2\"", ">medium<", ">heavy<"] {
        assert!(page.contains(run), "{run}");
    }
    let good = report(&[Path::new(FIXTURE)], "html");
    assert!(!good.contains("class=\"alarm\""));
}

#[test]
fn what_comes_from_outside_stays_text() {
    let folder = folder();
    let hostile = "</title><script>alert(1)</script>\"'|`[x](y)";
    let mut run = fixture();
    run["scenario"] = json!(hostile);
    run["purpose"] = json!(hostile);
    run["command"] = json!(hostile);
    run["started_at"] = json!(hostile);
    run["verdict_reasons"] = json!([hostile]);
    run["findings"][0]["text"] = json!(hostile);
    run["stages"][0]["name"] = json!(hostile);
    run["targets"][0]["url"] = json!(hostile);
    run["targets"][0]["version"] = json!(hostile);
    run["environment"]["cpu"] = json!(hostile);
    run["thresholds"][0]["condition"] = json!(hostile);
    run["plan"]["mix"][0]["endpoint"] = json!(hostile);
    for endpoints in ["/endpoints", "/steady_state/endpoints", "/ramp_up/endpoints"] {
        let endpoint = &mut run.pointer_mut(endpoints).expect("endpoints")[0];
        endpoint["name"] = json!(hostile);
        endpoint["failures_by_kind"] = json!({hostile: 4});
    }
    let file = save(&folder, "hostile.json", &run);
    let page = report(&[&file], "html");
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
    assert!(!page.contains("\"'|"), "an attribute could end");
    let document = report(&[&file], "md");
    let text: String = document.split("```").step_by(2).collect();
    assert!(!text.replace("\\<", "").contains('<'), "{document}");
    let cells: Vec<_> = document
        .lines()
        .filter(|l| l.starts_with("| "))
        .map(|l| l.replace("\\|", "").matches('|').count())
        .collect();
    assert!(cells.iter().all(|count| *count == 9), "{cells:?}");
}

#[test]
fn a_real_run_is_read_back_and_every_report_is_written() {
    let server = Server::start(&[]);
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [saved, html, md, csv] = ["run.json", "r.html", "r.md", "out"].map(path);
    let ran = bench(&[
        "--url",
        &server.url,
        "--users",
        "4",
        "--think",
        "0",
        "--duration",
        "1s",
        "--format",
        "json",
        "--output",
        &saved,
        "--report",
        &html,
        "--report",
        &md,
        "--csv",
        &csv,
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let again = bench(&["--from", &saved, "--format", "json"]);
    let without_command = |text: &str| {
        let mut value: Value = serde_json::from_str(text).expect("JSON");
        value.as_object_mut().expect("an object").remove("command").map(|_| value).expect("a command")
    };
    assert_eq!(without_command(&again.stdout), without_command(&read(&saved)));
    assert!(read(&html).ends_with("</html>"));
    assert!(!read(&md).contains("FILL"));
    assert!(read(format!("{csv}_stats.csv")).lines().any(|line| line.starts_with(",Aggregated,")));
}

#[test]
fn a_report_that_cannot_be_written_costs_no_load() {
    let server = Mock::start(|_| Answer::Whole(200, "{}".to_owned()));
    let folder = folder();
    std::fs::create_dir(folder.path().join("no-file_light_failures.csv")).expect("a folder");
    let taken = folder.path().join("no-file").display().to_string();
    for [flag, path] in
        [["--report", "no-such-folder/r.html"], ["--csv", "no-such-folder/out"], ["--csv", &taken]]
    {
        let ran = bench(&["--url", &server.url, "--mix", "ping=1", "--scenario", "all", flag, path]);
        assert_eq!(ran.code, Some(4));
        assert!(ran.stderr.contains(&format!("{flag} {path}")), "{}", ran.stderr);
    }
    let asked = server.requests.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(asked, 3, "each asks for /health, and no more");
    assert_eq!(bench(&["--url", &server.url, "--report", "r.txt"]).code, Some(2));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_costs_one_file_and_no_figures() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [page, document, csv] = ["r.html", "r.md", "out"].map(path);
    for full in [&page, &format!("{csv}_stats.csv")] {
        std::os::unix::fs::symlink("/dev/full", full).expect("a link");
    }
    let ran = bench(&["--from", FIXTURE, "--report", &page, "--report", &document, "--csv", &csv]);
    assert_eq!(ran.code, Some(4));
    assert!(ran.stderr.contains(&format!("--report {page}: cannot be written")), "{}", ran.stderr);
    assert!(ran.stdout.contains("│ Total "), "{}", ran.stdout);
    assert!(read(document).contains("## Conclusion"));
    assert!(read(format!("{csv}_failures.csv")).contains("status_503"));
}
