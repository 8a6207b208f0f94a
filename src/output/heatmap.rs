//! A heatmap as a PNG, which says of itself what it is.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use skinclf::Explanation;

/// By which a heatmap is told from a picture of the user's.
const SOFTWARE: (&str, &str) = ("Software", "skinclf heatmap");

/// The bytes of a PNG: the square that the network saw, coloured where it found the predicted class.
pub(crate) fn png(explanation: &Explanation) -> Vec<u8> {
    let drawn = skinclf::image::heatmap(&explanation.square, &explanation.map);
    let (width, height) = drawn.dimensions();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    // Compressing harder takes longer than classifying.
    encoder.set_compression(png::Compression::Fast);
    let (keyword, text) = SOFTWARE;
    encoder
        .add_text_chunk(keyword.to_owned(), text.to_owned())
        .and_then(|()| encoder.write_header())
        .and_then(|mut writer| writer.write_image_data(drawn.as_raw()))
        .expect("a picture of RGB8 is written to memory");
    file
}

/// Whether a file is what [`png`] makes.
pub(crate) fn is_one(file: &Path) -> bool {
    let reader =
        File::open(file).ok().and_then(|file| png::Decoder::new(BufReader::new(file)).read_info().ok());
    reader.is_some_and(|reader| {
        let texts = &reader.info().uncompressed_latin1_text;
        texts.iter().any(|chunk| (chunk.keyword.as_str(), chunk.text.as_str()) == SOFTWARE)
    })
}
