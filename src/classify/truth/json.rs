//! The scores as one JSON object.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::Serializer;
use skinclf::evaluation::{AtThreshold, Estimate, Overall, PerClass, Selected, SetFigures, Sets};

use super::evaluation::{Evaluation, RESAMPLES};
use crate::output::{ModelId, OfClasses};

pub(super) fn write(out: &mut dyn Write, evaluation: &Evaluation<'_>) -> io::Result<()> {
    let document = Document {
        interrupted: evaluation.interrupted,
        images: evaluation.images,
        lesions: evaluation.lesions,
        unusable: evaluation.unusable,
        failed: evaluation.left_out.failed,
        unlabelled: evaluation.left_out.unlabelled,
        unknown_label: evaluation.left_out.unknown_label,
        repeated: evaluation.left_out.repeated,
        labels_without_image: evaluation.left_out.labels_without_image,
        model: evaluation.spec.into(),
        prior: evaluation.prior.as_ref().map(|prior| OfClasses::new(evaluation.spec, prior.shares())),
        resamples: RESAMPLES,
        metrics: Metrics {
            overall: evaluation.scores.overall,
            sets: evaluation.scores.sets.map(|sets| sets.all),
        },
        at_threshold: evaluation.scores.at_threshold,
        prediction_sets: evaluation.scores.sets,
        risk_coverage: &evaluation.scores.selected,
        per_class: ByCode(evaluation),
        labels: evaluation.codes().collect(),
        confusion: evaluation.scores.confusion.rows().collect(),
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")?;
    out.flush()
}

#[derive(Serialize)]
struct Document<'a> {
    interrupted: bool,
    images: usize,
    lesions: Option<usize>,
    unusable: u64,
    failed: u64,
    unlabelled: u64,
    unknown_label: u64,
    repeated: u64,
    labels_without_image: u64,
    model: ModelId<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prior: Option<OfClasses<'a>>,
    resamples: usize,
    metrics: Metrics,
    at_threshold: Option<AtThreshold>,
    prediction_sets: Option<Sets>,
    risk_coverage: &'a [Selected],
    per_class: ByCode<'a>,
    labels: Vec<&'a str>,
    confusion: Vec<&'a [u64]>,
}

#[derive(Serialize)]
struct Metrics {
    #[serde(flatten)]
    overall: Overall<Estimate>,
    #[serde(flatten)]
    sets: Option<SetFigures<Estimate>>,
}

/// A map by code of the class, in the order of the labels.
struct ByCode<'a>(&'a Evaluation<'a>);

#[derive(Serialize)]
struct OfClass {
    n: u64,
    #[serde(flatten)]
    figures: PerClass<Estimate>,
}

impl Serialize for ByCode<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let scores = &self.0.scores;
        let classes = scores
            .per_class
            .iter()
            .enumerate()
            .map(|(class, figures)| OfClass { n: scores.confusion.occurrences(class), figures: *figures });
        serializer.collect_map(self.0.codes().zip(classes))
    }
}
