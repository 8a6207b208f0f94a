//! Weights in half precision are widened before tract reads the graph: tract's own casts would make loading a third
//! slower.

use std::collections::{HashMap, HashSet};

use half::f16;
use half::slice::HalfFloatSliceExt;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};
use tract_onnx::prelude::{Datum, DatumType};

/// Replaces each Cast of a half-precision weight to single precision, and the weight, by the cast weight.
///
/// Only where this cannot change the graph's meaning; all others, and ill-formed ones, are left to tract.
pub(super) fn widen(graph: &mut GraphProto) {
    let halves: HashMap<&str, usize> = (graph.initializer.iter().enumerate())
        .filter(|(_, weight)| is_whole_half(weight))
        .map(|(index, weight)| (weight.name.as_str(), index))
        .collect();
    if halves.is_empty() {
        return;
    }
    let (definitions, uses) = (definitions(graph), uses(graph));
    let is = |counts: &HashMap<&str, usize>, name: &str| counts.get(name) == Some(&1);
    let mut widened = Vec::new();
    let mut casts = HashSet::new();
    for (position, node) in graph.node.iter().enumerate() {
        let Some((input, output)) = cast_to_single(node) else { continue };
        let inner = is(&definitions, input) && is(&definitions, output) && !output.is_empty();
        if let Some(weight) = halves.get(input).filter(|_| inner && is(&uses, input)) {
            widened.push((*weight, widen_tensor(&graph.initializer[*weight], output)));
            casts.insert(position);
        }
    }
    for (weight, tensor) in widened {
        graph.initializer[weight] = tensor;
    }
    let mut position = 0..;
    graph.node.retain(|_| position.next().is_none_or(|at| !casts.contains(&at)));
}

fn is_whole_half(weight: &TensorProto) -> bool {
    let bytes = weight.dims.iter().try_fold(2_i64, |bytes, dim| bytes.checked_mul(*dim));
    let whole = bytes.is_some_and(|bytes| usize::try_from(bytes) == Ok(weight.raw_data.len()));
    weight.data_type == DataType::Float16 as i32 && !weight.raw_data.is_empty() && whole
}

/// How often each name is defined. The graph's inputs and outputs count, too, so that a name with a count of one has no
/// meaning outside of the graph.
fn definitions(graph: &GraphProto) -> HashMap<&str, usize> {
    let outside = graph.input.iter().chain(&graph.output).map(|value| &value.name);
    let weights = graph.initializer.iter().map(|weight| &weight.name);
    let mut counts = HashMap::new();
    for name in outside.chain(weights).chain(graph.node.iter().flat_map(|node| &node.output)) {
        *counts.entry(name.as_str()).or_default() += 1;
    }
    counts
}

/// How often each name is an input of a node, also of nodes in subgraphs.
fn uses(graph: &GraphProto) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    let mut graphs = vec![graph];
    while let Some(graph) = graphs.pop() {
        for node in &graph.node {
            for name in &node.input {
                *counts.entry(name.as_str()).or_default() += 1;
            }
            graphs.extend(
                node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)),
            );
        }
    }
    counts
}

fn cast_to_single(node: &NodeProto) -> Option<(&str, &str)> {
    let ([input], [output]) = (&node.input[..], &node.output[..]) else { return None };
    let to_single = || node.get_attr::<DatumType>("to").is_ok_and(|to| to == f32::datum_type());
    (node.op_type == "Cast" && to_single()).then_some((input, output))
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
    use tract_onnx::pb::attribute_proto::AttributeType;
    use tract_onnx::pb::{AttributeProto, ModelProto, ValueInfoProto};
    use tract_onnx::prelude::*;

    use super::*;
    use crate::model::Model;

    /// All outputs for one picture, computed by stock tract.
    fn outputs(proto: &ModelProto) -> Vec<Vec<f32>> {
        let model = tract_onnx::onnx().model_for_proto_model(proto).expect("a graph");
        let plan = model.into_optimized().and_then(IntoRunnable::into_runnable).expect("a plan");
        let pixels: Vec<f32> = (0..3 * 224 * 224).map(|i| (i * 31 % 255) as f32 / 127.0 - 1.0).collect();
        let input = tract_ndarray::Array4::from_shape_vec([1, 3, 224, 224], pixels).expect("a tensor");
        let outputs = plan.run(tvec!(input.into_tensor().into_tvalue())).expect("a network that runs");
        let values =
            |output: &TValue| output.to_plain_array_view::<f32>().expect("numbers").iter().copied().collect();
        outputs.iter().map(values).collect()
    }

    #[test]
    fn widening_equals_casting() {
        let mut proto = ModelProto::decode(Model::embedded().onnx).expect("the embedded model");
        let cast = outputs(&proto);
        let graph = proto.graph.as_mut().expect("a graph");
        let (nodes, weights) = (graph.node.len(), graph.initializer.len());
        widen(graph);
        assert_eq!((graph.node.len(), graph.initializer.len()), (nodes - 53, weights));
        assert!(graph.node.iter().all(|node| node.op_type != "Cast"));
        assert_eq!(outputs(&proto), cast);
    }

    fn node(op_type: &str, input: &str, output: &str) -> NodeProto {
        let [input, output] = [input, output].map(|name| vec![name.to_owned()]);
        NodeProto { op_type: op_type.to_owned(), input, output, ..NodeProto::default() }
    }

    fn value(name: &str) -> ValueInfoProto {
        ValueInfoProto { name: name.to_owned(), ..ValueInfoProto::default() }
    }

    /// `sum = Relu(Cast(weight))`.
    fn small() -> GraphProto {
        let to = AttributeProto {
            name: "to".to_owned(),
            r#type: AttributeType::Int as i32,
            i: DataType::Float as i64,
            ..AttributeProto::default()
        };
        let weight = TensorProto {
            name: "weight".to_owned(),
            dims: vec![2],
            data_type: DataType::Float16 as i32,
            raw_data: [1.5, -2.0].into_iter().flat_map(|x| f16::from_f32(x).to_le_bytes()).collect(),
            ..TensorProto::default()
        };
        let mut cast = node("Cast", "weight", "cast");
        cast.attribute.push(to);
        GraphProto {
            node: vec![cast, node("Relu", "cast", "sum")],
            initializer: vec![weight],
            output: vec![value("sum")],
            ..GraphProto::default()
        }
    }

    #[test]
    fn a_cast_weight_takes_the_place_of_both() {
        let mut graph = small();
        widen(&mut graph);
        let [weight] = &graph.initializer[..] else { panic!("one weight") };
        assert_eq!((weight.name.as_str(), &weight.float_data[..]), ("cast", &[1.5, -2.0][..]));
        assert_eq!(graph.node, [node("Relu", "cast", "sum")]);
    }

    #[test]
    fn what_is_more_than_that_is_left_to_tract() {
        type Change = fn(&mut GraphProto);
        let changes: [(&str, Change); 10] = [
            ("cut off", |g| g.initializer[0].raw_data.truncate(3)),
            ("negative", |g| g.initializer[0].dims = vec![-2]),
            ("no bytes", |g| g.initializer[0].raw_data.clear()),
            ("to half", |g| g.node[0].attribute[0].i = DataType::Float16 as i64),
            ("used twice", |g| g.node.push(node("Relu", "weight", "other"))),
            ("defined twice", |g| g.initializer.push(g.initializer[0].clone())),
            ("an input", |g| g.input.push(value("weight"))),
            ("cast is an output", |g| g.output.push(value("cast"))),
            ("two outputs", |g| g.node[0].output.push("second".to_owned())),
            ("used inside", |g| {
                let inside = GraphProto { node: vec![node("Relu", "weight", "x")], ..GraphProto::default() };
                let branch = AttributeProto { g: Some(inside), ..AttributeProto::default() };
                g.node[1].attribute.push(branch);
            }),
        ];
        for (name, change) in changes {
            let mut graph = small();
            change(&mut graph);
            let before = graph.clone();
            widen(&mut graph);
            assert_eq!(graph, before, "{name}");
        }
    }
}
