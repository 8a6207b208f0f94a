//! `skinclf bench --url`: a load test over HTTP, judged; and `--from` and `--compare`, which read saved ones.
//!
//! ```text
//! flags ─plan─> generate ─client─> server
//!                  └─> record ──> Run ─judge─> verdict ─┐
//!                       saved files ─────> result ──────┴─> report ─> text, pages, CSV
//! ```
//!
//! `result` imports none of the others, `judge` and `report` only it, `record` also `client`, `generate` also `plan` and
//! `record`. One event loop is all users, since it shares the machine with the server under test. Read [`measure`] first,
//! then `generate::run`.

mod client;
mod generate;
mod judge;
mod plan;
mod record;
mod report;
mod result;

use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;

use self::generate::{ApiKeys, Check, Progress, Setting};
use self::judge::Circumstances;
use self::plan::Planned;
use self::record::{Container, Replica, Server, Tested};
use self::report::{Live, Outputs};
use self::result::{Endpoint, LoadTest, Run};
use super::environment::Environment;
use crate::cli::{BenchArgs, Condition, ContainerName, LoadArgs, wrong_usage};
use crate::process::interrupt;
use crate::process::terminal::note;
use crate::process::{Exit, is_broken_pipe};
use crate::procfs;

pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    if args.load.urls.is_empty() { report_saved(args) } else { measure(args) }
}

/// `--from` and `--compare` without `--url`.
fn report_saved(args: &BenchArgs) -> anyhow::Result<Exit> {
    // Before any file is overwritten: it may be one of these.
    let compared = result::read_compared(&args.load.compare.series)?;
    if args.load.from.is_empty() {
        let (mut test, comparisons) = compared.context("--compare: no file")?;
        test.add_command(&result::command_line());
        Outputs::open(args, &test.run_names())?.write(&comparisons, &test, &comparisons.0)?;
    } else {
        let mut test = result::read_all(&args.load.from)?;
        let comparisons = compared.map_or(Vec::new(), |(_, all)| all.0);
        test.add_command(&result::command_line());
        Outputs::open(args, &test.run_names())?.write(&test, &test, &comparisons)?;
    }
    Ok(Exit::Done)
}

fn measure(args: &BenchArgs) -> anyhow::Result<Exit> {
    let load = &args.load;
    refuse_contradictions(load);
    let comparisons = result::read_compared(&load.compare.series)?.map_or(Vec::new(), |(_, all)| all.0);
    let uploads = generate::load_uploads(load.images.as_deref())?;
    let classifier = if load.no_check { None } else { Some(args.model.load()?) };
    let check = classifier.as_ref().map(|c| Check::prepare(c, &uploads)).transpose()?.map(Rc::new);
    let environment = Environment::of(classifier.as_ref());
    drop(classifier);

    let (stop, stopped) = watch::channel(false);
    interrupt::on_signal(move || {
        stop.send_replace(true);
    })?;
    let images: Vec<_> = uploads.iter().map(|upload| upload.name().to_owned()).collect();
    let planned = plan::runs(load, &images);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let local = tokio::task::LocalSet::new();
    let (runs, outputs) = local.block_on(&runtime.context("cannot start the event loop")?, async {
        let tested = probe_all(load).await?;
        // Before the load, which may take minutes, but only once the servers are there: older results are overwritten.
        let outputs = Outputs::open(args, &planned.iter().map(Planned::name).collect::<Vec<_>>())?;
        let api_keys = Rc::new(ApiKeys::new(tested.servers.len()));
        let setting = Setting { tested, uploads, check, api_key: load.api_key.clone(), api_keys };
        let runs = run_all(&setting, &planned, &stopped, &load.fail_if, environment.logical_cores).await?;
        anyhow::Ok((runs, outputs))
    })?;

    let knee = load.sweep.as_ref().and_then(|_| judge::knee(&runs));
    if load.sweep.is_some() && knee.is_none() {
        note("no knee: fewer than two runs of the sweep are VALID or NOT-SATURATED; see the verdicts");
    }
    let test = LoadTest { command: result::command_line(), runs, knee, environment };
    let written = outputs.write(&test, &test, &comparisons);
    report_missed(&test.runs);
    match written {
        Err(error) if !is_broken_pipe(&error) => Err(error),
        _ => Ok(exit(&test.runs, &load.fail_if)),
    }
}

/// What clap cannot express: a condition on an endpoint that is never asked, and a server that is named twice.
fn refuse_contradictions(load: &LoadArgs) {
    let is_asked = |endpoint: &str| load.mix.0.iter().any(|(path, _)| path == endpoint);
    if let Some(endpoint) =
        load.fail_if.iter().filter_map(|condition| condition.endpoint.as_deref()).find(|e| !is_asked(e))
    {
        wrong_usage("bench", &format!("--fail-if has a condition on {endpoint}, which is not in --mix"));
    }
    let replicas: Vec<_> = load.metrics_urls.iter().map(|replica| &*replica.name).collect();
    let containers: Vec<_> = load.containers.iter().map(ContainerName::as_str).collect();
    for (flag, names) in [("--metrics-url", replicas), ("--container", containers)] {
        if let Some(name) = first_twice(&names) {
            wrong_usage("bench", &format!("{flag} names {name} twice"));
        }
    }
}

fn first_twice<'n>(names: &[&'n str]) -> Option<&'n str> {
    names.iter().enumerate().find(|(n, name)| names[..*n].contains(name)).map(|(_, name)| *name)
}

async fn probe_all(load: &LoadArgs) -> anyhow::Result<Tested> {
    let api_key = load.api_key.as_deref();
    let mut tested = Tested::default();
    for target in &load.urls {
        tested.servers.push(Server::probe("--url", target, api_key).await?);
    }
    for replica in &load.metrics_urls {
        tested.replicas.push(Replica::probe(replica, api_key).await?);
    }
    for name in &load.containers {
        tested.containers.push(Container::probe(name.as_str()).await?);
    }
    Ok(tested)
}

/// One after the other, each judged, until the user stops them.
async fn run_all(
    setting: &Setting,
    planned: &[Planned],
    stopped: &watch::Receiver<bool>,
    conditions: &[Condition],
    cores: Option<usize>,
) -> anyhow::Result<Vec<Run>> {
    let mut runs = Vec::new();
    for planned in planned {
        let name = format!("{} ({})", planned.scenario.as_str(), planned.plan.load);
        let live = Live::start(name, Duration::from_secs_f64(planned.plan.duration_s));
        let show = |progress: Progress<'_>| match progress {
            Progress::Second(second) => live.update(second),
            Progress::Warning(text) => live.warn(text),
        };
        let measured = generate::run(setting, planned, stopped.clone(), &show).await?;
        let circumstances = Circumstances {
            cores,
            has_whole_machine: cores.is_some() && procfs::machine_cpus() == cores,
            met_other_model: setting.check.as_ref().is_some_and(|check| check.met_other_model()),
        };
        runs.push(judge::judge(measured, &circumstances, conditions));
        if interrupt::requested() {
            break;
        }
    }
    Ok(runs)
}

/// On standard error: the reason for the exit status.
fn report_missed(runs: &[Run]) {
    for run in runs {
        for threshold in run.thresholds.iter().filter(|t| t.missed) {
            let (condition, outcome) = (&threshold.condition, threshold.outcome(run));
            note(format_args!("error: {}: --fail-if '{condition}': {outcome}", run.name()));
        }
    }
}

fn exit(runs: &[Run], conditions: &[Condition]) -> Exit {
    // Where a condition limits how many requests may fail, fewer are not a failure of the test.
    let is_limited = |endpoint: &str| conditions.iter().any(|c| judge::limits_failures(c, endpoint));
    let has_failed = |endpoint: &Endpoint| endpoint.failures > 0 && !is_limited(&endpoint.name);
    let failed = |run: &Run| run.endpoints.total.requests == 0 || run.endpoints.each.iter().any(has_failed);
    if interrupt::requested() {
        Exit::Interrupted
    } else if runs.iter().flat_map(|r| &r.thresholds).any(|t| t.missed) {
        Exit::ThresholdMissed
    } else if runs.iter().any(failed) {
        Exit::SomeFailed
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Instant, SystemTime};

    use super::record::{Ended, Ending, Observed, Recorder, Times, summary};
    use super::result::{Load, Scenario, Verdict, fixture};
    use super::*;

    /// What is recorded and judged of ten users who ask ten times a second each; time is simulated. `latency_ms` depends on
    /// the time (in ms) when a request is sent.
    fn simulated(planned_s: u64, stopped_s: u64, latency_ms: impl Fn(u64) -> u64) -> Run {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let times = Times { start, ramp_end: start, end: at(planned_s * 1000) };
        let mut recorder = Recorder::new(1, 1, times, 1);
        let sent = (0..stopped_s * 100).map(|n| 10 * n);
        let mut events: Vec<_> = sent.clone().map(|ms| (ms, 0, ms)).collect();
        events.extend(sent.map(|ms| (ms + latency_ms(ms), 1, ms)));
        events.extend((1..=stopped_s).map(|second| (second * 1000, 2, 0)));
        events.sort_unstable();
        let mut in_flight = std::collections::BTreeMap::new();
        for (ms, what, sent) in events.into_iter().filter(|(ms, ..)| *ms <= stopped_s * 1000) {
            match what {
                0 => drop(in_flight.insert(sent, recorder.begin(0, 0, at(ms), at(ms)))),
                1 => {
                    let at = at(ms);
                    let ended = Ended {
                        at,
                        failure: None,
                        bytes_sent: 1,
                        bytes_received: 1,
                        server_timing: None,
                        served_by: None,
                    };
                    recorder.end(in_flight.remove(&sent).expect("in flight"), &ended);
                }
                _ => recorder.close_second(at(ms)),
            }
        }
        let mut plan = fixture::measured().plan;
        plan.load = Load::Closed { users: 10, spawn_rate: 10.0, think_s: [0.0, 0.0] };
        plan.mix.truncate(1);
        plan.duration_s = planned_s as f64;
        let ending = Ending {
            at: at(stopped_s * 1000),
            started_at: SystemTime::UNIX_EPOCH,
            interrupted: stopped_s < planned_s,
            cpu_seconds: 0.1,
            unfinished: recorder.in_flight(),
            observed: Observed::default(),
        };
        let measured = summary(&Scenario::Custom, &plan, &Tested::default(), recorder, ending);
        judge::judge(measured, &Circumstances::default(), &[])
    }

    #[test]
    fn a_steady_run_is_called_so() {
        for seconds in [5, 12, 31, 100] {
            // Latencies vary, but over the whole run alike.
            let run = simulated(seconds, seconds, |sent_ms| 5 + sent_ms / 10 % 7);
            assert_eq!(run.verdict, Verdict::Valid, "{seconds} s: {:?}", run.verdict_reasons);
            assert!(run.stalls.is_empty());
            let total = &run.endpoints.total;
            assert_eq!((total.requests, run.unfinished.requests), (100 * seconds, 0));
            assert_eq!((total.min_ms, total.max_ms), (Some(5.0), Some(11.0)));
        }
        let stopped = simulated(60, 12, |sent_ms| 5 + sent_ms / 10 % 7);
        assert_eq!(stopped.verdict, Verdict::Valid, "{:?}", stopped.verdict_reasons);
    }

    #[test]
    fn a_run_whose_answers_became_slow_is_unstable() {
        let slow_from_6_s = |sent_ms| if sent_ms < 6000 { 5 } else { 60 };
        for (planned_s, stopped_s) in [(12, 12), (18, 14), (40, 12)] {
            let run = simulated(planned_s, stopped_s, slow_from_6_s);
            assert_eq!(run.verdict, Verdict::Unstable, "{stopped_s} of {planned_s} s");
            let reason = "p95 went from 5 ms in the first third to 60 ms in the last";
            assert!(run.verdict_reasons.iter().any(|r| r.contains(reason)), "{:?}", run.verdict_reasons);
        }
    }

    #[test]
    fn a_server_that_stands_still_has_stalled() {
        // Whoever asks in the second from 4 s on is answered at its end.
        let run = simulated(12, 12, |sent_ms| match sent_ms {
            4000..5000 => 5005 - sent_ms,
            _ => 5,
        });
        assert_eq!(run.verdict, Verdict::Unstable, "{:?}", run.verdict_reasons);
        let stalls: Vec<_> = run.stalls.iter().map(|stall| (stall.at_s, stall.length_s)).collect();
        assert_eq!(stalls, [(5.005, 1.005)]);
    }
}
