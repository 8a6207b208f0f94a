//! The decision that a model's own threshold takes: to flag or not.

use serde::Serialize;

use super::confusion::ratio;

/// How many images are flagged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Flagged {
    /// Malignant images.
    pub malignant: u64,
    /// Of these, how many are flagged.
    pub malignant_flagged: u64,
    /// Benign images.
    pub benign: u64,
    /// Of these, how many are flagged.
    pub benign_flagged: u64,
}

/// Of each image whether it is malignant, and whether it is flagged.
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
