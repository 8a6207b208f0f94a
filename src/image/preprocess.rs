//! Pixels to the network's input tensor.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

use super::decode::Pixels;
use crate::spec::Input;

/// The upright square that the network gets, `side` x `side` pixels of 8-bit RGB.
pub fn square(pixels: &Pixels, input: &Input) -> RgbImage {
    let side = input.side() as u32;
    let (left, top, crop) = center_square(pixels);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let mut resized = RgbImage::new(side, side);
    let mut target = TypedImage::<U8x3>::from_buffer(side, side, &mut resized).expect("side x side pixels");
    let (width, height) = pixels.rgb.dimensions();
    let source = TypedImageRef::<U8x3>::from_buffer(width, height, &pixels.rgb);
    let source = source.expect("an RGB8 image holds its size");
    // A crop in the options would let the filter reach for the pixels around the square.
    let cropped = TypedCroppedImage::from_ref(&source, left, top, crop, crop);
    let cropped = cropped.expect("the centre square lies inside the image");
    // The typed call, because the untyped one adds 3 MB of code for other pixel types.
    Resizer::new().resize_typed(&cropped, &mut target, &options).expect("the options crop nothing");
    // Resampling is symmetric, so turning the small square equals turning the large image.
    let mut upright = DynamicImage::ImageRgb8(resized);
    upright.apply_orientation(pixels.orientation);
    upright.into_rgb8()
}

/// The network's input for a square: NCHW, `[1, 3, side, side]`, `(pixel - mean) / std`.
pub fn normalise(square: &RgbImage, input: &Input) -> Vec<f32> {
    let plane = square.as_raw().len() / 3;
    let mut tensor = Vec::with_capacity(3 * plane);
    for channel in 0..3 {
        let (mean, std) = (input.mean[channel], input.std[channel]);
        // Looking up one of 256 values is faster than dividing.
        let normalised: [f32; 256] = std::array::from_fn(|value| (value as f32 - mean) / std);
        let pixels = square.as_raw().chunks_exact(3);
        tensor.extend(pixels.map(|pixel| normalised[usize::from(pixel[channel])]));
    }
    tensor
}

/// Left, top and side of the centre square, in the coordinates of the stored image.
///
/// Where an odd pixel is left over, the square lies to the left or top of the *upright* image's centre.
/// In the stored image that is to the right or bottom, on an axis that turning upright reverses.
fn center_square(pixels: &Pixels) -> (u32, u32, u32) {
    use Orientation::{
        FlipHorizontal, FlipVertical, NoTransforms, Rotate90, Rotate90FlipH, Rotate180, Rotate270,
        Rotate270FlipH,
    };
    let (width, height) = pixels.rgb.dimensions();
    let side = width.min(height);
    let (x_reversed, y_reversed) = match pixels.orientation {
        NoTransforms | Rotate90FlipH => (false, false),
        FlipHorizontal | Rotate270 => (true, false),
        FlipVertical | Rotate90 => (false, true),
        Rotate180 | Rotate270FlipH => (true, true),
    };
    let offset =
        |left_over: u32, reversed: bool| if reversed { left_over.div_ceil(2) } else { left_over / 2 };
    (offset(width - side, x_reversed), offset(height - side, y_reversed), side)
}
