//! Conclusions from all runs together, as sentences with their figures.

use super::containers;
use crate::bench::load::report::{figures, words};
use crate::bench::load::result::{Comparison, Load, LoadTest, Run, Scenario, Stage, Verdict, notation};
use crate::bench::words::counted;

/// A stage gets a sentence of its own above this share of the time.
const LARGE: f64 = 0.3;
/// Share of a measured capacity to plan for; the rest is for bursts and lost servers.
const PLANNED: f64 = 0.7;
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
    if let (Some(used), Some(cores)) = (run.local_server_cpu(), test.environment.logical_cores) {
        let generator =
            run.generator.cpu_share.map_or(String::new(), |g| format!("; the load generator took {g:.2}"));
        sentences.push(format!(
            "The server used {used:.2} of {} under that load ({}){generator}.",
            counted(cores, "core"),
            figures::percent(used / cores as f64)
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

pub(super) fn scalability(test: &LoadTest, comparison: Option<&Comparison>) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut thinking: Vec<&Run> =
        test.runs.iter().filter(|run| run.think_s().is_some_and(|z| z > 0.0)).collect();
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
    if let Some(knee) = &test.knee {
        sentences.push(words::knee(knee));
    }
    match capacity(test) {
        Some((run, per_second)) => sentences.push(format!(
            "Capacity: {}{} successful requests/s ({}), with p95 {}{}.",
            at_least(test, run),
            figures::rate(per_second),
            words::plan(&run.plan),
            figures::latency(run.steady_total().p95_ms),
            disturbed(run).map_or(String::new(), |cores| format!(
                ", while other processes or the hypervisor took {cores:.2} cores"
            )),
        )),
        None => sentences.push(
            "No run shows the capacity, because of think time, too few users or the verdict. To find it, run with --think 0 --sweep users=1,2,4,8,16."
                .to_owned(),
        ),
    }
    for row in comparison.iter().flat_map(|c| c.rows.iter().skip(1)) {
        sentences.push(format!(
            "{}: {}.",
            counted(row.containers, "container"),
            containers::improvement(row)
        ));
    }
    sentences
}

pub(super) fn recommendations(test: &LoadTest) -> Vec<String> {
    let mut sentences = repetitions(test);
    if test.runs.iter().any(|run| run.endpoints.total.failures > 0) {
        sentences.push(
            "Find out why requests failed before anything else: the kinds are listed above.".to_owned(),
        );
    }
    sentences.push(provisioning(test));
    sentences.extend(improvements(test));
    let memory =
        test.runs.iter().flat_map(|run| &run.targets).filter_map(|t| t.usage.as_ref()?.rss_max_bytes);
    if let Some(most) = memory.reduce(f64::max) {
        sentences.push(format!(
            "The server needed at most {}: a container limit of twice that leaves room.",
            figures::mebibytes(Some(most))
        ));
    }
    sentences
}

fn repetitions(test: &LoadTest) -> Vec<String> {
    let repeat = |verdicts: &[Verdict], how| {
        let these = test.runs.iter().filter(|run| verdicts.contains(&run.verdict));
        let names: Vec<_> =
            these.map(|run| format!("{} ({})", run.name(), words::word(run.verdict))).collect();
        let names = (!names.is_empty()).then(|| names.join(", "))?;
        Some(format!("Repeat {names} {how} before quoting the figures."))
    };
    let too_short = repeat(&[Verdict::TooShort], "with a longer --duration");
    let disturbed = repeat(&[Verdict::ClientSaturated, Verdict::Unstable], "on a quiet machine");
    too_short.into_iter().chain(disturbed).collect()
}

fn provisioning(test: &LoadTest) -> String {
    let Some((run, per_second)) = capacity(test) else {
        return "Find the capacity (--think 0 or --sweep) before deciding how many servers to run."
            .to_owned();
    };
    let planned = per_second * PLANNED;
    let users = relaxed(test).map_or(String::new(), |(think_s, response_s)| {
        let users = planned * (think_s + response_s);
        format!(", about {} who think {think_s:.1} s between requests", counted(users.round(), "user"))
    });
    format!(
        "Plan for {} requests/s ({}) to a server like this, {} of its capacity of {}{}/s{users}; add servers behind a load balancer beyond that.",
        figures::rate(planned),
        notation::mix(&run.plan),
        figures::percent(PLANNED),
        at_least(test, run),
        figures::rate(per_second)
    )
}

fn improvements(test: &LoadTest) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(run) = most_loaded(test) {
        let shares = run.stage("queue").map_or([None; 2], |stage| [stage.share_at_p50, stage.share_at_p99]);
        let queue = shares.into_iter().flatten().fold(0.0, f64::max);
        if queue > LARGE {
            sentences.push(format!(
                "Under the largest load up to {} of the time is waiting for a worker: more cores, more containers or a faster model shorten it.",
                figures::percent(queue)
            ));
        }
    }
    if let Some((run, inference)) = without_waiting(test).filter(|(_, share)| *share > LARGE) {
        sentences.push(format!(
            "Where nobody waits ({}), inference is {} of a typical answer: a smaller or quantised model would shorten answers and raise the capacity most.",
            run.name(),
            figures::percent(inference)
        ));
    }
    sentences
}

pub(super) fn conclusion(test: &LoadTest) -> String {
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
    sentences.push(
        "These conclusions are only about speed under load. The service is research software, not a medical device."
            .to_owned(),
    );
    sentences.join(" ")
}

/// The run with most successful requests per second: its stages are those of a busy server.
fn most_loaded(test: &LoadTest) -> Option<&Run> {
    let good_per_s = |run: &&Run| run.steady_total().good_per_s();
    test.runs.iter().max_by(|a, b| good_per_s(a).total_cmp(&good_per_s(b)))
}

/// Cores that other processes used during a run, if there is a finding about it.
fn disturbed(run: &Run) -> Option<f64> {
    run.findings.iter().find(|f| f.code == "other_processes")?.numbers.get("cores").copied()
}

/// The run with the smallest share of waiting in a typical answer, and the share of inference in the same answer.
fn without_waiting(test: &LoadTest) -> Option<(&Run, f64)> {
    let share = |run: &Run, name| run.stage(name)?.share_at_p50;
    let waiting = test.runs.iter().filter_map(|run| Some((run, share(run, "queue")?)));
    let (run, _) = waiting.min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some((run, share(run, "inference")?))
}

/// Think time and response time in seconds, under a load well below the capacity, as a planned load is.
fn relaxed(test: &LoadTest) -> Option<(f64, f64)> {
    let times = |run: &Run| Some((run.think_s()?, run.steady_total().average_ms? / 1e3));
    let unsaturated = test.runs.iter().filter(|run| run.verdict == Verdict::NotSaturated);
    unsaturated.filter_map(times).find(|(think_s, _)| *think_s > 0.0)
}

fn largest(run: &Run, share: fn(&Stage) -> Option<f64>) -> Option<&Stage> {
    let of = |stage: &&Stage| share(stage).unwrap_or(0.0);
    run.stages.iter().filter(|s| share(s).is_some()).max_by(|a, b| of(a).total_cmp(&of(b)))
}

/// The run with most successful requests per second among those that their users did not limit, and that figure.
fn capacity(test: &LoadTest) -> Option<(&Run, f64)> {
    let valid = test
        .runs
        .iter()
        .filter(|run| run.verdict == Verdict::Valid && matches!(run.plan.load, Load::Closed { .. }));
    let good = valid.map(|run| (run, run.steady_total().good_per_s()));
    good.max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Precedes a capacity that may be larger, because the run is not known to have filled the server.
fn at_least(test: &LoadTest, run: &Run) -> &'static str {
    if run.server_was_full(test.environment.logical_cores) { "" } else { "at least " }
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
