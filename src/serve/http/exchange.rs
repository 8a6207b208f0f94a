//! One request: checked, received whole, sent to a worker, answered.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response};
use prometheus::IntGauge;

use super::Server;
use super::connections::ConnectionState;
use super::head::{REQUEST_ID, api_key, canonical, check_head, request_id, sends_body};
use super::response::{SERVER_TIMING, add_queue_time, allow_origin, of_error, preflight};
use super::upload::Upload;
use crate::process::interrupt;
use crate::serve::api;
use crate::serve::error::{ApiError, ErrorCode};
use crate::serve::log::Entry;
use crate::serve::message::{MEMORY, NEEDS_MEMORY};
use crate::serve::trace::TraceContext;
use crate::serve::worker_pool::ConnectionPermit;

impl Server {
    /// The answer to a request: the function to read first.
    pub(super) async fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
        state: &Rc<ConnectionState>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let started = Instant::now();
        let _busy = state.busy(!request.body().is_end_stream());
        let _in_flight = Counted::new(&self.metrics.in_flight);
        let id = request_id(request.headers());
        let trace = TraceContext::of(request.headers());
        let method = request.method().clone();
        let route = api::route_label(request.uri().path());

        let mut response = self.route(request, state).await.unwrap_or_else(|error| {
            if error.code == ErrorCode::QueueFull {
                self.metrics.shed.inc();
            }
            of_error(error)
        });
        let headers = response.headers_mut();
        headers.remove(header::SERVER); // tiny_http's name, of no use to a client
        headers.insert(REQUEST_ID, id.clone());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(origin) = &self.config.cors_origin {
            allow_origin(headers, origin);
        }
        // hyper closes a connection whose request body was not read, but does not announce it. And a client that
        // keeps its connection would meet the end of it here, while a new one can go to another server.
        if state.awaits_body() || interrupt::requested() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let (status, took) = (response.status(), started.elapsed());
        self.metrics.requests.with_label_values(&[route, status.as_str()]).inc();
        self.metrics.duration.with_label_values(&[route]).observe(took.as_secs_f64());
        self.log.write(&Entry {
            request_id: text(response.headers().get(REQUEST_ID)),
            method: if api::METHODS.contains(&method.as_str()) { method.as_str() } else { "other" },
            route,
            status: status.as_u16(),
            received_bytes: state.received_bytes(),
            sent_bytes: response.body().len(),
            duration: took,
            server_timing: text(response.headers().get(SERVER_TIMING)),
            trace,
        });
        Ok(response.map(Full::new))
    }

    async fn route(
        &self,
        request: Request<Incoming>,
        state: &ConnectionState,
    ) -> Result<Response<Bytes>, ApiError> {
        check_head(&request)?;
        self.uploads.check_length(request.body())?;
        let path = request.uri().path();
        if request.method() == Method::OPTIONS && self.config.cors_origin.is_some() {
            return Ok(preflight());
        }
        if api::is_guarded(path) && !self.config.api_keys.accept(api_key(request.headers())) {
            let detail = "send the API key as Authorization: Bearer KEY or X-API-Key: KEY";
            return Err(ApiError::new(ErrorCode::Unauthorized, detail));
        }
        if request.method() == Method::POST && api::is_prediction(path) {
            return self.predict(request, state).await;
        }
        // Nothing else takes a body.
        let connection = self.quick.acquire().await;
        let answered = connection.send(canonical(&request, Bytes::new()), ()).await;
        answered.map(|(response, _)| response).ok_or_else(ApiError::internal)
    }

    async fn predict(
        &self,
        request: Request<Incoming>,
        state: &ConnectionState,
    ) -> Result<Response<Bytes>, ApiError> {
        self.queue.ensure_room()?;
        if request.body().size_hint().exact().is_none_or(|n| n == 0) && !sends_body(request.headers()) {
            let detail = "the request has no body; send it with Content-Length or Transfer-Encoding: chunked";
            return Err(ApiError::new(ErrorCode::LengthRequired, detail));
        }
        let (head, body) = request.into_parts();
        let upload = self.uploads.receive(body, self.config.body_timeout, state).await?;
        state.received_all();

        let _permit = self.queue.enter()?;
        let queued = Instant::now();
        let (mut response, worked) = self.work_on(Request::from_parts(head, ()), upload).await?;
        let waited = queued.elapsed().saturating_sub(worked);
        self.metrics.observe_stage("queue", waited);
        add_queue_time(response.headers_mut(), waited);
        Ok(response)
    }

    /// A worker's answer, and how long it worked on it. The first worker returns a request with a large image, which
    /// then waits here for memory, where it delays other large ones only.
    async fn work_on(
        &self,
        head: Request<()>,
        Upload { bytes: body, share }: Upload,
    ) -> Result<(Response<Bytes>, Duration), ApiError> {
        let share = Rc::new(share);
        let request = canonical(&head, body.clone());
        let first = self.worker().await?.send(request, share.clone()).await;
        let (response, worked) = first.ok_or_else(ApiError::internal)?;
        let Some(bytes) = needed_memory(response.headers()) else {
            return Ok((response, worked));
        };
        let memory = tokio::time::timeout(self.config.queue_timeout, self.memory.reserve(bytes)).await;
        let memory =
            memory.map_err(|_| self.waited_too_long("not enough memory was free for an image this large"))?;
        let mut request = canonical(&head, body);
        request.headers_mut().insert(MEMORY, HeaderValue::from(bytes));
        self.worker().await?.send(request, (share, memory)).await.ok_or_else(ApiError::internal)
    }

    async fn worker(&self) -> Result<ConnectionPermit<'_>, ApiError> {
        let connection = tokio::time::timeout(self.config.queue_timeout, self.predicting.acquire()).await;
        connection.map_err(|_| self.waited_too_long("no worker was free"))
    }

    fn waited_too_long(&self, problem: &str) -> ApiError {
        let seconds = self.config.queue_timeout.as_secs();
        ApiError::new(ErrorCode::Timeout, format!("{problem} within {seconds} s; try again later"))
    }

    /// Counts and logs bytes that were no request.
    pub(super) fn account_unread(&self, error: &ApiError, id: &str) {
        let route = api::route_label("");
        self.metrics.requests.with_label_values(&[route, error.status().as_str()]).inc();
        self.log.write(&Entry {
            request_id: id,
            method: "other",
            route,
            status: error.status().as_u16(),
            received_bytes: 0,
            sent_bytes: error.body().len(),
            duration: Duration::ZERO,
            server_timing: "",
            trace: None,
        });
    }
}

fn needed_memory(headers: &HeaderMap) -> Option<u64> {
    headers.get(NEEDS_MEMORY)?.to_str().ok()?.parse().ok()
}

fn text(value: Option<&HeaderValue>) -> &str {
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
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
