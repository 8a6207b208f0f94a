//! `--fail-if`: a figure and the limit that it must not be beyond.

use std::str::FromStr;

/// `p95>500ms`, `failures>1%`, `predict:rps<100`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) text: String,
    /// `/predict`; `None` for all endpoints together.
    pub(crate) endpoint: Option<String>,
    pub(crate) figure: Figure,
    pub(crate) direction: Direction,
    /// In the unit of the figure.
    pub(crate) limit: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
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
    /// Successful requests per second.
    GoodPerS,
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
    ("rps", Figure::GoodPerS),
];

impl Figure {
    pub(crate) fn name(self) -> &'static str {
        FIGURES.iter().find(|(_, figure)| *figure == self).map_or("", |(name, _)| name)
    }

    fn limit(self, text: &str) -> Option<f64> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| *n >= 0.0 && n.is_finite());
        match self {
            Self::Failures => number(text.strip_suffix('%')?),
            Self::GoodPerS => number(text.strip_suffix("/s").unwrap_or(text)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_the_unit_of_their_figure() {
        use Direction::{Above, Below};
        for (text, endpoint, figure, direction, limit) in [
            ("p95>500ms", None, Figure::P95, Above, 500.0),
            ("p95 > 1s", None, Figure::P95, Above, 1000.0),
            ("avg<20us", None, Figure::Average, Below, 0.02),
            ("failures>1%", None, Figure::Failures, Above, 1.0),
            ("predict:rps<100", Some("/predict"), Figure::GoodPerS, Below, 100.0),
            ("/predict:rps<100/s", Some("/predict"), Figure::GoodPerS, Below, 100.0),
        ] {
            let endpoint = endpoint.map(str::to_owned);
            let wanted = Condition { text: text.to_owned(), endpoint, figure, direction, limit };
            assert_eq!(text.parse(), Ok(wanted));
        }
        for text in ["", "p95", "p95>5", "p95>-1s", "p80>1s", "failures>1", "rps<x", "rps<NaN", "p95=1s"] {
            let refused = text.parse::<Condition>().expect_err(text);
            assert!(refused.contains("p99.9") && refused.contains("median"), "{refused}");
        }
    }
}
