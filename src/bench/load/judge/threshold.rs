//! `--fail-if`: figures that must not be beyond a limit.

use std::str::FromStr;

use skinclf::stats;

use crate::bench::load::result::{Endpoint, Run, Threshold};
use crate::bench::words::counted;

/// `p95>500ms`, `failures>1%`, `predict:rps<100`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    text: String,
    /// `/predict`, or `Total`.
    endpoint: String,
    figure: Figure,
    /// Whether more than the limit is too much; otherwise less is too little.
    above: bool,
    limit: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    Median,
    P90,
    P95,
    P99,
    P999,
    Average,
    Min,
    Max,
    /// In per cent.
    Failures,
    /// Good answers only.
    Rps,
}

/// Names and figures: those of the tables, and what else they are called.
const FIGURES: [(&str, Figure); 12] = [
    ("p50", Figure::Median),
    ("median", Figure::Median),
    ("p90", Figure::P90),
    ("p95", Figure::P95),
    ("p99", Figure::P99),
    ("p99.9", Figure::P999),
    ("average", Figure::Average),
    ("avg", Figure::Average),
    ("min", Figure::Min),
    ("max", Figure::Max),
    ("failures", Figure::Failures),
    ("rps", Figure::Rps),
];

impl Figure {
    fn of(self, endpoint: &Endpoint) -> Option<f64> {
        match self {
            Self::Median => endpoint.median_ms,
            Self::P90 => endpoint.p90_ms,
            Self::P95 => endpoint.p95_ms,
            Self::P99 => endpoint.p99_ms,
            Self::P999 => endpoint.p999_ms,
            Self::Average => endpoint.average_ms,
            Self::Min => endpoint.min_ms,
            Self::Max => endpoint.max_ms,
            Self::Failures if endpoint.requests == 0 => None,
            Self::Failures => Some(endpoint.failure_share() * 100.0),
            Self::Rps => Some(endpoint.good_per_s()),
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Failures => " %",
            Self::Rps => "/s",
            _ => " ms",
        }
    }

    /// How many response times stand behind it at least.
    fn needs(self) -> usize {
        let quantile = match self {
            Self::P90 => 0.9,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
            Self::P999 => 0.999,
            _ => 0.0,
        };
        (1..).find(|count| stats::has_percentile(*count, quantile)).unwrap_or(1)
    }

    fn limit(self, text: &str) -> Option<f64> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| *n >= 0.0 && n.is_finite());
        match self {
            Self::Failures => number(text.strip_suffix('%')?),
            Self::Rps => number(text.strip_suffix("/s").unwrap_or(text)),
            _ => Some(humantime::parse_duration(text).ok()?.as_secs_f64() * 1e3),
        }
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || {
            let names = FIGURES.map(|(name, _)| name).join(", ");
            format!("write p95>500ms, failures>1%, rps<100 or predict:p95>1s; figures are {names}")
        };
        let at = text.find(['<', '>']).ok_or_else(usage)?;
        let (subject, limit) = (text[..at].trim(), text[at + 1..].trim());
        let (endpoint, name) = match subject.split_once(':') {
            Some((endpoint, name)) => (format!("/{}", endpoint.trim().trim_start_matches('/')), name.trim()),
            None => ("Total".to_owned(), subject),
        };
        let figure = FIGURES.iter().find(|(known, _)| *known == name).ok_or_else(usage)?.1;
        let limit = figure.limit(limit).ok_or_else(usage)?;
        let above = text.as_bytes()[at] == b'>';
        Ok(Self { text: text.to_owned(), endpoint, figure, above, limit })
    }
}

impl Condition {
    /// The endpoint it asks about, if not all.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        Some(self.endpoint.as_str()).filter(|e| *e != "Total")
    }

    /// Whether it says how many requests to an endpoint may fail.
    pub(crate) fn decides_failures_of(&self, endpoint: &str) -> bool {
        self.figure == Figure::Failures && self.above && self.endpoint().is_none_or(|own| own == endpoint)
    }

    /// Holds it against the steady state of a run, as its verdict does. A figure that is not known may be beyond the
    /// limit, so that it misses it.
    pub(crate) fn judge(&self, run: &Run) -> Threshold {
        let measured = self.endpoint_of(run).and_then(|e| self.figure.of(e));
        let beyond = |value: f64| if self.above { value > self.limit } else { value < self.limit };
        Threshold { condition: self.text.clone(), measured, missed: measured.is_none_or(beyond) }
    }

    fn endpoint_of<'r>(&self, run: &'r Run) -> Option<&'r Endpoint> {
        run.steady_endpoints().iter().find(|e| e.name == self.endpoint)
    }

    fn why_unknown(&self, run: &Run) -> String {
        let bins = self.endpoint_of(run).into_iter().flat_map(|e| &e.histogram);
        let answers: u64 = bins.map(|bin| bin.count).sum();
        let part = part(run);
        match self.figure.needs() {
            1 => format!("not known: there were no answers in the {part}"),
            needs => {
                let name =
                    FIGURES.iter().find(|(_, figure)| *figure == self.figure).map_or("", |(name, _)| name);
                let answers = counted(answers, "answer");
                format!(
                    "not known: {answers} in the {part}, a {name} needs {needs}; give a longer --duration"
                )
            }
        }
    }
}

/// What of a run was judged.
fn part(run: &Run) -> &'static str {
    if run.steady_state.is_some() { "steady state" } else { "whole run, which has no steady state" }
}

impl Threshold {
    /// `measured 23.4 ms in the steady state`, or why nothing was.
    pub(crate) fn result(&self, run: &Run) -> String {
        let condition = self.condition.parse::<Condition>();
        match (self.measured, condition) {
            (Some(value), condition) => {
                let unit = condition.map_or("", |condition| condition.figure.unit());
                format!("measured {}{unit} in the {}", (value * 100.0).round() / 100.0, part(run))
            }
            (None, Ok(condition)) => condition.why_unknown(run),
            (None, Err(_)) => "not known".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::fixture;

    fn judged(condition: &str, run: &Run) -> (Option<f64>, bool) {
        let threshold = condition.parse::<Condition>().expect(condition).judge(run);
        (threshold.measured, threshold.missed)
    }

    #[test]
    fn every_figure_of_the_table_has_its_name() {
        let mut run = fixture::run();
        let total =
            run.steady_state.as_mut().and_then(|steady| steady.endpoints.last_mut()).expect("a total");
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
        let refused = "p80>1s".parse::<Condition>().expect_err("no such figure");
        assert!(refused.contains("p99.9") && refused.contains("median"), "{refused}");
    }

    #[test]
    fn the_steady_state_is_judged_as_the_verdict_judges_it() {
        let mut run = fixture::run();
        // Slow and failing while users were being started only.
        run.endpoints[2].p95_ms = Some(900.0);
        run.endpoints[2].failures = 100;
        assert_eq!(judged("p95>500ms", &run), (Some(23.4), false));
        assert_eq!(judged("failures>1%", &run), (Some(0.0), false));
        let limit = "p95>20ms".parse::<Condition>().expect("a condition").judge(&run);
        assert_eq!(limit.result(&run), "measured 23.4 ms in the steady state");
        run.steady_state = None;
        assert_eq!(judged("p95>500ms", &run), (Some(900.0), true));
        let unknown = "p99.9>1s".parse::<Condition>().expect("a condition").judge(&run);
        let said = "not known: 200 answers in the whole run, which has no steady state, a p99.9 needs 1000; give a longer --duration";
        assert_eq!(unknown.result(&run), said);
    }

    #[test]
    fn a_condition_on_failures_decides_about_its_endpoints_alone() {
        let decides = |condition: &str, endpoint: &str| {
            condition.parse::<Condition>().expect(condition).decides_failures_of(endpoint)
        };
        assert!(decides("failures>1%", "/predict") && decides("predict:failures>1%", "/predict"));
        assert!(!decides("predict:failures>1%", "/health") && !decides("p95>1s", "/predict"));
        assert!(!decides("failures<1%", "/predict"), "which allows any number of them");
    }
}
