//! The head of a request (request line and headers): what is accepted, read, and sent on to a worker.

use std::hash::BuildHasher as _;
use std::sync::LazyLock;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri, Version};

use crate::serve::error::{ApiError, ErrorCode};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bytes of path and query; the routes need far fewer.
const MAX_TARGET: usize = 1024;

/// Refuses what hyper accepts and a canonical request does not have.
pub(super) fn check_head<B>(request: &Request<B>) -> Result<(), ApiError> {
    let bad = |detail: &str| Err(ApiError::new(ErrorCode::BadRequest, detail));
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if hosts > 1 || hosts == 0 && request.version() == Version::HTTP_11 {
        return bad("a request must have exactly one Host header");
    }
    let target = target(request.uri());
    if target.len() > MAX_TARGET {
        return Err(target_too_long());
    }
    if !target.bytes().all(|b| b.is_ascii_graphic()) {
        return bad("the request target (path and query) has characters that must be percent-encoded");
    }
    let encodings = request.headers().get_all(header::TRANSFER_ENCODING);
    if encodings.iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return bad("the only supported Transfer-Encoding is chunked");
    }
    let content_types = request.headers().get_all(header::CONTENT_TYPE);
    if content_types.iter().any(|value| value.to_str().is_err()) {
        return bad("the Content-Type header must be ASCII");
    }
    Ok(())
}

pub(super) fn target_too_long() -> ApiError {
    let detail = format!("the request target (path and query) may have at most {MAX_TARGET} bytes");
    ApiError::new(ErrorCode::TargetTooLong, detail)
}

/// Path and query. `http://host?query` has no path, and CONNECT's `host:port` has neither.
fn target(uri: &Uri) -> String {
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    uri.query().map_or(path.to_owned(), |query| format!("{path}?{query}"))
}

pub(super) fn sends_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING) || headers.contains_key(header::CONTENT_LENGTH)
}

/// The canonical request for a worker: what the API looks at, and nothing else of the client's.
pub(super) fn canonical<B>(request: &Request<B>, body: Bytes) -> Request<Full<Bytes>> {
    // A worker answers HEAD as GET, so that the answer's length is right; hyper drops the body.
    let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let mut sent = Request::new(Full::new(body));
    *sent.uri_mut() = target(request.uri()).parse().expect("it was parsed before");
    *sent.method_mut() = method;
    sent.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
    if let Some(content_type) = request.headers().get(header::CONTENT_TYPE) {
        sent.headers_mut().insert(header::CONTENT_TYPE, content_type.clone());
    }
    sent
}

pub(super) fn api_key(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| {
        let (scheme, key) = v.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key)
    });
    bearer.or_else(|| headers.get("x-api-key").map(HeaderValue::as_bytes))
}

/// The client's request id if it is sane, otherwise one of our own.
pub(super) fn request_id(headers: &HeaderMap) -> HeaderValue {
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
                "http://h(:1)?(/[!-~]{0,9})?([?][!-~]{0,9})?|h:1|[*]".prop_map(String::into_bytes),
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
        fn what_is_sent_to_a_worker_is_canonical(request in head().prop_filter_map("not a request", |r| r)) {
            let id = request_id(request.headers());
            prop_assert!(id.len() <= 64 && id.to_str().is_ok());
            let _ = api_key(request.headers());
            if check_head(&request).is_err() {
                return Ok(());
            }
            let sent = canonical(&request, Bytes::new());
            prop_assert!(sent.uri().to_string().bytes().all(|b| b.is_ascii_graphic()));
            prop_assert!(sent.headers().values().all(|value| value.to_str().is_ok()));
            let names: Vec<_> = sent.headers().keys().map(HeaderName::as_str).collect();
            prop_assert!(names.iter().all(|name| ["host", "content-type"].contains(name)), "{names:?}");
        }
    }
}
