//! `--heatmap` and `?heatmap=true`: where the network found the class.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::json;

use crate::support::{Server, classify_json, model_of, run, run_with_input};

const LESION: &str = "samples/lesion-1.jpg";

/// A model whose maps are means of 8x8 pixels, and a dark picture with a red cell: second row, third column.
fn red_cell() -> (tempfile::TempDir, String, String) {
    let (folder, onnx) = model_of("channel-maps.onnx", |spec| {
        spec["outputs"] = json!({ "logits": "logits", "class_maps": "maps" });
    });
    let inside = |x: u32, y: u32| (16..24).contains(&x) && (8..16).contains(&y);
    let picture = RgbImage::from_fn(32, 32, |x, y| Rgb([if inside(x, y) { 40 } else { 4 }, 0, 0]));
    let file = folder.path().join("red.png");
    picture.save(&file).expect("a picture");
    let [onnx, file] = [onnx, file].map(|path| path.to_str().expect("UTF-8").to_owned());
    (folder, onnx, file)
}

#[test]
fn colour_lies_over_the_cell_that_spoke_for_the_class() {
    let (folder, model, picture) = red_cell();
    let maps = folder.path().join("maps");
    let maps = maps.to_str().expect("UTF-8");
    let result = classify_json(&["--model", &model, "--heatmap", maps, &picture]).remove(0);
    assert_eq!(result["class_name"], "red");
    let file = result["heatmap_file"].as_str().expect("a path");
    assert!(file.starts_with(maps) && file.ends_with("red.png"), "{file}");
    let drawn = image::open(file).expect("a PNG").into_rgb8();
    assert_eq!(drawn.dimensions(), (32, 32));
    let light = |x, y| drawn.get_pixel(x, y).0.iter().map(|value| u32::from(*value)).sum::<u32>();
    let lightest = (0..32).flat_map(|y| (0..32).map(move |x| (x, y))).max_by_key(|(x, y)| light(*x, *y));
    let (x, y) = lightest.expect("pixels");
    assert!((16..24).contains(&x) && (8..16).contains(&y), "{x} {y}");
    assert_eq!(*drawn.get_pixel(2, 29), Rgb([4, 0, 0]), "below the mean nothing is drawn");
}

#[test]
fn every_picture_has_a_file_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::create_dir_all(path("a/b")).expect("folders");
    let copies =
        [path("lesion-1.jpg"), path("a/LESION-1.jpg"), path("a/b/lesion-1.jpg"), path("a/lesion-1-2.jpg")];
    for copy in &copies {
        std::fs::copy(LESION, copy).expect("a copy");
    }
    let lesion = std::fs::read("samples/lesion-2.jpg").expect("a sample");
    let maps = path("new/maps");
    let args = ["classify", "-f", "jsonl", "--heatmap", &maps, "samples/broken/truncated.jpg", "-"];
    let ran = run_with_input(args.into_iter().chain(copies.iter().map(String::as_str)), &lesion);
    assert_eq!(ran.code, Some(1), "one is truncated");
    let results: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(results[0].get("heatmap_file"), None);
    let files: Vec<_> = results[1..].iter().map(|r| r["heatmap_file"].as_str().expect("a path")).collect();
    let names = ["stdin", "lesion-1", "LESION-1-2", "lesion-1-3", "lesion-1-2-2"];
    let wanted: Vec<_> = names.iter().map(|name| format!("{maps}/{name}.png")).collect();
    assert_eq!(files, wanted);
    for file in &files {
        assert_eq!(image::open(file).expect("a PNG").into_rgb8().dimensions(), (224, 224));
    }
    assert_eq!(std::fs::read_dir(&maps).expect("the folder").count(), files.len());
    let [first, other] = [files[1], files[0]].map(|file| std::fs::read(file).expect("a file"));
    assert_ne!(first, other, "another picture");
    assert_eq!(first, std::fs::read(files[3]).expect("a file"), "the same picture");
}

#[test]
fn pictures_of_the_run_are_never_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::create_dir(path("own")).expect("a folder");
    image::open(LESION).expect("a sample").save(path("own/a.png")).expect("a picture");
    let before = std::fs::read(path("own/a.png")).expect("a file");
    for args in [[path("own"), path("own")], [path("own/../own"), path("own/a.png")]] {
        let ran = run(["classify", "--heatmap", &args[0], &args[1]]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""));
        assert!(ran.stderr.contains("choose another folder"), "{}", ran.stderr);
    }
    let named = std::fs::read_to_string("Cargo.toml").expect("text");
    std::fs::create_dir(path("within")).expect("a folder");
    std::fs::write(path("within/lesion-1.png"), &named).expect("a file that is named like a heatmap");
    for pictures in [folder.path().to_str().expect("UTF-8"), LESION] {
        let ran = run(["classify", "--heatmap", &path("within"), pictures]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""));
        assert!(ran.stderr.contains("lesion-1.png in this folder is not a heatmap"), "{}", ran.stderr);
    }
    assert_eq!(std::fs::read_to_string(path("within/lesion-1.png")).expect("a file"), named);
    // A list is read as the run goes on.
    let args = ["classify", "-f", "jsonl", "--files-from", "-", "--heatmap", &path("own")];
    let ran = run_with_input(args, path("own/a.png").as_bytes());
    assert_eq!(ran.code, Some(4));
    assert!(ran.stderr.contains("choose another folder"), "{}", ran.stderr);
    assert_eq!(std::fs::read(path("own/a.png")).expect("a file"), before);
}

#[test]
fn heatmaps_within_a_folder_of_pictures_are_no_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(LESION, folder.path().join("a.jpg")).expect("a copy");
    let pictures = folder.path().to_str().expect("UTF-8");
    let maps = folder.path().join("maps");
    let maps = maps.to_str().expect("UTF-8");
    for _ in 0..2 {
        let results = classify_json(&["--heatmap", maps, pictures]);
        assert_eq!(results.len(), 1, "{results:?}");
    }
    std::fs::create_dir(folder.path().join("maps/deeper")).expect("a folder");
    std::fs::copy(LESION, folder.path().join("maps/deeper/b.jpg")).expect("a copy");
    assert_eq!(classify_json(&["--heatmap", maps, pictures]).len(), 2, "pictures below are pictures");
}

#[test]
fn a_heatmap_that_cannot_be_written_costs_no_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().to_str().expect("UTF-8");
    std::fs::create_dir(folder.path().join("lesion-1.png")).expect("a folder in its place");
    let ran = run(["classify", "-f", "json", "--heatmap", maps, LESION, "samples/lesion-2.jpg"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("lesion-1.png cannot be written"), "{}", ran.stderr);
    let results: Vec<serde_json::Value> = serde_json::from_str(&ran.stdout).expect("a whole array");
    assert!(results.iter().all(|result| result["class_name"].is_string()), "{results:?}");
    let files: Vec<_> = results.iter().map(|result| result.get("heatmap_file").is_some()).collect();
    assert_eq!(files, [false, true]);
}

#[test]
fn a_model_without_maps_is_told_before_a_picture_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().join("maps");
    let maps = maps.to_str().expect("UTF-8");
    let model = "tests/binary/models/channel-means.onnx";
    let ran = run(["classify", "--model", model, "--heatmap", maps, "no/such/picture.jpg"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""));
    assert!(ran.stderr.contains("--heatmap") && ran.stderr.contains("class maps"), "{}", ran.stderr);
    assert!(!std::path::Path::new(maps).exists());

    let ran = run(["classify", "--heatmap", "Cargo.toml", LESION]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""));
    assert!(ran.stderr.contains("--heatmap Cargo.toml"), "{}", ran.stderr);

    let server = Server::start(&["--model", model]);
    let reply = server.post("/predict?heatmap=true", "image/jpeg", b"");
    assert_eq!((reply.status, reply.json()["code"].as_str()), (400, Some("bad_query")));
}

#[test]
fn the_server_sends_the_same_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    run(["classify".as_ref(), "--heatmap".as_ref(), folder.path().as_os_str(), LESION.as_ref()]);
    let wanted = std::fs::read(folder.path().join("lesion-1.png")).expect("a file");
    let server = Server::start(&[]);
    let lesion = std::fs::read(LESION).expect("a sample");
    let reply = server.post("/predict?heatmap=true", "image/jpeg", &lesion);
    assert_eq!(reply.status, 200);
    let sent = BASE64_STANDARD.decode(reply.json()["heatmap"].as_str().expect("text")).expect("Base64");
    assert_eq!(image::guess_format(&sent).ok(), Some(ImageFormat::Png));
    assert_eq!(sent, wanted);
    let plain = server.post("/predict?heatmap=false", "image/jpeg", &lesion);
    assert_eq!((plain.status, plain.json().get("heatmap")), (200, None));
}
