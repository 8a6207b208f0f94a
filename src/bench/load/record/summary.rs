//! From the notes of a run to its figures.

use std::time::{Duration, Instant, SystemTime};

use super::recorder::Recorder;
use super::scrape;
use super::tally::Tally;
use crate::bench::load::generate::PREDICT;
use crate::bench::load::generate::Setting;
use crate::bench::load::judge::findings;
use crate::bench::load::judge::verdict;
use crate::bench::load::plan::Planned;
use crate::bench::load::result::{
    Endpoint, FailureTimes, Generator, Load, Phase, Run, ServerFigures, Starts, Unfinished, Verdict,
};

/// How a run came to its end.
pub(crate) struct End {
    pub(crate) at: Instant,
    pub(crate) started_at: SystemTime,
    pub(crate) interrupted: bool,
    /// Of the generator, during the run.
    pub(crate) cpu_seconds: f64,
    /// Requests that were cut off, and for how long the oldest had been in flight.
    pub(crate) unfinished: (usize, Option<Duration>),
    /// By server.
    pub(crate) samples: Vec<Vec<scrape::Sample>>,
}

/// The figures of a run, judged.
pub(crate) fn run(setting: &Setting, planned: &Planned, mut recorder: Recorder, end: End) -> Run {
    let (start, ramp_end) = (recorder.start, recorder.ramp_end);
    let since_start = |at: Instant| at.saturating_duration_since(start).as_secs_f64();
    let elapsed_s = since_start(end.at);
    let ramp_s = since_start(ramp_end).min(elapsed_s);
    recorder.gaps.close(end.at);

    let all: Vec<_> = recorder.endpoints.iter().map(|e| sum([&e.ramp_up, &e.steady])).collect();
    let mix = &planned.plan.mix;
    let name = |endpoint: usize| mix[endpoint].endpoint.clone();
    let figures = |tallies: Vec<&Tally>, seconds: f64| -> Vec<Endpoint> {
        let method = |n: usize| if mix[n].endpoint == PREDICT { "POST" } else { "GET" };
        let each = tallies.iter().enumerate().map(|(n, t)| t.figures(&mix[n].endpoint, method(n), seconds));
        each.chain([sum(tallies.iter().copied()).figures("Total", "", seconds)]).collect()
    };
    let phase = |from_s: f64, to_s: f64, tallies| {
        (to_s > from_s).then(|| Phase { from_s, to_s, endpoints: figures(tallies, to_s - from_s) })
    };
    let steady = recorder.endpoints.iter().map(|e| &e.steady).collect();
    let ramp_up = recorder.endpoints.iter().map(|e| &e.ramp_up).collect();
    let failure_times = recorder.failures.iter().map(|((endpoint, kind), (first, last))| FailureTimes {
        endpoint: name(*endpoint),
        kind: kind.to_string(),
        first_s: since_start(*first),
        last_s: since_start(*last),
    });
    let (pauses, pause_count) = recorder.think;
    let requests: u64 = all.iter().map(|t| t.requests).sum();

    let starts = starts(&planned.plan.load, &recorder);
    let mut run = Run {
        scenario: planned.scenario.to_owned(),
        purpose: planned.purpose.map(str::to_owned),
        plan: planned.plan.clone(),
        started_at: humantime::format_rfc3339_seconds(end.started_at).to_string(),
        elapsed_s,
        interrupted: end.interrupted,
        endpoints: figures(all.iter().collect(), elapsed_s),
        ramp_up: phase(0.0, ramp_s, ramp_up),
        steady_state: phase(ramp_s, elapsed_s, steady),
        verdict: Verdict::Valid,
        verdict_reasons: Vec::new(),
        findings: Vec::new(),
        failure_times: failure_times.collect(),
        series: std::mem::take(&mut recorder.seconds),
        stages: recorder.stages.summary(),
        think_mean_s: pauses.checked_div(pause_count).map(|mean| mean.as_secs_f64()),
        stalls: recorder.gaps.stalls(start),
        unfinished: Unfinished {
            requests: end.unfinished.0 as u64,
            oldest_ms: end.unfinished.1.map(|age| age.as_secs_f64() * 1e3),
        },
        targets: targets(setting, &recorder.targets, &end, start, ramp_end, elapsed_s),
        generator: Generator {
            cpu_seconds: Some(end.cpu_seconds),
            cpu_share: None,
            requests_per_cpu_second: (end.cpu_seconds > 0.0).then(|| requests as f64 / end.cpu_seconds),
        },
        starts,
        thresholds: Vec::new(),
    };
    run.generator.cpu_share = run.mean_of_steady(|second| second.generator_cpu);
    let other_model = setting.check.as_ref().is_some_and(|check| check.met_other_model.get());
    (run.verdict, run.verdict_reasons) = verdict::judge(&run, recorder.thirds.tails(), setting.cores);
    run.findings = findings::of(&run, setting.cores, other_model);
    run
}

fn sum<'t>(tallies: impl IntoIterator<Item = &'t Tally>) -> Tally {
    let mut sum = Tally::new();
    tallies.into_iter().for_each(|tally| sum.add(tally));
    sum
}

fn targets(
    setting: &Setting,
    tallies: &[Tally],
    end: &End,
    start: Instant,
    ramp_end: Instant,
    elapsed_s: f64,
) -> Vec<ServerFigures> {
    let all: u64 = tallies.iter().map(|t| t.requests).sum();
    let each = setting.servers.iter().zip(tallies).zip(&end.samples);
    each.map(|((server, tally), samples)| {
        let figures = tally.figures("", "", elapsed_s);
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
            usage: scrape::usage(samples, start, ramp_end),
        }
    })
    .collect()
}

fn starts(load: &Load, recorder: &Recorder) -> Option<Starts> {
    let Load::Open { .. } = load else { return None };
    let starts = &recorder.starts;
    Some(Starts {
        planned: starts.made + starts.dropped,
        made: starts.made,
        dropped: starts.dropped,
        late: starts.late,
        late_p99_ms: starts.lateness.percentile_ms(99.0),
        late_max_ms: starts.lateness.max_ms(),
    })
}
