//! `--compare`: what more containers are worth, from runs that `--format json` has saved.

use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;

use super::differences::differences;
use super::run::{Endpoint, Run, Verdict};
use crate::bench::environment::Environment;
use crate::bench::load::judge::TOLERATED_FAILURES;

/// A file of `--compare`: `three.json`, or `3=three.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) containers: Option<usize>,
    pub(crate) path: PathBuf,
}

impl FromStr for Saved {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let counted = text.split_once('=').and_then(|(n, path)| Some((n.parse().ok()?, path)));
        let counted = counted.filter(|(n, _)| *n > 0);
        Ok(match counted {
            Some((n, path)) => Self { containers: Some(n), path: path.into() },
            None => Self { containers: None, path: text.into() },
        })
    }
}

/// Runs beside the first of them.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Comparison {
    pub(crate) rows: Vec<Row>,
    /// Why the rows cannot be compared as they stand; empty if they can.
    pub(crate) warnings: Vec<String>,
}

/// One run; figures of all endpoints in its steady state, or of the whole run where there was none.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// The file, without its folder and extension.
    pub(crate) name: String,
    pub(crate) containers: usize,
    pub(crate) users: usize,
    pub(crate) duration_s: f64,
    pub(crate) verdict: Verdict,
    pub(crate) requests: u64,
    pub(crate) average_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) rps: f64,
    /// 0 to 1.
    pub(crate) failure_rate: f64,
    /// Requests/s above those of the first run, of which it is a share: 0.8 is 80 % more.
    pub(crate) improvement: Option<f64>,
    /// Average response time below that of the first run, of which it is a share.
    pub(crate) average_reduction: Option<f64>,
    /// (X_n / X_1) / n: 1 where each container adds as much as the first.
    pub(crate) efficiency: Option<f64>,
}

/// A run that is compared.
pub(crate) struct Side<'a> {
    pub(crate) name: &'a str,
    pub(crate) containers: usize,
    pub(crate) run: &'a Run,
    pub(crate) environment: &'a Environment,
}

/// Compares runs with the first of them.
pub(crate) fn compare(runs: &[Side<'_>]) -> Comparison {
    let mut rows: Vec<_> = runs.iter().map(row).collect();
    if let Some(first) = rows.first().cloned() {
        for row in rows.iter_mut().skip(1) {
            let speedup = (first.rps > 0.0).then(|| row.rps / first.rps);
            row.improvement = speedup.map(|s| s - 1.0);
            row.efficiency = speedup.map(|s| s * first.containers as f64 / row.containers as f64);
            row.average_reduction = row.average_ms.zip(first.average_ms).map(|(own, base)| 1.0 - own / base);
        }
    }
    Comparison { rows, warnings: warnings(runs) }
}

fn row(side: &Side<'_>) -> Row {
    let run = side.run;
    let figures = run.steady_total();
    Row {
        name: side.name.to_owned(),
        containers: side.containers,
        users: run.plan.users(),
        duration_s: run.plan.duration_s,
        verdict: run.verdict,
        requests: figures.map_or(0, |f| f.requests),
        average_ms: figures.and_then(|f| f.average_ms),
        p95_ms: figures.and_then(|f| f.p95_ms),
        rps: figures.map_or(0.0, Endpoint::good_per_s),
        failure_rate: figures.map_or(0.0, Endpoint::failure_share),
        improvement: None,
        average_reduction: None,
        efficiency: None,
    }
}

fn warnings(runs: &[Side<'_>]) -> Vec<String> {
    let Some((first, others)) = runs.split_first() else { return Vec::new() };
    let mut warnings = Vec::new();
    for other in others {
        let differing = differences(other, first);
        if !differing.is_empty() {
            let (name, what) = (other.name, differing.join(", "));
            warnings.push(format!("{name} differs from {} in {what}: not the same test.", first.name));
        }
    }
    warnings.extend(doubts(runs));
    warnings
}

/// Runs whose figures say less than they seem to.
fn doubts(runs: &[Side<'_>]) -> Vec<String> {
    let named = |these: &dyn Fn(&Run) -> bool| {
        let names: Vec<_> = runs.iter().filter(|side| these(side.run)).map(|side| side.name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let mostly_failed =
        |run: &Run| run.steady_total().is_some_and(|t| t.failure_share() > TOLERATED_FAILURES);
    let because = [
        (
            named(&|run| run.verdict == Verdict::NotSaturated),
            "NOT-SATURATED: the users limit requests/s, so compare response times; improvement and efficiency say nothing about the servers' limit.",
        ),
        (
            named(&|run| run.verdict == Verdict::ClientSaturated),
            "CLIENT-SATURATED: the figures are those of the generator.",
        ),
        (
            named(&|run| run.verdict == Verdict::Unstable),
            "UNSTABLE: the figures changed while they were measured.",
        ),
        (
            named(&|run| run.verdict == Verdict::TooShort),
            "TOO-SHORT: too little was measured, so that the figures may be chance.",
        ),
        (
            named(&|run| run.verdict == Verdict::Failed && !mostly_failed(run)),
            "FAILED: nothing was answered.",
        ),
        (
            named(&mostly_failed),
            "more than 1 % of the requests failed; requests/s are those of good answers.",
        ),
        (named(&|run| run.interrupted), "Interrupted before its time."),
    ];
    because.into_iter().filter_map(|(names, why)| Some(format!("{}: {why}", names?))).collect()
}
