//! TIFF, decoded one strip or tile at a time, so that 16-bit, planar and palette images are never held whole as stored.

use std::borrow::Cow;
use std::io::{Cursor, ErrorKind};

use ::tiff::decoder::{ChunkType, Decoder, Limits};
use ::tiff::tags::{CompressionMethod, PlanarConfiguration, SampleFormat, Tag};
use ::tiff::{ColorType, TiffError};
use image::RgbImage;
use image::metadata::Orientation;

use super::error::DecodeError;
use super::jpeg;
use super::rgb::{Channels, Depth, PixelType};

/// Values of a field that are read at most. The longest fields of legitimate images are offsets of tiles: 64
/// megapixels in planes of 16x16 pixels have a million.
const MAX_VALUES: u64 = 1 << 20;

type Reader<'a> = Decoder<Cursor<Cow<'a, [u8]>>>;

/// An opened TIFF: the header is checked, no pixel is read.
pub(super) struct Tiff<'a> {
    decoder: Reader<'a>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) orientation: Orientation,
    /// Bytes that decoding holds at once.
    pub(super) memory: u64,
    kind: Kind,
    grid: Grid,
}

enum Kind {
    Whole(PixelType),
    /// Gray levels of 1, 2 or 4 bits.
    Bits(u8),
    /// Bits of an index, and the colours.
    Palette(u8, Vec<[u8; 3]>),
}

/// Strips, which are as wide as the image, or tiles; the same for each plane.
#[derive(Clone, Copy)]
struct Grid {
    width: u32,
    height: u32,
    across: u32,
    down: u32,
    planes: u32,
}

impl<'a> Tiff<'a> {
    pub(super) fn open(encoded: &'a [u8]) -> Result<Self, DecodeError> {
        refuse_long_fields(encoded)?;
        let gray = as_gray(encoded);
        let is_palette = gray.is_some();
        let copied = gray.as_ref().map_or(0, |copy| copy.len() as u64);
        let bytes = gray.map_or(Cow::Borrowed(encoded), Cow::Owned);
        let mut decoder = Decoder::new(Cursor::new(bytes))?;
        let (width, height) = decoder.dimensions()?;
        let kind = Kind::of(&mut decoder, is_palette)?;
        let grid = Grid::of(&mut decoder, kind.channels())?;
        let orientation = decoder.find_tag_unsigned(Tag::Orientation).ok().flatten();
        let orientation = orientation.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms);
        let rgb = (u64::from(width) * u64::from(height)).saturating_mul(3);
        let held = copied.saturating_add(rgb).saturating_add(grid.memory(&mut decoder, encoded)?);
        Ok(Self { decoder, width, height, orientation, memory: held, kind, grid })
    }

    pub(super) fn read(mut self) -> Result<RgbImage, DecodeError> {
        // The limit was checked with `memory`.
        self.decoder = self.decoder.with_limits(Limits::unlimited());
        let mut picture = RgbImage::new(self.width, self.height);
        let Grid { across, down, planes, .. } = self.grid;
        let cells = across * down;
        let mut stored = vec![Vec::new(); planes as usize];
        let mut row = Vec::new();
        for cell in 0..cells {
            let mut stride = 0;
            for (plane, bytes) in (0..).zip(&mut stored) {
                stride = read_chunk(&mut self.decoder, plane * cells + cell, bytes)?;
            }
            let (left, top) = (cell % across * self.grid.width, cell / across * self.grid.height);
            let right = self.width.min(left.saturating_add(self.grid.width));
            let bottom = self.height.min(top.saturating_add(self.grid.height));
            for y in top..bottom {
                let start = (y - top) as usize * stride;
                let rows = stored.iter().map(|plane| plane.get(start..start + stride));
                let rows: Option<Vec<&[u8]>> = rows.collect();
                let rows = rows.ok_or_else(|| damaged("a strip or tile is too short"))?;
                let at = |x: u32| 3 * (y as usize * self.width as usize + x as usize);
                let pixels: &mut [u8] = &mut picture;
                self.kind.convert(&rows, &mut row, &mut pixels[at(left)..at(right)]);
            }
        }
        Ok(picture)
    }
}

/// Reads a strip or tile of one plane; returns the bytes per row.
fn read_chunk(decoder: &mut Reader<'_>, chunk: u32, bytes: &mut Vec<u8>) -> Result<usize, DecodeError> {
    let layout = decoder.image_chunk_buffer_layout(chunk)?;
    bytes.resize(layout.len, 0);
    decoder.read_chunk_bytes(chunk, bytes)?;
    Ok(layout.row_stride.map_or(0, usize::from))
}

impl Kind {
    fn of(decoder: &mut Reader<'_>, is_palette: bool) -> Result<Self, DecodeError> {
        let color = decoder.colortype()?;
        let unsupported = || DecodeError::Unsupported(format!("a TIFF with the colours {color:?}"));
        if is_palette {
            let ColorType::Gray(bits @ (1 | 2 | 4 | 8)) = color else { return Err(unsupported()) };
            return Ok(Self::Palette(bits, palette(decoder, bits)?));
        }
        let channels = match color {
            ColorType::Gray(bits @ (1 | 2 | 4)) => return Ok(Self::Bits(bits)),
            ColorType::Gray(_) => Channels::Gray,
            ColorType::RGB(_) => Channels::Rgb,
            ColorType::RGBA(_) => Channels::Rgba,
            ColorType::CMYK(_) => Channels::Cmyk,
            _ => return Err(unsupported()),
        };
        let format: Option<Vec<u16>> = decoder.find_tag_unsigned_vec(Tag::SampleFormat)?;
        let format =
            format.and_then(|all| SampleFormat::from_u16(*all.first()?)).unwrap_or(SampleFormat::Uint);
        let depth = match (color.bit_depth(), format) {
            (8, SampleFormat::Uint) => Depth::U8,
            (16, SampleFormat::Uint) => Depth::U16,
            (32, SampleFormat::IEEEFP) => Depth::F32,
            (bits, format) => {
                let what = format!("a TIFF with samples of {bits} bits ({format:?})");
                return Err(DecodeError::Unsupported(what));
            }
        };
        Ok(Self::Whole(PixelType { channels, depth }))
    }

    fn channels(&self) -> usize {
        match self {
            Self::Whole(pixel_type) => pixel_type.channels.count(),
            Self::Bits(_) | Self::Palette(..) => 1,
        }
    }

    /// Converts a row, given as one slice per plane, to RGB.
    fn convert(&self, planes: &[&[u8]], row: &mut Vec<u8>, to: &mut [u8]) {
        match (self, planes) {
            (Self::Whole(pixel_type), [pixels]) => pixel_type.convert(pixels, to),
            (Self::Whole(pixel_type), _) => {
                row.clear();
                let width = pixel_type.depth.bytes();
                for x in 0..to.len() / 3 {
                    let values = planes.iter().filter_map(|plane| plane.get(x * width..(x + 1) * width));
                    row.extend(values.flatten());
                }
                pixel_type.convert(row, to);
            }
            (Self::Bits(bits), _) => {
                let full = (1 << bits) - 1;
                for (to, level) in to.chunks_exact_mut(3).zip(unpacked(planes[0], *bits)) {
                    to.fill((usize::from(level) * 255 / full) as u8);
                }
            }
            (Self::Palette(bits, colors), _) => {
                for (to, index) in to.chunks_exact_mut(3).zip(unpacked(planes[0], *bits)) {
                    to.copy_from_slice(&colors[usize::from(index)]);
                }
            }
        }
    }
}

/// The values in `row`, of `bits` bits each, the highest bits first.
fn unpacked(row: &[u8], bits: u8) -> impl Iterator<Item = u8> {
    let starts = (0..8 / bits).map(move |n| 8 - bits * (n + 1));
    let mask = u8::MAX >> (8 - bits);
    row.iter().flat_map(move |byte| starts.clone().map(move |start| byte >> start & mask))
}

/// The colours of a palette. They have 16 bits, of which some writers fill only the lower eight.
fn palette(decoder: &mut Reader<'_>, bits: u8) -> Result<Vec<[u8; 3]>, DecodeError> {
    let map = decoder.get_tag_u16_vec(Tag::ColorMap)?;
    let count = 1 << bits;
    if map.len() != 3 * count {
        return Err(damaged("its palette has too few or too many colours for its pixels"));
    }
    let shift = if map.iter().all(|value| *value < 256) { 0 } else { 8 };
    Ok((0..count)
        .map(|color| [0, 1, 2].map(|channel| (map[channel * count + color] >> shift) as u8))
        .collect())
}

impl Grid {
    fn of(decoder: &mut Reader<'_>, channels: usize) -> Result<Self, DecodeError> {
        let (picture_width, picture_height) = decoder.dimensions()?;
        let (width, mut height) = decoder.chunk_dimensions();
        if decoder.get_chunk_type() == ChunkType::Strip {
            height = height.min(picture_height);
        }
        let planar = decoder.find_tag_unsigned(Tag::PlanarConfiguration)?;
        let is_planar = planar == Some(PlanarConfiguration::Planar.to_u16());
        let (across, down) = (picture_width.div_ceil(width), picture_height.div_ceil(height));
        Ok(Self { width, height, across, down, planes: if is_planar { channels as u32 } else { 1 } })
    }

    /// Bytes that decoding one strip or tile takes.
    fn memory(&self, decoder: &mut Reader<'_>, encoded: &[u8]) -> Result<u64, DecodeError> {
        // Extra samples are read, too, and the planes of a tile are stored together.
        let samples = u64::from(decoder.find_tag_unsigned::<u16>(Tag::SamplesPerPixel)?.unwrap_or(1));
        let bits = u64::from(decoder.colortype()?.bit_depth());
        let area = u64::from(self.width) * u64::from(self.height);
        let chunk = area.saturating_mul(samples).saturating_mul(bits).div_ceil(8);
        let compression = decoder.find_tag_unsigned(Tag::Compression)?;
        if compression != Some(CompressionMethod::ModernJPEG.to_u16()) {
            return Ok(chunk);
        }
        let mut largest = 0;
        for jpeg in self.jpegs(decoder, encoded)? {
            let frame = jpeg::frame(jpeg).ok_or_else(|| damaged("a strip or tile is not a JPEG"))?;
            // It is decoded whole, whatever the size of the strip or tile.
            if u64::from(frame.width) * u64::from(frame.height) > area {
                return Err(damaged("a JPEG in it is larger than its strip or tile"));
            }
            largest = largest.max(frame.coefficient_bytes() + frame.decoded_bytes() + jpeg.len() as u64);
        }
        Ok(chunk.saturating_add(largest))
    }

    fn jpegs<'e>(&self, decoder: &mut Reader<'_>, encoded: &'e [u8]) -> Result<Vec<&'e [u8]>, DecodeError> {
        // The decoder puts the tables before each JPEG.
        if let Some(tables) = decoder.find_tag(Tag::JPEGTables)?
            && jpeg::has_frame(&tables.into_u8_vec()?)
        {
            return Err(damaged("its JPEG tables hold a picture"));
        }
        let (offsets, lengths) = match decoder.get_chunk_type() {
            ChunkType::Strip => (Tag::StripOffsets, Tag::StripByteCounts),
            ChunkType::Tile => (Tag::TileOffsets, Tag::TileByteCounts),
        };
        let (offsets, lengths) = (decoder.get_tag_u64_vec(offsets)?, decoder.get_tag_u64_vec(lengths)?);
        let slice = |(offset, length): (u64, u64)| {
            let (from, length) = (usize::try_from(offset).ok()?, usize::try_from(length).ok()?);
            encoded.get(from..from.checked_add(length)?)
        };
        offsets.into_iter().zip(lengths).map(|place| slice(place).ok_or(DecodeError::Truncated)).collect()
    }
}

struct Field {
    tag: u16,
    kind: u16,
    count: u32,
    /// Position in the file of the value, or of the offset to a value of more than four bytes.
    value: usize,
}

/// The fields of the first directory, as far as the file goes.
fn fields(tiff: &[u8]) -> Option<(Endian, impl Iterator<Item = Field>)> {
    let endian = match tiff.get(..2)? {
        b"II" => Endian::Little,
        b"MM" => Endian::Big,
        _ => return None,
    };
    let first = usize::try_from(endian.number(tiff, 4, 4)?).ok()?;
    let count = endian.number(tiff, first, 2)?;
    let fields = (0..count as usize).map_while(move |n| {
        let at = first.checked_add(2 + 12 * n)?;
        let [tag, kind] = [at, at + 2].map(|at| endian.number(tiff, at, 2));
        let (tag, kind, count) = (tag? as u16, kind? as u16, endian.number(tiff, at + 4, 4)?);
        Some(Field { tag, kind, count, value: at + 8 })
    });
    Some((endian, fields))
}

#[derive(Clone, Copy)]
enum Endian {
    Little,
    Big,
}

impl Endian {
    fn number(self, bytes: &[u8], at: usize, width: usize) -> Option<u32> {
        let field = bytes.get(at..at.checked_add(width)?)?.iter();
        let append = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
        Some(match self {
            Self::Little => field.rev().fold(0, append),
            Self::Big => field.fold(0, append),
        })
    }
}

/// The decoder reads a field into 32 bytes per value, before any limit can be set.
fn refuse_long_fields(tiff: &[u8]) -> Result<(), DecodeError> {
    /// Fields that describe pixels have lower numbers. From here on are notes of any length, which are not read.
    const NOTES: u16 = 700;
    let Some((_, mut fields)) = fields(tiff) else { return Ok(()) };
    match fields.find(|field| field.tag < NOTES && u64::from(field.count) > MAX_VALUES) {
        Some(Field { tag, count, .. }) => Err(DecodeError::Damaged(format!(
            "field {tag} of the TIFF has {count} values; at most {MAX_VALUES} are read"
        ))),
        None => Ok(()),
    }
}

/// A copy of a TIFF with a palette, in which the indices are declared as gray levels, because the `tiff` crate does not
/// support palettes. `None` for a TIFF without one.
fn as_gray(tiff: &[u8]) -> Option<Vec<u8>> {
    const PHOTOMETRIC_INTERPRETATION: u16 = 262;
    const SHORT: u16 = 3;
    const BLACK_IS_ZERO: u16 = 1;
    const PALETTE: u32 = 3;
    let (endian, mut fields) = fields(tiff)?;
    let field = fields.find(|field| field.tag == PHOTOMETRIC_INTERPRETATION)?;
    if field.kind != SHORT || endian.number(tiff, field.value, 2)? != PALETTE {
        return None;
    }
    let mut copy = tiff.to_vec();
    let gray = match endian {
        Endian::Little => BLACK_IS_ZERO.to_le_bytes(),
        Endian::Big => BLACK_IS_ZERO.to_be_bytes(),
    };
    copy.get_mut(field.value..field.value + 2)?.copy_from_slice(&gray);
    Some(copy)
}

fn damaged(what: &str) -> DecodeError {
    DecodeError::Damaged(what.to_owned())
}

impl From<TiffError> for DecodeError {
    fn from(error: TiffError) -> Self {
        match error {
            TiffError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => Self::Truncated,
            TiffError::UnsupportedError(e) => Self::Unsupported(e.to_string()),
            TiffError::LimitsExceeded => Self::TooLarge("a strip, tile or field of the TIFF".to_owned()),
            other => Self::Damaged(other.to_string()),
        }
    }
}
