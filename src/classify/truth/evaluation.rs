//! A run compared with its labels, and the sentences about it that all outputs share.

use skinclf::evaluation::{Flagged, Scores};
use skinclf::{ModelSpec, Prior};

use crate::output::{percent, shares, whole_percent};

/// Enough that the ends of the intervals hardly depend on the seed.
pub(super) const RESAMPLES: usize = 1000;

pub(super) struct Evaluation<'s> {
    pub(super) spec: &'s ModelSpec,
    /// The class shares that the probabilities are for, with `--prior`.
    pub(super) prior: Option<Prior>,
    /// Name of the file with the labels, as given.
    pub(super) file: String,
    pub(super) scores: Scores,
    pub(super) images: usize,
    /// Scored images that are not usable by the limits of the model's spec.
    pub(super) unusable: u64,
    /// `None` if the labels have no `lesion_id`.
    pub(super) lesions: Option<usize>,
    /// Whether there may be images that the run did not reach.
    pub(super) interrupted: bool,
    pub(super) left_out: LeftOut,
}

/// Images that are not scored, by reason, and labels without an image.
pub(super) struct LeftOut {
    pub(super) failed: u64,
    pub(super) unlabelled: u64,
    /// Their label is not a class of the model.
    pub(super) unknown_label: u64,
    /// They have the name of an earlier image.
    pub(super) repeated: u64,
    /// After an interruption, they include labels whose images were not reached.
    pub(super) labels_without_image: u64,
}

impl Evaluation<'_> {
    pub(super) fn codes(&self) -> impl Iterator<Item = &str> {
        self.spec.labels.iter().map(|label| label.code.as_str())
    }

    /// `6 images of 5 lesions scored against labels.csv, 2 of them not usable; 1 failed`, after an interruption
    /// `interrupted: 1 image scored against labels.csv; 7 of the labels not reached`
    pub(super) fn summary(&self) -> String {
        let count = |n: u64, what: &str| (n > 0).then(|| format!("{n} {what}"));
        let not_reached = if self.interrupted { self.left_out.labels_without_image } else { 0 };
        let left_out = [
            count(self.left_out.failed, "failed"),
            count(self.left_out.unlabelled, "without a label"),
            count(self.left_out.unknown_label, "with a label that is not a class of the model"),
            count(self.left_out.repeated, "with the name of an earlier image"),
            count(not_reached, "of the labels not reached"),
        ];
        let left_out: Vec<_> = left_out.into_iter().flatten().collect();
        let images = if self.images == 1 { "image" } else { "images" };
        let lesions = match self.lesions {
            Some(1) => " of 1 lesion".to_owned(),
            Some(n) => format!(" of {n} lesions"),
            None => String::new(),
        };
        let unusable = count(self.unusable, "of them not usable").map(|count| format!(", {count}"));
        let unusable = unusable.unwrap_or_default();
        let rest = if left_out.is_empty() { String::new() } else { format!("; {}", left_out.join(", ")) };
        let interrupted = if self.interrupted { "interrupted: " } else { "" };
        format!("{interrupted}{} {images}{lesions} scored against {}{unusable}{rest}", self.images, self.file)
    }

    /// `None` if the model has no malignancy threshold.
    pub(super) fn flagged(&self) -> Option<String> {
        let at = self.scores.at_threshold?;
        let Flagged { malignant, malignant_flagged, benign, benign_flagged } = at.images;
        let before = if self.prior.is_some() { " before --prior" } else { "" };
        Some(format!(
            "Flagged (malignant probability{before} at least {}): {malignant_flagged} of {malignant} malignant images and \
             {benign_flagged} of {benign} benign ones.",
            percent(at.threshold)
        ))
    }

    /// `Prediction sets at 90 % coverage`; `None` if there are no sets.
    pub(super) fn sets_title(&self) -> Option<String> {
        let sets = self.scores.sets.as_ref()?;
        Some(format!("Prediction sets at {} coverage", whole_percent(sets.coverage)))
    }

    pub(super) fn method(&self) -> String {
        let units = if self.lesions.is_some() { "lesions" } else { "images" };
        let prior = self.prior.as_ref().map(|prior| {
            format!("Probabilities are for the class shares of --prior: {}. ", shares(self.spec, prior))
        });
        let prior = prior.unwrap_or_default();
        format!(
            "{prior}Intervals are 95 % percentile intervals of {RESAMPLES} bootstrap resamples of {units}."
        )
    }
}
