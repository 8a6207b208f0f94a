//! One request: held to the policy, received whole, passed to a worker, answered.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connections::State;
use super::head::{REQUEST_ID, check_head, hand_over, key, request_id, sends_body};
use super::lane::Lease;
use super::{Gate, SMALL_UPLOAD};
use crate::serve::access_log::Entry;
use crate::serve::api;
use crate::serve::api::RETRY_AFTER;
use crate::serve::backend::{MEMORY, NEEDS_MEMORY};
use crate::serve::refusal::Refusal;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Longest wait for a worker. A full queue of ordinary images takes a fraction of it.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest silence within a body. A client that announces a chunk of any size and goes quiet is
/// not waited for until the deadline of the whole body.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);

type Answer = Response<Bytes>;

impl Gate {
    /// The answer to a request: the function to read first.
    pub(super) async fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
        state: &Rc<State>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let started = Instant::now();
        let _busy = state.busy(!request.body().is_end_stream());
        let _in_flight = Counted::new(&self.metrics.in_flight);
        let id = request_id(request.headers());
        let method = request.method().clone();
        let route = api::route_label(request.uri().path());

        let mut answer = match self.serve(request, state).await {
            Ok(answer) => answer,
            Err(refusal) => self.refusal(&refusal),
        };
        let headers = answer.headers_mut();
        headers.remove(header::SERVER); // tiny_http's name, of no use to a client
        headers.insert(REQUEST_ID, id.clone());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(origin) = &self.policy.cors_origin {
            allow_origin(headers, origin);
        }
        // hyper closes a connection with a body that nobody has read, but does not say so.
        if state.awaits_body() || *self.draining.borrow() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self.account(&answer, &id, &method, route, state.received_bytes(), started.elapsed());
        Ok(answer.map(Full::new))
    }

    async fn serve(&self, request: Request<Incoming>, state: &State) -> Result<Answer, Refusal> {
        check_head(&request)?;
        if request.body().size_hint().lower() > self.policy.max_body {
            return Err(Refusal::body_too_large(self.policy.max_body));
        }
        let path = request.uri().path();
        if request.method() == Method::OPTIONS && self.policy.cors_origin.is_some() {
            return Ok(preflight());
        }
        if api::is_guarded(path) && !self.policy.accepts(key(request.headers())) {
            return Err(Refusal::new(
                401,
                "unauthorized",
                "send the key as Authorization: Bearer KEY or X-API-Key: KEY",
            ));
        }
        if request.method() == Method::POST && api::is_prediction(path) {
            return self.predict(request, state).await;
        }
        // Nothing else takes a body.
        let lease = self.quick.lease().await;
        let (answer, _) =
            lease.exchange(hand_over(&request, Bytes::new()), ()).await.ok_or_else(no_worker)?;
        Ok(answer)
    }

    async fn predict(&self, request: Request<Incoming>, state: &State) -> Result<Answer, Refusal> {
        if self.is_full() {
            return Err(self.shed("the queue is full"));
        }
        let announced = request.body().size_hint().exact();
        if announced.is_none_or(|n| n == 0) && !sends_body(request.headers()) {
            return Err(Refusal::new(411, "length_required", "send Content-Length, or a chunked body"));
        }
        let (head, body) = request.into_parts();
        let upload = self.receive(body, announced, state);
        let upload = tokio::time::timeout(self.policy.body_timeout, upload).await;
        let (body, budget) = upload.map_err(|_| too_slow("did not arrive in time"))??;
        state.received_all();

        if self.is_full() {
            return Err(self.shed("the queue is full"));
        }
        let _place = Place::new(self);
        let queued = Instant::now();
        let (mut answer, worked) = self.work_on(Request::from_parts(head, ()), body, budget).await?;
        let waited = queued.elapsed().saturating_sub(worked);
        self.metrics.observe_stage("queue", waited);
        prepend_queue(answer.headers_mut(), waited);
        Ok(answer)
    }

    /// A worker's answer, and how long it worked on it. A request whose picture is large comes back from a first
    /// worker and waits here for its memory, where it holds up nobody but other large ones.
    async fn work_on(
        &self,
        head: Request<()>,
        body: Bytes,
        held: impl Sized + 'static,
    ) -> Result<(Answer, Duration), Refusal> {
        let held = Rc::new(held);
        let request = hand_over(&head, body.clone());
        let first = self.lease().await?.exchange(request, held.clone()).await;
        let (answer, worked) = first.ok_or_else(no_worker)?;
        let Some(bytes) = needed_memory(answer.headers()) else {
            return Ok((answer, worked));
        };
        let memory = tokio::time::timeout(QUEUE_TIMEOUT, self.memory.take(bytes)).await;
        let memory = memory.map_err(|_| {
            Refusal::new(504, "timeout", "no memory was free in time for an image this large")
        })?;
        let mut request = hand_over(&head, body);
        request.headers_mut().insert(MEMORY, HeaderValue::from(bytes));
        self.lease().await?.exchange(request, (held, memory)).await.ok_or_else(no_worker)
    }

    async fn lease(&self) -> Result<Lease<'_>, Refusal> {
        let lease = tokio::time::timeout(QUEUE_TIMEOUT, self.work.lease()).await;
        lease.map_err(|_| Refusal::new(504, "timeout", "no worker was free in time"))
    }

    /// The whole body, and the share of the budget that it takes up.
    async fn receive(
        &self,
        mut body: Incoming,
        announced: Option<u64>,
        state: &State,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refusal> {
        let budget = match announced {
            Some(n) if n <= SMALL_UPLOAD => &self.small_uploads,
            _ => &self.large_uploads,
        };
        let mut held: Option<OwnedSemaphorePermit> = None;
        let mut whole = BytesMut::new();
        loop {
            let next = tokio::time::timeout(STALL_TIMEOUT, body.frame()).await;
            let Some(frame) = next.map_err(|_| match announced {
                Some(_) => too_slow("stopped arriving"),
                // The size of a chunk may have been wrong as well.
                None => broke_off(&"nothing arrived for some seconds"),
            })?
            else {
                break;
            };
            let frame = frame.map_err(|e| broke_off(&e))?;
            let Ok(data) = frame.into_data() else {
                continue; // trailers
            };
            state.received(data.len());
            if (whole.len() + data.len()) as u64 > self.policy.max_body {
                return Err(Refusal::body_too_large(self.policy.max_body));
            }
            let more = reserve(budget, data.len()).ok_or_else(|| self.shed("too many uploads at once"))?;
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
            whole.extend_from_slice(&data);
        }
        Ok((whole.freeze(), held))
    }

    /// Whether all workers and all places to wait are taken.
    fn is_full(&self) -> bool {
        self.predictions.get() >= self.policy.workers.saturating_add(self.policy.queue)
    }

    fn count_predictions(&self, predictions: usize) {
        self.predictions.set(predictions);
        self.metrics.queue_depth.set(predictions.saturating_sub(self.policy.workers) as i64);
    }

    fn shed(&self, why: &str) -> Refusal {
        self.metrics.shed.inc();
        Refusal::new(503, "queue_full", format!("{why}; try again in {RETRY_AFTER} s"))
    }

    fn refusal(&self, refusal: &Refusal) -> Answer {
        let mut answer = Response::new(refusal.body().into());
        *answer.status_mut() = StatusCode::from_u16(refusal.status).expect("a status of ours");
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if refusal.status == 503 {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        if refusal.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }

    fn account(
        &self,
        answer: &Answer,
        id: &HeaderValue,
        method: &Method,
        route: &str,
        received: usize,
        took: Duration,
    ) {
        let status = answer.status().as_u16();
        self.metrics.requests.with_label_values(&[route, answer.status().as_str()]).inc();
        self.metrics.duration.with_label_values(&[route]).observe(took.as_secs_f64());
        let text =
            |value: Option<&HeaderValue>| value.and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let (id, timing) = (text(Some(id)), text(answer.headers().get(SERVER_TIMING)));
        let method = if api::METHODS.contains(&method.as_str()) { method.as_str() } else { "other" };
        self.log.write(&Entry {
            received_bytes: received,
            sent_bytes: answer.body().len(),
            server_timing: &timing,
            ..Entry::new(&id, method, route, status, took)
        });
    }

    /// As `account`, for bytes that were no request.
    pub(super) fn account_unread(&self, refusal: &Refusal, id: &str) {
        let route = api::route_label("");
        self.metrics.requests.with_label_values(&[route, &refusal.status.to_string()]).inc();
        let entry = Entry::new(id, "other", route, refusal.status, Duration::ZERO);
        self.log.write(&Entry { sent_bytes: refusal.body().len(), ..entry });
    }
}

fn too_slow(what: &str) -> Refusal {
    Refusal::new(408, "request_timeout", format!("the request's body {what}"))
}

fn broke_off(why: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(400, "bad_request", format!("the body broke off: {why}"))
}

fn no_worker() -> Refusal {
    Refusal::new(500, "internal", "no worker answered; it is in the log")
}

fn needed_memory(headers: &HeaderMap) -> Option<u64> {
    headers.get(NEEDS_MEMORY)?.to_str().ok()?.parse().ok()
}

fn reserve(budget: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    budget.clone().try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
}

fn prepend_queue(headers: &mut HeaderMap, waited: Duration) {
    let mut timing = format!("queue;dur={:.3}", waited.as_secs_f64() * 1e3);
    if let Some(stages) = headers.get(SERVER_TIMING).and_then(|v| v.to_str().ok()) {
        let _ = write!(timing, ", {stages}"); // into a String: cannot fail
    }
    headers.insert(SERVER_TIMING, HeaderValue::from_str(&timing).expect("plain ASCII"));
}

fn preflight() -> Answer {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

fn allow_origin(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    let allowed = "Authorization, Content-Type, X-API-Key, X-Request-Id";
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    let exposed = "Retry-After, Server-Timing, X-Request-Id";
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
}

/// One of the predictions that wait or are worked on, until dropped.
struct Place<'g>(&'g Gate);

impl<'g> Place<'g> {
    fn new(gate: &'g Gate) -> Self {
        gate.count_predictions(gate.predictions.get() + 1);
        Self(gate)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.count_predictions(self.0.predictions.get() - 1);
    }
}

/// One more in a gauge, until dropped.
struct Counted(IntGauge);

impl Counted {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
