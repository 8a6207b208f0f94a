//! Encoded bytes to pixels to the network's input, within fixed bounds.

mod decode;
mod error;
mod heatmap;
mod jpeg;
mod limits;
mod memory;
mod preprocess;
mod rgb;
mod texture;
mod tiff;
mod webp;

#[doc(hidden)]
pub use decode::decode_unguarded;
pub use decode::{EXTENSIONS, Pixels, decode, has_image_extension, peak_memory};
pub use error::DecodeError;
pub use heatmap::{ClassMap, heat_color, heatmap};
pub use limits::{MAX_MEMORY, MAX_PIXELS};
pub use preprocess::{normalise, square};
pub use texture::{Texture, texture};
