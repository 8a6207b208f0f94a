//! Encoded bytes to 8-bit RGB.

use std::io::Cursor;
use std::path::Path;

use image::metadata::Orientation;
use image::{ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use super::error::DecodeError;
use super::rgb::PixelType;
use super::tiff::Tiff;
use super::{jpeg, limits, memory};
use crate::panics;

/// Bytes that a header may take beside the pixels, as for colour profiles.
const MAX_METADATA: u64 = 32 << 20;

/// File extensions of the formats that [`decode`] reads.
pub const EXTENSIONS: [&str; 10] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "tif", "tiff", "gif"];

/// Whether a file in a directory is taken as an image. A file that is itself named is read with any extension.
#[must_use]
pub fn has_image_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

/// A decoded image as stored, and how to turn it upright.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixels {
    /// 8-bit RGB, alpha already laid on white. A large JPEG may be reduced.
    pub rgb: RgbImage,
    /// Width and height of the image as stored in the file, not reduced, in pixels.
    pub stored_size: (u32, u32),
    /// How to turn the pixels upright, from EXIF. Applied only to the small square that the network
    /// gets: turning 12 megapixels takes longer than classifying them.
    pub orientation: Orientation,
}

impl Pixels {
    /// Width and height of the upright image, in pixels.
    pub fn upright_size(&self) -> (u32, u32) {
        let (width, height) = self.stored_size;
        if self.is_transposed() { (height, width) } else { (width, height) }
    }

    pub(super) fn is_transposed(&self) -> bool {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        matches!(self.orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
    }
}

/// Decodes a JPEG, PNG, WebP, BMP, TIFF or GIF (first frame), recognised by content.
///
/// Gray, palette, 16-bit, CMYK and YCCK become 8-bit RGB; alpha is laid on white. `side` is the side of the
/// square that will be made of the image, in pixels: a much larger JPEG is decoded at a half or a quarter of
/// its size, at least three times `side`.
///
/// # Errors
/// See [`DecodeError`]. An image beyond the limits is refused before its pixels are read.
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

/// About how many bytes [`decode`] holds at once for an image, from its headers: no pixel is decoded. At most
/// [`MAX_MEMORY`](super::MAX_MEMORY).
///
/// # Errors
/// As [`decode`], for an image beyond the limits or with a damaged header.
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

/// An image within the limits, of which no pixel is decoded yet.
struct Picture<'a> {
    format: ImageFormat,
    size: (u32, u32),
    memory: u64,
    source: Source<'a>,
}

enum Source<'a> {
    Tiff(Box<Tiff<'a>>),
    Other(Box<dyn ImageDecoder + 'a>, PixelType),
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
            let pixel_type = PixelType::of(decoder.color_type());
            let pixel_type = pixel_type.ok_or_else(|| {
                DecodeError::Unsupported(format!("{format:?} with the colours {:?}", decoder.color_type()))
            })?;
            let size = decoder.dimensions();
            (size, memory::of(encoded, format, size, pixel_type)?, Source::Other(decoder, pixel_type))
        };
        limits::check(size, memory)?;
        Ok(Self { format, size, memory, source })
    }

    fn decode(self, encoded: &[u8], side: usize) -> Result<Pixels, DecodeError> {
        // The JPEG decoder fills what is missing with gray, and reports success.
        if jpeg::is_cut_short(encoded) {
            return Err(DecodeError::Truncated);
        }
        let (rgb, orientation) = match self.source {
            Source::Tiff(tiff) => {
                let orientation = tiff.orientation;
                (tiff.read()?, orientation)
            }
            Source::Other(mut decoder, pixel_type) => {
                // An image with a damaged EXIF block is still decoded.
                let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
                let reduced =
                    (self.format == ImageFormat::Jpeg).then(|| jpeg::decode_reduced(encoded, side)).flatten();
                let rgb = match reduced {
                    Some(rgb) => rgb,
                    None => whole(decoder, self.size, pixel_type)?,
                };
                (rgb, orientation)
            }
        };
        Ok(Pixels { rgb, stored_size: self.size, orientation })
    }
}

fn whole(
    mut decoder: Box<dyn ImageDecoder + '_>,
    (width, height): (u32, u32),
    pixel_type: PixelType,
) -> Result<RgbImage, DecodeError> {
    let mut pixels = vec![0; width as usize * height as usize * pixel_type.bytes()];
    // Only the GIF decoder keeps to this limit; the memory of the others is computed in advance.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(memory::of_frame(pixels.len() as u64));
    decoder.set_limits(limits)?;
    decoder.read_image_boxed(&mut pixels)?;
    let rgb = RgbImage::from_raw(width, height, pixel_type.into_rgb(pixels));
    rgb.ok_or_else(|| DecodeError::Damaged(format!("not all of its {width}x{height} pixels are there")))
}
