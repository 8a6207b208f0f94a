//! Plan, verdict and findings of a run as words and sentences.

use super::figures;
use super::figures::rate;
use crate::bench::load::result::{Knee, Load, Plan, Run, Scenario, Threshold, Verdict, notation};
use crate::bench::words::{counted, were};

/// As in JSON.
pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "VALID",
        Verdict::ClientSaturated => "CLIENT-SATURATED",
        Verdict::NotSaturated => "NOT-SATURATED",
        Verdict::Unstable => "UNSTABLE",
        Verdict::TooShort => "TOO-SHORT",
        Verdict::Failed => "FAILED",
    }
}

pub(super) fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "The figures are those of the server under this load.",
        Verdict::ClientSaturated => {
            "The load generator was the bottleneck: the figures describe it and not the server."
        }
        Verdict::NotSaturated => {
            "The number of users limits the load to less than the server can do: the response times can be quoted, but requests/s is not the capacity."
        }
        Verdict::Unstable => {
            "The figures changed while they were measured: averages and percentiles mix different states."
        }
        Verdict::TooShort => "Too little was measured to judge it: the figures may be due to chance.",
        Verdict::Failed => {
            "Too many requests failed, or none completed: the figures describe only the successful requests."
        }
    }
}

/// `light: 10 users, …`; without the name where the run has none.
pub(super) fn heading(run: &Run) -> String {
    match &run.scenario {
        Scenario::Custom => plan(&run.plan),
        scenario => format!("{}: {}", scenario.as_str(), plan(&run.plan)),
    }
}

/// `50 users, 5 started per second, for 3m, think time 1s-3s, predict=4,health=1`
pub(super) fn plan(plan: &Plan) -> String {
    let time = notation::duration(plan.duration_s);
    let load = match &plan.load {
        Load::Closed { users, spawn_rate, think_s } => {
            let who = counted(*users, "user");
            let starts = if *spawn_rate >= *users as f64 {
                "all from the first second".to_owned()
            } else {
                format!("{} started per second", short(*spawn_rate))
            };
            format!("{who}, {starts}, for {time}, think time {}", notation::think(*think_s))
        }
        Load::Open { rate, arrival, connections } => format!(
            "{} starts/s ({arrival:?} arrival), for {time}, at most {connections} in flight",
            short(*rate)
        )
        .to_lowercase(),
    };
    format!("{load}, {}", notation::mix(plan))
}

/// Whole numbers without a decimal point.
fn short(value: f64) -> String {
    ((value * 100.0).round() / 100.0).to_string()
}

pub(super) fn latency_from(plan: &Plan) -> &'static str {
    match plan.load {
        Load::Closed { .. } => "from the start of the request to the last byte of its answer",
        Load::Open { .. } => {
            "from the intended start of the request to the last byte of its answer, so that waiting for a late start counts"
        }
    }
}

pub(super) fn reasons(run: &Run) -> String {
    if run.verdict_reasons.is_empty() {
        meaning(run.verdict).to_owned()
    } else {
        sentence(&run.verdict_reasons.join("; "))
    }
}

/// With a capital letter and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    let text: String = first.into_iter().flatten().chain(chars).collect();
    if text.ends_with(['.', '!', '?']) { text } else { text + "." }
}

pub(super) fn knee(knee: &Knee) -> String {
    let users = counted(knee.users, "user");
    let predicted = knee
        .predicted_users
        .map_or(String::new(), |n| format!("; the asymptotes of throughput cross at {n:.1} users"));
    let others: Vec<_> = knee.left_out.iter().map(|users| counted(*users, "user")).collect();
    let left_out = match &others[..] {
        [] => String::new(),
        others => format!("; left out because of their verdicts: {}", others.join(", ")),
    };
    if !knee.reached {
        return format!(
            "Knee: not reached; among the runs with reliable figures, the one with the most users has the most successful requests/s, {} with {users}{predicted}{left_out}.",
            rate(knee.good_per_s)
        );
    }
    let gives = if knee.users == 1 { "gives" } else { "give" };
    format!(
        "Knee: {users} {gives} {} successful requests/s, at least 95 % of the highest rate, {}{predicted}{left_out}.",
        rate(knee.good_per_s),
        rate(knee.max_good_per_s)
    )
}

/// One sentence per endpoint with failures.
pub(super) fn failures(run: &Run) -> Vec<String> {
    let failed = run.endpoints.each.iter().filter(|e| e.failures > 0);
    failed.map(|e| format!("Failures of {}: {}.", e.name, figures::failures_by_kind(e))).collect()
}

/// Further sentences about a run's table: an interruption, and the starts of an open loop.
pub(super) fn notes(run: &Run) -> Vec<String> {
    let mut notes = Vec::new();
    if run.interrupted {
        let time = figures::duration(run.elapsed_s);
        notes.push(format!("Interrupted after {time}: the figures cover the run up to that point."));
    }
    if let Some(starts) = &run.starts {
        notes.push(format!(
            "Of {} {} {} dropped because every connection was busy and {} {} late by more than 10 ms (p99 {}, at most {}).",
            counted(starts.planned, "planned start"),
            starts.dropped,
            were(starts.dropped),
            starts.late,
            were(starts.late),
            figures::latency(starts.late_p99_ms),
            figures::latency(starts.late_max_ms),
        ));
    }
    notes
}

/// `failed: --fail-if p95>500ms (measured 612 ms in the steady state)`
pub(super) fn threshold(run: &Run, threshold: &Threshold) -> String {
    let outcome = if threshold.missed { "failed" } else { "passed" };
    format!("{outcome}: --fail-if {} ({})", threshold.condition, threshold.outcome(run))
}
