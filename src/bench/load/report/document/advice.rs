//! Recommendations, as sentences with their figures.

use super::selection::{at_least, capacity, most_loaded, relaxed, scaled, without_waiting};
use super::{Figures, containers};
use crate::bench::load::report::{figures, words};
use crate::bench::load::result::{Comparison, LoadTest, Verdict, notation};
use crate::bench::words::counted;

/// A stage gets a sentence of its own above this share of the time.
const LARGE: f64 = 0.3;
/// Share of a measured capacity to plan for; the rest is for bursts and lost servers.
const PLANNED: f64 = 0.7;

const QUANTISED: &str = "An int8 model has not been measured yet.";

pub(super) fn recommendations(all: &Figures<'_>) -> Vec<String> {
    let test = all.test;
    let mut sentences = repetitions(test);
    if test.runs.iter().any(|run| run.endpoints.total.failures > 0) {
        sentences.push(
            "Find out why requests failed before anything else: the kinds are listed above.".to_owned(),
        );
    }
    sentences.push(provisioning(test));
    sentences.extend(balancing(all.comparisons));
    sentences.extend(improvements(test));
    sentences.push(accelerators(all));
    if let Some(most) = test.runs.iter().filter_map(|run| run.memory_max_bytes()).reduce(f64::max) {
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

fn balancing(comparisons: &[Comparison]) -> Option<String> {
    let (comparison, row) = scaled(comparisons)?;
    let improvement = containers::improvement(row, comparison)?;
    Some(format!(
        "Put a load balancer in front of several containers: {} answered {} successful requests/s ({}): {improvement}. With two or more, one can be replaced while the others answer.",
        row.containers,
        figures::rate(row.good_per_s),
        notation::load(&comparison.plan)
    ))
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
            "Where nobody waits ({}), inference is {} of a typical answer: a smaller or quantised model would shorten answers and raise the capacity most. {}",
            run.name(),
            figures::percent(inference),
            QUANTISED
        ));
    }
    sentences
}

/// Why there is no GPU, as far as measured figures tell.
fn accelerators(all: &Figures<'_>) -> String {
    let mut text = "Deploy on CPUs: the service uses no GPU, and none was measured.".to_owned();
    let alone = without_waiting(all.test)
        .and_then(|(run, share)| Some((run, share, run.stage("inference")?.mean_ms?)));
    if let Some((run, share, mean_ms)) = alone {
        text += &format!(
            " Where nobody waits ({}), inference takes {} for one image at a time, {} of a typical answer; the other {}, decoding, preprocessing and transport, would stay on the CPU.",
            run.name(),
            figures::latency(Some(mean_ms)),
            figures::percent(share),
            figures::percent(1.0 - share)
        );
    }
    if let Some(capacity) = &all.capacity {
        text += &format!(" One core answers {} predictions/s.", figures::rate(capacity.per_worker()));
    }
    text
}
