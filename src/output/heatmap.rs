//! Heatmaps as PNG files, marked so that they are recognised.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use skinclf::Explanation;

/// The text chunk that distinguishes a heatmap from an image of the user.
const SOFTWARE: (&str, &str) = ("Software", "skinclf heatmap");

/// The bytes of a PNG: the square that the network was given, coloured where it found the predicted class.
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
        .expect("RGB8 pixels can be written to memory");
    file
}

pub(crate) fn is_heatmap(file: &Path) -> bool {
    let reader =
        File::open(file).ok().and_then(|file| png::Decoder::new(BufReader::new(file)).read_info().ok());
    reader.is_some_and(|reader| {
        let texts = &reader.info().uncompressed_latin1_text;
        texts.iter().any(|chunk| (chunk.keyword.as_str(), chunk.text.as_str()) == SOFTWARE)
    })
}
