//! Runs the network. tract loads and executes the ONNX graph; the parts of it that look like a MobileNet are
//! first replaced by an operator of our own.
//!
//! [`halves`] widens the weights of the file, [`fuse`] finds those parts, [`chain`] is the operator, [`block`] and [`simd`]
//! compute; [`heads`] are the outputs.

mod aligned;
mod block;
mod chain;
mod error;
mod fuse;
mod halves;
mod heads;
mod simd;
#[cfg(test)]
mod tests;

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::Factoid;
use tract_onnx::tract_hir::ops::unimpl::UnimplementedOp;

use crate::error::InferenceError;
use crate::model::{Model, ModelError};
use crate::spec::ModelSpec;
use error::LoadError;
use heads::Head;
use simd::Isa;

pub(crate) use heads::Heads;

/// A network that is ready to run.
pub(crate) struct Engine {
    plan: Arc<TypedRunnableModel>,
    shape: [usize; 4],
    /// In the order of the plan's outputs.
    heads: Vec<Head>,
    isa: Option<Isa>,
}

impl Engine {
    /// Decodes the graph, checks it against its spec and compiles it for the spec's input shape.
    pub(crate) fn load(model: &Model) -> Result<Self, ModelError> {
        let isa = Isa::chosen().map_err(LoadError::InstructionSet);
        let isa = isa.map_err(|problem| ModelError::new(&model.file, problem))?;
        Self::load_with(model, isa)
    }

    /// Without an instruction set everything is left to tract.
    fn load_with(model: &Model, isa: Option<Isa>) -> Result<Self, ModelError> {
        let loaded = catch_unwind(AssertUnwindSafe(|| Self::load_unguarded(model, isa)));
        loaded.unwrap_or(Err(LoadError::Malformed)).map_err(|problem| ModelError::new(&model.file, problem))
    }

    fn load_unguarded(model: &Model, isa: Option<Isa>) -> Result<Self, LoadError> {
        let graph = parse(model.onnx.clone())?;
        check_operators(&graph)?;
        check_input(&graph, &model.spec)?;
        let plan = compile(graph, &model.spec, isa)?;
        let mut heads = Vec::new();
        for (slot, (head, name)) in Head::named(&model.spec).into_iter().enumerate() {
            let fact = plan.model().output_fact(slot)?;
            head.check(fact, name, &model.spec)?;
            heads.push(head);
        }
        Ok(Self { plan, shape: model.spec.input.shape, heads, isa })
    }

    pub(crate) fn isa(&self) -> &'static str {
        self.isa.map_or("tract", Isa::name)
    }

    /// One forward pass: `tensor` is NCHW of the spec's shape.
    pub(crate) fn run(&self, tensor: Vec<f32>) -> Result<Heads, InferenceError> {
        let input = tract_ndarray::Array4::from_shape_vec(self.shape, tensor);
        let input = input.map_err(|e| InferenceError::Run(e.to_string()))?;
        let outputs = self.plan.run(tvec!(input.into_tensor().into_tvalue()));
        // tract's kernels return with the upper halves of the vector registers in use.
        simd::clear_upper_halves();
        let error = |e: TractError| InferenceError::Run(format!("{e:#}"));
        let mut heads = Heads::default();
        for (head, output) in self.heads.iter().zip(outputs.map_err(error)?) {
            let view = output.to_plain_array_view::<f32>().map_err(error)?;
            head.fill(view.iter().copied().collect(), &mut heads);
        }
        Ok(heads)
    }
}

fn parse(onnx: Bytes) -> Result<InferenceModel, LoadError> {
    // glibc returns large blocks to the kernel when they are freed, unless a block as large was freed
    // before. After this one the memory of the decoded file is kept, and the packed weights go there:
    // a fifth fewer page faults, which are half of the start-up time.
    drop(black_box(Vec::<u8>::with_capacity(onnx.len())));
    // tract's own reader would first copy all the bytes, and prost those of a slice once more.
    let mut proto = ModelProto::decode(onnx).map_err(|_| LoadError::NotOnnx)?;
    let graph = proto.graph.as_mut().filter(|graph| !graph.node.is_empty());
    // A short text file can be valid protobuf.
    halves::widen(graph.ok_or(LoadError::NotOnnx)?);
    tract_onnx::onnx().model_for_proto_model(&proto).map_err(LoadError::Parse)
}

fn check_operators(graph: &InferenceModel) -> Result<(), LoadError> {
    let mut missing: Vec<String> = (graph.nodes.iter())
        .filter(|n| n.op.as_op().is::<UnimplementedOp>())
        .map(|n| n.op.name().trim_start_matches("Unimplemented(").trim_end_matches(')').to_owned())
        .collect();
    missing.sort();
    missing.dedup();
    if missing.is_empty() { Ok(()) } else { Err(LoadError::Operators(missing)) }
}

fn check_input(graph: &InferenceModel, spec: &ModelSpec) -> Result<(), LoadError> {
    let [outlet] = graph.inputs[..] else {
        return Err(LoadError::Inputs(graph.inputs.len()));
    };
    let fact = graph.outlet_fact(outlet)?;
    let dims: Vec<Option<i64>> =
        fact.shape.dims().map(|d| d.concretize().and_then(|d| d.to_i64().ok()).filter(|d| *d > 0)).collect();
    let wanted = spec.input.shape;
    let fits =
        dims.len() == wanted.len() && dims.iter().zip(wanted).all(|(d, w)| d.is_none_or(|d| d == w as i64));
    if fits || fact.shape.is_open() {
        return Ok(());
    }
    let shown: Vec<String> = dims.iter().map(|d| d.map_or("?".to_owned(), |d| d.to_string())).collect();
    Err(LoadError::InputShape { found: shown.join(", "), wanted })
}

fn compile(
    mut graph: InferenceModel,
    spec: &ModelSpec,
    isa: Option<Isa>,
) -> Result<Arc<TypedRunnableModel>, LoadError> {
    let known: Vec<&str> = graph.outputs.iter().filter_map(|o| graph.outlet_label(*o)).collect();
    let mut selected = Vec::new();
    for (head, name) in Head::named(spec) {
        let Some(position) = known.iter().position(|label| *label == name) else {
            let known = known.join(", ");
            return Err(LoadError::NoOutput { name: name.to_owned(), field: head.spec_field(), known });
        };
        selected.push(graph.outputs[position]);
    }
    graph.select_output_outlets(&selected)?;
    for outlet in selected {
        // Inferred, because exporters may write placeholders (0, -1) for the shape of an output.
        graph.set_outlet_fact(outlet, InferenceFact::default())?;
    }
    graph.set_input_fact(0, f32::fact(spec.input.shape).into())?;
    let mut graph = graph.into_typed()?;
    if let Some(isa) = isa {
        graph.prop_consts().and_then(|()| fuse::fuse(&mut graph, isa))?;
    }
    Ok(graph.into_optimized().and_then(IntoRunnable::into_runnable)?)
}
