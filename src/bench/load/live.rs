//! What a terminal shows while a run goes on: one block, refreshed in place. Latencies are those of
//! the last ten seconds, so that a light load has a p95.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::outcome::Second;
use super::tally::Tally;
use crate::bench::words::counted;
use crate::terminal::note;

/// A block on standard error; nothing where that is no terminal.
pub(super) struct Live {
    bar: ProgressBar,
    name: String,
    duration: Duration,
}

impl Live {
    pub(super) fn start(name: String, duration: Duration) -> Self {
        let bar = ProgressBar::new(duration.as_secs().max(1));
        if std::io::stderr().is_terminal() {
            let template = "{prefix}  {bar:32}  {msg}";
            let style = ProgressStyle::with_template(template);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar, name, duration }
    }

    pub(super) fn update(&self, elapsed: Duration, second: &Second, so_far: &Tally) {
        if self.bar.is_hidden() {
            return;
        }
        let ms = |value: Option<f64>| value.map_or("-".to_owned(), |ms| format!("{ms:.1} ms"));
        let Second { users, rps, recent, .. } = second;
        let left = HumanDuration(self.duration.saturating_sub(elapsed));
        self.bar.set_prefix(self.name.clone());
        self.bar.set_message(format!(
            "{left} left\n{:>12}  {rps:>8.1} requests/s  p50 {:>10}  p95 {:>10}  {} failed of {}",
            counted(*users, "user"),
            ms(recent.p50_ms),
            ms(recent.p95_ms),
            so_far.failures(),
            so_far.requests,
        ));
        self.bar.set_position(elapsed.as_secs());
    }

    /// Says something on standard error, above the block.
    pub(super) fn say(&self, text: &str) {
        self.bar.suspend(|| note(text));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
