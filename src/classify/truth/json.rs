//! The scores as one JSON object.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::Serializer;
use skinclf::evaluation::{AtThreshold, Estimate, Overall, PerClass};

use super::RESAMPLES;
use super::report::Report;
use crate::output::ModelId;

pub(super) fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let document = Document {
        interrupted: report.interrupted,
        images: report.images,
        lesions: report.lesions,
        unusable: report.unusable,
        failed: report.left_out.failed,
        unlabelled: report.left_out.unlabelled,
        unknown_label: report.left_out.unknown_label,
        repeated: report.left_out.repeated,
        labels_without_image: report.left_out.labels_without_image,
        model: report.spec.into(),
        resamples: RESAMPLES,
        metrics: report.scores.overall,
        at_threshold: report.scores.at_threshold,
        per_class: ByCode(report),
        labels: report.spec.labels.iter().map(|l| l.code.as_str()).collect(),
        confusion: report.scores.confusion.rows().collect(),
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
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
    resamples: usize,
    metrics: Overall<Estimate>,
    at_threshold: Option<AtThreshold>,
    per_class: ByCode<'a>,
    labels: Vec<&'a str>,
    confusion: Vec<&'a [u64]>,
}

/// The classes' figures by code, in the order of the labels.
struct ByCode<'a>(&'a Report<'a>);

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
        serializer.collect_map(self.0.spec.labels.iter().map(|l| &l.code).zip(classes))
    }
}
