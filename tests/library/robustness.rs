//! Damaged, hostile and merely odd files: an error or a prediction, no panic, and little memory.
//!
//! The files go to `decode_unguarded`, below the guard that turns a panic into an error, so that a panic fails the test.

use std::sync::LazyLock;

use proptest::prelude::*;
use skinclf::image::{DecodeError, MAX_MEMORY, decode, decode_unguarded, peak_memory};
use skinclf::{Classifier, Model};

static CLASSIFIER: LazyLock<Classifier> =
    LazyLock::new(|| Classifier::load(Model::embedded()).expect("the embedded model loads"));

/// Side of the network's input, in pixels.
const SIDE: usize = 224;

const SAMPLES: [&[u8]; 4] = [
    include_bytes!("../../samples/exif-rotated.jpg"),
    include_bytes!("../../samples/alpha.png"),
    include_bytes!("../../samples/lesion-8.webp"),
    include_bytes!("../../samples/gray.jpg"),
];

/// Small files of the formats that samples/ lacks.
fn other_formats() -> Vec<Vec<u8>> {
    use image::ImageFormat::{Bmp, Gif, Tiff};
    let picture =
        image::RgbaImage::from_fn(19, 13, |x, y| image::Rgba([x as u8 * 13, y as u8 * 19, 90, 255]));
    [Bmp, Gif, Tiff]
        .map(|format| {
            let mut file = std::io::Cursor::new(Vec::new());
            picture.write_to(&mut file, format).expect("the image crate writes what it reads");
            file.into_inner()
        })
        .to_vec()
}

/// Large enough to be decoded at half its size.
fn large_jpeg() -> Vec<u8> {
    let picture = image::RgbImage::from_fn(1344, 1350, |x, y| image::Rgb([x as u8, y as u8, (x ^ y) as u8]));
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Jpeg).expect("memory does not fail");
    file.into_inner()
}

fn any_sample() -> impl Strategy<Value = Vec<u8>> {
    let mut all = SAMPLES.map(<[u8]>::to_vec).to_vec();
    all.extend(other_formats());
    all.push(large_jpeg());
    prop::sample::select(all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_give_an_error_or_a_picture(
        mut file in any_sample(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..20),
    ) {
        for (at, bit) in flips {
            let at = at.index(file.len());
            file[at] ^= 1 << bit;
        }
        if let Ok(pixels) = decode_unguarded(&file, SIDE) {
            let (width, height) = pixels.upright_size();
            prop_assert!(u64::from(width) * u64::from(height) <= skinclf::image::MAX_PIXELS);
        }
    }

    #[test]
    fn a_truncated_file_is_an_error(file in any_sample(), at in any::<prop::sample::Index>()) {
        let end = at.index(file.len() - 1);
        // The last bytes of a PNG, GIF or TIFF carry no pixels, so it may be whole without them.
        prop_assert!(decode_unguarded(&file[..end], SIDE).is_err() || file.len() - end <= 16);
    }

    #[test]
    fn noise_behind_a_signature_gives_an_error_or_a_picture(
        signature in prop::sample::select(vec![
            &b"\xFF\xD8\xFF"[..], b"\x89PNG\r\n\x1a\n", b"RIFF\x40\x00\x00\x00WEBP", b"BM", b"II*\0", b"MM\0*", b"GIF89a",
        ]),
        noise in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let _ = decode_unguarded(&[signature, &noise].concat(), SIDE);
    }
}

#[test]
fn what_survives_damage_is_classified_to_probabilities() {
    let mut file = SAMPLES[0].to_vec();
    let middle = file.len() / 2;
    file[middle] ^= 0x10;
    let prediction =
        CLASSIFIER.classify(&file).expect("one flipped bit of entropy-coded data is still a picture");
    let sum: f32 = prediction.probabilities.iter().sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
}

/// A JPEG up to the start of its scan, with no picture behind it.
fn jpeg_header(width: u16, height: u16) -> Vec<u8> {
    let [w, h] = [width, height].map(u16::to_be_bytes);
    let frame = [0xFF, 0xC0, 0, 11, 8, h[0], h[1], w[0], w[1], 1, 1, 0x11, 0];
    let scan = [0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0];
    [&[0xFF, 0xD8][..], &frame, &scan, &[0xFF, 0xD9]].concat()
}

/// A valid PNG of one colour: few bytes, many pixels.
fn one_color_png(side: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().expect("a header");
    let mut stream = writer.stream_writer().expect("a stream");
    let row = vec![127; side as usize * 3];
    for _ in 0..side {
        std::io::Write::write_all(&mut stream, &row).expect("memory does not fail");
    }
    stream.finish().expect("complete");
    drop(writer);
    file
}

#[test]
fn pictures_beyond_the_limits_are_refused_from_their_header() {
    for file in [jpeg_header(60_000, 60_000), one_color_png(8_001)] {
        assert!(
            matches!(decode(&file, SIDE), Err(DecodeError::TooLarge(_))),
            "{:?}",
            decode(&file, SIDE).map(|_| ())
        );
    }
    // Refused for its size alone: one within the limit is decoded.
    assert!(decode(&one_color_png(1_000), SIDE).is_ok());
}

#[test]
fn what_a_picture_takes_is_told_in_advance_if_it_is_decoded_at_all() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders =
        ["samples", "tests/goldens/inputs"].map(|folder| root.join(folder).read_dir().expect("a folder"));
    let files = folders.into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let mut pictures = 0;
    for path in files.filter(|path| path.is_file()) {
        let file = std::fs::read(&path).expect("a file");
        match (decode(&file, SIDE), peak_memory(&file)) {
            (Ok(pixels), Ok(memory)) => {
                let (width, height) = pixels.stored_size;
                let rgb = 3 * u64::from(width) * u64::from(height);
                assert!((rgb..=MAX_MEMORY).contains(&memory), "{}: {memory}", path.display());
                pictures += 1;
            }
            (decoded, memory) => assert!(decoded.is_err() && memory.is_err(), "{}", path.display()),
        }
    }
    assert!(pictures > 40);
    for file in [jpeg_header(60_000, 60_000), one_color_png(8_001), Vec::new(), b"text".to_vec()] {
        let refused = decode(&file, SIDE).map(|_| ()).expect_err("no picture");
        assert_eq!(peak_memory(&file).expect_err("no picture").to_string(), refused.to_string());
    }
}
