//! Parts of a plan, as the flags take them, and failures by kind.

use std::collections::BTreeSet;
use std::time::Duration;

use super::run::{Endpoint, Load, Plan, Weight};

/// `2m`, `1m 30s`, `12.5s`
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 60.0 && (seconds * 10.0).round() % 10.0 != 0.0 {
        return format!("{seconds:.1}s");
    }
    let whole = Duration::from_secs(seconds.max(0.0).round() as u64);
    humantime::format_duration(whole).to_string()
}

/// `50 users, think time 1s-3s`, `100 starts/s`
pub(crate) fn load(plan: &Plan) -> String {
    match plan.load {
        Load::Closed { think_s, .. } => format!("{}, think time {}", plan.load, think(think_s)),
        Load::Open { .. } => plan.load.to_string(),
    }
}

/// Equal texts once, in order; `unknown` for none.
pub(crate) fn each_once(texts: impl Iterator<Item = String>, between: &str) -> String {
    let texts: BTreeSet<String> = texts.collect();
    if texts.is_empty() { "unknown".to_owned() } else { Vec::from_iter(texts).join(between) }
}

/// `predict=4,health=1`
pub(crate) fn mix(plan: &Plan) -> String {
    let weight = |w: &Weight| format!("{}={}", w.endpoint.trim_start_matches('/'), w.weight);
    plan.mix.iter().map(weight).collect::<Vec<_>>().join(",")
}

/// `1s-3s`, or `0`
pub(crate) fn think([min, max]: [f64; 2]) -> String {
    let side = |seconds: f64| {
        let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        humantime::format_duration(time).to_string().replace(' ', "")
    };
    match (min, max) {
        (_, 0.0) => "0".to_owned(),
        (min, max) if min == max => side(min),
        (min, max) => format!("{}-{}", side(min), side(max)),
    }
}

/// `3 status_503, 1 timeout`; the most frequent first.
pub(crate) fn failures_by_kind(endpoint: &Endpoint) -> String {
    let mut kinds: Vec<_> = endpoint.failures_by_kind.iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_flags_take_them() {
        assert_eq!([120.0, 90.4, 2.5, 30.0].map(duration), ["2m", "1m 30s", "2.5s", "30s"]);
        let times = [[1.0, 3.0], [0.5, 0.5], [0.0, 0.0], [0.0, 1.5]].map(think);
        assert_eq!(times, ["1s-3s", "500ms", "0", "0s-1s500ms"]);
    }

    #[test]
    fn the_most_frequent_failures_come_first() {
        let mut endpoint = crate::bench::load::result::fixture::measured().endpoints.total;
        endpoint.failures_by_kind = [("reset".to_owned(), 1), ("timeout".to_owned(), 3)].into();
        assert_eq!(failures_by_kind(&endpoint), "3 timeout, 1 reset");
    }
}
