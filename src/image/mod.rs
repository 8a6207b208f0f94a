//! Encoded bytes to pixels to the network's input, within fixed bounds.

mod completeness;
mod decode;
mod preprocess;
mod reduced;

pub use decode::{DecodeError, MAX_DECODED_BYTES, MAX_PIXELS, Pixels, decode};
pub use preprocess::{square, to_tensor};
