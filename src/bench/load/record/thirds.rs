//! Latencies of the first and of the last third of a steady state, whose end is not known before.

use super::latencies::Latencies;

/// Slices that are kept at most.
const MOST: usize = 24;

/// The seconds of a steady state in equal slices. When there are too many, each two become one, so that a run of a day
/// takes no more memory than one of a minute.
pub(crate) struct Thirds {
    slices: Vec<Latencies>,
    seconds_each: usize,
    seconds: usize,
}

impl Thirds {
    pub(crate) fn new() -> Self {
        Self { slices: Vec::new(), seconds_each: 1, seconds: 0 }
    }

    /// Takes up one more second.
    pub(crate) fn push(&mut self, second: &Latencies) {
        if self.seconds == MOST * self.seconds_each {
            self.halve();
        }
        match self.slices.last_mut() {
            Some(last) if !self.seconds.is_multiple_of(self.seconds_each) => last.add(second),
            _ => self.slices.push(second.clone()),
        }
        self.seconds += 1;
    }

    fn halve(&mut self) {
        self.slices = self.slices.chunks(2).map(sum).collect();
        self.seconds_each *= 2;
    }

    /// `None` where too few latencies stand behind a p95.
    pub(crate) fn tails(&self) -> Option<Tails> {
        let (slices, third) = (&self.slices, self.slices.len() / 3);
        let thirds = [sum(&slices[..third]), sum(&slices[slices.len() - third..])];
        let [first, last] = [&thirds[0], &thirds[1]].map(|third| third.percentile_ms(95.0));
        let p95_ms = [first?, last?];
        let lower = p95_ms[0].min(p95_ms[1]);
        Some(Tails {
            p95_ms,
            counts: thirds.each_ref().map(Latencies::count),
            beyond: thirds.each_ref().map(|third| third.beyond(lower)),
        })
    }
}

/// The slowest latencies of the first and of the last third.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tails {
    pub(crate) p95_ms: [f64; 2],
    /// All latencies of each.
    pub(crate) counts: [usize; 2],
    /// How many of each are larger than the lower p95.
    pub(crate) beyond: [usize; 2],
}

fn sum(slices: &[Latencies]) -> Latencies {
    let mut sum = Latencies::new();
    slices.iter().for_each(|slice| sum.add(slice));
    sum
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MOST, Thirds};
    use crate::bench::load::record::latencies::Latencies;

    /// So many seconds with a request each, of a latency that depends on the second.
    fn run(seconds: u64, latency_ms: fn(u64) -> u64) -> Thirds {
        let mut thirds = Thirds::new();
        for second in 0..seconds {
            let mut latencies = Latencies::new();
            latencies.record(Duration::from_millis(latency_ms(second)));
            thirds.push(&latencies);
        }
        thirds
    }

    #[test]
    fn a_long_run_keeps_its_thirds_in_bounded_memory() {
        for seconds in [60, 96, 97, 1000] {
            let thirds = run(seconds, |second| 100 + second);
            assert!(thirds.slices.len() <= MOST);
            let [first, last] = thirds.tails().expect("at least 20 requests a third").p95_ms;
            let (middle, end) = (100.0 + seconds as f64 / 3.0, 100.0 + seconds as f64);
            assert!(first < middle && first > 0.8 * middle, "{seconds}: {first}");
            assert!(last < end && last > 0.95 * end, "{seconds}: {last}");
        }
    }

    #[test]
    fn too_few_requests_have_no_p95() {
        assert_eq!(run(59, |_| 5).tails(), None);
        assert_eq!(run(60, |_| 5).tails().map(|tails| tails.p95_ms), Some([5.0, 5.0]));
        assert_eq!(run(0, |_| 5).tails(), None);
    }

    #[test]
    fn what_is_beyond_the_lower_p95_is_counted() {
        let became_slow = run(60, |second| if second < 40 { 5 } else { second }).tails().expect("a p95");
        assert_eq!((became_slow.counts, became_slow.beyond), ([20, 20], [0, 20]));
        let became_quick =
            run(60, |second| if second < 20 { 60 - second } else { 5 }).tails().expect("a p95");
        assert_eq!((became_quick.counts, became_quick.beyond), ([20, 20], [20, 0]));
        let alike = run(60, |second| 1 + second % 20).tails().expect("a p95");
        assert_eq!((alike.counts, alike.beyond), ([20, 20], [1, 1]));
    }
}
