//! `skinclf classify --truth`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::schema::assert_valid;
use crate::support::{Ran, classify_json, embedded_but, run, run_with_input, send, skinclf};

const LABELS: &str = "samples/labels.csv";
const TRUNCATED: &str = "samples/broken/truncated.jpg";
const CODES: [&str; 7] = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"];

/// A labels file that ends with the test.
struct Labels {
    folder: TempDir,
    path: PathBuf,
}

impl Labels {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("labels.csv");
        std::fs::write(&path, text).expect("a file");
        Self { folder, path }
    }

    fn score(&self, args: &[&str]) -> Ran {
        score(self.path.to_str().expect("UTF-8"), args)
    }
}

fn score(labels: &str, args: &[&str]) -> Ran {
    run(["classify", "--truth", labels].iter().chain(args))
}

fn scores(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|e| panic!("{e}: {:?}; stderr: {}", ran.stdout, ran.stderr))
}

/// Image and label of the samples' labels file.
fn truths() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(LABELS).expect(LABELS);
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.map(|row| (row[0].to_owned(), row[1].to_owned())).collect()
}

/// Titles and keys of what is said of all classes together.
const OVERALL: [(&str, &str); 11] = [
    ("accuracy", "accuracy"),
    ("balanced accuracy", "balanced_accuracy"),
    ("AUROC, mean of classes", "macro_auroc"),
    ("AUROC, melanoma", "melanoma_auroc"),
    ("AUROC, malignant", "malignant_auroc"),
    ("sensitivity, malignant, at 80 % specificity", "sensitivity_at_80_specificity"),
    ("sensitivity, malignant, at 90 % specificity", "sensitivity_at_90_specificity"),
    ("sensitivity, malignant, at 95 % specificity", "sensitivity_at_95_specificity"),
    ("calibration error (ECE)", "ece"),
    ("Brier score", "brier"),
    ("area under risk-coverage curve (AURC)", "aurc"),
];

/// The same of the embedded model's own threshold.
const AT_THRESHOLD: [(&str, &str); 2] = [
    ("sensitivity, malignant, flagged (at least 5.3 %)", "sensitivity"),
    ("specificity, malignant, flagged (at least 5.3 %)", "specificity"),
];

/// The sentence with its counts.
fn flagged(scores: &Value) -> String {
    let at = &scores["at_threshold"];
    format!(
        "Flagged (malignant probability at least 5.3 %): {} of {} malignant images and {} of {} benign ones.",
        at["malignant_flagged"], at["malignant"], at["benign_flagged"], at["benign"]
    )
}

/// The same of each class.
const PER_CLASS: ([&str; 5], [&str; 5]) = (
    ["recall", "precision", "specificity", "F1", "AUROC"],
    ["recall", "precision", "specificity", "f1", "auroc"],
);

/// A figure and its interval as people see them.
fn shown(estimate: &Value) -> [String; 2] {
    let number = |value: &Value| value.as_f64().map(|value| format!("{value:.3}"));
    let interval = number(&estimate["ci95"][0]).zip(number(&estimate["ci95"][1]));
    let interval = interval.map(|(low, high)| format!("{low}–{high}"));
    [number(&estimate["value"]), interval].map(|text| text.unwrap_or("-".to_owned()))
}

/// The cells of a table's line that are not empty: between two there are spaces, and more than one.
fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('│').split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn scores_follow_from_the_results_of_the_images() {
    let ran = score(LABELS, &["-f", "json", "samples"]);
    assert_eq!(ran.code, Some(1), "one sample is broken: {}", ran.stderr);
    assert_eq!(
        ran.stderr,
        format!("error: {TRUNCATED}: truncated image: the file ends before the image is complete\n")
    );
    let scores = scores(&ran);
    assert_valid("scores", &scores);

    let mut confusion = vec![vec![0_u64; 7]; 7];
    let mut squares = 0.0;
    let mut unusable = 0;
    // Of images, and of those flagged: benign, malignant.
    let mut flags = [[0_u64; 2]; 2];
    let results = classify_json(&["samples"]);
    for result in results.iter().filter(|r| r["error"].is_null()) {
        let path = PathBuf::from(result["path"].as_str().expect("a path"));
        let stem = path.file_stem().expect("a name").to_str().expect("UTF-8");
        let (_, truth) =
            truths().into_iter().find(|(image, _)| image == stem).expect("a label of each sample");
        let class = CODES.iter().position(|code| *code == truth).expect("a class");
        unusable += u64::from(result["usable"] == false);
        let of_group = &mut flags[usize::from(["akiec", "bcc", "mel"].contains(&&*truth))];
        of_group[0] += 1;
        of_group[1] += u64::from(result["flagged"] == true);
        confusion[class][result["predicted_class"].as_u64().expect("an index") as usize] += 1;
        for code in CODES {
            let p = result["probabilities"][code].as_f64().expect("a number");
            squares += (p - f64::from(code == truth)).powi(2);
        }
    }
    assert_eq!(scores["confusion"], json!(confusion));
    assert_eq!(scores["labels"], json!(CODES));
    assert_eq!((&scores["images"], &scores["lesions"], &scores["failed"]), (&json!(9), &json!(8), &json!(1)));
    assert_eq!(scores["unusable"], json!(unusable));
    let strict = score(LABELS, &["-f", "json", "--strict", "samples"]);
    let strict: Value = serde_json::from_str(&strict.stdout).expect("scores");
    assert!(unusable > 0, "a sample shows what this is about");
    assert_eq!((&strict["unusable"], &strict["failed"]), (&json!(0), &json!(unusable + 1)));
    let right: u64 = (0..7).map(|class| confusion[class][class]).sum();
    assert_eq!(scores["metrics"]["accuracy"]["value"], json!(right as f64 / 9.0));
    assert_eq!(scores["interrupted"], false);
    let brier = scores["metrics"]["brier"]["value"].as_f64().expect("a number");
    assert!((brier - squares / 9.0).abs() < 1e-6, "{brier} {}", squares / 9.0);
    for (class, code) in CODES.iter().enumerate() {
        let of_class = &scores["per_class"][code];
        let n: u64 = confusion[class].iter().sum();
        assert_eq!(of_class["n"], n);
        assert_eq!(of_class["recall"]["value"].is_null(), n == 0);
    }
    assert_eq!(scores["model"], results[0]["model"]);
    let at = &scores["at_threshold"];
    let counted = ["benign", "benign_flagged", "malignant", "malignant_flagged"].map(|key| at[key].as_u64());
    let [[benign, false_alarms], [malignant, found]] = flags;
    assert_eq!(counted, [benign, false_alarms, malignant, found].map(Some));
    assert_eq!(at["sensitivity"]["value"], json!(found as f64 / malignant as f64));
    assert_eq!(at["specificity"]["value"], json!((benign - false_alarms) as f64 / benign as f64));
    let spec: Value =
        serde_json::from_slice(&std::fs::read("models/mobilenetv2.json").expect("the spec")).expect("JSON");
    assert_eq!(at["threshold"], spec["malignancy_threshold"]);
}

#[test]
fn a_model_without_a_threshold_has_no_figures_at_it() {
    let (_folder, model) = embedded_but(|_| ());
    let model = model.to_str().expect("UTF-8");
    let scores = scores(&score(LABELS, &["-f", "json", "--model", model, "samples"]));
    assert_valid("scores", &scores);
    assert_eq!(scores["at_threshold"], Value::Null);
    let table = score(LABELS, &["--model", model, "samples"]).stdout;
    assert!(table.contains("at 80 % specificity") && !table.to_lowercase().contains("flagged"), "{table}");
}

#[test]
fn threads_and_repetition_change_nothing() {
    let once = score(LABELS, &["-f", "json", "-j", "1", "samples"]).stdout;
    assert_eq!(score(LABELS, &["-f", "json", "-j", "4", "samples"]).stdout, once);
}

#[test]
fn isic_columns_score_as_names_of_classes_do() {
    let mut one_hot = "VASC,NV,MEL,image,BCC,AKIEC,DF,BKL\n".to_owned();
    let mut names = "image_id,age,dx\n".to_owned();
    for (image, truth) in truths() {
        let of = |code: &str| if code.eq_ignore_ascii_case(&truth) { "1.0" } else { "0.0" };
        let cells = ["VASC", "NV", "MEL", "", "BCC", "AKIEC", "DF", "BKL"];
        let cells = cells.map(|code| if code.is_empty() { image.clone() } else { of(code).to_owned() });
        one_hot += &format!("{}\n", cells.join(","));
        names += &format!("folder/{image}.JPG,70,{}\n", truth.to_uppercase());
    }
    let of = |text: &str| scores(&Labels::new(text).score(&["-f", "json", "-q", "samples"]));
    let (one_hot, names) = (of(&one_hot), of(&names));
    assert_eq!(one_hot, names);
    assert_eq!((&names["images"], &names["lesions"]), (&json!(9), &Value::Null));
}

#[test]
fn what_is_not_scored_is_named_and_counted() {
    let labels = Labels::new(
        "image,dx\nlesion-1,nv\nlesion-2,scc\nabsent-1,nv\nabsent-2,nv\nabsent-3,nv\nabsent-4,nv\n",
    );
    let images = ["samples/lesion-1.jpg", "samples/lesion-2.jpg", "samples/gray.jpg", "samples/lesion-1.jpg"];
    let ran = labels.score(&[&["-f", "json"], &images[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let file = labels.path.display();
    let warnings = format!(
        "warning: not scored, because the label in {file} is not a class of this model (akiec, bcc, bkl, df, mel, nv, vasc): lesion-2 (scc)\n\
         warning: not scored, because there is no label in {file}: samples/gray.jpg\n\
         warning: not scored, because an earlier image has the same name: samples/lesion-1.jpg\n\
         warning: labels in {file} without an image: absent-1, absent-2, absent-3 and 1 more\n"
    );
    assert_eq!(ran.stderr, warnings);
    let scores = scores(&ran);
    assert_valid("scores", &scores);
    let counts = ["images", "unlabelled", "unknown_label", "repeated", "labels_without_image", "failed"];
    assert_eq!(counts.map(|key| scores[key].as_u64()), [1, 1, 1, 1, 4, 0].map(Some));
    assert_eq!(scores["metrics"]["accuracy"]["ci95"], Value::Null, "one image has no interval");
    let quiet = labels.score(&[&["-q"], &images[..]].concat());
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
}

#[test]
fn tables_hold_the_numbers_of_the_json() {
    let scores = scores(&score(LABELS, &["-f", "json", "samples"]));
    let table = score(LABELS, &["samples"]).stdout;
    let unusable = &scores["unusable"];
    let summary = format!(
        "9 images of 8 lesions scored against samples/labels.csv, {unusable} of them not usable; 1 failed\n"
    );
    assert!(table.starts_with(&summary), "{table}");
    let rows: Vec<Vec<&str>> = table.lines().filter(|line| line.starts_with('│')).map(cells).collect();
    for (title, key) in OVERALL {
        let row = rows.iter().find(|row| row[0] == title).unwrap_or_else(|| panic!("no {title}: {table}"));
        assert_eq!(row[1..], shown(&scores["metrics"][key]), "{title}");
    }
    for (title, key) in AT_THRESHOLD {
        let row = rows.iter().find(|row| row[0] == title).unwrap_or_else(|| panic!("no {title}: {table}"));
        assert_eq!(row[1..], shown(&scores["at_threshold"][key]), "{title}");
    }
    assert!(table.contains(&flagged(&scores)), "{table}");
    let (titles, keys) = PER_CLASS;
    let header = rows.iter().position(|row| row[0] == "class").expect("a header");
    assert_eq!(rows[header][1..], [&["n"], &titles[..]].concat());
    for (code, of_class) in scores["per_class"].as_object().expect("an object") {
        let at = header + 1 + rows[header + 1..].iter().position(|row| row[0] == code).expect("a row");
        let figures = keys.map(|key| shown(&of_class[key]));
        let values = figures.iter().map(|[value, _]| value.as_str());
        assert_eq!(
            rows[at][1..],
            [of_class["n"].to_string().as_str()].into_iter().chain(values).collect::<Vec<_>>()
        );
        let intervals = figures.iter().map(|[_, interval]| interval).filter(|interval| *interval != "-");
        assert_eq!(rows[at + 1], intervals.collect::<Vec<_>>(), "below {code}");
    }
    let row = rows.iter().rfind(|row| row[0] == "nv").expect("a row of the confusion matrix");
    let counts: Vec<u64> = row[1..].iter().map(|cell| cell.parse().expect("a count")).collect();
    assert_eq!(json!(counts), scores["confusion"][5]);
    assert_eq!(table.matches("not a diagnosis").count(), 1);
    assert!(!table.contains("lesion-1.jpg") && !table.contains('\u{1b}'), "{table}");
}

#[test]
fn the_report_needs_nothing_else_and_has_the_numbers_of_the_json() {
    let labels = Labels::new(&std::fs::read_to_string(LABELS).expect(LABELS));
    let page = labels.folder.path().join("scores.html");
    let hostile = labels.folder.path().join("<img src=x>.csv");
    std::fs::rename(&labels.path, &hostile).expect("a file to rename");
    let [page_name, hostile] = [&page, &hostile].map(|p| p.to_str().expect("UTF-8"));
    let ran = score(hostile, &["-f", "json", "--report", page_name, "samples"]);
    let scores = scores(&ran);
    let html = std::fs::read_to_string(&page).expect("a page");
    for foreign in ["http:", "https:", "<script", "<img", "<link rel=\"stylesheet", "url(", "@import", "NaN"]
    {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert!(html.contains("&lt;img src=x&gt;.csv"));
    assert!(html.contains("images that could not be classified: 1<"));
    // Row by row, as in the table.
    for (title, key) in OVERALL {
        let [value, interval] = shown(&scores["metrics"][key]);
        let row = format!("<th scope=\"row\">{title}</th><td>{value}</td><td>{interval}</td>");
        assert!(html.contains(&row), "{row}");
    }
    for (title, key) in AT_THRESHOLD {
        let [value, interval] = shown(&scores["at_threshold"][key]);
        let row = format!("<th scope=\"row\">{title}</th><td>{value}</td><td>{interval}</td>");
        assert!(html.contains(&row), "{row}");
    }
    assert!(html.contains(&flagged(&scores)));
    for (code, of_class) in scores["per_class"].as_object().expect("an object") {
        let cells = PER_CLASS.1.map(|key| match shown(&of_class[key]) {
            [value, interval] if interval == "-" => format!("<td>{value}</td>"),
            [value, interval] => format!("<td>{value}<div class=\"interval\">{interval}</div></td>"),
        });
        let row = format!(" ({code})</th><td>{}</td>{}</tr>", of_class["n"], cells.concat());
        assert!(html.contains(&row), "{row}");
    }
    assert_eq!(html.matches("<svg").count(), 3);
    assert!(html.ends_with("</html>"));
}

#[test]
fn wrong_usage_is_status_2_and_names_the_flag() {
    for (args, named) in [
        (&["--truth", LABELS, "-f", "csv"][..], "--truth"),
        (&["--truth", LABELS, "-f", "jsonl"], "--truth"),
        (&["--truth", LABELS, "-f", "isic"], "--truth"),
        (&["--truth", LABELS, "-k", "2"], "--top-k"),
        (&["--report", "scores.html"], "--truth"),
        (&["--truth", LABELS, "--report", "scores.md"], "FILE.html"),
        (&["--truth", LABELS, "--report", LABELS], "FILE.html"),
        (&["--truth", LABELS, "--report", "-"], "FILE.html"),
        (&["--truth", LABELS, "-o", LABELS], "is also read"),
        (&["--truth", LABELS, "-o", "samples/../samples/labels.csv"], "is also read"),
        (&["--truth", LABELS, "-o", "same.html", "--report", "same.html"], "the same file"),
        (&["--truth", LABELS, "-o", "same.HTM", "--report", "same.HTM"], "the same file"),
        (&["--truth", "-", "-"], "only once"),
    ] {
        let ran = run(["classify", "samples"].iter().chain(args));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(named), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("skinclf classify"), "the usage of this command: {}", ran.stderr);
    }
    assert_eq!(truths().len(), 9, "labels are left alone");
}

#[test]
fn a_run_that_comes_to_nothing_leaves_files_as_they_were() {
    let labels = Labels::new("image,dx\nother,nv\n");
    let [results, page] = ["results.json", "page.html"].map(|name| labels.folder.path().join(name));
    let of = |path: &PathBuf| path.to_str().expect("UTF-8").to_owned();
    let flags = ["-o", &of(&results), "--report", &of(&page), "-f", "json", "samples/gray.jpg"];
    for file in [&results, &page] {
        std::fs::write(file, "of an earlier run, and longer than nothing").expect("a file");
    }
    assert_eq!(labels.score(&flags).code, Some(4));
    for file in [&results, &page] {
        assert!(std::fs::read_to_string(file).expect("text").starts_with("of an earlier run"), "{file:?}");
    }
    std::fs::write(&labels.path, "image,dx\ngray,nv\n").expect("labels");
    let ran = labels.score(&flags);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let scores: Value = serde_json::from_slice(&std::fs::read(&results).expect("a file")).expect("only JSON");
    assert_eq!(scores["images"], 1);
    assert!(std::fs::read_to_string(&page).expect("a page").starts_with("<!DOCTYPE html>"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_that_cannot_be_written_costs_no_scores() {
    let ran = score(LABELS, &["-f", "json", "-q", "--report", "/dev/full", "samples/lesion-1.jpg"]);
    assert_eq!(ran.code, Some(4));
    assert!(ran.stderr.contains("--report /dev/full"), "{}", ran.stderr);
    assert_eq!(scores(&ran)["images"], 1);

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scores.json");
    let output = file.to_str().expect("UTF-8");
    let args = ["-f", "json", "-q", "-o", output, "--report", "/dev/full", "samples/lesion-1.jpg"];
    assert_eq!(score(LABELS, &args).code, Some(4));
    let written = std::fs::read(&file).expect("the scores");
    let written: Value = serde_json::from_slice(&written).expect("JSON");
    assert_eq!(written["images"], 1);
}

#[test]
fn labels_can_come_from_standard_input() {
    let labels = std::fs::read(LABELS).expect(LABELS);
    let ran =
        run_with_input(["classify", "--truth", "-", "-f", "json", "-q", "samples/lesion-1.jpg"], &labels);
    assert_eq!((ran.code, &scores(&ran)["images"]), (Some(0), &json!(1)), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn names_of_files_do_not_steer_the_terminal() {
    let labels = Labels::new("image,dx\nother,nv\n");
    let picture = labels.folder.path().join("a\u{1b}[31m\n.jpg");
    std::fs::write(&picture, "no picture").expect("a file");
    let ran = labels.score(&[picture.to_str().expect("UTF-8")]);
    assert!(ran.stderr.contains("a\u{fffd}[31m\u{fffd}.jpg: not an image"), "{}", ran.stderr);
}

#[test]
fn errors_name_the_file_and_what_to_do() {
    let cases = [
        ("image,dx\nother,nv\n", "has no usable label for any of the 1 classified images"),
        ("image,dx\nother,nv\n", "Images: samples/gray.jpg. Labels: other"),
        ("image,dx\n", "Labels: none"),
        ("image,dx\ngray,scc\n", "no label of a classified image is a class of this model"),
        ("image,dx\na,nv\na,mel\n", "line 3: a is labelled mel here and nv in an earlier row"),
        ("a,b\nc,d\n", "needs a header with the columns image (or image_id) and dx"),
        ("image,dx\na\n", "line: 2"),
    ];
    for (text, named) in cases {
        let labels = Labels::new(text);
        let ran = labels.score(&["-q", "samples/gray.jpg"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{text:?}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(&format!("error: --truth {}: ", labels.path.display())),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains(named), "{text:?}: {}", ran.stderr);
    }
    let missing = score("no/labels.csv", &["samples"]);
    assert_eq!(missing.code, Some(4));
    assert!(missing.stderr.contains("--truth no/labels.csv: cannot be read"), "{}", missing.stderr);
    let broken = score(LABELS, &[TRUNCATED]);
    assert_eq!((broken.code, broken.stdout.as_str()), (Some(4), ""));
    assert!(broken.stderr.contains("no image could be classified"), "{}", broken.stderr);
    // Said before the run: the broken image was not come to.
    let nowhere = score(LABELS, &["--report", "no/such/folder/scores.html", TRUNCATED]);
    assert_eq!((nowhere.code, nowhere.stdout.as_str()), (Some(4), ""));
    assert!(nowhere.stderr.starts_with("error: --report no/such/folder/scores.html: "), "{}", nowhere.stderr);
}

#[test]
fn an_interruption_scores_what_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("scores.html");
    let mut child = skinclf()
        .args(["classify", "--report", page.to_str().expect("UTF-8")])
        .args(["--truth", LABELS, "-f", "json", "samples/gray.jpg", "none.jpg", "--files-from", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // Its list stays open, so that it cannot end by itself.
    let _list = child.stdin.take().expect("a pipe");
    let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    errors.read_line(&mut line).expect("UTF-8");
    assert!(line.starts_with("error: none.jpg: "), "{line}");
    send(&child, "INT");
    let mut text = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut text).expect("UTF-8");
    let scores: Value = serde_json::from_str(&text).expect("a whole object");
    assert_eq!((&scores["images"], &scores["failed"]), (&json!(1), &json!(1)));
    assert_eq!((&scores["interrupted"], &scores["labels_without_image"]), (&json!(true), &json!(8)));
    assert_valid("scores", &scores);
    let mut rest = String::new();
    errors.read_to_string(&mut rest).expect("UTF-8");
    let said = "warning: labels in samples/labels.csv whose images were not reached: 8\ninterrupted: the results are incomplete\n";
    assert_eq!(rest, said, "labels that were not come to are not missing");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains("<strong>Interrupted</strong>"), "{page}");
    let summary = "interrupted: 1 image of 1 lesion scored against samples/labels.csv";
    assert!(page.contains(summary) && page.contains("1 failed, 8 of the labels not reached"), "{page}");
    assert!(page.contains("labels that were not reached: 8<"), "{page}");
}
