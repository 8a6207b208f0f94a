//! What the program prints, word for word, in `snapshots/`: help, tables and the Markdown report. To accept new output:
//!
//! ```text
//! INSTA_UPDATE=always cargo test --release --test binary snapshots
//! ```
//!
//! then read `git diff tests/binary/snapshots`. Only output that is the same on every machine belongs here: no times, no
//! versions, and no more digits of a probability than all kernels agree on.

use std::process::Stdio;

use crate::support::{Ran, skinclf};

const LOAD_TEST: &str = "tests/load/fixtures/run.json";

/// Width of the text in columns, if it were a terminal.
const COLUMNS: &str = "100";

fn printed(args: &[&str]) -> Ran {
    let mut command = skinclf();
    command.args(args).env("COLUMNS", COLUMNS).stdin(Stdio::null());
    command.output().expect("the binary starts").into()
}

#[track_caller]
pub(crate) fn assert_snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn help() {
    for command in ["", "classify", "bench", "serve", "health", "completions"] {
        for (flag, length) in [("--help", ""), ("-h", "-short")] {
            let args: Vec<_> = [command, flag].into_iter().filter(|arg| !arg.is_empty()).collect();
            let name = if command.is_empty() { "skinclf" } else { command };
            assert_snapshot(&format!("help-{name}{length}"), &printed(&args).stdout);
        }
    }
}

#[test]
fn results() {
    let samples = ["exif-rotated.jpg", "lesion-1.jpg", "lesion-3.jpg", "alpha.png", "broken/truncated.jpg"]
        .map(|name| format!("samples/{name}"));
    let classify = |flags: &[&str]| {
        let args: Vec<_> =
            ["classify"].iter().chain(flags).copied().chain(samples.iter().map(String::as_str)).collect();
        printed(&args)
    };
    assert_snapshot("classify-table", &classify(&[]).stdout);
    assert_snapshot("classify-top-3", &classify(&["-k", "3"]).stdout);
    assert_snapshot(
        "classify-csv-failed",
        &printed(&["classify", "-f", "csv", "samples/broken/truncated.jpg"]).stdout,
    );
    assert_snapshot(
        "classify-isic-failed",
        &printed(&["classify", "-f", "isic", "samples/broken/truncated.jpg"]).stdout,
    );
}

#[test]
fn evaluation() {
    assert_snapshot(
        "truth-table",
        &printed(&["classify", "--truth", "samples/labels.csv", "samples"]).stdout,
    );
}

#[test]
fn load_test() {
    for format in ["table", "csv", "markdown"] {
        let ran = printed(&["bench", "--from", LOAD_TEST, "--format", format]);
        assert_snapshot(&format!("load-test-{format}"), &ran.stdout);
    }
    // The report quotes the command, so its paths must be the same everywhere.
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(LOAD_TEST, folder.path().join("run.json")).expect("a copy of the saved run");
    let mut command = skinclf();
    command.current_dir(folder.path()).args(["bench", "--from", "run.json", "--report", "report.md"]);
    let ran: Ran = command.output().expect("the binary starts").into();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let document = std::fs::read_to_string(folder.path().join("report.md")).expect("a report");
    assert_snapshot("load-test-report", &document);
}
