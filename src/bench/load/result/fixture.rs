//! The saved run of `tests/load/fixtures`, for tests that build theirs from it.

use super::run::Run;
use super::saved::LoadTest;

/// Fifty users for five seconds, judged VALID, had all its requests been answered well.
pub(crate) fn run() -> Run {
    let text = include_str!("../../../../tests/load/fixtures/run.json");
    let test: LoadTest = serde_json::from_str(text).expect("a saved run");
    let mut run = test.runs.into_iter().next().expect("one run");
    let steady = run.steady_state.iter_mut().map(|steady| &mut steady.endpoints);
    let endpoints = [&mut run.endpoints].into_iter().chain(steady);
    for endpoint in endpoints.flat_map(|e| e.each.iter_mut().chain([&mut e.total])) {
        (endpoint.failures, endpoint.failures_per_s) = (0, 0.0);
        endpoint.failures_by_kind.clear();
    }
    run.stalls.clear();
    run
}
