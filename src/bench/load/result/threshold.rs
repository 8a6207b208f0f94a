//! What a `--fail-if` came to, in words.

use skinclf::stats;

use super::run::{Measured, Threshold};
use crate::bench::words::counted;
use crate::cli::{Condition, Figure};

impl Threshold {
    pub(crate) fn new(condition: &Condition, measured: Option<f64>, missed: bool) -> Self {
        Self { condition: condition.text.clone(), measured, missed, parsed: Some(condition.clone()) }
    }

    /// `measured 23.4 ms in the steady state`, or why nothing was.
    pub(crate) fn outcome(&self, run: &Measured) -> String {
        let part =
            if run.steady_state.is_some() { "steady state" } else { "whole run, which has no steady state" };
        match (self.measured, &self.parsed) {
            (Some(value), condition) => {
                let unit = condition.as_ref().map_or("", |condition| unit(condition.figure));
                format!("measured {}{unit} in the {part}", (value * 100.0).round() / 100.0)
            }
            (None, Some(condition)) => why_unknown(condition, run, part),
            (None, None) => "not known".to_owned(),
        }
    }
}

fn why_unknown(condition: &Condition, run: &Measured, part: &str) -> String {
    let bins = run.steady_endpoint(condition.endpoint.as_deref()).into_iter().flat_map(|e| &e.histogram);
    let answers: u64 = bins.map(|bin| bin.count).sum();
    match samples_needed(condition.figure) {
        1 => format!("not known: there were no answers in the {part}"),
        needed => format!(
            "not known: {} in the {part}, a {} needs {needed}; give a longer --duration",
            counted(answers, "answer"),
            condition.figure.name()
        ),
    }
}

fn unit(figure: Figure) -> &'static str {
    match figure {
        Figure::Failures => " %",
        Figure::GoodPerS => "/s",
        _ => " ms",
    }
}

fn samples_needed(figure: Figure) -> usize {
    let quantile = match figure {
        Figure::P90 => 0.9,
        Figure::P95 => 0.95,
        Figure::P99 => 0.99,
        Figure::P999 => 0.999,
        _ => return 1,
    };
    (1..).find(|count| stats::has_percentile(*count, quantile)).unwrap_or(1)
}
