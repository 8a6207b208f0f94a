//! What a JPEG's headers say of the memory that it takes to decode.

/// What the header of a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) components: u8,
    progressive: bool,
    /// 8x8 blocks of all components.
    blocks: u64,
    /// How many components the first scan has.
    in_first_scan: u8,
}

impl Frame {
    /// Bytes that a decoder keeps until the last scan of the picture has come: 64 coefficients of two bytes a block.
    /// With one scan it makes pixels of them as they come.
    pub(super) fn coefficients(&self) -> u64 {
        if self.progressive || self.in_first_scan < self.components { self.blocks * 64 * 2 } else { 0 }
    }

    /// Bytes of the pixels with all their components.
    pub(super) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * u64::from(self.components)
    }
}

/// The frame of a JPEG up to its first scan. `None` if that is not well formed.
pub(super) fn frame(jpeg: &[u8]) -> Option<Frame> {
    let mut found = None;
    for (marker, segment) in segments(jpeg) {
        match marker {
            START_OF_SCAN => return Some(Frame { in_first_scan: *segment.first()?, ..found? }),
            // Several frames make a hierarchical picture, which no decoder here reads.
            _ if is_frame(marker) && found.is_some() => return None,
            _ if is_frame(marker) => found = Some(header(segment, marker)?),
            _ => {}
        }
    }
    None
}

/// Whether there is a frame header, as there must not be among the tables that JPEGs share.
pub(super) fn has_frame(tables: &[u8]) -> bool {
    segments(tables).any(|(marker, _)| is_frame(marker))
}

const START_OF_SCAN: u8 = 0xDA;

fn is_frame(marker: u8) -> bool {
    // In between stand Huffman tables, a reserved marker and arithmetic conditioning.
    matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC)
}

/// Markers and what their segments hold (ITU-T T.81 annex B), up to the first scan, the end or what is not well formed.
fn segments(jpeg: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = jpeg.strip_prefix(&[0xFF, 0xD8]);
    std::iter::from_fn(move || {
        // Nothing is left behind a scan, or when this returns early.
        let mut bytes = rest.take()?;
        loop {
            // Fill bytes (0xFF) may stand before any marker.
            let at = bytes.iter().position(|byte| *byte != 0xFF).filter(|at| *at > 0)?;
            let (marker, after) = (bytes[at], &bytes[at + 1..]);
            // These have no length, and the last is the end.
            if matches!(marker, 0x01 | 0xD0..=0xD7) {
                bytes = after;
                continue;
            } else if marker == 0xD9 {
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
    // A minimum coded unit has as many blocks of a component as its factors say.
    let widest = factors.clone().map(|(across, _)| across).max()?.max(1);
    let highest = factors.clone().map(|(_, down)| down).max()?.max(1);
    let units =
        u64::from(width.div_ceil(8 * u16::from(widest))) * u64::from(height.div_ceil(8 * u16::from(highest)));
    let blocks: u64 = factors.map(|(across, down)| u64::from(across) * u64::from(down)).sum();
    Some(Frame {
        width,
        height,
        components: *components,
        // Every fourth kind, from SOF2 on.
        progressive: marker & 3 == 2,
        blocks: units * blocks,
        in_first_scan: 0,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASELINE: &[u8] = include_bytes!("../../tests/goldens/inputs/420.jpg");
    const PROGRESSIVE: &[u8] = include_bytes!("../../tests/goldens/inputs/420-progressive.jpg");
    const FULL_CHROMA: &[u8] = include_bytes!("../../tests/goldens/inputs/444-progressive.jpg");

    #[test]
    fn only_a_picture_that_comes_in_several_scans_is_kept_as_coefficients() {
        let frames = [BASELINE, PROGRESSIVE, FULL_CHROMA].map(|jpeg| frame(jpeg).expect("a frame"));
        for frame in frames {
            assert_eq!((frame.width, frame.height, frame.components), (260, 201, 3));
            assert_eq!(frame.pixels(), 260 * 201 * 3);
        }
        // 17x13 units of 16x16 pixels with 6 blocks each, and 33x26 of 8x8 pixels with 3.
        let kept = [0, 17 * 13 * 6 * 128, 33 * 26 * 3 * 128];
        assert_eq!(frames.map(|frame| frame.coefficients()), kept);
    }

    #[test]
    fn a_component_that_comes_alone_leaves_the_others_waiting() {
        let frame_header = [0xFF, 0xC0, 0, 17, 8, 0, 16, 0, 8, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
        let scan = |components: u8| [0xFF, 0xDA, 0, 6, components, 0, 0, 0];
        let kept = |components| {
            let jpeg = [&[0xFF, 0xD8], &frame_header[..], &scan(components)].concat();
            frame(&jpeg).expect("a frame").coefficients()
        };
        assert_eq!([1, 2, 3].map(kept), [768, 768, 0]);
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
                let _ = (frame.coefficients(), frame.pixels());
            }
        }
    }
}
