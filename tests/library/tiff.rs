//! TIFFs as they come: palettes, planes, strips and tiles, and those that lie about their size.

use image::{Rgb, RgbImage};
use proptest::prelude::*;
use skinclf::image::{DecodeError, decode, peak_memory};

/// Of the square that a picture is decoded for.
const SIDE: usize = 224;

const WIDTH: u32 = 20;
const HEIGHT: u32 = 18;

const WIDTH_TAG: u16 = 256;
const BITS: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const STRIP_OFFSETS: u16 = 273;
const SAMPLES: u16 = 277;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_LENGTHS: u16 = 279;
const PLANAR: u16 = 284;
const COLOR_MAP: u16 = 320;
const TILE_WIDTH: u16 = 322;
const TILE_HEIGHT: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_LENGTHS: u16 = 325;
const EXTRA_SAMPLES: u16 = 338;

/// Fields and what they hold; the offsets and lengths of the chunks come by themselves.
struct Tiff {
    big_endian: bool,
    fields: Vec<(u16, Vec<u32>)>,
    chunks: Vec<Vec<u8>>,
}

impl Tiff {
    fn number(&self, value: u32, bytes: usize) -> Vec<u8> {
        if self.big_endian {
            value.to_be_bytes()[4 - bytes..].to_vec()
        } else {
            value.to_le_bytes()[..bytes].to_vec()
        }
    }

    fn bytes(mut self) -> Vec<u8> {
        let tiled = self.fields.iter().any(|field| field.0 == TILE_WIDTH);
        let (offsets, lengths) =
            if tiled { (TILE_OFFSETS, TILE_LENGTHS) } else { (STRIP_OFFSETS, STRIP_LENGTHS) };
        let ends = self.chunks.iter().scan(8, |end, chunk| {
            *end += chunk.len() as u32;
            Some(*end)
        });
        let directory = 8 + self.chunks.iter().map(Vec::len).sum::<usize>() as u32;
        let starts = ends.zip(&self.chunks).map(|(end, chunk)| end - chunk.len() as u32).collect();
        self.fields.push((offsets, starts));
        self.fields.push((lengths, self.chunks.iter().map(|chunk| chunk.len() as u32).collect()));
        self.fields.sort();

        let mut file = if self.big_endian { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        file.extend(self.number(directory, 4));
        file.extend(self.chunks.concat());
        file.extend(self.number(self.fields.len() as u32, 2));
        let mut behind = Vec::new();
        for (tag, values) in &self.fields {
            // SHORT, but for those that can be large.
            let long = [WIDTH_TAG, TILE_WIDTH, TILE_HEIGHT, offsets, lengths].contains(tag);
            let (kind, width) = if long { (4, 4) } else { (3, 2) };
            file.extend(
                [self.number((*tag).into(), 2), self.number(kind, 2), self.number(values.len() as u32, 4)]
                    .concat(),
            );
            let mut held: Vec<u8> = values.iter().flat_map(|value| self.number(*value, width)).collect();
            if held.len() > 4 {
                let at = directory + 2 + 12 * self.fields.len() as u32 + 4 + behind.len() as u32;
                behind.extend(held);
                held = self.number(at, 4);
            }
            held.resize(4, 0);
            file.extend(held);
        }
        file.extend([0; 4]);
        file.extend(behind);
        file
    }
}

fn tiff(fields: &[(u16, &[u32])], chunks: Vec<Vec<u8>>) -> Tiff {
    let size = [(WIDTH_TAG, vec![WIDTH]), (257, vec![HEIGHT])];
    let fields = fields.iter().map(|(tag, values)| (*tag, values.to_vec()));
    Tiff { big_endian: false, fields: size.into_iter().chain(fields).collect(), chunks }
}

fn picture() -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| Rgb([x as u8 * 12, y as u8 * 14, (x * y) as u8]))
}

/// The samples of 16x16 tiles, those of `channels`; beyond the picture all is 99.
fn tiles(channels: &[usize]) -> Vec<Vec<u8>> {
    let picture = picture();
    let sample =
        |x: u32, y: u32, channel: usize| picture.get_pixel_checked(x, y).map_or(99, |pixel| pixel.0[channel]);
    let corners = [(0, 0), (16, 0), (0, 16), (16, 16)];
    corners
        .map(|(left, top)| {
            let places = (top..top + 16).flat_map(|y| (left..left + 16).map(move |x| (x, y)));
            places.flat_map(|(x, y)| channels.iter().map(move |channel| sample(x, y, *channel))).collect()
        })
        .to_vec()
}

fn planar_tiles() -> Tiff {
    let planes = [tiles(&[0]), tiles(&[1]), tiles(&[2])].concat();
    tiff(
        &[
            (BITS, &[8; 3]),
            (PHOTOMETRIC, &[2]),
            (SAMPLES, &[3]),
            (PLANAR, &[2]),
            (TILE_WIDTH, &[16]),
            (TILE_HEIGHT, &[16]),
        ],
        planes,
    )
}

#[test]
fn planes_in_tiles_are_read() {
    let pixels = decode(&planar_tiles().bytes(), SIDE).expect("a picture");
    assert!(pixels.rgb == picture());
}

#[test]
fn strips_tiles_and_planes_hold_the_same_picture() {
    let rgb: &[(u16, &[u32])] = &[(BITS, &[8; 3]), (PHOTOMETRIC, &[2]), (SAMPLES, &[3])];
    let raw = picture().into_raw();
    let rows = |rows: usize| raw.chunks(3 * WIDTH as usize * rows).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let plane = |channel: usize| raw.iter().skip(channel).step_by(3).copied().collect::<Vec<u8>>();
    let files = [
        tiff(&[rgb, &[(ROWS_PER_STRIP, &[HEIGHT])]].concat(), rows(18)),
        tiff(&[rgb, &[(ROWS_PER_STRIP, &[65535])]].concat(), rows(18)),
        tiff(&[rgb, &[(ROWS_PER_STRIP, &[7])]].concat(), rows(7)),
        tiff(&[rgb, &[(TILE_WIDTH, &[16]), (TILE_HEIGHT, &[16])]].concat(), tiles(&[0, 1, 2])),
        tiff(&[rgb, &[(PLANAR, &[2]), (ROWS_PER_STRIP, &[HEIGHT])]].concat(), (0..3).map(plane).collect()),
    ];
    for (n, file) in files.into_iter().enumerate() {
        let pixels = decode(&file.bytes(), SIDE).unwrap_or_else(|e| panic!("file {n}: {e}"));
        assert!(pixels.rgb == picture(), "file {n}");
    }
}

#[test]
fn wide_samples_of_either_byte_order_become_8_bits() {
    for big_endian in [false, true] {
        let picture = picture();
        let deep = picture.iter().flat_map(|v| {
            let wide = u16::from(*v) * 257;
            if big_endian { wide.to_be_bytes() } else { wide.to_le_bytes() }
        });
        let fields: &[(u16, &[u32])] =
            &[(BITS, &[16; 3]), (PHOTOMETRIC, &[2]), (SAMPLES, &[3]), (ROWS_PER_STRIP, &[HEIGHT])];
        let file = Tiff { big_endian, ..tiff(fields, vec![deep.collect()]) };
        assert!(decode(&file.bytes(), SIDE).expect("a picture").rgb == picture);
    }
    let numbers = picture().iter().flat_map(|v| (f32::from(*v) / 255.0).to_le_bytes()).collect();
    let fields: &[(u16, &[u32])] = &[
        (BITS, &[32; 3]),
        (PHOTOMETRIC, &[2]),
        (SAMPLES, &[3]),
        (ROWS_PER_STRIP, &[HEIGHT]),
        (339, &[3; 3]),
    ];
    assert!(decode(&tiff(fields, vec![numbers]).bytes(), SIDE).expect("a picture").rgb == picture());
}

/// A palette of so many bits with colours of 16, and the index of each pixel.
fn palette(bits: u32, big_endian: bool) -> (Tiff, RgbImage) {
    let count = 1_u32 << bits;
    let index = |x: u32, y: u32| (x * 7 + y * 5) % count;
    let color = |index: u32| [0, 1, 2].map(|channel| (index * 40 + channel * 77 + 9) as u8);
    let row = |y| {
        let mut row = vec![0_u8; (WIDTH * bits).div_ceil(8) as usize];
        for x in 0..WIDTH {
            let at = x * bits;
            row[(at / 8) as usize] |= (index(x, y) << (8 - bits - at % 8)) as u8;
        }
        row
    };
    let map: Vec<u32> =
        (0..3).flat_map(|channel| (0..count).map(move |n| u32::from(color(n)[channel]) * 256)).collect();
    let fields: &[(u16, &[u32])] =
        &[(BITS, &[bits]), (PHOTOMETRIC, &[3]), (SAMPLES, &[1]), (ROWS_PER_STRIP, &[5]), (COLOR_MAP, &map)];
    let rows: Vec<Vec<u8>> = (0..HEIGHT).map(row).collect();
    let file = Tiff { big_endian, ..tiff(fields, rows.chunks(5).map(<[_]>::concat).collect()) };
    (file, RgbImage::from_fn(WIDTH, HEIGHT, |x, y| Rgb(color(index(x, y)))))
}

#[test]
fn palettes_are_read() {
    for bits in [1, 2, 4, 8] {
        for big_endian in [false, true] {
            let (file, wanted) = palette(bits, big_endian);
            let pixels = decode(&file.bytes(), SIDE).unwrap_or_else(|e| panic!("{bits} bits: {e}"));
            assert!(pixels.rgb == wanted, "{bits} bits");
        }
    }
}

#[test]
fn a_palette_without_its_colours_is_damaged() {
    let (mut file, _) = palette(4, false);
    file.fields.retain(|field| field.0 != COLOR_MAP);
    assert!(matches!(decode(&file.bytes(), SIDE), Err(DecodeError::Damaged(_))));
}

#[test]
fn what_is_larger_inside_than_the_picture_is_refused() {
    let rgba: &[(u16, &[u32])] =
        &[(BITS, &[8; 5]), (PHOTOMETRIC, &[2]), (SAMPLES, &[5]), (EXTRA_SAMPLES, &[2, 0])];
    // A tile of gigabytes.
    let tile = tiff(&[rgba, &[(TILE_WIDTH, &[1 << 30]), (TILE_HEIGHT, &[32])]].concat(), vec![vec![0; 64]]);
    // A picture of 100 megapixels in a strip of 360.
    let large = [0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0x27, 0x10, 0x27, 0x10, 1, 1, 0x11, 0];
    let jpeg = [&large[..], &[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0xFF, 0xD9]].concat();
    let fields: &[(u16, &[u32])] =
        &[(BITS, &[8]), (PHOTOMETRIC, &[1]), (COMPRESSION, &[7]), (ROWS_PER_STRIP, &[HEIGHT])];
    let strip = tiff(fields, vec![jpeg]);
    // Two million values to a field.
    let mut offsets =
        tiff(&[(BITS, &[8]), (PHOTOMETRIC, &[1]), (ROWS_PER_STRIP, &[HEIGHT])], vec![vec![0; 360]]);
    offsets.fields.push((333, vec![0; 2 << 20]));
    for (file, wanted) in [(tile, "image_too_large"), (strip, "decode_failed"), (offsets, "decode_failed")] {
        let file = file.bytes();
        let refused = decode(&file, SIDE).expect_err("it is refused");
        assert_eq!(refused.code(), wanted, "{refused}");
        assert_eq!(peak_memory(&file).expect_err("it is refused").to_string(), refused.to_string());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_tiffs_give_an_error_or_a_picture(
        kind in 0..5_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_directory in any::<bool>(),
    ) {
        let mut file = match kind {
            0 => planar_tiles().bytes(),
            n => palette(1 << (n - 1), n % 2 == 0).0.bytes(),
        };
        // The directory follows the pixels.
        let pixels = file.len() - 300.min(file.len());
        for (at, byte) in changes {
            let at = if in_directory { pixels + at.index(file.len() - pixels) } else { at.index(file.len()) };
            file[at] = byte;
        }
        let decoded = decode(&file, SIDE);
        if let Err(DecodeError::Damaged(message)) = &decoded {
            prop_assert!(!message.contains("decoder failed on it"), "{}", message);
        }
        if decoded.is_ok() {
            prop_assert!(peak_memory(&file).is_ok());
        }
    }
}
