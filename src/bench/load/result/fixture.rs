//! The saved run of `tests/load/fixtures`, for tests that change it.

use serde_json::Value;

use super::run::{Endpoint, Measured, Run};
use super::saved::LoadTest;

pub(crate) const JSON: &str = include_str!("../../../../tests/load/fixtures/run.json");

pub(crate) fn load_test() -> LoadTest {
    serde_json::from_str(JSON).expect("a saved run")
}

/// Fifty users for five seconds, judged VALID, if all its requests had succeeded.
pub(crate) fn run() -> Run {
    let run = load_test().runs.into_iter().next().expect("one run");
    Run { measured: answered_well(run.measured), ..run }
}

pub(crate) fn measured() -> Measured {
    run().measured
}

/// What a balancer with two replicas, in containers of half a core each, adds to a saved run.
const BALANCED: &str = include_str!("../../../../tests/load/fixtures/balanced.json");

/// [`measured`], if it had been behind such a balancer.
pub(crate) fn balanced() -> Measured {
    let mut test: Value = serde_json::from_str(JSON).expect("a saved run");
    let added: serde_json::Map<String, Value> = serde_json::from_str(BALANCED).expect("an object");
    test.as_object_mut().expect("an object").extend(added);
    test["targets"][0]["usage"] = Value::Null;
    let test: LoadTest = serde_json::from_value(test).expect("a saved run");
    answered_well(test.runs.into_iter().next().expect("one run").measured)
}

fn answered_well(mut run: Measured) -> Measured {
    let steady = run.steady_state.iter_mut().map(|steady| &mut steady.endpoints);
    let endpoints = [&mut run.endpoints].into_iter().chain(steady);
    for endpoint in endpoints.flat_map(|e| e.each.iter_mut().chain([&mut e.total])) {
        (endpoint.failures, endpoint.failures_per_s) = (0, 0.0);
        endpoint.failures_by_kind.clear();
    }
    run.stalls.clear();
    run
}

pub(crate) fn steady_total(run: &mut Measured) -> &mut Endpoint {
    &mut run.steady_state.as_mut().expect("a steady state").endpoints.total
}
