//! What a run says about the server, each with the numbers behind it.

use crate::bench::load::generate::PREDICT;
use crate::bench::load::result::{Finding, Load, Run, Verdict};
use crate::bench::words::{counted, were};
use crate::procfs;

/// Above this share of all cores, generator and server take time from each other.
const CONTENDED: f64 = 0.9;

/// A share of all cores that others may use without being mentioned.
const OTHERS: f64 = 0.1;

pub(crate) fn of(run: &Run, cores: Option<usize>, other_model: bool) -> Vec<Finding> {
    let found = [
        capacity(run, cores),
        cpu_cost(run, cores),
        littles_law(run),
        explained(run),
        contention(run, cores),
        // The others' CPU time is that of the whole machine, of which this process may have but a part.
        others(run, cores.filter(|cores| procfs::machine_cpus() == Some(*cores))),
        failures(run),
        dropped(run),
        unfinished(run),
        other_model.then(|| {
            let text = "the server answers with another model than the one here: answers were checked for their form only";
            finding("other_model", text.to_owned(), &[])
        }),
    ];
    found.into_iter().flatten().collect()
}

fn finding(code: &str, text: String, numbers: &[(&str, f64)]) -> Finding {
    let numbers = numbers.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    Finding { code: code.to_owned(), text, numbers }
}

fn capacity(run: &Run, cores: Option<usize>) -> Option<Finding> {
    let total = run.steady_total()?;
    let good = total.good_per_s();
    let text = match (run.verdict, &run.plan.load) {
        (Verdict::Valid, Load::Closed { .. }) if run.server_was_full(cores) => {
            format!(
                "capacity: {good:.1} good answers/s under this mix, p95 {}, in the steady state",
                ms(total.p95_ms)
            )
        }
        (Verdict::Valid | Verdict::NotSaturated, _) => {
            format!(
                "capacity is at least the {good:.1} good answers/s of this run, p95 {}, in the steady state",
                ms(total.p95_ms)
            )
        }
        _ => format!("{good:.1} good answers/s: not a capacity figure; see the verdict"),
    };
    Some(finding("capacity", text, &[("good_per_s", good)]))
}

/// The utilisation law: CPU per request is utilisation over throughput.
fn cpu_cost(run: &Run, cores: Option<usize>) -> Option<Finding> {
    let (used, rps) = (run.local_server_cpu()?, run.steady_total()?.rps);
    let cores = cores? as f64;
    if rps <= 0.0 {
        return None;
    }
    let each_ms = used / rps * 1e3;
    if each_ms <= 0.0 {
        return None;
    }
    let bound = cores / each_ms * 1e3;
    let text = format!(
        "the server used {used:.2} of {}, {each_ms:.1} ms of CPU a request; were all cores its own, they would do for {bound:.0}/s",
        counted(cores, "core")
    );
    let numbers = [("server_cores", used), ("cpu_ms_per_request", each_ms), ("bound_per_s", bound)];
    Some(finding("cpu_cost", text, &numbers))
}

/// N = X (R + Z); in an open loop the number in flight is what follows.
fn littles_law(run: &Run) -> Option<Finding> {
    let total = run.steady_total()?;
    let response_s = total.average_ms? / 1e3;
    let good = total.rps;
    let think_s = run.think_s().unwrap_or(0.0);
    let product = good * (response_s + think_s);
    let numbers =
        [("throughput_per_s", good), ("response_s", response_s), ("think_s", think_s), ("users", product)];
    let text = match run.plan.load {
        Load::Closed { users, .. } => format!(
            "Little's law: X (R + Z) = {good:.1}/s ({response_s:.3} s + {think_s:.3} s) = {product:.1} for {}",
            counted(users, "user")
        ),
        Load::Open { .. } => {
            format!(
                "Little's law: X R = {good:.1}/s {response_s:.3} s = {product:.1} requests in flight on average"
            )
        }
    };
    Some(finding("littles_law", text, &numbers))
}

/// What the time of typical and of the slowest predictions is made of.
fn explained(run: &Run) -> Option<Finding> {
    let share = |name: &str, of: fn(&crate::bench::load::result::Stage) -> Option<f64>| {
        run.stages.iter().find(|s| s.name == name).and_then(of)
    };
    let [queue, inference, other] =
        ["queue", "inference", "other"].map(|name| share(name, |s| s.share_at_p50));
    let (queue, inference, other) = (queue?, inference?, other?);
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let mut text = format!(
        "of a typical {PREDICT}, {} is waiting for a worker, {} inference, {} network and HTTP",
        percent(queue),
        percent(inference),
        percent(other)
    );
    let mut numbers = vec![("queue_at_p50", queue), ("inference_at_p50", inference), ("other_at_p50", other)];
    let slowest = ["queue", "inference", "other"].map(|name| share(name, |s| s.share_at_p99));
    if let [Some(queue), Some(inference), Some(other)] = slowest {
        text += &format!(
            "; of the slowest 1 %, {}, {} and {}",
            percent(queue),
            percent(inference),
            percent(other)
        );
        numbers.extend([("queue_at_p99", queue), ("inference_at_p99", inference), ("other_at_p99", other)]);
    }
    Some(finding("stage_shares", text, &numbers))
}

fn contention(run: &Run, cores: Option<usize>) -> Option<Finding> {
    let (server, generator) = (run.local_server_cpu()?, run.generator.cpu_share?);
    let cores = cores? as f64;
    let share = (server + generator) / cores;
    let text = format!(
        "server ({server:.2}) and generator ({generator:.2}) together used {:.0} % of {}: a generator on another machine would leave the server more",
        share * 100.0,
        counted(cores, "core")
    );
    (share > CONTENDED).then(|| {
        finding(
            "shared_cores",
            text,
            &[("server_cores", server), ("generator_cores", generator), ("share", share)],
        )
    })
}

/// Who else was busy on the machine of the server.
fn others(run: &Run, cores: Option<usize>) -> Option<Finding> {
    let (server, generator) = (run.local_server_cpu()?, run.generator.cpu_share?);
    let others = run.mean_of_steady(|second| second.machine_cpu)? - server - generator;
    let cores = cores? as f64;
    let text = format!(
        "other processes of this machine, or its hypervisor, took {others:.2} of {}: on a quiet machine the server would do better",
        counted(cores, "core")
    );
    (others > OTHERS * cores).then(|| finding("other_processes", text, &[("cores", others)]))
}

fn failures(run: &Run) -> Option<Finding> {
    let total = run.endpoints.last().filter(|total| total.failures > 0)?;
    let kinds = total.failures_by_kind.iter().map(|(kind, count)| format!("{count} {kind}"));
    let share = total.failure_share();
    let text = format!(
        "{} of {} failed ({:.2} %): {}; latencies are those of the others and of timeouts",
        total.failures,
        counted(total.requests, "request"),
        share * 100.0,
        kinds.collect::<Vec<_>>().join(", ")
    );
    Some(finding("failures", text, &[("failures", total.failures as f64), ("share", share)]))
}

fn dropped(run: &Run) -> Option<Finding> {
    let starts = run.starts.as_ref().filter(|starts| starts.dropped > 0)?;
    let text = format!(
        "{} of {} {} dropped with {} in flight: the latencies say nothing of them",
        starts.dropped,
        counted(starts.planned, "start"),
        were(starts.dropped),
        counted(run.plan.users(), "request")
    );
    Some(finding(
        "dropped_starts",
        text,
        &[("dropped", starts.dropped as f64), ("planned", starts.planned as f64)],
    ))
}

/// Requests cut off are normal; that one of them had waited longer than any answer is not.
fn unfinished(run: &Run) -> Option<Finding> {
    let oldest_ms = run.unfinished.oldest_ms?;
    let longest_ms = run.endpoints.last()?.max_ms.unwrap_or(0.0);
    let text = format!(
        "{} {} in flight at the end and not counted; the oldest had waited {oldest_ms:.0} ms, longer than any answer took",
        counted(run.unfinished.requests, "request"),
        were(run.unfinished.requests)
    );
    let numbers = [("requests", run.unfinished.requests as f64), ("oldest_ms", oldest_ms)];
    (oldest_ms > longest_ms).then(|| finding("unfinished", text, &numbers))
}

fn ms(value: Option<f64>) -> String {
    value.map_or("not known".to_owned(), |ms| format!("{ms:.0} ms"))
}
