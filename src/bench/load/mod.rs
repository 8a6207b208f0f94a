//! `skinclf bench --url`: a load test over HTTP, judged.
//!
//! ```text
//! flags ─plan─> users ─http─> server ─> recorder ─summary─> outcome::LoadTest ─report─> text
//! ```
//!
//! One event loop is all users, since it shares the machine with the server under test. Read
//! [`run::run`] first, then `test::Test::ask`, where time is taken.

mod client;
mod generate;
mod judge;
mod plan;
mod record;
mod report;
mod result;

use std::rc::Rc;

use anyhow::Context as _;
use tokio::sync::watch;

use self::generate::Check;
use self::generate::Keys;
use self::generate::Setting;
pub(crate) use self::judge::Condition;
use self::plan::Planned;
use self::record::Server;
use self::report::Outputs;
pub(crate) use self::result::Saved;
pub(crate) use self::result::{Arrival, Weight};
use self::result::{Endpoint, LoadTest, Run};
use super::environment::Environment;
use crate::cli::{BenchArgs, LoadArgs};
pub(crate) use crate::cli::{Mix, PerSecond, Sweep, Think};
use crate::process::interrupt;
use crate::process::terminal::note;
use crate::process::{Exit, wrong_usage};

pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    if args.load.urls.is_empty() {
        return result::saved::run(args);
    }
    let load = &args.load;
    refuse_contradictions(load);
    let comparison = result::saved::compared(&load.compare)?.map(|(_, comparison)| comparison);
    let images = generate::load(load.images.as_deref())?;
    let classifier = if load.no_check { None } else { Some(args.model.load()?) };
    let check = classifier.as_ref().map(|c| Check::prepare(c, &images)).transpose()?.map(Rc::new);
    let environment = Environment::of(classifier.as_ref());
    drop(classifier);

    let (stop, stopped) = watch::channel(false);
    interrupt::on_signal(move || {
        stop.send_replace(true);
    })?;
    let planned = plan::runs(load, &images);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let local = tokio::task::LocalSet::new();
    let (mut runs, outputs) = local.block_on(&runtime.context("cannot start the event loop")?, async {
        let api_key = load.api_key.clone();
        let servers = meet_all(load).await?;
        // Before the load, which may take minutes, and not before the servers are there: older
        // results are overwritten.
        let names: Vec<_> = planned.iter().map(Planned::name).collect();
        let outputs = Outputs::open(args, &names)?;
        let cores = environment.logical_cores;
        let (keys, mut refused) = Keys::new(servers.len());
        let setting = Setting { servers, images, check, api_key, keys: Rc::new(keys), cores };
        let mut runs = Vec::new();
        for planned in &planned {
            runs.push(generate::run(&setting, planned, stopped.clone(), &mut refused).await?);
            if interrupt::requested() {
                break;
            }
        }
        anyhow::Ok((runs, outputs))
    })?;

    for run in &mut runs {
        run.thresholds = load.fail_if.iter().map(|condition| condition.judge(run)).collect();
    }
    let knee = load.sweep.as_ref().and_then(|_| judge::knee::of(&runs));
    if load.sweep.is_some() && knee.is_none() {
        note("no knee: fewer than two runs of the sweep are VALID or NOT-SATURATED; see the verdicts");
    }
    let report = LoadTest { command: result::command_line(), runs, knee, environment };
    let written = outputs.write(&report, comparison.as_ref());
    complain(&report.runs);
    written.map(|()| exit(&report.runs, &load.fail_if))
}

/// What clap cannot express: a condition on what is never asked.
fn refuse_contradictions(load: &LoadArgs) {
    let is_asked = |endpoint: &str| load.mix.0.iter().any(|w| w.endpoint == endpoint);
    if let Some(endpoint) = load.fail_if.iter().filter_map(Condition::endpoint).find(|e| !is_asked(e)) {
        wrong_usage("bench", &format!("--fail-if asks about {endpoint}, which --mix does not"));
    }
}

async fn meet_all(load: &LoadArgs) -> anyhow::Result<Vec<Server>> {
    let mut servers = Vec::new();
    for target in &load.urls {
        servers.push(Server::meet(target, load.api_key.as_deref()).await?);
    }
    Ok(servers)
}

/// Says on standard error what the exit status stands for.
fn complain(runs: &[Run]) {
    for run in runs {
        for threshold in run.thresholds.iter().filter(|t| t.missed) {
            let (condition, result) = (&threshold.condition, threshold.result(run));
            note(format_args!("error: {}: --fail-if '{condition}': {result}", run.name()));
        }
    }
}

fn exit(runs: &[Run], conditions: &[Condition]) -> Exit {
    // Where a condition says how many requests may fail, fewer are no failure of the test.
    let is_decided = |endpoint: &str| conditions.iter().any(|c| c.decides_failures_of(endpoint));
    let failed = |run: &Run| {
        let nothing = run.endpoints.last().is_none_or(|total| total.requests == 0);
        let of_endpoint = |e: &Endpoint| e.name != "Total" && e.failures > 0 && !is_decided(&e.name);
        nothing || run.endpoints.iter().any(of_endpoint)
    };
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
