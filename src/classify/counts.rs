//! How many images were classified and how many were not: the summary of a run and its exit status.

use std::time::Duration;

use crate::output::{Format, Outcome};
use crate::process::{Exit, interrupt};

#[derive(Default)]
pub(super) struct Counts {
    done: u64,
    failed: u64,
    /// Classified images whose heatmap could not be written.
    without_heatmap: u64,
    /// Images that an earlier run classified.
    skipped: u64,
    /// Those of its rows that are errors.
    failed_before: u64,
}

impl Counts {
    pub(super) fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Ok(_) => self.done += 1,
            Err(_) => self.failed += 1,
        }
    }

    pub(super) fn count_without_heatmap(&mut self) {
        self.without_heatmap += 1;
    }

    /// Takes account of the earlier run whose file this one extends.
    pub(super) fn add_earlier(&mut self, skipped: u64, failed: u64) {
        self.skipped = skipped;
        self.failed_before = failed;
    }

    /// Whether there was no image at all.
    pub(super) fn is_empty(&self) -> bool {
        self.done + self.failed + self.skipped == 0
    }

    /// Whether the results may replace those of an earlier run: not if this one was interrupted before the first
    /// image, nor if all failed and the format has no row for failures.
    pub(super) fn is_worth_a_file(&self, format: Format) -> bool {
        self.done > 0 || self.failed > 0 && format.has_failures()
    }

    /// `340 classified, 2 failed in 3.2 s (107 images/s)`
    pub(super) fn summary(&self, elapsed: Duration) -> String {
        let part =
            |count: u64, what: &str| if count == 0 { String::new() } else { format!(", {count} {what}") };
        let failed = part(self.failed, "failed");
        let without = part(self.without_heatmap, "without a heatmap");
        let before = part(self.skipped, "already done");
        let rate = (self.done + self.failed) as f64 / elapsed.as_secs_f64().max(1e-9);
        let decimals = usize::from(rate < 100.0);
        let time = shown(elapsed);
        format!("{} classified{failed}{without}{before} in {time} ({rate:.decimals$} images/s)", self.done)
    }

    pub(super) fn exit(&self) -> Exit {
        if interrupt::requested() {
            Exit::Interrupted
        } else if self.failed + self.without_heatmap + self.failed_before > 0 {
            Exit::SomeFailed
        } else {
            Exit::Done
        }
    }
}

/// `40 ms`, `3.2 s`, `2m 5s`
fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 0.9995 => format!("{:.0} ms", (seconds * 1e3).max(1.0)),
        seconds if seconds < 59.95 => format!("{seconds:.1} s"),
        seconds => humantime::format_duration(Duration::from_secs(seconds.round() as u64)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_a_time_that_fits_its_rate() {
        for (done, failed, skipped, ms, text) in [
            (9, 0, 0, 4, "9 classified in 4 ms (2250 images/s)"),
            (1120, 3, 0, 59_960, "1120 classified, 3 failed in 1m (18.7 images/s)"),
            (340, 2, 1000, 3_163, "340 classified, 2 failed, 1000 already done in 3.2 s (108 images/s)"),
            (20_000, 0, 0, 125_400, "20000 classified in 2m 5s (159 images/s)"),
        ] {
            let counts = Counts { done, failed, skipped, ..Counts::default() };
            assert_eq!(counts.summary(Duration::from_millis(ms)), text);
        }
    }
}
