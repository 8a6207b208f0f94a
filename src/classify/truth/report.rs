//! The outcome of scoring, and how it is said.

use std::io::{self, Write};

use skinclf::ModelSpec;
use skinclf::evaluation::{Flagged, Scores};

use super::{RESAMPLES, json, table};
use crate::output::{Format, percent};
use crate::process::terminal::Look;

/// What a run is worth.
pub(super) struct Report<'s> {
    pub(super) spec: &'s ModelSpec,
    /// The labels' file as it was named.
    pub(super) file: String,
    pub(super) scores: Scores,
    pub(super) images: usize,
    /// Of these, how many are not usable by the model's spec.
    pub(super) unusable: u64,
    /// If the labels tell lesions.
    pub(super) lesions: Option<usize>,
    /// Whether there may be more images than were come to.
    pub(super) interrupted: bool,
    pub(super) left_out: LeftOut,
}

/// What is not scored, in images but for the last.
pub(super) struct LeftOut {
    pub(super) failed: u64,
    pub(super) unlabelled: u64,
    /// With a label that is no class of the model.
    pub(super) unknown_label: u64,
    /// Named like an image before them.
    pub(super) repeated: u64,
    /// After an interruption also those whose images were not come to.
    pub(super) labels_without_image: u64,
}

impl Report<'_> {
    pub(super) fn print(&self, format: Format, look: Look, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Table => table::write(out, self, look)?,
            // The command line lets no other through.
            _ => json::write(out, self)?,
        }
        out.flush()
    }

    /// `6 images of 5 lesions scored against labels.csv, 2 of them not usable; 1 failed`, after an interruption
    /// `interrupted: 1 image scored against labels.csv; 7 of the labels not reached`
    pub(super) fn summary(&self) -> String {
        let count = |n: u64, what: &str| (n > 0).then(|| format!("{n} {what}"));
        let not_reached = if self.interrupted { self.left_out.labels_without_image } else { 0 };
        let left_out = [
            count(self.left_out.failed, "failed"),
            count(self.left_out.unlabelled, "without a label"),
            count(self.left_out.unknown_label, "labelled as another class"),
            count(self.left_out.repeated, "named like another"),
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

    /// What the model's own threshold makes of the images, if it has one.
    pub(super) fn flagged(&self) -> Option<String> {
        let at = self.scores.at_threshold?;
        let Flagged { malignant, malignant_flagged, benign, benign_flagged } = at.images;
        Some(format!(
            "Flagged (malignant probability at least {}): {malignant_flagged} of {malignant} malignant images and \
             {benign_flagged} of {benign} benign ones.",
            percent(at.threshold)
        ))
    }

    /// How the intervals are made.
    pub(super) fn method(&self) -> String {
        let units = if self.lesions.is_some() { "lesions" } else { "images" };
        format!("Intervals are 95 % percentile intervals of {RESAMPLES} bootstrap resamples of {units}.")
    }
}
