//! The axes of charts: from figures to positions, and round numbers for labels.

/// Maps figures linearly to SVG user units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// `from` is drawn at `start`, `to` at `end`; `to` must be larger than `from`.
    pub(crate) fn linear((from, to): (f64, f64), (start, end): (f64, f64)) -> Self {
        Self { from, to, start, end }
    }

    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = (value - self.from) / (self.to - self.from);
        self.start + share * (self.end - self.start)
    }
}

/// Round numbers from 0 to the first that is not below `max`, about `count` steps of 1, 2 or 5 times
/// a power of ten.
pub(crate) fn ticks(max: f64, count: usize) -> Vec<f64> {
    let max = if max > 0.0 { max } else { 1.0 };
    let step = round_step(max / count as f64);
    let steps = (max / step - 1e-9).ceil();
    (0..=steps as usize).map(|i| i as f64 * step).collect()
}

fn round_step(at_least: f64) -> f64 {
    let power = 10f64.powf(at_least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|s| s * power >= at_least * (1.0 - 1e-9));
    step.unwrap_or(10.0) * power
}

/// Seconds that are round on a clock, from 0 up to `max`, at most `count` steps.
pub(crate) fn time_ticks(max: f64, count: usize) -> Vec<f64> {
    const STEPS: [f64; 16] =
        [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0];
    let fits = |step: &f64| max / step <= count as f64;
    let step = STEPS.into_iter().find(fits).unwrap_or_else(|| round_step(max / count as f64));
    (0..=(max / step + 1e-9) as usize).map(|i| i as f64 * step).collect()
}

/// 1, 2 and 5 times the powers of ten from `from` to `to`, both above 0; over more than three decades only the powers.
pub(crate) fn log_ticks(from: f64, to: f64) -> Vec<f64> {
    let wide = (to / from).log10() > 3.0;
    let digits: &[f64] = if wide { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let decades = from.log10().floor() as i32..=to.log10().ceil() as i32;
    let all = decades.flat_map(|d| digits.iter().map(move |digit| digit * 10f64.powi(d)));
    all.filter(|t| *t >= from * 0.999 && *t <= to * 1.001).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_largest_figure() {
        assert_eq!(ticks(87.0, 4), [0.0, 50.0, 100.0]);
        assert_eq!(ticks(0.9, 3), [0.0, 0.5, 1.0]);
        assert_eq!(ticks(40.0, 4), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(ticks(0.0, 4).last(), Some(&1.0), "an empty chart has an axis too");
    }

    #[test]
    fn time_is_marked_as_on_a_clock() {
        assert_eq!(time_ticks(180.0, 8), [0.0, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0]);
        assert_eq!(time_ticks(7.0, 8), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        assert_eq!(time_ticks(0.25, 8).len(), 3);
    }

    #[test]
    fn wide_ranges_are_marked_by_powers_of_ten_alone() {
        assert_eq!(log_ticks(3.0, 60.0), [5.0, 10.0, 20.0, 50.0]);
        assert_eq!(log_ticks(0.5, 2000.0), [1.0, 10.0, 100.0, 1000.0]);
    }

    #[test]
    fn a_scale_may_run_downwards_as_y_axes_do() {
        let scale = Scale::linear((0.0, 10.0), (100.0, 20.0));
        assert_eq!((scale.at(0.0), scale.at(5.0), scale.at(10.0)), (100.0, 60.0, 20.0));
    }
}
