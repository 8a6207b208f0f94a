//! `--compare`: what more containers are worth, from runs that `--format json` has saved.

use serde::Serialize;

use super::derived::TOLERATED_FAILURES;
use super::differences::{Side, differences};
use super::run::{Run, Verdict};

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
    let total = run.steady_total();
    Row {
        name: run.name(),
        containers: side.containers,
        users: run.plan.users(),
        duration_s: run.plan.duration_s,
        verdict: run.verdict,
        requests: total.requests,
        average_ms: total.average_ms,
        p95_ms: total.p95_ms,
        rps: total.good_per_s(),
        failure_rate: total.failure_share(),
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
            let (name, first, what) = (other.run.name(), first.run.name(), differing.join(", "));
            warnings.push(format!("{name} differs from {first} in {what}: not the same test."));
        }
    }
    warnings.extend(doubts(runs));
    warnings
}

/// Runs whose figures say less than they seem to.
fn doubts(runs: &[Side<'_>]) -> Vec<String> {
    let named = |these: &dyn Fn(&Run) -> bool| {
        let names: Vec<_> = runs.iter().filter(|side| these(side.run)).map(|side| side.run.name()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let mostly_failed = |run: &Run| run.steady_total().failure_share() > TOLERATED_FAILURES;
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
