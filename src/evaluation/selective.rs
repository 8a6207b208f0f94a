//! Selective prediction: how often the predicted class is wrong if the images with the least confidence are left out
//! (El-Yaniv and Wiener 2010, "On the foundations of noise-free selective classification").
//!
//! Images of equal confidence come in one after the other in random order: the expected errors among some of them are in
//! proportion.

use super::roc::Ranking;

/// Percentages of the images that are kept.
pub(super) const KEPT: [u32; 6] = [100, 95, 90, 80, 70, 50];

/// A point of the risk-coverage curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RiskPoint {
    /// Share of the images that are kept, those with the most confidence.
    pub kept: f64,
    /// Share of them whose predicted class is wrong.
    pub error_rate: f64,
}

/// Images by the probability of their predicted class.
pub(super) struct Selection {
    /// The positives are the images whose predicted class is wrong.
    ranking: Ranking,
    confidences: Vec<f32>,
}

/// Numbers of images: kept, and wrong among them.
#[derive(Clone, Copy, Default)]
struct Step {
    kept: f64,
    wrong: f64,
}

impl Selection {
    pub(super) fn new(confidences: Vec<f32>, is_wrong: impl Fn(usize) -> bool) -> Self {
        let ranking = Ranking::new(&confidences, is_wrong);
        Self { ranking, confidences }
    }

    /// From no image to all.
    fn steps(&self, weights: &[u32]) -> Vec<Step> {
        let mut steps = vec![Step::default()];
        self.ranking.thresholds(weights, |counts| {
            let kept = counts.positives + counts.negatives;
            steps.push(Step { kept: kept as f64, wrong: counts.positives as f64 });
        });
        steps
    }

    pub(super) fn curve(&self, weights: &[u32]) -> Vec<RiskPoint> {
        let steps = self.steps(weights);
        let all = steps[steps.len() - 1].kept;
        let points = steps.iter().filter(|step| step.kept > 0.0);
        points.map(|step| RiskPoint { kept: step.kept / all, error_rate: step.wrong / step.kept }).collect()
    }

    /// The area under the curve as the mean error rate over all numbers of images kept (Geifman, Uziel and El-Yaniv 2019,
    /// "Bias-reduced uncertainty estimation for deep neural classifiers"), and the error rate with each of [`KEPT`].
    pub(super) fn figures(&self, weights: &[u32]) -> (Option<f64>, [Option<f64>; 6]) {
        let steps = self.steps(weights);
        let all = steps[steps.len() - 1].kept;
        let mut sum = 0.0;
        for pair in steps.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            for kept in before.kept as u64 + 1..=after.kept as u64 {
                sum += error_rate(before, after, kept as f64);
            }
        }
        let at = |percent: u32| {
            let kept = all * f64::from(percent) / 100.0;
            let after = steps.partition_point(|step| step.kept < kept).max(1);
            Some(error_rate(steps[after - 1], *steps.get(after)?, kept))
        };
        if all > 0.0 { (Some(sum / all), KEPT.map(at)) } else { (None, [None; 6]) }
    }

    /// The smallest confidence among the images kept; `None` without images.
    pub(super) fn least_confidence(&self, percent: u32) -> Option<f32> {
        let kept = (self.confidences.len() * percent as usize).div_ceil(100);
        self.ranking.image(kept.checked_sub(1)?).map(|image| self.confidences[image])
    }
}

/// With so many images kept, between two steps that differ.
fn error_rate(before: Step, after: Step, kept: f64) -> f64 {
    let share = (kept - before.kept) / (after.kept - before.kept);
    (before.wrong + share * (after.wrong - before.wrong)) / kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_curve_of_images_that_are_told_apart() {
        // The least confident one is wrong.
        let selection = Selection::new(vec![0.9, 0.5, 0.8, 0.7], |image| image == 1);
        let (area, error_rates) = selection.figures(&[1; 4]);
        assert_eq!(area, Some(0.25 / 4.0));
        let at = |kept: f64| Some((kept - 3.0).max(0.0) / kept);
        assert_eq!(error_rates, [at(4.0), at(3.8), at(3.6), at(3.2), at(2.8), at(2.0)]);
        assert_eq!(
            [100, 75, 50, 0].map(|p| selection.least_confidence(p)),
            [Some(0.5), Some(0.7), Some(0.8), None]
        );
        let points = selection.curve(&[1; 4]);
        assert_eq!((points.len(), points[3]), (4, RiskPoint { kept: 1.0, error_rate: 0.25 }));
    }

    #[test]
    fn images_of_equal_confidence_are_wrong_in_proportion() {
        let selection = Selection::new(vec![0.5; 4], |image| image < 2);
        assert_eq!(selection.figures(&[1; 4]), (Some(0.5), [Some(0.5); 6]));
        assert_eq!(selection.curve(&[1; 4]), [RiskPoint { kept: 1.0, error_rate: 0.5 }]);
    }

    #[test]
    fn without_images_nothing_is_defined() {
        let selection = Selection::new(vec![0.5, 0.6], |_| true);
        assert_eq!(selection.figures(&[0; 2]), (None, [None; 6]));
        assert_eq!(Selection::new(Vec::new(), |_| true).least_confidence(50), None);
    }

    proptest! {
        #[test]
        fn a_weight_is_as_good_as_copies(images in prop::collection::vec((0_u8..8, any::<bool>(), 0_u32..4), 0..40)) {
            let of = |images: &[(u8, bool, u32)]| {
                let confidences = images.iter().map(|image| f32::from(image.0) / 8.0).collect();
                let weights: Vec<_> = images.iter().map(|image| image.2).collect();
                Selection::new(confidences, |image| images[image].1).figures(&weights)
            };
            let copies: Vec<_> =
                images.iter().flat_map(|i| std::iter::repeat_n((i.0, i.1, 1), i.2 as usize)).collect();
            prop_assert_eq!(of(&images), of(&copies));
        }
    }
}
