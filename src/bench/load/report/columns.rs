//! What the tables for people show, whatever they are written in.

use super::{describe, figures};
use crate::bench::load::result::{Endpoint, Run, Threshold};
use crate::bench::words::{counted, were};

/// Title and text.
pub(super) type Column<T> = (&'static str, fn(&T) -> String);

/// Of an endpoint; times in ms.
pub(super) const ENDPOINT: [Column<Endpoint>; 12] = [
    ("endpoint", |e| e.name.clone()),
    ("requests", |e| e.requests.to_string()),
    ("failures", |e| e.failures.to_string()),
    ("median", |e| figures::ms(e.median_ms)),
    ("p90", |e| figures::ms(e.p90_ms)),
    ("p95", |e| figures::ms(e.p95_ms)),
    ("p99", |e| figures::ms(e.p99_ms)),
    ("p99.9", |e| figures::ms(e.p999_ms)),
    ("average", |e| figures::ms(e.average_ms)),
    ("min", |e| figures::ms(e.min_ms)),
    ("max", |e| figures::ms(e.max_ms)),
    ("requests/s", |e| figures::rate(e.rps)),
];

/// Of a run, all endpoints together, as [`OF_RUNS`] says; times in ms.
pub(super) const RUN: [Column<Run>; 9] = [
    ("run", Run::name),
    ("users", |r| r.plan.users().to_string()),
    ("requests", |r| of_total(r, |t| t.requests.to_string())),
    ("failures", |r| of_total(r, |t| t.failures.to_string())),
    ("median", |r| of_total(r, |t| figures::ms(t.median_ms))),
    ("p95", |r| of_total(r, |t| figures::ms(t.p95_ms))),
    ("p99", |r| of_total(r, |t| figures::ms(t.p99_ms))),
    ("requests/s", |r| of_total(r, |t| figures::rate(t.rps))),
    ("verdict", |r| describe::word(r.verdict).to_owned()),
];

/// What the rows of [`RUN`] are figures of.
pub(super) const OF_RUNS: &str =
    "All endpoints together, in the steady state (the whole run where it has none); times in ms.";

fn of_total(run: &Run, shown: fn(&Endpoint) -> String) -> String {
    shown(run.steady_total())
}

/// The rows of a run's table: each endpoint, the total, then the total's parts by phase.
pub(super) fn rows(run: &Run) -> Vec<Endpoint> {
    let phase = |name: &str, phase| {
        figures::phase_total(phase).map(|total| Endpoint { name: name.to_owned(), ..total.clone() })
    };
    let phases =
        [phase("in ramp-up", run.ramp_up.as_ref()), phase("in steady state", run.steady_state.as_ref())];
    run.endpoints.all().cloned().chain(phases.into_iter().flatten()).collect()
}

/// Failures by endpoint and kind, a sentence each.
pub(super) fn failures(run: &Run) -> Vec<String> {
    let failed = run.endpoints.each.iter().filter(|e| e.failures > 0);
    failed.map(|e| format!("Failures of {}: {}.", e.name, figures::failures_by_kind(e))).collect()
}

/// What else there is to say under a run's table, a sentence each.
pub(super) fn notes(run: &Run) -> Vec<String> {
    let mut notes = Vec::new();
    if run.interrupted {
        let time = figures::duration(run.elapsed_s);
        notes.push(format!("Interrupted after {time}: these are the figures up to then."));
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

/// `missed: p95>500ms (measured 612 ms in the steady state)`
pub(super) fn threshold(run: &Run, threshold: &Threshold) -> String {
    let outcome = if threshold.missed { "missed" } else { "kept" };
    format!("{outcome}: {} ({})", threshold.condition, threshold.outcome(run))
}
