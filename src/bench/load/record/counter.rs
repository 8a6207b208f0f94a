//! Counters that start anew when their process does, and what they rose by.

use std::time::{Duration, Instant};

/// When a counter was read, and its value.
pub(super) type Reading = (Instant, f64);

/// Longer without a reading means that the process was not there. Readings are a second apart.
const ABSENT: Duration = Duration::from_secs(3);

/// A counter that goes back is that of a new process, which began at 0.
pub(super) fn increase(readings: &[Reading]) -> f64 {
    let step = |pair: &[Reading]| match *pair {
        [(_, before), (_, after)] if after >= before => after - before,
        [_, (_, after)] => after,
        _ => 0.0,
    };
    readings.windows(2).map(step).sum()
}

/// Increase per second of the time from `from` to `to`, in which a process that was not there used nothing.
pub(super) fn mean_rate(readings: &[Reading], from: Instant, to: Instant) -> Option<f64> {
    let within = readings.iter().position(|(at, _)| *at >= from).map(|first| &readings[first..])?;
    let [(first, _), .., (last, _)] = within else { return None };
    let begin = if first.saturating_duration_since(from) > ABSENT { from } else { *first };
    let end = if to.saturating_duration_since(*last) > ABSENT { to } else { *last };
    let seconds = end.saturating_duration_since(begin).as_secs_f64();
    (seconds > 0.0).then(|| increase(within) / seconds)
}

/// Increase per second between two readings; `None` if the process was started anew between them.
pub(super) fn rate((from, before): Reading, (to, after): Reading) -> Option<f64> {
    let seconds = to.saturating_duration_since(from).as_secs_f64();
    (seconds > 0.0 && after >= before).then(|| (after - before) / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_goes_back_began_at_zero() {
        let now = Instant::now();
        for (values, wanted) in [
            (&[][..], 0.0),
            (&[7.0], 0.0),
            (&[7.0, 9.0, 9.0], 2.0),
            (&[7.0, 9.0, 1.0, 4.0], 6.0),
            (&[7.0, 0.0], 0.0),
        ] {
            let readings: Vec<_> = values.iter().map(|value| (now, *value)).collect();
            assert_eq!(increase(&readings), wanted, "{values:?}");
        }
        assert_eq!(rate((now, 1.0), (now + Duration::from_secs(2), 2.0)), Some(0.5));
        assert_eq!(rate((now, 2.0), (now + Duration::from_secs(2), 1.0)), None);
        assert_eq!(rate((now, 1.0), (now, 2.0)), None);
    }

    #[test]
    fn a_process_that_is_gone_uses_nothing() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mean = |readings: &[(u64, f64)]| {
            let readings: Vec<_> = readings.iter().map(|(s, value)| (at(*s), *value)).collect();
            mean_rate(&readings, at(10), at(20))
        };
        // What was used before the steady state does not count.
        assert_eq!(mean(&[(0, 0.0), (9, 90.0), (10, 100.0), (15, 103.0), (20, 105.0)]), Some(0.5));
        // Killed at 15 s; started at 15 s; started anew at 15 s.
        assert_eq!(mean(&[(10, 0.0), (14, 2.0), (15, 5.0)]), Some(0.5));
        assert_eq!(mean(&[(15, 0.0), (16, 1.0), (20, 5.0)]), Some(0.5));
        assert_eq!(mean(&[(10, 7.0), (15, 10.0), (16, 0.5), (20, 2.0)]), Some(0.5));
        // Between two scrapes, nothing is known.
        assert_eq!(mean(&[(11, 0.0), (19, 4.0)]), Some(0.5));
        assert_eq!((mean(&[(15, 1.0)]), mean(&[(1, 1.0), (2, 2.0)])), (None, None));
    }
}
