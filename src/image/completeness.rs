//! Whether a JPEG file goes on to its end.

/// Whether `bytes` begin a JPEG whose end-of-image marker is missing.
///
/// Walks the segments of ITU-T T.81 annex B, so that neither the end marker of an EXIF thumbnail
/// nor bytes after the picture count. Anything that is not a well-formed sequence of segments up
/// to the missing end is left to the decoder to judge.
pub(super) fn is_jpeg_cut_short(bytes: &[u8]) -> bool {
    const START_OF_IMAGE: [u8; 2] = [0xFF, 0xD8];
    const END_OF_IMAGE: u8 = 0xD9;
    const START_OF_SCAN: u8 = 0xDA;

    let Some(mut rest) = bytes.strip_prefix(&START_OF_IMAGE) else {
        return false;
    };
    loop {
        // Fill bytes (0xFF) may stand before any marker.
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

/// What follows the entropy-coded data, from the next real marker on.
fn after_entropy_coded_data(mut rest: &[u8]) -> &[u8] {
    // Inside the data 0xFF is stuffed with 0x00 or begins a restart marker.
    const STUFFED: u8 = 0x00;
    const RESTARTS: std::ops::RangeInclusive<u8> = 0xD0..=0xD7;
    while let Some(at) = rest.iter().position(|&b| b == 0xFF) {
        match rest.get(at + 1) {
            Some(&next) if next == STUFFED || RESTARTS.contains(&next) => rest = &rest[at + 2..],
            _ => return &rest[at..],
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::is_jpeg_cut_short;

    const LESION: &[u8] = include_bytes!("../../samples/lesion-1.jpg");

    #[test]
    fn every_proper_prefix_is_cut_short() {
        assert!(!is_jpeg_cut_short(LESION));
        for end in (2..LESION.len()).step_by(97).chain([LESION.len() - 2, LESION.len() - 1]) {
            assert!(is_jpeg_cut_short(&LESION[..end]), "first {end} bytes");
        }
    }

    #[test]
    fn bytes_after_the_end_do_not_matter() {
        assert!(!is_jpeg_cut_short(&[LESION, b"trailing \xFF\xDA\x00"].concat()));
    }

    #[test]
    fn the_end_marker_of_a_thumbnail_is_not_the_end() {
        let app1 = [0xFF, 0xE1, 0x00, 0x06, 0xFF, 0xD8, 0xFF, 0xD9];
        let (start, rest) = LESION.split_at(2);
        let with_thumbnail = [start, &app1, rest].concat();
        assert!(!is_jpeg_cut_short(&with_thumbnail));
        assert!(is_jpeg_cut_short(&with_thumbnail[..with_thumbnail.len() / 2]));
    }
}
