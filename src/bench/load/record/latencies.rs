//! Latencies to three significant digits, at a fixed cost each.

use hdrhistogram::Histogram;
use skinclf::stats;

use crate::bench::load::result::{Bin, PERCENTILES};

/// Beyond the longest `--timeout` that makes sense.
const LARGEST_US: u64 = 3_600_000_000;

/// Bins of [`Latencies::bins`], by decade.
const BINS: f64 = 40.0;

/// Mean and extremes are exact, percentiles are nearest ranks to three digits.
#[derive(Clone)]
pub(crate) struct Latencies {
    histogram: Histogram<u64>,
    sum_us: u64,
    min_us: u64,
    max_us: u64,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LARGEST_US, 3).expect("valid bounds");
        Self { histogram, sum_us: 0, min_us: u64::MAX, max_us: 0 }
    }

    pub(crate) fn record(&mut self, latency: std::time::Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(LARGEST_US).clamp(1, LARGEST_US);
        self.histogram.saturating_record(us);
        self.sum_us += us;
        self.min_us = self.min_us.min(us);
        self.max_us = self.max_us.max(us);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("equal bounds");
        self.sum_us += other.sum_us;
        self.min_us = self.min_us.min(other.min_us);
        self.max_us = self.max_us.max(other.max_us);
    }

    pub(crate) fn clear(&mut self) {
        self.histogram.reset();
        (self.sum_us, self.min_us, self.max_us) = (0, u64::MAX, 0);
    }

    pub(crate) fn count(&self) -> usize {
        self.histogram.len() as usize
    }

    pub(crate) fn average_ms(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.sum_us as f64 / self.count() as f64 / 1e3)
    }

    pub(crate) fn min_ms(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.min_us as f64 / 1e3)
    }

    pub(crate) fn max_ms(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.max_us as f64 / 1e3)
    }

    /// `None` where too few latencies stand behind it.
    pub(crate) fn percentile_ms(&self, percent: f64) -> Option<f64> {
        if percent >= 100.0 {
            return self.max_ms();
        }
        if !stats::has_percentile(self.count(), percent / 100.0) {
            return None;
        }
        // In whole numbers: 99.9 / 100 is a little above 0.999, and of 1,000 latencies would take the last.
        let per_10_000 = (percent * 100.0).round() as usize;
        let rank = (self.count() * per_10_000).div_ceil(10_000).max(1);
        let quantile = (rank as f64 - 0.5) / self.count() as f64;
        // The histogram names the upper end of a bucket, which may lie beyond what was measured.
        let us = self.histogram.value_at_quantile(quantile).clamp(self.min_us, self.max_us);
        Some(us as f64 / 1e3)
    }

    /// How many are larger, as far as three digits tell.
    pub(crate) fn beyond(&self, ms: f64) -> usize {
        let us = (ms * 1e3).round() as u64;
        self.count() - self.histogram.count_between(0, us) as usize
    }

    /// At [`PERCENTILES`].
    pub(crate) fn percentiles_ms(&self) -> Vec<Option<f64>> {
        PERCENTILES.map(|p| self.percentile_ms(p)).to_vec()
    }

    /// Bins that hold something, ascending.
    pub(crate) fn bins(&self) -> Vec<Bin> {
        let edge_ms = |bin: i32| 10_f64.powf(f64::from(bin) / BINS) / 1e3;
        let mut bins: Vec<(i32, u64)> = Vec::new();
        for recorded in self.histogram.iter_recorded() {
            let middle = self.histogram.median_equivalent(recorded.value_iterated_to());
            let bin = ((middle as f64).log10() * BINS).floor() as i32;
            match bins.last_mut() {
                Some((last, count)) if *last == bin => *count += recorded.count_at_value(),
                _ => bins.push((bin, recorded.count_at_value())),
            }
        }
        bins.into_iter()
            .map(|(bin, count)| Bin { from_ms: edge_ms(bin), to_ms: edge_ms(bin + 1), count })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Latencies;

    #[test]
    fn figures_are_within_three_digits_and_absent_where_too_few_stand_behind_them() {
        let mut latencies = Latencies::new();
        (1..=999_u64).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        let near = |got: Option<f64>, wanted: f64| (got.expect("a figure") - wanted).abs() <= wanted * 1e-3;
        assert!(near(latencies.percentile_ms(50.0), 500.0));
        assert!(near(latencies.percentile_ms(99.0), 990.0));
        assert_eq!(latencies.percentile_ms(99.9), None);
        assert_eq!((latencies.min_ms(), latencies.max_ms()), (Some(1.0), Some(999.0)));
        assert_eq!(latencies.average_ms(), Some(500.0));
        let bins = latencies.bins();
        assert_eq!(bins.iter().map(|b| b.count).sum::<u64>(), 999);
        assert_eq!([0.5, 500.0, 999.0].map(|ms| latencies.beyond(ms)), [999, 499, 0]);
        assert!(bins.is_sorted_by(|a, b| a.to_ms <= b.from_ms));
        latencies.clear();
        assert_eq!((latencies.percentile_ms(50.0), latencies.average_ms()), (None, None));
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        for (percent, count) in [(99.0, 100), (99.9, 1_000), (99.9, 7_000), (99.99, 10_000)] {
            let mut latencies = Latencies::new();
            let slowest = (f64::from(count) * (1.0 - percent / 100.0)).round() as i32;
            (0..count)
                .for_each(|n| latencies.record(Duration::from_millis(if n < slowest { 900 } else { 10 })));
            assert!(latencies.percentile_ms(percent) < Some(11.0), "p{percent} of {count}");
        }
    }
}
