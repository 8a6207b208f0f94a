//! Finds the parts of a graph that the fused stages can run, and replaces them.
//!
//! It works on the graph as it is in the ONNX file, before tract's own rewriting: a Clip is a
//! maximum and a minimum, and padding may be a separate operator. What does not match exactly
//! is left to tract. [`fuse`] is the function to read first.

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::{Pad, PadMode};
use tract_onnx::tract_core::ops::binary::{BinMiniOp, TypedBinOp};
use tract_onnx::tract_core::ops::cnn::conv::KernelFormat;
use tract_onnx::tract_core::ops::cnn::{Conv, PaddingSpec};
use tract_onnx::tract_core::ops::math;
use tract_onnx::tract_core::ops::nn::{DataFormat, Reduce, Reducer};

use super::block::{Block, Layers, Source, Stem};
use super::chain::{Chain, Stage};
use super::simd::{Clamp, Depthwise, Isa, Weights};

/// Input channels times kernel area of the largest dense convolution that is taken as a stem.
const DEEPEST_STEM: usize = 256;

/// Replaces each longest run of stages by one [`Chain`]; returns how many chains there are.
pub(crate) fn fuse(model: &mut TypedModel, isa: Isa) -> TractResult<usize> {
    let mut chains = 0;
    let mut done = vec![false; model.nodes.len()];
    for node in model.eval_order()? {
        if done[node] || !model.node(node).op_is::<Conv>() {
            continue;
        }
        let Some(first) = match_stage(model, node)? else { continue };
        let input = first.input;
        let mut matches = vec![first];
        while let Some(next) = match_after(model, &matches[matches.len() - 1])? {
            matches.push(next);
        }
        for id in matches.iter().flat_map(|m| &m.convolutions) {
            done[*id] = true;
        }
        let end = matches[matches.len() - 1].end;
        let stages = matches.iter().map(|m| m.found.pack(isa)).collect::<TractResult<_>>()?;
        replace(model, input, Chain::new(stages), end)?;
        chains += 1;
    }
    Ok(chains)
}

fn replace(model: &mut TypedModel, input: OutletId, chain: Chain, end: usize) -> TractResult<()> {
    let name = model.node(end).name.clone();
    let mut patch = TypedModelPatch::new("fused stages");
    let mut wire = patch.tap_model(model, input)?;
    if !chain.starts_with_stem() {
        wire = patch.wire_node(format!("{name}.to_nhwc"), AxisOp::Move(1, 3), &[wire])?[0];
    }
    let wire = patch.wire_node(format!("{name}.fused"), chain, &[wire])?;
    let wire = patch.wire_node(format!("{name}.to_nchw"), AxisOp::Move(3, 1), &wire)?;
    patch.shunt_outside(model, end.into(), wire[0])?;
    patch.apply(model)
}

struct Match {
    found: Found,
    input: OutletId,
    /// Edges from `input` that lead into the stage.
    edges: usize,
    /// The node whose only output is the stage's.
    end: usize,
    convolutions: Vec<usize>,
}

#[expect(clippy::large_enum_variant, reason = "there are twenty, and not for long")]
enum Found {
    Block {
        source: Option<(Convolution, Clamp)>,
        depthwise: (Convolution, Clamp),
        project: (Convolution, Clamp),
        residual: bool,
    },
    Pointwise(Convolution, Clamp),
    Average {
        pixels: usize,
        channels: usize,
        by: f32,
    },
}

/// The stage that alone reads the output of the stage before.
fn match_after(model: &TypedModel, before: &Match) -> TractResult<Option<Match>> {
    let outlet = OutletId::from(before.end);
    if model.outputs.contains(&outlet) {
        return Ok(None);
    }
    for reader in &model.node(before.end).outputs[0].successors {
        // A stage may start with padding.
        let pad = model.node(reader.node).op_is::<Pad>().then(|| only_reader(model, reader.node)).flatten();
        let node = pad.unwrap_or(reader.node);
        let found = if model.node(node).op_is::<Conv>() {
            match_stage(model, node)?
        } else {
            match_average(model, node)
        };
        if let Some(found) = found
            && found.input == outlet
            && found.edges == model.node(before.end).outputs[0].successors.len()
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn match_stage(model: &TypedModel, node: usize) -> TractResult<Option<Match>> {
    let Some(first) = Convolution::of(model, node)? else { return Ok(None) };
    let (end, clamp) = clip_after(model, node);
    let input = first.input;
    if first.is_depthwise() {
        return match_block(model, None, (first, clamp), end, input);
    }
    if let Some(next) = following_convolution(model, end)
        && let Some(depthwise) = Convolution::of(model, next)?
        && depthwise.is_depthwise()
        && (first.is_pointwise() || first.is_stem())
    {
        let (depthwise_end, depthwise_clamp) = clip_after(model, next);
        let depthwise = (depthwise, depthwise_clamp);
        let block = match_block(model, Some((first.clone(), clamp)), depthwise, depthwise_end, input)?;
        if block.is_some() {
            return Ok(block);
        }
    }
    let pointwise = first.is_pointwise().then(|| Match {
        input,
        edges: 1,
        end,
        convolutions: vec![node],
        found: Found::Pointwise(first, clamp),
    });
    Ok(pointwise)
}

/// The block around a depthwise convolution that ends with node `depthwise_end`.
fn match_block(
    model: &TypedModel,
    source: Option<(Convolution, Clamp)>,
    depthwise: (Convolution, Clamp),
    depthwise_end: usize,
    input: OutletId,
) -> TractResult<Option<Match>> {
    let Some(next) = following_convolution(model, depthwise_end) else { return Ok(None) };
    let Some(project) = Convolution::of(model, next)?.filter(Convolution::is_pointwise) else {
        return Ok(None);
    };
    let (mut end, clamp) = clip_after(model, next);
    let mut edges = 1;
    let nhwc = source.as_ref().is_none_or(|(c, _)| c.is_pointwise());
    if nhwc
        && end == next
        && let Some(sum) = only_reader(model, end)
        && is_binary::<math::Add>(model, sum)
        && model.node(sum).inputs.contains(&input)
        && model.outlet_fact(input)?.shape == model.outlet_fact(end.into())?.shape
    {
        (end, edges) = (sum, 2);
    }
    let convolutions = source.iter().map(|(c, _)| c.node).chain([depthwise.0.node, next]).collect();
    let found = Found::Block { source, depthwise, project: (project, clamp), residual: edges == 2 };
    Ok(Some(Match { found, input, edges, end, convolutions }))
}

/// Sum over rows and columns, divided by a constant.
fn match_average(model: &TypedModel, node: usize) -> Option<Match> {
    let reduce = model.node(node).op_as::<Reduce>()?;
    let input = model.node(node).inputs[0];
    let fact = model.outlet_fact(input).ok()?;
    if reduce.reducer != Reducer::Sum || reduce.axes[..] != [2, 3] || fact.rank() != 4 {
        return None;
    }
    let [channels, rows, columns] = concrete_image(fact)?;
    let end = only_reader(model, node).filter(|n| is_binary::<math::Div>(model, *n))?;
    let [numerator, denominator] = model.node(end).inputs[..] else { return None };
    let by = constant_scalar(model, denominator).filter(|_| numerator == node.into())?;
    let found = Found::Average { pixels: rows * columns, channels, by };
    Some(Match { found, input, edges: 1, end, convolutions: vec![] })
}

/// The node that alone reads the only output of `node`.
fn only_reader(model: &TypedModel, node: usize) -> Option<usize> {
    let [ref outlet] = model.node(node).outputs[..] else { return None };
    let [reader] = outlet.successors[..] else { return None };
    (!model.outputs.contains(&node.into())).then_some(reader.node)
}

/// The convolution that alone reads `node`, perhaps through its padding.
fn following_convolution(model: &TypedModel, node: usize) -> Option<usize> {
    let mut next = only_reader(model, node)?;
    if model.node(next).op_is::<Pad>() {
        next = only_reader(model, next)?;
    }
    model.node(next).op_is::<Conv>().then_some(next)
}

/// The last node of the maximum and minimum that follow `node`, and what they cut to; `node`
/// itself if there are none.
fn clip_after(model: &TypedModel, node: usize) -> (usize, Clamp) {
    let bound_after = |node, is_bound: fn(&TypedModel, usize) -> bool| {
        let next = only_reader(model, node).filter(|n| is_bound(model, *n))?;
        let [value, bound] = model.node(next).inputs[..] else { return None };
        let bound = constant_scalar(model, bound).filter(|b| value == node.into() && !b.is_nan())?;
        Some((next, bound))
    };
    let (node, lo) = bound_after(node, is_binary::<math::Max>).unwrap_or((node, Clamp::NONE.lo));
    let (node, hi) = bound_after(node, is_binary::<math::Min>).unwrap_or((node, Clamp::NONE.hi));
    (node, Clamp { lo, hi })
}

fn is_binary<O: BinMiniOp>(model: &TypedModel, node: usize) -> bool {
    model.node(node).op_as::<TypedBinOp>().is_some_and(|op| op.0.is::<O>())
}

fn constant_scalar(model: &TypedModel, outlet: OutletId) -> Option<f32> {
    let constant = model.outlet_fact(outlet).ok()?.konst.as_ref()?;
    (constant.len() == 1).then(|| constant.cast_to_scalar::<f32>().ok()).flatten()
}

/// Channels, rows and columns of an NCHW tensor of `f32`.
fn concrete_image(fact: &TypedFact) -> Option<[usize; 3]> {
    if fact.datum_type != f32::datum_type() || fact.rank() != 4 {
        return None;
    }
    let dim = |axis: usize| fact.shape[axis].to_usize().ok();
    Some([dim(1)?, dim(2)?, dim(3)?])
}

/// A plain convolution of NCHW by constant weights, padding included.
#[derive(Clone)]
struct Convolution {
    node: usize,
    /// Before the padding.
    input: OutletId,
    /// Channels, rows and columns.
    input_shape: [usize; 3],
    output_channels: usize,
    group: usize,
    /// These four are down, then right.
    kernel: [usize; 2],
    stride: [usize; 2],
    before: [usize; 2],
    after: [usize; 2],
    /// `[output channel][input channel of the group][down][right]`.
    weights: Arc<Tensor>,
    /// One value, or one for each output channel.
    bias: Arc<Tensor>,
}

impl Convolution {
    fn of(model: &TypedModel, id: usize) -> TractResult<Option<Self>> {
        let node = model.node(id);
        let Some(op) = node.op_as::<Conv>() else { return Ok(None) };
        let pool = &op.pool_spec;
        let plain = op.q_params.is_none()
            && op.kernel_fmt == KernelFormat::OIHW
            && pool.data_format == DataFormat::NCHW
            && pool.dilations().iter().all(|d| *d == 1);
        let (&[down, right], strides) = (&pool.kernel_shape[..], pool.strides()) else { return Ok(None) };
        let &[stride_down, stride_right] = &strides[..] else { return Ok(None) };
        let (mut before, mut after) = match &pool.padding {
            PaddingSpec::Valid => ([0; 2], [0; 2]),
            PaddingSpec::Explicit(before, after) => ([before[0], before[1]], [after[0], after[1]]),
            _ => return Ok(None),
        };
        let mut input = node.inputs[0];
        if let Some(pad) = model.node(input.node).op_as::<Pad>() {
            let PadMode::Constant(value) = &pad.mode else { return Ok(None) };
            let [(0, 0), (0, 0), rows, columns] = pad.pads[..] else { return Ok(None) };
            if !value.is_zero()? || only_reader(model, input.node) != Some(id) {
                return Ok(None);
            }
            before = [before[0] + rows.0, before[1] + columns.0];
            after = [after[0] + rows.1, after[1] + columns.1];
            input = model.node(input.node).inputs[0];
        }
        let constant = |slot: usize| {
            let fact = model.outlet_fact(node.inputs[slot]).ok()?;
            fact.konst.clone().filter(|k| k.datum_type() == f32::datum_type())
        };
        let (Some(weights), Some(bias)) = (constant(1), constant(2)) else { return Ok(None) };
        let Some(input_shape) = concrete_image(model.outlet_fact(input)?) else { return Ok(None) };
        let found = Self {
            node: id,
            input,
            input_shape,
            output_channels: op.output_channels(),
            group: op.group,
            kernel: [down, right],
            stride: [stride_down, stride_right],
            before,
            after,
            weights,
            bias,
        };
        let fits = |axis: usize| {
            input_shape[1 + axis] + found.before[axis] + found.after[axis] >= found.kernel[axis]
        };
        Ok((plain && fits(0) && fits(1)).then_some(found))
    }

    fn is_pointwise(&self) -> bool {
        self.group == 1
            && self.kernel == [1, 1]
            && self.stride == [1, 1]
            && self.before == [0, 0]
            && self.after == [0, 0]
    }

    fn is_depthwise(&self) -> bool {
        let same = self.group == self.input_shape[0] && self.group == self.output_channels;
        let small = |pads: [usize; 2]| pads.iter().all(|p| *p <= 2);
        same && self.kernel == [3, 3]
            && (self.stride == [1, 1] || self.stride == [2, 2])
            && small(self.before)
            && small(self.after)
    }

    fn is_stem(&self) -> bool {
        self.group == 1 && self.input_shape[0] * self.kernel[0] * self.kernel[1] <= DEEPEST_STEM
    }

    /// Rows and columns.
    fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let padded = self.input_shape[1 + axis] + self.before[axis] + self.after[axis];
            (padded - self.kernel[axis]) / self.stride[axis] + 1
        })
    }

    fn pack(&self, isa: Isa) -> TractResult<Weights> {
        let weights = self.weights.try_as_plain_ram()?;
        Ok(Weights::pack(isa, weights.as_slice::<f32>()?, &self.bias()?))
    }

    fn bias(&self) -> TractResult<Vec<f32>> {
        let bias = self.bias.try_as_plain_ram()?;
        Ok(match *bias.as_slice::<f32>()? {
            [same] => vec![same; self.output_channels],
            ref each => each.to_vec(),
        })
    }
}

impl Found {
    fn pack(&self, isa: Isa) -> TractResult<Stage> {
        let (source, (depthwise, depthwise_clamp), (project, project_clamp), residual) = match self {
            Self::Block { source, depthwise, project, residual } => (source, depthwise, project, *residual),
            &Self::Pointwise(ref convolution, clamp) => {
                let [_, rows, columns] = convolution.input_shape;
                return Ok(Stage::Pointwise { weights: convolution.pack(isa)?, clamp, rows, columns });
            }
            &Self::Average { pixels, channels, by } => return Ok(Stage::Average { pixels, channels, by }),
        };
        let source = match source {
            None => Source::Input,
            Some((c, clamp)) if c.is_pointwise() => Source::Expand(c.pack(isa)?, *clamp),
            Some((c, clamp)) => Source::Stem(Stem {
                weights: c.pack(isa)?,
                clamp: *clamp,
                input: c.input_shape,
                kernel: c.kernel,
                stride: c.stride,
                before: c.before,
            }),
        };
        let weights = depthwise.weights.try_as_plain_ram()?;
        let taps = weights.as_slice::<f32>()?;
        let ([stride, _], [top, left]) = (depthwise.stride, depthwise.before);
        Ok(Stage::Block(Box::new(Block::new(Layers {
            source,
            depthwise: Depthwise::new(isa, taps, &depthwise.bias()?, stride, left, *depthwise_clamp),
            top,
            input: [depthwise.input_shape[1], depthwise.input_shape[2]],
            output: depthwise.output(),
            project: project.pack(isa.for_columns(project.output_channels))?,
            project_clamp: *project_clamp,
            residual,
        }))))
    }
}
