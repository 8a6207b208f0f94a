//! `--model`: what fits works, and what does not is named.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Ran, run};

const LESION: &str = "samples/lesion-3.jpg";

fn classify_with(model: &Path) -> Ran {
    run([
        "classify".as_ref(),
        "-f".as_ref(),
        "jsonl".as_ref(),
        "--model".as_ref(),
        model.as_os_str(),
        LESION.as_ref(),
    ])
}

fn made(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/binary/models").join(name)
}

/// The embedded pair in a folder, its spec changed.
fn changed(change: impl FnOnce(&mut Value)) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let onnx = folder.path().join("net.onnx");
    std::fs::copy("models/mobilenetv2.onnx", &onnx).expect("the model");
    let mut spec =
        serde_json::from_slice(&std::fs::read("models/mobilenetv2.json").expect("the spec")).expect("JSON");
    change(&mut spec);
    std::fs::write(folder.path().join("net.json"), spec.to_string()).expect("the spec is written");
    (folder, onnx)
}

#[test]
fn the_spec_decides_labels_temperature_and_groups() {
    let (_folder, onnx) = changed(|spec| {
        spec["name"] = json!("other");
        spec["temperature"] = json!(1000.0);
        spec["labels"][3]["code"] = json!("third");
    });
    let ran = classify_with(&onnx);
    let result: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    assert_eq!(result["model"]["name"], "other");
    let p = result["probabilities"]["third"].as_f64().expect("a number");
    assert!((p - 1.0 / 7.0).abs() < 0.01, "so hot that all classes are equal: {p}");
}

#[test]
fn labels_can_come_from_the_graph_itself() {
    let ran = classify_with(&made("channel-means.onnx"));
    let result: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    let p = |code: &str| result["probabilities"][code].as_f64().expect("a number");
    assert!(p("red") > p("green") && p("green") > p("blue"), "skin is reddish: {result}");
    assert_eq!(result["malignant_probability"], result["probabilities"]["red"]);
    assert_eq!(result["model"]["version"], "7");
}

#[test]
fn a_wrong_pair_is_named_with_what_is_wrong() {
    type Case = (fn(&mut Value), &'static str);
    let cases: [Case; 5] = [
        (|s| s["sha256"] = json!("00"), "SHA-256"),
        (|s| drop(s["labels"].as_array_mut().expect("labels").pop()), "has 6 labels"),
        (|s| s["input"]["shape"] = json!([1, 3, 160, 160]), "[1, 3, 224, 224]"),
        (|s| s["outputs"]["logits"] = json!("scores"), "it has logits, maps"),
        (|s| s["temperature"] = json!(-1), "temperature"),
    ];
    for (change, wanted) in cases {
        let (_folder, onnx) = changed(change);
        let ran = classify_with(&onnx);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{wanted}");
        assert!(ran.stderr.contains(wanted) && ran.stderr.contains("net."), "{wanted}: {}", ran.stderr);
    }
}

#[test]
fn what_is_no_usable_model_is_named() {
    for (model, wanted) in [
        (PathBuf::from("Cargo.toml"), "not an ONNX model"),
        (PathBuf::from("none.onnx"), "cannot be read"),
        (made("without-metadata.onnx"), "lacks \"labels\""),
        (made("unsupported-operator.onnx"), "operators that are not supported: NoSuchOperator"),
    ] {
        let ran = classify_with(&model);
        assert_eq!(ran.code, Some(1), "{model:?}");
        let name = model.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(ran.stderr.contains(wanted) && ran.stderr.contains(&name), "{}", ran.stderr);
    }
}
