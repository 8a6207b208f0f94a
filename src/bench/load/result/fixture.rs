//! The saved run of `tests/load/fixtures`, for tests that build theirs from it.

use super::run::{LoadTest, Run};

/// Fifty users for five seconds, judged VALID, had all its requests been answered well.
pub(crate) fn run() -> Run {
    let text = include_str!("../../../../tests/load/fixtures/run.json");
    let report: LoadTest = serde_json::from_str(text).expect("a saved run");
    let mut run = report.runs.into_iter().next().expect("one run");
    let steady = run.steady_state.iter_mut().flat_map(|steady| &mut steady.endpoints);
    for endpoint in run.endpoints.iter_mut().chain(steady) {
        (endpoint.failures, endpoint.failures_per_s) = (0, 0.0);
        endpoint.failures_by_kind.clear();
    }
    run.stalls.clear();
    run
}
