//! `--model`: what fits works, and what does not is named.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Ran, classify_json, embedded_but, model_of, run};

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

#[test]
fn the_spec_decides_labels_temperature_and_groups() {
    let (_folder, onnx) = embedded_but(|spec| {
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
    let cases: [Case; 10] = [
        (|s| s["sha256"] = json!("00"), "SHA-256"),
        (|s| drop(s["labels"].as_array_mut().expect("labels").pop()), "has 6 labels"),
        (|s| s["input"]["shape"] = json!([1, 3, 160, 160]), "[1, 3, 224, 224]"),
        (|s| s["outputs"]["logits"] = json!("scores"), "it has logits, maps"),
        (|s| s["temperature"] = json!(-1), "temperature"),
        (|s| s["temprature"] = json!(2), "unknown field `temprature`"),
        (|s| s["input"]["layout"] = json!("NHWC"), "expected `NCHW`"),
        (|s| s["outputs"]["class_maps"] = json!("cells"), "\"cells\" (outputs.class_maps"),
        (|s| s["outputs"]["class_maps"] = json!("logits"), "must be [1, 7, N, N]"),
        (|s| s["outputs"]["dermoscopy"] = json!("logits"), "must be [1, 1]"),
    ];
    for (change, wanted) in cases {
        let (_folder, onnx) = embedded_but(change);
        let ran = classify_with(&onnx);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{wanted}");
        assert!(ran.stderr.contains(wanted) && ran.stderr.contains("net."), "{wanted}: {}", ran.stderr);
    }
}

#[test]
fn an_answer_that_is_no_number_is_an_error() {
    let (_folder, onnx) = embedded_but(|spec| spec["input"]["std"] = json!([2e-38, 2e-38, 2e-38]));
    let ran = classify_with(&onnx);
    let result: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    assert_eq!((ran.code, &result["error"]["code"]), (Some(1), &json!("internal")), "{result}");
    assert!(result["error"]["message"].as_str().expect("text").contains("input.std"), "{result}");
}

#[test]
fn the_files_of_the_model_are_never_written_over() {
    let (_folder, onnx) = embedded_but(|_| ());
    let [model, spec] =
        [onnx.clone(), onnx.with_extension("json")].map(|path| path.to_str().expect("UTF-8").to_owned());
    let before = std::fs::read(&spec).expect("the spec");
    for command in [&["classify", LESION][..], &["bench", "--iterations", "1"]] {
        for written in [&model, &spec] {
            let ran = run(command.iter().chain(&["--model", &model, "-o", written]));
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
            assert!(ran.stderr.contains("is also read"), "{}", ran.stderr);
        }
    }
    assert_eq!(std::fs::read(&spec).expect("the spec"), before);
}

#[test]
fn what_is_no_usable_model_is_named() {
    for (model, wanted) in [
        (PathBuf::from("Cargo.toml"), "not an ONNX model"),
        (PathBuf::from("none.onnx"), "cannot be read"),
        (made("without-metadata.onnx"), "lacks \"labels\""),
        (made("unsupported-operator.onnx"), "operators that are not supported: NoSuchOperator"),
        (made("output-of-nothing.onnx"), "the graph is malformed"),
    ] {
        let ran = classify_with(&model);
        assert_eq!(ran.code, Some(4), "{model:?}");
        let name = model.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(ran.stderr.contains(wanted) && ran.stderr.contains(&name), "{}", ran.stderr);
    }
}

#[test]
fn a_balanced_decision_names_what_stands_out_from_its_share_in_every_format() {
    let (_folder, onnx) = embedded_but(|_| ());
    let plain = classify_json(&["--model", onnx.to_str().expect("UTF-8"), LESION]).remove(0);
    let probabilities = plain["probabilities"].as_object().expect("an object");
    let by_probability = |a: &&String, b: &&String| {
        probabilities[*a].as_f64().partial_cmp(&probabilities[*b].as_f64()).expect("numbers")
    };
    let rarest = probabilities.keys().min_by(by_probability).expect("classes").as_str();
    let (_folder, onnx) = embedded_but(|spec| {
        // Each class is as common as it is probable, but this one only half as common.
        let share = |label: &Value| {
            let code = label["code"].as_str().expect("a code");
            let p = probabilities[code].as_f64().expect("a number");
            if code == rarest { p / 2.0 } else { p }
        };
        let shares: Vec<f64> = spec["labels"].as_array().expect("labels").iter().map(share).collect();
        let sum: f64 = shares.iter().sum();
        spec["prior"] = shares.into_iter().map(|share| share / sum).collect();
        spec["decision"] = json!("balanced-argmax");
    });
    let model = onnx.to_str().expect("UTF-8");

    let result = classify_json(&["--model", model, "-k", "2", LESION]).remove(0);
    assert_eq!(result["probabilities"], plain["probabilities"], "the decision changes no probability");
    assert_ne!(plain["class_name"], rarest);
    assert_eq!((&result["class_name"], &result["top_k"][0]["class_name"]), (&rarest.into(), &rarest.into()));
    assert_eq!(result["confidence"], plain["probabilities"][rarest]);
    assert_eq!(result["decision"], "balanced-argmax");
    let most = probabilities.keys().max_by(by_probability).expect("classes").as_str();
    assert_eq!((&result["most_probable"], &plain["most_probable"]), (&most.into(), &most.into()));

    let table = run(["classify", "--model", model, LESION]).stdout;
    assert!(table.contains(&format!("({rarest})")), "{table}");
    let isic = run(["classify", "-f", "isic", "--model", model, LESION]).stdout;
    let mut lines = isic.lines().map(|line| line.split(',').skip(1).collect::<Vec<_>>());
    let (header, row) = (lines.next().expect("a header"), lines.next().expect("a row"));
    let row: Vec<f64> = row.iter().map(|score| score.parse().expect("a number")).collect();
    assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{row:?}");
    let best = (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).expect("columns");
    assert_eq!(header[best].to_lowercase(), rarest);
    // Twice as far above its share as the others, which are all as far.
    let others = row.iter().enumerate().filter(|(column, _)| *column != best);
    for (column, score) in others {
        assert!((row[best] / score - 2.0).abs() < 1e-3, "{}: {row:?}", header[column]);
    }
}

#[test]
fn a_malignant_probability_at_the_threshold_is_flagged() {
    let (_folder, onnx) = embedded_but(|_| ());
    let plain = classify_json(&["--model", onnx.to_str().expect("UTF-8"), LESION]).remove(0);
    assert_eq!(plain.get("flagged"), None, "without a threshold nothing is said");
    let malignant = plain["malignant_probability"].as_f64().expect("a number");
    for (threshold, flagged) in [(malignant - 1e-3, true), (malignant + 1e-3, false)] {
        let (_folder, onnx) = embedded_but(|spec| spec["malignancy_threshold"] = json!(threshold));
        let model = onnx.to_str().expect("UTF-8");
        assert_eq!(classify_json(&["--model", model, LESION])[0]["flagged"], flagged);
        let table = run(["classify", "--model", model, LESION]).stdout;
        let cell = format!("{:.1} % flagged", malignant * 100.0);
        assert_eq!(table.contains(&cell), flagged, "{table}");
        let meaning = format!(
            "flagged: malignant probability is at least {:.1} %, the model's threshold\n",
            threshold * 100.0
        );
        assert_eq!(table.contains(&meaning), flagged, "{table}");
        let (_folder, onnx) = embedded_but(|spec| {
            spec["malignancy_threshold"] = json!(threshold);
            spec["malignancy_sensitivity"] = json!(0.9);
        });
        let shown = run(["classify".as_ref(), "--model".as_ref(), onnx.as_os_str(), LESION.as_ref()]).stdout;
        assert_eq!(shown.contains("catches 90 % of malignant lesions"), flagged, "{shown}");
        let csv = run(["classify", "-f", "csv", "--model", model, LESION]).stdout;
        assert!(csv.lines().nth(1).is_some_and(|row| row.contains(&format!(",{flagged},true,,,"))), "{csv}");
    }
}

#[test]
fn a_network_may_tell_what_is_no_dermoscopy() {
    let (folder, onnx) = model_of("channel-maps.onnx", |spec| {
        spec["outputs"] = json!({ "logits": "logits", "class_maps": "maps", "dermoscopy": "dermoscopy" });
        spec["usable"] = json!({ "min_dermoscopy": 0.5 });
    });
    for (gray, usable) in [(140, true), (110, false)] {
        let picture = folder.path().join("gray.png");
        image::RgbImage::from_pixel(40, 40, image::Rgb([gray; 3])).save(&picture).expect("a picture");
        let [onnx, picture] = [&onnx, &picture].map(|path| path.to_str().expect("UTF-8"));
        for tta in [None, Some("--tta")] {
            let args: Vec<_> = ["--model", onnx, picture].into_iter().chain(tta).collect();
            let result = classify_json(&args).remove(0);
            assert_eq!(result["usable"], usable, "{result}");
            assert_eq!(result["reasons"] == json!(["not_dermoscopy"]), !usable, "{result}");
            // The logit is the brightness as it comes in.
            let wanted = 1.0 / (1.0 + (-(f64::from(gray) - 127.5) / 12.75).exp());
            let told = result["quality"]["dermoscopy"].as_f64().expect("a number");
            assert!((told - wanted).abs() < 1e-5, "{told} instead of {wanted}");
        }
    }
}
