//! Prediction sets: how often they contain the true class, and how large they are.

use serde::Serialize;

use super::confusion::ratio;

/// Figures of prediction sets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SetFigures<T> {
    /// Share of the images whose set contains their class.
    pub coverage: T,
    /// Mean number of classes in a set.
    pub mean_set_size: T,
}

/// For each image what counts of its set, if it has one.
#[derive(Default)]
pub(super) struct OfImages(pub(super) Vec<Option<Judged>>);

pub(super) struct Judged {
    pub(super) malignant: bool,
    /// Whether the true class is in the set.
    pub(super) covered: bool,
    pub(super) classes: usize,
}

impl OfImages {
    /// Of all images, of the malignant ones and of the benign ones.
    pub(super) fn figures(&self, weights: &[u32]) -> [SetFigures<Option<f64>>; 3] {
        // Of benign and malignant ones: images, those that are covered, classes.
        let mut counts = [[0_u64; 3]; 2];
        for (set, weight) in self.0.iter().zip(weights) {
            let Some(set) = set else { continue };
            let [images, covered, classes] = &mut counts[usize::from(set.malignant)];
            let weight = u64::from(*weight);
            *images += weight;
            *covered += weight * u64::from(set.covered);
            *classes += weight * set.classes as u64;
        }
        let [benign, malignant] = counts;
        let all = [0, 1, 2].map(|count| benign[count] + malignant[count]);
        [all, malignant, benign].map(|[images, covered, classes]| SetFigures {
            coverage: ratio(covered, images),
            mean_set_size: ratio(classes, images),
        })
    }
}
