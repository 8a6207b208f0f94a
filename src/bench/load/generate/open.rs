//! The open loop: a clock starts requests, whether or not earlier ones were answered.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

use super::test::{Route, Test, User};
use crate::bench::load::result::Arrival;

/// Makes the starts that a clock asks for, until dropped; the n-th goes where `route` says. At most
/// `connections` requests are in flight; a start beyond that is dropped and counted.
pub(crate) async fn run(
    test: Rc<Test>,
    mut clock: UnboundedReceiver<Instant>,
    connections: usize,
    route: impl Fn(usize) -> Route,
    mut random: fastrand::Rng,
) {
    let idle: Rc<RefCell<BTreeMap<Route, Vec<User>>>> = Rc::default();
    let mut opened = 0;
    let mut asking = JoinSet::new();
    let mut next = 0;
    while let Some(intended) = clock.recv().await {
        let route = route(next);
        next += 1;
        while asking.try_join_next().is_some() {}
        if asking.len() == connections {
            test.recorder.borrow_mut().starts.dropped += 1;
            continue;
        }
        let free = idle.borrow_mut().get_mut(&route).and_then(Vec::pop);
        let mut user = free.unwrap_or_else(|| {
            opened += 1;
            User::new(route, opened - 1)
        });
        let endpoint = test.requests.draw(&mut random);
        let (test, idle) = (test.clone(), idle.clone());
        test.recorder.borrow_mut().users = opened;
        asking.spawn_local(async move {
            test.recorder.borrow_mut().started(intended, Instant::now());
            // Its failure is noted; the next start is the clock's business.
            let _ = test.ask(&mut user, endpoint, intended).await;
            idle.borrow_mut().entry(route).or_default().push(user);
        });
    }
}

/// Sends each intended start when its time has come. A thread of its own, because the event loop's
/// timers are as coarse as a millisecond, which the latencies would have to bear.
pub(crate) fn clock(
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
