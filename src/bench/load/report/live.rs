//! The view of a run in progress: one block on the terminal, refreshed in place. Latencies are those of
//! the last ten seconds, so that a light load has a p95.

use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar};

use crate::bench::load::result::Second;
use crate::bench::words::counted;
use crate::process::terminal;
use crate::process::terminal::note;

/// A block on standard error; hidden where that is not a terminal.
pub(crate) struct Live {
    bar: ProgressBar,
    name: String,
    duration: Duration,
}

impl Live {
    pub(crate) fn start(name: String, duration: Duration) -> Self {
        let bar = terminal::bar(false);
        bar.set_length(duration.as_secs().max(1));
        bar.set_style(terminal::style("{prefix} left  {wide_bar}\n{msg}"));
        Self { bar, name, duration }
    }

    pub(crate) fn update(&self, second: &Second) {
        if self.bar.is_hidden() {
            return;
        }
        let ms = |value: Option<f64>| value.map_or("-".to_owned(), |ms| format!("{ms:.1} ms"));
        let Second { at_s, users, rps, recent, so_far, .. } = second;
        let elapsed = Duration::try_from_secs_f64(*at_s).unwrap_or_default();
        let left = HumanDuration(self.duration.saturating_sub(elapsed));
        self.bar.set_prefix(format!("{}  {left}", self.name));
        self.bar.set_message(terminal::fitting(&[
            format!("{:>10}", counted(*users, "user")),
            format!("{rps:>7.1} requests/s"),
            format!("{}/{} failed", so_far.failures, so_far.requests),
            format!("p50 {:>8}", ms(recent.p50_ms)),
            format!("p95 {:>8}", ms(recent.p95_ms)),
        ]));
        self.bar.set_position(elapsed.as_secs());
    }

    /// Above the block.
    pub(crate) fn warn(&self, text: &str) {
        self.bar.suspend(|| note(format_args!("warning: {text}")));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
