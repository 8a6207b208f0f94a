//! Weights in half precision, which halve a model's size.
//!
//! They are widened before tract sees them: its own casts would add a third to the time a model takes to load.

use std::collections::HashMap;

use half::f16;
use half::slice::HalfFloatSliceExt;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

/// Replaces every Cast of a half-precision weight to single precision by the cast weight.
pub(super) fn widen(graph: &mut GraphProto) {
    // Files of old list weights among the inputs too.
    let outside = |name: &str| graph.input.iter().chain(&graph.output).any(|value| value.name == name);
    let halves: HashMap<String, usize> = (graph.initializer.iter().enumerate())
        .filter(|(_, weight)| weight.data_type == DataType::Float16 as i32 && !weight.raw_data.is_empty())
        .filter(|(_, weight)| !outside(&weight.name))
        .map(|(index, weight)| (weight.name.clone(), index))
        .collect();
    if halves.is_empty() {
        return;
    }
    let mut widened = Vec::new();
    graph.node.retain(|node| {
        let Some(index) = cast_input(node).and_then(|input| halves.get(input)) else { return true };
        widened.push(widen_tensor(&graph.initializer[*index], &node.output[0]));
        false
    });
    // Those that nothing else uses would still be copied and then dropped.
    graph
        .initializer
        .retain(|weight| !halves.contains_key(&weight.name) || is_used(&graph.node, &weight.name));
    graph.initializer.append(&mut widened);
}

/// What `node` casts to single precision, if it is such a cast.
fn cast_input(node: &NodeProto) -> Option<&str> {
    let to_single = |node: &NodeProto| {
        node.attribute.iter().any(|attribute| attribute.name == "to" && attribute.i == DataType::Float as i64)
    };
    let ([input], [_]) = (&node.input[..], &node.output[..]) else { return None };
    (node.op_type == "Cast" && to_single(node)).then_some(input)
}

/// Whether one of the nodes, or a graph inside of one, takes `name`.
fn is_used(nodes: &[NodeProto], name: &str) -> bool {
    nodes.iter().any(|node| {
        let graphs = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
        node.input.iter().any(|input| input == name) || graphs.into_iter().any(|g| is_used(&g.node, name))
    })
}

fn widen_tensor(weight: &TensorProto, name: &str) -> TensorProto {
    let halves: Vec<f16> =
        weight.raw_data.chunks_exact(2).map(|bytes| f16::from_le_bytes([bytes[0], bytes[1]])).collect();
    TensorProto {
        name: name.to_owned(),
        dims: weight.dims.clone(),
        data_type: DataType::Float as i32,
        float_data: halves.to_f32_vec(),
        ..TensorProto::default()
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use tract_onnx::pb::ModelProto;
    use tract_onnx::prelude::*;

    use super::*;
    use crate::model::Model;

    fn casts(graph: &GraphProto) -> usize {
        graph.node.iter().filter(|node| node.op_type == "Cast").count()
    }

    /// The first output for a gray picture, computed by stock tract.
    fn output(proto: &ModelProto) -> Vec<f32> {
        let model = tract_onnx::onnx().model_for_proto_model(proto).expect("a graph");
        let plan = model.into_optimized().and_then(IntoRunnable::into_runnable).expect("a plan");
        let gray = Tensor::zero::<f32>(&[1, 3, 224, 224]).expect("a tensor");
        let outputs = plan.run(tvec!(gray.into_tvalue())).expect("a network that runs");
        outputs[0].to_plain_array_view::<f32>().expect("numbers").iter().copied().collect()
    }

    #[test]
    fn widening_equals_casting() {
        let mut proto = ModelProto::decode(Model::embedded().onnx).expect("the embedded model");
        let cast = output(&proto);
        let graph = proto.graph.as_mut().expect("a graph");
        let (before, weights) = (casts(graph), graph.initializer.len());
        widen(graph);
        assert_eq!((before, casts(graph), graph.initializer.len()), (53, 0, weights));
        assert_eq!(output(&proto), cast);
    }

    #[test]
    fn what_is_more_than_a_cast_of_a_weight_stays() {
        let mut proto = ModelProto::decode(Model::embedded().onnx).expect("the embedded model");
        let graph = proto.graph.as_mut().expect("a graph");
        // Listed as an input, as old files do; taken by another node too.
        let casts = graph.node.iter().filter(|node| node.op_type == "Cast").cloned();
        let names: Vec<String> = casts.take(2).map(|node| node.input[0].clone()).collect();
        graph.input.push(tract_onnx::pb::ValueInfoProto { name: names[0].clone(), ..Default::default() });
        let shape =
            NodeProto { op_type: "Shape".to_owned(), input: vec![names[1].clone()], ..Default::default() };
        graph.node.push(shape);
        widen(graph);
        let kept: Vec<&str> = graph
            .initializer
            .iter()
            .map(|w| w.name.as_str())
            .filter(|name| name.ends_with(".half"))
            .collect();
        assert_eq!(kept, [&*names[0], &*names[1]]);
        assert_eq!(self::casts(graph), 1);
    }
}
