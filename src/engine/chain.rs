//! The tract operator that runs fused stages one after the other.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;

use super::aligned::Aligned;
use super::block::{Block, Scratch};
use super::simd;
use super::simd::{Clamp, Layout, Left, Weights};

#[derive(Debug)]
pub(crate) enum Stage {
    Block(Box<Block>),
    /// A 1x1 convolution.
    Pointwise {
        weights: Weights,
        clamp: Clamp,
        rows: usize,
        columns: usize,
    },
    /// The sum over all `pixels` of each channel, divided by `by`.
    Average {
        pixels: usize,
        channels: usize,
        by: f32,
    },
}

impl Stage {
    fn input_len(&self) -> usize {
        match self {
            Self::Block(block) => block.input_len(),
            Self::Pointwise { weights, rows, columns, .. } => rows * columns * weights.depth(),
            Self::Average { pixels, channels, .. } => pixels * channels,
        }
    }

    /// Rows, columns and channels.
    pub(crate) fn output_shape(&self) -> [usize; 3] {
        match self {
            Self::Block(block) => block.output_shape(),
            Self::Pointwise { weights, rows, columns, .. } => [*rows, *columns, weights.columns()],
            Self::Average { channels, .. } => [1, 1, *channels],
        }
    }

    fn run(&self, x: &[f32], out: &mut [f32], scratch: &mut Scratch) {
        match self {
            Self::Block(block) => block.run(x, out, scratch),
            Self::Pointwise { weights, clamp, rows, columns } => {
                let left = Left::rows_of(x, weights.depth());
                weights.multiply(left, rows * columns, None, *clamp, Layout::Rows, out);
            }
            Self::Average { channels, by, .. } => {
                out.fill(0.0);
                for pixel in x.chunks_exact(*channels) {
                    out.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
                }
                out.iter_mut().for_each(|sum| *sum /= by);
            }
        }
    }
}

/// Stages, at least one, each of which reads only the one before. NHWC in and out, except that a stem reads NCHW.
#[derive(Clone)]
pub(crate) struct Chain(Arc<[Stage]>);

/// Kept by a thread between runs, so that a run allocates only its result.
#[derive(Default)]
struct Memory {
    /// Each stage reads one buffer and writes the other.
    activations: [Aligned; 2],
    scratch: Scratch,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

impl Chain {
    pub(crate) fn new(stages: Vec<Stage>) -> Self {
        assert!(!stages.is_empty());
        Self(stages.into())
    }

    /// A chain with a stem reads NCHW.
    pub(crate) fn starts_with_stem(&self) -> bool {
        matches!(&self.0[0], Stage::Block(block) if block.starts_with_stem())
    }

    fn output_shape(&self) -> [usize; 3] {
        self.0[self.0.len() - 1].output_shape()
    }

    fn run(&self, x: &[f32], out: &mut [f32], memory: &mut Memory) {
        let Memory { activations: [a, b], scratch } = memory;
        let (mut from, mut to) = (a, b);
        let last = self.0.len() - 1;
        for (i, stage) in self.0.iter().enumerate() {
            let input = if i == 0 { x } else { &from[..stage.input_len()] };
            if i == last {
                stage.run(input, out, scratch);
            } else {
                stage.run(input, to.grow(stage.output_shape().iter().product()), scratch);
            }
            std::mem::swap(&mut from, &mut to);
        }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fused stages", self.0.len())
    }
}

/// tract compares operators to find duplicates.
impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Chain {}

impl Op for Chain {
    fn name(&self) -> StaticName {
        "FusedChain".into()
    }

    fn validation(&self) -> Validation {
        Validation::Rounding
    }

    op_as_typed_op!();
}

impl EvalOp for Chain {
    op_out_of_plan!();

    fn eval(&self, _ctx: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let x = args_1!(inputs);
        let images = x.shape()[0];
        let [rows, columns, channels] = self.output_shape();
        let mut out = Tensor::zero::<f32>(&[images, rows, columns, channels])?;
        let view = x.try_as_plain_ram()?;
        let x = view.as_slice::<f32>()?;
        let input_len = self.0[0].input_len();
        ensure!(x.len() == images * input_len, "fused stages got {} values", x.len());
        let mut out_view = out.try_as_plain_ram_mut()?;
        let out_images = out_view.as_slice_mut::<f32>()?.chunks_exact_mut(rows * columns * channels);
        // The operator before this one may be tract's.
        simd::clear_upper_halves();
        MEMORY.with_borrow_mut(|memory| {
            for (x, out) in x.chunks_exact(input_len).zip(out_images) {
                self.run(x, out, memory);
            }
        });
        Ok(tvec!(out.into_tvalue()))
    }
}

impl TypedOp for Chain {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let [rows, columns, channels] = self.output_shape().map(|d| d.to_dim());
        Ok(tvec!(f32::fact([inputs[0].shape[0].clone(), rows, columns, channels])))
    }
}
