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
use self::record::Server;
use self::report::{Live, Outputs};
use self::result::{Endpoint, LoadTest, Run};
use super::environment::Environment;
use crate::cli::{BenchArgs, Condition, LoadArgs, wrong_usage};
use crate::process::Exit;
use crate::process::interrupt;
use crate::process::terminal::note;
use crate::procfs;

pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    if args.load.urls.is_empty() { report_saved(args) } else { measure(args) }
}

/// `--from` and `--compare` without `--url`.
fn report_saved(args: &BenchArgs) -> anyhow::Result<Exit> {
    // Before any file is overwritten: it may be one of these.
    let compared = result::read_compared(&args.load.compare)?;
    if args.load.from.is_empty() {
        let (test, comparison) = compared.context("--compare: no file")?;
        Outputs::open(args, &test.run_names())?.write(&comparison, &test, Some(&comparison))?;
    } else {
        let test = result::read_all(&args.load.from)?;
        let comparison = compared.map(|(_, comparison)| comparison);
        Outputs::open(args, &test.run_names())?.write(&test, &test, comparison.as_ref())?;
    }
    Ok(Exit::Done)
}

fn measure(args: &BenchArgs) -> anyhow::Result<Exit> {
    let load = &args.load;
    refuse_contradictions(load);
    let comparison = result::read_compared(&load.compare)?.map(|(_, comparison)| comparison);
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
        let servers = probe_all(load).await?;
        // Before the load, which may take minutes, but only once the servers are there: older results are overwritten.
        let outputs = Outputs::open(args, &planned.iter().map(Planned::name).collect::<Vec<_>>())?;
        let api_keys = Rc::new(ApiKeys::new(servers.len()));
        let setting = Setting { servers, uploads, check, api_key: load.api_key.clone(), api_keys };
        let runs = run_all(&setting, &planned, &stopped, &load.fail_if, environment.logical_cores).await?;
        anyhow::Ok((runs, outputs))
    })?;

    let knee = load.sweep.as_ref().and_then(|_| judge::knee(&runs));
    if load.sweep.is_some() && knee.is_none() {
        note("no knee: fewer than two runs of the sweep are VALID or NOT-SATURATED; see the verdicts");
    }
    let test = LoadTest { command: result::command_line(), runs, knee, environment };
    let written = outputs.write(&test, &test, comparison.as_ref());
    report_missed(&test.runs);
    written.map(|()| exit(&test.runs, &load.fail_if))
}

/// What clap cannot express: a condition on an endpoint that is never asked.
fn refuse_contradictions(load: &LoadArgs) {
    let is_asked = |endpoint: &str| load.mix.0.iter().any(|(path, _)| path == endpoint);
    if let Some(endpoint) =
        load.fail_if.iter().filter_map(|condition| condition.endpoint.as_deref()).find(|e| !is_asked(e))
    {
        wrong_usage("bench", &format!("--fail-if has a condition on {endpoint}, which is not in --mix"));
    }
}

async fn probe_all(load: &LoadArgs) -> anyhow::Result<Vec<Server>> {
    let mut servers = Vec::new();
    for target in &load.urls {
        servers.push(Server::probe(target, load.api_key.as_deref()).await?);
    }
    Ok(servers)
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
