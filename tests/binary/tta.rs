//! `--tta`: the mean over the eight views of the square.

use image::imageops::{FilterType, crop_imm, resize};
use image::{DynamicImage, RgbImage};
use serde_json::Value;

use crate::support::{Server, classify_json, run, timeless};

const TOLERANCE: f64 = 1e-5;

/// A square of the network's size, so that its views are squares that the network sees as they are.
fn square() -> RgbImage {
    let picture = image::open("samples/lesion-2.jpg").expect("a sample").into_rgb8();
    let side = picture.width().min(picture.height());
    resize(&crop_imm(&picture, 40, 0, side, side).to_image(), 224, 224, FilterType::Triangle)
}

/// Turned by quarters, and the same mirrored.
fn views(square: RgbImage) -> Vec<DynamicImage> {
    let square = DynamicImage::ImageRgb8(square);
    let turned = |d: DynamicImage| [d.rotate90(), d.rotate180(), d.rotate270(), d];
    turned(square.fliph()).into_iter().chain(turned(square)).collect()
}

fn probabilities(result: &Value) -> Vec<f64> {
    let by_code = result["probabilities"].as_object().expect("an object");
    by_code.values().map(|p| p.as_f64().expect("a number")).collect()
}

#[track_caller]
fn assert_close(a: &[f64], b: &[f64]) {
    let off = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off <= TOLERANCE && a.len() == b.len(), "{a:?} and {b:?}");
}

#[test]
fn it_is_the_mean_over_the_eight_views_whichever_of_them_comes_in() {
    let folder = tempfile::tempdir().expect("a folder");
    for (n, view) in views(square()).iter().enumerate() {
        view.save(folder.path().join(format!("{n}.png"))).expect("a picture");
    }
    let folder = folder.path().to_str().expect("UTF-8");
    let single: Vec<_> = classify_json(&[folder]).iter().map(probabilities).collect();
    assert_eq!(single.len(), 8);
    for other in &single[1..] {
        let off = other.iter().zip(&single[0]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off > 100.0 * TOLERANCE, "the views are told apart, or this test could not fail: {off}");
    }
    let mean = |class: usize| single.iter().map(|p| p[class]).sum::<f64>() / 8.0;
    let mean: Vec<f64> = (0..single[0].len()).map(mean).collect();
    for averaged in classify_json(&["--tta", folder]) {
        assert_close(&probabilities(&averaged), &mean);
    }
}

#[test]
fn the_server_gives_the_same_when_asked() {
    let server = Server::start(&[]);
    let lesion = std::fs::read("samples/lesion-1.jpg").expect("a sample");
    let reply = server.post("/predict?tta=true", "image/jpeg", &lesion);
    let mut wanted = timeless(classify_json(&["--tta", "samples/lesion-1.jpg"]).remove(0));
    wanted.as_object_mut().expect("an object").remove("path");
    assert_eq!((reply.status, timeless(reply.json())), (200, wanted));
    let plain = timeless(server.post("/predict?tta=false", "image/jpeg", &lesion).json());
    assert_ne!(plain, timeless(reply.json()));
    assert_eq!(plain, timeless(server.post("/predict", "image/jpeg", &lesion).json()));
}

#[test]
fn maps_are_turned_back_before_they_are_averaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    // Heatmaps of a picture and of its quarter turn agree, turned back, only if the maps do.
    let square = DynamicImage::ImageRgb8(square());
    square.rotate90().save(path("turned.png")).expect("a picture");
    square.save(path("upright.png")).expect("a picture");
    let ran =
        run(["classify", "--tta", "--heatmap", &path("maps"), &path("upright.png"), &path("turned.png")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let [upright, turned] =
        ["maps/upright.png", "maps/turned.png"].map(|n| image::open(path(n)).expect("a PNG"));
    let (upright, turned) = (upright.rotate90().into_rgb8(), turned.into_rgb8());
    assert_ne!(upright, square.rotate90().into_rgb8(), "there is something to see");
    let off = upright.iter().zip(turned.iter()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(off.is_some_and(|off| off <= 1), "{off:?}");
}
