//! One inverted residual block of a MobileNet as a single loop over strips of rows, so that the
//! expanded activations, the largest of the network, never leave the L2 cache.

use std::ops::Range;

use super::aligned::Aligned;
use super::simd::{Clamp, Depthwise, Layout, Left, Rows, Weights};

/// Bytes of activations inside a block that one strip may need. Measured with an L2 cache of
/// 512 KiB: 256 and 640 KiB are 3 % slower, 96 KiB 12 %, no strips at all 5 %.
const STRIP_BYTES: usize = 384 << 10;

/// `project(depthwise(source(x)))`, plus `x` if it is residual.
#[derive(Debug)]
pub(crate) struct Block {
    layers: Layers,
    /// Rows of output that are computed together.
    strip_rows: usize,
    /// Rows of the depthwise convolution's input that are kept, row `y` in slot `y % slots`.
    slots: usize,
    /// Values from one plane to the next, in the depthwise convolution's input and in its output.
    planes: [usize; 2],
    /// Where the planes of the depthwise convolution's output start.
    starts: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Layers {
    pub(crate) source: Source,
    pub(crate) depthwise: Depthwise,
    /// Rows of zeros above the depthwise convolution's input.
    pub(crate) top: usize,
    /// Rows and columns, as for `output`, of the depthwise convolution.
    pub(crate) input: [usize; 2],
    pub(crate) output: [usize; 2],
    pub(crate) project: Weights,
    pub(crate) project_clamp: Clamp,
    pub(crate) residual: bool,
}

/// How the depthwise convolution's input is made of the block's input.
#[derive(Debug)]
pub(crate) enum Source {
    Input,
    /// A 1x1 convolution.
    Expand(Weights, Clamp),
    /// A dense convolution of an NCHW tensor: a network's first layer.
    Stem(Stem),
}

/// A dense convolution of few channels, NCHW to NHWC.
#[derive(Debug)]
pub(crate) struct Stem {
    pub(crate) weights: Weights,
    pub(crate) clamp: Clamp,
    /// Channels, rows and columns.
    pub(crate) input: [usize; 3],
    /// Height and width.
    pub(crate) kernel: [usize; 2],
    /// Down, then right.
    pub(crate) stride: [usize; 2],
    /// Zeros above and to the left.
    pub(crate) before: [usize; 2],
}

/// A thread's working memory; grows to what the largest block needs and stays.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// The depthwise convolution's last rows of input, in planes.
    ring: Aligned,
    /// The depthwise convolution's output, in planes.
    strip: Aligned,
    /// A row of padding, never written to.
    zeros: Aligned,
    /// For each row of `strip`, the slots of the input rows that it depends on.
    sources: Vec<[Option<usize>; 3]>,
    /// The input rows of one output row of the stem, with their padding.
    stem: Aligned,
    starts: Vec<usize>,
}

impl Block {
    pub(crate) fn new(layers: Layers) -> Self {
        let Layers { ref depthwise, input, output, .. } = layers;
        let read = |rows: usize| ((rows - 1) * depthwise.stride() + 3).min(input[0]);
        let bytes = |rows: usize| {
            (read(rows) * input[1] + rows * output[1]) * depthwise.channels() * size_of::<f32>()
        };
        let most = (1..=output[0]).rev().find(|rows| bytes(*rows) <= STRIP_BYTES).unwrap_or(1);
        // Strips of about equal height.
        let strip_rows = output[0].div_ceil(output[0].div_ceil(most));
        let slots = read(strip_rows);
        let plane = |pixels: usize| odd_lines(pixels * depthwise.lanes());
        let planes = [plane(slots * input[1]), plane(strip_rows * output[1])];
        let starts = (0..depthwise.planes()).map(|i| i * planes[1]).collect();
        Self { strip_rows, slots, planes, starts, layers }
    }

    pub(crate) fn starts_with_stem(&self) -> bool {
        matches!(self.layers.source, Source::Stem(_))
    }

    pub(crate) fn input_len(&self) -> usize {
        let [rows, columns] = self.layers.input;
        match &self.layers.source {
            Source::Input => rows * columns * self.layers.depthwise.channels(),
            Source::Expand(weights, _) => rows * columns * weights.depth(),
            Source::Stem(stem) => stem.input.iter().product(),
        }
    }

    /// Rows, columns and channels.
    pub(crate) fn output_shape(&self) -> [usize; 3] {
        let [rows, columns] = self.layers.output;
        [rows, columns, self.layers.project.columns()]
    }

    /// `x` is NHWC, or NCHW for a stem; `out` is NHWC.
    pub(crate) fn run(&self, x: &[f32], out: &mut [f32], scratch: &mut Scratch) {
        let Layers { ref depthwise, top, input, output, ref project, project_clamp, residual, .. } =
            self.layers;
        let lanes = depthwise.lanes();
        let mut produced = 0;
        for first in (0..output[0]).step_by(self.strip_rows) {
            let rows = self.strip_rows.min(output[0] - first);
            let below = (first + rows - 1) * depthwise.stride() + 3;
            let needed = below.saturating_sub(top).min(input[0]);
            while produced < needed {
                let slot = produced % self.slots;
                let count = (needed - produced).min(self.slots - slot);
                self.produce(x, produced..produced + count, slot, scratch);
                produced += count;
            }

            let Scratch { ring, strip, sources, zeros, .. } = scratch;
            let slot_of = |y: usize| y.checked_sub(top).filter(|y| *y < input[0]).map(|y| y % self.slots);
            sources.clear();
            sources.extend((first..first + rows).map(|y| {
                let y = y * depthwise.stride();
                [slot_of(y), slot_of(y + 1), slot_of(y + 2)]
            }));
            let strip = strip.grow(depthwise.planes() * self.planes[1]);
            depthwise.rows(
                Rows { data: ring, plane: self.planes[0], columns: input[1] },
                sources,
                zeros.grow(input[1] * lanes),
                Rows { data: strip, plane: self.planes[1], columns: output[1] },
            );

            let left = Left { data: strip, step: lanes, starts: &self.starts, run: lanes };
            let pixels = rows * output[1];
            let place =
                first * output[1] * project.columns()..(first * output[1] + pixels) * project.columns();
            let residual = residual.then(|| &x[place.clone()]);
            project.multiply(left, pixels, residual, project_clamp, Layout::Rows, &mut out[place]);
        }
    }

    /// Rows `rows` of the depthwise convolution's input, to the ring's slots from `slot` on.
    fn produce(&self, x: &[f32], rows: Range<usize>, slot: usize, scratch: &mut Scratch) {
        let Layers { ref source, ref depthwise, input: [_, columns], .. } = self.layers;
        let (lanes, plane) = (depthwise.lanes(), self.planes[0]);
        let ring = &mut scratch.ring.grow(depthwise.planes() * plane)[slot * columns * lanes..];
        let pixels = rows.start * columns..rows.end * columns;
        match source {
            Source::Input => {
                let channels = depthwise.channels();
                for (i, pixel) in
                    x[pixels.start * channels..pixels.end * channels].chunks_exact(channels).enumerate()
                {
                    for (vector, values) in pixel.chunks(lanes).enumerate() {
                        ring[vector * plane + i * lanes..][..values.len()].copy_from_slice(values);
                    }
                }
            }
            Source::Expand(weights, clamp) => {
                let depth = weights.depth();
                let left = Left::rows_of(&x[pixels.start * depth..pixels.end * depth], depth);
                weights.multiply(left, pixels.len(), None, *clamp, Layout::Planes(plane), ring);
            }
            Source::Stem(stem) => {
                for (i, y) in rows.enumerate() {
                    let to = &mut ring[i * columns * lanes..];
                    stem.row(x, y, columns, to, plane, &mut scratch.stem, &mut scratch.starts);
                }
            }
        }
    }
}

/// `len` values, or a bit more, in an odd number of cache lines: planes that are a power of two
/// apart would compete for the same few places of the L1 cache.
fn odd_lines(len: usize) -> usize {
    const LINE: usize = 16;
    (len.div_ceil(LINE) | 1) * LINE
}

impl Stem {
    /// Row `y` of the output, `columns` wide, to planes.
    #[allow(clippy::too_many_arguments)]
    fn row(
        &self,
        x: &[f32],
        y: usize,
        columns: usize,
        out: &mut [f32],
        plane: usize,
        rows: &mut Aligned,
        starts: &mut Vec<usize>,
    ) {
        let [channels, height, width] = self.input;
        let [down, right] = self.stride;
        let [top, left] = self.before;
        let padded = (left + width).max((columns - 1) * right + self.kernel[1]);
        let rows = rows.grow(channels * self.kernel[0] * padded);
        starts.clear();
        for (i, row) in rows.chunks_exact_mut(padded).enumerate() {
            let (channel, ky) = (i / self.kernel[0], i % self.kernel[0]);
            starts.push(i * padded);
            match (y * down + ky).checked_sub(top) {
                Some(y) if y < height => {
                    row[..left].fill(0.0);
                    row[left..left + width].copy_from_slice(&x[(channel * height + y) * width..][..width]);
                    row[left + width..].fill(0.0);
                }
                _ => row.fill(0.0),
            }
        }
        let left = Left { data: rows, step: right, starts, run: self.kernel[1] };
        self.weights.multiply(left, columns, None, self.clamp, Layout::Planes(plane), out);
    }
}
