//! `skinclf classify`.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{classify_json, run, run_with_input, samples, send, skinclf, timeless};

const LESION: &str = "samples/lesion-1.jpg";
const TRUNCATED: &str = "samples/broken/truncated.jpg";

#[test]
fn a_table_names_the_class_and_says_once_that_it_is_no_diagnosis() {
    let ran = run(["classify", LESION, "samples/gray.jpg"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let row = ran.stdout.lines().find(|l| l.contains(LESION)).expect("a row for the image");
    let json = &classify_json(&[LESION])[0];
    for (field, scale) in [("confidence", 100.0), ("malignant_probability", 100.0)] {
        let percent = format!("{:.1} %", json[field].as_f64().expect("a number") * scale);
        assert!(row.contains(&percent), "{row} lacks {percent}");
    }
    assert!(row.contains(json["label"].as_str().expect("a label")), "{row}");
    assert_eq!(ran.stdout.matches("not a diagnosis").count(), 1);
    assert!(!ran.stdout.contains('\u{1b}'), "no colour without a terminal");
}

#[test]
fn failures_are_rows_and_the_rest_is_classified() {
    let ran = run([
        "classify",
        "--format",
        "jsonl",
        LESION,
        "samples/none.jpg",
        TRUNCATED,
        "README.md",
        "samples/wide.jpg",
    ]);
    assert_eq!(ran.code, Some(1));
    let lines: Vec<Value> = ran.stdout.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let codes: Vec<_> = lines.iter().map(|l| l["error"]["code"].as_str().unwrap_or("-")).collect();
    assert_eq!(codes, ["-", "read_failed", "truncated_image", "not_an_image", "-"]);
    let table = run(["classify", TRUNCATED]);
    assert!(
        table.stdout.contains("truncated image: the file ends before the image is complete"),
        "{}",
        table.stdout
    );
    assert_eq!(table.code, Some(1));
}

#[test]
fn every_format_holds_the_same_numbers() {
    let json = classify_json(&[LESION, TRUNCATED]);
    let lines = run(["classify", "--format", "jsonl", LESION, TRUNCATED]).stdout;
    let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(
        lines.into_iter().map(timeless).collect::<Vec<_>>(),
        json.iter().cloned().map(timeless).collect::<Vec<_>>()
    );

    let csv = run(["classify", "--format", "csv", LESION, TRUNCATED]).stdout;
    let rows: Vec<Vec<&str>> = csv.lines().map(|l| l.split(',').collect()).collect();
    let column =
        |name: &str| rows[0].iter().position(|c| *c == name).unwrap_or_else(|| panic!("no column {name}"));
    assert_eq!(rows[1][column("class_name")], json[0]["class_name"]);
    assert_eq!(rows[1][column("mel")], json[0]["probabilities"]["mel"].to_string());
    assert_eq!(rows[2][column("error_code")], "truncated_image");
    assert_eq!(rows[2].len(), rows[0].len());

    let isic = run(["classify", "--format", "isic", LESION, TRUNCATED]);
    let mut rows = isic.stdout.lines();
    assert_eq!(rows.next(), Some("image,MEL,NV,BCC,AKIEC,BKL,DF,VASC"));
    // Its scorer takes the largest of a row, so the columns are what the decision ranks by.
    let spec = std::fs::read("models/mobilenetv2.json").expect("the model's spec");
    let spec: Value = serde_json::from_slice(&spec).expect("JSON");
    let codes = ["mel", "nv", "bcc", "akiec", "bkl", "df", "vasc"];
    let over_prior = codes.map(|code| {
        let labels = spec["labels"].as_array().expect("labels");
        let class = labels.iter().position(|label| label["code"] == code).expect("a label");
        let prior = spec["prior"][class].as_f64().expect("a number");
        json[0]["probabilities"][code].as_f64().expect("a number") / prior
    });
    let (name, scores) = rows.next().expect("a row").split_once(',').expect("scores");
    assert_eq!(name, "lesion-1");
    for (score, wanted) in scores.split(',').zip(over_prior) {
        let score: f64 = score.parse().expect("a number");
        let wanted = wanted / over_prior.iter().sum::<f64>();
        assert!((score - wanted).abs() < 1e-5, "{scores} instead of {over_prior:?}, scaled");
    }
    assert_eq!(scores.split(',').count(), codes.len());
    assert_eq!(rows.next(), None);
    assert!(isic.stderr.contains(TRUNCATED), "what the format cannot say goes to stderr: {}", isic.stderr);
}

#[test]
fn directories_are_walked_for_images_in_order() {
    let found = classify_json(&["samples", "--threads", "2"]);
    let paths: Vec<_> = found.iter().map(|r| r["path"].as_str().expect("a path").to_owned()).collect();
    let mut wanted: Vec<_> =
        samples().iter().map(|p| format!("samples/{}", p.file_name().expect("a name").display())).collect();
    wanted.push(TRUNCATED.to_owned());
    wanted.sort();
    assert_eq!(paths, wanted);
    let none = run(["classify", "src"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(4), ""));
    assert!(none.stderr.contains("no images found"), "{}", none.stderr);
    let earlier = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&earlier, "of an earlier run").expect("a file");
    let earlier = earlier.path().to_str().expect("UTF-8");
    for format in ["table", "json", "jsonl", "csv", "isic"] {
        assert_eq!(run(["classify", "-f", format, "-o", earlier, "src"]).code, Some(4));
        assert_eq!(std::fs::read_to_string(earlier).expect("a file"), "of an earlier run", "{format}");
    }
}

#[test]
fn lists_of_paths_are_separated_by_lines_or_nul() {
    let wanted: Vec<_> = classify_json(&[LESION, "samples/gray.jpg"]).into_iter().map(timeless).collect();
    for list in [format!("{LESION}\r\n\nsamples/gray.jpg"), format!("{LESION}\0samples/gray.jpg\0")] {
        let ran = run_with_input(["classify", "-f", "json", "--files-from", "-"], list.as_bytes());
        let got: Vec<Value> = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(got.into_iter().map(timeless).collect::<Vec<_>>(), wanted, "{list:?}");
    }
}

#[test]
fn standard_input_is_an_image_like_any_other() {
    let bytes = std::fs::read(LESION).expect("a sample");
    let ran = run_with_input(["classify", "-f", "jsonl", "-"], &bytes);
    let mut got = timeless(serde_json::from_str(&ran.stdout).expect("JSON"));
    assert_eq!(got["path"], "-");
    got["path"] = LESION.into();
    assert_eq!(got, timeless(classify_json(&[LESION]).remove(0)));
}

#[test]
fn a_result_is_printed_before_the_next_path_is_known() {
    let mut child = skinclf()
        .args(["classify", "-f", "jsonl", "--files-from", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut paths = child.stdin.take().expect("a pipe");
    for path in [LESION, "samples/gray.jpg"] {
        std::io::Write::write_all(&mut paths, format!("{path}\n").as_bytes()).expect("it reads");
        let line: Value = serde_json::from_str(&lines.next().expect("a line").expect("UTF-8")).expect("JSON");
        assert_eq!(line["path"], path);
    }
    drop(paths);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn an_interruption_prints_what_is_done() {
    let mut child = skinclf()
        .args(["classify", "-f", "json", LESION, "--files-from", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut paths = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut paths, b"samples/gray.jpg\n").expect("it reads");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    // Its list stays open; let it have written nothing, something or all: what is there is whole.
    interrupt(&child);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut out, &mut text).expect("UTF-8");
    let done: Vec<Value> = serde_json::from_str(&text).expect("a whole array");
    assert!(done.iter().all(|r| r["class_name"].is_string()), "{text}");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn an_interruption_does_not_wait_for_standard_input() {
    let mut child = skinclf()
        .args(["classify", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let silent = child.stdin.take();
    interrupt(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    drop(silent);
}

/// Sends SIGINT once it is handled.
pub(crate) fn interrupt(child: &std::process::Child) {
    let running = format!("/proc/{}/status", child.id());
    while caught_signals(&std::fs::read_to_string(&running).expect("it runs")) & 0b10 == 0 {
        std::thread::yield_now();
    }
    send(child, "INT");
}

/// The bit mask `SigCgt` of /proc/PID/status; bit 1 is SIGINT.
fn caught_signals(status: &str) -> u64 {
    let mask = status.lines().find_map(|l| l.strip_prefix("SigCgt:")).expect("a field of every process");
    u64::from_str_radix(mask.trim(), 16).expect("hexadecimal")
}

/// A run on 20,000 files that are not there, which says more than fits into a pipe.
fn much_to_say(format: &str) -> std::process::Child {
    let list = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&list, "no/such/picture.jpg\n".repeat(20_000)).expect("a list");
    let mut child = skinclf()
        .args(["classify", "-f", format, "--files-from", "-"])
        .stdin(list.reopen().expect("the list"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    out.read_line(&mut String::new()).expect("a line");
    child
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    for format in ["table", "json", "jsonl", "csv"] {
        let ended = much_to_say(format).wait_with_output().expect("it ends");
        assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]), "{format}");
    }
    for args in [&["completions", "bash"][..], &["completions", "zsh"]] {
        let mut child =
            skinclf().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        let ended = child.wait_with_output().expect("it ends");
        assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]), "{args:?}");
    }
}

#[test]
fn that_nobody_hears_the_complaints_costs_no_result() {
    let mut child = skinclf()
        .args(["classify", "-f", "isic", "no/such/picture.jpg", LESION])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stderr.take());
    let ended = child.wait_with_output().expect("it ends");
    let rows = String::from_utf8(ended.stdout).expect("UTF-8");
    assert_eq!((ended.status.code(), rows.lines().count()), (Some(1), 2), "{rows}");
}

#[test]
fn any_number_of_threads_gives_the_same_answers() {
    let one: Vec<_> = classify_json(&["samples", "-j", "1"]).into_iter().map(timeless).collect();
    let four: Vec<_> = classify_json(&["samples", "-j", "4"]).into_iter().map(timeless).collect();
    assert_eq!(one, four);
}

#[test]
fn top_k_lists_the_most_probable_classes() {
    let json = &classify_json(&[LESION, "-k", "3"])[0];
    let top = json["top_k"].as_array().expect("a list");
    assert_eq!(top.len(), 3);
    assert_eq!(top[0]["class_name"], json["class_name"]);
    let p: Vec<_> = top.iter().map(|t| t["probability"].as_f64().expect("a number")).collect();
    assert!(p.is_sorted_by(|a, b| a >= b), "{p:?}");
    let code = |n: usize| format!("({})", top[n]["class_name"].as_str().expect("a code"));
    let table = run(["classify", "-k", "2", LESION]).stdout;
    assert!(table.contains(&code(0)) && table.contains(&code(1)) && !table.contains(&code(2)), "{table}");
}

#[test]
fn wrong_usage_is_status_2_and_names_the_flag() {
    for (args, named) in [
        (&["classify"][..], "<PATH>"),
        (&["classify", "-f", "csv", "-k", "2", LESION], "--top-k"),
        (&["classify", "-", "--files-from", "-"], "standard input"),
        (&["classify", "-j", "0", LESION], "--threads"),
        (&["bench", "--iterations", "0"], "--iterations"),
        (
            &["classify", LESION, "-o", "samples/other.jpg"],
            "refusing to overwrite a file with an image extension",
        ),
        (&["serve", "--max-body", "much"], "--max-body"),
        (&["serve", "--max-body", "4EiB"], "at most 1.0 GiB"),
        (&["serve", "--header-timeout", "0s"], "above 0"),
        (&["serve", "--body-timeout", "584542046090years"], "--body-timeout"),
        (&["health", "https://localhost"], "only http://"),
        (&["health", "http://localhost/?x"], "try http://localhost:8000"),
    ] {
        let ran = run(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(named), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn the_output_file_gets_the_results() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("out.csv");
    let ran = run([
        "classify".as_ref(),
        "-f".as_ref(),
        "csv".as_ref(),
        "-o".as_ref(),
        file.as_os_str(),
        LESION.as_ref(),
    ]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    assert_eq!(std::fs::read_to_string(&file).expect("the file").lines().count(), 2);
    let stdout = run(["classify", "-f", "csv", "-o", "-", LESION]);
    assert_eq!(stdout.stdout, std::fs::read_to_string(&file).expect("the file"));
    let nowhere = run(["classify", "-o", "no/such/folder/out.csv", LESION]);
    assert_eq!(nowhere.code, Some(4));
    assert!(nowhere.stderr.contains("--output no/such/folder/out.csv"), "{}", nowhere.stderr);
}

#[test]
fn control_characters_of_a_name_do_not_reach_the_terminal() {
    let ran = run(["classify", "a\u{1b}[31mb.jpg"]);
    assert!(!ran.stdout.contains('\u{1b}') && ran.stdout.contains("a\u{FFFD}[31mb.jpg"), "{}", ran.stdout);
}

/// With `SKINCLF_TEST_IMAGES` naming a folder of pictures called `CLASS_anything.jpg`.
#[test]
fn real_lesions_are_mostly_recognised() {
    let Ok(folder) = std::env::var("SKINCLF_TEST_IMAGES") else {
        eprintln!("skipped: SKINCLF_TEST_IMAGES names no folder");
        return;
    };
    let results = classify_json(&[&folder]);
    assert!(!results.is_empty(), "no images in {folder}");
    let right = results.iter().filter(|r| {
        let path = std::path::Path::new(r["path"].as_str().expect("a path"));
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        name.split('_').next() == r["class_name"].as_str()
    });
    let (right, all) = (right.count(), results.len());
    assert!(right * 28 >= all * 18, "{right} of {all} right");
}
