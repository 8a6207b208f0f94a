//! Encoded bytes to pixels to the network's input, within fixed bounds.

mod decode;
mod heatmap;
mod jpeg;
mod memory;
mod preprocess;
mod rgb;
mod texture;
mod tiff;
mod webp;

#[doc(hidden)]
pub use decode::decode_unguarded;
pub use decode::{
    DecodeError, EXTENSIONS, MAX_MEMORY, MAX_PIXELS, Pixels, decode, has_image_extension, peak_memory,
};
pub use heatmap::{ClassMap, heat_color, heatmap};
pub use preprocess::{normalise, square};
pub use texture::{Texture, texture};
