//! The head of a request: what is let through, what is read from it, and what is handed on.

use std::hash::BuildHasher as _;
use std::sync::LazyLock;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri, Version};

use crate::serve::refusal::Refusal;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A target beyond this is nothing of ours.
const MAX_TARGET: usize = 1024;

/// What hyper lets through and a canonical request does not have.
pub(super) fn check_head<B>(request: &Request<B>) -> Result<(), Refusal> {
    let bad = |detail: &str| Err(Refusal::new(400, "bad_request", detail));
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host_count = (hosts.next().is_some() as u8) + (hosts.next().is_some() as u8);
    if host_count > 1 || host_count == 0 && request.version() == Version::HTTP_11 {
        return bad("a request has exactly one Host");
    }
    let target = target(request.uri());
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

/// Path and query. `http://host?query` has no path, and CONNECT's `host:port` has neither.
fn target(uri: &Uri) -> String {
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    uri.query().map_or(path.to_owned(), |query| format!("{path}?{query}"))
}

pub(super) fn sends_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING) || headers.contains_key(header::CONTENT_LENGTH)
}

/// The canonical request for a worker: what the API looks at, and nothing else of the client's.
pub(super) fn hand_over<B>(request: &Request<B>, body: Bytes) -> Request<Full<Bytes>> {
    // A worker answers HEAD as GET, so that the answer's length is right; hyper drops the body.
    let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let mut handed = Request::new(Full::new(body));
    *handed.uri_mut() = target(request.uri()).parse().expect("it was parsed before");
    *handed.method_mut() = method;
    handed.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
    if let Some(content_type) = request.headers().get(header::CONTENT_TYPE) {
        handed.headers_mut().insert(header::CONTENT_TYPE, content_type.clone());
    }
    handed
}

pub(super) fn key(headers: &HeaderMap) -> Option<&[u8]> {
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
