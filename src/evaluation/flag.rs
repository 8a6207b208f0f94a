//! Flagged images: sensitivity and specificity at the model's own threshold.

use serde::Serialize;

use super::confusion::ratio;

/// Numbers of images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Flagged {
    /// Malignant images.
    pub malignant: u64,
    /// Malignant images that are flagged.
    pub malignant_flagged: u64,
    /// Benign images.
    pub benign: u64,
    /// Benign images that are flagged.
    pub benign_flagged: u64,
}

/// For each image whether it is malignant and whether it is flagged.
pub(super) struct Flags(pub(super) Vec<(bool, bool)>);

impl Flags {
    pub(super) fn count(&self, weights: &[u32]) -> Flagged {
        let mut counts = Flagged::default();
        for ((malignant, flagged), weight) in self.0.iter().zip(weights) {
            let (all, found) = if *malignant {
                (&mut counts.malignant, &mut counts.malignant_flagged)
            } else {
                (&mut counts.benign, &mut counts.benign_flagged)
            };
            *all += u64::from(*weight);
            *found += u64::from(*weight) * u64::from(*flagged);
        }
        counts
    }
}

impl Flagged {
    pub(super) fn sensitivity(&self) -> Option<f64> {
        ratio(self.malignant_flagged, self.malignant)
    }

    pub(super) fn specificity(&self) -> Option<f64> {
        ratio(self.benign - self.benign_flagged, self.benign)
    }
}
