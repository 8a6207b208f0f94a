//! Pictures that are not usable, and what is said of them.

use std::path::Path;

use image::{Rgb, RgbImage, imageops};
use serde_json::{Value, json};

use crate::support::{Server, classify_json, embedded_but, form, run};

/// A model with limits, and pictures each of which breaks one: the folder that holds all of them.
fn limits() -> (tempfile::TempDir, String) {
    let (folder, onnx) = embedded_but(|spec| {
        spec["usable"] = json!({ "min_side": 200, "min_contrast": 4.0, "min_sharpness": 5.0 });
    });
    let lesion = image::open("samples/lesion-1.jpg").expect("a sample").into_rgb8();
    let save = |name: &str, picture: RgbImage| picture.save(folder.path().join(name)).expect("a picture");
    save("blank.png", RgbImage::from_pixel(300, 150, Rgb([210, 160, 150])));
    save("blurred.png", imageops::blur(&lesion, 12.0));
    save("sharp.png", lesion.clone());
    save("small.png", imageops::crop_imm(&lesion, 200, 100, 260, 199).to_image());
    (folder, onnx.to_str().expect("UTF-8").to_owned())
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().expect("UTF-8").to_owned()
}

#[test]
fn what_is_wrong_is_named_and_the_class_still_printed() {
    let (folder, model) = limits();
    let results = classify_json(&["--model", &model, folder.path().to_str().expect("UTF-8")]);
    let wanted = [json!(["blank"]), json!(["blurred"]), json!([]), json!(["too_small"])];
    for (result, reasons) in results.iter().zip(&wanted) {
        assert_eq!(&result["reasons"], reasons, "{result}");
        assert_eq!(result["usable"], *reasons == json!([]));
        assert!(result["class_name"].is_string());
    }
    assert_eq!(results.len(), wanted.len());
    assert_eq!(results[0]["quality"], json!({ "side": 150, "contrast": 0.0, "sharpness": 0.0 }));
    assert_eq!(results[3]["quality"]["side"], 199);

    let table = run(["classify", "--model", &model, folder.path().to_str().expect("UTF-8")]);
    assert_eq!(table.code, Some(0), "not usable is no failure");
    for words in ["not usable: blank ", "not usable: blurred ", "not usable: too small "] {
        assert_eq!(table.stdout.matches(words).count(), 1, "{words}: {}", table.stdout);
    }
    let csv =
        run(["classify", "-f", "csv", "--model", &model, folder.path().to_str().expect("UTF-8")]).stdout;
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let usable = rows[0].iter().position(|column| *column == "usable").expect("a column");
    assert_eq!(rows[0][usable..], ["usable", "reasons", "error_code", "error_message"]);
    let cells: Vec<_> = rows[1..].iter().map(|row| (row[usable], row[usable + 1])).collect();
    assert_eq!(cells, [("false", "blank"), ("false", "blurred"), ("true", ""), ("false", "too_small")]);
}

#[test]
fn the_side_is_that_of_the_file_however_it_is_decoded_and_turned() {
    let folder = tempfile::tempdir().expect("a folder");
    // Large enough to be decoded at half its size.
    let large = path(folder.path(), "large.jpg");
    RgbImage::from_fn(1500, 1400, |x, y| Rgb([x as u8, y as u8, 90])).save(&large).expect("a picture");
    let sides = classify_json(&[&large, "samples/exif-rotated.jpg"]);
    let sides: Vec<_> = sides.iter().map(|result| &result["quality"]["side"]).collect();
    assert_eq!(sides, [1400, 450]);
}

#[test]
fn strict_takes_them_for_errors() {
    let (folder, model) = limits();
    let [blurred, sharp] = ["blurred.png", "sharp.png"].map(|name| path(folder.path(), name));
    let ran = run(["classify", "--strict", "-f", "json", "--model", &model, &blurred, &sharp]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let results: Vec<Value> = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(results[0]["error"], json!({ "code": "unusable", "message": "not usable: blurred" }));
    assert_eq!(results[1]["usable"], true);
    let table = run(["classify", "--strict", "--model", &model, &blurred]);
    assert_eq!(table.code, Some(1));
    assert!(table.stdout.contains("error: not usable: blurred"), "{}", table.stdout);
}

#[test]
fn the_server_tells_counts_and_on_request_refuses_them() {
    let (folder, model) = limits();
    let server = Server::start(&["--model", &model]);
    let [blank, blurred] =
        ["blank.png", "blurred.png"].map(|n| std::fs::read(folder.path().join(n)).expect("a picture"));
    let told = server.post("/predict", "image/png", &blank);
    assert_eq!((told.status, &told.json()["reasons"]), (200, &json!(["blank"])));
    let refused = server.post("/predict?strict=true", "image/png", &blurred);
    assert_eq!((refused.status, refused.json()["code"].as_str()), (422, Some("unusable")));

    let (content_type, body) = form(&[("files", "a.png", &blank), ("files", "b.png", &blurred)]);
    let batch = server.post("/predict/batch?strict=true&tta=false", &content_type, &body).json();
    let codes: Vec<_> =
        batch["predictions"].as_array().expect("a list").iter().map(|p| &p["error"]["code"]).collect();
    assert_eq!(codes, ["unusable", "unusable"]);

    let metrics = server.get("/metrics").text;
    for (reason, count) in [("blank", 2), ("blurred", 2), ("too_small", 0), ("not_dermoscopy", 0)] {
        let line = format!("skinclf_unusable_total{{reason=\"{reason}\"}} {count}");
        assert!(metrics.lines().any(|l| l == line), "{line} is not in\n{metrics}");
    }
}
