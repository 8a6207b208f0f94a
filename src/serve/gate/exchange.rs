//! One request: held to the policy, received whole, passed to a worker, answered.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};
use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connections::State;
use super::{Gate, SMALL_UPLOAD};
use crate::serve::access_log::Entry;
use crate::serve::api::{self, RETRY_AFTER};
use crate::serve::refusal::Refusal;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Longest wait for a worker. A full queue of ordinary images takes a fraction of it.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest silence within a body. A client that announces a chunk of any size and goes quiet is
/// not waited for until the deadline of the whole body.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// A target beyond this is nothing of ours.
const MAX_TARGET: usize = 1024;

type Answer = Response<Bytes>;

impl Gate {
    /// The answer to a request: the function to read first.
    pub(super) async fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
        state: &Rc<State>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let started = Instant::now();
        let _busy = state.busy();
        let _in_flight = Counted::new(&self.metrics.in_flight);
        let id = request_id(request.headers());
        let method = request.method().clone();
        let route = api::route_label(request.uri().path());
        let length = request.body().size_hint().upper().unwrap_or_default();

        let mut answer = match self.serve(request).await {
            Ok(answer) => answer,
            Err(refusal) => self.refusal(&refusal),
        };
        let headers = answer.headers_mut();
        headers.insert(REQUEST_ID, id.clone());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(origin) = &self.policy.cors_origin {
            allow_origin(headers, origin);
        }
        if *self.draining.borrow() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self.account(&answer, &id, &method, route, length, started.elapsed());
        Ok(answer.map(Full::new))
    }

    async fn serve(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
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
            return self.predict(request).await;
        }
        // Nothing else takes a body; hyper closes the connection if there is one.
        let lease = self.quick.lease().await;
        lease.exchange(hand_over(&request, Bytes::new())).await.ok_or_else(no_worker)
    }

    async fn predict(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        if self.places.available_permits() == 0 {
            return Err(self.shed("the queue is full"));
        }
        let announced = request.body().size_hint().exact();
        if announced.is_none_or(|n| n == 0) && !sends_body(request.headers()) {
            return Err(Refusal::new(411, "length_required", "send Content-Length, or a chunked body"));
        }
        let (head, body) = request.into_parts();
        let upload = tokio::time::timeout(self.policy.body_timeout, self.receive(body, announced)).await;
        let (body, _budget) = upload.map_err(|_| {
            Refusal::new(408, "request_timeout", "the request's body did not arrive in time")
        })??;

        let _place = self.places.try_acquire().map_err(|_| self.shed("the queue is full"))?;
        let queued = Instant::now();
        let lease = {
            let _waiting = Counted::new(&self.metrics.queue_depth);
            tokio::time::timeout(QUEUE_TIMEOUT, self.work.lease()).await
        };
        let lease = lease.map_err(|_| Refusal::new(504, "timeout", "no worker was free in time"))?;
        let waited = queued.elapsed();
        self.metrics.observe_stage("queue", waited);
        let request = hand_over(&Request::from_parts(head, ()), body);
        let mut answer = lease.exchange(request).await.ok_or_else(no_worker)?;
        prepend_queue(answer.headers_mut(), waited);
        Ok(answer)
    }

    /// The whole body, and the share of the budget that it takes up.
    async fn receive(
        &self,
        mut body: Incoming,
        announced: Option<u64>,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refusal> {
        let budget = match announced {
            Some(n) if n <= SMALL_UPLOAD => &self.small_uploads,
            _ => &self.large_uploads,
        };
        let mut held: Option<OwnedSemaphorePermit> = None;
        let mut whole = BytesMut::new();
        let broke_off = |why: &dyn std::fmt::Display| {
            Refusal::new(400, "bad_request", format!("the body broke off: {why}"))
        };
        loop {
            let next = tokio::time::timeout(STALL_TIMEOUT, body.frame()).await;
            let Some(frame) = next.map_err(|_| broke_off(&"nothing arrived for some seconds"))? else {
                break;
            };
            let frame = frame.map_err(|e| broke_off(&e))?;
            let Ok(data) = frame.into_data() else {
                continue; // trailers
            };
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
        received: u64,
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
            received_bytes: received as usize,
            sent_bytes: answer.body().len(),
            server_timing: &timing,
            ..Entry::new(&id, method, route, status, took)
        });
    }
}

/// What hyper lets through and a canonical request does not have.
fn check_head<B>(request: &Request<B>) -> Result<(), Refusal> {
    let bad = |detail: &str| Err(Refusal::new(400, "bad_request", detail));
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host_count = (hosts.next().is_some() as u8) + (hosts.next().is_some() as u8);
    if host_count > 1 || host_count == 0 && request.version() == Version::HTTP_11 {
        return bad("a request has exactly one Host");
    }
    let target = request.uri().path_and_query().map_or("/", |t| t.as_str());
    if target.len() > MAX_TARGET {
        return Err(Refusal::new(414, "target_too_long", "the request's target is too long"));
    }
    if !target.bytes().all(|b| b.is_ascii_graphic()) {
        return bad("the request's target has characters that must be percent-encoded");
    }
    let encodings = request.headers().get_all(header::TRANSFER_ENCODING);
    if encodings.iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return bad("of transfer encodings only chunked is understood");
    }
    let content_types = request.headers().get_all(header::CONTENT_TYPE);
    if content_types.iter().any(|value| value.to_str().is_err()) {
        return bad("the Content-Type is not ASCII");
    }
    Ok(())
}

fn sends_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING) || headers.contains_key(header::CONTENT_LENGTH)
}

/// The canonical request for a worker: what the API looks at, and nothing else of the client's.
fn hand_over<B>(request: &Request<B>, body: Bytes) -> Request<Full<Bytes>> {
    // A worker answers HEAD as GET, so that the answer's length is right; hyper drops the body.
    let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let target = request.uri().path_and_query().map_or("/", |t| t.as_str());
    let mut handed = Request::new(Full::new(body));
    *handed.uri_mut() = target.parse().expect("it was parsed before");
    *handed.method_mut() = method;
    handed.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
    if let Some(content_type) = request.headers().get(header::CONTENT_TYPE) {
        handed.headers_mut().insert(header::CONTENT_TYPE, content_type.clone());
    }
    handed
}

fn no_worker() -> Refusal {
    Refusal::new(500, "internal", "no worker answered; it is in the log")
}

fn reserve(budget: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    budget.clone().try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
}

fn key(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| {
        let (scheme, key) = v.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key)
    });
    bearer.or_else(|| headers.get("x-api-key").map(HeaderValue::as_bytes))
}

/// The client's request id if it is sane, otherwise one of our own.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=64).contains(&bytes.len())
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
    };
    let own = || HeaderValue::from_str(&fresh_request_id()).expect("hexadecimal");
    headers.get(REQUEST_ID).filter(sane).cloned().unwrap_or_else(own)
}

/// Unlikely to repeat, in this process or another.
pub(super) fn fresh_request_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static SEED: LazyLock<std::hash::RandomState> = LazyLock::new(std::hash::RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{:016x}", SEED.hash_one(COUNT.fetch_add(1, Ordering::Relaxed)))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        /// Whatever hyper's own parser might let through.
        fn head()(
            target in prop_oneof![
                prop::collection::vec(any::<u8>(), 1..60).prop_map(|bytes| [b"/".to_vec(), bytes].concat()),
                "/[ -~]{0,40}(\\?[ -~]{0,40})?".prop_map(String::into_bytes),
                prop::collection::vec(Just(b'a'), 1000..1100).prop_map(|bytes| [b"/".to_vec(), bytes].concat()),
            ],
            method in prop::sample::select(vec!["GET", "HEAD", "POST", "OPTIONS", "BREW"]),
            old in any::<bool>(),
            headers in prop::collection::vec((
                prop::sample::select(vec!["host", "content-type", "transfer-encoding", "x-request-id", "authorization", "x-api-key"]),
                prop_oneof![
                    prop::sample::select(vec!["chunked", "identity", "localhost", "Bearer ", "image/jpeg"])
                        .prop_map(|s| s.as_bytes().to_vec()),
                    prop::collection::vec(any::<u8>(), 0..90),
                ],
            ), 0..6),
        ) -> Option<Request<()>> {
            let mut request = Request::builder().method(method).uri(target.as_slice());
            request = request.version(if old { Version::HTTP_10 } else { Version::HTTP_11 });
            for (name, value) in headers {
                request = request.header(name, HeaderValue::from_bytes(&value).ok()?);
            }
            request.body(()).ok()
        }
    }

    proptest! {
        #[test]
        fn what_is_handed_over_is_canonical(request in head().prop_filter_map("not a request", |r| r)) {
            let id = request_id(request.headers());
            prop_assert!(id.len() <= 64 && id.to_str().is_ok());
            let _ = key(request.headers());
            if check_head(&request).is_err() {
                return Ok(());
            }
            let handed = hand_over(&request, Bytes::new());
            prop_assert!(handed.uri().to_string().bytes().all(|b| b.is_ascii_graphic()));
            prop_assert!(handed.headers().values().all(|value| value.to_str().is_ok()));
            let names: Vec<_> = handed.headers().keys().map(HeaderName::as_str).collect();
            prop_assert!(names.iter().all(|name| ["host", "content-type"].contains(name)), "{names:?}");
        }
    }
}
