//! Users who ask, in a closed or an open loop. Read [`Shared::ask`] first: it takes the time of a request.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Body as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, sleep_until};

use super::api_key::{ApiKeys, Unauthorized};
use super::check::Check;
use super::requests::Requests;
use crate::bench::load::client::{Client, Reply};
use crate::bench::load::record::{Ended, Recorder};
use crate::bench::load::result::{Arrival, FailureKind};

pub(super) struct Shared {
    pub(super) requests: Requests,
    pub(super) check: Option<Rc<Check>>,
    pub(super) timeout: Duration,
    pub(super) api_keys: Rc<ApiKeys>,
    pub(super) unauthorized: UnboundedSender<Unauthorized>,
    pub(super) recorder: RefCell<Recorder>,
}

/// Which server a user asks, and at which of its addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    pub(super) server: usize,
    pub(super) address: SocketAddr,
}

pub(super) struct User {
    client: Client,
    server: usize,
    /// Requests so far, counted from the user's own number: users begin with different images.
    nth: usize,
}

impl User {
    pub(super) fn new(route: Route, nth: usize) -> Self {
        Self { client: Client::new(route.address), server: route.server, nth }
    }
}

impl Shared {
    /// One request, from its head to the last byte of its answer, checked and noted. The latency
    /// counts from `since`, and so includes opening a connection where there is none.
    async fn ask(&self, user: &mut User, endpoint: usize, since: Instant) -> Result<(), FailureKind> {
        let request = self.requests.nth(user.server, endpoint, user.nth);
        let bytes_sent = request.body().size_hint().lower();
        let ticket = self.recorder.borrow_mut().begin(endpoint, user.server, since, Instant::now());
        let outcome = self.within_timeout(user, request).await;
        let at = Instant::now();

        let (failure, reply) = match outcome {
            Ok(reply) => (self.judge(endpoint, user.nth, &reply).err(), Some(reply)),
            Err(kind) => (Some(kind), None),
        };
        user.nth = user.nth.wrapping_add(1);
        let is_prediction = self.requests.is_prediction(endpoint);
        if let Some(unauthorized) = self.api_keys.note(user.server, endpoint, is_prediction, failure) {
            // When the run is over, nobody receives it.
            let _ = self.unauthorized.send(unauthorized);
        }
        let has_stages = failure.is_none() && is_prediction;
        let timing = reply.as_ref().filter(|_| has_stages).and_then(|r| r.headers.get("server-timing"));
        let served_by = reply.as_ref().and_then(|r| r.headers.get("x-served-by"));
        let ended = Ended {
            at,
            failure,
            bytes_sent,
            bytes_received: reply.as_ref().map_or(0, |r| r.bytes),
            server_timing: timing.and_then(|value| value.to_str().ok()),
            served_by: served_by.and_then(|value| value.to_str().ok()),
        };
        self.recorder.borrow_mut().end(ticket, &ended);
        failure.map_or(Ok(()), Err)
    }

    async fn within_timeout(
        &self,
        user: &mut User,
        request: Request<Full<Bytes>>,
    ) -> Result<Reply, FailureKind> {
        tokio::time::timeout(self.timeout, user.client.ask(request))
            .await
            .unwrap_or(Err(FailureKind::Timeout))
    }

    fn judge(&self, endpoint: usize, nth: usize, reply: &Reply) -> Result<(), FailureKind> {
        if !(200..300).contains(&reply.status) {
            return Err(FailureKind::Status(reply.status));
        }
        match &self.check {
            Some(check) if self.requests.is_prediction(endpoint) => check.judge(nth, &reply.body),
            _ => Ok(()),
        }
    }
}

/// The least pause after a connection that failed, so that a dead server is not asked in a busy loop.
const BACK_OFF: Duration = Duration::from_millis(200);

/// One user of the closed loop, who waits for an answer, thinks, and asks again, from `begin` on until dropped.
pub(super) async fn closed(
    shared: Rc<Shared>,
    mut user: User,
    begin: Instant,
    think_s: [f64; 2],
    mut random: fastrand::Rng,
) {
    sleep_until(begin.into()).await;
    shared.recorder.borrow_mut().user_started();
    loop {
        let endpoint = shared.requests.draw(&mut random);
        let outcome = shared.ask(&mut user, endpoint, Instant::now()).await;

        let [min, max] = think_s;
        let think = Duration::from_secs_f64(min + (max - min) * random.f64());
        let lost = matches!(outcome, Err(FailureKind::Connect | FailureKind::Reset));
        let pause = if lost { think.max(BACK_OFF) } else { think };
        shared.recorder.borrow_mut().paused(pause);
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
}

/// A panic in a task is a bug, and must not pass for a request that failed.
pub(super) fn propagate_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// The open loop: requests start when the clock sends their time, whether or not earlier ones were answered, until
/// dropped; the n-th goes to the n-th `route`. A start beyond `connections` requests in flight is dropped and counted.
///
/// Requests are tasks of `asking`, which outlives this one.
pub(super) async fn open(
    shared: Rc<Shared>,
    mut clock: UnboundedReceiver<Instant>,
    connections: usize,
    route: impl Fn(usize) -> Route,
    mut random: fastrand::Rng,
    asking: Rc<RefCell<JoinSet<()>>>,
) {
    let idle: Rc<RefCell<BTreeMap<Route, Vec<User>>>> = Rc::default();
    let mut opened = 0;
    let mut next = 0;
    while let Some(intended) = clock.recv().await {
        let route = route(next);
        next += 1;
        let mut asking = asking.borrow_mut();
        while let Some(ended) = asking.try_join_next() {
            propagate_panic(ended);
        }
        if asking.len() == connections {
            shared.recorder.borrow_mut().dropped();
            continue;
        }
        let free = idle.borrow_mut().get_mut(&route).and_then(Vec::pop);
        let mut user = free.unwrap_or_else(|| {
            opened += 1;
            shared.recorder.borrow_mut().user_started();
            User::new(route, opened - 1)
        });
        let endpoint = shared.requests.draw(&mut random);
        let (shared, idle) = (shared.clone(), idle.clone());
        asking.spawn_local(async move {
            shared.recorder.borrow_mut().started(intended, Instant::now());
            // A failure is recorded, and does not keep the next start from its time.
            let _ = shared.ask(&mut user, endpoint, intended).await;
            idle.borrow_mut().entry(route).or_default().push(user);
        });
    }
}

/// Sends each intended start when its time has come. A thread of its own, because the event loop's timers are as coarse
/// as a millisecond, which would be part of the latencies.
pub(super) fn clock(
    start: Instant,
    end: Instant,
    rate: f64,
    arrival: Arrival,
    mut random: fastrand::Rng,
) -> UnboundedReceiver<Instant> {
    let (sender, receiver) = unbounded_channel();
    std::thread::spawn(move || {
        let mut at_s = 0.0;
        for n in 1_u64.. {
            let intended = start + Duration::from_secs_f64(at_s);
            if intended >= end {
                break;
            }
            std::thread::sleep(intended.saturating_duration_since(Instant::now()));
            if sender.send(intended).is_err() {
                break;
            }
            at_s = match arrival {
                Arrival::Constant => n as f64 / rate,
                Arrival::Poisson => at_s - (1.0 - random.f64()).ln() / rate,
            };
        }
    });
    receiver
}
