//! Whole networks with fused stages, compared with stock tract.

use std::path::{Path, PathBuf};

use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::source::TypedSource;

use super::*;
use crate::image;
use crate::spec::Outputs;

fn network(name: &str, side: usize) -> Model {
    let embedded = Model::embedded();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/networks/{name}.onnx"));
    let mut spec = embedded.spec;
    spec.input.shape = [1, 3, side, side];
    spec.labels.truncate(4);
    spec.outputs = Outputs::default();
    Model { spec, onnx: std::fs::read(&path).expect("a network").into(), file: path }
}

/// Deterministic values from -1 to 1.
fn noise(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1_u32 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn values(heads: &Heads) -> Vec<f32> {
    heads.logits.iter().chain(&heads.maps).chain(&heads.dermoscopy).copied().collect()
}

fn assert_equal_to_stock(model: &Model, tensors: &[Vec<f32>]) {
    let load = |isa| Engine::load_with(model, isa).expect("a network that loads");
    let stock = load(None);
    for isa in Isa::available() {
        let fused = load(Some(isa));
        for tensor in tensors {
            let wanted = stock.run(tensor.clone()).expect("stock tract runs it");
            let got = fused.run(tensor.clone()).expect("fused stages run it");
            let [got, wanted] = [got, wanted].map(|heads| values(&heads));
            assert_eq!(got.len(), wanted.len());
            // Rounding does not average out in a single cell of a map as it does in a logit, their mean.
            let labels = model.spec.labels.len();
            let differences = got.iter().zip(&wanted).map(|(a, b)| (a - b).abs());
            let fits = differences.enumerate().all(|(i, off)| off <= if i < labels { 1e-4 } else { 1e-3 });
            assert!(fits, "{} with {}: {got:?} instead of {wanted:?}", model.file.display(), isa.name());
        }
    }
}

/// Operators of the compiled graph; `n fused stages` is one operator.
fn operators(model: &Model) -> Vec<String> {
    let engine = Engine::load_with(model, Some(Isa::available()[0])).expect("a network that loads");
    let graph = engine.plan.model();
    let order = graph.eval_order().expect("an order");
    let nodes = order.into_iter().map(|id| graph.node(id));
    nodes
        .filter(|n| !n.op_is::<TypedSource>() && !n.op_is::<Const>())
        .map(|n| n.op_as::<chain::Chain>().map_or(n.op.name().to_string(), |c| format!("{c:?}")))
        .collect()
}

#[test]
fn the_embedded_network_equals_stock_tract() {
    let model = Model::embedded();
    let len = model.spec.input.shape.iter().product();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut pictures = ["lesion-1.jpg", "lesion-2.jpg", "lesion-3.jpg"].map(|n| samples.join(n)).to_vec();
    // Photographs may not be part of this repository; test them where there are some.
    if let Some(folder) = std::env::var_os("SKINCLF_TEST_IMAGES") {
        let files = std::fs::read_dir(folder).expect("SKINCLF_TEST_IMAGES is a folder");
        pictures.extend(files.map(|file| file.expect("an entry").path()));
    }
    let mut tensors = vec![noise(len, 1), vec![0.0; len]];
    for picture in pictures {
        let bytes = std::fs::read(picture).expect("a picture");
        let pixels = image::decode(&bytes, model.spec.input.side()).expect("an image");
        let square = image::square(&pixels, &model.spec.input);
        tensors.push(image::normalise(&square, &model.spec.input));
    }
    assert_equal_to_stock(&model, &tensors);
}

#[test]
fn other_networks_equal_stock_tract() {
    for (name, side) in [
        ("mobilenet-035-96", 96),
        ("mobilenet-140-160", 160),
        ("mobilenet-v1-61", 61),
        ("resnet-64", 64),
        ("look-alikes-32", 32),
    ] {
        let len = 3 * side * side;
        assert_equal_to_stock(&network(name, side), &[noise(len, 1), noise(len, 2)]);
    }
}

/// A network with all the outputs that a spec can name.
fn three_heads() -> Model {
    let mut model = network("three-heads-64", 64);
    let [class_maps, dermoscopy] = ["maps", "dermoscopy"].map(|name| Some(name.to_owned()));
    model.spec.outputs = Outputs { class_maps, dermoscopy, ..Outputs::default() };
    model
}

#[test]
fn a_network_of_three_heads_equals_stock_tract() {
    let model = three_heads();
    let tensor = noise(3 * 64 * 64, 1);
    assert_equal_to_stock(&model, std::slice::from_ref(&tensor));
    let heads = Engine::load(&model).and_then(|e| e.run(tensor).map_err(|e| ModelError::new(&model.file, e)));
    let heads = heads.expect("a network that runs");
    assert_eq!((heads.logits.len(), heads.maps.len()), (4, 4 * 16 * 16));
    for (logit, map) in heads.logits.iter().zip(heads.maps.chunks(16 * 16)) {
        assert!((logit - map.iter().sum::<f32>() / 256.0).abs() < 1e-4, "a logit is the mean of its map");
    }
    assert!(heads.dermoscopy.is_some());
}

/// Without it the tests above would also pass for an engine that fuses nothing.
#[test]
fn all_of_a_mobilenet_is_fused() {
    // 17 blocks, the first with the stem, and two pointwise convolutions. The class maps are an output,
    // so that slices and averages of 8 maps of 7x7 are left to tract.
    let [chain, rest @ ..] = &operators(&Model::embedded())[..] else { panic!("no operators") };
    assert_eq!((chain.as_str(), rest.len()), ("19 fused stages", 9), "{rest:?}");
    // The same with three blocks.
    assert_eq!(operators(&three_heads())[0], "5 fused stages");
    // Without maps the average is a stage too; what is left is to take the logits of its eight means.
    let mut without_maps = Model::embedded();
    without_maps.spec.outputs = Outputs::default();
    assert_eq!(operators(&without_maps), ["20 fused stages", "Slice", "IntoShape"]);
    // The exporter's Pad nodes are folded.
    assert_eq!(operators(&network("mobilenet-140-160", 160)), ["6 fused stages", "IntoShape"]);
    // A dense layer follows.
    let narrow = operators(&network("mobilenet-035-96", 96));
    assert_eq!(narrow, ["7 fused stages", "OptMatMulPack", "OptMatMul"]);
    // The 5x5 stem is fused with what follows, and each depthwise with its pointwise convolution.
    assert_eq!(operators(&network("mobilenet-v1-61", 61))[0], "5 fused stages");
}
