//! A sample made ready to be scored under many weights.

use super::Sample;
use super::calibration::{Bin, Calibration};
use super::confusion::{Confusion, mean};
use super::flag::{Flagged, Flags};
use super::roc::{Point, Ranking};
use super::scores::{Overall, PerClass};
use super::selective::{RiskPoint, Selection};
use super::sets::SetFigures;
use crate::spec::Group;

const MELANOMA: &str = "mel";

pub(super) struct Prepared<'a> {
    sample: &'a Sample<'a>,
    melanoma: Option<usize>,
    /// By the probability of each class.
    by_class: Vec<Ranking>,
    by_malignancy: Ranking,
    /// Without a threshold no image is flagged.
    flags: Flags,
    calibration: Calibration,
    selection: Selection,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(sample: &'a Sample<'a>) -> Self {
        let labels = &sample.spec.labels;
        let of_class = |class: usize| {
            let scores: Vec<f32> = sample.rows().map(|row| row[class]).collect();
            Ranking::new(&scores, |image| sample.truths[image] == class)
        };
        let malignant: Vec<f32> = sample.rows().map(|row| sample.spec.malignant_probability(row)).collect();
        let is_malignant = |image: usize| labels[sample.truths[image]].group == Group::Malignant;
        let flags = sample.flags.iter().enumerate().map(|(image, flagged)| (is_malignant(image), *flagged));
        Self {
            sample,
            melanoma: labels.iter().position(|l| l.code.eq_ignore_ascii_case(MELANOMA)),
            by_class: (0..labels.len()).map(of_class).collect(),
            by_malignancy: Ranking::new(&malignant, is_malignant),
            flags: Flags(flags.collect()),
            calibration: Calibration::new(sample.rows().zip(sample.truths.iter().copied())),
            selection: Selection::new(
                sample.rows().zip(&sample.decisions).map(|(row, class)| row[*class]).collect(),
                |image| sample.decisions[image] != sample.truths[image],
            ),
        }
    }

    pub(super) fn melanoma(&self) -> Option<usize> {
        self.melanoma
    }

    /// All figures in one row, as `scores::unflatten` reads it.
    pub(super) fn figures(&self, weights: &[u32]) -> Vec<Option<f64>> {
        let confusion = self.confusion(weights);
        let aurocs: Vec<_> = self.by_class.iter().map(|ranking| ranking.auroc(weights)).collect();
        let (aurc, error_rates) = self.selection.figures(weights);
        let sensitivity = |percent| self.by_malignancy.sensitivity_at(percent, weights);
        let overall = Overall {
            accuracy: confusion.accuracy(),
            balanced_accuracy: confusion.balanced_accuracy(),
            macro_auroc: mean(aurocs.iter().copied().flatten()),
            melanoma_auroc: self.melanoma.and_then(|class| aurocs[class]),
            malignant_auroc: self.by_malignancy.auroc(weights),
            sensitivity_at_80_specificity: sensitivity(80),
            sensitivity_at_90_specificity: sensitivity(90),
            sensitivity_at_95_specificity: sensitivity(95),
            ece: self.calibration.ece(weights),
            brier: self.calibration.brier(weights),
            aurc,
        };
        let per_class = aurocs.iter().enumerate().flat_map(|(class, auroc)| {
            let figures = PerClass {
                recall: confusion.recall(class),
                precision: confusion.precision(class),
                specificity: confusion.specificity(class),
                f1: confusion.f1(class),
                auroc: *auroc,
            };
            figures.into_array()
        });
        let flagged = self.flagged(weights);
        let at_threshold = [flagged.sensitivity(), flagged.specificity()];
        let sets = self
            .sample
            .sets
            .figures(weights)
            .into_iter()
            .flat_map(|SetFigures { coverage, mean_set_size }| [coverage, mean_set_size]);
        let overall = overall.into_array().into_iter();
        overall.chain(per_class).chain(at_threshold).chain(sets).chain(error_rates).collect()
    }

    pub(super) fn confusion(&self, weights: &[u32]) -> Confusion {
        let mut confusion = Confusion::new(self.by_class.len());
        for ((truth, decision), weight) in self.sample.truths.iter().zip(&self.sample.decisions).zip(weights)
        {
            confusion.count(*truth, *decision, *weight);
        }
        confusion
    }

    pub(super) fn flagged(&self, weights: &[u32]) -> Flagged {
        self.flags.count(weights)
    }

    pub(super) fn reliability(&self, weights: &[u32]) -> Vec<Bin> {
        self.calibration.bins(weights).to_vec()
    }

    pub(super) fn risk_coverage(&self, weights: &[u32]) -> Vec<RiskPoint> {
        self.selection.curve(weights)
    }

    pub(super) fn least_confidence(&self, percent: u32) -> Option<f32> {
        self.selection.least_confidence(percent)
    }

    pub(super) fn malignant_roc(&self, weights: &[u32]) -> Vec<Point> {
        self.by_malignancy.curve(weights)
    }

    pub(super) fn class_rocs(&self, weights: &[u32]) -> Vec<Vec<Point>> {
        self.by_class.iter().map(|ranking| ranking.curve(weights)).collect()
    }
}
