//! Predictions evaluated against known classes; numbers only, no text.
//!
//! [`Sample::score`] is the function to read first. Every figure is computed under weights, one per image: all 1
//! for the figure itself, and how often each image was drawn for a resample of its interval. Sorting is done once.

mod bootstrap;
mod calibration;
mod confusion;
mod flag;
mod prepared;
mod roc;
mod scores;
mod selective;
mod sets;

use crate::classifier::PredictionSet;
use crate::spec::{Group, ModelSpec};

pub use calibration::{BINS, Bin};
pub use confusion::Confusion;
pub use flag::Flagged;
pub use roc::Point;
pub use scores::{AtThreshold, Estimate, Overall, PerClass, Scores, Selected, Sets};
pub use selective::RiskPoint;
pub use sets::SetFigures;

/// Classified images whose true class is known. For each image it holds the true class, the predicted class, the
/// probabilities and whether it was flagged.
pub struct Sample<'s> {
    spec: &'s ModelSpec,
    truths: Vec<usize>,
    decisions: Vec<usize>,
    /// Images x classes, row by row.
    probabilities: Vec<f32>,
    flags: Vec<bool>,
    /// Of the prediction sets, if there are some.
    coverage: Option<f32>,
    sets: sets::OfImages,
    units: bootstrap::Units,
}

impl<'s> Sample<'s> {
    /// An empty sample of a model's predictions.
    pub fn new(spec: &'s ModelSpec) -> Self {
        Self {
            spec,
            truths: Vec::new(),
            decisions: Vec::new(),
            probabilities: Vec::new(),
            flags: Vec::new(),
            coverage: None,
            sets: sets::OfImages::default(),
            units: bootstrap::Units::default(),
        }
    }

    /// Adds an image: its true class and its predicted class as indices of the model's labels, the probability of
    /// each label, whether it was flagged, which rescaled probabilities do not tell, and its prediction set. The sets of all
    /// images have the same coverage, or there are none. `lesion` is any number that identifies the lesion. Images of one
    /// lesion are not independent and are resampled together; an image without a lesion is resampled on its own.
    ///
    /// # Panics
    /// When a class or the number of probabilities is not the model's.
    pub fn push(
        &mut self,
        truth: usize,
        decision: usize,
        probabilities: &[f32],
        flagged: bool,
        set: Option<&PredictionSet>,
        lesion: Option<usize>,
    ) {
        let classes = self.classes();
        assert!(
            truth < classes && decision < classes && probabilities.len() == classes,
            "another model's image"
        );
        self.truths.push(truth);
        self.decisions.push(decision);
        self.probabilities.extend(probabilities);
        self.flags.push(flagged);
        self.coverage = set.map(|set| set.coverage).or(self.coverage);
        self.sets.0.push(set.map(|set| sets::Judged {
            malignant: self.spec.labels[truth].group == Group::Malignant,
            covered: set.classes.contains(&truth),
            classes: set.classes.len(),
        }));
        self.units.push(lesion);
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.truths.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.truths.is_empty()
    }

    /// Number of independent units: lesions, and images without a lesion.
    pub fn units(&self) -> usize {
        self.units.count()
    }

    /// All figures, each with a 95 % percentile interval from bootstrap resamples (Efron 1979) of lesions.
    ///
    /// The same sample, number of resamples and seed give the same intervals on any number of threads. A resample
    /// in which a figure is undefined does not count towards that figure's interval.
    pub fn score(&self, resamples: usize, seed: u64) -> Scores {
        let prepared = prepared::Prepared::new(self);
        let as_they_are = vec![1; self.len()];
        let values = prepared.figures(&as_they_are);
        let intervals =
            bootstrap::intervals(&self.units, resamples, seed, |weights| prepared.figures(weights));
        let mut estimates = values.into_iter().zip(intervals).map(|(value, interval)| {
            // A broken model may give NaN.
            let value = value.filter(|v| v.is_finite());
            Estimate { value, ci95: interval.filter(|_| value.is_some()) }
        });
        let scores::Figures { overall, per_class, at_threshold, sets, error_rates } =
            scores::unflatten(&mut estimates, self.classes());
        let ([sensitivity, specificity], [all, malignant, benign]) = (at_threshold, sets);
        let selected = |(percent, error_rate): (u32, Estimate)| Selected {
            kept: f64::from(percent) / 100.0,
            confidence: prepared.least_confidence(percent),
            error_rate,
        };
        Scores {
            overall,
            melanoma: prepared.melanoma(),
            per_class,
            at_threshold: self.spec.malignancy_threshold.map(|threshold| AtThreshold {
                threshold,
                sensitivity,
                specificity,
                images: prepared.flagged(&as_they_are),
            }),
            sets: self.coverage.map(|coverage| Sets { coverage, all, malignant, benign }),
            selected: selective::KEPT.into_iter().zip(error_rates).map(selected).collect(),
            risk_coverage: prepared.risk_coverage(&as_they_are),
            confusion: prepared.confusion(&as_they_are),
            reliability: prepared.reliability(&as_they_are),
            malignant_roc: prepared.malignant_roc(&as_they_are),
            class_rocs: prepared.class_rocs(&as_they_are),
        }
    }

    fn classes(&self) -> usize {
        self.spec.labels.len()
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.probabilities.chunks_exact(self.classes())
    }
}
