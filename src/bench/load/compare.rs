//! `--compare`: what more containers are worth, from runs that `--format json` has saved.

use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;

use super::outcome::{Endpoint, Load, Run, Verdict};
use super::verdict::TOLERATED_FAILURES;

/// A file of `--compare`: `three.json`, or `3=three.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(super) containers: Option<usize>,
    pub(super) path: PathBuf,
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
pub(super) struct Comparison {
    pub(super) rows: Vec<Row>,
    /// Why the rows cannot be compared as they stand; empty if they can.
    pub(super) warnings: Vec<String>,
}

/// One run; figures of all endpoints in its steady state, or of the whole run where there was none.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    /// The file, without its folder and extension.
    pub(super) name: String,
    pub(super) containers: usize,
    pub(super) users: usize,
    pub(super) duration_s: f64,
    pub(super) verdict: Verdict,
    pub(super) requests: u64,
    pub(super) average_ms: Option<f64>,
    pub(super) p95_ms: Option<f64>,
    pub(super) rps: f64,
    /// 0 to 1.
    pub(super) failure_rate: f64,
    /// Requests/s above those of the first run, of which it is a share: 0.8 is 80 % more.
    pub(super) improvement: Option<f64>,
    /// Average response time below that of the first run, of which it is a share.
    pub(super) average_reduction: Option<f64>,
    /// (X_n / X_1) / n: 1 where each container adds as much as the first.
    pub(super) efficiency: Option<f64>,
}

/// Compares named runs, each with its number of containers, with the first.
pub(super) fn compare(runs: &[(String, usize, &Run)]) -> Comparison {
    let mut rows: Vec<_> = runs.iter().map(|(name, containers, run)| row(name, *containers, run)).collect();
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

fn row(name: &str, containers: usize, run: &Run) -> Row {
    let figures = run.steady_total();
    Row {
        name: name.to_owned(),
        containers,
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

fn warnings(runs: &[(String, usize, &Run)]) -> Vec<String> {
    let Some(((first_name, _, first), others)) = runs.split_first() else { return Vec::new() };
    let mut warnings = Vec::new();
    for (name, _, run) in others {
        let differing: Vec<_> = [
            ("users", run.plan.users() != first.plan.users()),
            ("loop or rate", loop_of(run) != loop_of(first)),
            ("think time", think(run) != think(first)),
            ("duration", (run.plan.duration_s / first.plan.duration_s - 1.0).abs() > 0.05),
            ("mix", run.plan.mix != first.plan.mix),
            ("images", run.plan.images != first.plan.images),
            ("model", model(run) != model(first)),
        ]
        .into_iter()
        .filter_map(|(what, differs)| differs.then_some(what))
        .collect();
        if !differing.is_empty() {
            let what = differing.join(", ");
            warnings.push(format!("{name} differs from {first_name} in {what}: not the same test."));
        }
    }
    let named = |these: &dyn Fn(&Run) -> bool| {
        let names: Vec<_> =
            runs.iter().filter(|(_, _, run)| these(run)).map(|(name, _, _)| &**name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
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
            named(&|run| run.steady_total().is_some_and(|t| t.failure_share() > TOLERATED_FAILURES)),
            "more than 1 % of the requests failed; requests/s are those of good answers.",
        ),
        (named(&|run| run.interrupted), "Interrupted before its time."),
    ];
    warnings.extend(because.into_iter().filter_map(|(names, why)| Some(format!("{}: {why}", names?))));
    warnings
}

fn loop_of(run: &Run) -> Option<(f64, super::Arrival)> {
    match run.plan.load {
        Load::Closed { .. } => None,
        Load::Open { rate, arrival, .. } => Some((rate, arrival)),
    }
}

fn think(run: &Run) -> Option<[f64; 2]> {
    match run.plan.load {
        Load::Closed { think_s, .. } => Some(think_s),
        Load::Open { .. } => None,
    }
}

fn model(run: &Run) -> Option<&str> {
    run.targets.first()?.model.as_ref().map(|model| &*model.sha256)
}
