//! What all users of a run share. Read [`Test::ask`] first: it is where time is taken.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::Request;
use hyper::body::Body as _;

use super::check::Check;
use super::keys::Keys;
use super::requests::Requests;
use crate::bench::load::client::{Client, Reply};
use crate::bench::load::record::Ended;
use crate::bench::load::record::Recorder;
use crate::bench::load::result::FailureKind;

/// What all users of a run share.
pub(crate) struct Test {
    pub(crate) requests: Requests,
    pub(crate) check: Option<Rc<Check>>,
    pub(crate) timeout: Duration,
    pub(crate) keys: Rc<Keys>,
    pub(crate) recorder: RefCell<Recorder>,
}

/// Where a connection leads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) server: usize,
    pub(crate) address: SocketAddr,
}

/// One user's connection, and where it leads.
pub(crate) struct User {
    client: Client,
    server: usize,
    /// Requests so far, from a number of its own: users begin with different images.
    nth: usize,
}

impl User {
    pub(crate) fn new(route: Route, nth: usize) -> Self {
        Self { client: Client::new(route.address), server: route.server, nth }
    }
}

impl Test {
    /// One request, from its head to the last byte of its answer, checked and noted. The latency
    /// counts from `since`, and so includes opening a connection where there is none.
    pub(crate) async fn ask(
        &self,
        user: &mut User,
        endpoint: usize,
        since: Instant,
    ) -> Result<(), FailureKind> {
        let request = self.requests.nth(user.server, endpoint, user.nth);
        let bytes_sent = request.body().size_hint().lower();
        let ticket = self.recorder.borrow_mut().begin(since, Instant::now());
        let outcome = self.within_timeout(user, request).await;
        let now = Instant::now();

        let (failure, reply) = match outcome {
            Ok(reply) => (self.judge(endpoint, user.nth, &reply).err(), Some(reply)),
            Err(kind) => (Some(kind), None),
        };
        user.nth = user.nth.wrapping_add(1);
        let ended = Ended {
            latency: now.saturating_duration_since(since),
            failure,
            bytes_sent,
            bytes_received: reply.as_ref().map_or(0, |r| r.bytes),
        };
        let is_prediction = self.requests.is_prediction(endpoint);
        self.keys.hear(user.server, endpoint, is_prediction, failure);
        let explained = failure.is_none() && is_prediction;
        let timing = reply.as_ref().filter(|_| explained).and_then(|r| r.headers.get("server-timing"));
        let timing = timing.and_then(|value| value.to_str().ok());
        self.recorder.borrow_mut().end(ticket, endpoint, user.server, now, &ended, timing);
        failure.map_or(Ok(()), Err)
    }

    async fn within_timeout(
        &self,
        user: &mut User,
        request: Request<Full<bytes::Bytes>>,
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
