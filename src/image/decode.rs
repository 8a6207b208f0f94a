//! Encoded bytes to 8-bit RGB.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::error::ImageError;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgb, RgbImage};

use super::{completeness, reduced};

/// Pictures with more pixels are refused from their header alone: 64 megapixels.
pub const MAX_PIXELS: u64 = 64_000_000;

/// What a decoder may allocate for one picture: 512 MiB, enough for [`MAX_PIXELS`] in 16-bit RGBA.
pub const MAX_DECODED_BYTES: u64 = 512 << 20;

/// What files of the formats that [`decode`] reads are called.
pub const EXTENSIONS: [&str; 10] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "tif", "tiff", "gif"];

/// Whether a file is taken from a directory. One that is named itself is read whatever it is called.
#[must_use]
pub fn has_image_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

/// A decoded picture as stored, and how to turn it upright.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixels {
    /// 8-bit RGB, alpha already laid on white. A large JPEG may be reduced.
    pub rgb: RgbImage,
    /// Width and height of the picture as stored, not reduced, in pixels.
    pub stored_size: (u32, u32),
    /// What EXIF says must be done to see the picture as it was taken. Applied only to the small
    /// square that the network sees: turning 12 megapixels costs more than classifying them.
    pub orientation: Orientation,
}

impl Pixels {
    /// Width and height of the upright picture, in pixels.
    pub fn upright_size(&self) -> (u32, u32) {
        let (width, height) = self.stored_size;
        if self.is_transposed() { (height, width) } else { (width, height) }
    }

    /// Whether turning the picture upright swaps its width and height.
    pub(super) fn is_transposed(&self) -> bool {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        matches!(self.orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
    }
}

/// Why bytes are not a usable picture.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There are no bytes.
    #[error("empty file")]
    Empty,
    /// The content is no known picture format, whatever the file's name says.
    #[error("not an image (JPEG, PNG, WebP, BMP, TIFF and GIF are read)")]
    NotAnImage,
    /// A picture, of a format or variant that is not read.
    #[error("unsupported image: {0}")]
    Unsupported(String),
    /// Beyond [`MAX_PIXELS`] or [`MAX_DECODED_BYTES`].
    #[error("image too large: {0}")]
    TooLarge(String),
    /// The file ends before the picture does. A decoder could fill in gray; a classifier must not.
    #[error("truncated image: the file ends before the picture does")]
    Truncated,
    /// Damaged.
    #[error("damaged image: {0}")]
    Damaged(String),
}

impl DecodeError {
    /// A stable identifier.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty | Self::NotAnImage => "not_an_image",
            Self::Unsupported(_) => "unsupported_image",
            Self::TooLarge(_) => "image_too_large",
            Self::Truncated => "truncated_image",
            Self::Damaged(_) => "decode_failed",
        }
    }
}

/// Decodes a JPEG, PNG, WebP, BMP, TIFF or GIF (first frame), recognised by content.
///
/// Gray, palette, 16-bit, CMYK and YCCK become 8-bit RGB; alpha is laid on white. `side` is that of
/// the square of pixels to be made of the picture: a JPEG that is much larger is decoded at a half or a
/// quarter of its size, at least three times `side`.
///
/// # Errors
/// See [`DecodeError`]. A picture beyond the limits is refused before its pixels are read.
pub fn decode(encoded: &[u8], side: usize) -> Result<Pixels, DecodeError> {
    // A decoder that panics on hostile bytes is a bug of that decoder, and costs this image only.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_unguarded(encoded, side)));
    decoded.unwrap_or_else(|_| Err(DecodeError::Damaged("its decoder gave up".to_owned())))
}

/// How many bytes decoding a picture may hold at once, as its header has it.
///
/// # Errors
/// As [`decode`], where the header is enough to tell.
pub fn peak_memory(encoded: &[u8]) -> Result<u64, DecodeError> {
    let told = catch_unwind(AssertUnwindSafe(|| {
        let format = image::guess_format(encoded).map_err(|_| DecodeError::NotAnImage)?;
        let decoder = ImageReader::with_format(Cursor::new(encoded), format).into_decoder()?;
        let (width, height) = decoder.dimensions();
        let pixels = u64::from(width) * u64::from(height);
        if pixels > MAX_PIXELS || decoder.total_bytes() > MAX_DECODED_BYTES {
            return Err(DecodeError::TooLarge(format!("{width}x{height}")));
        }
        // All but RGB is kept while it is converted.
        let converted = if decoder.color_type() == image::ColorType::Rgb8 { 0 } else { 4 * pixels };
        Ok(decoder.total_bytes() + converted)
    }));
    told.unwrap_or_else(|_| Err(DecodeError::Damaged("its decoder gave up".to_owned())))
}

fn decode_unguarded(encoded: &[u8], side: usize) -> Result<Pixels, DecodeError> {
    if encoded.is_empty() {
        return Err(DecodeError::Empty);
    }
    let mut reader = ImageReader::new(Cursor::new(encoded));
    let format = image::guess_format(encoded).map_err(|_| DecodeError::NotAnImage)?;
    reader.set_format(format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;

    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS {
        let limit = MAX_PIXELS / 1_000_000;
        return Err(DecodeError::TooLarge(format!("{width}x{height}; at most {limit} megapixels are read")));
    }
    if decoder.total_bytes() > MAX_DECODED_BYTES {
        return Err(DecodeError::TooLarge(format!("{width}x{height} needs {} bytes", decoder.total_bytes())));
    }
    if pixels == 0 {
        return Err(DecodeError::Damaged(format!("{width}x{height} pixels")));
    }
    // The JPEG decoder fills what is missing with gray instead of saying so.
    if completeness::is_jpeg_cut_short(encoded) {
        return Err(DecodeError::Truncated);
    }
    // A damaged EXIF block must not cost the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let reduced = (format == ImageFormat::Jpeg).then(|| reduced::decode(encoded, side)).flatten();
    let rgb = match reduced {
        Some(rgb) => rgb,
        None => to_rgb(DynamicImage::from_decoder(decoder)?),
    };
    Ok(Pixels { rgb, stored_size: (width, height), orientation })
}

fn to_rgb(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let rgba = image.into_rgba8();
    let (width, height) = rgba.dimensions();
    let on_white = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let mut rgb = RgbImage::new(width, height);
    for (to, from) in rgb.pixels_mut().zip(rgba.pixels()) {
        let [r, g, b, a] = from.0;
        *to = Rgb([r, g, b].map(|value| on_white(value, a)));
    }
    rgb
}

impl From<ImageError> for DecodeError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Unsupported(e) => Self::Unsupported(e.to_string()),
            ImageError::Limits(e) => Self::TooLarge(e.to_string()),
            ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Self::Truncated,
            other if ends_early(&other) => Self::Truncated,
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// Whether an unexpected end of file is behind an error.
fn ends_early(error: &ImageError) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let io = cause.downcast_ref::<std::io::Error>();
        if io.is_some_and(|e| e.kind() == std::io::ErrorKind::UnexpectedEof) {
            return true;
        }
        source = cause.source();
    }
    false
}
