//! `docs/output-schema.json` and `docs/load-schema.json` describe what is really printed and answered.

use serde_json::{Value, json};

use crate::support::{Server, classify_json, embedded_but, run};

/// A validator of one definition of the schema.
fn definition(name: &str) -> jsonschema::Validator {
    let text = std::fs::read_to_string("docs/output-schema.json").expect("the schema");
    let mut schema: Value = serde_json::from_str(&text).expect("JSON");
    schema.as_object_mut().expect("an object").remove("oneOf");
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    jsonschema::validator_for(&schema).expect("a valid schema")
}

#[track_caller]
pub(crate) fn assert_valid(name: &str, value: &Value) {
    let errors: Vec<_> =
        definition(name).iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}");
}

#[test]
fn classify_fits() {
    let results = classify_json(&["samples", "README.md", "none.jpg", "-k", "2"]);
    assert!(results.iter().any(|r| r["error"].is_object()));
    assert_valid("classify", &results.into());

    let (folder, model) = embedded_but(|spec| {
        spec["malignancy_threshold"] = json!(0.1);
        spec["usable"] = json!({ "min_side": 400 });
        spec["conformal"] = json!({ "coverages": [0.9], "malignant": [0.1], "benign": [0.2] });
    });
    let maps = folder.path().join("maps");
    let [model, maps] = [&model, &maps].map(|path| path.to_str().expect("UTF-8"));
    let results =
        classify_json(&["samples", "--model", model, "--heatmap", maps, "--tta", "--coverage", "0.9"]);
    assert!(results.iter().any(|r| r["reasons"] == json!(["too_small"]) && r["flagged"].is_boolean()));
    assert_valid("classify", &results.into());
    let strict = classify_json(&["samples", "--model", model, "--strict"]);
    assert!(strict.iter().any(|r| r["error"]["code"] == "unusable"));
    assert_valid("classify", &strict.into());
}

#[test]
fn bench_fits() {
    let ran = run(["bench", "--iterations", "2", "--warmup", "0", "--threads", "1,2", "--format", "json"]);
    assert_valid("bench", &serde_json::from_str(&ran.stdout).expect("JSON"));
}

#[test]
fn answers_fit() {
    let server = Server::start(&[]);
    assert_valid("health", &server.get("/health").json());
    assert_valid("problem", &server.get("/nowhere").json());
    let lesion = std::fs::read("samples/lesion-1.jpg").expect("a sample");
    assert_valid("prediction", &server.post("/predict", "image/jpeg", &lesion).json());
    let drawn = server.post("/predict?heatmap=true", "image/jpeg", &lesion).json();
    assert!(drawn["heatmap"].is_string());
    assert_valid("prediction", &drawn);
    let (content_type, body) = crate::support::form(&[("files", "a.jpg", &lesion), ("files", "b", b"text")]);
    assert_valid("batch", &server.post("/predict/batch", &content_type, &body).json());
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let mut result = classify_json(&["samples/lesion-1.jpg"]).remove(0);
    result["confidence"] = json!(1.5);
    assert!(!definition("prediction").is_valid(&result));
    result["confidence"] = json!(0.5);
    assert!(definition("prediction").is_valid(&result));
    result["surprise"] = json!(1);
    assert!(!definition("prediction").is_valid(&result));
}

/// A validator of load tests.
fn load_test() -> jsonschema::Validator {
    let text = std::fs::read_to_string("docs/load-schema.json").expect("the schema");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    jsonschema::validator_for(&schema).expect("a valid schema")
}

#[track_caller]
pub(crate) fn assert_valid_load_test(report: &Value) {
    let errors: Vec<_> =
        load_test().iter_errors(report).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn load_tests_fit() {
    let validator = load_test();
    let server = Server::start(&[]);
    let runs: [&[&str]; 4] = [
        &["--users", "2", "--think", "0", "--duration", "1500ms", "--fail-if", "p95>1ms"],
        &["--rate", "30", "--arrival", "poisson", "--duration", "1s", "--no-check"],
        &["--sweep", "users=1,2", "--mix", "nowhere=1,health=1", "--think", "1ms", "--duration", "300ms"],
        &["--scenario", "light", "--duration", "1s"],
    ];
    for args in runs {
        let ran = run(["bench", "--url", &server.url, "--format", "json"].iter().chain(args));
        let mut report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_valid_load_test(&report);
        report["surprise"] = json!(1);
        assert!(!validator.is_valid(&report));
    }
    assert!(validator.is_valid(&saved_sweep()));
}

/// A sweep as it is printed again; one that is measured has a knee only where it lasts.
fn saved_sweep() -> Value {
    let fixture = std::fs::read_to_string("tests/load/fixtures/run.json").expect("a saved run");
    let mut one: Value = serde_json::from_str(&fixture).expect("JSON");
    let environment = one["environment"].take();
    for of_file in ["environment", "command"] {
        one.as_object_mut().expect("an object").remove(of_file);
    }
    let knee = json!({"left_out": [4], "users": 2, "rps": 1.0, "max_rps": 1.0, "reached": true, "predicted_users": 2.5});
    let sweep = json!({"runs": [one.clone(), one], "knee": knee, "command": "", "environment": environment});
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sweep.json");
    std::fs::write(&file, sweep.to_string()).expect("a file");
    let args = ["bench", "--from", file.to_str().expect("UTF-8"), "--format", "json"];
    serde_json::from_str(&run(args).stdout).expect("JSON")
}
