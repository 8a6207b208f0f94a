//! 3x3 depthwise convolution, plus bias and clamp, on planes: all pixels of one vector of
//! channels, then all of the next. So the rows of a plane that are in use fit the L1 cache, where
//! those of an NHWC tensor do not, and the weights of a plane stay in registers.

use super::{Clamp, Isa, Kernel, Simd};
use crate::engine::aligned::Aligned;

/// Outputs that are computed together: neighbours share most of what they read, and with the nine
/// weights they fill the registers.
const TOGETHER: usize = 4;

/// Vectors of constants that a plane has: its biases, then its weights.
const CONSTANTS: usize = 10;

/// Weights and bias of a 3x3 depthwise convolution.
#[derive(Debug)]
pub(crate) struct Depthwise {
    isa: Isa,
    channels: usize,
    stride: usize,
    /// Zeros to the left of a row; those to its right follow from the length of the output.
    left: usize,
    clamp: Clamp,
    /// Padded with zeros to whole vectors.
    constants: Aligned,
}

/// Rows of planes, each row `[columns][LANES]`.
#[derive(Debug)]
pub(crate) struct Rows<T> {
    pub(crate) data: T,
    /// Values from one plane to the next.
    pub(crate) plane: usize,
    pub(crate) columns: usize,
}

impl Depthwise {
    /// `weights` is `[channels][9]`; `stride` is 1 or 2, `left` at most 2.
    pub(crate) fn new(
        isa: Isa,
        weights: &[f32],
        bias: &[f32],
        stride: usize,
        left: usize,
        clamp: Clamp,
    ) -> Self {
        let (channels, lanes) = (bias.len(), isa.lanes());
        assert!(weights.len() == channels * 9 && (1..=2).contains(&stride) && left <= 2);
        let mut constants = Aligned::zeroed(channels.div_ceil(lanes) * CONSTANTS * lanes);
        for (channel, weights) in weights.chunks_exact(9).enumerate() {
            let plane = &mut constants[channel / lanes * CONSTANTS * lanes..];
            plane[channel % lanes] = bias[channel];
            for (tap, weight) in weights.iter().enumerate() {
                plane[(1 + tap) * lanes + channel % lanes] = *weight;
            }
        }
        Self { isa, channels, stride, left, clamp, constants }
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    pub(crate) fn planes(&self) -> usize {
        self.channels.div_ceil(self.isa.lanes())
    }

    /// Channels of a plane.
    pub(crate) fn lanes(&self) -> usize {
        self.isa.lanes()
    }

    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Rows `0..sources.len()` of the output; `sources` says for each of them which three rows of
    /// the input it depends on, `None` being a row of padding. `zeros` is at least a row long.
    ///
    /// # Panics
    /// When a row is out of bounds.
    pub(crate) fn rows(
        &self,
        input: Rows<&[f32]>,
        sources: &[[Option<usize>; 3]],
        zeros: &[f32],
        out: Rows<&mut [f32]>,
    ) {
        self.isa.dispatch(Convolve { op: self, input, sources, zeros, out });
    }
}

struct Convolve<'a> {
    op: &'a Depthwise,
    input: Rows<&'a [f32]>,
    sources: &'a [[Option<usize>; 3]],
    zeros: &'a [f32],
    out: Rows<&'a mut [f32]>,
}

impl Kernel for Convolve<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        match self.op.stride {
            1 => isa.vectorize(Strided::<1>(self)),
            _ => isa.vectorize(Strided::<2>(self)),
        }
    }
}

struct Strided<'a, const STRIDE: usize>(Convolve<'a>);

impl<const STRIDE: usize> Kernel for Strided<'_, STRIDE> {
    #[inline(always)]
    fn run<S: Simd>(self, isa: S) {
        let Convolve { op, input, sources, zeros, out } = self.0;
        let (row, out_row) = (input.columns * S::LANES, out.columns * S::LANES);
        let zeros = &zeros[..row];
        let groups = Groups::new::<STRIDE>(input.columns, op.left, out.columns);
        let (lo, hi) = (isa.splat(op.clamp.lo), isa.splat(op.clamp.hi));
        for (i, constants) in op.constants.chunks_exact(CONSTANTS * S::LANES).enumerate() {
            let mut weights = [isa.splat(0.0); 9];
            for (tap, weight) in weights.iter_mut().enumerate() {
                *weight = isa.load(&constants[(1 + tap) * S::LANES..]);
            }
            let plane = &input.data[i * input.plane..];
            let out_plane = &mut out.data[i * out.plane..][..sources.len() * out_row];
            for (sources, out) in sources.iter().zip(out_plane.chunks_exact_mut(out_row)) {
                let inputs = sources.map(|y| y.map_or(zeros, |y| &plane[y * row..][..row]));
                let mut pixels =
                    Pixels { isa, inputs, left: op.left, weights, bias: isa.load(constants), lo, hi, out };
                if groups.count == 0 {
                    for x in 0..out_row / S::LANES {
                        pixels.compute::<STRIDE, 1, true>(x);
                    }
                }
                for group in 0..groups.inside.start {
                    pixels.compute::<STRIDE, TOGETHER, true>(groups.first_output(group));
                }
                for group in groups.inside.clone() {
                    pixels.compute::<STRIDE, TOGETHER, false>(groups.first_output(group));
                }
                for group in groups.inside.end..groups.count {
                    pixels.compute::<STRIDE, TOGETHER, true>(groups.first_output(group));
                }
            }
        }
    }
}

/// A row of output, cut into groups of `TOGETHER`. The last group ends with the row: to compute a
/// few outputs twice is faster than to compute them one by one. No groups for a shorter row.
struct Groups {
    count: usize,
    last: usize,
    /// Those that read no padding at the sides.
    inside: std::ops::Range<usize>,
}

impl Groups {
    fn new<const STRIDE: usize>(columns: usize, left: usize, out_columns: usize) -> Self {
        if out_columns < TOGETHER {
            return Self { count: 0, last: 0, inside: 0..0 };
        }
        let (count, last) = (out_columns.div_ceil(TOGETHER), out_columns - TOGETHER);
        let mut groups = Self { count, last, inside: 0..0 };
        let is_inside = |group: &usize| {
            let first = groups.first_output(*group) * STRIDE;
            first >= left && first - left + (TOGETHER - 1) * STRIDE + 3 <= columns
        };
        let start = (0..count).find(is_inside).unwrap_or(count);
        let end = (start..count).rev().find(is_inside).map_or(start, |last| last + 1);
        groups.inside = start..end;
        groups
    }

    #[inline(always)]
    fn first_output(&self, group: usize) -> usize {
        (group * TOGETHER).min(self.last)
    }
}

struct Pixels<'a, S: Simd> {
    isa: S,
    inputs: [&'a [f32]; 3],
    left: usize,
    weights: [S::V; 9],
    bias: S::V,
    lo: S::V,
    hi: S::V,
    out: &'a mut [f32],
}

impl<S: Simd> Pixels<'_, S> {
    /// Outputs `x..x + COUNT`, which must exist; at an `EDGE` they may read padding.
    #[inline(always)]
    fn compute<const STRIDE: usize, const COUNT: usize, const EDGE: bool>(&mut self, x: usize) {
        let isa = self.isa;
        let columns = self.inputs[0].len() / S::LANES;
        let mut sums = [self.bias; COUNT];
        for offset in 0..(COUNT - 1) * STRIDE + 3 {
            let pixel = (x * STRIDE + offset).wrapping_sub(self.left);
            if EDGE && pixel >= columns {
                continue; // a zero of the padding
            }
            for ky in 0..3 {
                // SAFETY: `pixel` is less than `columns`: at an edge that was just checked,
                // elsewhere `Groups` has. All three inputs are that many whole pixels.
                let value = unsafe { isa.load_at(self.inputs[ky], pixel * S::LANES, S::LANES) };
                for (i, sum) in sums.iter_mut().enumerate() {
                    if (i * STRIDE..i * STRIDE + 3).contains(&offset) {
                        *sum = isa.mul_add(value, self.weights[ky * 3 + offset - i * STRIDE], *sum);
                    }
                }
            }
        }
        for (i, sum) in sums.into_iter().enumerate() {
            let sum = isa.clamp(sum, self.lo, self.hi);
            // SAFETY: `x + i` is one of the pixels of `out`.
            unsafe { isa.store_at(sum, self.out, (x + i) * S::LANES, S::LANES) };
        }
    }
}
