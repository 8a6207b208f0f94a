//! A request and its answer between the public server and a worker, and the headers that only they exchange.

use bytes::Bytes;
use hyper::StatusCode;
use serde::Serialize;

use super::error::{ApiError, RETRY_AFTER};

/// Header of each answer from a worker: microseconds that it spent on it.
pub(super) const WORKED: &str = "x-worked-us";

/// Header of a worker's answer in place of a result: bytes that the request's images need.
pub(super) const NEEDS_MEMORY: &str = "x-needs-memory";

/// Header of a request to a worker: bytes that its images may take up.
pub(super) const MEMORY: &str = "x-memory";

pub(super) struct ApiRequest {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    pub(super) content_type: String,
    pub(super) body: Bytes,
    /// Bytes that its images may take up, beyond what every worker has at hand.
    pub(super) memory: u64,
}

pub(super) struct ApiResponse {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl ApiRequest {
    pub(super) fn path(&self) -> &str {
        self.target.split_once('?').map_or(&*self.target, |(path, _)| path)
    }

    pub(super) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

impl ApiResponse {
    pub(super) fn ok(content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, content_type, headers: Vec::new(), body }
    }

    pub(super) fn json(value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("maps with string keys and finite numbers are JSON");
        Self::ok("application/json", body)
    }

    /// Asks the public server to send the request again once so many bytes are reserved for it.
    pub(super) fn needs_memory(bytes: u64) -> Self {
        Self::from(ApiError::internal()).with_header(NEEDS_MEMORY, bytes.to_string())
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<ApiError> for ApiResponse {
    fn from(error: ApiError) -> Self {
        let response = Self::json(&error).with_status(error.status());
        match error.status() {
            StatusCode::SERVICE_UNAVAILABLE => response.with_header("Retry-After", RETRY_AFTER),
            StatusCode::UNAUTHORIZED => response.with_header("WWW-Authenticate", "Bearer"),
            _ => response,
        }
    }
}
