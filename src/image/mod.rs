//! Encoded bytes to pixels to the network's input, within fixed bounds.

mod completeness;
mod decode;
mod heatmap;
mod preprocess;
mod quality;
mod reduced;

pub use decode::{
    DecodeError, EXTENSIONS, MAX_DECODED_BYTES, MAX_PIXELS, Pixels, decode, has_image_extension, peak_memory,
};
pub use heatmap::{ClassMap, heatmap};
pub use preprocess::{normalise, square};
pub use quality::{Texture, texture};
