//! How much memory a WebP takes to decode, from its chunks.
//! <https://developers.google.com/speed/webp/docs/riff_container>

use super::error::DecodeError;

/// Bytes that the decoder holds beside the pixels that it returns.
///
/// # Errors
/// When an image in the file is larger than the file's header has it: the decoder checks that only after decoding.
pub(super) fn memory(webp: &[u8], width: u32, height: u32) -> Result<u64, DecodeError> {
    let pixels = u64::from(width) * u64::from(height);
    // The chunks follow `RIFF`, a length and `WEBP`.
    let all: Vec<_> = chunks(webp.get(12..).unwrap_or_default()).collect();
    // The frames of an animation have chunks of their own after 16 bytes.
    let frames = all.iter().filter(|(name, _)| name == b"ANMF");
    let in_frames = frames.flat_map(|(_, frame)| chunks(frame.get(16..).unwrap_or_default()));
    let mut pictures = all.iter().copied().chain(in_frames).filter(|(name, _)| name == b"VP8 ");
    if pictures.any(|(_, picture)| lossy_pixels(picture) > pixels) {
        return Err(DecodeError::Damaged(format!(
            "the picture is larger than the {width}x{height} pixels of the header"
        )));
    }
    let has = |name: &[u8; 4]| all.iter().any(|chunk| chunk.0 == *name);
    let hundredths = if has(b"ANMF") {
        // The decoder holds the first frame and the canvas, both RGBA.
        800
    } else {
        // Lossless: RGBA, and a quarter of it for each transform. Lossy: Y, a quarter of U and a quarter of V. Alpha: RGBA,
        // and its green channel.
        [(b"VP8L", 500), (b"VP8 ", 150), (b"ALPH", 600)]
            .iter()
            .filter(|(name, _)| has(name))
            .map(|kind| kind.1)
            .sum()
    };
    Ok(pixels * hundredths / 100 + webp.len() as u64)
}

/// The size is in the frame header (RFC 6386, section 9.1).
fn lossy_pixels(picture: &[u8]) -> u64 {
    let side = |at: usize| {
        let bytes = picture.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, |bytes| u64::from(u16::from_le_bytes(bytes) & 0x3FFF))
    };
    side(6) * side(8)
}

/// Names and contents; the last content may be cut short.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (name, behind) = rest.split_first_chunk::<4>()?;
        let (length, content) = behind.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        // A chunk of odd length is padded.
        rest = content.get(length.saturating_add(length & 1)..).unwrap_or_default();
        Some((*name, content.get(..length).unwrap_or(content)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOSSY: &[u8] = include_bytes!("../../tests/goldens/inputs/lossy.webp");
    const LOSSLESS: &[u8] = include_bytes!("../../tests/goldens/inputs/lossless.webp");

    fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let padding = &[0][..content.len() & 1];
        [name, &(content.len() as u32).to_le_bytes()[..], content, padding].concat()
    }

    fn webp(chunks: &[Vec<u8>]) -> Vec<u8> {
        let chunks = chunks.concat();
        [b"RIFF", &(chunks.len() as u32 + 4).to_le_bytes()[..], b"WEBP", &chunks].concat()
    }

    #[test]
    fn each_kind_has_buffers_of_its_own() {
        let pixels = 61 * 48;
        for (file, wanted) in [(LOSSY, pixels * 3 / 2), (LOSSLESS, pixels * 5)] {
            assert_eq!(memory(file, 61, 48).expect("a picture"), wanted + file.len() as u64);
        }
        let frames: Vec<_> = (0..9).map(|_| chunk(b"ANMF", &[0; 24])).collect();
        let file = webp(&frames);
        assert_eq!(memory(&file, 61, 48).expect("a picture"), pixels * 8 + file.len() as u64);
        let file = webp(&[chunk(b"ALPH", &[7; 3]), chunk(b"VP8 ", &[0; 20])]);
        assert_eq!(memory(&file, 10, 10).expect("a picture"), 750 + file.len() as u64);
    }

    #[test]
    fn a_picture_larger_than_it_should_be_is_refused_in_a_frame_too() {
        let large = chunk(b"VP8 ", &[0, 0, 0, 0x9D, 1, 0x2A, 0xFF, 0x3F, 0xFF, 0x3F, 0]);
        let frame = chunk(b"ANMF", &[&[0; 16], &large[..]].concat());
        for chunks in [large, frame] {
            let refused = memory(&webp(&[chunk(b"VP8X", &[0; 10]), chunks]), 100, 100);
            assert!(matches!(refused, Err(DecodeError::Damaged(_))), "{refused:?}");
        }
    }

    proptest! {
        #[test]
        fn damaged_chunks_are_counted_or_refused(
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            end in any::<prop::sample::Index>(),
        ) {
            let mut file = LOSSY.to_vec();
            for (at, byte) in flips {
                let at = at.index(file.len());
                file[at] = byte;
            }
            let _ = memory(&file[..end.index(file.len() + 1)], 61, 48);
        }
    }
}
