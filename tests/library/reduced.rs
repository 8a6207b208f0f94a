//! Large JPEGs are decoded at a fraction of their size; the answer must not depend on it.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::ImageFormat;
use image::imageops::{FilterType, resize};
use skinclf::image::{DecodeError, decode, square};
use skinclf::{Classifier, Model};

/// Of a pixel's channel, on the 0..=255 scale; both pictures are rounded, one of them twice.
/// Measured: 2 for photographs, 4 at the sharp edges of a drawn sample.
const PIXEL_TOLERANCE: u8 = 4;
const MEAN_PIXEL_TOLERANCE: f64 = 0.25;

/// Of a probability. Pixels within the tolerances above can move this network so far: ONNX Runtime's
/// own probabilities move by up to 0.07 when a fifth of all values is changed by 1, at random.
/// Measured: 0.040 at worst (a photograph of which they move by 0.06), 0.01 or more for 6 of 28 photographs and 2 drawn
/// samples, and then 0.024 at most.
const TOLERANCE: f32 = 0.05;

/// Shorter sides: the first two are halved, the last is quartered.
const SIDES: [u32; 3] = [1344, 1800, 3000];

/// The drawn samples and, where `SKINCLF_TEST_IMAGES` names a folder of them, photographs.
fn pictures() -> Vec<PathBuf> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let photographs = std::env::var_os("SKINCLF_TEST_IMAGES").map(PathBuf::from);
    let mut pictures = Vec::new();
    for folder in [samples].into_iter().chain(photographs) {
        let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("an entry").path());
        let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "jpg")).collect();
        // In each folder, because the side that a picture gets must not depend on where the folders are.
        files.sort();
        pictures.extend(files);
    }
    pictures
}

/// The picture enlarged until its shorter side has `side` pixels, as JPEG.
fn enlarged(path: &Path, side: u32) -> Vec<u8> {
    let small = image::open(path).expect("a picture").into_rgb8();
    let factor = f64::from(side) / f64::from(small.width().min(small.height()));
    let [width, height] = [small.width(), small.height()].map(|n| (f64::from(n) * factor).round() as u32);
    let mut jpeg = Cursor::new(Vec::new());
    let large = resize(&small, width, height, FilterType::Triangle);
    large.write_to(&mut jpeg, ImageFormat::Jpeg).expect("memory does not fail");
    jpeg.into_inner()
}

#[test]
fn a_reduced_picture_is_seen_and_classified_like_the_whole() {
    let classifier = Classifier::load(Model::embedded()).expect("the embedded model loads");
    let input = &classifier.spec().input;
    for (i, path) in pictures().iter().enumerate() {
        let name = path.display();
        let jpeg = enlarged(path, SIDES[i % SIDES.len()]);
        let [reduced, whole] = [input.side(), usize::MAX].map(|side| decode(&jpeg, side).expect("a picture"));
        assert!(reduced.rgb.width() < whole.rgb.width(), "{name} was decoded whole");
        assert_eq!(reduced.upright_size(), whole.upright_size(), "{name}");
        let (a, b) = (square(&reduced, input), square(&whole, input));
        let off: Vec<u8> = a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b)).collect();
        let mean = off.iter().map(|d| f64::from(*d)).sum::<f64>() / off.len() as f64;
        let largest = *off.iter().max().expect("pixels");
        assert!(
            largest <= PIXEL_TOLERANCE && mean <= MEAN_PIXEL_TOLERANCE,
            "{name}: {largest}, {mean} on average"
        );

        let mut bitmap = Cursor::new(Vec::new());
        whole.rgb.write_to(&mut bitmap, ImageFormat::Bmp).expect("memory does not fail");
        let [reduced, whole] =
            [&jpeg, bitmap.get_ref()].map(|file| classifier.classify(file).expect("a picture"));
        let pairs = reduced.probabilities.iter().zip(&whole.probabilities);
        let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{name}: pixels off by {largest}, {mean:.3} on average, probabilities by {off:.4}");
        assert!(off <= TOLERANCE, "{name}: a probability is off by {off}");
    }
}

#[test]
fn at_least_three_times_the_side_is_left() {
    let jpeg = enlarged(&pictures()[0], 1800);
    let shorter = |side| {
        let (width, height) = decode(&jpeg, side).expect("a picture").rgb.dimensions();
        width.min(height)
    };
    assert_eq!([150, 151, 300, 301].map(shorter), [450, 900, 900, 1800]);
}

#[test]
fn gray_pictures_are_reduced_and_damaged_ones_refused() {
    let mut jpeg = Cursor::new(Vec::new());
    let gray = image::GrayImage::from_fn(1500, 1400, |x, y| image::Luma([(x / 8 + y / 8) as u8]));
    gray.write_to(&mut jpeg, ImageFormat::Jpeg).expect("memory does not fail");
    let pixels = decode(jpeg.get_ref(), 224).expect("a picture");
    assert_eq!((pixels.rgb.dimensions(), pixels.stored_size), ((750, 700), (1500, 1400)));
    assert!(pixels.rgb.pixels().all(|p| p.0[0] == p.0[1] && p.0[1] == p.0[2]));

    let half = &jpeg.get_ref()[..jpeg.get_ref().len() / 2];
    assert!(matches!(decode(half, 224), Err(DecodeError::Truncated)));
}
