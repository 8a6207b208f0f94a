//! Latencies to three significant digits, at a fixed cost each, and those of the first and of the last third.

use std::time::Duration;

use hdrhistogram::Histogram;
use skinclf::stats;

use crate::bench::load::result::{Bin, PERCENTILES, Tails};

const LARGEST_US: u64 = 3_600_000_000;

/// Bins of [`Latencies::bins`], by decade.
const BINS: f64 = 40.0;

/// Mean and extremes are exact, percentiles are nearest ranks to three digits.
#[derive(Clone)]
pub(super) struct Latencies {
    histogram: Histogram<u64>,
    sum_us: u64,
    min_us: u64,
    max_us: u64,
}

impl Latencies {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LARGEST_US, 3).expect("valid bounds");
        Self { histogram, sum_us: 0, min_us: u64::MAX, max_us: 0 }
    }

    pub(super) fn record(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(LARGEST_US).clamp(1, LARGEST_US);
        self.histogram.saturating_record(us);
        self.sum_us += us;
        self.min_us = self.min_us.min(us);
        self.max_us = self.max_us.max(us);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("equal bounds");
        self.sum_us += other.sum_us;
        self.min_us = self.min_us.min(other.min_us);
        self.max_us = self.max_us.max(other.max_us);
    }

    pub(super) fn clear(&mut self) {
        self.histogram.reset();
        (self.sum_us, self.min_us, self.max_us) = (0, u64::MAX, 0);
    }

    pub(super) fn count(&self) -> usize {
        self.histogram.len() as usize
    }

    pub(super) fn average_ms(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.sum_us as f64 / self.count() as f64 / 1e3)
    }

    pub(super) fn min_ms(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.min_us as f64 / 1e3)
    }

    pub(super) fn max_ms(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.max_us as f64 / 1e3)
    }

    pub(super) fn percentile_ms(&self, percent: f64) -> Option<f64> {
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
        // That is the upper end of a bucket, which may lie beyond what was measured.
        let us = self.histogram.value_at_quantile(quantile).clamp(self.min_us, self.max_us);
        Some(us as f64 / 1e3)
    }

    /// How many are larger, as far as three digits tell.
    pub(super) fn beyond(&self, ms: f64) -> usize {
        let us = (ms * 1e3).round() as u64;
        self.count() - self.histogram.count_between(0, us) as usize
    }

    pub(super) fn percentiles_ms(&self) -> Vec<Option<f64>> {
        PERCENTILES.map(|p| self.percentile_ms(p)).to_vec()
    }

    /// Bins that hold something, ascending.
    pub(super) fn bins(&self) -> Vec<Bin> {
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

/// More parts would cost memory, fewer would make thirds of unequal lengths.
const PARTS: usize = 30;

/// The steady state in equal parts of whole seconds, from which its first and its last third are summed. They become longer
/// with the run, so that one of a day takes no more memory than one of a minute, and one that is interrupted has thirds of
/// the time that it reached.
pub(super) struct Thirds {
    /// The first second of the steady state.
    from: usize,
    seconds_per_part: usize,
    parts: Vec<Latencies>,
}

impl Thirds {
    /// Of the whole seconds after the ramp-up, which ends so long after the start.
    pub(super) fn after(ramp_s: f64) -> Self {
        // A hundredth late is no other second: `Run::steady_seconds` counts so, too.
        let from = (ramp_s - 0.01).ceil().max(0.0) as usize;
        Self { from, seconds_per_part: 1, parts: Vec::new() }
    }

    pub(super) fn add(&mut self, n: usize, latencies: &Latencies) {
        let Some(steady) = n.checked_sub(self.from) else { return };
        while steady / self.seconds_per_part >= PARTS {
            self.parts = self.parts.chunks(2).map(sum).collect();
            self.seconds_per_part *= 2;
        }
        let part = steady / self.seconds_per_part;
        if part >= self.parts.len() {
            self.parts.resize_with(part + 1, Latencies::new);
        }
        self.parts[part].add(latencies);
    }

    /// `None` where there are too few latencies for a p95.
    pub(super) fn tails(&self) -> Option<Tails> {
        let third = self.parts.len() / 3;
        let thirds = [&self.parts[..third], &self.parts[self.parts.len() - third..]].map(sum);
        let [first, last] = thirds.each_ref().map(|third| third.percentile_ms(95.0));
        let p95_ms = [first?, last?];
        let lower = p95_ms[0].min(p95_ms[1]);
        Some(Tails {
            p95_ms,
            counts: thirds.each_ref().map(Latencies::count),
            beyond: thirds.each_ref().map(|third| third.beyond(lower)),
        })
    }
}

fn sum(parts: &[Latencies]) -> Latencies {
    let mut sum = Latencies::new();
    parts.iter().for_each(|part| sum.add(part));
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// A steady state of so many seconds, with so many requests in each, of a latency that depends on the second.
    fn thirds(seconds: u64, requests: usize, latency_ms: fn(u64) -> u64) -> Thirds {
        let mut thirds = Thirds::after(0.0);
        for second in 0..seconds {
            let mut latencies = Latencies::new();
            (0..requests).for_each(|_| latencies.record(Duration::from_millis(latency_ms(second))));
            thirds.add(second as usize, &latencies);
        }
        thirds
    }

    #[test]
    fn thirds_are_of_the_steady_state_without_the_ramp_up() {
        // The latency is the number of the second, so that a p95 tells which seconds a third has.
        let p95_ms = |ramp_s, end_s: f64| {
            let mut thirds = Thirds::after(ramp_s);
            for second in 0..end_s as usize {
                let mut latencies = Latencies::new();
                (0..20).for_each(|_| latencies.record(Duration::from_millis(second as u64 + 1)));
                thirds.add(second, &latencies);
            }
            Some(thirds.tails()?.p95_ms.map(f64::round))
        };
        assert_eq!(p95_ms(0.0, 60.0), Some([19.0, 59.0]), "seconds 1 to 20 and 41 to 60");
        assert_eq!(p95_ms(9.8, 40.5), Some([20.0, 40.0]), "seconds 11 to 20 and 31 to 40");
        assert_eq!(p95_ms(10.005, 40.0), p95_ms(9.8, 40.5));
        assert_eq!(p95_ms(0.0, 3.0), Some([1.0, 3.0]));
        assert_eq!(p95_ms(3.0, 5.0), None);
        assert_eq!(p95_ms(60.0, 30.0), None);
    }

    #[test]
    fn a_run_that_is_stopped_early_has_thirds_of_what_it_reached() {
        let p95_ms = |seconds| {
            let tails = thirds(seconds, 10, |second| 5 + second).tails()?;
            Some(tails.p95_ms.map(f64::round))
        };
        assert_eq!(p95_ms(60), Some([23.0, 63.0]));
        assert_eq!(p95_ms(30), Some([14.0, 34.0]));
        assert_eq!(p95_ms(12), Some([8.0, 16.0]));
        assert_eq!(p95_ms(5), None, "a third has ten requests");
        assert_eq!(p95_ms(0), None);
    }

    #[test]
    fn a_third_needs_twenty_latencies() {
        assert!(thirds(57, 1, |_| 5).tails().is_none());
        assert!(thirds(60, 1, |_| 5).tails().is_some());
    }

    #[test]
    fn a_long_run_takes_no_more_memory_than_a_short_one() {
        for seconds in [30, 31, 97, 1000, 86_400] {
            assert!(thirds(seconds, 0, |_| 5).parts.len() <= PARTS);
        }
    }

    #[test]
    fn latencies_beyond_the_lower_p95_are_counted() {
        let tails = |latency_ms| {
            let tails = thirds(60, 1, latency_ms).tails().expect("a p95");
            (tails.counts, tails.beyond)
        };
        assert_eq!(tails(|second| if second < 40 { 5 } else { second }), ([20, 20], [0, 20]));
        assert_eq!(tails(|second| if second < 20 { 60 - second } else { 5 }), ([20, 20], [20, 0]));
        assert_eq!(tails(|second| 1 + second % 20), ([20, 20], [1, 1]));
    }
}
