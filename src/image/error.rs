//! Why bytes cannot be decoded.

use std::error::Error;
use std::io;
use std::io::ErrorKind::UnexpectedEof;

use image::error::ImageError;

/// Why bytes cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There are no bytes.
    #[error("empty file")]
    Empty,
    /// The content is in no known image format. The file's name does not matter.
    #[error("not an image (JPEG, PNG, WebP, BMP, TIFF and GIF are read)")]
    NotAnImage,
    /// An image in a format or variant that is not supported.
    #[error("unsupported image: {0}")]
    Unsupported(String),
    /// Beyond [`MAX_PIXELS`](super::MAX_PIXELS) or [`MAX_MEMORY`](super::MAX_MEMORY).
    #[error("image too large: {0}")]
    TooLarge(String),
    /// The file ends before the image does. A decoder could fill in gray; a classifier must not.
    #[error("truncated image: the file ends before the image is complete")]
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

impl From<ImageError> for DecodeError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Unsupported(e) => Self::Unsupported(e.to_string()),
            ImageError::Limits(e) => Self::TooLarge(e.to_string()),
            ImageError::IoError(e) if e.kind() == UnexpectedEof => Self::Truncated,
            other if ends_early(&other) => Self::Truncated,
            other => Self::Damaged(other.to_string()),
        }
    }
}

fn ends_early(error: &ImageError) -> bool {
    let mut source = Error::source(error);
    while let Some(cause) = source {
        let io = cause.downcast_ref::<io::Error>();
        if io.is_some_and(|e| e.kind() == UnexpectedEof) {
            return true;
        }
        source = cause.source();
    }
    false
}
