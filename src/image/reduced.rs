//! Large JPEGs at a half or a quarter of their size.

use image::RgbImage;
use jpeg_decoder::{Decoder, PixelFormat};

use super::MAX_MEMORY;

/// What is decoded is at least so many times as wide and high as what is made of it: then the
/// resize, which averages, takes out most of what the decoder has rounded.
const AT_LEAST: u32 = 3;

/// An eighth would save no more time than a quarter, and jpeg-decoder 0.3 rounds its colours down
/// by half a level.
const DIVISORS: [u32; 2] = [4, 2];

/// The JPEG in `encoded`, reduced as far as a square of `side` pixels allows. `None` where that is
/// not at all, for what is no JPEG of RGB or gray, and for what cannot be decoded.
///
/// The inverse DCT of an 8x8 block yields 4x4 or 2x2 pixels when it is given the coefficients of
/// the low frequencies alone, which also saves most of the work on pixels.
pub(super) fn decode(encoded: &[u8], side: usize) -> Option<RgbImage> {
    let mut decoder = Decoder::new(encoded);
    decoder.read_info().ok()?;
    let info = decoder.info()?;
    let shorter = u32::from(info.width.min(info.height));
    let enough = u32::try_from(side).ok()?.checked_mul(AT_LEAST)?;
    let divisor = DIVISORS.into_iter().find(|divisor| shorter / divisor >= enough)?;
    let scaled = |length: u16| length.div_ceil(divisor as u16);
    let (width, height) = decoder.scale(scaled(info.width), scaled(info.height)).ok()?;
    decoder.set_max_decoding_buffer_size(MAX_MEMORY as usize);
    let rgb = match info.pixel_format {
        PixelFormat::RGB24 => decoder.decode().ok()?,
        PixelFormat::L8 => decoder.decode().ok()?.into_iter().flat_map(|gray| [gray; 3]).collect(),
        PixelFormat::L16 | PixelFormat::CMYK32 => return None,
    };
    RgbImage::from_raw(width.into(), height.into(), rgb)
}
