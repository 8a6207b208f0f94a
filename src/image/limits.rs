//! The largest images that are decoded.

use super::error::DecodeError;

/// Images with more pixels are refused by their header alone: 64 megapixels.
pub const MAX_PIXELS: u64 = 64_000_000;

/// Images that need more memory to decode, including their RGB pixels, are refused by their headers: 400 MiB.
///
/// Nearly all images of [`MAX_PIXELS`] need less with 8 bits per sample; with 16 bits, those up to 35 megapixels do.
pub const MAX_MEMORY: u64 = 400 << 20;

pub(super) fn check((width, height): (u32, u32), memory: u64) -> Result<(), DecodeError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS {
        let limit = MAX_PIXELS / 1_000_000;
        return Err(DecodeError::TooLarge(format!("{width}x{height}; at most {limit} megapixels are read")));
    }
    if memory > MAX_MEMORY {
        let [needed, limit] = [memory.div_ceil(1 << 20), MAX_MEMORY >> 20];
        let what =
            format!("decoding its {width}x{height} pixels takes {needed} MiB; at most {limit} MiB are used");
        return Err(DecodeError::TooLarge(what));
    }
    if pixels == 0 {
        return Err(DecodeError::Damaged(format!("{width}x{height} pixels")));
    }
    Ok(())
}
