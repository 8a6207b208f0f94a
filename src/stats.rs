//! Descriptive statistics; numbers only, no clocks.

use serde::Serialize;

/// Summary of a sample of durations, in milliseconds.
///
/// A figure is `None` if there are too few values for it: a percentile needs at least one value
/// beyond it, so p99 needs 100 values and p99.9 needs 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// Number of values.
    pub count: usize,
    /// Arithmetic mean.
    pub mean_ms: Option<f64>,
    /// Sample standard deviation (n - 1).
    pub stddev_ms: Option<f64>,
    /// Smallest value.
    pub min_ms: Option<f64>,
    /// Median, as nearest rank.
    pub p50_ms: Option<f64>,
    /// 90th percentile.
    pub p90_ms: Option<f64>,
    /// 95th percentile.
    pub p95_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// 99.9th percentile.
    pub p999_ms: Option<f64>,
    /// Largest value.
    pub max_ms: Option<f64>,
}

impl Summary {
    /// Summarises values in milliseconds; their order does not matter.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let mean = (count > 0).then(|| values.iter().sum::<f64>() / count as f64);
        let stddev = mean.filter(|_| count > 1).map(|mean| {
            let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
            (squares / (count - 1) as f64).sqrt()
        });
        let rank = |per_mille| percentile(&values, per_mille);
        Self {
            count,
            mean_ms: mean,
            stddev_ms: stddev,
            min_ms: values.first().copied(),
            p50_ms: rank(500),
            p90_ms: rank(900),
            p95_ms: rank(950),
            p99_ms: rank(990),
            p999_ms: rank(999),
            max_ms: values.last().copied(),
        }
    }
}

/// Indices of values, that of the largest first; of equals the first.
pub fn ranked(values: &[f32]) -> Vec<usize> {
    // In one place for all that ranks, because a sort is much code.
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order
}

/// Nearest-rank percentile of sorted values: the smallest value that at least `per_mille` / 1000
/// of them do not exceed. `None` if there are too few values, see [`has_percentile`].
pub fn percentile(sorted: &[f64], per_mille: usize) -> Option<f64> {
    let count = sorted.len();
    if !has_percentile(count, per_mille as f64 / 1000.0) {
        return None;
    }
    let rank = (count * per_mille).div_ceil(1000);
    sorted.get(rank.max(1) - 1).copied()
}

/// Whether `count` values are enough for a percentile, given as a quantile (0.99 for p99): at least one of
/// them must lie beyond it, except that a median needs only one value.
pub fn has_percentile(count: usize, quantile: f64) -> bool {
    // Rounding: 10,000 x (1 - 0.9999) is a little below 1.
    count > 0 && (quantile <= 0.5 || count as f64 * (1.0 - quantile) > 1.0 - 1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_to(n: u32) -> Vec<f64> {
        (1..=n).rev().map(f64::from).collect()
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let s = Summary::of(one_to(1000));
        assert_eq!((s.p50_ms, s.p90_ms, s.p95_ms), (Some(500.0), Some(900.0), Some(950.0)));
        assert_eq!((s.p99_ms, s.p999_ms, s.max_ms), (Some(990.0), Some(999.0), Some(1000.0)));
        assert_eq!(Summary::of(one_to(5)).p50_ms, Some(3.0));
        assert_eq!(Summary::of(one_to(4)).p50_ms, Some(2.0));
    }

    #[test]
    fn mean_and_deviation_of_a_known_sample() {
        let s = Summary::of(vec![2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!(s.mean_ms, Some(5.0));
        assert!((s.stddev_ms.expect("eight values") - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn too_few_values_give_no_figure_rather_than_a_wrong_one() {
        let s = Summary::of(one_to(99));
        assert_eq!((s.p95_ms, s.p99_ms, s.p999_ms), (Some(95.0), None, None));
        assert_eq!(Summary::of(one_to(100)).p99_ms, Some(99.0));
        assert_eq!(Summary::of(vec![1.0]).stddev_ms, None);
        let empty = Summary::of(Vec::new());
        assert_eq!((empty.count, empty.mean_ms, empty.p50_ms, empty.max_ms), (0, None, None, None));
    }
}
