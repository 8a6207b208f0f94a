//! Times without any answer although requests were in flight.

use std::time::{Duration, Instant};

use crate::bench::load::result::Stall;

const SHORTEST: Duration = Duration::from_millis(100);

/// A stall where there is no other gap to compare with.
const LONG: Duration = Duration::from_secs(1);

/// Times the usual gap between two answers. Of the gaps of a memoryless server, one in 5e8 would be so long.
const FACTOR: u32 = 20;

/// Gaps between answers while something was in flight.
pub(crate) struct Gaps {
    /// Start of the present gap, if something is in flight.
    since: Option<Instant>,
    count: u32,
    sum: Duration,
    /// End and length of each of at least [`SHORTEST`].
    long: Vec<(Instant, Duration)>,
}

impl Gaps {
    pub(crate) fn new() -> Self {
        Self { since: None, count: 0, sum: Duration::ZERO, long: Vec::new() }
    }

    pub(crate) fn sent(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// An answer has come; `left` more requests are in flight.
    pub(crate) fn answered(&mut self, now: Instant, left: usize) {
        self.close(now);
        self.since = (left > 0).then_some(now);
    }

    pub(crate) fn restart(&mut self, now: Instant) {
        *self = Self { since: self.since.map(|_| now), ..Self::new() };
    }

    pub(crate) fn close(&mut self, now: Instant) {
        let Some(since) = self.since.take() else { return };
        let gap = now.saturating_duration_since(since);
        self.count += 1;
        self.sum += gap;
        if gap >= SHORTEST {
            self.long.push((now, gap));
        }
    }

    pub(crate) fn stalls(&self, start: Instant) -> Vec<Stall> {
        let stands_out = |(_, gap): &&(Instant, Duration)| {
            let mean_of_others = (self.sum - *gap).checked_div(self.count - 1);
            *gap >= mean_of_others.map_or(LONG, |mean| mean * FACTOR)
        };
        let stall = |(end, gap): &(Instant, Duration)| Stall {
            at_s: end.saturating_duration_since(start).as_secs_f64(),
            length_s: gap.as_secs_f64(),
        };
        self.long.iter().filter(stands_out).map(stall).collect()
    }
}
