//! The engine, by way of the public interface: loading, and the forward pass of the embedded
//! network. `SKINCLF_ISA=avx2 cargo bench` measures another instruction set.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use skinclf::{Classifier, Model, Options};

const LESION: &[u8] = include_bytes!("../samples/lesion-1.jpg");

fn load() -> Classifier {
    Classifier::load(Model::embedded()).expect("the embedded model loads")
}

fn engine(c: &mut Criterion) {
    let classifier = load();
    assert_right_answer(&classifier);
    let isa = classifier.isa();
    c.bench_function(&format!("load/{isa}"), |b| b.iter(load));
    c.bench_function(&format!("forward pass/{isa}"), |b| {
        b.iter_custom(|passes| {
            let pass = |_| {
                let timed = classifier.classify_timed(LESION, Options::default());
                black_box(timed).expect("a picture").1.inference
            };
            (0..passes).map(pass).sum::<Duration>()
        });
    });
}

/// A fast wrong answer is worth nothing.
fn assert_right_answer(classifier: &Classifier) {
    let prediction = classifier.classify(LESION).expect("a picture");
    for (got, wanted) in prediction.probabilities.iter().zip(ONNX_RUNTIME) {
        assert!((got - wanted).abs() < 0.02, "{:?}", prediction.probabilities);
    }
}

/// Probabilities of the picture by PIL and ONNX Runtime; the decoders and resizers differ a little.
const ONNX_RUNTIME: [f32; 7] = [0.0329, 0.0396, 0.2240, 0.1197, 0.0865, 0.4008, 0.0966];

criterion_group!(benches, engine);
criterion_main!(benches);
