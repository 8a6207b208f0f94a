//! `--fail-if`: figures that must not be beyond a limit.

use std::str::FromStr;

use skinclf::stats;

use super::outcome::{Endpoint, Run, Threshold};

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
    P95,
    P99,
    Average,
    Max,
    /// In per cent.
    Failures,
    /// Good answers only.
    Rps,
}

const FIGURES: [(&str, Figure); 7] = [
    ("p50", Figure::Median),
    ("p95", Figure::P95),
    ("p99", Figure::P99),
    ("average", Figure::Average),
    ("max", Figure::Max),
    ("failures", Figure::Failures),
    ("rps", Figure::Rps),
];

impl Figure {
    fn of(self, endpoint: &Endpoint) -> Option<f64> {
        match self {
            Self::Median => endpoint.median_ms,
            Self::P95 => endpoint.p95_ms,
            Self::P99 => endpoint.p99_ms,
            Self::Average => endpoint.average_ms,
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
            Self::P95 => 0.95,
            Self::P99 => 0.99,
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
    pub(super) fn endpoint(&self) -> Option<&str> {
        Some(self.endpoint.as_str()).filter(|e| *e != "Total")
    }

    /// Holds it against a run. A figure that is not known may be beyond the limit, so that it misses it.
    pub(super) fn judge(&self, run: &Run) -> Threshold {
        let measured = self.endpoint_of(run).and_then(|e| self.figure.of(e));
        let beyond = |value: f64| if self.above { value > self.limit } else { value < self.limit };
        Threshold { condition: self.text.clone(), measured, missed: measured.is_none_or(beyond) }
    }

    fn endpoint_of<'r>(&self, run: &'r Run) -> Option<&'r Endpoint> {
        run.endpoints.iter().find(|e| e.name == self.endpoint)
    }

    fn why_unknown(&self, run: &Run) -> String {
        let bins = self.endpoint_of(run).into_iter().flat_map(|e| &e.histogram);
        let answers: u64 = bins.map(|bin| bin.count).sum();
        match self.figure.needs() {
            1 => "not known: there were no answers".to_owned(),
            needs => {
                let name =
                    FIGURES.iter().find(|(_, figure)| *figure == self.figure).map_or("", |(name, _)| name);
                format!("not known: {answers} answers, a {name} needs {needs}; give a longer --duration")
            }
        }
    }
}

impl Threshold {
    /// `measured 23.4 ms`, or why nothing was.
    pub(super) fn result(&self, run: &Run) -> String {
        let condition = self.condition.parse::<Condition>();
        match (self.measured, condition) {
            (Some(value), condition) => {
                let unit = condition.map_or("", |condition| condition.figure.unit());
                format!("measured {}{unit}", (value * 100.0).round() / 100.0)
            }
            (None, Ok(condition)) => condition.why_unknown(run),
            (None, Err(_)) => "not known".to_owned(),
        }
    }
}
