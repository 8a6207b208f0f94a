//! What people see on a terminal: tables, footers and bars that fit, and escapes only where they are wanted. The terminal
//! is one of script(1), part of util-linux; without it, or on another system than Linux, these tests do nothing, but
//! under CI a missing script(1) is an error.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use crate::support::{Server, embedded_but, run};

const RUN: &str = "tests/load/fixtures/run.json";
const LONG: &str = "a-lesion-with-a-name-that-is-longer-than-most-terminals-are-wide-and-then-some-皮膚-of-the-left-forearm.jpg";

/// Runs the binary on a terminal with so many columns: what it writes there, in lines that end as everywhere.
/// `None` where there is no script(1) as Linux has it.
fn on_terminal(columns: u16, environment: &[(&str, &str)], command: &str) -> Option<String> {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: script(1) takes other arguments here");
        return None;
    }
    let binary = env!("CARGO_BIN_EXE_skinclf");
    let mut script = std::process::Command::new("script");
    script.args([
        "-qec",
        &format!("stty cols {columns} rows 24 -echo; exec '{binary}' {command}"),
        "/dev/null",
    ]);
    script.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    for variable in ["SKINCLF_MODEL", "SKINCLF_THREADS", "NO_COLOR", "COLUMNS"] {
        script.env_remove(variable);
    }
    script.env("SHELL", "/bin/sh").env("TERM", "xterm").envs(environment.iter().copied());
    let output = match script.output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && std::env::var_os("CI").is_none() => {
            eprintln!("skipped: there is no script(1)");
            return None;
        }
        Err(error) => panic!("script(1): {error}"),
    };
    Some(String::from_utf8(output.stdout).expect("UTF-8").replace("\r\n", "\n"))
}

/// Without escape sequences.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    let end = |part: &str| part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |at| at + 1);
    first + &parts.map(|part| &part[end(part)..]).collect::<String>()
}

#[track_caller]
fn assert_fits(columns: u16, text: &str) {
    for line in plain(text).lines() {
        // A long word is left to the terminal, so that it can be copied.
        let is_word = !line.trim().contains(' ') && !line.starts_with(['│', '┌']);
        assert!(line.width() <= columns.into() || is_word, "{} columns in {columns}: {text}", line.width());
    }
}

/// A folder with two pictures, one of them with a long name, and their labels.
fn pictures() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["short.jpg", LONG] {
        std::fs::copy("samples/lesion-2.jpg", folder.path().join(name)).expect("a picture");
    }
    let labels = format!("image,dx\nshort,nv\n{LONG},mel\n");
    std::fs::write(folder.path().join("labels.csv"), labels).expect("labels");
    folder
}

#[test]
fn rows_fit_whatever_is_said_of_colours() {
    let folder = pictures();
    let folder = folder.path().to_str().expect("UTF-8");
    let colours: [(&[(&str, &str)], &str); 3] =
        [(&[], ""), (&[("NO_COLOR", "1")], ""), (&[], "--color never")];
    for columns in [100, 80, 60, 40] {
        for (environment, flags) in colours {
            let command = format!("classify -q -k 2 {flags} {folder} no/such/picture.jpg samples/gray.jpg");
            let Some(shown) = on_terminal(columns, environment, &command) else { return };
            assert_fits(columns, &shown);
            assert_eq!(shown.contains('\u{1b}'), environment.is_empty() && flags.is_empty() && columns > 60);
            let names: Vec<_> = shown.lines().filter(|line| line.contains('…')).collect();
            assert!(names.iter().any(|line| line.contains("rm.jpg")), "{shown}");
        }
    }
}

#[test]
fn twenty_columns_are_no_reason_to_fail() {
    let folder = pictures();
    let folder = folder.path().to_str().expect("UTF-8");
    let commands = [
        format!("classify -k 3 {folder}"),
        format!("classify --truth {folder}/labels.csv {folder}"),
        format!("bench --from {RUN}"),
        "bench --iterations 2 --warmup 0".to_owned(),
    ];
    for (command, wanted) in commands.iter().zip(["probability", "interval", "requests/s", "p50"]) {
        for columns in [20, 3] {
            let Some(shown) = on_terminal(columns, &[], command) else { return };
            assert!(!shown.contains("panicked") && shown.contains(wanted), "{columns} columns: {shown}");
        }
    }
}

#[test]
fn scores_fit() {
    let folder = pictures();
    let folder = folder.path().to_str().expect("UTF-8");
    for columns in [80, 40] {
        let command = format!("classify --truth {folder}/labels.csv -q {folder} samples/gray.jpg");
        let Some(shown) = on_terminal(columns, &[("NO_COLOR", "1")], &command) else { return };
        assert_fits(columns, &shown);
        for title in ["accuracy", "95 % interval", "akiec", "recall", "not a diagnosis"] {
            assert!(shown.contains(title), "{title}: {shown}");
        }
    }
}

#[test]
fn figures_of_a_benchmark_fit() {
    for columns in [80, 40] {
        let Some(shown) = on_terminal(columns, &[], "bench --iterations 20 --warmup 0 2>/dev/null") else {
            return;
        };
        assert_fits(columns, &shown);
        assert!(plain(&shown).contains("│ inference "), "{shown}");
    }
}

#[test]
fn figures_of_a_load_test_fit_and_what_is_left_out_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut saved: Value = serde_json::from_str(&std::fs::read_to_string(RUN).expect(RUN)).expect("JSON");
    saved["runs"] = json!([saved["runs"][0], saved["runs"][0]]);
    let sweep = folder.path().join("sweep.json");
    std::fs::write(&sweep, saved.to_string()).expect("a file");
    let three = folder.path().join("three-containers-behind-a-balancer.json");
    std::fs::copy(RUN, &three).expect("a file");
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let commands = [
        (format!("bench --from {RUN}"), "Left out to fit 80 columns: p99.9"),
        (format!("bench --from {}", path(&sweep)), "medium"),
        (format!("bench --compare {RUN} 3={}", path(&three)), "improvement"),
    ];
    for (command, wanted) in commands {
        for columns in [80, 40] {
            for environment in [&[][..], &[("NO_COLOR", "1")]] {
                let Some(shown) = on_terminal(columns, environment, &command) else { return };
                assert_fits(columns, &shown);
                let shown = plain(&shown);
                assert!(columns == 40 || shown.contains(wanted), "{wanted}: {shown}");
                assert!(shown.contains("requests/s"), "{shown}");
            }
        }
    }
}

#[test]
fn a_terminal_of_unknown_width_gets_all_there_is() {
    let files = "-q samples/lesion-1.jpg samples/lesion-2.jpg";
    let commands = [format!("classify {files}"), format!("bench --from {RUN}")];
    for command in commands {
        let Some(shown) = on_terminal(0, &[("NO_COLOR", "1")], &command) else { return };
        assert_eq!(shown, run(command.split(' ')).stdout, "{command}");
        let Some(shown) = on_terminal(0, &[], &command) else { return };
        assert_eq!(plain(&shown), run(command.split(' ')).stdout, "{command}");
    }
}

#[test]
fn a_dumb_terminal_gets_no_escapes() {
    let commands =
        ["classify samples".to_owned(), format!("bench --from {RUN}"), "bench --iterations 9".to_owned()];
    for command in commands {
        let Some(shown) = on_terminal(80, &[("TERM", "dumb")], &command) else { return };
        assert!(shown.contains('│') && !shown.contains(['\u{1b}', '\r']), "{command}: {shown}");
        assert_fits(80, &shown);
    }
}

#[test]
fn a_file_is_as_wide_as_it_needs_although_the_terminal_is_not() {
    let folder = pictures();
    let out = folder.path().join("out.txt");
    let folder = folder.path().to_str().expect("UTF-8");
    let Some(_) = on_terminal(40, &[], &format!("classify -o {} {folder}", out.display())) else { return };
    let table = std::fs::read_to_string(out).expect("a table");
    assert!(table.contains(LONG) && !table.contains('\u{1b}'), "{table}");
}

/// What is drawn between two movements of the cursor.
fn frames(drawn: &str) -> Vec<String> {
    let parts = drawn.split(['\u{1b}', '\r', '\n']);
    let text = |part: &str| match part.strip_prefix('[') {
        Some(code) => {
            code.find(|c: char| c.is_ascii_alphabetic()).map_or("", |at| &code[at + 1..]).to_owned()
        }
        None => part.to_owned(),
    };
    parts.map(text).filter(|frame| !frame.trim().is_empty()).collect()
}

#[test]
fn bars_stay_within_their_lines() {
    let server = Server::start(&["--log", "off"]);
    let load =
        format!("bench --url {} --no-check --users 10 --think 10ms --duration 4s >/dev/null", server.url);
    for columns in [80, 40] {
        let commands =
            [("classify samples samples samples >/dev/null", "images", 1), (&*load, "requests/s", 2)];
        for (command, wanted, lines) in commands {
            let Some(drawn) = on_terminal(columns, &[], command) else { return };
            // What is said when it is over is no bar.
            let frames: Vec<_> =
                frames(&drawn).into_iter().filter(|frame| !frame.contains("classified")).collect();
            assert!(frames.iter().any(|frame| frame.contains(wanted)), "{frames:#?}");
            for frame in frames {
                assert!(frame.width() <= lines * usize::from(columns), "{} columns: {frame}", frame.width());
            }
        }
    }
}

/// A model that names melanoma wherever nearly all are moles.
fn moles_abound() -> (tempfile::TempDir, String) {
    let (folder, onnx) = embedded_but(|spec| {
        spec["decision"] = json!("balanced-argmax");
        spec["prior"] = json!([0.01, 0.01, 0.01, 0.01, 0.002, 0.948, 0.01]);
    });
    (folder, onnx.to_str().expect("UTF-8").to_owned())
}

const FOOTER: &str = "*: not the most probable class, but ";

#[test]
fn a_class_that_is_not_the_most_probable_is_marked() {
    let (_folder, model) = moles_abound();
    let table = |args: &[&str]| run(["classify", "samples/lesion-1.jpg"].iter().chain(args)).stdout;
    let named = table(&["--model", &model]);
    assert_eq!((named.matches("Melanoma (mel)* ").count(), named.matches(FOOTER).count()), (1, 1), "{named}");
    let most_probable = table(&[]);
    assert!(!most_probable.contains('*'), "{most_probable}");
    let mixed = table(&["no/such/picture.jpg", "samples/wide.jpg"]);
    assert!(!mixed.contains('*'), "{mixed}");
}

#[test]
fn the_best_classes_are_shown_with_what_they_are_ranked_by() {
    let (_folder, model) = moles_abound();
    let args = ["classify", "samples/lesion-1.jpg", "-k", "7", "--model", &model];
    let table = run(args).stdout;
    let json: Value = serde_json::from_str(&run(args.iter().chain(&["-f", "json"])).stdout).expect("JSON");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.contains('('))
        .map(|line| {
            line.trim_matches('│').split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
        })
        .collect();
    let top = json[0]["top_k"].as_array().expect("a list");
    assert_eq!((rows.len(), top.len()), (7, 7), "{table}");
    let percent =
        |cell: &str| -> f64 { cell.strip_suffix(" %").expect("per cent").parse().expect("a number") };
    let mut scores = Vec::new();
    for (row, class) in rows.iter().zip(top) {
        let cells = &row[row.iter().position(|cell| cell.contains('(')).expect("a class")..];
        assert!(
            cells[0].contains(&format!("({})", class["class_name"].as_str().expect("a code"))),
            "{table}"
        );
        let probability = class["probability"].as_f64().expect("a number");
        assert!((percent(cells[1]) - 100.0 * probability).abs() < 0.051, "{table}");
        scores.push(percent(cells[2]));
    }
    assert!(
        scores.is_sorted_by(|a, b| a >= b) && (scores.iter().sum::<f64>() - 100.0).abs() < 0.5,
        "{table}"
    );
    assert_eq!(table.matches("\nscore: what the classes are ranked by").count(), 1, "{table}");
    // Where probabilities are what counts, they are enough.
    let (_folder, model) = embedded_but(|_| ());
    let model = model.to_str().expect("UTF-8");
    let ranked_by_probability = run(["classify", "samples/lesion-1.jpg", "-k", "7", "--model", model]).stdout;
    assert!(!ranked_by_probability.contains("score"), "{ranked_by_probability}");
    assert!(!run(["classify", "samples/lesion-1.jpg"]).stdout.contains("score"));
}
