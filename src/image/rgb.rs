//! Stored pixels of any type to 8-bit RGB.

use image::ColorType;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channels {
    Gray,
    GrayAlpha,
    Rgb,
    Rgba,
    Cmyk,
}

/// The type of a sample: an integer of full range, or a number from 0 to 1. Bytes are in the machine's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    U8,
    U16,
    F32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PixelType {
    pub(super) channels: Channels,
    pub(super) depth: Depth,
}

impl PixelType {
    /// `None` for a type that a newer image crate has added.
    pub(super) fn of(color: ColorType) -> Option<Self> {
        use Channels::{Gray, GrayAlpha, Rgb, Rgba};
        use Depth::{F32, U8, U16};
        let (channels, depth) = match color {
            ColorType::L8 => (Gray, U8),
            ColorType::La8 => (GrayAlpha, U8),
            ColorType::Rgb8 => (Rgb, U8),
            ColorType::Rgba8 => (Rgba, U8),
            ColorType::L16 => (Gray, U16),
            ColorType::La16 => (GrayAlpha, U16),
            ColorType::Rgb16 => (Rgb, U16),
            ColorType::Rgba16 => (Rgba, U16),
            ColorType::Rgb32F => (Rgb, F32),
            ColorType::Rgba32F => (Rgba, F32),
            _ => return None,
        };
        Some(Self { channels, depth })
    }

    pub(super) fn bytes(self) -> usize {
        self.channels.count() * self.depth.bytes()
    }

    /// Converts as many pixels as both slices hold; alpha is laid on white.
    pub(super) fn convert(self, from: &[u8], to: &mut [u8]) {
        match self.depth {
            Depth::U8 => convert::<1>(self.channels, from, to, |[value]| value),
            Depth::U16 => convert::<2>(self.channels, from, to, |bytes| {
                ((u32::from(u16::from_ne_bytes(bytes)) + 128) / 257) as u8
            }),
            Depth::F32 => convert::<4>(self.channels, from, to, |bytes| {
                let value = f32::from_ne_bytes(bytes);
                // NaN becomes white, as in the image crate.
                let bounded = if value < 1.0 { value.max(0.0) } else { 1.0 };
                (bounded * 255.0).round() as u8
            }),
        }
    }

    /// Converts all pixels, in place where the result is not larger.
    pub(super) fn into_rgb(self, mut pixels: Vec<u8>) -> Vec<u8> {
        const PIXELS_AT_A_TIME: usize = 4096;
        let count = pixels.len() / self.bytes();
        if self.bytes() < 3 {
            let mut rgb = vec![0; 3 * count];
            self.convert(&pixels, &mut rgb);
            return rgb;
        }
        if self.channels == Channels::Rgb && self.depth == Depth::U8 {
            return pixels;
        }
        let mut block = Vec::with_capacity(PIXELS_AT_A_TIME * self.bytes());
        for first in (0..count).step_by(PIXELS_AT_A_TIME) {
            let end = count.min(first + PIXELS_AT_A_TIME);
            block.clear();
            block.extend_from_slice(&pixels[first * self.bytes()..end * self.bytes()]);
            self.convert(&block, &mut pixels[3 * first..3 * end]);
        }
        pixels.truncate(3 * count);
        pixels.shrink_to_fit();
        pixels
    }
}

impl Channels {
    pub(super) fn count(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }
}

impl Depth {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::F32 => 4,
        }
    }
}

fn convert<const BYTES: usize>(
    channels: Channels,
    from: &[u8],
    to: &mut [u8],
    eight: impl Fn([u8; BYTES]) -> u8 + Copy,
) {
    let (samples, _) = from.as_chunks::<BYTES>();
    match channels {
        Channels::Gray => each(samples, to, |[v]: [_; 1]| [eight(v); 3]),
        Channels::GrayAlpha => each(samples, to, |[v, a]| [on_white(eight(v), eight(a)); 3]),
        Channels::Rgb => each(samples, to, |rgb: [_; 3]| rgb.map(eight)),
        Channels::Rgba => each(samples, to, |[r, g, b, a]| [r, g, b].map(|v| on_white(eight(v), eight(a)))),
        Channels::Cmyk => {
            each(samples, to, |[c, m, y, k]| [c, m, y].map(|ink| without_ink(eight(ink), eight(k))));
        }
    }
}

fn each<S: Copy, const COUNT: usize>(samples: &[S], to: &mut [u8], rgb: impl Fn([S; COUNT]) -> [u8; 3]) {
    let ((from, _), (to, _)) = (samples.as_chunks::<COUNT>(), to.as_chunks_mut::<3>());
    for (to, from) in to.iter_mut().zip(from) {
        *to = rgb(*from);
    }
}

fn on_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

fn without_ink(ink: u8, black: u8) -> u8 {
    (u32::from(255 - ink) * u32::from(255 - black) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The RGB of one pixel, which must be the same from each depth.
    fn pixel(channels: Channels, values: &[u8]) -> [u8; 3] {
        let wide: Vec<u8> = values.iter().flat_map(|v| (u16::from(*v) * 257).to_ne_bytes()).collect();
        let numbers: Vec<u8> = values.iter().flat_map(|v| (f32::from(*v) / 255.0).to_ne_bytes()).collect();
        let mut rgb = [[0; 3]; 3];
        let stored = [(Depth::U8, values), (Depth::U16, &wide), (Depth::F32, &numbers)];
        for (to, (depth, from)) in rgb.iter_mut().zip(stored) {
            PixelType { channels, depth }.convert(from, to);
        }
        assert!(rgb[0] == rgb[1] && rgb[1] == rgb[2], "{channels:?} {values:?}: {rgb:?}");
        rgb[0]
    }

    #[test]
    fn channels_become_red_green_and_blue() {
        assert_eq!(pixel(Channels::Gray, &[7]), [7; 3]);
        assert_eq!(pixel(Channels::Rgb, &[1, 2, 3]), [1, 2, 3]);
        for (alpha, seen) in [(0, 255), (255, 10), (128, 132)] {
            assert_eq!(pixel(Channels::GrayAlpha, &[10, alpha]), [seen; 3]);
            assert_eq!(pixel(Channels::Rgba, &[10, 10, 255, alpha]), [seen, seen, 255]);
        }
        assert_eq!(pixel(Channels::Cmyk, &[0, 255, 128, 0]), [255, 0, 127]);
        assert_eq!(pixel(Channels::Cmyk, &[0, 255, 128, 255]), [0; 3]);
    }

    #[test]
    fn numbers_beyond_the_range_and_none_at_all_are_bounded() {
        let gray = PixelType { channels: Channels::Gray, depth: Depth::F32 };
        for (value, wanted) in [(-1.0, 0), (7.0, 255), (f32::INFINITY, 255), (f32::NAN, 255)] {
            let mut rgb = [0; 3];
            gray.convert(&value.to_ne_bytes(), &mut rgb);
            assert_eq!(rgb, [wanted; 3], "{value}");
        }
    }

    #[test]
    fn a_whole_picture_is_converted_as_its_pixels_are() {
        let count = 10_001;
        for channels in [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba, Channels::Cmyk] {
            for depth in [Depth::U8, Depth::U16] {
                let pixel_type = PixelType { channels, depth };
                let pixels: Vec<u8> = (0..count * pixel_type.bytes()).map(|n| (n * 31 % 251) as u8).collect();
                let mut wanted = vec![0; 3 * count];
                pixel_type.convert(&pixels, &mut wanted);
                assert!(pixel_type.into_rgb(pixels) == wanted, "{pixel_type:?}");
            }
        }
    }
}
