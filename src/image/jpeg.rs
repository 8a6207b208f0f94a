//! JPEG files: what their headers say, whether they are complete, and decoding at a half or a quarter of the size.

use std::ops::RangeInclusive;

use image::RgbImage;
use jpeg_decoder::{Decoder, PixelFormat};

use super::limits::MAX_MEMORY;

const START_OF_IMAGE: [u8; 2] = [0xFF, 0xD8];
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;
const RESTARTS: RangeInclusive<u8> = 0xD0..=0xD7;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) components: u8,
    progressive: bool,
    /// 8x8 blocks of all components.
    blocks: u64,
    components_in_first_scan: u8,
}

impl Frame {
    /// Bytes that a decoder keeps until the last scan: 64 coefficients of two bytes per block. With a single scan it
    /// makes pixels of them at once.
    pub(super) fn coefficient_bytes(&self) -> u64 {
        if self.progressive || self.components_in_first_scan < self.components {
            self.blocks * 64 * 2
        } else {
            0
        }
    }

    pub(super) fn decoded_bytes(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * u64::from(self.components)
    }
}

/// The headers up to the first scan. `None` if they are not well-formed.
pub(super) fn frame(jpeg: &[u8]) -> Option<Frame> {
    let mut found = None;
    for (marker, segment) in segments(jpeg) {
        match marker {
            START_OF_SCAN => return Some(Frame { components_in_first_scan: *segment.first()?, ..found? }),
            // Only hierarchical JPEGs have several frames, and no decoder here reads those.
            _ if is_frame(marker) && found.is_some() => return None,
            _ if is_frame(marker) => found = Some(header(segment, marker)?),
            _ => {}
        }
    }
    None
}

/// The tables that JPEGs share, as in TIFF, must not have a frame.
pub(super) fn has_frame(tables: &[u8]) -> bool {
    segments(tables).any(|(marker, _)| is_frame(marker))
}

fn is_frame(marker: u8) -> bool {
    // The exceptions are Huffman tables, a reserved marker and arithmetic conditioning.
    matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC)
}

/// Markers and the content of their segments (ITU-T T.81 annex B), up to the first scan, the end or an ill-formed one.
fn segments(jpeg: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = jpeg.strip_prefix(&START_OF_IMAGE);
    std::iter::from_fn(move || {
        // Taken, so that the iterator ends after a scan or an early return.
        let mut bytes = rest.take()?;
        loop {
            // Fill bytes (0xFF) may precede any marker.
            let at = bytes.iter().position(|byte| *byte != 0xFF).filter(|at| *at > 0)?;
            let (marker, after) = (bytes[at], &bytes[at + 1..]);
            // These markers have no segment.
            if marker == 0x01 || RESTARTS.contains(&marker) {
                bytes = after;
                continue;
            } else if marker == END_OF_IMAGE {
                return None;
            }
            let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
            let segment = after.get(2..length)?;
            rest = Some(&after[length..]).filter(|_| marker != START_OF_SCAN);
            return Some((marker, segment));
        }
    })
}

fn header(segment: &[u8], marker: u8) -> Option<Frame> {
    let [_, h0, h1, w0, w1, components, sampling @ ..] = segment else { return None };
    let (width, height) = (u16::from_be_bytes([*w0, *w1]), u16::from_be_bytes([*h0, *h1]));
    let sampling = sampling.get(..3 * usize::from(*components))?;
    let factors = sampling.chunks_exact(3).map(|component| (component[1] >> 4, component[1] & 15));
    // A minimum coded unit has across x down blocks of each component.
    let widest = factors.clone().map(|(across, _)| across).max()?.max(1);
    let highest = factors.clone().map(|(_, down)| down).max()?.max(1);
    let units =
        u64::from(width.div_ceil(8 * u16::from(widest))) * u64::from(height.div_ceil(8 * u16::from(highest)));
    let blocks: u64 = factors.map(|(across, down)| u64::from(across) * u64::from(down)).sum();
    Some(Frame {
        width,
        height,
        components: *components,
        // The markers SOF2, SOF6, SOF10 and SOF14.
        progressive: marker & 3 == 2,
        blocks: units * blocks,
        components_in_first_scan: 0,
    })
}

/// Whether `bytes` begin a JPEG whose end-of-image marker is missing.
///
/// Walks the segments (ITU-T T.81 annex B), so that neither the end marker of an EXIF thumbnail nor bytes after
/// the image count. A sequence that is not well-formed up to the missing end is left to the decoder.
pub(super) fn is_cut_short(bytes: &[u8]) -> bool {
    let Some(mut rest) = bytes.strip_prefix(&START_OF_IMAGE) else {
        return false;
    };
    loop {
        let Some(at) = rest.iter().position(|&b| b != 0xFF) else {
            return true;
        };
        if at == 0 {
            return false;
        }
        let marker = rest[at];
        rest = &rest[at + 1..];
        if marker == END_OF_IMAGE {
            return false;
        }
        let Some(segment_length) = rest.first_chunk().map(|&b| usize::from(u16::from_be_bytes(b))) else {
            return true;
        };
        let Some(after) = rest.get(segment_length..) else {
            return true;
        };
        rest = if marker == START_OF_SCAN { after_entropy_coded_data(after) } else { after };
    }
}

fn after_entropy_coded_data(mut rest: &[u8]) -> &[u8] {
    // Inside the data 0xFF is stuffed with 0x00 or begins a restart marker.
    const STUFFED: u8 = 0x00;
    while let Some(at) = rest.iter().position(|&b| b == 0xFF) {
        match rest.get(at + 1) {
            Some(&next) if next == STUFFED || RESTARTS.contains(&next) => rest = &rest[at + 2..],
            _ => return &rest[at..],
        }
    }
    &[]
}

/// A reduced image is at least so many times as wide and high as the square: then the resize, which
/// averages, removes most of the decoder's rounding.
const AT_LEAST: u32 = 3;

/// An eighth would save no more time than a quarter, and jpeg-decoder 0.3 rounds its colours down
/// by half a level.
const DIVISORS: [u32; 2] = [4, 2];

/// The JPEG in `encoded`, reduced as far as a square of `side` pixels allows. `None` if it cannot be
/// reduced, is neither RGB nor gray, or cannot be decoded.
///
/// The inverse DCT of an 8x8 block yields 4x4 or 2x2 pixels when it is given the coefficients of
/// the low frequencies alone, which also saves most of the work on pixels.
pub(super) fn decode_reduced(encoded: &[u8], side: usize) -> Option<RgbImage> {
    let mut decoder = Decoder::new(encoded);
    decoder.read_info().ok()?;
    let info = decoder.info()?;
    let shorter = u32::from(info.width.min(info.height));
    let enough = u32::try_from(side).ok()?.checked_mul(AT_LEAST)?;
    let divisor = DIVISORS.into_iter().find(|divisor| shorter / divisor >= enough)?;
    let scaled = |length: u16| length.div_ceil(divisor as u16);
    let (width, height) = decoder.scale(scaled(info.width), scaled(info.height)).ok()?;
    decoder.set_max_decoding_buffer_size(MAX_MEMORY as usize);
    let rgb = match info.pixel_format {
        PixelFormat::RGB24 => decoder.decode().ok()?,
        PixelFormat::L8 => decoder.decode().ok()?.into_iter().flat_map(|gray| [gray; 3]).collect(),
        PixelFormat::L16 | PixelFormat::CMYK32 => return None,
    };
    RgbImage::from_raw(width.into(), height.into(), rgb)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASELINE: &[u8] = include_bytes!("../../tests/goldens/inputs/420.jpg");
    const PROGRESSIVE: &[u8] = include_bytes!("../../tests/goldens/inputs/420-progressive.jpg");
    const FULL_CHROMA: &[u8] = include_bytes!("../../tests/goldens/inputs/444-progressive.jpg");

    const LESION: &[u8] = include_bytes!("../../samples/lesion-1.jpg");

    #[test]
    fn only_a_picture_that_comes_in_several_scans_is_kept_as_coefficients() {
        let frames = [BASELINE, PROGRESSIVE, FULL_CHROMA].map(|jpeg| frame(jpeg).expect("a frame"));
        for frame in frames {
            assert_eq!((frame.width, frame.height, frame.components), (260, 201, 3));
            assert_eq!(frame.decoded_bytes(), 260 * 201 * 3);
        }
        // 17x13 units of 16x16 pixels with 6 blocks each, and 33x26 of 8x8 pixels with 3.
        let kept = [0, 17 * 13 * 6 * 128, 33 * 26 * 3 * 128];
        assert_eq!(frames.map(|frame| frame.coefficient_bytes()), kept);
    }

    #[test]
    fn a_component_that_comes_alone_leaves_the_others_waiting() {
        let frame_header = [0xFF, 0xC0, 0, 17, 8, 0, 16, 0, 8, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
        let scan = |components: u8| [0xFF, 0xDA, 0, 6, components, 0, 0, 0];
        let kept = |components| {
            let jpeg = [&[0xFF, 0xD8], &frame_header[..], &scan(components)].concat();
            frame(&jpeg).expect("a frame").coefficient_bytes()
        };
        assert_eq!([1, 2, 3].map(kept), [768, 768, 0]);
    }

    #[test]
    fn every_proper_prefix_is_cut_short() {
        assert!(!is_cut_short(LESION));
        for end in (2..LESION.len()).step_by(97).chain([LESION.len() - 2, LESION.len() - 1]) {
            assert!(is_cut_short(&LESION[..end]), "first {end} bytes");
        }
    }

    #[test]
    fn bytes_after_the_end_do_not_matter() {
        assert!(!is_cut_short(&[LESION, b"trailing \xFF\xDA\x00"].concat()));
    }

    #[test]
    fn the_end_marker_of_a_thumbnail_is_not_the_end() {
        let app1 = [0xFF, 0xE1, 0x00, 0x06, 0xFF, 0xD8, 0xFF, 0xD9];
        let (start, rest) = LESION.split_at(2);
        let with_thumbnail = [start, &app1, rest].concat();
        assert!(!is_cut_short(&with_thumbnail));
        assert!(is_cut_short(&with_thumbnail[..with_thumbnail.len() / 2]));
    }

    proptest! {
        #[test]
        fn damaged_headers_give_a_frame_or_none(
            flips in prop::collection::vec((0..700_usize, any::<u8>()), 0..6),
            end in 0..1000_usize,
        ) {
            let mut jpeg = PROGRESSIVE[..end].to_vec();
            for (at, byte) in flips {
                if let Some(place) = jpeg.get_mut(at) {
                    *place = byte;
                }
            }
            if let Some(frame) = frame(&jpeg) {
                let _ = (frame.coefficient_bytes(), frame.decoded_bytes());
            }
        }
    }
}
