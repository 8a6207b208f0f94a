//! A heatmap as the bytes of a PNG.

use std::io::Cursor;

use image::ImageEncoder as _;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use skinclf::Explanation;

/// The square that the network saw, coloured where it found the predicted class.
pub(crate) fn png(explanation: &Explanation) -> Vec<u8> {
    let drawn = skinclf::image::heatmap(&explanation.square, &explanation.map);
    let (width, height) = drawn.dimensions();
    let mut file = Cursor::new(Vec::new());
    // Compressing harder takes longer than classifying.
    let encoder = PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Adaptive);
    encoder
        .write_image(drawn.as_raw(), width, height, image::ExtendedColorType::Rgb8)
        .expect("a picture of RGB8 is written to memory");
    file.into_inner()
}
