//! Intervals by resampling (Efron 1979; percentile intervals as in Efron and Tibshirani 1993, chapter 13).
//!
//! Lesions are drawn, each with all its images (a cluster bootstrap): images of one lesion resemble each other, and
//! drawn one by one they would make intervals too narrow.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::stats;

/// Groups of images that are drawn together.
#[derive(Default)]
pub(super) struct Units {
    of_images: Vec<usize>,
    of_lesions: HashMap<usize, usize>,
    count: usize,
}

impl Units {
    pub(super) fn push(&mut self, lesion: Option<usize>) {
        let unit = match lesion {
            Some(lesion) => *self.of_lesions.entry(lesion).or_insert(self.count),
            None => self.count,
        };
        self.count = self.count.max(unit + 1);
        self.of_images.push(unit);
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Draws as many units as there are, with replacement. `weights` is how often each image was drawn.
    fn draw(&self, seed: u64, drawn: &mut Vec<u32>, weights: &mut Vec<u32>) {
        let mut random = fastrand::Rng::with_seed(seed);
        drawn.clear();
        drawn.resize(self.count, 0);
        for _ in 0..self.count {
            drawn[random.usize(..self.count)] += 1;
        }
        weights.clear();
        weights.extend(self.of_images.iter().map(|unit| drawn[*unit]));
    }
}

/// The central 95 % of each figure over the resamples in which it is defined, by nearest rank. `figures` gets how
/// often each image was drawn, and returns the same number of figures each time.
///
/// An interval is `None` with fewer than two units, whose resamples are all alike, and if too few resamples define
/// the figure.
pub(super) fn intervals(
    units: &Units,
    resamples: usize,
    seed: u64,
    figures: impl Fn(&[u32]) -> Vec<Option<f64>> + Sync,
) -> Vec<Option<[f64; 2]>> {
    let resamples = if units.count < 2 { 0 } else { resamples };
    let mut seeds = fastrand::Rng::with_seed(seed);
    // Each resample has its own seed, so that the thread does not matter.
    let seeds: Vec<u64> = (0..resamples).map(|_| seeds.u64(..)).collect();
    let resampled: Vec<Vec<Option<f64>>> = seeds
        .par_iter()
        .map_init(
            || (Vec::new(), Vec::new()),
            |(drawn, weights), seed| {
                units.draw(*seed, drawn, weights);
                figures(weights)
            },
        )
        .collect();
    let count = resampled.first().map_or_else(|| figures(&vec![1; units.of_images.len()]).len(), Vec::len);
    let interval = |figure: usize| {
        let mut values: Vec<f64> = resampled.iter().filter_map(|figures| figures[figure]).collect();
        values.sort_by(f64::total_cmp);
        Some([stats::percentile(&values, 25)?, stats::percentile(&values, 975)?])
    };
    (0..count).map(interval).collect()
}
