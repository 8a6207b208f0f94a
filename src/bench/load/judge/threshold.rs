//! `--fail-if`: figures that must not be beyond a limit.

use crate::bench::load::result::{Endpoint, Measured, Threshold};
use crate::cli::{Condition, Direction, Figure};

/// Judges the steady state of a run, as its verdict does. A figure that is not known may be beyond the limit, so that it
/// misses it.
pub(super) fn threshold(condition: &Condition, run: &Measured) -> Threshold {
    let endpoint = run.steady_endpoint(condition.endpoint.as_deref());
    let measured = endpoint.and_then(|endpoint| value(condition.figure, endpoint));
    Threshold::new(condition, measured, measured.is_none_or(|value| holds(condition, value)))
}

fn holds(condition: &Condition, value: f64) -> bool {
    match condition.direction {
        Direction::Above => value > condition.limit,
        Direction::Below => value < condition.limit,
    }
}

/// Whether a condition limits how many requests to an endpoint may fail.
pub(crate) fn limits_failures(condition: &Condition, endpoint: &str) -> bool {
    condition.figure == Figure::Failures
        && condition.direction == Direction::Above
        && condition.endpoint.as_deref().is_none_or(|own| own == endpoint)
}

fn value(figure: Figure, endpoint: &Endpoint) -> Option<f64> {
    match figure {
        Figure::Median => endpoint.median_ms,
        Figure::P90 => endpoint.p90_ms,
        Figure::P95 => endpoint.p95_ms,
        Figure::P99 => endpoint.p99_ms,
        Figure::P999 => endpoint.p999_ms,
        Figure::Average => endpoint.average_ms,
        Figure::Min => endpoint.min_ms,
        Figure::Max => endpoint.max_ms,
        Figure::Failures => (endpoint.requests > 0).then(|| endpoint.failure_share() * 100.0),
        Figure::GoodPerS => Some(endpoint.good_per_s()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::fixture;

    fn judged(condition: &str, run: &Measured) -> (Option<f64>, bool) {
        let threshold = threshold(&condition.parse().expect(condition), run);
        (threshold.measured, threshold.missed)
    }

    #[test]
    fn every_figure_of_the_table_has_its_name() {
        let mut run = fixture::measured();
        let total = &mut run.steady_state.as_mut().expect("a steady state").endpoints.total;
        (total.median_ms, total.p90_ms, total.p95_ms) = (Some(50.0), Some(90.0), Some(95.0));
        (total.p99_ms, total.p999_ms, total.average_ms) = (Some(99.0), Some(99.9), Some(40.0));
        (total.min_ms, total.max_ms) = (Some(1.0), Some(100.0));
        for (name, value) in [
            ("p50", 50.0),
            ("median", 50.0),
            ("p90", 90.0),
            ("p95", 95.0),
            ("p99", 99.0),
            ("p99.9", 99.9),
            ("average", 40.0),
            ("avg", 40.0),
            ("min", 1.0),
            ("max", 100.0),
        ] {
            assert_eq!(judged(&format!("{name}>1s"), &run), (Some(value), false));
            assert_eq!(judged(&format!("{name}>500us"), &run), (Some(value), true));
        }
    }

    #[test]
    fn the_steady_state_is_judged_as_the_verdict_judges_it() {
        let mut run = fixture::measured();
        // Slow and failing while users were being started only.
        run.endpoints.total.p95_ms = Some(900.0);
        run.endpoints.total.failures = 100;
        assert_eq!(judged("p95>500ms", &run), (Some(23.4), false));
        assert_eq!(judged("failures>1%", &run), (Some(0.0), false));
        let limit = threshold(&"p95>20ms".parse().expect("a condition"), &run);
        assert_eq!(limit.outcome(&run), "measured 23.4 ms in the steady state");
        run.steady_state = None;
        assert_eq!(judged("p95>500ms", &run), (Some(900.0), true));
        let unknown = threshold(&"p99.9>1s".parse().expect("a condition"), &run);
        let said = "not known: 200 answers in the whole run, which has no steady state, a p99.9 needs 1000; give a longer --duration";
        assert_eq!(unknown.outcome(&run), said);
    }

    #[test]
    fn a_condition_on_an_endpoint_judges_that_alone() {
        let mut run = fixture::measured();
        assert_eq!(judged("predict:p95>23.4ms", &run), (Some(23.5), true));
        assert_eq!(judged("health:rps<8", &run), (Some(8.0), false));
        assert_eq!(judged("docs:rps<8", &run), (None, true));
        // Without requests it is not known how many fail.
        fixture::steady_total(&mut run).requests = 0;
        assert_eq!(judged("failures>1%", &run), (None, true));
        let unknown = threshold(&"failures>1%".parse().expect("a condition"), &run);
        assert_eq!(unknown.outcome(&run), "not known: there were no answers in the steady state");
    }

    #[test]
    fn a_figure_at_its_limit_is_not_beyond_it() {
        for (condition, held, not_held) in
            [("p95>500ms", 500.1, 500.0), ("avg<20us", 0.019, 0.02), ("rps<100/s", 99.0, 100.0)]
        {
            let condition: Condition = condition.parse().expect(condition);
            assert!(holds(&condition, held) && !holds(&condition, not_held), "{condition:?}");
        }
    }

    #[test]
    fn a_condition_on_failures_limits_those_of_its_endpoints_alone() {
        let limits =
            |condition: &str, endpoint: &str| limits_failures(&condition.parse().expect(condition), endpoint);
        assert!(limits("failures>1%", "/predict") && limits("predict:failures>1%", "/predict"));
        assert!(!limits("predict:failures>1%", "/health") && !limits("p95>1s", "/predict"));
        assert!(!limits("failures<1%", "/predict"), "which allows any number of them");
    }
}
