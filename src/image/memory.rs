//! How much memory a picture takes to decode, told before it is decoded.

use image::ImageFormat;

use super::DecodeError;
use super::rgb::Samples;
use super::{jpeg, webp};

/// A GIF's frame may be larger than the picture, within reason.
const SMALL_FRAME: u64 = 16 << 20;

/// Bytes that are held at once: the decoder's buffers, the pixels as it gives them, and the RGB made of them. What does
/// not grow with the number of pixels is left out. TIFFs are [counted](super::tiff::Tiff) as they are read.
pub(super) fn of(
    encoded: &[u8],
    format: ImageFormat,
    (width, height): (u32, u32),
    samples: Samples,
) -> Result<u64, DecodeError> {
    let pixels = u64::from(width) * u64::from(height);
    let bytes = samples.bytes() as u64;
    let decoded = pixels.saturating_mul(bytes);
    let decoder = match format {
        // It copies the file.
        ImageFormat::Jpeg => encoded.len() as u64 + coefficients(encoded, pixels),
        // Rows as they are filtered and as they are not.
        ImageFormat::Png => 4 * u64::from(width) * bytes,
        ImageFormat::Gif => of_frame(decoded),
        ImageFormat::WebP => webp::memory(encoded, width, height)?,
        _ => 0,
    };
    let rgb = if bytes < 3 { 3 * pixels } else { 0 };
    Ok(decoded.saturating_add(decoder).saturating_add(rgb))
}

/// What a frame of a GIF may have that does not lie upon the picture.
pub(super) fn of_frame(decoded: u64) -> u64 {
    decoded.max(SMALL_FRAME)
}

fn coefficients(encoded: &[u8], pixels: u64) -> u64 {
    /// Of four components with the full number of samples, for headers that a decoder reads and this does not.
    const MOST: u64 = 8;
    jpeg::frame(encoded).map_or(pixels.saturating_mul(MOST), |frame| frame.coefficients())
}
