//! Where more users stop giving more throughput.

use super::outcome::{Endpoint, Knee, Run, Verdict};

/// Of the largest throughput, for a number of users to be enough.
const ENOUGH: f64 = 0.95;

/// The knee of a sweep: runs with ascending numbers of users. Those that show the generator's limit
/// say nothing about the server's.
pub(super) fn of(runs: &[Run]) -> Option<Knee> {
    let rps = |run: &Run| run.steady_total().map_or(0.0, Endpoint::good_per_s);
    let runs: Vec<_> = runs.iter().filter(|run| run.verdict != Verdict::ClientSaturated).collect();
    let max_rps = runs.iter().copied().map(rps).fold(0.0, f64::max);
    let enough = runs.iter().position(|run| rps(run) >= ENOUGH * max_rps).filter(|_| max_rps > 0.0)?;
    let reached = enough + 1 < runs.len();
    let (fewest, enough) = (runs.first()?, runs[enough]);
    let response_s = fewest.steady_total()?.average_ms.map(|ms| ms / 1e3);
    let think_s = fewest.think_s().unwrap_or(0.0);
    Some(Knee {
        users: enough.plan.users(),
        rps: rps(enough),
        max_rps,
        reached,
        predicted_users: response_s.map(|response_s| (response_s + think_s) * max_rps),
    })
}
