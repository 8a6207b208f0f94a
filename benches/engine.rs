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
                let prediction = classifier.classify_with(LESION, &Options::default());
                black_box(prediction).expect("an image").timings.inference
            };
            (0..passes).map(pass).sum::<Duration>()
        });
    });
}

/// A fast wrong answer is worth nothing: that of PIL and ONNX Runtime is among the goldens of the tests. Decoders and
/// resizers differ a little.
fn assert_right_answer(classifier: &Classifier) {
    let goldens = include_str!("../tests/goldens/expected.json");
    let goldens: serde_json::Value = serde_json::from_str(goldens).expect("JSON");
    let wanted = goldens["squares"]["sample-lesion-1-jpg.webp"].as_array().expect("probabilities");
    let prediction = classifier.classify(LESION).expect("a picture");
    assert_eq!(prediction.probabilities.len(), wanted.len());
    for (got, wanted) in prediction.probabilities.iter().zip(wanted) {
        let wanted = wanted.as_f64().expect("a number");
        assert!((f64::from(*got) - wanted).abs() < 0.02, "{:?}", prediction.probabilities);
    }
}

criterion_group!(benches, engine);
criterion_main!(benches);
