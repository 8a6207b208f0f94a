//! The figures of an evaluation, each with its interval.

use serde::Serialize;

use super::calibration::Bin;
use super::confusion::Confusion;
use super::flag::Flagged;
use super::roc::Point;
use super::selective::RiskPoint;
use super::sets::SetFigures;

/// A figure and its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// `None` if the figure is undefined, as is the recall of a class that does not occur.
    pub value: Option<f64>,
    /// Its 95 % interval; `None` if the figure is undefined, or with fewer than two lesions or too few resamples.
    pub ci95: Option<[f64; 2]>,
}

/// Figures of all classes together, from 0 to 1 unless noted otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Overall<T> {
    /// Share of images whose predicted class is right.
    pub accuracy: T,
    /// Mean recall of the classes that occur.
    pub balanced_accuracy: T,
    /// Mean of the classes' AUROC, where defined.
    pub macro_auroc: T,
    /// AUROC of the class `mel` against the rest; undefined for a model without it.
    pub melanoma_auroc: T,
    /// AUROC of the malignant probability, malignant classes against benign ones.
    pub malignant_auroc: T,
    /// Share of the malignant images found at the threshold that spares 80 % of the benign ones.
    pub sensitivity_at_80_specificity: T,
    /// As above, 90 %.
    pub sensitivity_at_90_specificity: T,
    /// As above, 95 %.
    pub sensitivity_at_95_specificity: T,
    /// Expected calibration error (Guo et al. 2017) of the largest probability in [`BINS`](super::BINS) bins.
    pub ece: T,
    /// Mean over images of the squared differences, summed over classes (Brier 1950); from 0 to 2.
    pub brier: T,
    /// Area under the risk-coverage curve (Geifman, Uziel and El-Yaniv 2019): the mean error rate of the predicted class over all
    /// numbers of images kept, those with the largest probability of their predicted class.
    pub aurc: T,
}

/// Figures of one class against all others, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PerClass<T> {
    /// Share of the class's images that are predicted as this class; also called sensitivity.
    pub recall: T,
    /// Share of the images predicted as the class that are of this class.
    pub precision: T,
    /// Share of the images of other classes that are not predicted as this class.
    pub specificity: T,
    /// Harmonic mean of precision and recall.
    pub f1: T,
    /// Probability that an image of the class has a larger probability of it than another image, ties counting half.
    pub auroc: T,
}

/// Figures at the model's own threshold of the malignant probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtThreshold {
    /// Images with at least this malignant probability are flagged.
    pub threshold: f32,
    /// Share of the malignant images that are flagged.
    pub sensitivity: Estimate,
    /// Share of the benign images that are not flagged.
    pub specificity: Estimate,
    /// The counts.
    #[serde(flatten)]
    pub images: Flagged,
}

/// Figures of the prediction sets of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sets {
    /// The coverage that was asked for.
    pub coverage: f32,
    /// Of all images. In JSON they are among the metrics.
    #[serde(skip)]
    pub all: SetFigures<Estimate>,
    /// Of images whose true class is malignant.
    pub malignant: SetFigures<Estimate>,
    /// Of images whose true class is benign.
    pub benign: SetFigures<Estimate>,
}

/// Selective prediction: the error rate if the images with the least confidence are left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Selected {
    /// Share of the images that are kept.
    pub kept: f64,
    /// The smallest confidence, the probability of the predicted class, among them; `None` without images.
    pub confidence: Option<f32>,
    /// Share of them whose predicted class is wrong.
    pub error_rate: Estimate,
}

/// The result of [`Sample::score`](super::Sample::score).
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// Of all classes together.
    pub overall: Overall<Estimate>,
    /// Index of the class of [`Overall::melanoma_auroc`], if the model has it.
    pub melanoma: Option<usize>,
    /// In the order of the labels.
    pub per_class: Vec<PerClass<Estimate>>,
    /// `None` for a model without a threshold.
    pub at_threshold: Option<AtThreshold>,
    /// `None` if the images have no prediction sets.
    pub sets: Option<Sets>,
    /// With ever fewer images kept.
    pub selected: Vec<Selected>,
    /// The risk-coverage curve: `selected` with each number of images, fewest first.
    pub risk_coverage: Vec<RiskPoint>,
    /// Predicted classes by true class.
    pub confusion: Confusion,
    /// How often the most probable class is right, by its probability.
    pub reliability: Vec<Bin>,
    /// The ROC curve of the malignant probability; empty if undefined, as are those of classes.
    pub malignant_roc: Vec<Point>,
    /// The ROC curve of each class against the rest, in the order of the labels.
    pub class_rocs: Vec<Vec<Point>>,
}

impl<T> Overall<T> {
    pub(super) fn into_array(self) -> [T; 11] {
        [
            self.accuracy,
            self.balanced_accuracy,
            self.macro_auroc,
            self.melanoma_auroc,
            self.malignant_auroc,
            self.sensitivity_at_80_specificity,
            self.sensitivity_at_90_specificity,
            self.sensitivity_at_95_specificity,
            self.ece,
            self.brier,
            self.aurc,
        ]
    }

    /// In the order of [`Self::into_array`]: fields are evaluated in the order in which they are written.
    fn from_figures(mut next: impl FnMut() -> T) -> Self {
        Self {
            accuracy: next(),
            balanced_accuracy: next(),
            macro_auroc: next(),
            melanoma_auroc: next(),
            malignant_auroc: next(),
            sensitivity_at_80_specificity: next(),
            sensitivity_at_90_specificity: next(),
            sensitivity_at_95_specificity: next(),
            ece: next(),
            brier: next(),
            aurc: next(),
        }
    }
}

impl<T> PerClass<T> {
    pub(super) fn into_array(self) -> [T; 5] {
        [self.recall, self.precision, self.specificity, self.f1, self.auroc]
    }

    fn from_figures(mut next: impl FnMut() -> T) -> Self {
        Self { recall: next(), precision: next(), specificity: next(), f1: next(), auroc: next() }
    }
}

/// All figures of a sample.
pub(super) struct Figures<T> {
    pub(super) overall: Overall<T>,
    pub(super) per_class: Vec<PerClass<T>>,
    /// At the model's threshold: sensitivity and specificity.
    pub(super) at_threshold: [T; 2],
    /// Of all images, of malignant and of benign ones.
    pub(super) sets: [SetFigures<T>; 3],
    /// With the shares of images that `selective` keeps.
    pub(super) error_rates: [T; 6],
}

/// From one row of figures, in the order of the fields.
pub(super) fn unflatten<T>(figures: &mut impl Iterator<Item = T>, classes: usize) -> Figures<T> {
    let mut next = || figures.next().expect("a figure for each name");
    Figures {
        overall: Overall::from_figures(&mut next),
        per_class: (0..classes).map(|_| PerClass::from_figures(&mut next)).collect(),
        at_threshold: [next(), next()],
        sets: std::array::from_fn(|_| SetFigures { coverage: next(), mean_set_size: next() }),
        error_rates: std::array::from_fn(|_| next()),
    }
}
