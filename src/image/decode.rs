//! Encoded bytes to 8-bit RGB.

use std::io::Cursor;
use std::path::Path;

use image::error::ImageError;
use image::metadata::Orientation;
use image::{ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use super::memory;
use super::rgb::Samples;
use super::tiff::Tiff;
use super::{completeness, reduced};
use crate::panics;

/// Pictures with more pixels are refused from their header alone: 64 megapixels.
pub const MAX_PIXELS: u64 = 64_000_000;

/// Pictures that take more memory to decode, with the RGB that is made of them, are refused from their headers: 400 MiB.
///
/// With 8 bits to a sample nearly everything of [`MAX_PIXELS`] takes less, with 16 bits at least 35 megapixels do.
pub const MAX_MEMORY: u64 = 400 << 20;

/// What a header may take beside the pixels: colour profiles and the like.
const MAX_METADATA: u64 = 32 << 20;

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
    /// Beyond [`MAX_PIXELS`] or [`MAX_MEMORY`].
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
    guarded(encoded, || decode_unguarded(encoded, side))
}

/// [`decode`] without the guard that turns a panic into an error, so that tests with damaged files find panics.
///
/// # Errors
/// As [`decode`].
#[doc(hidden)]
pub fn decode_unguarded(encoded: &[u8], side: usize) -> Result<Pixels, DecodeError> {
    Picture::open(encoded)?.decode(encoded, side)
}

/// About how many bytes [`decode`] holds at most at once for a picture, and at most [`MAX_MEMORY`]. Told by its
/// headers; no pixel is decoded.
///
/// # Errors
/// As [`decode`] for a picture beyond the limits, or one whose header is damaged.
pub fn peak_memory(encoded: &[u8]) -> Result<u64, DecodeError> {
    guarded(encoded, || Picture::open(encoded).map(|picture| picture.memory))
}

/// A decoder that panics on hostile bytes has a bug, which costs this image only.
fn guarded<T>(encoded: &[u8], work: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    panics::catch(work).unwrap_or_else(|_| {
        let format = match image::guess_format(encoded) {
            Ok(ImageFormat::WebP) => "WebP ".to_owned(),
            Ok(format) => format!("{format:?} ").to_uppercase(),
            Err(_) => String::new(),
        };
        Err(DecodeError::Damaged(format!("the {format}decoder failed on it")))
    })
}

/// A picture within the limits, of which no pixel is decoded.
struct Picture<'a> {
    format: ImageFormat,
    size: (u32, u32),
    memory: u64,
    source: Source<'a>,
}

enum Source<'a> {
    Tiff(Box<Tiff<'a>>),
    Other(Box<dyn ImageDecoder + 'a>, Samples),
}

impl<'a> Picture<'a> {
    fn open(encoded: &'a [u8]) -> Result<Self, DecodeError> {
        if encoded.is_empty() {
            return Err(DecodeError::Empty);
        }
        let format = image::guess_format(encoded).map_err(|_| DecodeError::NotAnImage)?;
        let (size, memory, source) = if format == ImageFormat::Tiff {
            let tiff = Tiff::open(encoded)?;
            ((tiff.width, tiff.height), tiff.memory, Source::Tiff(Box::new(tiff)))
        } else {
            let mut reader = ImageReader::with_format(Cursor::new(encoded), format);
            let mut limits = Limits::no_limits();
            limits.max_alloc = Some(MAX_METADATA);
            reader.limits(limits);
            let decoder = Box::new(reader.into_decoder()?);
            let samples = Samples::of(decoder.color_type());
            let samples = samples.ok_or_else(|| {
                DecodeError::Unsupported(format!("{format:?} with the colours {:?}", decoder.color_type()))
            })?;
            let size = decoder.dimensions();
            (size, memory::of(encoded, format, size, samples)?, Source::Other(decoder, samples))
        };
        refuse_size(size, memory)?;
        Ok(Self { format, size, memory, source })
    }

    fn decode(self, encoded: &[u8], side: usize) -> Result<Pixels, DecodeError> {
        // The JPEG decoder fills what is missing with gray instead of saying so.
        if completeness::is_jpeg_cut_short(encoded) {
            return Err(DecodeError::Truncated);
        }
        let (rgb, orientation) = match self.source {
            Source::Tiff(tiff) => {
                let orientation = tiff.orientation;
                (tiff.read()?, orientation)
            }
            Source::Other(mut decoder, samples) => {
                // A damaged EXIF block must not cost the picture.
                let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
                let reduced =
                    (self.format == ImageFormat::Jpeg).then(|| reduced::decode(encoded, side)).flatten();
                let rgb = match reduced {
                    Some(rgb) => rgb,
                    None => whole(decoder, self.size, samples)?,
                };
                (rgb, orientation)
            }
        };
        Ok(Pixels { rgb, stored_size: self.size, orientation })
    }
}

fn refuse_size((width, height): (u32, u32), memory: u64) -> Result<(), DecodeError> {
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

fn whole(
    mut decoder: Box<dyn ImageDecoder + '_>,
    (width, height): (u32, u32),
    samples: Samples,
) -> Result<RgbImage, DecodeError> {
    let mut pixels = vec![0; width as usize * height as usize * samples.bytes()];
    // For a decoder's own buffers; only that of GIF keeps to it, and the others are counted in advance.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(memory::of_frame(pixels.len() as u64));
    decoder.set_limits(limits)?;
    decoder.read_image_boxed(&mut pixels)?;
    let rgb = RgbImage::from_raw(width, height, samples.into_rgb(pixels));
    rgb.ok_or_else(|| DecodeError::Damaged(format!("not all of its {width}x{height} pixels are there")))
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
