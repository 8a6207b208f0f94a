//! Where more users stop giving more throughput.

use super::outcome::{Knee, Run};

/// Of the largest throughput, for a number of users to be enough.
const ENOUGH: f64 = 0.95;

/// The knee of a sweep: runs with ascending numbers of users.
pub(super) fn of(runs: &[Run]) -> Option<Knee> {
    let rps = |run: &Run| run.steady_total().map_or(0.0, |total| total.rps - total.failures_per_s);
    let max_rps = runs.iter().map(rps).fold(0.0, f64::max);
    let enough = runs.iter().find(|run| rps(run) >= ENOUGH * max_rps).filter(|_| max_rps > 0.0)?;
    let fewest = runs.first()?;
    let response_s = fewest.steady_total()?.average_ms.map(|ms| ms / 1e3);
    let think_s = fewest.think_s().unwrap_or(0.0);
    Some(Knee {
        users: enough.plan.users(),
        rps: rps(enough),
        max_rps,
        predicted_users: response_s.map(|response_s| (response_s + think_s) * max_rps),
    })
}
