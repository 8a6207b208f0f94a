//! From the counts of a run to its figures.

use std::time::{Instant, SystemTime};

use super::observers::{Observed, Tested};
use super::recorder::{FirstAndLast, InFlight, Recorder};
use super::scrape::{Scrape, Source, Span, usage};
use super::servers::Server;
use super::tally::Tally;
use super::{containers, replicas};
use crate::bench::load::result::{
    Endpoints, FailureTimes, Generator, Load, Measured, PREDICT, Phase, Plan, Scenario, ServerFigures,
    Starts, TOTAL, Unfinished, Weight, mean, steady_seconds,
};

pub(crate) struct Ending {
    pub(crate) at: Instant,
    pub(crate) started_at: SystemTime,
    pub(crate) interrupted: bool,
    pub(crate) cpu_seconds: f64,
    pub(crate) unfinished: InFlight,
    pub(crate) observed: Observed,
}

pub(crate) fn summary(
    scenario: &Scenario,
    plan: &Plan,
    tested: &Tested,
    mut recorder: Recorder,
    ending: Ending,
) -> Measured {
    recorder.gaps.close(ending.at);
    let times = recorder.times;
    let elapsed_s = times.since_start(ending.at);
    let ramp_s = times.since_start(times.ramp_end).min(elapsed_s);
    let (ramp_up, steady): (Vec<_>, Vec<_>) =
        recorder.endpoints.iter().map(|e| (&e.ramp_up, &e.steady)).unzip();
    let whole: Vec<_> = recorder.endpoints.iter().map(|e| sum([&e.ramp_up, &e.steady])).collect();
    let phase = |from_s: f64, to_s: f64, tallies: &[&Tally]| {
        (to_s > from_s).then(|| Phase {
            from_s,
            to_s,
            endpoints: endpoints(&plan.mix, tallies, to_s - from_s),
        })
    };
    let steady_state = phase(ramp_s, elapsed_s, &steady);
    let span = Span { start: times.start, steady_from: times.ramp_end, end: ending.at };
    let observed = &ending.observed;

    Measured {
        scenario: scenario.clone(),
        purpose: scenario.purpose().map(str::to_owned),
        plan: plan.clone(),
        started_at: humantime::format_rfc3339_seconds(ending.started_at).to_string(),
        elapsed_s,
        interrupted: ending.interrupted,
        endpoints: endpoints(&plan.mix, &whole.iter().collect::<Vec<_>>(), elapsed_s),
        ramp_up: phase(0.0, ramp_s, &ramp_up),
        failure_times: failure_times(&plan.mix, &recorder),
        think_mean_s: recorder.pauses.mean_s(),
        stalls: recorder.gaps.stalls(times.start),
        unfinished: unfinished(&ending),
        targets: server_figures(&tested.servers, &recorder.servers, &observed.servers, span),
        replicas: replicas::figures(&tested.replicas, &observed.replicas, span),
        containers: containers::figures(&tested.containers, &observed.containers, span),
        generator: generator(&recorder, steady_state.as_ref(), ending.cpu_seconds),
        starts: matches!(plan.load, Load::Open { .. }).then(|| starts(&recorder)),
        stages: recorder.stages.summary(),
        served_by: recorder.served.figures(),
        series: recorder.seconds,
        tails: recorder.thirds.tails(),
        steady_state,
    }
}

/// `tallies` are in the order of the mix.
fn endpoints(mix: &[Weight], tallies: &[&Tally], seconds: f64) -> Endpoints {
    let method = |path: &str| if path == PREDICT { "POST" } else { "GET" };
    let each = mix.iter().zip(tallies);
    Endpoints {
        each: each.map(|(w, tally)| tally.figures(&w.endpoint, method(&w.endpoint), seconds)).collect(),
        total: sum(tallies.iter().copied()).figures(TOTAL, "", seconds),
    }
}

fn sum<'t>(tallies: impl IntoIterator<Item = &'t Tally>) -> Tally {
    let mut sum = Tally::new();
    tallies.into_iter().for_each(|tally| sum.add(tally));
    sum
}

fn failure_times(mix: &[Weight], recorder: &Recorder) -> Vec<FailureTimes> {
    let since_start = |at: &Instant| recorder.times.since_start(*at);
    let times =
        recorder.failures.iter().map(|((endpoint, kind), FirstAndLast { first, last })| FailureTimes {
            endpoint: mix[*endpoint].endpoint.clone(),
            kind: kind.to_string(),
            first_s: since_start(first),
            last_s: since_start(last),
        });
    times.collect()
}

fn unfinished(ending: &Ending) -> Unfinished {
    let InFlight { requests, oldest_since } = ending.unfinished;
    let age_ms = |since: Instant| ending.at.saturating_duration_since(since).as_secs_f64() * 1e3;
    Unfinished { requests: requests as u64, oldest_ms: oldest_since.map(age_ms) }
}

fn generator(recorder: &Recorder, steady_state: Option<&Phase>, cpu_seconds: f64) -> Generator {
    let steady = steady_seconds(&recorder.seconds, steady_state);
    let requests: u64 = recorder.servers.iter().map(|tally| tally.requests).sum();
    Generator {
        cpu_seconds: Some(cpu_seconds),
        cpu_share: mean(steady.filter_map(|second| second.generator_cpu)),
        requests_per_cpu_second: (cpu_seconds > 0.0).then(|| requests as f64 / cpu_seconds),
    }
}

fn server_figures(
    servers: &[Server],
    tallies: &[Tally],
    scrapes: &[Vec<Scrape>],
    span: Span,
) -> Vec<ServerFigures> {
    let all: u64 = tallies.iter().map(|t| t.requests).sum();
    let seconds = span.end.saturating_duration_since(span.start).as_secs_f64();
    // Without scrapes, where replicas have been asked in their place.
    let scrapes = scrapes.iter().map(Vec::as_slice).chain(std::iter::repeat(&[][..]));
    let each = servers.iter().zip(tallies).zip(scrapes);
    each.map(|((server, tally), scrapes)| {
        let figures = tally.figures("", "", seconds);
        ServerFigures {
            url: server.target.url.clone(),
            version: server.version.clone(),
            model: server.model.clone(),
            shares_machine: server.shares_machine(),
            requests: figures.requests,
            failures: figures.failures,
            share: (all > 0).then(|| figures.requests as f64 / all as f64),
            rps: figures.rps,
            median_ms: figures.median_ms,
            p95_ms: figures.p95_ms,
            p99_ms: figures.p99_ms,
            usage: usage(scrapes, span, Source::Address),
        }
    })
    .collect()
}

fn starts(recorder: &Recorder) -> Starts {
    let starts = &recorder.starts;
    Starts {
        planned: starts.made + starts.dropped,
        made: starts.made,
        dropped: starts.dropped,
        late: starts.late,
        late_p99_ms: starts.lateness.percentile_ms(99.0),
        late_max_ms: starts.lateness.max_ms(),
    }
}
