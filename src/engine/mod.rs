//! Runs the network. tract loads, checks and executes the ONNX graph; the parts of it that look like
//! a MobileNet are first replaced by an operator of our own.
//!
//! [`halves`] widens the weights of the file, [`fuse`] finds those parts, [`chain`] is the operator,
//! [`block`] and [`simd`] compute; [`heads`] are the outputs.

mod aligned;
mod block;
mod chain;
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
use tract_onnx::pb::{ModelProto, StringStringEntryProto};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::Factoid;
use tract_onnx::tract_hir::ops::unimpl::UnimplementedOp;

use crate::model::{Model, ModelError};
use crate::spec::ModelSpec;
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
    /// Decodes the graph, holds it to its spec and compiles it for the spec's input shape.
    pub(crate) fn load(model: &Model) -> Result<Self, ModelError> {
        let isa = Isa::chosen().map_err(|problem| ModelError::new(&model.file, problem))?;
        Self::load_with(model, isa)
    }

    /// Without an instruction set everything is left to tract.
    fn load_with(model: &Model, isa: Option<Isa>) -> Result<Self, ModelError> {
        // tract panics on some graphs that no exporter writes; that is a model that cannot be used.
        let loaded = catch_unwind(AssertUnwindSafe(|| Self::load_unguarded(model, isa)));
        loaded
            .unwrap_or_else(|_| Err("cannot be loaded: the graph is malformed".to_owned()))
            .map_err(|problem| ModelError::new(&model.file, problem))
    }

    fn load_unguarded(model: &Model, isa: Option<Isa>) -> Result<Self, String> {
        let graph = parse(model.onnx.clone())?;
        check_operators(&graph)?;
        check_input(&graph, &model.spec)?;
        let plan = compile(graph, &model.spec, isa)?;
        let mut heads = Vec::new();
        for (slot, (head, name)) in Head::named(&model.spec).into_iter().enumerate() {
            let fact = plan.model().output_fact(slot).map_err(|e| e.to_string())?;
            head.check(fact, name, &model.spec)?;
            heads.push(head);
        }
        Ok(Self { plan, shape: model.spec.input.shape, heads, isa })
    }

    /// Name of the instruction set in use.
    pub(crate) fn isa(&self) -> &'static str {
        self.isa.map_or("tract", Isa::name)
    }

    /// One forward pass: `tensor` is NCHW of the spec's shape.
    pub(crate) fn run(&self, tensor: Vec<f32>) -> Result<Heads, String> {
        let input = tract_ndarray::Array4::from_shape_vec(self.shape, tensor).map_err(|e| e.to_string())?;
        let outputs = self.plan.run(tvec!(input.into_tensor().into_tvalue()));
        // tract's kernels return with the upper halves of the vector registers in use.
        simd::clear_upper_halves();
        let outputs = outputs.map_err(|e| format!("{e:#}"))?;
        let mut heads = Heads::default();
        for (head, output) in self.heads.iter().zip(outputs) {
            let view = output.to_plain_array_view::<f32>().map_err(|e| format!("{e:#}"))?;
            head.fill(view.iter().copied().collect(), &mut heads);
        }
        Ok(heads)
    }
}

/// The graph's `metadata_props`, as (key, value).
pub(crate) fn metadata(onnx: &[u8]) -> Result<Vec<(String, String)>, String> {
    /// The one field that is of interest here; others, the weights among them, are skipped.
    #[derive(prost::Message)]
    struct Metadata {
        #[prost(message, repeated, tag = "14")]
        metadata_props: Vec<StringStringEntryProto>,
    }
    let metadata = Metadata::decode(onnx).map_err(|_| NOT_ONNX)?;
    Ok(metadata.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect())
}

const NOT_ONNX: &str = "not an ONNX model";

fn parse(onnx: Bytes) -> Result<InferenceModel, String> {
    // glibc hands large blocks back to the kernel as they are freed, unless a block as large was freed
    // before. After this one the memory of the decoded file is kept, and the packed weights go there:
    // a fifth fewer page faults, which are half of the start-up.
    drop(black_box(Vec::<u8>::with_capacity(onnx.len())));
    // tract's own reader would first copy all the bytes, and prost those of a slice once more.
    let mut proto = ModelProto::decode(onnx).map_err(|_| NOT_ONNX)?;
    let graph = proto.graph.as_mut().filter(|graph| !graph.node.is_empty());
    // A short text file can be valid protobuf.
    halves::widen(graph.ok_or(NOT_ONNX)?);
    tract_onnx::onnx().model_for_proto_model(&proto).map_err(|e| format!("cannot be loaded: {e:#}"))
}

fn check_operators(graph: &InferenceModel) -> Result<(), String> {
    let mut missing: Vec<String> = (graph.nodes.iter())
        .filter(|n| n.op.as_op().is::<UnimplementedOp>())
        .map(|n| n.op.name().trim_start_matches("Unimplemented(").trim_end_matches(')').to_owned())
        .collect();
    missing.sort();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("uses operators that are not supported: {}", missing.join(", ")))
}

fn check_input(graph: &InferenceModel, spec: &ModelSpec) -> Result<(), String> {
    let [outlet] = graph.inputs[..] else {
        return Err(format!("the graph has {} inputs; one image input is expected", graph.inputs.len()));
    };
    let fact = graph.outlet_fact(outlet).map_err(|e| e.to_string())?;
    let dims: Vec<Option<i64>> =
        fact.shape.dims().map(|d| d.concretize().and_then(|d| d.to_i64().ok()).filter(|d| *d > 0)).collect();
    let wanted = spec.input.shape;
    let fits =
        dims.len() == wanted.len() && dims.iter().zip(wanted).all(|(d, w)| d.is_none_or(|d| d == w as i64));
    if fits || fact.shape.is_open() {
        return Ok(());
    }
    let shown: Vec<String> = dims.iter().map(|d| d.map_or("?".to_owned(), |d| d.to_string())).collect();
    Err(format!("the graph's input is [{}], but its spec says input.shape {wanted:?}", shown.join(", ")))
}

fn compile(
    mut graph: InferenceModel,
    spec: &ModelSpec,
    isa: Option<Isa>,
) -> Result<Arc<TypedRunnableModel>, String> {
    let error = |e: TractError| format!("cannot be compiled: {e:#}");
    let known: Vec<&str> = graph.outputs.iter().filter_map(|o| graph.outlet_label(*o)).collect();
    let mut selected = Vec::new();
    for (head, name) in Head::named(spec) {
        let Some(position) = known.iter().position(|label| *label == name) else {
            let field = head.field();
            return Err(format!("has no output {name:?} ({field} of its spec); it has {}", known.join(", ")));
        };
        selected.push(graph.outputs[position]);
    }
    graph.select_output_outlets(&selected).map_err(error)?;
    for outlet in selected {
        // The shape an exporter wrote for the output may carry placeholders (0, -1); it is inferred.
        graph.set_outlet_fact(outlet, InferenceFact::default()).map_err(error)?;
    }
    graph.set_input_fact(0, f32::fact(spec.input.shape).into()).map_err(error)?;
    let mut graph = graph.into_typed().map_err(error)?;
    if let Some(isa) = isa {
        graph.prop_consts().and_then(|()| fuse::fuse(&mut graph, isa)).map_err(error)?;
    }
    graph.into_optimized().and_then(IntoRunnable::into_runnable).map_err(error)
}
