//! `--fail-if`: a figure and the limit that it must not be beyond.

use std::str::FromStr;

/// `p95>500ms`, `failures>1%`, `predict:rps<100`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    text: String,
    /// `/predict`
    endpoint: Option<String>,
    figure: Figure,
    direction: Direction,
    /// In the unit of the figure.
    limit: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Above,
    Below,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
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
    Rps,
}

/// The names of the tables first, then the others in use.
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
    pub(crate) fn name(self) -> &'static str {
        FIGURES.iter().find(|(_, figure)| *figure == self).map_or("", |(name, _)| name)
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
        let direction = if text.as_bytes()[at] == b'>' { Direction::Above } else { Direction::Below };
        let (subject, limit) = (text[..at].trim(), text[at + 1..].trim());
        let (endpoint, name) = match subject.split_once(':') {
            Some((endpoint, name)) => {
                (Some(format!("/{}", endpoint.trim().trim_start_matches('/'))), name.trim())
            }
            None => (None, subject),
        };
        let figure = FIGURES.iter().find(|(known, _)| *known == name).ok_or_else(usage)?.1;
        let limit = figure.limit(limit).ok_or_else(usage)?;
        Ok(Self { text: text.to_owned(), endpoint, figure, direction, limit })
    }
}

impl Condition {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// `None` where it is about all endpoints together.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    pub(crate) fn figure(&self) -> Figure {
        self.figure
    }

    /// Whether a value, in the unit of the figure, is what must not be.
    pub(crate) fn holds(&self, value: f64) -> bool {
        match self.direction {
            Direction::Above => value > self.limit,
            Direction::Below => value < self.limit,
        }
    }

    /// Whether it limits how many requests to an endpoint may fail.
    pub(crate) fn decides_failures_of(&self, endpoint: &str) -> bool {
        self.figure == Figure::Failures
            && self.direction == Direction::Above
            && self.endpoint().is_none_or(|own| own == endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_the_unit_of_their_figure() {
        for (text, endpoint, figure, held, not_held) in [
            ("p95>500ms", None, Figure::P95, 500.1, 500.0),
            ("p95 > 1s", None, Figure::P95, 1000.1, 1000.0),
            ("avg<20us", None, Figure::Average, 0.019, 0.02),
            ("failures>1%", None, Figure::Failures, 1.1, 1.0),
            ("predict:rps<100", Some("/predict"), Figure::Rps, 99.0, 100.0),
            ("/predict:rps<100/s", Some("/predict"), Figure::Rps, 99.0, 100.0),
        ] {
            let condition: Condition = text.parse().expect(text);
            assert_eq!((condition.endpoint(), condition.figure()), (endpoint, figure), "{text}");
            assert!(condition.holds(held) && !condition.holds(not_held), "{text}");
            assert_eq!(condition.text(), text);
        }
        for text in ["", "p95", "p95>5", "p95>-1s", "p80>1s", "failures>1", "rps<x", "rps<NaN", "p95=1s"] {
            let refused = text.parse::<Condition>().expect_err(text);
            assert!(refused.contains("p99.9") && refused.contains("median"), "{refused}");
        }
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
