//! `--coverage` and `?coverage=`: prediction sets.

use std::path::Path;

use serde_json::{Value, json};

use crate::schema::assert_valid;
use crate::support::{Ran, Server, classify_json, embedded_but, form, run, timeless};

const LESION: &str = "samples/lesion-1.jpg";
const MALIGNANT: [&str; 3] = ["akiec", "bcc", "mel"];

/// At 0.8 and at 0.9.
const THRESHOLDS: [(f64, f64); 2] = [(0.2, 0.3), (0.02, 0.05)];

/// A model with these thresholds, and the folder that holds it.
fn model() -> (tempfile::TempDir, String) {
    let [(malignant_80, benign_80), (malignant_90, benign_90)] = THRESHOLDS;
    let (folder, onnx) = embedded_but(|spec| {
        spec["conformal"] = json!({
            "coverages": [0.8, 0.9],
            "malignant": [malignant_80, malignant_90],
            "benign": [benign_80, benign_90],
        });
        // So that the predicted class need not be the most probable one.
        spec["decision"] = json!("balanced-argmax");
        spec["prior"] = json!([0.03, 0.05, 0.1, 0.01, 0.08, 0.71, 0.02]);
    });
    (folder, onnx.to_str().expect("UTF-8").to_owned())
}

/// The set that a result should have, from its probabilities.
fn wanted(result: &Value, (malignant, benign): (f64, f64)) -> Vec<String> {
    let probabilities = result["probabilities"].as_object().expect("an object");
    let p = |code: &String| probabilities[code].as_f64().expect("a number");
    let is_in = |code: &&String| {
        let threshold = if MALIGNANT.contains(&code.as_str()) { malignant } else { benign };
        p(code) >= threshold || result["class_name"] == code.as_str()
    };
    let mut set: Vec<String> = probabilities.keys().filter(is_in).cloned().collect();
    set.sort_by(|a, b| p(b).total_cmp(&p(a)));
    set
}

#[test]
fn a_set_has_what_reaches_its_threshold_and_the_predicted_class() {
    let (_folder, model) = model();
    let plain = classify_json(&["--model", &model, "samples"]);
    let mut sizes = Vec::new();
    for (coverage, thresholds) in [0.8, 0.9].into_iter().zip(THRESHOLDS) {
        let results = classify_json(&["--model", &model, "--coverage", &coverage.to_string(), "samples"]);
        assert_valid("classify", &results.clone().into());
        for (result, plain) in results.into_iter().zip(&plain).filter(|(result, _)| result["error"].is_null())
        {
            assert_eq!(result["prediction_set"], json!(wanted(&result, thresholds)), "{result}");
            assert_eq!(result["coverage"], coverage);
            sizes.push(result["prediction_set"].as_array().expect("a list").len());
            let mut rest = timeless(result);
            for key in ["prediction_set", "coverage"] {
                rest.as_object_mut().expect("an object").remove(key);
            }
            assert_eq!(rest, timeless(plain.clone()), "nothing else changes");
        }
    }
    assert!(sizes.contains(&1) && sizes.iter().any(|size| *size > 2), "there is something to see: {sizes:?}");
}

#[test]
fn views_are_averaged_first() {
    let (_folder, model) = model();
    for result in
        classify_json(&["--model", &model, "--coverage", "0.9", "--tta", "samples/lesion-3.jpg", LESION])
    {
        assert_eq!(result["prediction_set"], json!(wanted(&result, THRESHOLDS[1])), "{result}");
    }
}

fn rows(ran: &Ran) -> Vec<Vec<String>> {
    ran.stdout.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn csv_and_the_table_have_them_and_isic_has_not() {
    let (_folder, model) = model();
    let images = ["samples/lesion-3.jpg", LESION, "none.jpg"];
    let args = |format: &str| {
        let flags =
            ["classify", "-q", "-f", format, "--model", &model, "--coverage", "0.9"].map(str::to_owned);
        flags.into_iter().chain(images.map(str::to_owned))
    };
    let results = classify_json(&[&["--model", &model, "--coverage", "0.9"], &images[..2]].concat());
    let csv = rows(&run(args("csv")));
    let columns = ["reasons", "prediction_set", "coverage", "error_code", "error_message"];
    assert_eq!(csv[0][csv[0].len() - 5..], columns);
    let codes = |result: &Value| -> Vec<String> {
        let codes = result["prediction_set"].as_array().expect("a list");
        codes.iter().map(|code| code.as_str().expect("a code").to_owned()).collect()
    };
    for (row, result) in csv[1..].iter().zip(&results) {
        assert_eq!(row[row.len() - 4..], [codes(result).join(" ").as_str(), "0.9", "", ""]);
    }
    assert_eq!(csv[3][csv[3].len() - 4..csv[3].len() - 1], ["", "", "read_failed"]);

    let table = run(args("table")).stdout;
    assert!(table.contains("could also be (90 %)"), "{table}");
    assert!(table.contains("\ncould also be: for 90 % of malignant and of benign lesions"), "{table}");
    for (result, image) in results.iter().zip(images) {
        let row = table.lines().find(|line| line.contains(image)).expect("a row");
        let others: Vec<_> =
            codes(result).into_iter().filter(|code| result["class_name"] != code.as_str()).collect();
        let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
        assert!(row.trim_end_matches(['│', ' ']).ends_with(&others), "{others}: {row}");
    }
    let isic = |flags: &[&str]| {
        run(["classify", "-q", "-f", "isic", "--model", &model, LESION].iter().chain(flags)).stdout
    };
    assert_eq!(isic(&["--coverage", "0.9"]), isic(&[]));
}

#[test]
fn a_coverage_that_the_model_has_not_is_an_error() {
    let (_folder, model) = model();
    let (_folder, without) = embedded_but(|_| ());
    for (args, code, said) in [
        (
            &["--model", &model, "--coverage", "0.85"][..],
            4,
            "error: --coverage 0.85: the model has thresholds for 0.8 and 0.9\n",
        ),
        (
            &["--model", without.to_str().expect("UTF-8"), "--coverage", "0.9"],
            4,
            "error: --coverage 0.9: the model mobilenetv2-ham10000 has no thresholds for prediction sets (conformal in its \
             spec); use another model or leave the coverage out\n",
        ),
        (&["--coverage", "90"], 2, "must be a share above 0 and below 1, for example 0.9"),
        (&["--coverage", "0"], 2, "must be a share"),
        (&["--coverage", "nan"], 2, "must be a share"),
    ] {
        let ran = run(["classify", LESION].iter().chain(args));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn the_server_gives_the_same_when_asked() {
    let (_folder, model) = model();
    let server = Server::start(&["--model", &model]);
    let lesion = std::fs::read(LESION).expect("a sample");
    let mut wanted = timeless(classify_json(&["--model", &model, "--coverage", "0.9", LESION]).remove(0));
    wanted.as_object_mut().expect("an object").remove("path");
    let reply = server.post("/predict?coverage=0.9", "image/jpeg", &lesion);
    assert_eq!((reply.status, timeless(reply.json())), (200, wanted.clone()));
    assert_eq!(server.post("/predict", "image/jpeg", &lesion).json().get("prediction_set"), None);

    let (content_type, body) = form(&[("files", "a.jpg", &lesion), ("files", "b", b"text")]);
    let batch = server.post("/predict/batch?tta=false&coverage=0.9", &content_type, &body).json();
    assert_valid("batch", &batch);
    assert_eq!(batch["predictions"][0]["prediction_set"], wanted["prediction_set"]);

    let refused = server.post("/predict?coverage=0.85", "image/jpeg", &lesion);
    let detail = "the query parameter coverage is \"0.85\"; the model has thresholds for 0.8 and 0.9";
    assert_eq!((refused.status, refused.json()), (400, json!({ "detail": detail, "code": "bad_query" })));
    let api = server.get("/openapi.json").json();
    assert_eq!(
        api["components"]["parameters"]["Coverage"]["schema"],
        json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "examples": [0.8, 0.9] })
    );
    assert!(server.get("/").text.contains("data-coverage=\"0.9\""), "the page asks for it");

    let (_folder, without) = embedded_but(|_| ());
    let server = Server::start(&["--model", without.to_str().expect("UTF-8")]);
    let refused = server.post("/predict?coverage=0.9", "image/jpeg", &lesion);
    assert!(
        refused.status == 400 && refused.text.contains("has no thresholds for prediction sets"),
        "{}",
        refused.text
    );
    assert!(server.get("/").text.contains("data-coverage=\"\""));
}

/// Coverage and mean size of the sets of some images: whether each set has the true class, and its size.
fn figures(sets: &[(bool, usize)]) -> Value {
    let mean = |sum: usize| (!sets.is_empty()).then(|| sum as f64 / sets.len() as f64);
    let covered = sets.iter().filter(|set| set.0).count();
    json!({ "coverage": mean(covered), "mean_set_size": mean(sets.iter().map(|set| set.1).sum()) })
}

fn values(of: &Value) -> Value {
    json!({ "coverage": of["coverage"]["value"], "mean_set_size": of["mean_set_size"]["value"] })
}

#[test]
fn sets_are_evaluated_against_labels() {
    let (folder, model) = model();
    let page = folder.path().join("scores.html");
    let page_name = page.to_str().expect("UTF-8");
    let args = ["--model", &model, "--coverage", "0.8"];
    let ran =
        run(["classify", "-f", "json", "--truth", "samples/labels.csv", "--report", page_name, "samples"]
            .iter()
            .chain(&args));
    let scores: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    assert_valid("scores", &scores);

    let labels = std::fs::read_to_string("samples/labels.csv").expect("labels");
    let truth = |result: &Value| -> String {
        let path = Path::new(result["path"].as_str().expect("a path")).file_stem().expect("a name").to_str();
        let row = labels.lines().find(|line| line.split(',').next() == path).expect("a label");
        row.split(',').nth(1).expect("a class").to_owned()
    };
    let mut groups = [Vec::new(), Vec::new()];
    for result in
        classify_json(&[&args[..], &["samples"]].concat()).iter().filter(|result| result["error"].is_null())
    {
        let (truth, set) = (truth(result), result["prediction_set"].as_array().expect("a list"));
        let malignant = MALIGNANT.contains(&truth.as_str());
        groups[usize::from(malignant)].push((set.contains(&json!(truth)), set.len()));
    }
    let [benign, malignant] = groups;
    assert_eq!(values(&scores["metrics"]), figures(&[&benign[..], &malignant].concat()));
    let sets = &scores["prediction_sets"];
    assert_eq!(
        (&sets["coverage"], values(&sets["malignant"]), values(&sets["benign"])),
        (&json!(0.8), figures(&malignant), figures(&benign))
    );

    let shown = format!("{:.3}", sets["benign"]["mean_set_size"]["value"].as_f64().expect("a number"));
    let table = run(["classify", "--truth", "samples/labels.csv", "samples"].iter().chain(&args)).stdout;
    assert!(table.contains("\nPrediction sets at 80 % coverage:\n"), "{table}");
    let row = table.lines().find(|line| line.contains("mean number of classes, benign")).expect("a row");
    assert!(row.contains(&shown), "{shown}: {row}");
    let page = std::fs::read_to_string(&page).expect("a page");
    assert!(page.contains("<h2>Prediction sets at 80 % coverage</h2>"));
    assert!(page.contains(&format!("mean number of classes, benign</th><td>{shown}</td>")), "{shown}");

    let without = run(["classify", "-f", "json", "--truth", "samples/labels.csv", "samples"]);
    let without: Value = serde_json::from_str(&without.stdout).expect("scores");
    assert_eq!((&without["prediction_sets"], without["metrics"].get("coverage")), (&Value::Null, None));
}

/// The error rates are those of the results that are left when the least confident ones are taken away.
#[test]
fn the_least_confident_are_left_out_first() {
    let ran = run(["classify", "-f", "json", "--truth", "samples/labels.csv", "samples"]);
    let scores: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    let results = classify_json(&["samples"]);
    let mut confidences: Vec<f64> =
        results.iter().filter_map(|result| result["confidence"].as_f64()).collect();
    confidences.sort_by(|a, b| b.total_cmp(a));
    let rows = scores["risk_coverage"].as_array().expect("rows");
    let kept: Vec<_> = rows.iter().map(|row| row["kept"].as_f64().expect("a share")).collect();
    assert_eq!(kept, [1.0, 0.95, 0.9, 0.8, 0.7, 0.5]);
    let accuracy = scores["metrics"]["accuracy"]["value"].as_f64().expect("a number");
    let all = rows[0]["error_rate"]["value"].as_f64().expect("a number");
    assert!((all - (1.0 - accuracy)).abs() < 1e-12, "{all} and {accuracy}");
    for (row, kept) in rows.iter().zip(kept) {
        let last = (kept * confidences.len() as f64).ceil() as usize - 1;
        assert_eq!(row["confidence"], confidences[last]);
    }
    let table = run(["classify", "--truth", "samples/labels.csv", "samples"]).stdout;
    for (row, share) in rows.iter().zip(["100 %", "95 %", "90 %", "80 %", "70 %", "50 %"]) {
        let name = format!(
            "{share}, confidence at least {:.1} %",
            100.0 * row["confidence"].as_f64().expect("a number")
        );
        let line =
            table.lines().find(|line| line.contains(&name)).unwrap_or_else(|| panic!("no {name}: {table}"));
        assert!(
            line.contains(&format!("{:.3}", row["error_rate"]["value"].as_f64().expect("a number"))),
            "{line}"
        );
    }
}
