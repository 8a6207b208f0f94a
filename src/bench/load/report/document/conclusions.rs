//! Conclusions from all runs together, as sentences with their figures.

use super::selection::{at_least, beyond_knee, capacity, most_loaded, scaled};
use super::{Figures, containers};
use crate::bench::load::report::{figures, words};
use crate::bench::load::result::{LoadTest, Run, Scenario, Stage, notation};
use crate::bench::words::counted;

/// A p95 below this counts as fast enough; the example that the document follows has it as a median.
const FAST_MS: f64 = 500.0;

pub(super) fn bottlenecks(test: &LoadTest) -> Vec<String> {
    let mut sentences = Vec::new();
    let Some(run) = most_loaded(test) else { return vec!["Nothing was measured.".to_owned()] };
    let name = run.name();
    if let Some(stage) = largest(run, |s| s.share_at_p50) {
        let share = figures::percent(stage.share_at_p50.unwrap_or(0.0));
        let mean = figures::latency(stage.mean_ms);
        sentences.push(format!(
            "Under the largest load ({name}) {} is {share} of a typical /predict, {mean} on average.",
            in_words(&stage.name)
        ));
    }
    if let Some(stage) = largest(run, |s| s.share_at_p99) {
        let share = figures::percent(stage.share_at_p99.unwrap_or(0.0));
        sentences.push(format!(
            "The slowest 1 % of /predict spend {share} of their time on {}.",
            in_words(&stage.name)
        ));
    }
    let cores = test.environment.logical_cores;
    if let (Some(used), Some(available)) = (run.local_server_cpu(), run.server_cores(cores)) {
        let generator =
            run.generator.cpu_share.map_or(String::new(), |g| format!("; the load generator took {g:.2}"));
        sentences.push(format!(
            "The server used {used:.2} of {}{} under that load ({}){generator}.",
            counted(available, "core"),
            if run.cpu_caps(cores).is_some() { ", the CPU limits of its containers," } else { "" },
            figures::percent(used / available)
        ));
    }
    let failed: Vec<_> = test.runs.iter().filter(|run| run.endpoints.total.failures > 0).collect();
    for run in &failed {
        let total = &run.endpoints.total;
        sentences.push(format!(
            "{} of {} failed in {}: {}.",
            total.failures,
            counted(total.requests, "request"),
            run.name(),
            figures::failures_by_kind(total)
        ));
    }
    if failed.is_empty() {
        sentences.push("No request failed in any run.".to_owned());
    }
    sentences
}

pub(super) fn scalability(all: &Figures<'_>) -> Vec<String> {
    let mut sentences = growth(all.test);
    if let Some(knee) = &all.test.knee {
        sentences.push(words::knee(knee));
    }
    sentences.extend(beyond_knee(all.test).map(|(knee, most)| queueing(knee, most)));
    sentences.push(limit(all.test));
    for comparison in all.comparisons {
        for row in &comparison.rows {
            sentences.extend(containers::improvement(row, comparison).map(|improvement| {
                let load = notation::load(&comparison.plan);
                format!("{load}: {} gave {improvement}.", counted(row.containers, "container"))
            }));
        }
    }
    sentences
}

/// From each number of users who think to the next.
fn growth(test: &LoadTest) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut thinking: Vec<&Run> = test.runs.iter().filter(|run| run.plan.has_think_time()).collect();
    thinking.sort_by_key(|run| run.plan.users());
    for pair in thinking.windows(2) {
        let [few, many] = pair else { continue };
        let (before, after) = (few.steady_total(), many.steady_total());
        if few.plan.users() < many.plan.users() {
            sentences.push(format!(
                "From {} to {} users (x{:.1}) successful requests/s went from {} to {} (x{:.1}), the median from {} to {}, p95 from {} to {}.",
                few.plan.users(),
                many.plan.users(),
                many.plan.users() as f64 / few.plan.users() as f64,
                figures::rate(before.good_per_s()),
                figures::rate(after.good_per_s()),
                if before.good_per_s() > 0.0 { after.good_per_s() / before.good_per_s() } else { 0.0 },
                figures::latency(before.median_ms),
                figures::latency(after.median_ms),
                figures::latency(before.p95_ms),
                figures::latency(after.p95_ms),
            ));
        }
    }
    sentences
}

fn queueing(knee: &Run, most: &Run) -> String {
    let average = |run: &Run| run.steady_total().average_ms;
    let ratio = average(most).zip(average(knee)).map(|(most, knee)| most / knee);
    format!(
        "Beyond the knee more users only wait longer: from {} to {} users (x{:.1}) the average response time went from {} to {} (x{}).",
        knee.plan.users(),
        most.plan.users(),
        most.plan.users() as f64 / knee.plan.users() as f64,
        figures::latency(average(knee)),
        figures::latency(average(most)),
        ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.1}"))
    )
}

fn limit(test: &LoadTest) -> String {
    match capacity(test) {
        Some((run, per_second)) => format!(
            "Capacity: {}{} successful requests/s ({}), with p95 {}{}.",
            at_least(test, run),
            figures::rate(per_second),
            words::plan(&run.plan),
            figures::latency(run.steady_total().p95_ms),
            disturbed(run).map_or(String::new(), |cores| format!(
                ", while other processes or the hypervisor took {cores:.2} cores"
            )),
        ),
        None => "No run shows the capacity, because of think time, too few users or the verdict. To find it, run with --think 0 --sweep users=1,2,4,8,16."
            .to_owned(),
    }
}

pub(super) fn conclusion(all: &Figures<'_>) -> String {
    let test = all.test;
    let runs = test.runs.iter().map(|run| (run, run.endpoints.total.failures));
    let (good, bad): (Vec<_>, Vec<_>) = runs
        .filter(|(run, _)| run.scenario != Scenario::Custom || test.runs.len() == 1)
        .partition(|(run, failures)| {
            *failures == 0
                && !run.verdict.spoils_figures()
                && run.steady_total().p95_ms.is_some_and(|p95| p95 < FAST_MS)
        });
    let names = |runs: &[(&Run, _)]| runs.iter().map(|(run, _)| run.name()).collect::<Vec<_>>().join(", ");
    let mut sentences = Vec::new();
    if !good.is_empty() {
        sentences.push(format!(
            "The service is ready for the loads {}: these runs had no failures, steady figures and a p95 below {}.",
            names(&good),
            figures::latency(Some(FAST_MS))
        ));
    }
    if !bad.is_empty() {
        sentences.push(format!(
            "Readiness is not shown for {}: the run had failures, was unsteady or too short, had too few requests for a p95, or had a p95 of at least {}.",
            names(&bad),
            figures::latency(Some(FAST_MS))
        ));
    }
    if let Some((run, per_second)) = capacity(test) {
        sentences.push(format!(
            "Its measured limit is {}{} successful requests/s on this machine.",
            at_least(test, run),
            figures::rate(per_second)
        ));
    }
    if let Some((comparison, row)) = scaled(all.comparisons) {
        sentences.extend(containers::improvement(row, comparison).map(|improvement| {
            format!(
                "Behind a load balancer {} answered {} successful requests/s: {improvement}.",
                counted(row.containers, "container"),
                figures::rate(row.good_per_s)
            )
        }));
    }
    sentences.push(
        "These conclusions are only about speed under load. The service is research software, not a medical device."
            .to_owned(),
    );
    sentences.join(" ")
}

/// Cores that other processes used during a run, if there is a finding about it.
fn disturbed(run: &Run) -> Option<f64> {
    run.findings.iter().find(|f| f.code == "other_processes")?.numbers.get("cores").copied()
}

fn largest(run: &Run, share: fn(&Stage) -> Option<f64>) -> Option<&Stage> {
    let of = |stage: &&Stage| share(stage).unwrap_or(0.0);
    run.stages.iter().filter(|s| share(s).is_some()).max_by(|a, b| of(a).total_cmp(&of(b)))
}

fn in_words(stage: &str) -> &str {
    match stage {
        "queue" => "waiting for a worker",
        "decode" => "decoding the image",
        "preprocess" => "preprocessing",
        "other" => "network and HTTP",
        stage => stage,
    }
}
