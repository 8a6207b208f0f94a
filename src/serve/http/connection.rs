//! One client connection, from accept to close.

use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::Server;
use super::client_stream::ClientStream;
use super::connections::ConnectionState;
use super::head::{fresh_request_id, target_too_long};
use crate::serve::error::{ApiError, ErrorCode};

/// When stopping: how long an idle connection is kept for a request already on its way.
const LINGER: Duration = Duration::from_millis(500);

/// Bytes of a request's head.
const MAX_HEAD: usize = 32 << 10;

/// Browsers and proxies send about 30.
const MAX_HEADERS: usize = 100;

pub(super) async fn serve(server: Rc<Server>, stream: TcpStream, state: Rc<ConnectionState>) {
    // Answers are written whole; waiting for more data would only delay them. An error here means that
    // the client is gone, and the first read will fail.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        // Boxed, so that the connection can be moved and taken apart again.
        let (server, state) = (server.clone(), state.clone());
        Box::pin(async move { server.answer(request, &state).await }) as Pin<Box<dyn Future<Output = _>>>
    });
    let stream = ClientStream::new(stream, state.clone(), server.config.write_timeout);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.config.header_timeout)
        .max_buf_size(MAX_HEAD)
        .max_header_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);

    let ended = tokio::select! {
        // First what has arrived: a request that came with the end of the wait is answered.
        biased;
        ended = &mut connection => ended,
        () = may_close(&server, &state) => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let stream = connection.into_parts().io.into_inner();
    let Err(error) = ended else {
        return stream.discard_input().await;
    };
    if let Some(error) = answer_to(&error, &stream, &state) {
        let id = fresh_request_id();
        server.account_unread(&error, &id);
        stream.send_error(&error, &id).await;
    }
}

/// Waits until the server drains and no request is on its way: the answer to one will close the connection.
async fn may_close(server: &Server, state: &ConnectionState) {
    let _ = server.draining.subscribe().wait_for(|draining| *draining).await;
    while state.is_idle() {
        tokio::time::sleep(LINGER).await;
        // What has arrived and is no request yet has until its deadline to become one.
        if !state.has_received() {
            return;
        }
    }
}

/// The answer to bytes that were no request, if the client gets one.
fn answer_to(error: &hyper::Error, stream: &ClientStream, state: &ConnectionState) -> Option<ApiError> {
    let not_http = || ApiError::new(ErrorCode::BadRequest, format!("not an HTTP/1.1 request: {error}"));
    Some(match stream.suppressed_status() {
        Some(431) => {
            // hyper does not report which of the two it was.
            let detail = format!(
                "a request may have at most {MAX_HEADERS} headers, and {MAX_HEAD} bytes of request line and headers"
            );
            ApiError::new(ErrorCode::HeadersTooLarge, detail)
        }
        Some(414) => target_too_long(),
        Some(_) => not_http(),
        // A connection that was merely kept open is closed without an answer, which could cross the
        // next request and be taken for the answer to that.
        None if error.is_timeout() && !state.has_received() => return None,
        None if error.is_timeout() => {
            ApiError::new(ErrorCode::RequestTimeout, "the request's headers did not arrive in time")
        }
        None if error.is_parse_version_h2() => {
            let detail = "HTTP/2 is not supported; use HTTP/1.1";
            ApiError::new(ErrorCode::HttpVersionNotSupported, detail)
        }
        None if error.is_parse() => not_http(),
        None => return None, // the client is gone
    })
}
