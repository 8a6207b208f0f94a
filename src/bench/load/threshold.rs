//! `--fail-if`: figures that must not be beyond a limit.

use std::str::FromStr;

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

    /// Holds it against a run. A figure that is not known misses nothing, except where nothing was
    /// answered at all.
    pub(super) fn judge(&self, run: &Run) -> Threshold {
        let endpoint = run.endpoints.iter().find(|e| e.name == self.endpoint);
        let measured = endpoint.and_then(|e| self.figure.of(e));
        let beyond = |value: f64| if self.above { value > self.limit } else { value < self.limit };
        let nothing_answered = endpoint.is_none_or(|e| e.requests == e.failures);
        let missed = measured.map_or(nothing_answered, beyond);
        Threshold { condition: self.text.clone(), measured, missed }
    }
}
