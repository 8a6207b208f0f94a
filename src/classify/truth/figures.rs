//! The figures by name, and how people read them.

use skinclf::evaluation::{Estimate, Overall, PerClass, Scores};

use crate::output::percent;

/// A figure's name and where it is.
pub(super) type Figure<T> = (&'static str, fn(&T) -> Estimate);

const OVERALL: [Figure<Overall<Estimate>>; 10] = [
    ("accuracy", |o| o.accuracy),
    ("balanced accuracy", |o| o.balanced_accuracy),
    ("AUROC, mean of classes", |o| o.macro_auroc),
    ("AUROC, melanoma", |o| o.melanoma_auroc),
    ("AUROC, malignant", |o| o.malignant_auroc),
    ("sensitivity, malignant, at 80 % specificity", |o| o.sensitivity_at_80_specificity),
    ("sensitivity, malignant, at 90 % specificity", |o| o.sensitivity_at_90_specificity),
    ("sensitivity, malignant, at 95 % specificity", |o| o.sensitivity_at_95_specificity),
    ("calibration error (ECE)", |o| o.ece),
    ("Brier score", |o| o.brier),
];

/// Before so many of these stand the figures at the model's own threshold.
const AFTER_OWN_THRESHOLD: usize = 5;

/// What there is to say of all classes together, by name.
pub(super) fn overall(scores: &Scores) -> Vec<(String, Estimate)> {
    let figures = OVERALL.iter().map(|(name, figure)| ((*name).to_owned(), figure(&scores.overall)));
    let mut figures: Vec<_> = figures.collect();
    if let Some(at) = &scores.at_threshold {
        let name = |what| format!("{what}, malignant, flagged (at least {})", percent(at.threshold));
        let own = [(name("sensitivity"), at.sensitivity), (name("specificity"), at.specificity)];
        let place = figures.len() - AFTER_OWN_THRESHOLD;
        figures.splice(place..place, own);
    }
    figures
}

pub(super) const PER_CLASS: [Figure<PerClass<Estimate>>; 5] = [
    ("recall", |c| c.recall),
    ("precision", |c| c.precision),
    ("specificity", |c| c.specificity),
    ("F1", |c| c.f1),
    ("AUROC", |c| c.auroc),
];

/// `0.813`, or a dash.
pub(super) fn value(estimate: Estimate) -> String {
    estimate.value.map_or("-".to_owned(), |v| format!("{v:.3}"))
}

/// `0.790–0.831`, or a dash.
pub(super) fn interval(estimate: Estimate) -> String {
    estimate.ci95.map_or("-".to_owned(), |[low, high]| format!("{low:.3}\u{2013}{high:.3}"))
}
