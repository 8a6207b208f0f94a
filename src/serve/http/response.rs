//! Answers of this server's own, and the headers that it adds to those of the workers.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use crate::serve::error::ApiError;
use crate::serve::message::ApiResponse;

pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

pub(super) fn of_error(error: ApiError) -> Response<Bytes> {
    let ApiResponse { status, content_type, headers, body } = error.into();
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in headers {
        let value = HeaderValue::try_from(value).expect("values of ours are plain ASCII");
        response.headers_mut().insert(HeaderName::try_from(name).expect("a name of ours"), value);
    }
    response
}

/// Puts the wait for a worker before the stages that the worker measured.
pub(super) fn add_queue_time(headers: &mut HeaderMap, waited: Duration) {
    let mut timing = format!("queue;dur={:.3}", waited.as_secs_f64() * 1e3);
    if let Some(stages) = headers.get(SERVER_TIMING).and_then(|v| v.to_str().ok()) {
        let _ = write!(timing, ", {stages}"); // into a String: cannot fail
    }
    headers.insert(SERVER_TIMING, HeaderValue::from_str(&timing).expect("plain ASCII"));
}

pub(super) fn preflight() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

pub(super) fn allow_origin(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    let allowed = "Authorization, Content-Type, Traceparent, Tracestate, X-API-Key, X-Request-Id";
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    let exposed = "Retry-After, Server-Timing, X-Request-Id";
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
}
