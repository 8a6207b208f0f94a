//! `skinclf::evaluation` against scikit-learn, and what must hold of its intervals.
//!
//! See `../metrics/README.md` for how the expected figures are made.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use skinclf::evaluation::{Estimate, Overall, Sample, Scores};
use skinclf::{Conformal, Coverage, ModelSpec};

const TOLERANCE: f64 = 1e-9;
const SEED: u64 = 7;

#[derive(Deserialize)]
struct Fixture {
    parts: u32,
    cases: BTreeMap<String, Case>,
}

/// Images, and what scikit-learn makes of them.
#[derive(Deserialize)]
struct Case {
    truths: Vec<usize>,
    decisions: Vec<usize>,
    parts: Vec<Vec<u32>>,
    #[serde(flatten)]
    expected: BTreeMap<String, Value>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../metrics/expected.json")).expect("the fixture")
}

fn spec() -> ModelSpec {
    let spec = ModelSpec::parse(include_bytes!("../../models/mobilenetv2.json")).expect("a spec");
    // As in the fixture.
    let conformal = Conformal { coverages: vec![0.875], malignant: vec![0.125], benign: vec![0.3125] };
    ModelSpec { malignancy_threshold: Some(0.25), conformal: Some(conformal), ..spec }
}

impl Fixture {
    fn case(&self, name: &str) -> &Case {
        self.cases.get(name).unwrap_or_else(|| panic!("no case {name}"))
    }

    /// The sample that `copies` images of each of a case's make, with the truths given and the copies of one as a
    /// lesion of their own.
    fn sample<'s>(
        &self,
        spec: &'s ModelSpec,
        case: &Case,
        truths: &[usize],
        copies: usize,
        by_lesion: bool,
    ) -> Sample<'s> {
        let mut sample = Sample::new(spec);
        let coverage = Coverage::of(spec, 0.875).expect("a coverage");
        for (image, parts) in case.parts.iter().enumerate() {
            let probabilities: Vec<f32> = parts.iter().map(|p| *p as f32 / self.parts as f32).collect();
            let set = coverage.set(&spec.labels, &probabilities, case.decisions[image]);
            let flagged = spec.is_flagged(spec.malignant_probability(&probabilities)) == Some(true);
            for _ in 0..copies {
                let lesion = by_lesion.then_some(1000 + image);
                sample.push(
                    truths[image],
                    case.decisions[image],
                    &probabilities,
                    flagged,
                    Some(&set),
                    lesion,
                );
            }
        }
        sample
    }

    fn score(&self, name: &str, resamples: usize) -> Scores {
        let (spec, case) = (spec(), self.case(name));
        self.sample(&spec, case, &case.truths, 1, false).score(resamples, SEED)
    }
}

/// The scores without intervals, as the fixture has them.
fn values(scores: &Scores) -> Value {
    let spec = spec();
    let mut metrics = serde_json::to_value(scores.overall).expect("JSON");
    let sets = scores.sets.expect("sets");
    let of_all = serde_json::to_value(sets.all).expect("JSON");
    metrics.as_object_mut().expect("an object").extend(of_all.as_object().expect("an object").clone());
    strip(&mut metrics);
    let mut sets = serde_json::to_value(sets).expect("JSON");
    for group in ["malignant", "benign"] {
        strip(&mut sets[group]);
    }
    let mut selected = serde_json::to_value(&scores.selected).expect("JSON");
    selected.as_array_mut().expect("an array").iter_mut().for_each(strip);
    let mut per_class = json!({});
    for (class, (label, figures)) in spec.labels.iter().zip(&scores.per_class).enumerate() {
        let mut of_class = serde_json::to_value(figures).expect("JSON");
        strip(&mut of_class);
        of_class["n"] = scores.confusion.occurrences(class).into();
        per_class[&label.code] = of_class;
    }
    let mut at_threshold = serde_json::to_value(scores.at_threshold).expect("JSON");
    strip(&mut at_threshold);
    json!({
        "metrics": metrics,
        "at_threshold": at_threshold,
        "prediction_sets": sets,
        "risk_coverage": selected,
        "per_class": per_class,
        "confusion": scores.confusion.rows().collect::<Vec<_>>(),
    })
}

fn strip(estimates: &mut Value) {
    for estimate in estimates.as_object_mut().expect("an object").values_mut().filter(|v| v.is_object()) {
        *estimate = estimate["value"].take();
    }
}

/// Where two documents differ in shape, or in a number by more than the tolerance.
fn differences(at: &str, actual: &Value, wanted: &Value) -> Vec<String> {
    match (actual, wanted) {
        (Value::Object(a), Value::Object(w)) if a.keys().eq(w.keys()) => {
            w.iter().flat_map(|(key, w)| differences(&format!("{at}/{key}"), &a[key], w)).collect()
        }
        (Value::Array(a), Value::Array(w)) if a.len() == w.len() => a
            .iter()
            .zip(w)
            .enumerate()
            .flat_map(|(i, (a, w))| differences(&format!("{at}/{i}"), a, w))
            .collect(),
        (Value::Number(a), Value::Number(w)) => {
            let (a, w) = (a.as_f64().expect("finite"), w.as_f64().expect("finite"));
            if (a - w).abs() > TOLERANCE { vec![format!("{at}: {a}, wanted {w}")] } else { Vec::new() }
        }
        (a, w) if a == w => Vec::new(),
        (a, w) => vec![format!("{at}: {a}, wanted {w}")],
    }
}

#[test]
fn figures_agree_with_scikit_learn() {
    let fixture = fixture();
    assert_eq!(fixture.cases.len(), 6);
    for (name, case) in &fixture.cases {
        let wanted = serde_json::to_value(&case.expected).expect("JSON");
        let off = differences(name, &values(&fixture.score(name, 0)), &wanted);
        assert!(off.is_empty(), "{off:#?}");
    }
}

#[test]
fn curves_begin_and_end_in_the_corners_and_enclose_the_area() {
    let scores = fixture().score("like HAM10000", 0);
    let area = |curve: &[skinclf::evaluation::Point]| -> f64 {
        let width = |w: &[skinclf::evaluation::Point]| w[1].false_positive_rate - w[0].false_positive_rate;
        curve.windows(2).map(|w| width(w) * (w[0].sensitivity + w[1].sensitivity) / 2.0).sum()
    };
    let classes = scores.class_rocs.iter().zip(scores.per_class.iter().map(|c| c.auroc));
    for (curve, auroc) in classes.chain([(&scores.malignant_roc, scores.overall.malignant_auroc)]) {
        let ends = [curve[0], curve[curve.len() - 1]].map(|p| (p.false_positive_rate, p.sensitivity));
        assert_eq!(ends, [(0.0, 0.0), (1.0, 1.0)]);
        assert!((area(curve) - auroc.value.expect("defined")).abs() < TOLERANCE);
    }
    let images: u64 = scores.reliability.iter().map(|bin| bin.images).sum();
    assert_eq!(images, 400);
    let all = scores.risk_coverage.last().expect("points");
    let wrong = 1.0 - scores.overall.accuracy.value.expect("defined");
    assert!(all.kept == 1.0 && (all.error_rate - wrong).abs() < TOLERANCE, "{all:?}");
    assert!(scores.risk_coverage.is_sorted_by(|a, b| a.kept < b.kept));
}

fn width(estimate: Estimate) -> f64 {
    let [low, high] = estimate.ci95.expect("an interval");
    high - low
}

#[test]
fn an_interval_is_what_theory_says_of_a_share() {
    let scores = fixture().score("like HAM10000", 1000);
    let accuracy = scores.overall.accuracy;
    let p = accuracy.value.expect("a value");
    let expected = 2.0 * 1.96 * (p * (1.0 - p) / 400.0).sqrt();
    assert!((width(accuracy) / expected - 1.0).abs() < 0.12, "{} {expected}", width(accuracy));
    let [low, high] = accuracy.ci95.expect("an interval");
    assert!((low..=high).contains(&p));
}

#[test]
fn intervals_are_repeatable_on_any_number_of_threads() {
    let fixture = fixture();
    let first = fixture.score("like HAM10000", 200);
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    assert_eq!(alone.install(|| fixture.score("like HAM10000", 200)), first);
    let spec = spec();
    let case = fixture.case("like HAM10000");
    let sample = fixture.sample(&spec, case, &case.truths, 1, false);
    assert_ne!(sample.score(200, SEED + 1).overall, first.overall, "another seed, other resamples");
}

#[test]
fn copies_of_a_lesion_are_no_evidence_but_images_are() {
    let (fixture, spec) = (fixture(), spec());
    let case = fixture.case("like HAM10000");
    let once = fixture.score("like HAM10000", 500).overall;
    let score = |by_lesion| fixture.sample(&spec, case, &case.truths, 4, by_lesion).score(500, SEED).overall;
    let (by_lesion, by_image): (Overall<Estimate>, Overall<Estimate>) = (score(true), score(false));
    let [once_json, lesion_json] = [once, by_lesion].map(|overall| {
        let mut overall = serde_json::to_value(overall).expect("JSON");
        // A mean over numbers of images, of which there are more.
        overall.as_object_mut().expect("an object").remove("aurc");
        overall
    });
    assert_eq!(differences("", &lesion_json, &once_json), Vec::<String>::new());
    let figures: [fn(&Overall<Estimate>) -> Estimate; 3] =
        [|o| o.accuracy, |o| o.malignant_auroc, |o| o.brier];
    for figure in figures {
        let ratio = width(figure(&by_image)) / width(figure(&by_lesion));
        assert!((0.4..0.6).contains(&ratio), "four times the images, half the width: {ratio}");
    }
}

#[test]
fn a_resample_without_a_class_says_nothing_about_it() {
    let spec = spec();
    let mut sample = Sample::new(&spec);
    for image in 0..20 {
        let class = if image == 0 { 3 } else { 5 };
        let mut probabilities = [0.0; 7];
        probabilities[class] = 1.0;
        sample.push(class, class, &probabilities, false, None, None);
    }
    // The one dermatofibroma is missing from a third of the resamples.
    let scores = sample.score(500, SEED);
    assert_eq!(scores.per_class[3].recall, Estimate { value: Some(1.0), ci95: Some([1.0, 1.0]) });
    assert_eq!(scores.per_class[3].auroc.ci95, Some([1.0, 1.0]));
    assert_eq!(scores.per_class[0].recall, Estimate { value: None, ci95: None });
    assert_eq!(scores.sets, None, "no image has a prediction set");
    assert_eq!(scores.overall.balanced_accuracy.ci95, Some([1.0, 1.0]));
}

#[test]
fn one_lesion_gives_no_interval() {
    let (fixture, spec) = (fixture(), spec());
    let case = fixture.case("one image");
    let scores = fixture.sample(&spec, case, &case.truths, 3, true).score(100, SEED);
    assert_eq!(scores.overall.accuracy, Estimate { value: Some(1.0), ci95: None });
}

/// Negative control: with truths that have nothing to do with the images, a decision among seven classes is right in
/// one of seven.
#[test]
fn shuffled_labels_are_recognised_by_chance() {
    let (fixture, spec) = (fixture(), spec());
    let case = fixture.case("like HAM10000");
    let chance = 1.0 / 7.0;
    let skilled = fixture.score("like HAM10000", 500).overall.balanced_accuracy.ci95.expect("an interval");
    assert!(skilled[0] > 2.0 * chance, "{skilled:?}");
    let mut truths = case.truths.clone();
    fastrand::Rng::with_seed(SEED).shuffle(&mut truths);
    let shuffled = fixture.sample(&spec, case, &truths, 1, false).score(500, SEED);
    let balanced = shuffled.overall.balanced_accuracy;
    let [low, high] = balanced.ci95.expect("an interval");
    assert!((low..=high).contains(&chance), "{balanced:?}");
    assert!((balanced.value.expect("a value") - chance).abs() < 0.1, "{balanced:?}");
    let auroc = shuffled.overall.macro_auroc.value.expect("a value");
    assert!((auroc - 0.5).abs() < 0.1, "{auroc}");
}
