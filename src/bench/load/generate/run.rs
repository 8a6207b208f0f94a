//! One run: users or a clock, and a report of progress once a second. Read [`run`] first.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::anyhow;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::api_key::{ApiKeys, Unauthorized};
use super::check::Check;
use super::loops::{Route, Shared, User, clock, closed, open, propagate_panic};
use super::requests::{Requests, Upload};
use crate::bench::load::plan::Planned;
use crate::bench::load::record::{Ending, Observers, Recorder, Tested, Times, summary};
use crate::bench::load::result::{Load, Measured, Plan, Second};
use crate::procfs::CpuTime;

pub(crate) struct Setting {
    pub(crate) tested: Tested,
    pub(crate) uploads: Vec<Upload>,
    pub(crate) check: Option<Rc<Check>>,
    pub(crate) api_key: Option<String>,
    pub(crate) api_keys: Rc<ApiKeys>,
}

/// What there is to show while a run goes on.
pub(crate) enum Progress<'a> {
    Second(&'a Second),
    Warning(&'a str),
}

/// Puts the planned load on the servers. It ends at its time, whatever the servers do: what is in
/// flight then is cut off and counted apart.
///
/// # Errors
/// When a server refuses every prediction for want of a key.
pub(crate) async fn run(
    setting: &Setting,
    planned: &Planned,
    stop: watch::Receiver<bool>,
    show: &dyn Fn(Progress<'_>),
) -> anyhow::Result<Measured> {
    let Planned { scenario, plan } = planned;
    let (unauthorized, refused) = unbounded_channel();
    let targets: Vec<_> = setting.tested.servers.iter().map(|s| &s.target).collect();
    let requests = Requests::prepare(&plan.mix, &targets, &setting.uploads, setting.api_key.as_deref())?;
    let started_at = SystemTime::now();
    let times = times(plan);
    let shared = Rc::new(Shared {
        requests,
        check: setting.check.clone(),
        timeout: Duration::from_secs_f64(plan.timeout_s),
        api_keys: setting.api_keys.clone(),
        unauthorized,
        recorder: RefCell::new(Recorder::new(plan.mix.len(), setting.tested.servers.len(), times, plan.seed)),
    });

    let cpu = CpuTime::now();
    let mut tasks = JoinSet::new();
    let asking = Rc::default();
    let observers = Observers::start(&setting.tested, setting.api_key.as_deref(), &mut tasks)?;
    spawn_load(setting, plan, &shared, times, &mut tasks, &asking);
    let interrupted = tokio::select! {
        interrupted = every_second(&shared, times, stop, show) => interrupted,
        error = hopeless(setting, plan, refused, show) => return Err(error),
    };
    let at = Instant::now();
    let cpu_seconds = CpuTime::now().process - cpu.process;
    let unfinished = shared.recorder.borrow().in_flight();
    let mut asking = asking.take();
    asking.abort_all();
    stop_all(tasks).await;
    stop_all(asking).await;
    let observed = observers.finish().await;

    let recorder = Rc::into_inner(shared).expect("all users have ended").recorder.into_inner();
    let ending = Ending { at, started_at, interrupted, cpu_seconds, unfinished, observed };
    Ok(summary(scenario, plan, &setting.tested, recorder, ending))
}

fn times(plan: &Plan) -> Times {
    let start = Instant::now();
    let ramp_up = match plan.load {
        Load::Closed { users, spawn_rate, .. } => Duration::from_secs_f64((users - 1) as f64 / spawn_rate),
        Load::Open { .. } => Duration::ZERO,
    };
    Times { start, ramp_end: start + ramp_up, end: start + Duration::from_secs_f64(plan.duration_s) }
}

/// Closes and shows each second until the planned end; true if the user stopped the run before it.
async fn every_second(
    shared: &Shared,
    times: Times,
    mut stop: watch::Receiver<bool>,
    show: &dyn Fn(Progress<'_>),
) -> bool {
    let mut interrupted = *stop.borrow();
    let mut next = times.start;
    while !interrupted && next < times.end {
        next = (next + Duration::from_secs(1)).min(times.end);
        tokio::select! {
            () = sleep_until(next.into()) => {}
            _ = stop.changed() => interrupted = true,
        }
        let mut recorder = shared.recorder.borrow_mut();
        recorder.close_second(Instant::now());
        recorder.last_second().into_iter().for_each(|second| show(Progress::Second(second)));
    }
    interrupted
}

/// Shows which servers want a key; ready only when one of them refuses every prediction.
async fn hopeless(
    setting: &Setting,
    plan: &Plan,
    mut refused: UnboundedReceiver<Unauthorized>,
    show: &dyn Fn(Progress<'_>),
) -> anyhow::Error {
    while let Some(unauthorized) = refused.recv().await {
        let url = &setting.tested.servers[unauthorized.server].target.url;
        let endpoint = &plan.mix[unauthorized.endpoint].endpoint;
        let message = unauthorized.message(url, endpoint, setting.api_key.is_some());
        if unauthorized.is_hopeless {
            return anyhow!(message);
        }
        show(Progress::Warning(&message));
    }
    std::future::pending().await
}

/// Starts the users, or the clock, whose requests become tasks of `asking`, and spreads the requests over the servers,
/// round robin.
fn spawn_load(
    setting: &Setting,
    plan: &Plan,
    shared: &Rc<Shared>,
    times: Times,
    tasks: &mut JoinSet<()>,
    asking: &Rc<RefCell<JoinSet<()>>>,
) {
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let servers = setting.tested.servers.len();
    let addresses: Vec<_> = setting.tested.servers.iter().map(|s| s.addresses.clone()).collect();
    let route = move |n: usize| {
        let (server, nth) = (n % servers, n / servers);
        Route { server, address: addresses[server][nth % addresses[server].len()] }
    };
    match plan.load {
        Load::Closed { users, spawn_rate, think_s } => {
            for n in 0..users {
                let begin = times.start + Duration::from_secs_f64(n as f64 / spawn_rate);
                let user = User::new(route(n), n);
                tasks.spawn_local(closed(shared.clone(), user, begin, think_s, random.fork()));
            }
        }
        Load::Open { rate, arrival, connections } => {
            let clock = clock(times.start, times.end, rate, arrival, random.fork());
            tasks.spawn_local(open(shared.clone(), clock, connections, route, random.fork(), asking.clone()));
        }
    }
}

async fn stop_all(mut tasks: JoinSet<()>) {
    tasks.abort_all();
    while let Some(ended) = tasks.join_next().await {
        propagate_panic(ended);
    }
}
