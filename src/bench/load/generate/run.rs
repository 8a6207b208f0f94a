//! One run: users, a clock, and a look once a second. Read [`run`] first.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::anyhow;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::check::Check;
use super::images::Upload;
use super::keys::{Keys, Refusal};
use super::requests;
use super::requests::Requests;
use super::test::{Route, Test, User};
use super::{closed, open};
use crate::bench::load::plan::Planned;
use crate::bench::load::record::Recorder;
use crate::bench::load::record::Server;
use crate::bench::load::record::Watch;
use crate::bench::load::record::{End, summary};
use crate::bench::load::report::live::Live;
use crate::bench::load::result::{Load, Run};
use crate::procfs::CpuTime;

/// What all runs of an invocation have in common.
pub(crate) struct Setting {
    pub(crate) servers: Vec<Server>,
    pub(crate) images: Vec<Upload>,
    pub(crate) check: Option<Rc<Check>>,
    pub(crate) api_key: Option<String>,
    pub(crate) keys: Rc<Keys>,
    /// Cores of this machine.
    pub(crate) cores: Option<usize>,
}

/// Puts the planned load on the servers. It ends at its time, whatever the servers do: what is in
/// flight then is cut off and counted apart.
///
/// # Errors
/// When a server refuses every prediction for want of a key.
pub(crate) async fn run(
    setting: &Setting,
    planned: &Planned,
    mut stop: watch::Receiver<bool>,
    refused: &mut UnboundedReceiver<Refusal>,
) -> anyhow::Result<Run> {
    let plan = &planned.plan;
    let targets: Vec<_> = setting.servers.iter().map(|s| &s.target).collect();
    let requests = Requests::prepare(&plan.mix, &targets, &setting.images, setting.api_key.as_deref())?;
    let duration = Duration::from_secs_f64(plan.duration_s);
    let started_at = SystemTime::now();
    let start = Instant::now();
    let deadline = start + duration;
    let ramp_end = start + ramp_up(&plan.load);
    let recorder = Recorder::new(plan.mix.len(), setting.servers.len(), start, ramp_end, plan.seed);
    let test = Rc::new(Test {
        requests,
        check: setting.check.clone(),
        timeout: Duration::from_secs_f64(plan.timeout_s),
        keys: setting.keys.clone(),
        recorder: RefCell::new(recorder),
    });

    let cpu = CpuTime::now();
    let mut tasks = JoinSet::new();
    let watches = watch_servers(setting, &mut tasks)?;
    spawn_load(setting, planned, &test, start, deadline, &mut tasks);

    let name = format!("{} ({})", planned.scenario, plan.load);
    let live = Live::start(name, duration);
    let mut interrupted = *stop.borrow();
    let mut next = start;
    while !interrupted && next < deadline {
        next = (next + Duration::from_secs(1)).min(deadline);
        tokio::select! {
            () = sleep_until(next.into()) => {}
            _ = stop.changed() => interrupted = true,
            error = hopeless(setting, planned, refused, &live) => return Err(error),
        }
        let mut recorder = test.recorder.borrow_mut();
        recorder.close_second(Instant::now());
        if let Some(second) = recorder.seconds.last() {
            live.update(start.elapsed(), second, recorder.so_far());
        }
    }
    let end = Instant::now();
    let cpu_seconds = CpuTime::now().process - cpu.process;
    let unfinished = {
        let recorder = test.recorder.borrow();
        (recorder.in_flight(), recorder.oldest(end))
    };
    stop_all(tasks).await;
    for watch in &watches {
        watch.finish().await;
    }
    drop(live);

    // An open loop's requests are tasks of its own, which end a little after it.
    while Rc::strong_count(&test) > 1 {
        tokio::task::yield_now().await;
    }
    let test = Rc::into_inner(test).expect("the users are gone");
    let samples = watches.into_iter().map(|watch| watch.samples.take()).collect();
    let end = End { started_at, at: end, interrupted, cpu_seconds, unfinished, samples };
    Ok(summary(setting, planned, test.recorder.into_inner(), end))
}

/// How long it takes to start all users.
fn ramp_up(load: &Load) -> Duration {
    match load {
        Load::Closed { users, spawn_rate, .. } => Duration::from_secs_f64((users - 1) as f64 / spawn_rate),
        Load::Open { .. } => Duration::ZERO,
    }
}

/// Says what servers refuse for want of a key; ready only when one of them refuses every prediction.
async fn hopeless(
    setting: &Setting,
    planned: &Planned,
    refused: &mut UnboundedReceiver<Refusal>,
    live: &Live,
) -> anyhow::Error {
    while let Some(refusal) = refused.recv().await {
        let url = &setting.servers[refusal.server].target.url;
        let endpoint = &planned.plan.mix[refusal.endpoint].endpoint;
        let text = refusal.text(url, endpoint, setting.api_key.is_some());
        if refusal.is_hopeless {
            return anyhow!(text);
        }
        live.say(&format!("warning: {text}"));
    }
    std::future::pending().await
}

/// Begins to look at each server's `/metrics`.
fn watch_servers(setting: &Setting, tasks: &mut JoinSet<()>) -> anyhow::Result<Vec<Watch>> {
    let watch = |server: &Server| {
        let request = requests::get(&server.target, "/metrics", setting.api_key.as_deref())?;
        let watch = Watch::new(server.addresses[0], request);
        tasks.spawn_local(watch.clone().run());
        Ok(watch)
    };
    setting.servers.iter().map(watch).collect()
}

/// Starts the users, or the clock, and spreads what they ask over the servers, round robin.
fn spawn_load(
    setting: &Setting,
    planned: &Planned,
    test: &Rc<Test>,
    start: Instant,
    deadline: Instant,
    tasks: &mut JoinSet<()>,
) {
    let mut random = fastrand::Rng::with_seed(planned.plan.seed);
    let servers = setting.servers.len();
    let addresses: Vec<_> = setting.servers.iter().map(|s| s.addresses.clone()).collect();
    let route = move |n: usize| {
        let (server, nth) = (n % servers, n / servers);
        Route { server, address: addresses[server][nth % addresses[server].len()] }
    };
    match planned.plan.load {
        Load::Closed { users, spawn_rate, think_s } => {
            for n in 0..users {
                let begin = start + Duration::from_secs_f64(n as f64 / spawn_rate);
                tasks.spawn_local(closed::user(
                    test.clone(),
                    User::new(route(n), n),
                    begin,
                    think_s,
                    random.fork(),
                ));
            }
        }
        Load::Open { rate, arrival, connections } => {
            let clock = open::clock(start, deadline, rate, arrival, random.fork());
            tasks.spawn_local(open::run(test.clone(), clock, connections, route, random.fork()));
        }
    }
}

/// Cuts off whatever is going on.
async fn stop_all(mut tasks: JoinSet<()>) {
    tasks.abort_all();
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
