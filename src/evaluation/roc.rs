//! Receiver operating characteristics (Fawcett 2006, "An introduction to ROC analysis").

use crate::stats;

/// A point of a ROC curve, for one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Share of the negatives at or above the threshold: 1 - specificity.
    pub false_positive_rate: f64,
    /// Share of the positives at or above the threshold.
    pub sensitivity: f64,
}

/// Images in the order of a score, the highest first.
pub(super) struct Ranking(Vec<Ranked>);

struct Ranked {
    image: u32,
    positive: bool,
    /// Whether the next image has a lower score, so that a threshold fits in between.
    ends_tie: bool,
}

impl Ranking {
    /// Sorts the images, at most 2^32, by score. `is_positive` gets the index of an image.
    pub(super) fn new(scores: &[f32], is_positive: impl Fn(usize) -> bool) -> Self {
        let order = stats::ranked(scores);
        let ranked = order.iter().enumerate().map(|(rank, image)| Ranked {
            image: *image as u32,
            positive: is_positive(*image),
            ends_tie: order.get(rank + 1).is_none_or(|next| scores[*next] != scores[*image]),
        });
        Self(ranked.collect())
    }

    /// Area under the curve: the share of pairs of a positive and a negative in which the positive has the higher
    /// score, ties counting half (Hanley and McNeil 1982). `None` without a pair.
    pub(super) fn auroc(&self, weights: &[u32]) -> Option<f64> {
        // Twice the pairs, in whole numbers: nothing is rounded before the end.
        let mut twice = 0_u128;
        let mut last = Counts::default();
        self.thresholds(weights, |now| {
            twice += u128::from(now.negatives - last.negatives) * u128::from(now.positives + last.positives);
            last = now;
        });
        let pairs = last.positives as f64 * last.negatives as f64;
        (pairs > 0.0).then(|| twice as f64 / 2.0 / pairs)
    }

    /// The highest sensitivity among thresholds of at least this specificity, in percent.
    pub(super) fn sensitivity_at(&self, specificity: u64, weights: &[u32]) -> Option<f64> {
        let mut thresholds = Vec::new();
        self.thresholds(weights, |counts| thresholds.push(counts));
        let all = thresholds.last().filter(|all| all.positives > 0 && all.negatives > 0)?;
        let allowed = |counts: &&Counts| 100 * counts.negatives <= (100 - specificity) * all.negatives;
        // Both counts only grow. No threshold allowed means one above the highest score, which finds nothing.
        let found = thresholds.iter().take_while(allowed).last().map_or(0, |counts| counts.positives);
        Some(found as f64 / all.positives as f64)
    }

    /// The whole curve from (0, 0) to (1, 1), empty without a pair.
    pub(super) fn curve(&self, weights: &[u32]) -> Vec<Point> {
        let mut thresholds = vec![Counts::default()];
        self.thresholds(weights, |counts| thresholds.push(counts));
        let all = thresholds[thresholds.len() - 1];
        if all.positives == 0 || all.negatives == 0 {
            return Vec::new();
        }
        let point = |counts: &Counts| Point {
            false_positive_rate: counts.negatives as f64 / all.negatives as f64,
            sensitivity: counts.positives as f64 / all.positives as f64,
        };
        thresholds.iter().map(point).collect()
    }

    /// The image with so many others before it.
    pub(super) fn image(&self, rank: usize) -> Option<usize> {
        self.0.get(rank).map(|ranked| ranked.image as usize)
    }

    /// Visits the counts at or above each threshold, from the highest threshold to one below all scores.
    pub(super) fn thresholds(&self, weights: &[u32], mut visit: impl FnMut(Counts)) {
        let mut counts = Counts::default();
        for ranked in &self.0 {
            let weight = u64::from(weights[ranked.image as usize]);
            if ranked.positive {
                counts.positives += weight;
            } else {
                counts.negatives += weight;
            }
            if ranked.ends_tie {
                visit(counts);
            }
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) positives: u64,
    pub(super) negatives: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few different scores, so that ties abound; with a truth and a weight, which may be 0.
    fn images() -> impl Strategy<Value = Vec<(u8, bool, u32)>> {
        prop::collection::vec((0_u8..12, any::<bool>(), 0_u32..4), 0..60)
    }

    fn ranking(images: &[(u8, bool, u32)]) -> (Ranking, Vec<u32>) {
        let scores: Vec<f32> = images.iter().map(|i| f32::from(i.0) / 12.0).collect();
        (Ranking::new(&scores, |i| images[i].1), images.iter().map(|i| i.2).collect())
    }

    proptest! {
        #[test]
        fn the_area_is_the_share_of_pairs_in_order(images in images()) {
            let (ranking, weights) = ranking(&images);
            let (mut ordered, mut pairs) = (0.0, 0.0);
            for positive in images.iter().filter(|i| i.1) {
                for negative in images.iter().filter(|i| !i.1) {
                    let weight = f64::from(positive.2 * negative.2);
                    pairs += weight;
                    ordered += weight * match positive.0.cmp(&negative.0) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
            match ranking.auroc(&weights) {
                Some(area) => prop_assert!((area - ordered / pairs).abs() < 1e-12, "{area} {ordered}/{pairs}"),
                None => prop_assert!(pairs == 0.0),
            }
        }

        #[test]
        fn a_weight_is_as_good_as_copies(images in images()) {
            let (weighted, weights) = ranking(&images);
            let copies: Vec<_> =
                images.iter().flat_map(|i| std::iter::repeat_n((i.0, i.1, 1), i.2 as usize)).collect();
            let (copied, ones) = ranking(&copies);
            prop_assert_eq!(weighted.auroc(&weights), copied.auroc(&ones));
            prop_assert_eq!(weighted.sensitivity_at(80, &weights), copied.sensitivity_at(80, &ones));
        }

        #[test]
        fn sensitivity_is_the_best_of_all_thresholds(images in images(), specificity in 0_u64..=100) {
            let (ranking, weights) = ranking(&images);
            let at_least = |threshold: u8, positive: bool| -> u64 {
                images.iter().filter(|i| i.0 >= threshold && i.1 == positive).map(|i| u64::from(i.2)).sum()
            };
            let (positives, negatives) = (at_least(0, true), at_least(0, false));
            let best = (0..=12)
                .filter(|t| 100 * (negatives - at_least(*t, false)) >= specificity * negatives)
                .map(|t| at_least(t, true))
                .max();
            match ranking.sensitivity_at(specificity, &weights) {
                Some(found) => prop_assert_eq!(found, best.unwrap_or(0) as f64 / positives as f64),
                None => prop_assert!(positives == 0 || negatives == 0),
            }
        }
    }

    #[test]
    fn a_perfect_a_reversed_and_a_blind_ranking() {
        let auroc = |scores: [f32; 4]| Ranking::new(&scores, |i| i < 2).auroc(&[1; 4]);
        assert_eq!(auroc([0.9, 0.8, 0.2, 0.1]), Some(1.0));
        assert_eq!(auroc([0.1, 0.2, 0.8, 0.9]), Some(0.0));
        assert_eq!(auroc([0.5; 4]), Some(0.5));
        assert_eq!(Ranking::new(&[0.5, 0.6], |_| true).auroc(&[1, 1]), None);
    }
}
