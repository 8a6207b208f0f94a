//! How much memory an image takes to decode, from its headers.

use image::ImageFormat;

use super::error::DecodeError;
use super::rgb::PixelType;
use super::{jpeg, webp};

/// A GIF's frame may be larger than the image, within reason.
const SMALL_FRAME: u64 = 16 << 20;

/// Bytes that are held at once: the decoder's buffers, its pixels, and the RGB made of them. What does not grow with the
/// number of pixels is left out. For TIFF see [`Tiff`](super::tiff::Tiff).
pub(super) fn of(
    encoded: &[u8],
    format: ImageFormat,
    (width, height): (u32, u32),
    pixel_type: PixelType,
) -> Result<u64, DecodeError> {
    let pixels = u64::from(width) * u64::from(height);
    let bytes = pixel_type.bytes() as u64;
    let decoded = pixels.saturating_mul(bytes);
    let decoder = match format {
        // The decoder copies the file.
        ImageFormat::Jpeg => encoded.len() as u64 + coefficients(encoded, pixels),
        // The decoder holds filtered and unfiltered rows.
        ImageFormat::Png => 4 * u64::from(width) * bytes,
        ImageFormat::Gif => of_frame(decoded),
        ImageFormat::WebP => webp::memory(encoded, width, height)?,
        _ => 0,
    };
    let rgb = if bytes < 3 { 3 * pixels } else { 0 };
    Ok(decoded.saturating_add(decoder).saturating_add(rgb))
}

pub(super) fn of_frame(decoded: u64) -> u64 {
    decoded.max(SMALL_FRAME)
}

fn coefficients(encoded: &[u8], pixels: u64) -> u64 {
    /// Bytes per pixel of four full-size components, for headers that a decoder reads but `jpeg::frame` does not.
    const MOST: u64 = 8;
    jpeg::frame(encoded).map_or(pixels.saturating_mul(MOST), |frame| frame.coefficient_bytes())
}
